//! Installs what a task needs. Each check reads files or runs one quick program, so every task can check at its start.

mod toolchain;

use std::{fs, path::Path, process::Command};

use anyhow::{Context as _, Result};

use crate::{
    arch::Arch,
    paths,
    process::{self, Purpose},
    vm::busybox,
};

/// The version that reads the bitcode of this compiler; see docs/decisions/toolchain.md.
const BPF_LINKER: Crate = Crate { name: "bpf-linker", program: "bpf-linker", version: "0.10.3", options: &[] };

/// Built without optimisation, which takes less than half the time.
const CARGO_DENY: Crate = Crate {
    name: "cargo-deny",
    program: "cargo-deny",
    version: "0.20.2",
    options: &["--no-default-features", "--debug"],
};

/// Built without optimisation, like [`CARGO_DENY`].
const TYPOS: Crate = Crate { name: "typos-cli", program: "typos", version: "1.52.0", options: &["--debug"] };

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// The components and targets of rust-toolchain.toml.
    Toolchain,
    /// bpf-linker, which links the eBPF programs.
    BpfLinker,
    /// cargo-deny, which checks dependencies.
    CargoDeny,
    /// typos, which checks spelling.
    Typos,
    /// QEMU for x86-64.
    Qemu,
    /// QEMU for arm64.
    QemuArm,
    /// A static busybox, the user space of guests.
    Busybox,
    /// xz, to decompress kernel modules.
    Xz,
    /// Python with the module venv.
    Python,
    Prometheus,
    Chromium,
    /// Node.js, which runs Perfetto's trace processor.
    Node,
    /// A package that builds kernels, and a program or header in it.
    KernelBuild(&'static str, &'static str),
}

pub(crate) const BUILD: &[Need] = &[Need::Toolchain, Need::BpfLinker];

pub(crate) const CHECKS: &[Need] = &[Need::CargoDeny, Need::Typos];

pub(crate) const EXPORTS: &[Need] = &[Need::Python, Need::Prometheus, Need::Chromium, Need::Node];

/// What the build of a kernel needs. pahole makes its BTF.
pub(crate) const KERNEL_BUILDS: &[Need] = &[
    Need::KernelBuild("gcc", "gcc"),
    Need::KernelBuild("make", "make"),
    Need::KernelBuild("binutils", "objcopy"),
    Need::KernelBuild("dwarves", "pahole"),
    Need::KernelBuild("flex", "flex"),
    Need::KernelBuild("bison", "bison"),
    Need::KernelBuild("bc", "bc"),
    Need::KernelBuild("kmod", "depmod"),
    Need::KernelBuild("cpio", "cpio"),
    Need::KernelBuild("libelf-dev", "/usr/include/gelf.h"),
    Need::KernelBuild("libssl-dev", "/usr/include/openssl/ssl.h"),
    Need::Xz,
];

pub(crate) const GUESTS: &[Need] = &[Need::Qemu, Need::Busybox, Need::Xz];

