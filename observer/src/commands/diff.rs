//! `observer diff`: two recordings side by side.

use std::io::{self, Write as _};

use super::{printed, report::observed};
use crate::cli::DiffArgs;
use observer_observation::exit::Exit;
use observer_report::{
    diff::{self, Diff},
    formats::json,
};

/// Compares and prints.
///
/// # Errors
/// When a file cannot be read at all, or standard output cannot be written.
pub(crate) fn run(args: &DiffArgs) -> anyhow::Result<Exit> {
    let (a, b) = (observed(&args.a)?, observed(&args.b)?);
    let diff = Diff::new(&a, &b);
    let result = if args.json {
        json::print(&diff)
    } else {
        io::stdout().lock().write_all(diff::page(&diff, &a, &b).as_bytes())
    };
    printed(result, Exit::Clean)
}
