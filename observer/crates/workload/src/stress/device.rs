//! A swap device of one's own: a zram device added for the run, removed on every way out.
//!
//! Other devices are never touched: the device is one that `hot_add` has just made, and what a killed process left
//! behind is recognised by the UUID in its swap header before anything is done to it.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};
use serde::{Deserialize, Serialize};

use super::header::{Uuid, read_uuid, swap_header};
use super::{Result, StressError, host, module};

/// The smallest device that still has a slot to fill and one to play with.
pub const MIN_SLOTS: u32 = 8;
/// 256 GiB. (A workload that steers slots wants few: with many free ones the kernels up to 6.12 keep some in per-CPU caches.)
pub const MAX_SLOTS: u32 = 1 << 26;
/// swapon's `SWAP_FLAG_PREFER` (0x8000) with all 15 bits of the priority.
const HIGHEST_PRIORITY: i32 = 0x8000 | 0x7fff;
/// How long a step of the removal is tried again while somebody else (udev) has the device open.
const BUSY_LIMIT: Duration = Duration::from_secs(3);
const BUSY_PAUSE: Duration = Duration::from_millis(20);

/// How to set up the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SwapOptions {
    /// Usable slots, [`MIN_SLOTS`]..=[`MAX_SLOTS`]; the header's page comes on top.
    pub slots: u32,
    /// Go on although other swap is in use. Where that is large, the kernels up to 6.12 keep slots of all devices in
    /// per-CPU caches; nothing on this one can then be steered slot by slot.
    pub allow_other_swap: bool,
    /// The compressor, if this kernel has it; else, and with `None`, the kernel's own choice.
    pub compressor: Option<&'static str>,
}

/// What identifies a device that was set up: enough for another process to remove it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The id within zram.
    pub id: u32,
    /// Path of the device node, `/dev/zram<id>`.
    pub device: String,
    /// UUID in the swap header.
    pub uuid: String,
    /// The node was missing and has been made: it is removed with the device.
    pub node_made: bool,
    /// The zram module was loaded for this run: it is unloaded with the device.
    pub module_loaded: bool,
}

impl Claim {
    fn sysfs(&self, attribute: &str) -> PathBuf {
        PathBuf::from(format!("/sys/block/zram{}/{attribute}", self.id))
    }
}

/// A zram device with swap on it; dropping it removes both.
#[derive(Debug)]
pub struct SwapDevice {
    claim: Claim,
    slots: u32,
    /// The device's counters in sysfs, kept open so that reading them is cheap.
    stat: File,
    removed: bool,
}

impl SwapDevice {
    /// Checks the host, adds a device, and switches swap on it, with the highest priority there is.
    ///
    /// `on_claim` is called as soon as the device exists, before there is swap on it: whoever is told can remove it
    /// with [`leftover_cleanup`](Self::leftover_cleanup) if this process is killed. Nothing stays behind on an error.
    pub fn set_up(options: SwapOptions, on_claim: impl FnOnce(&Claim) -> Result<()>) -> Result<Self> {
        check_slots(options.slots)?;
        host::check(options.slots, options.allow_other_swap)?;
        module::check()?;
        let uuid = Uuid::random()?;
        let module_loaded = module::ensure()?;
        let mut claim = add_device(uuid, module_loaded).inspect_err(|_| {
            if module_loaded {
                module::unload();
            }
        })?;
        let ready = ensure_node(&mut claim).and_then(|()| open(&claim.sysfs("stat"), false));
        let stat = ready.inspect_err(|_| drop(remove(&claim)))?;
        // From here on dropping `device` removes it.
        let device = Self { claim, slots: options.slots, stat, removed: false };
        on_claim(&device.claim)?;
        if let Some(compressor) = options.compressor {
            device.compress_with(compressor);
        }
        device.switch_on(uuid)?;
        Ok(device)
    }

    /// Asks for a compressor, before the device has its size. A kernel without it keeps to its own, which
    /// [`Self::compressor`] tells.
    fn compress_with(&self, compressor: &str) {
        if let Err(error) = write(&self.claim.sysfs("comp_algorithm"), compressor) {
            log::info!("{error}");
        }
    }

    /// The compressor in use; `None`: the device does not tell.
    pub fn compressor(&self) -> Option<String> {
        chosen(&read(&self.claim.sysfs("comp_algorithm")).ok()?).map(str::to_owned)
    }

    /// What identifies the device.
    pub const fn claim(&self) -> &Claim {
        &self.claim
    }

    /// Usable slots.
    pub const fn slots(&self) -> u32 {
        self.slots
    }

