//! `observer diff`: compares two recordings.

use anyhow::{Context as _, bail};

use super::{
    error::UsageError,
    input::{is_standard_stream, open},
    output, selection,
};
use crate::cli::DiffArgs;
use observer_observation::exit::Exit;
use observer_report::{comparison::Diff, diff, observed::Observed};

/// # Errors
/// When a file cannot be read at all, a name of the selection is in none of them, or standard output cannot be written.
pub(crate) fn run(args: &DiffArgs) -> anyhow::Result<Exit> {
    let selected = args.selection.selection();
    selection::check(&selected)?;
    if [&args.a, &args.b].into_iter().all(|path| is_standard_stream(path)) {
        bail!(UsageError::StandardInputTwice);
    }
    let (a, b) = (open(std::slice::from_ref(&args.a))?, open(std::slice::from_ref(&args.b))?);
    let of_a = a.len();
    let sides = selection::observed(a.into_iter().chain(b).collect(), &selected)?;
    let (a, b) = sides.split_at_checked(of_a).unwrap_or((&sides, &[]));
    let merged = |parts| Observed::merged(parts).context("no recording given");
    let (a, b) = (merged(a)?, merged(b)?);
    let diff = Diff::new(&a, &b);
    if args.json {
        output::print_json(&diff)?;
    } else {
        output::print(diff::text(&diff, &a, &b))?;
    }
    Ok(Exit::Clean)
}
