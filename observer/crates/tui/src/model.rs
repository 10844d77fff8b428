//! What the dashboard shows at one moment: plain data, made ten times a second from a live kernel or from a recording.
//! Neither state nor views know where it comes from.

use std::sync::Arc;

use observer_engine::{
    event::{Entry, Nanos},
    tally::{Contention, Party},
    totals::DurationSummary,
    verdict::Finding,
};
use observer_kernel::swaps::Synchronous;
use observer_observation::RingUse;
use observer_record::player::Transport;
use observer_report::{picture::story::Setting, summary::dropped::Dropped};

/// Stands in tables for a device that is not known: it came after the recording started.
pub const NO_DEVICE: &str = "?";

/// What does not change while the dashboard is open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// Kernel release.
    pub release: String,
    /// What that kernel does about the race, in words.
    pub state: String,
    /// Whether two tasks can go wrong on this kernel (`Some(true)`: unfixed), only wait, or neither.
    pub exposure: Exposure,
    /// Backend in use, short: `fentry`.
    pub backend: String,
    /// Why not the better one, or what is not seen; empty: all is as it should be.
    pub backend_why: String,
    /// Length of a tick, nanoseconds.
    pub tick_ns: Option<u64>,
    /// The recording's file; empty: live.
    pub file: String,
    /// The command being watched; empty: everything on the host.
    pub command: String,
    /// The filters that are on, as they were given; empty: none.
    pub filters: String,
}

/// What a kernel lets happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Exposure {
    /// Pages can be lost.
    Unfixed,
    /// Tasks wait.
    Pinned,
    /// Nothing is read past the swap cache.
    Closed,
    /// Not known.
    #[default]
    Unknown,
}

/// A swap device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceLine {
    /// Short name: `zram0`.
    pub name: String,
    /// Number of the swap area, `type` of its entries.
    pub kind: u32,
    /// Driver or form: `zram`, `file`.
    pub form: String,
    /// Size, KiB.
    pub size_kib: u64,
    /// In use, KiB; `None`: not known.
    pub used_kib: Option<u64>,
    /// Whether it reads synchronously.
    pub synchronous: Synchronous,
}

/// What is counted, in the order in which it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Series {
    /// Pages read past the swap cache.
    Direct,
    /// Pages read into the swap cache.
    Cached,
    /// Overlaps.
    Overlaps,
    /// Pin waits.
    PinWaits,
    /// Waits on the folio lock.
    LockWaits,
    /// Windows.
    Windows,
    /// Reuses.
    Reuses,
    /// Stale installs.
    StaleInstalls,
}

impl Series {
    /// All.
    pub const ALL: [Self; 8] = [
        Self::Direct,
        Self::Cached,
        Self::Overlaps,
        Self::PinWaits,
        Self::LockWaits,
        Self::Windows,
        Self::Reuses,
        Self::StaleInstalls,
    ];

    /// Whether it counts waits.
    pub const fn is_waits(self) -> bool {
        matches!(self, Self::PinWaits | Self::LockWaits)
    }

    /// As it is shown.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct swap-ins",
            Self::Cached => "cached swap-ins",
            Self::Overlaps => "overlaps",
            Self::PinWaits => "pin waits",
            Self::LockWaits => "lock waits",
            Self::Windows => "windows",
            Self::Reuses => "reuses",
            Self::StaleInstalls => "stale installs",
        }
    }
}

/// Running totals, one for each of [`Series::ALL`].
pub type Counts = [u64; Series::ALL.len()];

/// The dashboard's and the observer's overhead.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    /// CPU time in user space over the last seconds, percent of one CPU.
    pub cpu_percent: f64,
    /// User-space CPU time for each swap-in since the start, nanoseconds; `None`: no swap-in yet.
    pub per_swap_in_ns: Option<u64>,
    /// Resident memory, bytes: now, and the most so far; `None`: not known.
    pub resident_bytes: Option<(u64, u64)>,
    /// Kernel memory of the maps, bytes; 0: not known.
    pub kernel_bytes: u64,
    /// Use of the ring buffer; `None`: not known.
    pub ring: Option<RingUse>,
    /// What the programs take.
    pub programs: ProgramShare,
}

/// What the programs take in the kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum ProgramShare {
    /// Nobody asked.
    #[default]
    NotAsked,
    /// The kernel does not tell.
    Refused,
    /// Percent of one CPU since the start.
    Percent(f64),
}

