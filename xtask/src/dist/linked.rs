//! Which crates are linked into the binary, and under which licences: who hands it on must say so.

use std::{collections::BTreeSet, process::Command};

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::{
    paths,
    process::{Purpose, read},
};

/// A crate that is linked in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Linked {
    /// Its name.
    pub(crate) name: String,
    /// Its version.
    pub(crate) version: String,
    /// Its licence, as an SPDX expression.
    pub(crate) licence: String,
}

/// The crates that the binary is linked from, those of this workspace left out, by name.
pub(super) fn crates() -> Result<BTreeSet<Linked>> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // Normal dependencies only: what builds or tests it is not in it. `{l}` is the licence.
    cargo
        .args(["tree", "--package", "observer", "--edges", "normal,no-proc-macro", "--prefix", "none", "--no-dedupe"])
        .args(["--format", "{p}|{l}"])
        .current_dir(paths::workspace());
    let purpose = Purpose { what: "listing what is linked in", by_hand: "run `cargo tree` and read what it says" };
    let tree = read(&mut cargo, purpose)?;
    let own = workspace_members()?;
    tree.lines().filter(|line| !line.trim().is_empty()).map(parse).filter(|one| keep(one, &own)).collect()
}

fn keep(one: &Result<Linked>, own: &BTreeSet<String>) -> bool {
    one.as_ref().map_or(true, |linked| !own.contains(&linked.name))
}

fn workspace_members() -> Result<BTreeSet<String>> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["metadata", "--format-version", "1", "--no-deps"]).current_dir(paths::workspace());
    let purpose = Purpose { what: "listing the workspace", by_hand: "run `cargo metadata` and read what it says" };
    let metadata: Value = serde_json::from_str(&read(&mut cargo, purpose)?).context("cargo metadata is not JSON")?;
    let packages = metadata.get("packages").and_then(Value::as_array).context("cargo metadata names no packages")?;
    Ok(packages.iter().filter_map(|package| package.get("name").and_then(Value::as_str)).map(str::to_owned).collect())
}

/// A line of the tree: `name vVERSION (origin)|licence`.
fn parse(line: &str) -> Result<Linked> {
    let odd = || format!("cargo tree says {line:?}, which has another shape than before");
    let (package, licence) = line.rsplit_once('|').with_context(odd)?;
    let mut words = package.split_whitespace();
    let name = words.next().with_context(odd)?.to_owned();
    let version = words.next().and_then(|word| word.strip_prefix('v')).with_context(odd)?.to_owned();
    Ok(Linked { name, version, licence: licence.trim().to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_tree_is_read() {
        let linked = parse("aya v0.14.0|MIT OR Apache-2.0").unwrap();
        assert_eq!((linked.name.as_str(), linked.version.as_str()), ("aya", "0.14.0"));
        assert_eq!(linked.licence, "MIT OR Apache-2.0");
        assert_eq!(parse("observer v0.1.0 (/work/observer)|MIT").unwrap().version, "0.1.0");
        assert!(parse("aya").is_err());
    }

    #[test]
    fn crates_of_the_workspace_are_not_listed() {
        let linked = crates().unwrap();
        assert!(linked.iter().any(|linked| linked.name == "aya"), "{linked:?}");
        assert!(!linked.iter().any(|linked| linked.name.starts_with("observer")), "{linked:?}");
    }
}
