//! Builds the programs that guests run.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::{arch::Arch, paths, process::Purpose};

/// The static `observer` in release mode: guests run what is shipped. Fast when it is up to date.
///
/// Each package is built by itself: together they would share one set of cargo features.
pub(crate) fn observer_static(arch: Arch) -> Result<PathBuf> {
    program(arch, "observer")
}

/// The static `observer-witness`: a program without knowledge of observer, which is traced in guests.
pub(crate) fn witness_static(arch: Arch) -> Result<PathBuf> {
    program(arch, "observer-witness")
}

/// The static `observer-spectator`: runs the dashboard in a pseudo-terminal, in guests and on this machine.
pub(crate) fn spectator_static(arch: Arch) -> Result<PathBuf> {
    program(arch, "observer-spectator")
}

/// Builds the binary of the package `name`, both of this name, and returns its path.
fn program(arch: Arch, name: &str) -> Result<PathBuf> {
    let target = arch.target();
    let what = format!("building {name} for {target}");
    eprintln!("{what}");
    let purpose = Purpose {
        what: &what,
        by_hand: "fix the compiler errors above, or run the guest without observer: `cargo xtask vm --no-observer`",
    };
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args(["build", "--release", "--package", name, "--bin", name, "--target", target])
        .arg("--message-format=json-render-diagnostics")
        .current_dir(paths::workspace())
        .stdin(Stdio::null())
        .stderr(Stdio::inherit());
    let output = cargo.output().map_err(|error| purpose.failed(format!("cargo did not start: {error}")))?;
    if !output.status.success() {
        return Err(purpose.failed(format!("cargo ended with {}", output.status)));
    }
    executable(&String::from_utf8_lossy(&output.stdout), name).with_context(|| {
        format!("cargo built {name} but reported no executable; does the package still have this binary?")
    })
}

/// The path of the binary `name` in cargo's stream of JSON messages. The target folder depends on configuration, so
/// paths are not constructed here.
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
    fn the_path_of_the_executable_is_read_from_the_messages() {
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