pub(crate) const fn guests(arch: Arch) -> &'static [Need] {
    match arch {
        Arch::X86_64 => GUESTS,
        Arch::Arm64 => &[Need::QemuArm, Need::Xz],
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verbosity {
    /// A line for everything, installed or not.
    All,
    /// A line for everything that is installed now.
    Changes,
}

/// Installs what is missing of `needs`, in this order.
pub(crate) fn ensure(needs: &[Need], verbosity: Verbosity) -> Result<()> {
    let mut apt = Apt::default();
    for need in needs {
        match need {
            Need::Toolchain => toolchain::ensure(verbosity)?,
            Need::BpfLinker => BPF_LINKER.ensure(verbosity)?,
            Need::CargoDeny => CARGO_DENY.ensure(verbosity)?,
            Need::Typos => TYPOS.ensure(verbosity)?,
            Need::Qemu => apt.ensure("qemu-system-x86", has_emulator(Arch::X86_64), verbosity)?,
            Need::QemuArm => apt.ensure("qemu-system-arm", has_emulator(Arch::Arm64), verbosity)?,
            Need::Busybox => apt.ensure("busybox-static", busybox::installed().is_some(), verbosity)?,
            Need::Xz => apt.ensure("xz-utils", paths::find_program("xz").is_some(), verbosity)?,
            Need::Python => apt.ensure("python3-venv", has_venv(), verbosity)?,
            Need::Prometheus => apt.ensure("prometheus", paths::find_program("promtool").is_some(), verbosity)?,
            Need::KernelBuild(package, file) => apt.ensure(package, has(file), verbosity)?,
            Need::Chromium => apt.ensure("chromium", paths::find_program("chromium").is_some(), verbosity)?,
            Need::Node => apt.ensure("nodejs", paths::find_program("node").is_some(), verbosity)?,
        }
    }
    Ok(())
}

/// Whether the file is there, or the program if it is no path.
fn has(file: &str) -> bool {
    if file.contains('/') { Path::new(file).exists() } else { paths::find_program(file).is_some() }
}

/// Debian has the module that makes environments in a separate package.
fn has_venv() -> bool {
    Command::new("python3").args(["-c", "import ensurepip"]).output().is_ok_and(|output| output.status.success())
}

fn has_emulator(arch: Arch) -> bool {
    paths::find_program(arch.emulator()).is_some()
}

fn show(what: &str, present: bool, verbosity: Verbosity) {
    match (present, verbosity) {
        (true, Verbosity::All) => eprintln!("ok          {what}"),
        (true, Verbosity::Changes) => {}
        (false, _) => eprintln!("installing  {what}"),
    }
}

/// A program that is installed with `cargo install`.
struct Crate {
    name: &'static str,
    program: &'static str,
    version: &'static str,
    /// Of `cargo install`.
    options: &'static [&'static str],
}

impl Crate {
    fn ensure(&self, verbosity: Verbosity) -> Result<()> {
        let Self { name, program, version, options } = self;
        let output = Command::new(program).arg("--version").output();
        let present = output.is_ok_and(|output| self.is_version(&String::from_utf8_lossy(&output.stdout)));
        show(&format!("{name} {version}"), present, verbosity);
        if present {
            return Ok(());
        }
        let by_hand = format!("run `cargo install {name} --version {version} --locked` and read its output");
        let purpose = Purpose { what: &format!("installing {name}"), by_hand: &by_hand };
        let mut cargo = Command::new("cargo");
        cargo.args(["install", name, "--version", version, "--locked", "--force"]).args(*options);
        process::show(&mut cargo, purpose)?;
        paths::find_program(program).map(drop).with_context(|| {
            format!("{program} was installed but is not in PATH; add cargo's bin folder (~/.cargo/bin) to it")
        })
    }

    /// Whether `output`, of `--version`, is `PROGRAM VERSION`.
    fn is_version(&self, output: &str) -> bool {
        output.split_whitespace().nth(1) == Some(self.version)
    }
}

/// Installs Debian packages. The package lists are updated once, before the first installation.
#[derive(Default)]
struct Apt {
    updated: bool,
}

impl Apt {
    fn ensure(&mut self, package: &str, present: bool, verbosity: Verbosity) -> Result<()> {
        show(package, present, verbosity);
        if present {
            return Ok(());
        }
        let by_hand = format!(
            "as root, run `apt-get update && apt-get install {package}`, or the equivalent of your distribution"
        );
        let what = format!("installing {package}");
        let purpose = Purpose { what: &what, by_hand: &by_hand };
        if !self.updated {
            // The source that fails may not be needed: the installation decides.
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

/// `words` as a command run by root. The variable stops dpkg from asking questions.
fn as_root(words: &[&str]) -> Command {
    let root = rustix::process::geteuid().is_root();
    let mut command = Command::new(if root { "env" } else { "sudo" });
    command.arg("DEBIAN_FRONTEND=noninteractive").args(words);
    command
}

fn toolchain_file() -> Result<String> {
    let file = Path::new("rust-toolchain.toml");
    fs::read_to_string(paths::workspace().join(file)).with_context(|| format!("cannot read {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_pinned_version_of_a_crate_is_accepted() {
        assert!(BPF_LINKER.is_version("bpf-linker 0.10.3\n"));
        assert!(!BPF_LINKER.is_version("bpf-linker 0.13.0\n"));
        assert!(!BPF_LINKER.is_version(""));
    }
}
