//! A zram device with swap on it, added for the run and removed on every way out.
//!
//! Other devices are never touched: the device is new from `hot_add`, and a device that a killed process left behind is
//! identified by the UUID in its swap header before anything is done to it.

mod header;
mod host;
mod zram;

use std::{
    ffi::CString,
    fs::{self, File},
    io,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    thread::sleep,
    time::{Duration, Instant},
};

use observer_kernel::swaps::SWAPS;
use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};
use serde::{Deserialize, Serialize};

use self::header::{Uuid, read_uuid, swap_header};
use crate::{Result, WorkloadError, error::with_sources};
use observer_kernel::tree::read_text;
use observer_text::Name;

/// Enough for a ballast and a free slot.
const MIN_SLOTS: u32 = 8;
/// 256 GiB. Workloads that depend on which slot is allocated want few: with many free ones kernels up to 6.12 cache
/// some per CPU.
const MAX_SLOTS: u32 = 1 << 26;
/// `SWAP_FLAG_PREFER` (0x8000) of swapon, with the maximum 15-bit priority.
const HIGHEST_PRIORITY: i32 = 0x8000 | 0x7fff;
/// How long a step of the removal is retried while another process (udev) has the device open.
const BUSY_LIMIT: Duration = Duration::from_secs(3);
const BUSY_PAUSE: Duration = Duration::from_millis(20);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SwapOptions {
    /// Usable slots, [`MIN_SLOTS`]..=[`MAX_SLOTS`], without the page of the header.
    pub(crate) slots: u32,
    /// Set up the device although other swap is in use. If that is large, kernels up to 6.12 cache slots of all devices
    /// per CPU, and slots of this one cannot be steered one by one.
    pub(crate) allow_other_swap: bool,
    /// The compressor, if this kernel has it; otherwise, and with `None`, the kernel's default.
    pub(crate) compressor: Option<&'static str>,
}

/// Identifies a device that was set up, so that another process can remove it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The device's number within zram.
    id: u32,
    /// `/dev/zram<id>`.
    pub(crate) device: String,
    /// UUID in the swap header.
    uuid: String,
    /// The device node was missing and was created for the run: it is removed with the device.
    node_made: bool,
    /// The zram module was loaded for this run: it is unloaded with the device.
    module_loaded: bool,
}

impl Claim {
    fn sysfs(&self, attribute: &str) -> PathBuf {
        PathBuf::from(format!("/sys/block/zram{}/{attribute}", self.id))
    }
}

/// A zram device in use as swap. Dropping it switches swap off and removes the device.
#[derive(Debug)]
pub struct SwapDevice {
    claim: Claim,
    slots: u32,
    /// `stat` in sysfs, kept open so that reading it is fast.
    stat: File,
    removed: bool,
}

impl SwapDevice {
    /// Checks the host, adds a device, and enables swap on it with the highest priority.
    ///
    /// `on_claim` is called when the device exists and is not used as swap yet. With the claim another process can
    /// remove the device by [`remove_leftover`](Self::remove_leftover) if this one is killed. After an error nothing is
    /// left behind.
    pub(crate) fn set_up(options: SwapOptions, on_claim: impl FnOnce(&Claim) -> Result<()>) -> Result<Self> {
        check_slots(options.slots)?;
        host::check(options.slots, options.allow_other_swap)?;
        zram::check_sysfs()?;
        zram::check()?;
        let uuid = Uuid::random()?;
        let module_loaded = zram::load()?;
        let mut claim = add_device(uuid, module_loaded).inspect_err(|_| {
            if module_loaded {
                zram::unload();
            }
        })?;
        let ready = ensure_node(&mut claim).and_then(|()| open(&claim.sysfs("stat"), false));
        let stat = ready.inspect_err(|_| drop(remove(&claim)))?;
        // From here on, dropping `device` removes it.
        let device = Self { claim, slots: options.slots, stat, removed: false };
        on_claim(&device.claim)?;
        if let Some(compressor) = options.compressor {
            device.set_compressor(compressor);
        }
        device.swap_on(uuid)?;
        Ok(device)
    }

