//! The kernel's own counts of pages swapped, from `/proc/vmstat`: the witness for what the observer counts.

use std::{fs, io};

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Where the running kernel shows its counters.
pub const VMSTAT: &str = "/proc/vmstat";

/// Why the counters are not known.
#[derive(Debug, Error)]
pub enum VmstatError {
    /// The file could not be read.
    #[error("cannot read {VMSTAT}: {0}")]
    Read(#[from] io::Error),
    /// A counter that every kernel with swap has is missing: `CONFIG_SWAP` or `CONFIG_VM_EVENT_COUNTERS` is off.
    #[error("{VMSTAT} has no counter {0}")]
    Missing(&'static str),
}

/// Pages since boot, over all swap areas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vmstat {
    /// Pages read from a swap area, readahead included.
    pub pswpin: u64,
    /// Pages written to a swap area.
    pub pswpout: u64,
    /// Zero-filled pages that came back without a read; not in `pswpin`. `None` before 6.12.
    pub swpin_zero: Option<u64>,
    /// Zero-filled pages that went out without a write; not in `pswpout`. `None` before 6.12.
    pub swpout_zero: Option<u64>,
    /// Pages that came back from zswap; not in `pswpin`. `None` if zswap is not built in.
    pub zswpin: Option<u64>,
}

impl Vmstat {
    /// Reads the counters from the text of `/proc/vmstat`; lines it does not know are passed over.
    pub fn parse(text: &str) -> Result<Self, VmstatError> {
        let counter = |name: &str| {
            text.lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))
                .and_then(|value| value.trim().parse().ok())
        };
        Ok(Self {
            pswpin: counter("pswpin").ok_or(VmstatError::Missing("pswpin"))?,
            pswpout: counter("pswpout").ok_or(VmstatError::Missing("pswpout"))?,
            swpin_zero: counter("swpin_zero"),
            swpout_zero: counter("swpout_zero"),
            zswpin: counter("zswpin"),
        })
    }

    /// Reads the running kernel's counters.
    pub fn now() -> Result<Self, VmstatError> {
        Self::parse(&fs::read_to_string(VMSTAT)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fixtures;

    #[test]
    fn counters_of_real_kernels() {
        let old = Vmstat::parse(&fixtures::text("5.10.223", "vmstat")).unwrap();
        assert_eq!((old.swpin_zero, old.zswpin), (None, None));
        let new = Vmstat::parse(&fixtures::text("7.0.13", "vmstat")).unwrap();
        assert_eq!((new.pswpin, new.swpin_zero, new.zswpin), (0, Some(0), Some(0)));
    }

    #[test]
    fn names_are_matched_whole() {
        let text = "ksm_swpin_copy 9\npswpin_other 8\npswpin 7\npswpout 18446744073709551615\n";
        let vmstat = Vmstat::parse(text).unwrap();
        assert_eq!((vmstat.pswpin, vmstat.pswpout, vmstat.swpin_zero), (7, u64::MAX, None));
    }

    #[test]
    fn a_kernel_without_swap_is_an_error() {
        assert!(matches!(Vmstat::parse("nr_free_pages 1\n"), Err(VmstatError::Missing("pswpin"))));
        assert!(matches!(Vmstat::parse("pswpin x\npswpout 1\n"), Err(VmstatError::Missing("pswpin"))));
    }
}
