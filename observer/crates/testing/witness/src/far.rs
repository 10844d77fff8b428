//! Pages with swap entries far apart. Between two groups of pages the slots that the kernel would allocate next are
//! taken through `/dev/snapshot`, which allocates slots for hibernation images.

use std::{
    fs::{self, File},
    os::{fd::AsRawFd as _, unix::fs::MetadataExt as _},
    path::PathBuf,
};

use observer_text::Name;
use serde_json::{Value, json};

use crate::{
    failure::{Failure, Result},
    host::vmstat_required,
    memory::{Area, Pagemap, fill, holds, page_size},
    signals::stopped,
};

/// From `linux/suspend_ioctls.h`.
const FREE_SWAP_PAGES: libc::Ioctl = libc::_IO(0x33, 9);
const SET_SWAP_AREA: libc::Ioctl = libc::_IOW::<SwapArea>(0x33, 13);
const ALLOC_SWAP_PAGE: libc::Ioctl = libc::_IOR::<i64>(0x33, 20);

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pages: u32,
    /// At most as many as pages
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    groups: u32,
    /// Write the range of entries to this file once all pages are swapped out
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

impl Options {
    pub(crate) fn check(&self) -> Result<()> {
        if self.groups <= self.pages {
            return Ok(());
        }
        let why = format!("{} groups of {} pages", self.groups, self.pages);
        Err(Failure::new("grouping the pages", why, "give at least one page for each group"))
    }
}

/// `struct resume_swap_area`, which is packed.
#[repr(C, packed)]
struct SwapArea {
    offset: i64,
    device: u32,
}

/// Slots of the first swap area, freed when dropped.
struct Slots {
    snapshot: File,
    page_size: u64,
    /// Size of the area.
    pages: u64,
}

impl Slots {
    fn of_first_area() -> Result<Self> {
        let failed = |what: &str, why: &dyn std::fmt::Display| {
            Failure::new(what.to_owned(), why, "use a kernel with hibernation, as root, with swap on one block device")
        };
        let text = fs::read_to_string("/proc/swaps").map_err(|e| failed("reading /proc/swaps", &e))?;
        let mut fields = text.lines().nth(1).unwrap_or_default().split_whitespace();
        let device = fields.next().ok_or_else(|| failed("finding the swap area", &"no swap is in use"))?;
        let kib = fields.nth(1).and_then(|kib| kib.parse::<u64>().ok());
        let kib = kib.ok_or_else(|| failed("finding the swap area's size", &"cannot parse /proc/swaps"))?;
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

    /// Takes slots until one is at or beyond `page`.
    fn take_up_to(&self, page: u64) -> Result<()> {
        loop {
            let mut offset = 0_i64;
            // SAFETY: the request fills in a `loff_t`.
            if unsafe { libc::ioctl(self.snapshot.as_raw_fd(), ALLOC_SWAP_PAGE, &raw mut offset) } != 0 {
                return Err(Failure::last_os("taking a swap slot", "use a larger swap area"));
            }
            if offset.cast_unsigned() / self.page_size >= page || stopped() {
                return Ok(());
            }
        }
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        // SAFETY: the request has no argument.
        unsafe { libc::ioctl(self.snapshot.as_raw_fd(), FREE_SWAP_PAGES) };
    }
}

/// A device's number as the kernel encodes it for user space.
fn encoded(number: u64) -> u32 {
    let (major, minor) = (libc::major(number), libc::minor(number));
    minor & 0xff | major << 8 | (minor & !0xff) << 12
}

/// The swap in use must be one block device.
pub(crate) fn run(options: &Options) -> Result<Value> {
    options.check()?;
    let (pages, groups) = (options.pages as usize, options.groups as usize);
    let area = Area::new(pages)?;
    let map = Pagemap::open()?;
    let slots = Slots::of_first_area()?;
    let share = pages / groups;
    let before = vmstat_required("pswpin")?;
    let (mut corrupt, mut lowest, mut highest) = (0, u64::MAX, 0);
    for page in 0..pages {
        fill(area.page(page), page as u64);
    }
    for group in 0..groups {
        slots.take_up_to(slots.pages * group as u64 / groups as u64)?;
        let out = area.page_out_all(&map, group * share, share)?;
        if out < share && !stopped() {
            let why = format!("{out} of {share} pages are swapped out");
            return Err(Failure::new("paging out", why, "stop other programs and try again"));
        }
    }
    for page in 0..share * groups {
        // The lowest five bits in pagemap are the swap type.
        let entry = map.entry(area.address(page))?.unwrap_or_default() >> 5;
        (lowest, highest) = (lowest.min(entry), highest.max(entry));
    }
    let span = json!({ "lowest": lowest, "highest": highest, "area": slots.pages });
    if let Some(file) = &options.report {
        let failed = |e| Failure::new(format!("writing {}", Name::from(file)), e, "give a file that can be created");
        fs::write(file, format!("{span}\n")).map_err(failed)?;
    }
    for page in (0..share * groups).take_while(|_| !stopped()) {
        corrupt += usize::from(!holds(area.page(page), page as u64));
    }
    Ok(json!({
        "span": span,
        "corrupt": corrupt,
        "pswpin": vmstat_required("pswpin")? - before,
    }))
}
