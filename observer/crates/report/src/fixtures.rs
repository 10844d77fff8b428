//! Findings for tests.

use observer_engine::{
    event::{Entry, Path, Pin, PinResult, Task},
    verdict::{Action, Finding, OtherFault, Verdict},
};

/// Start of the read.
const ZERO: u64 = 6_260_810_150;

fn task(tid: u32, comm: &str) -> Task {
    Task { tid, pid: 99, comm: comm.into() }
}

fn action(micros: u64, tid: u32, comm: &str) -> Action {
    Action { at_ns: ZERO + micros * 1_000, by: task(tid, comm) }
}

/// A fault of another task that swaps the page in.
fn other(tid: u32, from_us: u64, to_us: u64) -> OtherFault {
    let at = |us: u64| ZERO + us * 1_000;
    OtherFault {
        task: task(tid, "observer"),
        start_ns: at(from_us),
        read_start_ns: Some(at(from_us + 3)),
        read_end_ns: Some(at(from_us + 40)),
        freed_ns: Some(at(to_us - 10)),
        end_ns: at(to_us),
        path: Path::Direct,
        pin: None,
        installed: true,
    }
}

/// As `stress targeted` produces it on 5.10.
pub(crate) fn stale() -> Finding {
    Finding {
        verdict: Verdict::StaleInstall,
        entry: Entry::new(0, 40),
        reader: task(106, "victim"),
        address: 0x7f0a_007e_e000,
        mm: 1,
        cgroup: 42,
        start_ns: ZERO - 9_000,
        read_start_ns: ZERO,
        read_end_ns: Some(ZERO + 31_000),
        freed: Some(action(4_192, 99, "observer")),
        allocated: Some(action(5_801, 99, "observer")),
        written: Some(action(6_236, 99, "observer")),
        end_ns: ZERO + 21_408_000,
        installed: true,
        changes: 2,
        read_during_write: false,
        read_before_change: true,
        others: vec![other(99, 4_120, 4_203)],
    }
}

pub(crate) fn reuse() -> Finding {
    let allocated = Some(action(18_000, 77, "kswapd0"));
    Finding { verdict: Verdict::Reuse, installed: false, written: None, allocated, ..stale() }
}

pub(crate) fn window() -> Finding {
    Finding { verdict: Verdict::Window, allocated: None, written: None, ..stale() }
}

/// Many tasks at nearly the same time; the free was not observed.
pub(crate) fn crowd() -> Finding {
    let pin = Some(Pin { tried: ZERO + 4_500_000, result: PinResult::Held, failures: 1, dropped: None });
    let mut others: Vec<_> = (0..8).map(|n| other(200 + n, 4_100 + u64::from(n), 4_220 + u64::from(n))).collect();
    others.push(OtherFault { pin, read_start_ns: None, read_end_ns: None, installed: false, ..other(300, 0, 90_000) });
    others.remove(0);
    let (allocated, written) = (Some(action(4_193, 77, "kswapd0")), Some(action(4_194, 77, "a-very-long-nam")));
    Finding { freed: None, allocated, written, others, read_end_ns: None, ..stale() }
}

/// The entry was freed, reallocated and half written when the read started.
pub(crate) fn during_write() -> Finding {
    let before = |micros: u64| Some(Action { at_ns: ZERO - micros * 1_000, by: task(99, "observer") });
    Finding {
        start_ns: ZERO - 90_000,
        freed: before(70),
        allocated: before(30),
        written: before(12),
        read_during_write: true,
        read_before_change: false,
        others: Vec::new(),
        ..stale()
    }
}

/// All within a microsecond.
pub(crate) fn short() -> Finding {
    let at = |ns: u64| Some(Action { at_ns: ZERO + ns, by: task(99, "b") });
    Finding {
        start_ns: ZERO,
        read_end_ns: Some(ZERO + 1),
        freed: at(2),
        allocated: at(3),
        written: at(4),
        end_ns: ZERO + 5,
        others: Vec::new(),
        ..stale()
    }
}

/// All at the same time.
pub(crate) fn instant() -> Finding {
    Finding { start_ns: ZERO, end_ns: ZERO, read_end_ns: None, others: Vec::new(), ..window() }
}

pub(crate) fn all() -> Vec<Finding> {
    vec![stale(), reuse(), window(), crowd(), short(), instant(), during_write()]
}
