//! The block device below a swap area, and whether the kernel reads it synchronously.
//!
//! No file shows it: up to 6.2 a driver with `rw_page` was synchronous, later a queue flag or feature decides that
//! sysfs does not show. So the answer follows from the driver, which the device's name shows, and from zram's backing
//! device.

use std::{fmt, fs};

use observer_text::Name;
use serde::Serialize;

use crate::{codes, host::Release, tree::Tree};

codes! {
    /// Whether a swap area is read synchronously, so that the kernel may skip the swap cache.
    #[derive(Default)]
    pub enum Synchronous {
        Yes = "yes",
        /// Every page goes through the swap cache.
        No = "no",
    } else {
        #[default]
        Unknown = "unknown"
    }
}

/// The number of a block device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct DeviceNumber {
    pub major: u32,
    pub minor: u32,
}

impl fmt::Display for DeviceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.major, self.minor)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Device {
    pub number: DeviceNumber,
    /// Its kernel name: `zram0`, `ram0p1`, `dm-0`.
    pub name: String,
    /// The kernel name of its whole disk: itself, unless it is a partition.
    pub disk: String,
    /// For a zram with a backing device, that device: pages may then lie on it instead of in memory.
    pub zram_backing: Option<Name>,
}

codes! {
    /// The driver of a disk, as far as it decides whether reads are synchronous.
    pub enum Driver {
        /// Compressed memory.
        Zram = "zram",
        /// A RAM disk.
        Brd = "brd",
        /// Persistent memory.
        Pmem = "pmem",
        /// Sectors in persistent memory.
        Btt = "btt",
        /// Device mapper, md and loop: whether the devices below are synchronous does not matter.
        Stacked = "stacked",
        Asynchronous = "asynchronous",
    } else {
        Unknown = "unknown"
    }
}

/// Why a swap area is read synchronously or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum SynchronousReason {
    /// The driver decides.
    Driver { driver: Driver },
    /// A zram with a backing device is synchronous only since 6.1.
    BackedZram { backing: Name },
    /// The file system has no block device, as with btrfs and NFS.
    NoBlockDevice { number: DeviceNumber },
    /// The device cannot be looked up; `detail` has the file.
    Unreadable { detail: String },
}

impl Device {
    /// Looks a device up by its kernel name.
    pub(super) fn named(tree: &Tree, name: &Name) -> Result<Self, ()> {
        let number = tree.line(format!("/sys/class/block/{name}/dev")).ok_or(())?;
        let (major, minor) = number.split_once(':').ok_or(())?;
        let (Ok(major), Ok(minor)) = (major.parse(), minor.parse()) else { return Err(()) };
        Self::find(tree, DeviceNumber { major, minor }).map_err(drop)
    }

    /// Looks a device up in sysfs.
    pub(super) fn find(tree: &Tree, number: DeviceNumber) -> Result<Self, SynchronousReason> {
        // /sys/dev/block/259:1 -> ../../devices/pci0000:00/.../nvme0n1/nvme0n1p1
        let link = format!("/sys/dev/block/{number}");
        let target = fs::read_link(tree.path(&link)).map_err(|error| match number.major {
            0 => SynchronousReason::NoBlockDevice { number },
            _ => SynchronousReason::Unreadable { detail: format!("{link}: {error}") },
        })?;
        let mut names = target.iter().rev().map(|name| Name::from(name).to_string());
        let name = names.next().unwrap_or_default();
        let is_partition = tree.exists(format!("{link}/partition"));
        let disk = if is_partition { names.next() } else { None }.unwrap_or_else(|| name.clone());
        // The file exists only with CONFIG_ZRAM_WRITEBACK.
        let zram_backing = tree.name(format!("/sys/block/{disk}/backing_dev")).filter(|path| *path != "none");
        Ok(Self { number, name, disk, zram_backing })
    }
}

/// Whether a device is read synchronously, and why.
pub(super) fn judge(device: &Device, release: &Release) -> (Synchronous, SynchronousReason) {
    let driver = Driver::of_disk(&device.disk);
    let synchronous = match (driver, &device.zram_backing) {
        (Driver::Zram, Some(backing)) => {
            return (backed_zram(release), SynchronousReason::BackedZram { backing: backing.clone() });
        }
        (Driver::Zram | Driver::Brd | Driver::Pmem | Driver::Btt, _) => Synchronous::Yes,
        (Driver::Stacked | Driver::Asynchronous, _) => Synchronous::No,
        (Driver::Unknown, _) => Synchronous::Unknown,
    };
    (synchronous, SynchronousReason::Driver { driver })
}

/// With a backing device zram used operations without `rw_page` (`zram_wb_devops`); since 6.1
/// (<https://git.kernel.org/torvalds/c/94541bc3fbde>) it always has it.
fn backed_zram(release: &Release) -> Synchronous {
    match release.version {
        Some(version) if version >= (6, 1) => Synchronous::Yes,
        Some(_) => Synchronous::No,
        None => Synchronous::Unknown,
    }
}

