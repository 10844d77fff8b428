//! The kernel's own counts of swapped pages, from `/proc/vmstat`: an independent check of what the observer counts.

use std::io;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::tree::Tree;

/// Where the running kernel shows its counters.
pub const VMSTAT: &str = "/proc/vmstat";

/// Why the counters are not known.
#[derive(Debug, Error)]
pub enum VmstatError {
    #[error("cannot read {VMSTAT}")]
    Read(#[from] io::Error),
    /// A counter that every kernel with swap has is missing: `CONFIG_SWAP` or `CONFIG_VM_EVENT_COUNTERS` is off.
    #[error("{VMSTAT} has no counter {0}")]
    Missing(&'static str),
}

/// Pages since boot, over all swap areas.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vmstat {
    /// Pages read from a swap area, readahead included.
    pub pswpin: u64,
    /// Pages written to a swap area.
    pub pswpout: u64,
    /// Zero-filled pages swapped in without a read; not in `pswpin`. `None` before 6.12.
    pub swpin_zero: Option<u64>,
    /// Zero-filled pages swapped out without a write; not in `pswpout`. `None` before 6.12.
    pub swpout_zero: Option<u64>,
    /// Pages swapped in from zswap; not in `pswpin`. `None` if zswap is not built in.
    pub zswpin: Option<u64>,
    /// Pages swapped out to zswap; not in `pswpout`. `None` if zswap is not built in.
    #[serde(default)]
    pub zswpout: Option<u64>,
    /// Pages that zswap wrote back to a device: in `pswpout`, and already counted in `zswpout`. `None` if zswap is not
    /// built in.
    #[serde(default)]
    pub zswpwb: Option<u64>,
}

impl Vmstat {
    /// Pages swapped in since `before`, from any source: the observer's count of reads must equal it.
    pub fn swapped_in_since(&self, before: &Self) -> u64 {
        self.pswpin.saturating_sub(before.pswpin)
            + more(self.swpin_zero, before.swpin_zero)
            + more(self.zswpin, before.zswpin)
    }

    /// Pages swapped out since `before`, each once: the observer's count of writes must equal it.
    pub fn swapped_out_since(&self, before: &Self) -> u64 {
        let all = self.pswpout.saturating_sub(before.pswpout)
            + more(self.swpout_zero, before.swpout_zero)
            + more(self.zswpout, before.zswpout);
        all.saturating_sub(more(self.zswpwb, before.zswpwb))
    }

    /// Reads the counters from the text of `/proc/vmstat`; other lines are skipped.
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
            zswpout: counter("zswpout"),
            zswpwb: counter("zswpwb"),
        })
    }

    pub fn now() -> Result<Self, VmstatError> {
        Self::gather(&Tree::system())
    }

    pub fn gather(tree: &Tree) -> Result<Self, VmstatError> {
        Self::parse(&tree.read(VMSTAT)?)
    }
}

/// The growth of a counter that some kernels lack.
fn more(after: Option<u64>, before: Option<u64>) -> u64 {
    after.zip(before).map_or(0, |(after, before)| after.saturating_sub(before))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    #[test]
    fn counters_of_real_kernels_are_read() {
        let old = Vmstat::parse(&fixtures::text("5.10.223", "vmstat")).unwrap();
        assert_eq!((old.swpin_zero, old.zswpin), (None, None));
        let new = Vmstat::parse(&fixtures::text("7.0.13", "vmstat")).unwrap();
        assert_eq!((new.pswpin, new.swpin_zero, new.zswpin), (0, Some(0), Some(0)));
    }

    #[test]
    fn a_page_in_zswap_counts_once() {
        let at = |text: &str| Vmstat::parse(text).unwrap();
        let before = at("pswpin 10\npswpout 20\nswpin_zero 1\nswpout_zero 1\nzswpin 5\nzswpout 5\nzswpwb 0\n");
        let after = at("pswpin 13\npswpout 24\nswpin_zero 2\nswpout_zero 1\nzswpin 7\nzswpout 15\nzswpwb 3\n");
        assert_eq!((after.swapped_in_since(&before), after.swapped_out_since(&before)), (6, 11));
        let old = at("pswpin 1\npswpout 2\n");
        assert_eq!((old.swapped_in_since(&old), old.swapped_out_since(&old)), (0, 0));
    }

    #[test]
    fn only_whole_names_match() {
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
