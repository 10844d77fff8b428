//! Paths of control groups on this host.

use std::{fs, os::unix::fs::MetadataExt as _};

use observer_tui::model_builder::CgroupNames;

/// Takes the path from a process of the group, and checks it against the group's id, the inode number of its folder.
pub(super) struct Proc;

impl CgroupNames for Proc {
    fn path(&mut self, id: u64, pid: u32) -> Option<String> {
        let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
        let path = text.lines().find_map(|line| line.strip_prefix("0::"))?;
        ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"]
            .iter()
            .any(|mount| fs::metadata(format!("{mount}{path}")).is_ok_and(|folder| folder.ino() == id))
            .then(|| path.to_owned())
    }
}
