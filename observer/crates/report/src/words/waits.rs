//! Waits: their kinds, their durations, and the remarks on their cost.

use crate::{
    summary::{distributions::Measure, place, remarks::Remark, stalls::StalledTask},
    units::{counted, duration},
};
use observer_engine::wait::WaitKind;

pub(crate) const fn wait_kind(kind: WaitKind) -> &'static str {
    match kind {
        WaitKind::Pin => "pin",
        WaitKind::FolioLock => "folio lock",
    }
}

pub const fn measure(measure: Measure) -> &'static str {
    match measure {
        Measure::FaultDirect => "direct swap-in",
        Measure::FaultCached => "cached swap-in",
        Measure::FaultNone => "early return",
        Measure::Overlap => "overlap",
        Measure::PinHold => "pin hold",
        Measure::PinWait => "pin wait",
        Measure::Oversleep => "oversleep",
        Measure::LockWait => "lock wait",
        Measure::LockOversleep => "lock oversleep",
        Measure::Window => "window",
    }
}

/// The remark, with what can be done about it.
pub(crate) fn remark(remark: &Remark) -> String {
    match remark {
        Remark::OverBudget { over, waits, budget_ns, longest_ns } => format!(
            "{over} of {} exceeded the budget of {}; the longest took {}",
            counted(*waits, "wait"),
            duration(*budget_ns),
            duration(*longest_ns)
        ),
        Remark::TickLongOversleep { long, waits, tick_ns, p50_ns, woken } => {
            let why = if *woken {
                "this kernel wakes tasks that wait for a pin, so these tasks waited for a CPU"
            } else {
                "on this kernel, tasks that wait for a pin sleep until the tick ends; kernels from 6.12 on wake them"
            };
            format!(
                "{long} of {} lasted more than a quarter of a tick ({}) after the pin was released, and the median \
                 oversleep is {}: {why}",
                counted(*waits, "wait"),
                duration(*tick_ns),
                duration(*p50_ns)
            )
        }
        Remark::OneHotHolder { kind, holder, waits, share } => format!(
            "{:.0}% of the time of all {} waits was spent on one holder: {holder}, {}",
            100.0 * share,
            wait_kind(*kind),
            counted(*waits, "wait")
        ),
        Remark::SpinningShmem { failed, swapins } => format!(
            "shmem failed to pin an entry {failed} times while {swapins} pages were swapped in: it retries at once, on \
             a CPU, for as long as another task holds the pin (kernels 6.14 to 6.19)"
        ),
        Remark::RangeBlocksNeighbours { behind, waits } => format!(
            "{behind} of {} were for a large folio that its holder swapped in for another of its pages: smaller folios \
             (/sys/kernel/mm/transparent_hugepage/hugepages-*) would avoid them",
            counted(*waits, "wait")
        ),
    }
}

/// A fault or a wait that has not ended. `with_host`: of several observations.
pub(crate) fn stalled(stalled: &StalledTask, with_host: bool) -> String {
    let StalledTask { host, task, entry, device, for_ns, waits_for, waited_ns } = stalled;
    let entry = place::entry(*entry, device.as_ref());
    let host = if with_host { format!("{host}: ") } else { String::new() };
    let name = if task.pid == 0 { format!("tid {}", task.tid) } else { task.to_string() };
    let length = duration(*for_ns);
    match (waits_for, waited_ns) {
        (Some(kind @ WaitKind::Pin), _) => {
            format!("{host}{name} has waited for {length} for the {} of entry {entry}", wait_kind(*kind))
        }
        (Some(kind), Some(waited)) => format!(
            "{host}{name} has been in a fault on entry {entry} for {length}, and has waited for {} of that for the {}",
            duration(*waited),
            wait_kind(*kind)
        ),
        _ => format!("{host}{name} has been in a fault on entry {entry} for {length}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_for_oversleep_depends_on_whether_the_kernel_wakes_waiting_tasks() {
        let text = |woken| {
            remark(&Remark::TickLongOversleep { long: 9, waits: 10, tick_ns: 4_000_000, p50_ns: 2_000_000, woken })
        };
        assert!(text(true).ends_with("these tasks waited for a CPU"), "{}", text(true));
        assert!(text(false).contains("kernels from 6.12 on"), "{}", text(false));
    }

    #[test]
    fn shares_are_percentages() {
        let holder = "java (pid 1, tid 2)".to_owned();
        let text = remark(&Remark::OneHotHolder { kind: WaitKind::FolioLock, holder, waits: 12, share: 0.6 });
        assert!(text.starts_with("60% of the time of all folio lock waits"), "{text}");
    }
}
