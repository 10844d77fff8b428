//! Builds what guests run.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::{arch::Arch, paths, process::Purpose};

/// What guests run, as cargo's options name it. All of it is built at once: the examples want dependencies of their own, with
/// which cargo gives those that they share with `observer` other features, and would build most of it twice.
const FOR_GUESTS: [&str; 6] = ["--bin", "observer", "--example", "witness", "--example", "spectator"];

/// Builds the static `observer` for guests in release mode, and returns where it is. Fast when it is up to date.
pub fn observer_static(arch: Arch) -> Result<PathBuf> {
    program(arch, "observer", &FOR_GUESTS)
}

/// Builds the static `witness`: a program that knows nothing of observer, to be watched in guests.
pub fn witness_static(arch: Arch) -> Result<PathBuf> {
    program(arch, "witness", &FOR_GUESTS)
}

/// Builds the static `spectator`: it sits at a terminal with the dashboard in it, in guests and here.
pub fn spectator_static(arch: Arch) -> Result<PathBuf> {
    program(arch, "spectator", &FOR_GUESTS)
}

/// Builds the static `observer` by itself, as it is shipped.
pub fn observer_to_ship(arch: Arch) -> Result<PathBuf> {
    program(arch, "observer", &["--bin", "observer"])
}

/// Builds programs of the package `observer`, and returns where the one of this name is.
fn program(arch: Arch, name: &str, which: &[&str]) -> Result<PathBuf> {
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
        .args(which)
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
