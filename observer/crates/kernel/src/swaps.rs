//! The swap areas in use, from `/proc/swaps`, and whether each is read synchronously: only those can skip the swap
//! cache.

mod device;

use std::{
    fs, io,
    os::unix::fs::{FileTypeExt as _, MetadataExt as _},
    path::Path,
};

use observer_text::Name;
use serde::Serialize;
use thiserror::Error;

pub use self::device::{Device, DeviceNumber, Driver, Synchronous, SynchronousReason};
use super::{
    host::{Release, unescape},
    tree::{Tree, lines},
};

/// Where the running kernel lists its swap areas.
pub const SWAPS: &str = "/proc/swaps";

/// Why the swap areas are unknown.
#[derive(Debug, Error)]
pub enum SwapsError {
    /// The list could not be read; it is missing if `CONFIG_SWAP` is off.
    #[error("cannot read {SWAPS}")]
    Read(#[from] io::Error),
    #[error("{SWAPS} has a line in an unknown format: {0:?}")]
    Line(Name),
}

/// What a swap area lies on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AreaKind {
    /// A block device, whole or a partition.
    Partition,
    /// A file on a file system.
    File,
}

/// One line of `/proc/swaps`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SwapLine {
    /// The path that was passed to `swapon`, as seen from this process. In another mount namespace it starts at the mount
    /// that the file is on: `/zram0` for a `/dev/zram0`. A file that was deleted has ` (deleted)` at its end.
    pub path: Name,
    pub kind: AreaKind,
    /// Usable size in KiB.
    pub size_kib: u64,
    /// KiB in use.
    pub used_kib: u64,
    /// A higher one is used first; negative if the kernel chose it.
    pub priority: i32,
}

/// A swap area and its device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SwapArea {
    #[serde(flatten)]
    pub line: SwapLine,
    /// Its position in the list, from 0. That is the `type` of its entries unless an area switched on earlier has been
    /// switched off since: the list skips holes. The probe crate can read the types from the kernel.
    pub ordinal: u32,
    /// The block device below, if it could be found.
    pub device: Option<Device>,
    /// Whether the kernel reads it synchronously (`SWP_SYNCHRONOUS_IO`).
    pub synchronous: Synchronous,
    pub reason: SynchronousReason,
}

/// Reads the content of `/proc/swaps`. A path can hold any byte; the kernel escapes white space and backslashes in it.
pub fn parse(list: &[u8]) -> Result<Vec<SwapLine>, SwapsError> {
    // The first line has the names of the columns.
    lines(list).skip(1).map(|line| parse_line(line).ok_or_else(|| SwapsError::Line(line.into()))).collect()
}

fn parse_line(line: &[u8]) -> Option<SwapLine> {
    let mut fields = line.split(|byte| matches!(byte, b' ' | b'\t')).filter(|field| !field.is_empty());
    let path = unescape(fields.next()?).into();
    let mut text = || str::from_utf8(fields.next()?).ok();
    let kind = match text()? {
        "partition" => AreaKind::Partition,
        "file" => AreaKind::File,
        _ => return None,
    };
    let (size_kib, used_kib) = (text()?.parse().ok()?, text()?.parse().ok()?);
    let priority = text()?.parse().ok()?;
    fields.next().is_none().then_some(SwapLine { path, kind, size_kib, used_kib, priority })
}

/// The name of the device at the end of a path of `/proc/swaps`.
pub fn device_name(path: &Name) -> Name {
    path.without_suffix(" (deleted)").last_component()
}

/// The swap areas in use, each with its device.
pub fn gather(tree: &Tree, release: &Release) -> Result<Vec<SwapArea>, SwapsError> {
    gather_with(tree, release, |path, kind| number_of(&tree.path(path), kind))
}