    /// Slots in use right now.
    pub fn used(&self) -> Result<u32> {
        let areas = host::swap_areas()?;
        let area = areas.iter().find(|area| area.path == self.claim.device);
        let area = area.ok_or_else(|| StressError::format("/proc/swaps", &format!("no {}", self.claim.device)))?;
        let page_kib = (rustix::param::page_size() as u64 / 1024).max(1);
        Ok(u32::try_from(area.used_kib / page_kib).unwrap_or(u32::MAX))
    }

    /// Reads at the device so far, as its `stat` in sysfs counts them. Allocates nothing.
    pub fn reads(&self) -> Result<u64> {
        let mut text = [0; 256];
        let length = self.stat.read_at(&mut text, 0).map_err(|e| StressError::io("read the device's stat", e))?;
        let text = text.get(..length).unwrap_or_default();
        host::parse_reads(text).ok_or_else(|| StressError::format("the device's stat", &String::from_utf8_lossy(text)))
    }

    /// Switches swap off and removes the device, and the module if it was loaded for it. Done once; again is no error.
    /// Pages still swapped out come back into memory: unmap first what is not needed.
    pub fn tear_down(&mut self) -> Result<()> {
        if self.removed {
            return Ok(());
        }
        self.removed = true;
        remove(&self.claim)
    }

    /// Removes what a killed process left, known by its claim. True when there was something to remove.
    ///
    /// Refuses a device that carries swap, or data, of somebody else. Call it once the process is gone and reaped.
    pub fn leftover_cleanup(claim: &Claim) -> Result<bool> {
        if !claim.sysfs("").exists() {
            if claim.module_loaded {
                module::unload();
            }
            return Ok(false);
        }
        check_is_ours(claim)?;
        remove(claim)?;
        Ok(true)
    }

    fn switch_on(&self, uuid: Uuid) -> Result<()> {
        let page_size = rustix::param::page_size();
        let bytes = u64::from(self.slots + 1) * page_size as u64;
        write(&self.claim.sysfs("disksize"), &bytes.to_string())?;
        let node = Path::new(&self.claim.device);
        let file = open(node, true)?;
        let header = swap_header(page_size, self.slots, uuid);
        let written = file.write_all_at(&header, 0).and_then(|()| file.sync_all());
        written.map_err(|e| StressError::io(format!("write the swap header to {}", node.display()), e))?;
        drop(file);
        let path = c_path(&self.claim.device)?;
        // SAFETY: `path` is a NUL-terminated string that outlives the call; swapon reads nothing else of ours.
        let outcome = unsafe { libc::swapon(path.as_ptr(), HIGHEST_PRIORITY) };
        if outcome == 0 { Ok(()) } else { Err(StressError::io(format!("swapon {}", self.claim.device), last_error())) }
    }
}

impl Drop for SwapDevice {
    fn drop(&mut self) {
        if let Err(error) = self.tear_down() {
            log::error!("{error}");
        }
    }
}

/// Of a list of words the one in brackets.
fn chosen(list: &str) -> Option<&str> {
    list.split_whitespace().find_map(|word| word.strip_prefix('[')?.strip_suffix(']'))
}

fn check_slots(slots: u32) -> Result<()> {
    if (MIN_SLOTS..=MAX_SLOTS).contains(&slots) {
        return Ok(());
    }
    Err(StressError::OutOfRange { option: "slots", value: slots.into(), range: "8..=67108864" })
}

/// Adds a device. It has no node of certain existence yet, no size, no swap.
fn add_device(uuid: Uuid, module_loaded: bool) -> Result<Claim> {
    // Reading this file is what adds a device; the answer is its id.
    let path = format!("{}/hot_add", module::CONTROL);
    let answer = std::fs::read_to_string(&path).map_err(|e| StressError::io(format!("read {path}"), e))?;
    let id = answer.trim().parse().map_err(|_| StressError::format(path, &answer))?;
    Ok(Claim { id, device: format!("/dev/zram{id}"), uuid: uuid.to_string(), node_made: false, module_loaded })
}

/// Makes the device node where nobody (devtmpfs, udev) has made it.
fn ensure_node(claim: &mut Claim) -> Result<()> {
    if Path::new(&claim.device).exists() {
        return Ok(());
    }
    let path = claim.sysfs("dev");
    let text = read(&path)?;
    let (major, minor) = parse_dev(&text).ok_or_else(|| StressError::format(path.display().to_string(), &text))?;
    let mode = Mode::RUSR | Mode::WUSR;
    mknodat(CWD, claim.device.as_str(), FileType::BlockDevice, mode, makedev(major, minor))
        .map_err(|e| StressError::io(format!("mknod {}", claim.device), e))?;
    claim.node_made = true;
    Ok(())
}

