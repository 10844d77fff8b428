//! Paths of control groups on this host.

use std::{
    ffi::{OsStr, c_int},
    fs::{self, File},
    io,
    os::{
        fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
        unix::{ffi::OsStrExt as _, fs::MetadataExt as _},
    },
    path::{Path, PathBuf},
};

use observer_kernel::{
    host::mount_point,
    tree::{Tree, lines},
};
use observer_text::Name;

use crate::session::FindCgroup;

/// Where the control groups of version 2 are mounted.
#[derive(Debug)]
pub(super) struct Mount {
    folder: File,
    at: PathBuf,
}

impl Mount {
    /// `None`: they are not mounted, or not to be seen from here.
    pub(super) fn open(tree: &Tree) -> Option<Self> {
        let mounts = tree.bytes("/proc/mounts").ok()?;
        let at = mount_point(&mounts, "cgroup2")?.as_path().to_owned();
        Some(Self { folder: File::open(tree.path(&at)).ok()?, at })
    }

    /// The path of the group with this id, while it exists. The kernel opens it by its id, which needs
    /// `CAP_DAC_READ_SEARCH`.
    fn by_id(&self, id: u64) -> io::Result<Name> {
        let group = open_by_id(&self.folder, id)?;
        let path = fs::read_link(format!("/proc/self/fd/{}", group.as_raw_fd()))?;
        below(&path, &self.at).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }

    /// The path of the group of a process, if that has this id, the inode number of its folder.
    fn by_process(&self, id: u64, pid: u32) -> Option<Name> {
        let list = fs::read(format!("/proc/{pid}/cgroup")).ok()?;
        let path = unified(&list)?;
        let folder = self.at.join(OsStr::from_bytes(path.strip_prefix(b"/")?));
        fs::metadata(folder).is_ok_and(|folder| folder.ino() == id).then(|| path.into())
    }
}

impl FindCgroup for Mount {
    fn path(&self, id: u64, pid: u32) -> Option<Name> {
        self.by_id(id).ok().or_else(|| self.by_process(id, pid))
    }
}

/// The id of a control group as the handle of a file (`FILEID_KERNFS`).
#[repr(C)]
struct Handle {
    bytes: u32,
    kind: c_int,
    id: u64,
}

fn open_by_id(mount: &File, id: u64) -> io::Result<OwnedFd> {
    const KERNFS: c_int = 0xfe;
    let mut handle = Handle { bytes: 8, kind: KERNFS, id };
    let flags = libc::O_PATH | libc::O_CLOEXEC;
    // SAFETY: the handle is laid out as a `file_handle` that is followed by the 8 bytes which it announces; the kernel
    // only reads it, during the call.
    let fd = unsafe { libc::open_by_handle_at(mount.as_raw_fd(), (&raw mut handle).cast(), flags) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just returned this descriptor, so nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// A path below the mount point, as from the root of the hierarchy. `None`: it is not below.
fn below(path: &Path, mount: &Path) -> Option<Name> {
    let rest = path.strip_prefix(mount).ok()?;
    Some(Name::from(&Path::new("/").join(rest)))
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

    #[test]
    fn a_group_is_named_from_the_root_of_the_hierarchy() {
        let name = |path: &str| below(Path::new(path), Path::new("/sys/fs/cgroup")).map(|name| name.to_string());
        assert_eq!(name("/sys/fs/cgroup/a/b").as_deref(), Some("/a/b"));
        assert_eq!(name("/sys/fs/cgroup").as_deref(), Some("/"));
        assert_eq!(name("/sys/fs/cgroupless/a"), None);
        assert_eq!(name("/elsewhere"), None);
    }
}
