//! Writes the cpio format of an initramfs ("newc": fixed-width hexadecimal headers).

use std::collections::BTreeSet;

const DIRECTORY: u32 = 0o040_755;
const SYMLINK: u32 = 0o120_777;
const CHARACTER_DEVICE: u32 = 0o020_600;
const REGULAR: u32 = 0o100_000;

/// An archive in memory. Paths have no leading slash; missing parent folders are added.
#[derive(Debug, Default)]
pub(super) struct Archive {
    bytes: Vec<u8>,
    folders: BTreeSet<String>,
    entries: u32,
}

impl Archive {
    /// Adds a file with the permission bits `mode`.
    pub(super) fn file(&mut self, path: &str, mode: u32, content: &[u8]) {
        self.parents(path);
        self.entry(path, REGULAR | mode & 0o7777, (0, 0), content);
    }

    pub(super) fn link(&mut self, path: &str, to: &str) {
        self.parents(path);
        self.entry(path, SYMLINK, (0, 0), to.as_bytes());
    }

    pub(super) fn character_device(&mut self, path: &str, major: u32, minor: u32) {
        self.parents(path);
        self.entry(path, CHARACTER_DEVICE, (major, minor), &[]);
    }

    /// Adds a folder, unless the archive has it.
    pub(super) fn folder(&mut self, path: &str) {
        self.parents(path);
        if self.folders.insert(path.to_owned()) {
            self.entry(path, DIRECTORY, (0, 0), &[]);
        }
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        self.entries = 0;
        self.entry("TRAILER!!!", 0, (0, 0), &[]);
        self.bytes
    }

    fn parents(&mut self, path: &str) {
        if let Some((parent, _)) = path.rsplit_once('/') {
            self.folder(parent);
        }
    }

    fn entry(&mut self, path: &str, mode: u32, device: (u32, u32), content: &[u8]) {
        self.entries += 1;
        let links = if mode & 0o170_000 == 0o040_000 { 2 } else { 1 };
        // An initramfs is far below 4 GiB, since QEMU loads it into guest memory.
        let size = u32::try_from(content.len()).unwrap_or(u32::MAX);
        let name = u32::try_from(path.len() + 1).unwrap_or(u32::MAX);
        let (uid, gid, mtime, check) = (0, 0, 0, 0);
        let fields = [self.entries, mode, uid, gid, links, mtime, size, 0, 0, device.0, device.1, name, check];
        self.bytes.extend_from_slice(b"070701");
        for field in fields {
            self.bytes.extend_from_slice(format!("{field:08X}").as_bytes());
        }
        self.bytes.extend_from_slice(path.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(content);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write as _,
        process::{Command, Stdio},
    };

    use super::*;

    fn sample() -> Vec<u8> {
        let mut archive = Archive::default();
        archive.file("lib/modules/x/a.ko", 0o644, b"12345");
        archive.file("lib/modules/x/b.ko", 0o4755, b"");
        archive.link("bin/sh", "/bin/busybox");
        archive.character_device("dev/console", 5, 1);
        archive.folder("out");
        archive.folder("out");
        archive.finish()
    }

    #[test]
    fn cpio_lists_the_entries() {
        let Some(cpio) = crate::paths::find_program("cpio") else { return };
        let mut child = Command::new(cpio)
            .args(["--list", "--verbose", "--numeric-uid-gid"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(&sample()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).unwrap();
        let listed = |mode: &str, path: &str| text.lines().any(|line| line.starts_with(mode) && line.ends_with(path));
        assert!(listed("drwxr-xr-x", " lib/modules/x"), "{text}");
        assert!(listed("-rw-r--r--", " lib/modules/x/a.ko"), "{text}");
        assert!(listed("-rwsr-xr-x", " lib/modules/x/b.ko"), "{text}");
        assert!(listed("lrwxrwxrwx", " bin/sh -> /bin/busybox"), "{text}");
        assert!(text.lines().any(|line| line.starts_with("crw-------") && line.contains("5,   1")), "{text}");
        assert_eq!(text.lines().filter(|line| line.ends_with(" out")).count(), 1, "{text}");
    }

    #[test]
    fn an_archive_is_padded_to_four_bytes() {
        let archive = sample();
        assert_eq!(archive.len() % 4, 0);
        assert!(archive.starts_with(b"070701"));
    }
}