    /// Sets the compressor, which must happen before the size is set. A kernel without it keeps its default.
    fn set_compressor(&self, compressor: &str) {
        if let Err(error) = write(&self.claim.sysfs("comp_algorithm"), compressor) {
            log::info!("{}", with_sources(&error));
        }
    }

    /// The compressor in use; `None`: it cannot be read.
    pub(crate) fn compressor(&self) -> Option<String> {
        selected(&read(&self.claim.sysfs("comp_algorithm")).ok()?).map(str::to_owned)
    }

    pub(crate) const fn claim(&self) -> &Claim {
        &self.claim
    }

    /// Usable slots.
    pub(crate) const fn slots(&self) -> u32 {
        self.slots
    }

    /// Slots in use.
    pub(crate) fn used(&self) -> Result<u32> {
        let areas = host::swap_areas()?;
        let area = areas.iter().find(|area| area.path == self.claim.device.as_str());
        let area = area.ok_or_else(|| WorkloadError::format(SWAPS, &format!("no {}", self.claim.device)))?;
        let page_kib = (rustix::param::page_size() as u64 / 1024).max(1);
        Ok(u32::try_from(area.used_kib / page_kib).unwrap_or(u32::MAX))
    }

    /// Reads that the device has completed, from its `stat` in sysfs. Allocates no memory.
    pub(crate) fn reads(&self) -> Result<u64> {
        let mut text = [0; 256];
        let length =
            self.stat.read_at(&mut text, 0).map_err(|e| WorkloadError::io("read the device's stat file", e))?;
        let text = text.get(..length).unwrap_or_default();
        parse_reads(text).ok_or_else(|| WorkloadError::format("the device's stat file", &String::from_utf8_lossy(text)))
    }

    /// Switches swap off and removes the device, and the module if it was loaded for it. A second call does nothing.
    /// Pages that are still swapped out are read back into memory: unmap them first.
    pub(crate) fn tear_down(&mut self) -> Result<()> {
        if self.removed {
            return Ok(());
        }
        self.removed = true;
        remove(&self.claim)
    }

    /// Removes the device that a killed process left behind. False: it does not exist any more.
    ///
    /// Call it after the process has been reaped.
    ///
    /// # Errors
    /// [`WorkloadError::ForeignDevice`] if the device carries other swap or data.
    pub fn remove_leftover(claim: &Claim) -> Result<bool> {
        if !claim.sysfs("").exists() {
            if claim.module_loaded {
                zram::unload();
            }
            return Ok(false);
        }
        check_uuid(claim)?;
        remove(claim)?;
        Ok(true)
    }

    fn swap_on(&self, uuid: Uuid) -> Result<()> {
        let page_size = rustix::param::page_size();
        let bytes = u64::from(self.slots + 1) * page_size as u64;
        write(&self.claim.sysfs("disksize"), &bytes.to_string())?;
        let node = Path::new(&self.claim.device);
        let file = open(node, true)?;
        let header = swap_header(page_size, self.slots, uuid);
        let written = file.write_all_at(&header, 0).and_then(|()| file.sync_all());
        written.map_err(|e| WorkloadError::io(format!("write the swap header to {}", Name::from(node)), e))?;
        drop(file);
        let path = c_path(&self.claim.device)?;
        // SAFETY: `path` is a NUL-terminated string that outlives the call; swapon reads no other memory of this
        // process.
        let outcome = unsafe { libc::swapon(path.as_ptr(), HIGHEST_PRIORITY) };
        if outcome == 0 {
            Ok(())
        } else {
            Err(WorkloadError::io(format!("enable swap on {}", self.claim.device), last_error()))
        }
    }
}

