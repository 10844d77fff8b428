//! Faults that have been in progress for long.

use observer_engine::event::{Comm, Entry, Nanos, Task};
use serde::{Deserialize, Serialize};

/// A fault in progress for longer is a stall. Readers of slow disks take up to some hundred milliseconds.
pub const STALL: Nanos = 1_000_000_000;
/// Most stalls that are listed; all are counted.
pub const MAX_STALLS: usize = 16;

/// A fault in progress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stall {
    /// Process id and name are 0 and empty where they cannot be read.
    pub task: Task,
    pub entry: Entry,
    pub start_ns: Nanos,
    /// Since when it has waited for the lock of its folio; `None`: it does not.
    pub waits_since_ns: Option<Nanos>,
}

/// The faults that had been in progress for longer than [`STALL`] when a sample was taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stalls {
    pub count: u64,
    /// The longest, longest first.
    pub longest: Vec<Stall>,
}

impl Stalls {
    /// Those of `faults` that are stalls at `now`.
    pub fn of(faults: impl IntoIterator<Item = Stall>, now: Nanos) -> Self {
        let mut longest: Vec<Stall> =
            faults.into_iter().filter(|fault| now.saturating_sub(fault.start_ns) > STALL).collect();
        let count = longest.len() as u64;
        longest.sort_by_key(|fault| (fault.start_ns, fault.task.tid));
        longest.truncate(MAX_STALLS);
        Self { count, longest }
    }
}

/// A stall in a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct StoredStall {
    tid: u32,
    pid: u32,
    comm: String,
    entry: u64,
    start_ns: Nanos,
    #[serde(skip_serializing_if = "Option::is_none")]
    waits_since_ns: Option<Nanos>,
}

impl Serialize for Stalls {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let stored = self.longest.iter().map(|stall| StoredStall {
            tid: stall.task.tid,
            pid: stall.task.pid,
            comm: stall.task.comm.to_string(),
            entry: stall.entry.0,
            start_ns: stall.start_ns,
            waits_since_ns: stall.waits_since_ns,
        });
        (self.count, stored.collect::<Vec<_>>()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Stalls {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (count, stored) = <(u64, Vec<StoredStall>)>::deserialize(deserializer)?;
        let longest = stored.into_iter().take(MAX_STALLS).map(|stall| Stall {
            task: Task { tid: stall.tid, pid: stall.pid, comm: Comm::from_escaped(&stall.comm) },
            entry: Entry(stall.entry),
            start_ns: stall.start_ns,
            waits_since_ns: stall.waits_since_ns,
        });
        Ok(Self { count, longest: longest.collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(tid: u32, start_ns: Nanos) -> Stall {
        Stall { task: Task { tid, ..Task::default() }, entry: Entry::new(0, 7), start_ns, waits_since_ns: None }
    }

    #[test]
    fn long_faults_are_counted_and_the_longest_listed_first() {
        let now = 1_000 * STALL;
        assert_eq!(Stalls::of([fault(1, now), fault(2, now - STALL), fault(3, now + 1)], now), Stalls::default());
        let stalls = Stalls::of([fault(1, now - STALL - 1), fault(2, 5), fault(3, now - 10)], now);
        assert_eq!((stalls.count, stalls.longest.iter().map(|stall| stall.task.tid).collect()), (2, vec![2, 1]));
        let many = Stalls::of((0..100).map(|tid| fault(tid, tid.into())), now);
        assert_eq!((many.count, many.longest.len(), many.longest[0].task.tid), (100, MAX_STALLS, 0));
    }

    #[test]
    fn stalls_are_read_back_from_a_file() {
        let waits = Stall { waits_since_ns: Some(9), ..fault(2, 8) };
        let stalls = Stalls { count: 40, longest: vec![fault(1, 7), waits] };
        let json = serde_json::to_string(&stalls).unwrap();
        assert_eq!(serde_json::from_str::<Stalls>(&json).unwrap(), stalls);
        let long = Stalls { count: 40, longest: (0..40).map(|tid| fault(tid, 1)).collect() };
        let json = serde_json::to_string(&long).unwrap();
        assert_eq!(serde_json::from_str::<Stalls>(&json).unwrap().longest.len(), MAX_STALLS, "a malicious file");
    }
}
