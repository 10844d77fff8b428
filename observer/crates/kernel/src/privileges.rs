//! What this process may do: capabilities, user namespace, lockdown.

use std::fmt;

use serde::Serialize;

use super::tree::Tree;

/// Where a process sees its own identity and capabilities.
const STATUS: &str = "/proc/self/status";
/// Where the lockdown module shows its mode, if securityfs is mounted.
const LOCKDOWN: &str = "/sys/kernel/security/lockdown";

/// The capabilities that decide what the observer can do, with their bits (`include/uapi/linux/capability.h`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Capability {
    /// `CAP_IPC_LOCK`: locking memory (`mlock`, perf buffers) beyond `RLIMIT_MEMLOCK`. Does not help with BPF maps.
    CapIpcLock = 14,
    /// `CAP_SYS_ADMIN`: everything the next two allow, on kernels of any age; swapon.
    CapSysAdmin = 21,
    /// `CAP_SYS_RESOURCE`: raising `RLIMIT_MEMLOCK`, which limits BPF maps before 5.11.
    CapSysResource = 24,
    /// `CAP_SYSLOG`: addresses in `/proc/kallsyms` under `kptr_restrict` 1.
    CapSyslog = 34,
    /// `CAP_PERFMON`: kprobes, and reading kernel memory from programs (5.8).
    CapPerfmon = 38,
    /// `CAP_BPF`: loading programs and creating maps (5.8).
    CapBpf = 39,
}

impl Capability {
    /// By bit.
    pub const ALL: [Self; 6] =
        [Self::CapIpcLock, Self::CapSysAdmin, Self::CapSysResource, Self::CapSyslog, Self::CapPerfmon, Self::CapBpf];

    pub const fn name(self) -> &'static str {
        match self {
            Self::CapIpcLock => "CAP_IPC_LOCK",
            Self::CapSysAdmin => "CAP_SYS_ADMIN",
            Self::CapSysResource => "CAP_SYS_RESOURCE",
            Self::CapSyslog => "CAP_SYSLOG",
            Self::CapPerfmon => "CAP_PERFMON",
            Self::CapBpf => "CAP_BPF",
        }
    }

    /// Whether it is in an effective set.
    const fn is_in(self, effective: u64) -> bool {
        effective >> (self as u32) & 1 == 1
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The identity and capabilities of this process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Privileges {
    /// The effective user id.
    pub euid: u32,
    /// Which of [`Capability::ALL`] are in the effective set.
    pub held: Vec<Capability>,
    /// Which of them are not.
    pub missing: Vec<Capability>,
    /// Whether this is the first user namespace; in any other, capabilities do not reach the kernel's own objects, and
    /// BPF is refused whatever `held` says. `None` if `/proc/self/uid_map` cannot be read.
    pub initial_user_namespace: Option<bool>,
}

impl Privileges {
    /// Reads them from the text of `/proc/self/status` and, if known, `/proc/self/uid_map`; `None` if the former lacks
    /// the lines needed.
    pub fn parse(status: &str, uid_map: Option<&str>) -> Option<Self> {
        let euid = field(status, "Uid:")?.split_whitespace().nth(1)?.parse().ok()?;
        let effective = u64::from_str_radix(field(status, "CapEff:")?.trim(), 16).ok()?;
        let (held, missing) = Capability::ALL.iter().partition(|capability| capability.is_in(effective));
        Some(Self { euid, held, missing, initial_user_namespace: uid_map.map(is_initial_namespace) })
    }

    pub fn gather(tree: &Tree) -> Option<Self> {
        Self::parse(&tree.read(STATUS).ok()?, tree.read("/proc/self/uid_map").ok().as_deref())
    }

    pub fn has(&self, capability: Capability) -> bool {
        self.held.contains(&capability)
    }

    /// Whether BPF tracing programs can be loaded and attached as far as capabilities go: `CAP_SYS_ADMIN`, or since
    /// 5.8 (<https://git.kernel.org/torvalds/c/2c78ee898d8f>) `CAP_BPF` with `CAP_PERFMON`; and not from inside a user
    /// namespace.
    pub fn may_trace(&self) -> bool {
        let capable =
            self.has(Capability::CapSysAdmin) || (self.has(Capability::CapBpf) && self.has(Capability::CapPerfmon));
        capable && self.initial_user_namespace != Some(false)
    }
}

fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    status.lines().find_map(|line| line.strip_prefix(name))
}

/// The first namespace maps every id onto itself. A namespace set up with that very map would pass too; none is.
fn is_initial_namespace(uid_map: &str) -> bool {
    uid_map.split_whitespace().eq(["0", "0", "4294967295"])
}

