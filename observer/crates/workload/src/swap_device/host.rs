//! Checks of the host before anything is changed.

use std::{fs, path::Path};

use observer_kernel::{
    swaps::{self, SWAPS, SwapLine},
    tree::read_text,
};
use observer_text::joined;

use crate::{Result, WorkloadError};

/// Left to the host on top of what the workload needs.
const HEADROOM_KIB: u64 = 32 * 1024;
const MEMINFO: &str = "/proc/meminfo";

/// `MemAvailable` of `/proc/meminfo`, in KiB.
fn parse_available(text: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    rest.split_whitespace().next()?.parse().ok()
}

/// Memory for `slots` slots: each page may be in memory and, badly compressed, in zram as well.
fn needed_kib(slots: u32, page_size: usize) -> u64 {
    let page_kib = page_size as u64 / 1024;
    u64::from(slots).saturating_mul(2 * page_kib).saturating_add(HEADROOM_KIB)
}

/// The swap areas in use.
pub(super) fn swap_areas() -> Result<Vec<SwapLine>> {
    let list = fs::read(SWAPS).map_err(|e| WorkloadError::io(format!("read {SWAPS}"), e))?;
    Ok(swaps::parse(&list)?)
}

/// An error if this host cannot run a workload on a device of `slots` slots; changes nothing.
pub(super) fn check(slots: u32, allow_other_swap: bool) -> Result<()> {
    check_root(rustix::process::geteuid().as_raw())?;
    check_swap(&swap_areas()?, allow_other_swap)?;
    let meminfo = read(MEMINFO)?;
    let have = parse_available(&meminfo).ok_or_else(|| WorkloadError::format(MEMINFO, &meminfo))?;
    check_memory(needed_kib(slots, rustix::param::page_size()), have)
}

fn check_root(uid: u32) -> Result<()> {
    if uid == 0 { Ok(()) } else { Err(WorkloadError::NotRoot { uid }) }
}

fn check_swap(areas: &[SwapLine], allow: bool) -> Result<()> {
    if allow || areas.is_empty() {
        return Ok(());
    }
    let areas = areas.iter().map(|area| &area.path);
    Err(WorkloadError::OtherSwap { areas: joined(areas, ", ") })
}

fn check_memory(need_kib: u64, have_kib: u64) -> Result<()> {
    if have_kib >= need_kib { Ok(()) } else { Err(WorkloadError::TooLittleMemory { need_kib, have_kib }) }
}

fn read(path: &str) -> Result<String> {
    read_text(Path::new(path)).map_err(|e| WorkloadError::io(format!("read {path}"), e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_swap_is_refused_by_path_unless_allowed() {
        let text = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n\
                    /dev/zram0                              partition\t316\t\t312\t\t32767\n\
                    /swap\\040file                           file\t\t1048572\t\t0\t\t-2\n";
        let areas = swaps::parse(text.as_bytes()).unwrap();
        let error = check_swap(&areas, false).unwrap_err().to_string();
        assert!(error.contains("/dev/zram0, /swap file"), "{error}");
        assert!(check_swap(&areas, true).is_ok());
        assert!(check_swap(&[], false).is_ok());
    }

    #[test]
    fn a_user_other_than_root_is_refused() {
        assert!(check_root(0).is_ok());
        assert!(check_root(1000).unwrap_err().to_string().contains("1000"));
    }

    #[test]
    fn available_memory_is_mem_available() {
        let text = "MemTotal:        8000000 kB\nMemFree:   100 kB\nMemAvailable:    4000000 kB\n";
        assert_eq!(parse_available(text), Some(4_000_000));
        assert_eq!(parse_available("MemTotal: 1 kB\n"), None);
    }

    #[test]
    fn a_slot_needs_two_pages() {
        assert_eq!(needed_kib(79, 4096), 79 * 8 + HEADROOM_KIB);
        assert!(check_memory(100, 99).is_err());
        assert!(check_memory(100, 100).is_ok());
    }
}
