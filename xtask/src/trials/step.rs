//! Steps: a command that runs in a guest, and the check of its output.

use std::{fmt::Write as _, fs, path::Path};

use serde::de::DeserializeOwned;
use serde_json::{Deserializer, Value};

use crate::{output::summary::Summary, vm::PROGRESS};

/// The kind of kernel, as far as expectations depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Era {
    /// Vulnerable: pages lose data.
    Unfixed,
    /// Fixed by the pin: tasks that find it held wait.
    Pinned,
    /// The swap cache is never skipped, and there is no pin.
    NoBypass,
    /// Pinned, with `lockdown=confidentiality`.
    LockedDown,
    /// Pinned, with `lockdown=integrity`.
    Integrity,
}

impl Era {
    /// Appended to the kernel command line.
    pub(crate) fn cmdline(self) -> &'static str {
        match self {
            Self::LockedDown => "lockdown=confidentiality",
            Self::Integrity => "lockdown=integrity",
            Self::Unfixed | Self::Pinned | Self::NoBypass => "",
        }
    }

    /// Appended to the kernel release in names of tests.
    pub(crate) fn suffix(self) -> &'static str {
        match self {
            Self::LockedDown => " (lockdown=confidentiality)",
            Self::Integrity => " (lockdown=integrity)",
            Self::Unfixed | Self::Pinned | Self::NoBypass => "",
        }
    }
}

#[derive(Clone, Copy)]
pub(crate) struct Step {
    /// Unique within an era; the files in /out start with it.
    pub(crate) name: &'static str,
    /// Shell command. Standard output, standard error and exit code are written to /out.
    pub(crate) command: &'static str,
    pub(crate) check: fn(Era, &Finished) -> Checked,
}

/// What was seen, or what is wrong.
pub(crate) type Checked = Result<String, String>;

/// The output of a step.
#[derive(Clone, Debug, Default)]
pub(crate) struct Finished {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Finished {
    /// Reads the output of the step `name` from `dir`.
    ///
    /// # Errors
    /// When the step was not run.
    pub(crate) fn read(dir: &Path, name: &str) -> Result<Self, String> {
        let text = |kind: &str| {
            let file = format!("{name}.{kind}");
            fs::read_to_string(dir.join(&file)).map_err(|error| format!("cannot read {file}: {error}"))
        };
        let code = text("code")?.trim().parse().map_err(|error| format!("cannot parse {name}.code: {error}"))?;
        Ok(Self { code, stdout: text("stdout")?, stderr: text("stderr")? })
    }

    /// The only JSON object on standard output.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, String> {
        serde_json::from_str(&self.stdout).map_err(|error| {
            format!(
                "cannot read the JSON on standard output ({error}); exit code {}, standard error: {}",
                self.code,
                self.stderr.trim()
            )
        })
    }

    pub(super) fn summary(&self) -> Result<Summary, String> {
        self.json()
    }

    /// The JSON objects on standard output.
    pub(super) fn objects<T: DeserializeOwned>(&self) -> Result<Vec<T>, String> {
        let objects = Deserializer::from_str(&self.stdout).into_iter();
        objects.collect::<Result<_, _>>().map_err(|error| {
            format!("cannot read the JSON on standard output ({error}); standard error: {}", self.stderr.trim())
        })
    }

    /// The last JSON object on a line of standard error. With `--json`, observer sends the output of its command there.
    pub(super) fn on_stderr<T: DeserializeOwned>(&self) -> Result<T, String> {
        let mut values = self.stderr.lines().rev().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let object = values.find(Value::is_object);
        let object = object.ok_or_else(|| format!("no JSON object on standard error: {}", self.stderr.trim()))?;
        serde_json::from_value(object)
            .map_err(|error| format!("cannot read the JSON on standard error ({error}): {}", self.stderr.trim()))
    }

    pub(super) fn expect_code(&self, expected: i32) -> Result<(), String> {
        if self.code == expected {
            return Ok(());
        }
        Err(format!("exit code {} instead of {expected}; standard error: {}", self.code, self.stderr.trim()))
    }
}

pub(super) fn ensure(right: bool, wrong: impl FnOnce() -> String) -> Result<(), String> {
    if right { Ok(()) } else { Err(wrong()) }
}

/// A step that takes longer hangs, seconds. The longest takes 160 s beside another guest on a quiet machine.
const LIMIT_S: u32 = 400;

/// The shell script that runs `steps`. A step that hangs is stopped, so that later ones run. Each is announced on the
/// console, so that the log of a guest that does not come back shows where it was, and how long the earlier ones took.
pub(super) fn script(steps: &[Step]) -> String {
    let mut script = String::from("mkdir -p /out\n");
    for Step { name, command, .. } in steps {
        let quoted = command.replace('\'', "'\\''");
        // Writing into a String cannot fail.
        let _ = writeln!(
            script,
            "read -r up _ </proc/uptime; echo \"{PROGRESS}step {name} at $up s\" >/dev/console\n\
             timeout {LIMIT_S} sh -c '{quoted}' >/out/{name}.stdout 2>/out/{name}.stderr; echo $? >/out/{name}.code"
        );
    }
    script
}

#[cfg(test)]
pub(super) fn finished(code: i32, stdout: &str, stderr: &str) -> Finished {
    Finished { code, stdout: stdout.to_owned(), stderr: stderr.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_quoted_for_the_shell() {
        let step = Step { name: "x", command: "echo 'a b'", check: |_, _| Ok(String::new()) };
        let script = script(&[step]);
        assert!(script.contains(r"sh -c 'echo '\''a b'\'''"), "{script}");
    }

    #[test]
    fn the_last_object_on_standard_error_is_read() {
        let finished = finished(0, "", "{\"a\":1}\nwords\n{\"a\":2}\n7\n");
        assert_eq!(finished.on_stderr::<Value>().unwrap(), serde_json::json!({ "a": 2 }));
    }
}
