//! Processor families of guests, and what differs between them.

use std::fmt;

/// A processor family.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Arch {
    /// x86-64
    #[default]
    #[value(name = "x86_64", alias = "amd64")]
    X86_64,
    /// arm64, emulated wherever it runs
    #[value(name = "arm64", alias = "aarch64")]
    Arm64,
}

impl Arch {
    /// All, in the order of every list.
    pub const ALL: [Self; 2] = [Self::X86_64, Self::Arm64];

    /// The one that this program was built for.
    ///
    /// # Errors
    /// When it is neither.
    pub fn of_this_machine() -> anyhow::Result<Self> {
        match std::env::consts::ARCH {
            "x86_64" => Ok(Self::X86_64),
            "aarch64" => Ok(Self::Arm64),
            other => anyhow::bail!("observer does not run on {other}: build it on x86-64 or arm64"),
        }
    }

    /// As it is written in every output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::X86_64 => "x86-64",
            Self::Arm64 => "arm64",
        }
    }

    /// As Debian calls it.
    pub const fn debian(self) -> &'static str {
        match self {
            Self::X86_64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }

    /// Target of everything that runs in a guest: static, because an initramfs has no libraries.
    pub const fn target(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64-unknown-linux-musl",
            Self::Arm64 => "aarch64-unknown-linux-musl",
        }
    }

    /// The emulator.
    pub const fn emulator(self) -> &'static str {
        match self {
            Self::X86_64 => "qemu-system-x86_64",
            Self::Arm64 => "qemu-system-aarch64",
        }
    }

    /// The guest's console, then the ports of the command's output, its errors, and the report. arm64's machine has one
    /// port of its own; the others are on its PCI bus.
    pub const fn ports(self) -> [&'static str; 4] {
        match self {
            Self::X86_64 => ["ttyS0", "ttyS1", "ttyS2", "ttyS3"],
            Self::Arm64 => ["ttyAMA0", "ttyS0", "ttyS1", "ttyS2"],
        }
    }

    /// The subfolder in which kernels of this family are kept; x86-64's lie at the top.
    pub const fn folder(self) -> Option<&'static str> {
        match self {
            Self::X86_64 => None,
            Self::Arm64 => Some("arm64"),
        }
    }

    /// Put behind a release in names of tests, for all but x86-64.
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::X86_64 => "",
            Self::Arm64 => " arm64",
        }
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
