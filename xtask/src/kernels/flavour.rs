//! Flavours of Debian's kernels: one source, several configurations.

use crate::arch::Arch;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flavour {
    /// Without drivers that only real machines have. The default.
    Cloud,
    /// With the drivers of real machines.
    Generic,
    /// `PREEMPT_RT`.
    RealTime,
    /// Pages of 16 KiB (arm64).
    Pages16K,
}

impl Flavour {
    /// The end of package names.
    pub(crate) fn debian(self, arch: Arch) -> String {
        let arch = arch.debian();
        match self {
            Self::Cloud => format!("cloud-{arch}"),
            Self::Generic => arch.to_owned(),
            Self::RealTime => format!("rt-{arch}"),
            Self::Pages16K => format!("{arch}-16k"),
        }
    }

    /// The end of release names: "-rt". Empty for the default.
    pub(crate) const fn suffix(self) -> &'static str {
        match self {
            Self::Cloud => "",
            Self::Generic => "-generic",
            Self::RealTime => "-rt",
            Self::Pages16K => "-16k",
        }
    }
}