/// As [`gather`], with the numbers of devices from `numbers`: a temporary tree cannot hold device nodes.
fn gather_with(
    tree: &Tree,
    release: &Release,
    numbers: impl Fn(&Path, AreaKind) -> io::Result<DeviceNumber>,
) -> Result<Vec<SwapArea>, SwapsError> {
    let lines = parse(&tree.bytes(SWAPS)?)?;
    let describe = |(ordinal, line): (u32, SwapLine)| {
        let by_path = numbers(line.path.as_path(), line.kind)
            .map_err(|error| SynchronousReason::Unreadable { detail: format!("{}: {error}", line.path) })
            .and_then(|number| Device::find(tree, number));
        let found = match (by_path, line.kind) {
            // The path may be that of another mount namespace, or of a node that is gone. sysfs has all devices.
            (Err(reason), AreaKind::Partition) => Device::named(tree, &device_name(&line.path)).map_err(|()| reason),
            (found, _) => found,
        };
        let (device, synchronous, reason) = match found {
            Ok(device) => {
                let (synchronous, reason) = device::judge(&device, release);
                (Some(device), synchronous, reason)
            }
            Err(reason) => (None, Synchronous::Unknown, reason),
        };
        SwapArea { line, ordinal, device, synchronous, reason }
    };
    Ok((0..).zip(lines).map(describe).collect())
}

