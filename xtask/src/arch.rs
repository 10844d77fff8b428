//! Processor families of guests and the differences between them.

use std::fmt;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Arch {
    /// x86-64
    #[default]
    #[value(name = "x86_64", alias = "amd64")]
    X86_64,
    /// arm64, emulated on other machines
    #[value(name = "arm64", alias = "aarch64")]
    Arm64,
}

impl Arch {
    /// All, in the order of every list.
    pub(crate) const ALL: [Self; 2] = [Self::X86_64, Self::Arm64];

    pub(crate) fn of_this_machine() -> anyhow::Result<Self> {
        match std::env::consts::ARCH {
            "x86_64" => Ok(Self::X86_64),
            "aarch64" => Ok(Self::Arm64),
            other => anyhow::bail!("observer does not support {other}; build it on x86-64 or arm64"),
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::X86_64 => "x86-64",
            Self::Arm64 => "arm64",
        }
    }

    pub(crate) const fn debian(self) -> &'static str {
        match self {
            Self::X86_64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }

    /// Rust target of programs for guests: static, because an initramfs has no libraries.
    pub(crate) const fn target(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64-unknown-linux-musl",
            Self::Arm64 => "aarch64-unknown-linux-musl",
        }
    }

    pub(crate) const fn emulator(self) -> &'static str {
        match self {
            Self::X86_64 => "qemu-system-x86_64",
            Self::Arm64 => "qemu-system-aarch64",
        }
    }

    /// The guest's ports: console, command output, command errors, report. The arm64 machine has one built-in port; the
    /// others are on its PCI bus.
    pub(crate) const fn ports(self) -> [&'static str; 4] {
        match self {
            Self::X86_64 => ["ttyS0", "ttyS1", "ttyS2", "ttyS3"],
            Self::Arm64 => ["ttyAMA0", "ttyS0", "ttyS1", "ttyS2"],
        }
    }

    /// The subfolder for kernels of this family; None: the top folder.
    pub(crate) const fn folder(self) -> Option<&'static str> {
        match self {
            Self::X86_64 => None,
            Self::Arm64 => Some("arm64"),
        }
    }

    /// Appended to the kernel release in names of tests.
    pub(crate) const fn suffix(self) -> &'static str {
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
