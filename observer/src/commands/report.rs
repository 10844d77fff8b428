//! `observer report`: what a recording says, in one of many formats.

use std::io::{self, Write as _};

use anyhow::Context as _;

use super::printed;
use crate::{
    cli::ReportArgs,
    exit::Exit,
    export::{json, summary::Summary, text},
    record,
};

/// Replays and prints.
///
/// # Errors
/// When a file cannot be read at all, or the output cannot be written.
pub fn run(args: &ReportArgs) -> anyhow::Result<Exit> {
    let outcome = record::replay(&args.file).with_context(|| args.file.display().to_string())?;
    let summary = Summary::new(&outcome);
    let result = if args.json {
        json::print(&summary)
    } else {
        io::stdout().lock().write_all(text::summary(&summary).as_bytes())
    };
    printed(result, summary.exit())
}
