//! The components and targets that rust-toolchain.toml lists. rustup adds them by itself only if it may install without
//! being asked (`RUSTUP_AUTO_INSTALL`).

use std::{env, fs, path::Path, process::Command};

use anyhow::Result;

use super::{Verbosity, show, toolchain_file};
use crate::process::{self, Purpose};

/// A component or a target.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Part {
    /// "component" or "target".
    kind: &'static str,
    name: String,
}

/// Adds missing parts to the active toolchain.
pub(super) fn ensure(verbosity: Verbosity) -> Result<()> {
    let file = toolchain_file()?;
    let installed = installed();
    for part in parts(&file) {
        let present = part.is_in(&installed);
        show(&format!("rust {} {}", part.kind, part.name), present, verbosity);
        if !present {
            part.add(&file)?;
        }
    }
    Ok(())
}

impl Part {
    /// Whether it is in rustup's list of installed parts, which has `NAME`, `NAME-HOST` or `NAME-preview-HOST`, and
    /// `rust-std-TARGET`.
    fn is_in(&self, installed: &str) -> bool {
        let mut lines = installed.lines();
        if self.kind == "target" {
            return lines.any(|line| line.strip_prefix("rust-std-") == Some(&self.name));
        }
        lines.any(|line| line.strip_prefix(&self.name).is_some_and(|rest| rest.is_empty() || rest.starts_with('-')))
    }

    fn add(&self, toolchain_file: &str) -> Result<()> {
        // rustup's proxy sets the variable, for example inside `cargo run`.
        let channel = env::var("RUSTUP_TOOLCHAIN").ok().or_else(|| text(toolchain_file, "channel")).unwrap_or_default();
        let what = format!("adding the rust {} {}", self.kind, self.name);
        let by_hand = format!(
            "run `rustup {} add {} --toolchain {channel}`; without rustup, install it from the source of your toolchain",
            self.kind, self.name
        );
        let mut rustup = Command::new("rustup");
        rustup.args([self.kind, "add", &self.name, "--toolchain", &channel]);
        process::read(&mut rustup, Purpose { what: &what, by_hand: &by_hand }).map(drop)
    }
}

/// rustup's list in the active toolchain: reading it is faster than running rustup, which takes a second. Empty if
/// there is no list.
fn installed() -> String {
    let purpose = Purpose { what: "finding the toolchain", by_hand: "install Rust with rustup" };
    let sysroot = process::read(Command::new("rustc").args(["--print", "sysroot"]), purpose).unwrap_or_default();
    fs::read_to_string(Path::new(sysroot.trim()).join("lib/rustlib/components")).unwrap_or_default()
}

fn parts(file: &str) -> Vec<Part> {
    let of = |kind, key| list(file, key).into_iter().map(move |name| Part { kind, name });
    of("component", "components").chain(of("target", "targets")).collect()
}

/// The value of `key = "text"`.
fn text(file: &str, key: &str) -> Option<String> {
    value(file, key).map(|value| value.trim_matches('"').to_owned())
}

/// The value of `key = ["a", "b"]`, on one line.
fn list(file: &str, key: &str) -> Vec<String> {
    let inner = value(file, key).and_then(|value| value.strip_prefix('[')?.strip_suffix(']')).unwrap_or_default();
    inner.split(',').map(|item| item.trim().trim_matches('"').to_owned()).filter(|item| !item.is_empty()).collect()
}

fn value<'a>(file: &'a str, key: &str) -> Option<&'a str> {
    let assigned =
        |line: &'a str| line.split_once('=').filter(|(name, _)| name.trim() == key).map(|(_, value)| value.trim());
    file.lines().find_map(assigned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_toolchain_file_is_parsed() {
        let file = toolchain_file().unwrap();
        let parts = parts(&file);
        assert!(parts.contains(&Part { kind: "component", name: "rust-src".to_owned() }), "{parts:?}");
        for arch in crate::arch::Arch::ALL {
            assert!(parts.contains(&Part { kind: "target", name: arch.target().to_owned() }), "{parts:?}");
        }
        assert!(text(&file, "channel").is_some_and(|channel| channel.starts_with("1.")));
    }

    #[test]
    fn installed_parts_are_recognised() {
        let installed = "clippy-preview-x86_64-unknown-linux-gnu\nrust-std-x86_64-unknown-linux-gnu\nrust-src\n";
        let part = |kind, name: &str| Part { kind, name: name.to_owned() }.is_in(installed);
        for (kind, name) in [("component", "rust-src"), ("component", "clippy"), ("target", "x86_64-unknown-linux-gnu")]
        {
            assert!(part(kind, name), "{kind} {name}");
        }
        for (kind, name) in [("component", "rustfmt"), ("target", "x86_64-unknown-linux-musl"), ("component", "rust-s")]
        {
            assert!(!part(kind, name), "{kind} {name}");
        }
    }
}
