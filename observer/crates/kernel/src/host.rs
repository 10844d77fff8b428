//! The kernel's release and the switches that tracing depends on.

use observer_text::Name;
use rustix::time::{ClockId, Timespec, clock_getres};
use serde::Serialize;

use super::{
    btf,
    cgroups::Cgroups,
    preemption::Preemption,
    privileges::Lockdown,
    tree::{Tree, lines},
};

/// A kernel release. Hooks are never chosen by release, because distributions backport; it decides only what leaves no
/// other trace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Release {
    /// As `uname -r` prints it: `6.12.117+deb13-cloud-amd64`.
    pub text: String,
    /// Major and minor number, if the text starts with them.
    pub version: Option<(u32, u32)>,
}

impl Release {
    pub fn parse(text: &str) -> Self {
        let mut numbers = text.split(|c: char| !c.is_ascii_digit()).map(str::parse);
        let version = match (numbers.next(), numbers.next()) {
            (Some(Ok(major)), Some(Ok(minor))) => Some((major, minor)),
            _ => None,
        };
        Self { text: text.to_owned(), version }
    }
}

/// The kernel and its tracing facilities. `None` in a field: the file is missing or unreadable, so the kernel lacks the
/// facility or does not show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Host {
    pub release: Release,
    /// The machine as `uname -m` prints it: `x86_64`, `aarch64`.
    pub arch: String,
    /// The length of a timer tick in nanoseconds (1e9 / `CONFIG_HZ`): the shortest sleep of a task that finds the entry
    /// pinned.
    pub tick_ns: Option<u64>,
    pub preemption: Preemption,
    pub cgroups: Cgroups,
    pub lockdown: Lockdown,
    /// Whether [`btf::VMLINUX`] exists.
    pub btf_shown: bool,
    /// The type number of the kprobe performance unit; `None`: no kprobes through perf (`CONFIG_KPROBE_EVENTS` is off).
    pub kprobe_pmu: Option<u32>,
    /// Whether kprobes are armed (debugfs `kprobes/enabled`); `None` if debugfs is not mounted.
    pub kprobes_armed: Option<bool>,
    /// `kernel.ftrace_enabled`; if off, fentry and most kprobes cannot attach.
    pub ftrace_enabled: Option<bool>,
    /// `net.core.bpf_jit_enable`: 0 means no trampolines, so no fentry. Only root of the first namespace can read it.
    pub bpf_jit: Option<u32>,
    /// The mount point of tracefs.
    pub tracefs: Option<Name>,
    /// `kernel.perf_event_paranoid`; matters only without `CAP_PERFMON`. `None`: the kernel has no perf events.
    pub perf_event_paranoid: Option<i32>,
    /// `kernel.kptr_restrict`: 2 hides addresses even from root.
    pub kptr_restrict: Option<u32>,
    /// `kernel.unprivileged_bpf_disabled`; matters only without `CAP_BPF`.
    pub unprivileged_bpf_disabled: Option<u32>,
    /// Whether userfaultfd can write-protect pages: on arm64 the layout of swap PTEs depends on it.
    pub uffd_wp: Option<bool>,
}

impl Host {
    pub fn gather(tree: &Tree) -> Self {
        let uname = rustix::system::uname();
        Self {
            release: Release::parse(&uname.release().to_string_lossy()),
            arch: uname.machine().to_string_lossy().into_owned(),
            tick_ns: tick_ns(clock_getres(ClockId::MonotonicCoarse)),
            preemption: Preemption::gather(tree),
            cgroups: Cgroups::gather(tree),
            lockdown: Lockdown::gather(tree),
            btf_shown: tree.exists(btf::VMLINUX),
            kprobe_pmu: tree.number("/sys/bus/event_source/devices/kprobe/type"),
            kprobes_armed: tree.switch("/sys/kernel/debug/kprobes/enabled"),
            ftrace_enabled: tree.switch("/proc/sys/kernel/ftrace_enabled"),
            bpf_jit: tree.number("/proc/sys/net/core/bpf_jit_enable"),
            tracefs: tree.bytes("/proc/mounts").ok().and_then(|mounts| mount_point(&mounts, "tracefs")),
            perf_event_paranoid: tree.number("/proc/sys/kernel/perf_event_paranoid"),
            kptr_restrict: tree.number("/proc/sys/kernel/kptr_restrict"),
            unprivileged_bpf_disabled: tree.number("/proc/sys/kernel/unprivileged_bpf_disabled"),
            uffd_wp: super::uffd::write_protects(),
        }
    }
}

/// The coarse clocks advance once a tick, so their resolution is its length. Every process can read it, unlike the
/// kernel's configuration.
fn tick_ns(resolution: Timespec) -> Option<u64> {
    let seconds = u64::try_from(resolution.tv_sec).ok()?;
    let nanos = u64::try_from(resolution.tv_nsec).ok()?;
    seconds.checked_mul(1_000_000_000)?.checked_add(nanos).filter(|&ns| ns > 0)
}

