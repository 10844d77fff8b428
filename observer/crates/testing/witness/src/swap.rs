//! A zram device with swap on it, removed when dropped.

use std::{
    ffi::CString,
    fs::{self, OpenOptions},
    io,
    os::unix::fs::FileExt as _,
    path::Path,
    process::Command,
    thread,
    time::Duration,
};

use crate::{
    failure::{Failure, Result},
    memory::page_size,
};

const CONTROL: &str = "/sys/class/zram-control";
/// From linux/swap.h. With the highest priority the device is used first.
const SWAP_FLAG_PREFER: libc::c_int = 0x8000;
const HIGHEST_PRIORITY: libc::c_int = 0x7fff;

struct Zram {
    number: u32,
}

impl Zram {
    fn add() -> Result<Self> {
        let add = format!("{CONTROL}/hot_add");
        if !Path::new(&add).exists() {
            let why = match Command::new("modprobe").args(["zram", "num_devices=0"]).output() {
                Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
                Err(why) => why.to_string(),
            };
            if !Path::new(&add).exists() {
                let remedy = "load the module zram (insmod lzo-rle.ko, zsmalloc.ko, zram.ko), or mount sysfs";
                return Err(Failure::new("loading the module zram", why, remedy));
            }
        }
        let number = fs::read_to_string(&add).map_err(|e| Failure::new("adding a zram device", e, "run as root"))?;
        let parsed = number.trim().parse().map_err(|e| Failure::new("adding a zram device", e, "report it"))?;
        Ok(Self { number: parsed })
    }

    fn path(&self) -> String {
        format!("/dev/zram{}", self.number)
    }

    fn set(&self, attribute: &str, value: &str) -> io::Result<()> {
        fs::write(format!("/sys/block/zram{}/{attribute}", self.number), value)
    }
}

impl Drop for Zram {
    fn drop(&mut self) {
        // A program that probes new block devices may have it open for a moment.
        let removed = retry(|| {
            self.set("reset", "1")?;
            fs::write(format!("{CONTROL}/hot_remove"), self.number.to_string())
        });
        if let Err(why) = removed {
            eprintln!(
                "witness: cannot remove {}: {why}\n  to do: echo 1 > /sys/block/zram{n}/reset; echo {n} > {CONTROL}/hot_remove",
                self.path(),
                n = self.number,
            );
        }
    }
}

/// Swap on a new zram device. When dropped, swap is switched off and the device is removed; mappings with swapped-out
/// pages have to be dropped before.
pub(crate) struct Swap {
    device: Zram,
    pub(crate) slots: usize,
}

impl Swap {
    /// With room for `slots` pages.
    pub(crate) fn on(slots: usize) -> Result<Self> {
        let others = used("")?;
        if let Some((name, _)) = others {
            let why = format!("{name} is in use, and would be part of the counts");
            return Err(Failure::new("swapping on a new device", why, "swapoff -a, in a guest"));
        }
        let page_size = page_size()?;
        let device = Zram::add()?;
        let bytes = (slots + 1) * page_size;
        let remedy = "free some memory, or ask for fewer pages";
        device.set("disksize", &bytes.to_string()).map_err(|e| Failure::new("sizing the zram device", e, remedy))?;
        write_header(&device.path(), slots, page_size).map_err(|e| {
            Failure::new(format!("writing a swap header to {}", device.path()), e, "mount devtmpfs on /dev")
        })?;
        let path = c_path(&device)?;
        // SAFETY: `path` ends in a zero byte and outlives the call.
        if unsafe { libc::swapon(path.as_ptr(), SWAP_FLAG_PREFER | HIGHEST_PRIORITY) } != 0 {
            return Err(Failure::last_os(
                format!("swapping on {}", device.path()),
                "run as root, on a kernel with swap",
            ));
        }
        Ok(Self { device, slots })
    }

    /// `major:minor` of the device.
    pub(crate) fn number_pair(&self) -> Result<String> {
        let file = format!("/sys/block/zram{}/dev", self.device.number);
        let text = fs::read_to_string(&file).map_err(|e| Failure::new(format!("reading {file}"), e, "mount sysfs"))?;
        Ok(text.trim().to_owned())
    }

    /// Number of slots in use.
    pub(crate) fn used(&self) -> Result<usize> {
        let kib = used(&self.device.path())?.map_or(0, |(_, kib)| kib);
        Ok(kib * 1024 / page_size()?)
    }
}

impl Drop for Swap {
    fn drop(&mut self) {
        let Ok(path) = c_path(&self.device) else { return };
        let off = retry(|| {
            // SAFETY: `path` ends in a zero byte and outlives the call.
            match unsafe { libc::swapoff(path.as_ptr()) } {
                0 => Ok(()),
                _ => Err(io::Error::last_os_error()),
            }
        });
        if let Err(why) = off {
            eprintln!("witness: cannot switch off swap on {}: {why}\n  to do: swapoff {0}", self.device.path());
        }
    }
}

/// Retries for about a second while the device is busy.
fn retry(mut action: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    for _ in 0..100 {
        match action() {
            Err(why) if matches!(why.raw_os_error(), Some(libc::EBUSY | libc::EINTR)) => {
                thread::sleep(Duration::from_millis(10));
            }
            other => return other,
        }
    }
    action()
}

fn c_path(device: &Zram) -> Result<CString> {
    CString::new(device.path()).map_err(|e| Failure::new("naming the device", e, "report it"))
}

/// The first swap area whose name starts with `name`, and its use in KiB.
fn used(name: &str) -> Result<Option<(String, usize)>> {
    let text = fs::read_to_string("/proc/swaps")
        .map_err(|e| Failure::new("reading /proc/swaps", e, "mount proc; use a kernel with swap"))?;
    let line = text.lines().skip(1).find(|line| line.starts_with(name));
    let Some(line) = line else { return Ok(None) };
    let mut fields = line.split_whitespace();
    let device = fields.next().unwrap_or_default().to_owned();
    let kib =
        fields.nth(2).unwrap_or_default().parse().map_err(|e| Failure::new("reading /proc/swaps", e, "report it"))?;
    Ok(Some((device, kib)))
}

/// Writes the header of mkswap: version 1, number of the last page, no bad pages, and the signature at the end of the
/// page.
fn write_header(path: &str, slots: usize, page_size: usize) -> io::Result<()> {
    let mut tries = 0;
    let device = loop {
        match OpenOptions::new().write(true).open(path) {
            Ok(device) => break device,
            // The node in /dev appears a moment after the device.
            Err(why) if why.kind() == io::ErrorKind::NotFound && tries < 100 => tries += 1,
            Err(why) => return Err(why),
        }
        thread::sleep(Duration::from_millis(10));
    };
    let last = u32::try_from(slots).map_err(io::Error::other)?;
    let mut header = vec![0_u8; 1024];
    header.extend(1_u32.to_ne_bytes());
    header.extend(last.to_ne_bytes());
    header.resize(page_size - 10, 0);
    header.extend(b"SWAPSPACE2");
    device.write_all_at(&header, 0)?;
    device.sync_all()
}
