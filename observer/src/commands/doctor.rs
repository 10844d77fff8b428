//! `observer doctor`: what this host allows, and whether the race can happen here. Attaches nothing, but for the self-test.

use std::io::{self, Write as _};

use super::printed;
use crate::cli::DoctorArgs;
use observer_kernel::survey::{SetupOptions, Survey};
use observer_observation::exit::Exit;
use observer_probe::setup;
use observer_report::{
    doctor::{self, Doctor},
    formats::json,
};
use observer_workload::self_test;

/// Looks, and prints the page or the object. A host that refuses is told there too, and by the exit code.
///
/// # Errors
/// When standard output cannot be written.
pub(crate) fn run(args: &DoctorArgs) -> anyhow::Result<Exit> {
    let survey =
        setup::survey(&SetupOptions { backends: args.backend.into(), set: args.hooks.into(), btf: args.btf.clone() });
    let doctor = Doctor::new(&survey).with_self_test(args.self_test.then(|| self_test(&survey)).flatten());
    let result =
        if args.json { json::print(&doctor) } else { io::stdout().lock().write_all(doctor::page(&doctor).as_bytes()) };
    printed(result, doctor.exit())
}

/// Where nothing can be hooked there is nothing to test, which the refusal says.
fn self_test(survey: &Survey) -> Option<observer_observation::self_test::Outcome> {
    let plan = survey.plan.as_ref().ok()?;
    eprintln!("self-test: {} own pages, on a zram device added for it ...", self_test::PAGES);
    Some(self_test::outcome(self_test::run(plan, &survey.facts)))
}
