//! Brings what a task needs to this machine. Every check is a look at files or one quick program, so that tasks can ask
//! each time.

mod toolchain;

use std::{fs, path::Path, process::Command};

use anyhow::{Context, Result};

use crate::{
    arch::Arch,
    paths,
    process::{self, Purpose},
    vm,
};

/// The bpf-linker that reads this compiler's bitcode; it moves with rust-toolchain.toml.
const BPF_LINKER: &str = "0.10.3";

/// Something that a task needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// The components and targets of rust-toolchain.toml.
    Toolchain,
    /// bpf-linker, which builds the programs.
    BpfLinker,
    /// The emulator of x86-64.
    Qemu,
    /// The emulator of arm64.
    QemuArm,
    /// A static busybox, every guest's user space.
    Busybox,
    /// xz, to decompress kernel modules.
    Xz,
    /// Python with its module venv.
    Python,
    /// A Prometheus server and promtool.
    Prometheus,
    /// A browser.
    Chromium,
}

/// What building needs.
pub const BUILD: &[Need] = &[Need::Toolchain, Need::BpfLinker];

/// What reading exports with others' programs needs.
pub const EXPORTS: &[Need] = &[Need::Python, Need::Prometheus, Need::Chromium];

/// What running guests of x86-64 needs.
pub const GUESTS: &[Need] = &[Need::Qemu, Need::Busybox, Need::Xz];

/// What running guests of this family needs.
pub const fn guests(arch: Arch) -> &'static [Need] {
    match arch {
        Arch::X86_64 => GUESTS,
        Arch::Arm64 => &[Need::QemuArm, Need::Xz],
    }
}

/// Whether to name what is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verbosity {
    /// One line for everything.
    All,
    /// One line for what is brought.
    Changes,
}

/// Brings whatever of `needs` is missing, in their order.
pub fn ensure(needs: &[Need], voice: Verbosity) -> Result<()> {
    let mut apt = Apt::default();
    for need in needs {
        match need {
            Need::Toolchain => toolchain::ensure(voice)?,
            Need::BpfLinker => ensure_bpf_linker(voice)?,
            Need::Qemu => apt.ensure("qemu-system-x86", has_emulator(Arch::X86_64), voice)?,
            Need::QemuArm => apt.ensure("qemu-system-arm", has_emulator(Arch::Arm64), voice)?,
            Need::Busybox => apt.ensure("busybox-static", vm::static_busybox().is_some(), voice)?,
            Need::Xz => apt.ensure("xz-utils", paths::find_program("xz").is_some(), voice)?,
            Need::Python => apt.ensure("python3-venv", has_venv(), voice)?,
            Need::Prometheus => apt.ensure("prometheus", paths::find_program("promtool").is_some(), voice)?,
            Need::Chromium => apt.ensure("chromium", paths::find_program("chromium").is_some(), voice)?,
        }
    }
    Ok(())
}

/// Debian keeps the part of Python that makes environments in a package of its own.
fn has_venv() -> bool {
    Command::new("python3").args(["-c", "import ensurepip"]).output().is_ok_and(|output| output.status.success())
}

fn has_emulator(arch: Arch) -> bool {
    paths::find_program(arch.emulator()).is_some()
}

fn tell(what: &str, present: bool, voice: Verbosity) {
    match (present, voice) {
        (true, Verbosity::All) => eprintln!("ok          {what}"),
        (true, Verbosity::Changes) => {}
        (false, _) => eprintln!("installing  {what}"),
    }
}

fn ensure_bpf_linker(voice: Verbosity) -> Result<()> {
    let version = Command::new("bpf-linker").arg("--version").output();
    let present = version.is_ok_and(|output| is_bpf_linker(&String::from_utf8_lossy(&output.stdout)));
    tell(&format!("bpf-linker {BPF_LINKER}"), present, voice);
    if present {
        return Ok(());
    }
    let by_hand = format!("run `cargo install bpf-linker --version {BPF_LINKER} --locked` and read what it says");
    let purpose = Purpose { what: "installing bpf-linker", by_hand: &by_hand };
    let mut cargo = Command::new("cargo");
    process::show(cargo.args(["install", "bpf-linker", "--version", BPF_LINKER, "--locked", "--force"]), purpose)?;
    let found = paths::find_program("bpf-linker");
    found.map(drop).context("bpf-linker was installed, but is not found; add cargo's bin folder (~/.cargo/bin) to PATH")
}

fn is_bpf_linker(said: &str) -> bool {
    said.split_whitespace().nth(1) == Some(BPF_LINKER)
}

/// Debian packages, with one update of the lists before the first that is missing.
#[derive(Default)]
struct Apt {
    updated: bool,
}

impl Apt {
    fn ensure(&mut self, package: &str, present: bool, voice: Verbosity) -> Result<()> {
        tell(package, present, voice);
        if present {
            return Ok(());
        }
        let by_hand =
            format!("as root, run `apt-get update && apt-get install {package}`, or your distribution's equal");
        let what = format!("installing {package}");
        let purpose = Purpose { what: &what, by_hand: &by_hand };
        if !self.updated {
            // A source that fails may be one we do not need: the installation decides.
            if let Err(error) = process::read(&mut as_root(&["apt-get", "--quiet", "update"]), purpose) {
                eprintln!("warning: {error}");
            }
            self.updated = true;
        }
        process::read(
            &mut as_root(&["apt-get", "--quiet", "install", "--yes", "--no-install-recommends", package]),
            purpose,
        )
        .map(drop)
    }
}

/// `words` as a command of root's; the variable keeps dpkg from asking questions.
fn as_root(words: &[&str]) -> Command {
    let root = rustix::process::geteuid().is_root();
    let mut command = Command::new(if root { "env" } else { "sudo" });
    command.arg("DEBIAN_FRONTEND=noninteractive").args(words);
    command
}

/// The text of rust-toolchain.toml.
fn toolchain_file() -> Result<String> {
    let file = Path::new("rust-toolchain.toml");
    fs::read_to_string(paths::workspace().join(file)).with_context(|| format!("cannot read {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_bpf_linker_is_not_ours() {
        assert!(is_bpf_linker("bpf-linker 0.10.3\n"));
        assert!(!is_bpf_linker("bpf-linker 0.13.0\n"));
        assert!(!is_bpf_linker(""));
    }
}
