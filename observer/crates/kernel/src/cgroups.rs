//! Which hierarchy of control groups this host uses. Programs see only groups of cgroup v2
//! (`bpf_get_current_cgroup_id`).

use serde::Serialize;

use crate::{codes, tree::Tree};

codes! {
    /// The hierarchies of control groups that are mounted.
    #[derive(Default)]
    pub enum CgroupMode {
        /// Cgroup v2 has every group that matters.
        V2 = "v2",
        /// Both: tasks are in groups of v2, and in others of v1 by which their memory is limited or their services are
        /// distinguished.
        Hybrid = "hybrid",
        /// Cgroup v1 alone: to programs every task is in the root group.
        V1 = "v1",
        /// None is mounted, or the kernel has no control groups.
        None = "none",
    } else {
        /// The file cannot be read; also recordings of versions that did not look.
        #[default]
        Unknown = "unknown"
    }
}

impl CgroupMode {
    /// Whether groups of tasks as the programs see them may be coarser than those that the host is run with.
    pub const fn is_coarse(self) -> bool {
        matches!(self, Self::Hybrid | Self::V1)
    }

    pub const fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown)
    }

    /// From the text of `/proc/PID/cgroup`: a line `id:controllers:path` for each mounted hierarchy; that of v2 is
    /// `0::path`.
    pub fn parse(text: &str) -> Self {
        let lines = || text.lines().filter_map(|line| line.split_once(':')?.1.split_once(':'));
        let v2 = text.lines().any(|line| line.starts_with("0::"));
        // Others, such as net_cls alone, are mounted by single programs for their own use.
        let is_main = |controllers: &str| {
            controllers.split(',').any(|controller| controller == "memory" || controller.starts_with("name="))
        };
        let v1 = lines().any(|(controllers, _)| is_main(controllers));
        match (v2, v1) {
            (true, false) => Self::V2,
            (true, true) => Self::Hybrid,
            (false, _) if lines().next().is_some() => Self::V1,
            (false, _) => Self::None,
        }
    }

    fn gather(tree: &Tree) -> Self {
        match tree.read("/proc/self/cgroup") {
            Ok(text) => Self::parse(&text),
            // /proc without this file: CONFIG_CGROUPS is off.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && tree.exists("/proc/self/status") => {
                Self::None
            }
            Err(_) => Self::Unknown,
        }
    }
}

/// Control groups of this host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cgroups {
    pub mode: CgroupMode,
    /// Whether the kernel has the memory controller and it is on; `None`: not known.
    pub memory: Option<bool>,
}

impl Cgroups {
    pub(crate) fn gather(tree: &Tree) -> Self {
        Self { mode: CgroupMode::gather(tree), memory: memory_controller(tree) }
    }
}

/// From `/proc/cgroups`, where the last column is 0 with `cgroup_disable=memory`, or from the root of v2: kernels
/// without v1 (`CONFIG_MEMCG_V1`) do not list the controller in the former.
fn memory_controller(tree: &Tree) -> Option<bool> {
    let of_v2 = || {
        let controllers = tree.line("/sys/fs/cgroup/cgroup.controllers")?;
        Some(controllers.split_whitespace().any(|controller| controller == "memory"))
    };
    let of_v1 = || {
        let text = tree.read("/proc/cgroups").ok()?;
        Some(text.lines().any(|line| line.starts_with("memory\t") && line.ends_with("\t1")))
    };
    match (of_v2(), of_v1()) {
        (None, None) => None,
        (v2, v1) => Some(v2 == Some(true) || v1 == Some(true)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::TempTree;

    #[test]
    fn the_mode_follows_from_the_hierarchies_of_a_process() {
        for (text, mode) in [
            ("0::/user.slice/user-0.slice/session-1.scope\n", CgroupMode::V2),
            ("0::/../..\n", CgroupMode::V2),
            ("1:net_cls:/\n0::/init.scope\n", CgroupMode::V2),
            ("5:cpuset:/\n0::/init.scope\n", CgroupMode::V2),
            // systemd's hybrid mode.
            ("12:memory:/docker/ab\n1:name=systemd:/docker/ab\n0::/system.slice/docker.service\n", CgroupMode::Hybrid),
            ("1:name=systemd:/\n0::/\n", CgroupMode::Hybrid),
            ("8:cpu,memory,pids:/a:b\n0::/\n", CgroupMode::Hybrid),
            // Docker on an old host.
            ("12:memory:/docker/ab\n11:cpu,cpuacct:/docker/ab\n1:name=systemd:/docker/ab\n", CgroupMode::V1),
            ("3:net_cls:/\n", CgroupMode::V1),
            // A guest without any mounted.
            ("", CgroupMode::None),
            ("junk\n", CgroupMode::None),
        ] {
            assert_eq!(CgroupMode::parse(text), mode, "{text:?}");
        }
        assert!([CgroupMode::Hybrid, CgroupMode::V1].iter().all(|mode| mode.is_coarse()));
        assert!(!CgroupMode::V2.is_coarse() && !CgroupMode::None.is_coarse() && !CgroupMode::Unknown.is_coarse());
    }

    #[test]
    fn a_host_without_control_groups_or_without_their_memory_controller() {
        let gather = |tree: &TempTree| Cgroups::gather(&Tree::at(tree.root()));
        assert_eq!(gather(&TempTree::new()), Cgroups { mode: CgroupMode::Unknown, memory: None }, "/proc not mounted");
        let without = TempTree::new().file("/proc/self/status", "");
        assert_eq!(gather(&without), Cgroups { mode: CgroupMode::None, memory: None });
        let v2 = TempTree::new().file("/proc/self/cgroup", "0::/\n");
        let on = v2.file("/sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory pids\n");
        assert_eq!(gather(&on), Cgroups { mode: CgroupMode::V2, memory: Some(true) });
        let off = on.file("/sys/fs/cgroup/cgroup.controllers", "cpuset cpu io pids\n");
        assert_eq!(gather(&off), Cgroups { mode: CgroupMode::V2, memory: Some(false) });
        let disabled = off.file("/proc/cgroups", "#subsys_name\thierarchy\tnum_cgroups\tenabled\nmemory\t0\t50\t0\n");
        assert_eq!(gather(&disabled).memory, Some(false));
        let v1 =
            TempTree::new().file("/proc/cgroups", "#subsys_name\thierarchy\tnum_cgroups\tenabled\nmemory\t9\t50\t1\n");
        assert_eq!(gather(&v1).memory, Some(true));
    }
}
