//! Checks of the sources that need no guest: format, lints, unit tests, dependencies, spelling.

use std::{env, process::Command};

use anyhow::Result;

use crate::{
    paths,
    process::{self, Purpose, show},
};

/// Format, lints and unit tests.
///
/// # Errors
/// At the first check that fails.
pub(crate) fn unit() -> Result<()> {
    run("checking the format", cargo(&["fmt", "--all", "--check"]), "run `cargo fmt --all`")?;
    let lints = ["clippy", "--workspace", "--all-targets", "--quiet", "--", "--deny", "warnings"];
    run("checking the lints", cargo(&lints), "fix what clippy reports")?;
    run("checking the lints of the eBPF programs", ebpf_clippy(), "fix what clippy reports")?;
    run("running the unit tests", cargo(&["test", "--workspace", "--quiet"]), "fix the failing tests")
}

/// Long runs of the engine's model checker.
///
/// # Errors
/// When a test fails.
pub(crate) fn long() -> Result<()> {
    let tests = ["test", "--package", "observer-engine", "--quiet", "--", "--ignored"];
    run("running the long tests of the model", cargo(&tests), "fix the failing tests")
}

/// Licences, duplicates and sources of dependencies; known vulnerabilities; spelling.
///
/// # Errors
/// At the first check that fails. Vulnerabilities are skipped if their database cannot be downloaded.
pub(crate) fn dependencies_and_spelling() -> Result<()> {
    let deny = |arguments: &[&str]| {
        cargo(&[&["deny", "--config", ".ci/deny.toml", "--log-level", "warn"], arguments].concat())
    };
    let by_hand = "fix what cargo-deny reports; its settings are in .ci/deny.toml";
    run("checking dependencies", deny(&["check", "bans", "licenses", "sources"]), by_hand)?;
    let purpose = Purpose { what: "downloading known vulnerabilities", by_hand: "run it with network access" };
    if process::read(&mut deny(&["fetch", "db"]), purpose).is_ok() {
        run("checking for known vulnerabilities", deny(&["check", "--disable-fetch", "advisories"]), by_hand)?;
    } else {
        println!("skip  known vulnerabilities: cargo-deny cannot download its database");
    }
    let mut typos = Command::new("typos");
    typos.args(["--config", ".ci/typos.toml"]).current_dir(paths::workspace());
    run("checking the spelling", typos, "fix the words, or add correct ones to .ci/typos.toml")
}

/// The programs exist only for the BPF target, which clippy on the workspace does not check.
fn ebpf_clippy() -> Command {
    let mut command = cargo(&["clippy", "--quiet", "--package", "observer-ebpf", "--bins", "--features", "programs"]);
    command
        .args(["--target", "bpfel-unknown-none", "-Z", "build-std=core"])
        .arg("--target-dir")
        .arg(paths::target().join("ebpf-clippy"))
        .args(["--", "--deny", "warnings"])
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTFLAGS", "--cfg=bpf_target_arch=\"x86_64\"");
    command
}

fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(paths::workspace());
    command
}

fn run(what: &str, mut command: Command, by_hand: &str) -> Result<()> {
    eprintln!("{what}");
    show(&mut command, Purpose { what, by_hand })
}
