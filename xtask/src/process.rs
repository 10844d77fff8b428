//! Runs other programs and, when they fail, says what was wanted, what they said last, and what to do by hand.

use std::{
    fmt::Write as _,
    process::{Command, Output, Stdio},
};

use anyhow::{Result, anyhow};

/// What a command is for, in the words its failure is reported with.
#[derive(Clone, Copy, Debug)]
pub struct Purpose<'a> {
    /// What was being done: "installing bpf-linker".
    pub what: &'a str,
    /// What the reader can do instead.
    pub by_hand: &'a str,
}

impl Purpose<'_> {
    /// The failure of this purpose, because of `why`.
    pub fn failed(&self, why: impl std::fmt::Display) -> anyhow::Error {
        anyhow!("{} failed: {why}\n  what to do: {}", self.what, self.by_hand)
    }
}

/// Runs `command` without input, and returns its standard output.
pub fn read(command: &mut Command, purpose: Purpose<'_>) -> Result<String> {
    let output = run(command, purpose)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(purpose.failed(explain(command, &output)))
}

/// Runs `command` without input to its end, whatever its exit code; only a command that cannot start is an error.
pub fn run(command: &mut Command, purpose: Purpose<'_>) -> Result<Output> {
    command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| purpose.failed(format!("`{}` did not start: {error}", spell(command))))
}

/// Runs `command` with its output shown as it comes, for steps that take long.
pub fn show(command: &mut Command, purpose: Purpose<'_>) -> Result<()> {
    let status = command
        .stdin(Stdio::null())
        .status()
        .map_err(|error| purpose.failed(format!("`{}` did not start: {error}", spell(command))))?;
    if status.success() {
        return Ok(());
    }
    Err(purpose.failed(format!("`{}` ended with {status}; see its output above", spell(command))))
}

/// Why a finished command failed: its exit status and the last lines it wrote.
pub fn explain(command: &Command, output: &Output) -> String {
    let mut text = format!("`{}` ended with {}", spell(command), output.status);
    let said = if output.stderr.is_empty() { &output.stdout } else { &output.stderr };
    for line in last_lines(said, 8) {
        // Writing into a String cannot fail.
        let _ = write!(text, "\n  | {line}");
    }
    text
}

/// The command as one line, for messages only: arguments are not quoted.
pub fn spell(command: &Command) -> String {
    let mut line = command.get_program().to_string_lossy().into_owned();
    for argument in command.get_args() {
        line.push(' ');
        line.push_str(&argument.to_string_lossy());
    }
    line
}

/// The last `count` lines of `bytes` that are not blank, without the carriage returns a terminal adds.
pub fn last_lines(bytes: &[u8], count: usize) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    lines.iter().skip(lines.len().saturating_sub(count)).map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PURPOSE: Purpose<'static> = Purpose { what: "asking", by_hand: "ask yourself" };

    #[test]
    fn a_failure_names_purpose_reason_and_remedy() {
        let error = read(Command::new("sh").args(["-c", "echo no such luck >&2; exit 3"]), PURPOSE).unwrap_err();
        let text = error.to_string();
        for part in ["asking failed", "exit status: 3", "no such luck", "ask yourself"] {
            assert!(text.contains(part), "{part:?} is missing from {text:?}");
        }
    }

    #[test]
    fn a_missing_program_is_named() {
        let error = read(&mut Command::new("/no/such/program"), PURPOSE).unwrap_err();
        assert!(error.to_string().contains("/no/such/program"));
    }

    #[test]
    fn last_lines_drop_blanks_and_carriage_returns() {
        assert_eq!(last_lines(b"a\r\n\r\nb\r\nc\n", 2), ["b", "c"]);
        assert_eq!(last_lines(b"a", 5), ["a"]);
        assert!(last_lines(b"", 5).is_empty());
    }
}