impl Drop for SwapDevice {
    fn drop(&mut self) {
        if let Err(error) = self.tear_down() {
            log::error!("{}", with_sources(&error));
        }
    }
}

/// The word in brackets of a list of words.
fn selected(list: &str) -> Option<&str> {
    list.split_whitespace().find_map(|word| word.strip_prefix('[')?.strip_suffix(']'))
}

fn check_slots(slots: u32) -> Result<()> {
    if (MIN_SLOTS..=MAX_SLOTS).contains(&slots) {
        return Ok(());
    }
    Err(WorkloadError::OutOfRange { option: "slots", value: slots.into(), range: "8..=67108864" })
}

/// The number of completed reads in a block device's `stat` file.
fn parse_reads(stat: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(stat).ok()?;
    text.split_ascii_whitespace().next()?.parse().ok()
}

/// Adds a device. Its size is 0, and its device node may be missing.
fn add_device(uuid: Uuid, module_loaded: bool) -> Result<Claim> {
    // Reading this file adds a device and returns its number.
    let path = PathBuf::from(format!("{}/hot_add", zram::CONTROL));
    let text = read(&path)?;
    let id = text.trim().parse().map_err(|_| WorkloadError::format(Name::from(&path).to_string(), &text))?;
    Ok(Claim { id, device: format!("/dev/zram{id}"), uuid: uuid.to_string(), node_made: false, module_loaded })
}

/// Creates the device node if neither devtmpfs nor udev has.
fn ensure_node(claim: &mut Claim) -> Result<()> {
    if Path::new(&claim.device).exists() {
        return Ok(());
    }
    let path = claim.sysfs("dev");
    let text = read(&path)?;
    let (major, minor) = parse_dev(&text).ok_or_else(|| WorkloadError::format(Name::from(&path).to_string(), &text))?;
    let mode = Mode::RUSR | Mode::WUSR;
    mknodat(CWD, claim.device.as_str(), FileType::BlockDevice, mode, makedev(major, minor))
        .map_err(|e| WorkloadError::io(format!("create the device node {}", claim.device), e))?;
    claim.node_made = true;
    Ok(())
}

/// Parses `major:minor`.
fn parse_dev(text: &str) -> Option<(u32, u32)> {
    let (major, minor) = text.trim().split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// A device of size 0 has no content; any other must have the claim's UUID.
fn check_uuid(claim: &Claim) -> Result<()> {
    if read(&claim.sysfs("disksize"))?.trim() == "0" {
        return Ok(());
    }
    let mut page = vec![0; rustix::param::page_size()];
    let node = Path::new(&claim.device);
    open(node, false)?
        .read_exact_at(&mut page, 0)
        .map_err(|e| WorkloadError::io(format!("read the swap header of {}", Name::from(node)), e))?;
    let found = read_uuid(&page).map(|uuid| uuid.to_string());
    if found.as_deref() == Some(claim.uuid.as_str()) {
        return Ok(());
    }
    let detail = found.map_or_else(|| "no swap header".to_owned(), |uuid| format!("its UUID is {uuid}"));
    Err(WorkloadError::ForeignDevice { device: claim.device.clone(), detail })
}

/// Removes the claimed device in any state. A step that fails does not keep the others from being tried.
fn remove(claim: &Claim) -> Result<()> {
    let mut failed = Vec::new();
    let mut step = |what, outcome: io::Result<()>| failed.extend(outcome.err().map(|error| (what, error)));
    step("swapoff", swap_off(&claim.device));
    step("reset", retry_busy(|| fs::write(claim.sysfs("reset"), "1")));
    let control = format!("{}/hot_remove", zram::CONTROL);
    step("hot_remove", retry_busy(|| fs::write(&control, claim.id.to_string())));
    if claim.node_made {
        step("unlink", fs::remove_file(&claim.device));
    }
    if claim.module_loaded {
        zram::unload();
    }
    if failed.is_empty() {
        return Ok(());
    }
    Err(WorkloadError::NotRemoved { device: claim.device.clone(), id: claim.id, failed })
}

/// Switches swap off on `device`, if it is in use.
fn swap_off(device: &str) -> io::Result<()> {
    let areas = host::swap_areas().map_err(io::Error::other)?;
    if !areas.iter().any(|area| area.path == *device) {
        return Ok(());
    }
    let path = CString::new(device)?;
    // A signal interrupts swapoff half way; the next call continues from there.
    retry(libc::EINTR, || {
        // SAFETY: `path` is a NUL-terminated string that outlives the call; swapoff reads no other memory of this
        // process.
        if unsafe { libc::swapoff(path.as_ptr()) } == 0 { Ok(()) } else { Err(last_error()) }
    })
}

fn retry_busy(attempt: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    retry(libc::EBUSY, attempt)
}

/// Retries for [`BUSY_LIMIT`] while the error is `errno`.
fn retry(errno: i32, mut attempt: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    let end = Instant::now() + BUSY_LIMIT;
    loop {
        match attempt() {
            Err(error) if error.raw_os_error() == Some(errno) && Instant::now() < end => sleep(BUSY_PAUSE),
            outcome => return outcome,
        }
    }
}

fn open(path: &Path, write: bool) -> Result<File> {
    let opened = File::options().read(true).write(write).open(path);
    opened.map_err(|e| WorkloadError::io(format!("open {}", Name::from(path)), e))
}

fn read(path: &Path) -> Result<String> {
    read_text(path).map_err(|e| WorkloadError::io(format!("read {}", Name::from(path)), e))
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).map_err(|e| WorkloadError::io(format!("write {text} to {}", Name::from(path)), e))
}

