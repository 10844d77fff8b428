//! The command given with `--`: as typed, and how it ended.

use std::{
    ffi::{OsStr, OsString},
    os::unix::process::ExitStatusExt as _,
    process::ExitStatus,
};

/// How a command ended, in words and as a shell would number it.
pub fn describe(status: ExitStatus) -> (String, i32) {
    match (status.code(), status.signal()) {
        (Some(0), _) => ("succeeded".to_owned(), 0),
        (Some(code), _) => (format!("exited with {code}"), code),
        (None, Some(signal)) => (format!("was killed by signal {signal}"), 128 + signal),
        (None, None) => ("ended".to_owned(), 1),
    }
}

/// The command as a person would type it, for messages.
pub fn shown(command: &[OsString]) -> String {
    command.iter().map(OsString::as_os_str).map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

/// The exit code of a command as a shell would number it.
pub fn code(status: ExitStatus) -> i32 {
    describe(status).1
}

/// A command as typed.
pub fn typed(words: &[OsString]) -> String {
    if words.is_empty() { String::new() } else { shown(words) }
}