/// The lockdown mode: what the kernel forbids even to root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Lockdown {
    /// Built in and off.
    None,
    /// Root may not change the running kernel. kprobes and `bpf_probe_read_kernel` still work.
    Integrity,
    /// Root may not read its memory either: kprobes, tracefs and `bpf_probe_read_kernel` are refused; fentry that
    /// follows typed pointers still works.
    Confidentiality,
    /// The kernel has no lockdown module: securityfs is there, the file is not.
    NotBuilt,
    /// securityfs is not mounted or the file is not readable: any mode is possible.
    Unknown,
}

impl Lockdown {
    /// Reads the mode from the file's text: `none [integrity] confidentiality`.
    pub fn parse(text: &str) -> Self {
        match bracketed(text) {
            Some("none") => Self::None,
            Some("integrity") => Self::Integrity,
            Some("confidentiality") => Self::Confidentiality,
            _ => Self::Unknown,
        }
    }

    pub fn gather(tree: &Tree) -> Self {
        match tree.read(LOCKDOWN) {
            Ok(text) => Self::parse(&text),
            // The list of modules is in every mounted securityfs, whatever the modules are.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && tree.exists("/sys/kernel/security/lsm") => {
                Self::NotBuilt
            }
            Err(_) => Self::Unknown,
        }
    }
}

/// The chosen word of a list such as `always [madvise] never`; `None` if none is chosen.
pub(super) fn bracketed(text: &str) -> Option<&str> {
    text.split_whitespace().find_map(|word| word.strip_prefix('[')?.strip_suffix(']'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{self, TempTree};

    const INITIAL: &str = "         0          0 4294967295\n";

    #[test]
    fn root_of_a_real_guest_may_trace() {
        let status = fixtures::text("7.0.13", "status");
        let root = Privileges::parse(&status, Some(INITIAL)).unwrap();
        assert_eq!((root.euid, root.missing.as_slice()), (0, [].as_slice()));
        assert!(root.may_trace());
        assert!(root.has(Capability::CapBpf));
    }

    #[test]
    fn each_bit_is_its_own_capability() {
        for capability in Capability::ALL {
            let status = format!("Uid:\t1\t1000\t1\t1\nCapEff:\t{:016x}\n", 1_u64 << (capability as u32));
            let found = Privileges::parse(&status, Some(INITIAL)).unwrap();
            assert_eq!((found.euid, found.held.as_slice()), (1000, [capability].as_slice()), "{capability}");
            assert_eq!(found.may_trace(), capability == Capability::CapSysAdmin, "{capability}");
        }
        let both = (1_u64 << 38) | (1 << 39);
        let status = format!("Uid:\t0\t0\t0\t0\nCapEff:\t{both:016x}\n");
        assert!(Privileges::parse(&status, None).unwrap().may_trace());
    }

    #[test]
    fn root_of_a_user_namespace_may_not_trace() {
        let status = "Uid:\t0\t0\t0\t0\nCapEff:\t000001ffffffffff\n";
        let inside = Privileges::parse(status, Some("0 1000 1\n")).unwrap();
        assert_eq!(inside.initial_user_namespace, Some(false));
        assert!(!inside.may_trace());
    }

    #[test]
    fn a_status_without_the_lines_is_unknown() {
        assert_eq!(Privileges::parse("", None), None);
        assert_eq!(Privileges::parse("Uid:\t0\t0\nCapEff:\txyz\n", None), None);
        assert_eq!(Privileges::parse("Uid:\t0\nCapEff:\t0\n", None), None);
    }

    #[test]
    fn the_lockdown_mode_is_the_bracketed_word() {
        assert_eq!(Lockdown::parse("[none] integrity confidentiality\n"), Lockdown::None);
        assert_eq!(Lockdown::parse("none [integrity] confidentiality\n"), Lockdown::Integrity);
        assert_eq!(Lockdown::parse("none integrity [confidentiality]\n"), Lockdown::Confidentiality);
        assert_eq!(Lockdown::parse(""), Lockdown::Unknown);
        assert_eq!(Lockdown::parse("none [future]"), Lockdown::Unknown);
    }

    #[test]
    fn a_missing_lockdown_file_means_unknown_unless_securityfs_is_mounted() {
        assert_eq!(Lockdown::gather(&Tree::at(TempTree::new().root())), Lockdown::Unknown, "securityfs is not mounted");
        let mounted = TempTree::new().file("/sys/kernel/security/lsm", "capability,yama");
        assert_eq!(Lockdown::gather(&Tree::at(mounted.root())), Lockdown::NotBuilt);
        let locked = TempTree::new().file(LOCKDOWN, "none [integrity] confidentiality\n");
        assert_eq!(Lockdown::gather(&Tree::at(locked.root())), Lockdown::Integrity);
    }
}
