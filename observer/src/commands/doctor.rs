//! `observer doctor`: what this host allows, and whether the race can happen here. Attaches nothing, but for the self-test.

use std::io::{self, Write as _};

use super::printed;
use crate::{
    cli::DoctorArgs,
    exit::Exit,
    export::{
        doctor::{self, Doctor},
        json,
    },
    selftest,
    setup::{self, SetupOptions, Survey},
};

/// Looks, and prints the page or the object. A host that refuses is told there too, and by the exit code.
///
/// # Errors
/// When standard output cannot be written.
pub fn run(args: &DoctorArgs) -> anyhow::Result<Exit> {
    let survey = setup::survey(&SetupOptions { backends: args.backend, set: args.hooks, btf: args.btf.clone() });
    let doctor = Doctor::new(&survey).with_self_test(args.self_test.then(|| self_test(&survey)).flatten());
    let result =
        if args.json { json::print(&doctor) } else { io::stdout().lock().write_all(doctor::page(&doctor).as_bytes()) };
    printed(result, doctor.exit())
}

/// Where nothing can be hooked there is nothing to test, which the refusal says.
fn self_test(survey: &Survey) -> Option<selftest::Outcome> {
    let plan = survey.plan.as_ref().ok()?;
    eprintln!("self-test: {} own pages, on a zram device added for it ...", selftest::PAGES);
    Some(selftest::run(plan, &survey.facts).into())
}
