//! Standard output.

use std::io::{self, Write as _};

use anyhow::Context as _;
use observer_report::formats::json;
use observer_text::lines;

/// Prints text, with escapes for what is not printable.
///
/// # Errors
/// When standard output cannot be written. A closed pipe is no error.
pub(super) fn print(text: impl AsRef<str>) -> anyhow::Result<()> {
    check(io::stdout().lock().write_all(lines(text.as_ref()).as_bytes()))
}

/// Prints what has no text from outside.
///
/// # Errors
/// As [`print`].
pub(super) fn print_own(bytes: &[u8]) -> anyhow::Result<()> {
    check(io::stdout().lock().write_all(bytes))
}

/// Prints one line of JSON.
///
/// # Errors
/// As [`print`].
pub(super) fn print_json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    check(json::print(value))
}

/// The result of writing to standard output, without the error of a closed pipe.
pub(super) fn check(result: io::Result<()>) -> anyhow::Result<()> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to standard output")
        }
        _ => Ok(()),
    }
}
