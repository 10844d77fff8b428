//! One JSON object per line.

use std::io::{self, Write};

use serde::Serialize;

/// Prints a value on standard output.
///
/// # Errors
/// When standard output cannot be written (closed, full).
pub fn print(value: &impl Serialize) -> io::Result<()> {
    write(value, &mut io::stdout().lock())
}

/// # Errors
/// When the output cannot be written.
pub fn write(value: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    let mut text = serde_json::to_vec(value)?;
    text.push(b'\n');
    out.write_all(&text)?;
    out.flush()
}