/// Reads `major:minor`.
fn parse_dev(text: &str) -> Option<(u32, u32)> {
    let (major, minor) = text.trim().split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// A device without size belongs to nobody; one with a size must carry the claim's UUID.
fn check_is_ours(claim: &Claim) -> Result<()> {
    if read(&claim.sysfs("disksize"))?.trim() == "0" {
        return Ok(());
    }
    let mut page = vec![0; rustix::param::page_size()];
    let node = Path::new(&claim.device);
    open(node, false)?
        .read_exact_at(&mut page, 0)
        .map_err(|e| StressError::io(format!("read the swap header of {}", node.display()), e))?;
    let found = read_uuid(&page).map(|uuid| uuid.to_string());
    if found.as_deref() == Some(claim.uuid.as_str()) {
        return Ok(());
    }
    let detail = found.map_or_else(|| "no swap header".to_owned(), |uuid| format!("its UUID is {uuid}"));
    Err(StressError::NotOurs { device: claim.device.clone(), detail })
}

/// Removes the claimed device as it finds it. Every step is tried, whatever the others came to.
fn remove(claim: &Claim) -> Result<()> {
    let mut problems = Vec::new();
    let mut step = |what: &str, outcome: io::Result<()>| {
        if let Err(error) = outcome {
            problems.push(format!("{what}: {error}"));
        }
    };
    step("swapoff", switch_off(&claim.device));
    step("reset", retry_busy(|| std::fs::write(claim.sysfs("reset"), "1")));
    let control = format!("{}/hot_remove", module::CONTROL);
    step("hot_remove", retry_busy(|| std::fs::write(&control, claim.id.to_string())));
    if claim.node_made {
        step("unlink", std::fs::remove_file(&claim.device));
    }
    if claim.module_loaded {
        module::unload();
    }
    if problems.is_empty() {
        return Ok(());
    }
    Err(StressError::TearDown { device: claim.device.clone(), id: claim.id, problems: problems.join("; ") })
}

/// Switches swap off on `device`, if it is on.
fn switch_off(device: &str) -> io::Result<()> {
    let areas = host::swap_areas().map_err(io::Error::other)?;
    if !areas.iter().any(|area| area.path == device) {
        return Ok(());
    }
    let path = CString::new(device)?;
    // A signal that arrives meanwhile makes swapoff give up half way; it goes on where it was.
    retry(libc::EINTR, || {
        // SAFETY: `path` is a NUL-terminated string that outlives the call; swapoff reads nothing else of ours.
        if unsafe { libc::swapoff(path.as_ptr()) } == 0 { Ok(()) } else { Err(last_error()) }
    })
}

fn retry_busy(attempt: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    retry(libc::EBUSY, attempt)
}

/// Tries again, for a while, as long as the error is `errno`.
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
    opened.map_err(|e| StressError::io(format!("open {}", path.display()), e))
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|e| StressError::io(format!("read {}", path.display()), e))
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).map_err(|e| StressError::io(format!("write {text} to {}", path.display()), e))
}

fn c_path(path: &str) -> Result<CString> {
    CString::new(path).map_err(|_| StressError::format("device path", path))
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
    fn slots_have_a_range() {
        assert!(check_slots(79).is_ok());
        for slots in [0, MIN_SLOTS - 1, MAX_SLOTS + 1] {
            assert!(check_slots(slots).is_err(), "{slots}");
        }
    }

    #[test]
    fn device_numbers_are_major_colon_minor() {
        assert_eq!(parse_dev("252:3\n"), Some((252, 3)));
        assert_eq!(parse_dev("252"), None);
    }

    #[test]
    fn a_device_that_is_gone_leaves_nothing_to_clean() {
        assert!(!SwapDevice::leftover_cleanup(&claim(4_000_000)).unwrap());
    }

    #[test]
    fn only_the_named_error_is_tried_again() {
        let mut calls = 0;
        let outcome = retry(libc::EBUSY, || {
            calls += 1;
            Err(io::Error::from_raw_os_error(if calls < 3 { libc::EBUSY } else { libc::ENODEV }))
        });
        assert_eq!(outcome.unwrap_err().raw_os_error(), Some(libc::ENODEV));
        assert_eq!(calls, 3);
    }

    #[test]
    fn the_compressor_in_use_stands_in_brackets() {
        assert_eq!(chosen("lzo lzo-rle [lz4] zstd\n"), Some("lz4"));
        assert_eq!(chosen("lzo"), None);
    }

    #[test]
    fn a_claim_survives_json() {
        let json = serde_json::to_string(&claim(3)).unwrap();
        assert_eq!(serde_json::from_str::<Claim>(&json).unwrap(), claim(3));
    }
}
