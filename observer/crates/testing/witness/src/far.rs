//! Pages whose swap entries lie far apart: between one group and the next, whatever the kernel would have given out first
//! is taken by way of `/dev/snapshot`, which allocates swap slots to who wants to write a hibernation image.

use std::{
    fs::{self, File},
    os::{fd::AsRawFd as _, unix::fs::MetadataExt as _},
    path::PathBuf,
};

use serde_json::{Value, json};

use crate::{
    Failure, Result,
    memory::{Area, Pagemap, fill, holds, page_size},
    stopped, vmstat_needed,
};

/// From `linux/suspend_ioctls.h`.
const FREE_SWAP_PAGES: libc::Ioctl = libc::_IO(0x33, 9);
const SET_SWAP_AREA: libc::Ioctl = libc::_IOW::<SwapArea>(0x33, 13);
const ALLOC_SWAP_PAGE: libc::Ioctl = libc::_IOR::<i64>(0x33, 20);

pub(crate) struct Options {
    pub(crate) pages: usize,
    pub(crate) groups: usize,
    /// Gets what is answered, once all pages are out.
    pub(crate) tell: Option<PathBuf>,
}

/// `struct resume_swap_area`, which is packed.
#[repr(C, packed)]
struct SwapArea {
    offset: i64,
    device: u32,
}

/// Slots of the first swap area, held until dropped.
struct Slots {
    snapshot: File,
    page_size: u64,
    /// Of the area.
    pages: u64,
}

impl Slots {
    fn of_first_area() -> Result<Self> {
        let failed = |what: &str, why: &dyn std::fmt::Display| {
            Failure::new(what.to_owned(), why, "use a kernel with hibernation, as root, with swap on one block device")
        };
        let text = fs::read_to_string("/proc/swaps").map_err(|e| failed("reading /proc/swaps", &e))?;
        let mut fields = text.lines().nth(1).unwrap_or_default().split_whitespace();
        let device = fields.next().ok_or_else(|| failed("finding the swap area", &"there is none"))?;
        let kib = fields.nth(1).and_then(|kib| kib.parse::<u64>().ok());
        let kib = kib.ok_or_else(|| failed("finding the swap area's size", &"/proc/swaps has another shape"))?;
        let number = fs::metadata(device).map_err(|e| failed("looking at the swap device", &e))?.rdev();
        let snapshot = File::open("/dev/snapshot").map_err(|e| failed("opening /dev/snapshot", &e))?;
        let page_size = page_size()? as u64;
        let area = SwapArea { offset: 0, device: encoded(number) };
        // SAFETY: the request takes a `struct resume_swap_area`, which lives as long as the call.
        if unsafe { libc::ioctl(snapshot.as_raw_fd(), SET_SWAP_AREA, &raw const area) } != 0 {
            return Err(failed("naming the swap area to /dev/snapshot", &std::io::Error::last_os_error()));
        }
        Ok(Self { snapshot, page_size, pages: kib * 1024 / page_size })
    }

    /// Takes slots until one is at least so far into the area.
    fn take_up_to(&self, page: u64) -> Result<()> {
        loop {
            let mut offset = 0_i64;
            // SAFETY: the request fills in a `loff_t`.
            if unsafe { libc::ioctl(self.snapshot.as_raw_fd(), ALLOC_SWAP_PAGE, &raw mut offset) } != 0 {
                return Err(Failure::last_os("taking a swap slot", "give the swap area more room"));
            }
            if offset.cast_unsigned() / self.page_size >= page || stopped() {
                return Ok(());
            }
        }
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        // SAFETY: the request takes nothing.
        unsafe { libc::ioctl(self.snapshot.as_raw_fd(), FREE_SWAP_PAGES) };
    }
}

/// A device's number as the kernel encodes it for user space.
fn encoded(number: u64) -> u32 {
    let (major, minor) = (libc::major(number), libc::minor(number));
    minor & 0xff | major << 8 | (minor & !0xff) << 12
}

/// On the swap that is there, which must be one block device.
pub(crate) fn run(options: &Options) -> Result<Value> {
    let area = Area::new(options.pages)?;
    let map = Pagemap::open()?;
    let slots = Slots::of_first_area()?;
    let share = options.pages / options.groups;
    let before = vmstat_needed("pswpin")?;
    let (mut corrupt, mut lowest, mut highest) = (0, u64::MAX, 0);
    for page in 0..options.pages {
        fill(area.page(page), page as u64);
    }
    for group in 0..options.groups {
        slots.take_up_to(slots.pages * group as u64 / options.groups as u64)?;
        let out = area.page_out_all(&map, group * share, share)?;
        if out < share && !stopped() {
            let why = format!("{out} of {share} pages went");
            return Err(Failure::new("paging out", why, "run it alone on the machine; try again"));
        }
    }
    for page in 0..share * options.groups {
        // Pagemap packs the type into the lowest five bits.
        let entry = map.entry(area.address(page))?.unwrap_or_default() >> 5;
        (lowest, highest) = (lowest.min(entry), highest.max(entry));
    }
    let span = json!({ "lowest": lowest, "highest": highest, "area": slots.pages });
    if let Some(tell) = &options.tell {
        let failed = |e| Failure::new(format!("writing {}", tell.display()), e, "name a file that can be made");
        fs::write(tell, format!("{span}\n")).map_err(failed)?;
    }
    for page in (0..share * options.groups).take_while(|_| !stopped()) {
        corrupt += usize::from(!holds(area.page(page), page as u64));
    }
    Ok(json!({
        "span": span,
        "corrupt": corrupt,
        "pswpin": vmstat_needed("pswpin")? - before,
    }))
}
