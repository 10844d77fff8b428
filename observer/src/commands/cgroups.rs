//! Paths of control groups on this host.

use std::{
    ffi::OsStr,
    fs,
    os::unix::{ffi::OsStrExt as _, fs::MetadataExt as _},
    path::Path,
};

use observer_kernel::tree::lines;
use observer_text::Name;
use observer_tui::model_builder::CgroupNames;

/// Takes the path from a process of the group, and checks it against the group's id, the inode number of its folder.
pub(super) struct Proc;

impl CgroupNames for Proc {
    fn path(&mut self, id: u64, pid: u32) -> Option<Name> {
        let list = fs::read(format!("/proc/{pid}/cgroup")).ok()?;
        let path = unified(&list)?;
        let below = Path::new(OsStr::from_bytes(path.strip_prefix(b"/")?));
        ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"]
            .iter()
            .any(|mount| fs::metadata(Path::new(mount).join(below)).is_ok_and(|folder| folder.ino() == id))
            .then(|| path.into())
    }
}

/// The path in the hierarchy of version 2, from the content of `/proc/PID/cgroup`.
fn unified(list: &[u8]) -> Option<&[u8]> {
    lines(list).find_map(|line| line.strip_prefix(b"0::"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_a_group_may_hold_any_byte() {
        assert_eq!(unified(b"1:cpu:/\xfe\n0::/a\xff\x1b\n"), Some(&b"/a\xff\x1b"[..]));
        assert_eq!(unified(b"1:cpu:/a\n"), None);
    }
}
