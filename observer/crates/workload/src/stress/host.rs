//! What the host looks like before anything is changed: pure readings of `/proc`, and the checks on them.

use super::{Result, StressError};

/// Left to the host on top of what the workload holds, in KiB.
const HEADROOM_KIB: u64 = 32 * 1024;

/// One line of `/proc/swaps`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SwapArea {
    /// Path of the device or file, as the kernel names it.
    pub(super) path: String,
    /// In use, in KiB.
    pub(super) used_kib: u64,
}

/// Reads the table of `/proc/swaps`; a line that does not look like an area is skipped.
pub(super) fn parse_swaps(text: &str) -> Vec<SwapArea> {
    text.lines().skip(1).filter_map(parse_swap_line).collect()
}

fn parse_swap_line(line: &str) -> Option<SwapArea> {
    // Blanks in a path are printed as \040, so white space separates columns: path, kind, size, used, priority.
    let mut columns = line.split_whitespace();
    let path = columns.next()?.to_owned();
    Some(SwapArea { path, used_kib: columns.nth(2)?.parse().ok()? })
}

/// `MemAvailable` of `/proc/meminfo`, in KiB.
pub(super) fn parse_available(text: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    rest.split_whitespace().next()?.parse().ok()
}

/// The number of reads that a block device has served, from its `stat` file in sysfs.
pub(super) fn parse_reads(stat: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(stat).ok()?;
    text.split_ascii_whitespace().next()?.parse().ok()
}

/// Memory wanted for `slots` slots, in KiB: each page may be in memory and, badly compressed, in zram too.
pub(super) fn needed_kib(slots: u32, page_size: usize) -> u64 {
    let page_kib = page_size as u64 / 1024;
    u64::from(slots).saturating_mul(2 * page_kib).saturating_add(HEADROOM_KIB)
}

/// The swap areas that are on.
pub(super) fn swap_areas() -> Result<Vec<SwapArea>> {
    Ok(parse_swaps(&read("/proc/swaps")?))
}

/// Refuses a host that cannot carry the workload; changes nothing.
pub(super) fn check(slots: u32, allow_other_swap: bool) -> Result<()> {
    check_root(rustix::process::geteuid().as_raw())?;
    check_swap(&swap_areas()?, allow_other_swap)?;
    let meminfo = read("/proc/meminfo")?;
    let have = parse_available(&meminfo).ok_or_else(|| StressError::format("/proc/meminfo", &meminfo))?;
    check_memory(needed_kib(slots, rustix::param::page_size()), have)
}

fn check_root(uid: u32) -> Result<()> {
    if uid == 0 { Ok(()) } else { Err(StressError::NotRoot { uid }) }
}

fn check_swap(areas: &[SwapArea], allow: bool) -> Result<()> {
    if allow || areas.is_empty() {
        return Ok(());
    }
    let paths: Vec<&str> = areas.iter().map(|area| area.path.as_str()).collect();
    Err(StressError::OtherSwap { areas: paths.join(", ") })
}

fn check_memory(need_kib: u64, have_kib: u64) -> Result<()> {
    if have_kib >= need_kib { Ok(()) } else { Err(StressError::TooLittleMemory { need_kib, have_kib }) }
}

fn read(path: &str) -> Result<String> {
    std::fs::read_to_string(path).map_err(|e| StressError::io(format!("read {path}"), e))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SWAPS: &str = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n\
                         /dev/zram0                              partition\t316\t\t312\t\t32767\n\
                         /swap\\040file                           file\t\t1048572\t\t0\t\t-2\n";

    #[test]
    fn areas_are_read_with_what_is_used() {
        let areas = parse_swaps(SWAPS);
        assert_eq!(areas.len(), 2);
        assert_eq!(areas[0], SwapArea { path: "/dev/zram0".into(), used_kib: 312 });
        assert_eq!(areas[1].path, "/swap\\040file");
    }

    #[test]
    fn no_swap_is_a_headline_only() {
        assert!(parse_swaps("Filename Type Size Used Priority\n").is_empty());
        assert!(parse_swaps("").is_empty());
    }

    #[test]
    fn other_swap_is_refused_by_name_unless_allowed() {
        let areas = parse_swaps(SWAPS);
        let error = check_swap(&areas, false).unwrap_err().to_string();
        assert!(error.contains("/dev/zram0, /swap"), "{error}");
        assert!(check_swap(&areas, true).is_ok());
        assert!(check_swap(&[], false).is_ok());
    }

    #[test]
    fn only_root_may() {
        assert!(check_root(0).is_ok());
        assert!(check_root(1000).unwrap_err().to_string().contains("1000"));
    }

    #[test]
    fn memory_is_taken_from_mem_available() {
        let text = "MemTotal:        8000000 kB\nMemFree:   100 kB\nMemAvailable:    4000000 kB\n";
        assert_eq!(parse_available(text), Some(4_000_000));
        assert_eq!(parse_available("MemTotal: 1 kB\n"), None);
    }

    #[test]
    fn a_slot_counts_twice_plus_headroom() {
        assert_eq!(needed_kib(79, 4096), 79 * 8 + HEADROOM_KIB);
        assert!(check_memory(100, 99).is_err());
        assert!(check_memory(100, 100).is_ok());
    }

    #[test]
    fn reads_are_the_first_number_of_stat() {
        assert_eq!(parse_reads(b"      12        0       96        0        3\n"), Some(12));
        assert_eq!(parse_reads(b""), None);
    }
}