impl Driver {
    /// The driver of a whole disk, by its kernel name.
    fn of_disk(disk: &str) -> Self {
        const STACKED: [&str; 3] = ["dm-", "md", "loop"];
        const ASYNCHRONOUS: [&str; 8] = ["sd", "vd", "xvd", "hd", "nvme", "mmcblk", "nbd", "nullb"];
        let is_numbered = |prefix| disk.strip_prefix(prefix).is_some_and(is_number);
        if is_numbered("zram") {
            Self::Zram
        } else if is_numbered("ram") {
            Self::Brd
        } else if let Some(rest) = disk.strip_prefix("pmem") {
            Self::of_pmem(rest)
        } else if STACKED.iter().any(|prefix| disk.starts_with(prefix)) {
            Self::Stacked
        } else if ASYNCHRONOUS.iter().any(|prefix| disk.starts_with(prefix)) {
            Self::Asynchronous
        } else {
            Self::Unknown
        }
    }

    /// `pmem0`, or `pmem0.1` for a further namespace; with an `s` at the end if a btt is on top.
    fn of_pmem(rest: &str) -> Self {
        let (numbers, driver) = rest.strip_suffix('s').map_or((rest, Self::Pmem), |numbers| (numbers, Self::Btt));
        if numbers.split('.').all(is_number) { driver } else { Self::Unknown }
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::TempTree;

    const NUMBER: DeviceNumber = DeviceNumber { major: 254, minor: 0 };

    fn device(disk: &str, backing: Option<&str>) -> Device {
        let zram_backing = backing.map(Name::from);
        Device { number: NUMBER, name: disk.to_owned(), disk: disk.to_owned(), zram_backing }
    }

    #[test]
    fn the_backing_device_of_a_zram_may_have_any_name() {
        let tree = TempTree::new()
            .link("/sys/dev/block/254:0", "../../devices/virtual/block/zram0")
            .file("/sys/block/zram0/backing_dev", b"/dev/loop\xff\n");
        let device = Device::find(&Tree::at(tree.root()), NUMBER).unwrap();
        assert_eq!(device.zram_backing.unwrap().as_bytes(), b"/dev/loop\xff", "else it would be judged as plain zram");
    }

    #[test]
    fn the_name_of_a_disk_shows_its_driver() {
        let yes = ["zram0", "zram12", "ram0", "pmem0", "pmem0.1", "pmem3s", "pmem0.1s"];
        let no = ["sda", "vda", "xvda", "nvme0n1", "mmcblk0", "loop7", "dm-0", "md127", "nullb0"];
        let unknown = ["zram", "zramx", "ramdisk0", "pmem", "pmems", "pmem0x", "zd0", "brandnew0"];
        let release = Release::parse("6.12.1");
        for (names, expected) in
            [(&yes[..], Synchronous::Yes), (&no[..], Synchronous::No), (&unknown[..], Synchronous::Unknown)]
        {
            for name in names {
                assert_eq!(judge(&device(name, None), &release).0, expected, "{name}");
            }
        }
    }

    #[test]
    fn a_zram_with_a_backing_device_is_synchronous_since_6_1() {
        let backed = |release| judge(&device("zram0", Some("/dev/vdb")), &Release::parse(release)).0;
        assert_eq!(backed("5.10.0-32-cloud-amd64"), Synchronous::No);
        assert_eq!(backed("6.1.0-56-cloud-amd64"), Synchronous::Yes);
        assert_eq!(backed("7.0.13"), Synchronous::Yes);
        assert_eq!(backed("own-build"), Synchronous::Unknown);
    }

    #[test]
    fn whole_disks_are_found_in_sysfs() {
        let tree = TempTree::new()
            .link("/sys/dev/block/254:0", "../../devices/virtual/block/zram0")
            .file("/sys/block/zram0/backing_dev", "none\n");
        assert_eq!(Device::find(&Tree::at(tree.root()), NUMBER).unwrap(), device("zram0", None));
        let backed = tree.file("/sys/block/zram0/backing_dev", "/dev/vdb\n");
        assert_eq!(Device::find(&Tree::at(backed.root()), NUMBER).unwrap(), device("zram0", Some("/dev/vdb")));
    }

    #[test]
    fn a_partition_is_judged_by_its_disk() {
        let tree = TempTree::new()
            .file("/sys/devices/virtual/block/ram0/ram0p1/partition", "1\n")
            .link("/sys/dev/block/254:0", "../../devices/virtual/block/ram0/ram0p1");
        let found = Device::find(&Tree::at(tree.root()), NUMBER).unwrap();
        assert_eq!((found.name.as_str(), found.disk.as_str()), ("ram0p1", "ram0"));
        assert_eq!(judge(&found, &Release::parse("6.12")).0, Synchronous::Yes);
    }

    #[test]
    fn a_device_that_sysfs_lacks_has_a_reason() {
        let empty = TempTree::new();
        let SynchronousReason::Unreadable { detail } = Device::find(&Tree::at(empty.root()), NUMBER).unwrap_err()
        else {
            panic!("a device number that sysfs should have")
        };
        assert!(detail.contains("/sys/dev/block/254:0"), "{detail}");
        let number = DeviceNumber { major: 0, minor: 43 };
        let anonymous = Device::find(&Tree::at(empty.root()), number).unwrap_err();
        assert_eq!(anonymous, SynchronousReason::NoBlockDevice { number });
    }
}