fn c_path(path: &str) -> Result<CString> {
    CString::new(path).map_err(|_| WorkloadError::format("device path", path))
}

fn last_error() -> io::Error {
    io::Error::last_os_error()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(id: u32) -> Claim {
        let uuid = "01234567-89ab-cdef-0011-223344556677".to_owned();
        Claim { id, device: format!("/dev/zram{id}"), uuid, node_made: false, module_loaded: false }
    }

    #[test]
    fn the_number_of_slots_has_limits() {
        assert!(check_slots(79).is_ok());
        for slots in [0, MIN_SLOTS - 1, MAX_SLOTS + 1] {
            assert!(check_slots(slots).is_err(), "{slots}");
        }
    }

    #[test]
    fn device_numbers_are_parsed() {
        assert_eq!(parse_dev("252:3\n"), Some((252, 3)));
        assert_eq!(parse_dev("252"), None);
    }

    #[test]
    fn removing_a_device_that_does_not_exist_does_nothing() {
        assert!(!SwapDevice::remove_leftover(&claim(4_000_000)).unwrap());
    }

    #[test]
    fn other_errors_are_not_retried() {
        let mut calls = 0;
        let outcome = retry(libc::EBUSY, || {
            calls += 1;
            Err(io::Error::from_raw_os_error(if calls < 3 { libc::EBUSY } else { libc::ENODEV }))
        });
        assert_eq!(outcome.unwrap_err().raw_os_error(), Some(libc::ENODEV));
        assert_eq!(calls, 3);
    }

    #[test]
    fn completed_reads_are_the_first_number_of_stat() {
        assert_eq!(parse_reads(b"      12        0       96        0        3\n"), Some(12));
        assert_eq!(parse_reads(b""), None);
    }

    #[test]
    fn the_compressor_in_use_is_the_one_in_brackets() {
        assert_eq!(selected("lzo lzo-rle [lz4] zstd\n"), Some("lz4"));
        assert_eq!(selected("lzo"), None);
    }

    #[test]
    fn a_claim_is_read_back_from_json() {
        let json = serde_json::to_string(&claim(3)).unwrap();
        assert_eq!(serde_json::from_str::<Claim>(&json).unwrap(), claim(3));
    }
}
