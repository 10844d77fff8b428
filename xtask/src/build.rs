//! Builds what guests run.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::{arch::Arch, paths, process::Purpose};

/// Builds the static `observer` for guests in release mode, and returns where it is. Fast when it is up to date.
pub fn observer_static(arch: Arch) -> Result<PathBuf> {
    guest_program(arch, ["--bin", "observer"])
}

/// Builds the static `witness`: a program that knows nothing of observer, to be watched in guests.
pub fn witness_static(arch: Arch) -> Result<PathBuf> {
    guest_program(arch, ["--example", "witness"])
}

/// Builds the static `spectator`: it sits at a terminal with the dashboard in it, in guests and here.
pub fn spectator_static(arch: Arch) -> Result<PathBuf> {
    guest_program(arch, ["--example", "spectator"])
}

/// Builds one program of the package `observer`, `kind` being cargo's option that names it.
fn guest_program(arch: Arch, kind: [&str; 2]) -> Result<PathBuf> {
    let [_, name] = kind;
    let target = arch.target();
    eprintln!("building {name} for {target}");
    let what = format!("building the static {name}");
    let purpose = Purpose {
        what: &what,
        by_hand: "fix what the compiler says above, or run the guest without it: `cargo xtask vm --no-observer`",
    };
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args(["build", "--release", "--package", "observer", "--target", target])
        .args(kind)
        .arg("--message-format=json-render-diagnostics")
        .current_dir(paths::workspace())
        .stdin(Stdio::null())
        .stderr(Stdio::inherit());
    let output = cargo.output().map_err(|error| purpose.failed(format!("cargo did not start: {error}")))?;
    if !output.status.success() {
        return Err(purpose.failed(format!("cargo ended with {}", output.status)));
    }
    executable(&String::from_utf8_lossy(&output.stdout), name)
        .with_context(|| format!("cargo built {name} but named no executable; does the package still have it?"))
}

/// The executable of the binary `name` in cargo's stream of JSON messages: asking beats guessing the target folder,
/// which configuration can move.
fn executable(messages: &str, name: &str) -> Option<PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message.pointer("/target/name").and_then(Value::as_str) == Some(name))
        .filter_map(|message| message.get("executable").and_then(Value::as_str).map(PathBuf::from))
        .next_back()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_executable_is_read_from_the_messages() {
        let messages = concat!(
            "{\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"observer\"},\"executable\":null}\n",
            "not json\n",
            "{\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"build-script\"},\"executable\":\"/t/other\"}\n",
            "{\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"observer\"},\"executable\":\"/t/observer\"}\n",
        );
        assert_eq!(executable(messages, "observer"), Some(PathBuf::from("/t/observer")));
        assert_eq!(executable(messages, "absent"), None);
    }
}
