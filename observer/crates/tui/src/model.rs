//! The data behind one frame, made ten times a second from a live observation or a recording. State and views do not
//! know which of the two it came from.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use observer_engine::{
    areas::AreaEntry,
    event::{Nanos, Task},
    report::VerdictCounts,
    tally::{Contention, TaskGroup},
    verdict::{Finding, Verdict},
    wait::{Wait, WaitKind},
};
use observer_kernel::{cgroups::CgroupMode, swaps::Synchronous};
use observer_observation::{Dropped, DurationSummary, Kernel, RingUse, Sample, WallClock};
use observer_record::player::Transport;
use observer_report::{
    picture::story::Setting,
    race::{Area, Evidence, Race},
    summary::{
        distributions::Measure,
        headline::{Code, Doubt, Seen},
    },
};
use observer_text::{Name, unescaped};

/// What stays constant while the dashboard is open.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct About {
    pub kernel: Kernel,
    /// The observed command, as typed; `None`: the whole host.
    pub command: Option<Name>,
    /// Filters in the kernel, by option.
    pub filters: BTreeMap<String, Name>,
    /// What the tables, durations and the time of waits are limited to, as options; rates and totals are not.
    pub selection: Option<String>,
    /// One entry in this many is observed; counts are scaled up by it.
    pub sample_one_in: u32,
    /// The hierarchies of control groups on the host.
    pub cgroups: CgroupMode,
}

/// A fault or a pin wait that has been in progress for long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stalled {
    pub task: Task,
    pub since_ns: Nanos,
    /// What the task waits for; `None`: nothing that another task holds.
    pub waits_for: Option<WaitKind>,
    /// Faults and pin waits beside it.
    pub others: u64,
}

impl Stalled {
    /// The longest; `long_waits` are those of the engine.
    pub(crate) fn of(sample: &Sample, long_waits: &[Wait]) -> Option<Self> {
        let faults = sample.stalls.as_ref();
        let fault = faults.and_then(|stalls| stalls.longest.first()).map(|fault| {
            let waits_for = fault.waits_since_ns.map(|_| WaitKind::FolioLock);
            (fault.start_ns, &fault.task, waits_for)
        });
        let wait = long_waits.first().map(|wait| (wait.from_ns, &wait.task, Some(wait.kind)));
        let (since_ns, task, waits_for) = fault.into_iter().chain(wait).min_by_key(|(since, ..)| *since)?;
        let all = faults.map_or(0, |stalls| stalls.count) + long_waits.len() as u64;
        Some(Self { task: task.clone(), since_ns, waits_for, others: all.saturating_sub(1) })
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SwapDevice {
    /// Short name, as it is printed: `zram0`.
    pub name: String,
    /// `zram`, `file`.
    pub driver: &'static str,
    pub size_kib: u64,
    /// `None`: unknown.
    pub used_kib: Option<u64>,
    pub synchronous: Synchronous,
}

/// What is counted, in the order of the overview.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Series {
    /// Pages read directly.
    Direct,
    /// Pages read through the swap cache.
    Cached,
    Overlaps,
    PinWaits,
    /// Waits on the folio lock.
    LockWaits,
    Windows,
    Reuses,
    StaleInstalls,
}

impl Series {
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

    pub const fn is_waits(self) -> bool {
        matches!(self, Self::PinWaits | Self::LockWaits)
    }

    /// The verdict that it counts; `None`: it counts swap-ins.
    pub const fn verdict(self) -> Option<Verdict> {
        match self {
            Self::Direct | Self::Cached => None,
            Self::Overlaps => Some(Verdict::Overlap),
            Self::PinWaits => Some(Verdict::PinWait),
            Self::LockWaits => Some(Verdict::LockWait),
            Self::Windows => Some(Verdict::Window),
            Self::Reuses => Some(Verdict::Reuse),
            Self::StaleInstalls => Some(Verdict::StaleInstall),
        }
    }

    /// The key in exports.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Cached => "cached",
            Self::Overlaps => "overlap",
            Self::PinWaits => "pin_wait",
            Self::LockWaits => "lock_wait",
            Self::Windows => "window",
            Self::Reuses => "reuse",
            Self::StaleInstalls => "stale_install",
        }
    }
}

/// Running totals, in the order of [`Series::ALL`].
pub type Counts = [u64; Series::ALL.len()];

/// What observing costs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    /// CPU time in user space over the last seconds, percent of one CPU.
    pub cpu_percent: f64,
    /// User-space CPU time per swap-in since the start, nanoseconds; `None`: no swap-in yet.
    pub per_swap_in_ns: Option<u64>,
    /// Resident memory now and its maximum, bytes; `None`: unknown.
    pub resident_bytes: Option<(u64, u64)>,
    /// Kernel memory of the maps, bytes; 0: unknown.
    pub kernel_bytes: u64,
    /// `None`: unknown.
    pub ring: Option<RingUse>,
    pub programs: ProgramTime,
}

