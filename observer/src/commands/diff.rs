//! `observer diff`: compares two recordings.

use super::{output, report::observed};
use crate::cli::DiffArgs;
use observer_observation::exit::Exit;
use observer_report::{comparison::Diff, diff};

/// # Errors
/// When a file cannot be read at all, or standard output cannot be written.
pub(crate) fn run(args: &DiffArgs) -> anyhow::Result<Exit> {
    let (a, b) = (observed(&args.a)?, observed(&args.b)?);
    let diff = Diff::new(&a, &b);
    if args.json {
        output::print_json(&diff)?;
    } else {
        output::print(diff::text(&diff, &a, &b))?;
    }
    Ok(Exit::Clean)
}