/// Bins of a distribution: a quarter of a power of two each, the first at 1 ns.
pub const BINS: usize = 4 * 42;

/// The bin of a duration.
pub fn bin(ns: Nanos) -> usize {
    let ns = ns.max(1);
    let power = ns.ilog2();
    // Linear within a power of two: near enough to a quarter each.
    let quarter = if power >= 2 { (ns >> (power - 2)) & 3 } else { 0 };
    (4 * power as usize + usize::try_from(quarter).unwrap_or(0)).min(BINS - 1)
}

/// A distribution of durations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Distribution {
    /// Which.
    pub name: &'static str,
    /// Count and percentiles.
    pub summary: DurationSummary,
    /// How many lie in each bin, [`BINS`] of them, or none at all.
    pub bins: Vec<u64>,
}

/// A row of the entries table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryRow {
    /// Which.
    pub entry: Entry,
    /// Its device; `?` where not known.
    pub device: String,
    /// What happened.
    pub contention: Contention,
}

/// A row of the tasks table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartyRow {
    /// Who.
    pub party: Party,
    /// The name to show.
    pub name: String,
    /// What happened.
    pub contention: Contention,
}

/// A row of the list of findings.
#[derive(Clone, Debug, PartialEq)]
pub struct FindingRow {
    /// Its number in the run, from 1.
    pub number: u64,
    /// Device of its entry.
    pub device: String,
    /// Seconds and tenths since the start of the run: how findings are told apart in time.
    pub at_ns: Nanos,
    /// The finding.
    pub finding: Arc<Finding>,
}

/// What can be said of delay injection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum DelayInjection {
    /// Not to be had, and why.
    #[default]
    NotAsked,
    /// Attached, and can be switched.
    Attached {
        /// Whether it is on now.
        on: bool,
        /// How long it delays, nanoseconds.
        ns: Nanos,
        /// Delays so far.
        delays: u64,
    },
    /// Part of a recording.
    Recorded,
}

/// See the module.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Model {
    /// What does not change.
    pub about: Arc<About>,
    /// Now, on the clock of the events.
    pub at_ns: Nanos,
    /// Start of the run on the same clock.
    pub start_ns: Nanos,
    /// Swap devices; `None`: not known.
    pub devices: Option<Vec<DeviceLine>>,
    /// Running totals.
    pub counts: Counts,
    /// Faults open on contended entries.
    pub faults_in_progress: usize,
    /// What was not seen.
    pub dropped: Dropped,
    /// overhead; `None`: a replay, where it would mean nothing.
    pub cost: Option<Cost>,
    /// All waits together since the last clearing, nanoseconds.
    pub waited_ns: Nanos,
    /// The part of them after the pin was dropped.
    pub overslept_ns: Nanos,
    /// Overlap, pin hold, pin wait, oversleep.
    pub distributions: Arc<Vec<Distribution>>,
    /// Contended entries.
    pub entries: Arc<Vec<EntryRow>>,
    /// Who contends, in all three groupings.
    pub parties: Arc<Vec<PartyRow>>,
    /// Newest last.
    pub findings: Arc<Vec<FindingRow>>,
    /// Where the replay stands; `None`: live.
    pub transport: Option<Transport>,
    /// Delay injection.
    pub delay_injection: DelayInjection,
}

impl Model {
    /// All dropped together.
    pub fn lost(&self) -> u64 {
        self.dropped.values().sum()
    }

    /// Whether some device reads synchronously; `None`: not known.
    pub fn synchronous(&self) -> Synchronous {
        let Some(devices) = &self.devices else { return Synchronous::Unknown };
        let any = |answer| devices.iter().any(|device| device.synchronous == answer);
        [Synchronous::Yes, Synchronous::Unknown].into_iter().find(|answer| any(*answer)).unwrap_or(Synchronous::No)
    }

    /// For the captions of a picture.
    pub fn setting(&self, device: &str) -> Setting {
        let device = if device == NO_DEVICE { String::new() } else { device.to_owned() };
        Setting { release: self.about.release.clone(), state: self.about.state.clone(), device }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_rise_with_durations() {
        assert_eq!([0, 1, 2, 4, 5, 8].map(bin), [0, 0, 4, 8, 9, 12]);
        assert!((1..1_000_000u64).all(|ns| bin(ns) <= bin(ns + 1)));
        assert_eq!(bin(u64::MAX), BINS - 1);
    }
}
