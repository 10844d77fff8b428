//! `observer doctor`: what this host allows, and whether the race can happen here. Attaches nothing.

use std::io::{self, Write as _};

use super::printed;
use crate::{
    cli::DoctorArgs,
    exit::Exit,
    export::{
        doctor::{self, Doctor},
        json,
    },
    setup,
};

/// Looks, and prints the page or the object. A host that refuses is told there too, and by the exit code.
///
/// # Errors
/// When standard output cannot be written.
pub fn run(args: &DoctorArgs) -> anyhow::Result<Exit> {
    let survey = setup::survey(args.backend);
    let doctor = Doctor::new(&survey);
    let result =
        if args.json { json::print(&doctor) } else { io::stdout().lock().write_all(doctor::page(&doctor).as_bytes()) };
    printed(result, doctor.exit())
}
