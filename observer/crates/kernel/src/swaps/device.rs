//! The block device below a swap area, and whether the kernel reads it synchronously.
//!
//! No file says so: up to 6.2 the mark was that a driver has `rw_page`, later a queue flag or feature that sysfs does
//! not show. So the answer comes from the driver, told by the device's name, and the few things that change it.

use std::{fmt, fs};

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
    /// Its driver's number.
    pub major: u32,
    /// Its number among that driver's devices.
    pub minor: u32,
}

impl fmt::Display for DeviceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.major, self.minor)
    }
}

/// A block device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Device {
    /// Its number.
    pub number: DeviceNumber,
    /// Its kernel name: `zram0`, `ram0p1`, `dm-0`.
    pub name: String,
    /// The kernel name of its whole disk: itself, unless it is a partition.
    pub disk: String,
    /// For a zram with a backing device, that device: pages may then lie on it instead of in memory.
    pub zram_backing: Option<String>,
}

impl Device {
    /// Looks a device up in sysfs; or says why it is not there.
    pub(super) fn find(tree: &Tree, number: DeviceNumber) -> Result<Self, String> {
        // /sys/dev/block/259:1 -> ../../devices/pci0000:00/.../nvme0n1/nvme0n1p1
        let link = format!("/sys/dev/block/{number}");
        let target = fs::read_link(tree.path(&link)).map_err(|error| match number.major {
            0 => format!("its file system (device {number}) has no block device of its own, as with btrfs or NFS"),
            _ => format!("{link}: {error}"),
        })?;
        let mut names = target.iter().rev().map(|name| name.to_string_lossy().into_owned());
        let name = names.next().ok_or_else(|| format!("{link} leads nowhere"))?;
        let is_partition = tree.exists(format!("{link}/partition"));
        let disk = if is_partition { names.next() } else { None }.unwrap_or_else(|| name.clone());
        // The file is there only with CONFIG_ZRAM_WRITEBACK.
        let zram_backing = tree.line(format!("/sys/block/{disk}/backing_dev")).filter(|path| path != "none");
        Ok(Self { number, name, disk, zram_backing })
    }
}

/// Whether a device is read synchronously, and why.
pub(super) fn judge(device: &Device, release: &Release) -> (Synchronous, String) {
    let disk = &device.disk;
    match Driver::of_disk(disk) {
        Driver::Zram => match &device.zram_backing {
            None => (Synchronous::Yes, format!("{disk} is zram: compressed memory")),
            Some(backing) => judge_backed_zram(disk, backing, release),
        },
        Driver::Brd => (Synchronous::Yes, format!("{disk} is brd: a RAM disk")),
        Driver::Pmem => (Synchronous::Yes, format!("{disk} is pmem: persistent memory")),
        Driver::Btt => (Synchronous::Yes, format!("{disk} is btt: sectors in persistent memory")),
        Driver::Stacked => {
            (Synchronous::No, format!("{disk} stands on other devices; the property is not passed on through it"))
        }
        Driver::Asynchronous => (Synchronous::No, format!("{disk} completes reads later, through the swap cache")),
        Driver::Unknown => (Synchronous::Unknown, format!("{disk} belongs to a driver that is not known here")),
    }
}

/// With a backing device zram used operations without `rw_page` (`zram_wb_devops`); since 94541bc3fbde (6.1) it always
/// has it.
fn judge_backed_zram(disk: &str, backing: &str, release: &Release) -> (Synchronous, String) {
    let backed = format!("{disk} is zram with the backing device {backing}");
    match release.version {
        Some(version) if version >= (6, 1) => (Synchronous::Yes, format!("{backed}; it stays synchronous since 6.1")),
        Some(_) => (Synchronous::No, format!("{backed}; before 6.1 that ends its synchronous reads")),
        None => (Synchronous::Unknown, format!("{backed}; whether that matters depends on the kernel's release")),
    }
}

/// Drivers as far as they matter here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Driver {
    Zram,
    Brd,
    Pmem,
    Btt,
    /// Device mapper, md and loop.
    Stacked,
    Asynchronous,
    Unknown,
}

impl Driver {
    /// Tells the driver by a whole disk's kernel name.
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

    /// `pmem0` or, for a namespace of its own, `pmem0.1`; with an `s` at the end if a btt is on top.
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
        let zram_backing = backing.map(str::to_owned);
        Device { number: NUMBER, name: disk.to_owned(), disk: disk.to_owned(), zram_backing }
    }

    #[test]
    fn drivers_by_name() {
        let yes = ["zram0", "zram12", "ram0", "pmem0", "pmem0.1", "pmem3s", "pmem0.1s"];
        let no = ["sda", "vda", "xvda", "nvme0n1", "mmcblk0", "loop7", "dm-0", "md127", "nullb0"];
        let unknown = ["zram", "zramx", "ramdisk0", "pmem", "pmems", "pmem0x", "zd0", "brandnew0"];
        let release = Release::parse("6.12.1");
        for (names, expected) in
            [(&yes[..], Synchronous::Yes), (&no[..], Synchronous::No), (&unknown[..], Synchronous::Unknown)]
        {
            for name in names {
                let (answer, reason) = judge(&device(name, None), &release);
                assert_eq!(answer, expected, "{name}");
                assert!(reason.contains(name), "{reason}");
            }
        }
    }

    #[test]
    fn a_backing_device_matters_before_6_1() {
        let backed = |release| judge(&device("zram0", Some("/dev/vdb")), &Release::parse(release)).0;
        assert_eq!(backed("5.10.0-32-cloud-amd64"), Synchronous::No);
        assert_eq!(backed("6.1.0-56-cloud-amd64"), Synchronous::Yes);
        assert_eq!(backed("7.0.13"), Synchronous::Yes);
        assert_eq!(backed("own-build"), Synchronous::Unknown);
    }

    #[test]
    fn whole_disks_in_sysfs() {
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
    fn a_device_that_is_not_there() {
        let empty = TempTree::new();
        assert!(Device::find(&Tree::at(empty.root()), NUMBER).unwrap_err().contains("/sys/dev/block/254:0"));
        let anonymous = DeviceNumber { major: 0, minor: 43 };
        assert!(Device::find(&Tree::at(empty.root()), anonymous).unwrap_err().contains("btrfs"));
    }
}