/// The first place where a file system of this type is mounted, from the content of `/proc/mounts`. Paths in it can hold
/// any byte; the kernel escapes white space and backslashes.
pub fn mount_point(mounts: &[u8], fs_type: &str) -> Option<Name> {
    lines(mounts).find_map(|line| {
        let mut fields = line.split(|byte| *byte == b' ');
        let (_, place, found) = (fields.next()?, fields.next()?, fields.next()?);
        (found == fs_type.as_bytes()).then(|| unescape(place).into())
    })
}

/// Undoes the kernel's escapes in lists of paths: `\040` for a space, and others for tab, newline and backslash.
pub(super) fn unescape(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, tail)) = rest.split_first() {
        if let Some(code) = octal(rest) {
            out.push(code);
            rest = rest.get(4..).unwrap_or_default();
        } else {
            out.push(byte);
            rest = tail;
        }
    }
    out
}

/// The byte that an escape at the start of `text` stands for; `None` if there is none.
fn octal(text: &[u8]) -> Option<u8> {
    let (b'\\', digits) = text.split_first()? else { return None };
    let digits = std::str::from_utf8(digits.get(..3)?).ok()?;
    u8::from_str_radix(digits, 8).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::TempTree;

    #[test]
    fn a_release_starts_with_the_numbers_of_its_branch() {
        let version = |text| Release::parse(text).version;
        assert_eq!(version("6.12.117+deb13-cloud-amd64"), Some((6, 12)));
        assert_eq!(version("5.10.0-32-cloud-amd64"), Some((5, 10)));
        assert_eq!(version("7.0-rc3"), Some((7, 0)));
        for odd in ["", "7", "custom-6.1", "6.", ".1", "99999999999.1"] {
            assert_eq!(version(odd), None, "{odd:?}");
        }
    }

    #[test]
    fn a_tick_is_the_resolution_of_the_coarse_clock() {
        assert_eq!(tick_ns(Timespec { tv_sec: 0, tv_nsec: 4_000_000 }), Some(4_000_000));
        assert_eq!(tick_ns(Timespec { tv_sec: 1, tv_nsec: 1 }), Some(1_000_000_001));
        assert_eq!(tick_ns(Timespec { tv_sec: 0, tv_nsec: 0 }), None);
        assert_eq!(tick_ns(Timespec { tv_sec: -1, tv_nsec: 0 }), None);
    }

    #[test]
    fn escapes_in_paths_are_undone() {
        for (escaped, bytes) in [
            (&br"/a\040b\134\011c"[..], &b"/a b\\\tc"[..]),
            (b"/plain", b"/plain"),
            (br"/end\04", br"/end\04"),
            (br"/odd\999\x", br"/odd\999\x"),
            // No byte.
            (br"\777", br"\777"),
            (b"/\xe9\\040\xff", b"/\xe9 \xff"),
            (br"\377", b"\xff"),
        ] {
            assert_eq!(unescape(escaped), bytes);
        }
    }

    #[test]
    fn a_mount_point_of_any_bytes_hides_no_other() {
        let mounts =
            b"x /mnt/\xff\x1b ext4 rw 0 0\nt /t\xfe\\040x tracefs rw 0 0\ncgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n";
        assert_eq!(mount_point(mounts, "tracefs").unwrap().as_bytes(), b"/t\xfe x");
        assert_eq!(mount_point(mounts, "cgroup2").unwrap(), "/sys/fs/cgroup");
        assert_eq!(mount_point(mounts, "bpf"), None);
        assert_eq!(mount_point(b"", "bpf"), None);
    }

    #[test]
    fn facilities_are_read_where_they_are_shown() {
        let full = TempTree::new()
            .file("/proc/mounts", "p /proc proc rw 0 0\nt /sys/kernel/my\\040tracing tracefs rw,relatime 0 0\n")
            .file("/sys/bus/event_source/devices/kprobe/type", "8\n")
            .file("/proc/sys/kernel/perf_event_paranoid", "-1\n")
            .file("/proc/sys/kernel/ftrace_enabled", "1\n")
            .file("/sys/kernel/debug/kprobes/enabled", "0\n")
            .file("/sys/kernel/btf/vmlinux", "");
        let host = Host::gather(&Tree::at(full.root()));
        assert_eq!(host.tracefs, Some("/sys/kernel/my tracing".into()));
        assert_eq!((host.kprobe_pmu, host.perf_event_paranoid), (Some(8), Some(-1)));
        assert_eq!((host.ftrace_enabled, host.kprobes_armed, host.btf_shown), (Some(true), Some(false), true));
        let bare = Host::gather(&Tree::at(TempTree::new().root()));
        assert_eq!((bare.tracefs, bare.kprobe_pmu, bare.btf_shown), (None, None, false));
        assert!(bare.tick_ns.is_some(), "every Linux has the clock");
        assert!(bare.release.version.is_some());
    }
}
