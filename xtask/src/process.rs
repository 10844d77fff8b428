//! Runs other programs. An error has the purpose, the last lines of output and a remedy.

use std::{
    fmt::Write as _,
    process::{Command, Output, Stdio},
};

use anyhow::{Result, anyhow};

/// The purpose of a command, for the message when it fails.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Purpose<'a> {
    /// A participle phrase: "installing bpf-linker".
    pub(crate) what: &'a str,
    /// The remedy, an imperative: "install python3-venv".
    pub(crate) by_hand: &'a str,
}

impl Purpose<'_> {
    pub(crate) fn failed(&self, why: impl std::fmt::Display) -> anyhow::Error {
        anyhow!("{} failed: {why}\n  what to do: {}", self.what, self.by_hand)
    }
}

/// Runs `command` without input; its standard output.
///
/// # Errors
/// When it cannot start or ends with another exit code than 0.
pub(crate) fn read(command: &mut Command, purpose: Purpose<'_>) -> Result<String> {
    let output = run(command, purpose)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(purpose.failed(explain(command, &output)))
}

/// Runs `command` without input to its end.
///
/// # Errors
/// Only when it cannot start: the exit code is in the [`Output`].
pub(crate) fn run(command: &mut Command, purpose: Purpose<'_>) -> Result<Output> {
    command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| purpose.failed(format!("`{}` did not start: {error}", spell(command))))
}

/// Runs `command` with its output on the terminal.
///
/// # Errors
/// When it cannot start or ends with another exit code than 0.
pub(crate) fn show(command: &mut Command, purpose: Purpose<'_>) -> Result<()> {
    let status = command
        .stdin(Stdio::null())
        .status()
        .map_err(|error| purpose.failed(format!("`{}` did not start: {error}", spell(command))))?;
    if status.success() {
        return Ok(());
    }
    Err(purpose.failed(format!("`{}` ended with {status}; see its output above", spell(command))))
}

/// The exit status of a failed command and the last lines of its output.
fn explain(command: &Command, output: &Output) -> String {
    let mut text = format!("`{}` ended with {}", spell(command), output.status);
    let written = if output.stderr.is_empty() { &output.stdout } else { &output.stderr };
    for line in last_lines(written, 8) {
        // Writing into a String cannot fail.
        let _ = write!(text, "\n  | {line}");
    }
    text
}

/// The command on one line, for messages: arguments are not quoted.
fn spell(command: &Command) -> String {
    let mut line = command.get_program().to_string_lossy().into_owned();
    for argument in command.get_args() {
        line.push(' ');
        line.push_str(&argument.to_string_lossy());
    }
    line
}

/// The last `count` lines of `bytes` that are not blank, without trailing carriage returns.
pub(crate) fn last_lines(bytes: &[u8], count: usize) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    lines.iter().skip(lines.len().saturating_sub(count)).map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PURPOSE: Purpose<'static> = Purpose { what: "testing", by_hand: "test by hand" };

    #[test]
    fn an_error_has_purpose_reason_and_remedy() {
        let error = read(Command::new("sh").args(["-c", "echo no such luck >&2; exit 3"]), PURPOSE).unwrap_err();
        let text = error.to_string();
        for part in ["testing failed", "exit status: 3", "no such luck", "test by hand"] {
            assert!(text.contains(part), "{part:?} is missing from {text:?}");
        }
    }

    #[test]
    fn a_missing_program_is_named_in_the_error() {
        let error = read(&mut Command::new("/no/such/program"), PURPOSE).unwrap_err();
        assert!(error.to_string().contains("/no/such/program"));
    }

    #[test]
    fn blank_lines_and_carriage_returns_are_dropped() {
        assert_eq!(last_lines(b"a\r\n\r\nb\r\nc\n", 2), ["b", "c"]);
        assert_eq!(last_lines(b"a", 5), ["a"]);
        assert!(last_lines(b"", 5).is_empty());
    }
}
