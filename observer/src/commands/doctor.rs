//! `observer doctor`: whether this host can be observed, and whether the race is possible on it. Attaches nothing,
//! except for the self-test.

use super::{output, page, types};
use crate::cli::DoctorArgs;
use observer_kernel::survey::Survey;
use observer_observation::{exit::Exit, self_test::Outcome};
use observer_probe::setup;
use observer_report::doctor::{self, Doctor};
use observer_workload::self_test;

/// A host that does not allow observing is reported on the page and by the exit code.
///
/// # Errors
/// When the file of `--btf` cannot be used, or standard output cannot be written.
pub(crate) fn run(args: &DoctorArgs) -> anyhow::Result<Exit> {
    let options = args.setup();
    types::check(&options)?;
    let survey = setup::survey(&options);
    let self_test = if args.self_test { self_test(&survey) } else { None };
    let doctor = Doctor::new(&survey).with_self_test(self_test);
    if args.json {
        output::print_json(&doctor)?;
    } else {
        output::print_own(doctor::text(&doctor, page::layout(args.color.color)).as_bytes())?;
    }
    Ok(doctor.exit())
}

/// `None`: nothing can be hooked, which the page says.
fn self_test(survey: &Survey) -> Option<Outcome> {
    let plan = survey.plan.as_ref().ok()?;
    eprintln!("self-test: swapping {} pages out to a zram device and in again ...", self_test::PAGES);
    Some(self_test::run(plan, &survey.facts))
}
