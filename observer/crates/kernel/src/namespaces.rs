//! The namespaces of this process, as far as numbers and clocks differ in them from those of the kernel.

use serde::Serialize;

use crate::{codes, tree::Tree};

/// The initial namespaces, by the fixed numbers of their inodes (`PROC_PID_INIT_INO` and its neighbours).
const INITIAL_PID: &str = "pid:[4026531836]";
const INITIAL_TIME: &str = "time:[4026531834]";
const INITIAL_CGROUP: &str = "cgroup:[4026531835]";

codes! {
    /// Whether a namespace is the initial one, that of the host.
    #[derive(Default)]
    pub enum Namespace {
        Initial = "initial",
        /// That of a container.
        Other = "other",
    } else {
        /// The kernel has no such namespaces, or `/proc` does not show this process.
        #[default]
        Unknown = "unknown"
    }
}

/// The namespaces of this process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Namespaces {
    pub pid: Namespace,
    pub time: Namespace,
    pub cgroup: Namespace,
}

impl Namespaces {
    /// Those of the host.
    pub const INITIAL: Self = Self { pid: Namespace::Initial, time: Namespace::Initial, cgroup: Namespace::Initial };

    pub(crate) fn gather(tree: &Tree) -> Self {
        let find = |name: &str, initial: &str| match tree.link(format!("/proc/self/ns/{name}")) {
            Some(namespace) if namespace == initial => Namespace::Initial,
            Some(_) => Namespace::Other,
            None => Namespace::Unknown,
        };
        Self { pid: find("pid", INITIAL_PID), time: find("time", INITIAL_TIME), cgroup: find("cgroup", INITIAL_CGROUP) }
    }
}

/// Whether `/proc` shows processes under the ids that the kernel and its programs use. It does not in a PID namespace,
/// nor if it was mounted in one: a number then belongs to another process.
pub fn shows_kernel_ids(tree: &Tree) -> bool {
    // A `/proc` of another namespace has no `self` for a process of the initial one.
    Namespaces::gather(tree).pid == Namespace::Initial
}

/// How far the kernel's `CLOCK_MONOTONIC` is ahead of that of a time namespace, nanoseconds: that of this process, or of
/// its children. `None`: the kernel has no time namespaces.
pub fn monotonic_offset(tree: &Tree) -> Option<i64> {
    // `monotonic       86400         0`, seconds and nanoseconds that the namespace is ahead.
    let text = tree.read("/proc/self/timens_offsets").ok()?;
    let mut fields = text.lines().find_map(|line| line.strip_prefix("monotonic"))?.split_ascii_whitespace();
    let (seconds, nanos): (i64, i64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    seconds.checked_mul(1_000_000_000)?.checked_add(nanos)?.checked_neg()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::TempTree;

    #[test]
    fn a_namespace_is_that_of_the_host_or_of_a_container() {
        let tree = TempTree::new()
            .link("/proc/self/ns/pid", "pid:[4026531836]")
            .link("/proc/self/ns/cgroup", "cgroup:[4026532198]");
        let found = Namespaces::gather(&Tree::at(tree.root()));
        let expected = Namespaces { pid: Namespace::Initial, time: Namespace::Unknown, cgroup: Namespace::Other };
        assert_eq!(found, expected);
    }

    #[test]
    fn ids_are_the_kernel_s_only_in_the_initial_namespace() {
        let shows = |namespace| {
            let tree = TempTree::new().link("/proc/self/ns/pid", namespace);
            shows_kernel_ids(&Tree::at(tree.root()))
        };
        assert!(shows("pid:[4026531836]"));
        assert!(!shows("pid:[4026532000]"));
        assert!(!shows_kernel_ids(&Tree::at(TempTree::new().root())), "/proc of another namespace, or none");
    }

    #[test]
    fn the_offset_of_a_time_namespace_is_read_with_its_sign() {
        let offset = |text| monotonic_offset(&Tree::at(TempTree::new().file("/proc/self/timens_offsets", text).root()));
        // As 6.12.117 shows them.
        assert_eq!(offset("monotonic           0         0\nboottime            0         0\n"), Some(0));
        assert_eq!(
            offset("monotonic       86400         5\nboottime            7         0\n"),
            Some(-86_400_000_000_005)
        );
        assert_eq!(offset("monotonic         -10 999999999\nboottime  0 0\n"), Some(9_000_000_001));
        assert_eq!(offset(""), None);
        assert_eq!(monotonic_offset(&Tree::at(TempTree::new().root())), None);
    }
}
