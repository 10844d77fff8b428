//! The overhead of observing: CPU time and memory of the process, memory in the kernel, run times of the programs.

use serde::{Deserialize, Serialize};

/// The overhead of an observation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Overhead {
    /// Length of the observation.
    pub elapsed_ns: u64,
    /// CPU time of this process in user mode.
    pub user_ns: u64,
    /// CPU time of this process in the kernel: draining, reading counters.
    pub system_ns: u64,
    /// Resident size of the process at the last reading; `None`: unknown (recordings of earlier versions).
    pub resident_bytes: Option<u64>,
    /// Largest resident size of the process.
    pub max_resident_bytes: u64,
    /// Kernel memory of the maps, as the kernel accounts it.
    pub kernel_bytes: u64,
    /// `None`: unknown.
    pub ring: Option<RingUse>,
    /// Programs attached.
    pub programs: u32,
    /// Records that came through the ring buffer.
    pub records: u64,
    /// Disturbances that have not ended: while there are any, the programs record what they otherwise omit, and cost
    /// more. 0 at the end, unless faults were in progress or their ends were missed; `None`: unknown (earlier
    /// versions; before the end, while kprobes are attached).
    pub disturbed: Option<u32>,
    /// `None`: not requested.
    pub program_stats: Option<ProgramStats>,
}

impl Overhead {
    /// CPU time in user space, percent of one CPU; 0 for no time at all.
    pub fn cpu_percent(&self) -> f64 {
        percent(self.user_ns + self.system_ns, self.elapsed_ns)
    }
}

/// `part` as percent of `whole`, both in the same unit.
pub fn percent(part: u64, whole: u64) -> f64 {
    100.0 * part as f64 / whole.max(1) as f64
}

/// Use of the ring buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RingUse {
    pub size_bytes: u64,
    /// Unread bytes at the last reading.
    pub waiting_bytes: u64,
    /// Most unread bytes at any reading. It is read before records are taken out, so nothing that arrived in between is
    /// missing.
    pub highest_bytes: u64,
}

impl RingUse {
    /// Adds a reading of the two positions, which only grow, and wrap.
    pub const fn add_reading(&mut self, consumed: usize, produced: usize) {
        // A record that is only reserved counts too.
        self.waiting_bytes = produced.wrapping_sub(consumed) as u64;
        if self.waiting_bytes > self.highest_bytes {
            self.highest_bytes = self.waiting_bytes;
        }
    }
}

/// The run time of one program, without the trampoline or the trap of the kprobe that calls it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgramRun {
    pub name: String,
    pub runs: u64,
    /// Sum over all runs.
    pub run_ns: u64,
}

/// Run times of the programs, where they were requested.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProgramStats {
    /// The kernel does not count them; the reason.
    Refused(StatsRefusal),
    /// Sorted by name.
    Counted(Vec<ProgramRun>),
}

/// Why the kernel does not count the run times of programs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum StatsRefusal {
    /// The request failed; it needs `CAP_SYS_ADMIN`.
    RequestFailed { detail: String },
    /// The kernel lacks the count of at least one program.
    NotCounted,
    /// A recording of an earlier version has prose here.
    Described { text: String },
    /// A recording has a code that this version does not know.
    #[serde(other)]
    Unknown,
}

impl ProgramStats {
    /// Runs and nanoseconds of all programs together; `None`: not counted.
    pub fn sum(&self) -> Option<(u64, u64)> {
        let Self::Counted(programs) = self else { return None };
        Some(programs.iter().fold((0, 0), |(runs, ns), program| (runs + program.runs, ns + program.run_ns)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_use_is_kept_and_positions_wrap() {
        let mut ring = RingUse { size_bytes: 4096, ..RingUse::default() };
        ring.add_reading(usize::MAX - 7, 120);
        assert_eq!((ring.waiting_bytes, ring.highest_bytes), (128, 128));
        ring.add_reading(120, 120);
        assert_eq!((ring.waiting_bytes, ring.highest_bytes), (0, 128));
    }

    #[test]
    fn cpu_time_is_a_percentage_of_the_elapsed_time() {
        let cost = Overhead { elapsed_ns: 1_000, user_ns: 20, system_ns: 30, ..Overhead::default() };
        assert!((cost.cpu_percent() - 5.0).abs() < 1e-9);
        assert!(percent(0, 0).abs() < 1e-9);
    }
}