/// CPU time of the eBPF programs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum ProgramTime {
    #[default]
    NotRequested,
    /// The kernel cannot measure it.
    Unavailable,
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

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Distribution {
    pub measure: Measure,
    pub summary: DurationSummary,
    /// Count of each of the [`BINS`] bins; empty: no durations.
    pub bins: Vec<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryRow {
    pub entry: AreaEntry,
    /// `None`: unknown.
    pub device: Option<String>,
    pub contention: Contention,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupRow {
    pub group: TaskGroup,
    pub name: String,
    pub contention: Contention,
}

#[derive(Clone, Debug, PartialEq)]
pub struct FindingRow {
    /// Number in this observation, from 1.
    pub number: u64,
    /// As in [`EntryRow`].
    pub device: Option<String>,
    /// End of the reader's fault, nanoseconds since the start.
    pub at_ns: Nanos,
    pub finding: Arc<Finding>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DelayInjection {
    #[default]
    NotLoaded,
    Attached {
        on: bool,
        ns: Nanos,
        /// Delays so far.
        delays: u64,
    },
    /// A replay: it cannot be switched.
    Recorded,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Model {
    pub about: Arc<About>,
    /// Now, on the clock of the events.
    pub at_ns: Nanos,
    /// Start of the observation on the same clock.
    pub start_ns: Nanos,
    /// The wall clock, as far as it is known.
    pub wall_clock: WallClock,
    /// `None`: unknown.
    pub devices: Option<Vec<SwapDevice>>,
    pub counts: Counts,
    /// Faults in progress on contended entries.
    pub faults_in_progress: usize,
    /// The fault or pin wait that has been in progress longest; `None`: none for more than a second.
    pub stalled: Option<Stalled>,
    pub dropped: Dropped,
    /// Why something may have been missed.
    pub doubts: Vec<Doubt>,
    /// Rows and findings that are counted and not listed, because a table is full.
    pub unlisted: u64,
    /// `None`: a replay, which does not measure it.
    pub cost: Option<Cost>,
    /// All waits since the last reset, nanoseconds.
    pub waited_ns: Nanos,
    /// The part of it after the release of the pin or lock.
    pub overslept_ns: Nanos,
    pub distributions: Arc<Vec<Distribution>>,
    /// Contended entries.
    pub entries: Arc<Vec<EntryRow>>,
    /// Contending tasks, in all three groupings.
    pub groups: Arc<Vec<GroupRow>>,
    /// Newest last.
    pub findings: Arc<Vec<FindingRow>>,
    /// Position and speed of the replay; `None`: live.
    pub transport: Option<Transport>,
    pub delay_injection: DelayInjection,
}

impl Model {
    /// Dropped events of all causes.
    pub fn dropped_events(&self) -> u64 {
        self.dropped.values().sum()
    }

    /// Whether every case of what a series counts is seen unless events are dropped.
    pub fn is_observable(&self, series: Series) -> bool {
        series.verdict().is_none_or(|verdict| self.about.kernel.is_observable(verdict))
    }

    /// The count of a series since the start.
    fn count(&self, series: Series) -> u64 {
        let counts = Series::ALL.into_iter().zip(self.counts);
        counts.filter(|(counted, _)| *counted == series).map(|(_, count)| count).sum()
    }

    /// The answer so far, as that of a report: of the whole observation, also after the counts were reset.
    pub fn answer(&self) -> Code {
        let seen = Seen {
            stale_installs: self.count(Series::StaleInstalls),
            windows: self.count(Series::Windows) + self.count(Series::Reuses),
            waits: self.count(Series::PinWaits) + self.count(Series::LockWaits),
        };
        Code::of(seen, !self.doubts.is_empty())
    }

    /// Whether there were times, entries or events that were not observed, beside what the hooks do not see.
    pub fn has_gaps(&self) -> bool {
        let is_gap = |doubt: &Doubt| matches!(doubt, Doubt::DroppedEvents { .. } | Doubt::DevicesUnobserved { .. });
        self.doubts.iter().any(is_gap)
    }

    /// Whether the kernel is vulnerable, whether the race is reachable, and what was observed of it.
    pub fn race(&self) -> Race {
        let area = |device: &SwapDevice| (Name::from(unescaped(&device.name)), device.synchronous);
        let areas: Option<Vec<Area>> = self.devices.as_ref().map(|devices| devices.iter().map(area).collect());
        let of_readers = [Series::Windows, Series::Reuses, Series::StaleInstalls];
        let stale = self.findings.iter().filter(|row| row.finding.verdict == Verdict::StaleInstall);
        let devices: BTreeSet<&str> = stale.filter_map(|row| row.device.as_deref()).collect();
        let evidence = Evidence {
            direct: self.count(Series::Direct),
            verdicts: VerdictCounts {
                overlap: self.count(Series::Overlaps),
                lock_wait: self.count(Series::LockWaits),
                pin_wait: self.count(Series::PinWaits),
                window: self.count(Series::Windows),
                reuse: self.count(Series::Reuses),
                stale_install: self.count(Series::StaleInstalls),
            },
            complete: !self.has_gaps() && of_readers.into_iter().all(|series| self.is_observable(series)),
            areas: devices.into_iter().map(|device| Name::from(unescaped(device))).collect(),
        };
        Race::new(self.about.kernel.state, areas.as_deref(), Some(evidence))
    }

    /// For the captions of a finding's picture.
    pub fn setting(&self, device: Option<&str>) -> Setting {
        let kernel = &self.about.kernel;
        Setting { release: kernel.release.clone(), state: kernel.state, device: device.unwrap_or_default().to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn longer_durations_have_higher_bins() {
        assert_eq!([0, 1, 2, 4, 5, 8].map(bin), [0, 0, 4, 8, 9, 12]);
        assert!((1..1_000_000u64).all(|ns| bin(ns) <= bin(ns + 1)));
        assert_eq!(bin(u64::MAX), BINS - 1);
    }
}