/// The number of the block device that is, or that holds, a swap area.
fn number_of(path: &Path, kind: AreaKind) -> io::Result<DeviceNumber> {
    let metadata = fs::metadata(path)?;
    let number = match kind {
        AreaKind::Partition if !metadata.file_type().is_block_device() => {
            return Err(io::Error::other("this is not a block device"));
        }
        AreaKind::Partition => metadata.rdev(),
        AreaKind::File => metadata.dev(),
    };
    Ok(DeviceNumber { major: rustix::fs::major(number), minor: rustix::fs::minor(number) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::TempTree;

    /// In the format of Debian's 6.18.15.
    const TEXT: &str = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n\
        /dev/zram0                              partition\t32764\t\t128\t\t-2\n\
        /mnt/my\\040swap\\134file                   file\t\t4092\t\t0\t\t-3\n\
        /dev/dm-0                               partition\t1048572\t\t0\t\t100\n";

    #[test]
    fn each_line_is_an_area_with_its_path_unescaped() {
        let lines = parse(TEXT.as_bytes()).unwrap();
        let zram = SwapLine {
            path: "/dev/zram0".into(),
            kind: AreaKind::Partition,
            size_kib: 32764,
            used_kib: 128,
            priority: -2,
        };
        assert_eq!(lines[0], zram);
        assert_eq!(lines[1].path, "/mnt/my swap\\file");
        assert_eq!(lines[1].kind, AreaKind::File);
        assert_eq!(lines[2].priority, 100);
    }

    #[test]
    fn no_swap_is_an_empty_list_and_an_unknown_line_an_error() {
        assert_eq!(parse(b"Filename\tType\tSize\tUsed\tPriority\n").unwrap(), []);
        assert_eq!(parse(b"").unwrap(), []);
        for junk in ["/dev/sda partition 1 2", "/dev/sda disk 1 2 3", "/dev/sda file x 2 3", "a file 1 2 3 4", ""] {
            assert!(matches!(parse(format!("header\n{junk}\n").as_bytes()), Err(SwapsError::Line(_))), "{junk:?}");
        }
        let missing = gather(&Tree::at(TempTree::new().root()), &Release::parse("6.12"));
        assert!(matches!(missing, Err(SwapsError::Read(_))));
    }

    #[test]
    fn a_path_of_any_bytes_is_an_area_among_the_others() {
        let list = b"Filename\tType\tSize\tUsed\tPriority\n/sw\xff\x1b\\012ap file 4 0 -2\n/zram0 partition 8 0 5\n";
        let lines = parse(list).unwrap();
        assert_eq!(lines[0].path.as_bytes(), b"/sw\xff\x1b\nap");
        assert_eq!(lines[0].path.to_string(), r"/sw\xff\x1b\x0aap");
        assert_eq!(lines[1].path, "/zram0");
        let tree = TempTree::new().file(SWAPS, list);
        let areas = gather(&Tree::at(tree.root()), &Release::parse("6.12.1")).unwrap();
        assert_eq!(areas.len(), 2);
        let SynchronousReason::Unreadable { detail } = &areas[0].reason else { panic!("{:?}", areas[0].reason) };
        assert!(detail.starts_with(r"/sw\xff\x1b\x0aap: "), "{detail}");
    }

    #[test]
    fn every_area_has_an_answer_with_its_reason() {
        let tree = TempTree::new()
            .file(SWAPS, TEXT)
            .link("/sys/dev/block/254:0", "../../devices/virtual/block/zram0")
            .link("/sys/dev/block/253:0", "../../devices/virtual/block/dm-0");
        let numbers = |path: &Path, kind| match (path.to_str().unwrap(), kind) {
            ("/dev/zram0", AreaKind::Partition) => Ok(DeviceNumber { major: 254, minor: 0 }),
            ("/dev/dm-0", AreaKind::Partition) => Ok(DeviceNumber { major: 253, minor: 0 }),
            // btrfs and NFS: files have a device number that no block device has.
            ("/mnt/my swap\\file", AreaKind::File) => Ok(DeviceNumber { major: 0, minor: 43 }),
            other => panic!("{other:?}"),
        };
        let areas = gather_with(&Tree::at(tree.root()), &Release::parse("6.12.1"), numbers).unwrap();
        let answers: Vec<_> = areas.iter().map(|area| (area.ordinal, area.synchronous)).collect();
        assert_eq!(answers, [(0, Synchronous::Yes), (1, Synchronous::Unknown), (2, Synchronous::No)]);
        let number = DeviceNumber { major: 0, minor: 43 };
        assert_eq!(areas[1].reason, SynchronousReason::NoBlockDevice { number });
        assert_eq!(areas[2].device.as_ref().unwrap().name, "dm-0");
    }

    #[test]
    fn a_device_whose_path_is_of_another_mount_namespace_is_found_by_its_name() {
        // swapon in a container, and a node that was deleted.
        let text = "Filename Type Size Used Priority\n/zram0 partition 32764 0 -2\n\
                    /dev/zram1\\040(deleted) partition 32764 0 -3\n/zram7 partition 4 0 -4\n/zram0 file 4 0 -5\n";
        let tree = TempTree::new()
            .file(SWAPS, text)
            // Here something else has the path.
            .file("/zram7", "")
            .file("/sys/class/block/zram0/dev", "254:0\n")
            .file("/sys/class/block/zram1/dev", "254:1\n")
            .link("/sys/dev/block/254:0", "../../devices/virtual/block/zram0")
            .link("/sys/dev/block/254:1", "../../devices/virtual/block/zram1");
        let areas = gather(&Tree::at(tree.root()), &Release::parse("6.12.1")).unwrap();
        let names: Vec<_> = areas.iter().map(|area| area.device.as_ref().map(|device| device.name.as_str())).collect();
        assert_eq!(names, [Some("zram0"), Some("zram1"), None, None], "a file is no device of the same name");
        assert_eq!(areas[1].synchronous, Synchronous::Yes);
        let SynchronousReason::Unreadable { detail } = &areas[2].reason else { panic!("{:?}", areas[2].reason) };
        assert!(detail.contains("not a block device"), "{detail}");
    }

    #[test]
    fn an_area_whose_device_cannot_be_read_is_unknown() {
        let tree = TempTree::new().file(SWAPS, TEXT);
        let areas = gather(&Tree::at(tree.root()), &Release::parse("6.12.1")).unwrap();
        assert!(areas.iter().all(|area| area.synchronous == Synchronous::Unknown));
        assert!(areas.iter().all(|area| area.device.is_none()));
        let SynchronousReason::Unreadable { detail } = &areas[0].reason else { panic!("{:?}", areas[0].reason) };
        assert!(detail.contains("/dev/zram0"), "{detail}");
    }
}
