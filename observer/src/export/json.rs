//! One JSON object on standard output.

use std::io::{self, Write as _};

use serde::Serialize;

/// Prints a value as one line of JSON.
///
/// # Errors
/// When standard output cannot be written (closed, full).
pub fn print(value: &impl Serialize) -> io::Result<()> {
    let mut text = serde_json::to_vec(value)?;
    text.push(b'\n');
    let mut out = io::stdout().lock();
    out.write_all(&text)?;
    out.flush()
}
