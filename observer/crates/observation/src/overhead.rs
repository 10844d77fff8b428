//! What observing costs: CPU time and memory of the process, memory in the kernel, run times of the programs.

use serde::{Deserialize, Serialize};

/// The tool's overhead over an observation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Overhead {
    /// Length of the observation, nanoseconds.
    pub elapsed_ns: u64,
    /// User-space CPU time in user mode, nanoseconds.
    pub user_ns: u64,
    /// User-space CPU time in the kernel, nanoseconds: draining, reading counters.
    pub system_ns: u64,
    /// Resident size of the process when it was last looked at, bytes; `None`: not told (recordings of earlier versions).
    pub resident_bytes: Option<u64>,
    /// Largest resident size of the process, bytes.
    pub max_resident_bytes: u64,
    /// Kernel memory of the maps, bytes, as the kernel accounts it.
    pub kernel_bytes: u64,
    /// Use of the ring buffer; `None`: not told.
    pub ring: Option<RingUse>,
    /// Programs attached.
    pub programs: u32,
    /// Records that came through the ring buffer.
    pub records: u64,
    /// Disturbances that have not been taken back: while there are any, the programs note what they otherwise leave out, and are
    /// dearer. 0 in the end, unless faults were in progress or their ends were missed; `None`: not told (earlier versions).
    pub disturbed: Option<u32>,
    /// Run times of the programs; `None`: nobody asked for them.
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
    /// Its size, bytes.
    pub size_bytes: u64,
    /// Bytes that waited to be taken out when it was last looked at.
    pub waiting_bytes: u64,
    /// Most bytes that ever waited. It is looked at before records are taken out, so all that came in between is in it.
    pub highest_bytes: u64,
}

impl RingUse {
    /// Takes in a reading of the two positions, which only grow, and wrap.
    pub const fn look(&mut self, consumed: usize, produced: usize) {
        // A record that is reserved counts: its room is taken.
        self.waiting_bytes = produced.wrapping_sub(consumed) as u64;
        if self.waiting_bytes > self.highest_bytes {
            self.highest_bytes = self.waiting_bytes;
        }
    }
}

/// What one program has cost. Its own body only: what the kernel does to get there, the trampoline or the trap of a
/// kprobe, is not in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgramRun {
    /// Its name.
    pub name: String,
    /// How often it ran.
    pub runs: u64,
    /// How long it ran in all, nanoseconds.
    pub run_ns: u64,
}

/// Run times of the programs, where they were asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProgramStats {
    /// Not to be had; why.
    Refused(String),
    /// One for each program, in the order of their names.
    Counted(Vec<ProgramRun>),
}

impl ProgramStats {
    /// Runs and nanoseconds of all programs together; `None`: not to be had.
    pub fn sum(&self) -> Option<(u64, u64)> {
        let Self::Counted(programs) = self else { return None };
        Some(programs.iter().fold((0, 0), |(runs, ns), program| (runs + program.runs, ns + program.run_ns)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_stays_and_positions_wrap() {
        let mut ring = RingUse { size_bytes: 4096, ..RingUse::default() };
        ring.look(usize::MAX - 7, 120);
        assert_eq!((ring.waiting_bytes, ring.highest_bytes), (128, 128));
        ring.look(120, 120);
        assert_eq!((ring.waiting_bytes, ring.highest_bytes), (0, 128));
    }

    #[test]
    fn shares_of_a_cpu() {
        let cost = Overhead { elapsed_ns: 1_000, user_ns: 20, system_ns: 30, ..Overhead::default() };
        assert!((cost.cpu_percent() - 5.0).abs() < 1e-9);
        assert!(percent(0, 0).abs() < 1e-9);
    }
}
