//! Names of control groups on this host.

use std::{fs, os::unix::fs::MetadataExt as _};

use observer_tui::model_builder::Names;

/// Looks where a process of the group says it is, and checks that by the group's id, which is the number of its folder.
pub(super) struct Proc;

impl Names for Proc {
    fn cgroup(&mut self, id: u64, pid: u32) -> Option<String> {
        let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
        let path = text.lines().find_map(|line| line.strip_prefix("0::"))?;
        ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"]
            .iter()
            .any(|mount| fs::metadata(format!("{mount}{path}")).is_ok_and(|folder| folder.ino() == id))
            .then(|| path.to_owned())
    }
}
