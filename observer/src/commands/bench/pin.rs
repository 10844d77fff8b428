//! The share of the pin in an uncontended direct swap-in: the two functions that take and drop it, timed by programs on
//! their entry and return.

use serde::Serialize;

use super::{
    note::Note,
    rounds::{Rounds, failed},
};
use observer_kernel::survey::Ready;
use observer_probe::{PinTimer, Timed};
use observer_workload::bench::swapin::{Bench, Path};

/// Calls of an empty function per round, which measure the cost of timing.
const EMPTY_CALLS: u32 = 2_000;

/// The cost of taking and dropping the pin over all rounds, in nanoseconds per call. The cost of timing is subtracted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(super) struct PinCost {
    pub(super) take_ns: f64,
    /// The fault has given up the entry's last reference before it drops the pin. So this frees the entry and the
    /// device's copy of the page, which a kernel without the pin does elsewhere.
    pub(super) drop_ns: f64,
    /// Cost of timing: the programs around an empty function.
    pub(super) timing_ns: f64,
    pub(super) pins_per_page: f64,
    /// Calls that could not be timed.
    pub(super) untimed: u64,
}

/// Times the pin in rounds of direct swap-ins. Returns the cost per page of each round, and the cost per call over all
/// of them; `None`, with a note: not on this kernel.
///
/// # Errors
/// When a round fails.
pub(super) fn measure(
    ready: &Ready,
    bench: &Bench,
    rounds: u32,
    notes: &mut Vec<Note>,
) -> anyhow::Result<Option<(Vec<f64>, PinCost)>> {
    let Some(functions) = PinTimer::functions(&ready.plan) else {
        notes.push(Note::NoPin);
        return Ok(None);
    };
    let timer = match PinTimer::attach(functions) {
        Ok(timer) => timer,
        Err(error) => {
            notes.push(Note::PinNotTimed { reason: error.to_string() });
            return Ok(None);
        }
    };
    // Warms up.
    bench.round(Path::Direct).map_err(failed)?;
    timer.call_nothing(EMPTY_CALLS)?;
    let before = timer.timed()?;
    let pages = bench.pages() as f64;
    let costs = Rounds { name: &"pin", count: rounds }.run(|| {
        let before = timer.timed()?;
        bench.round(Path::Direct).map_err(failed)?;
        timer.call_nothing(EMPTY_CALLS)?;
        let cost = cost(since(timer.timed()?, before), pages);
        Ok(cost.map_or(0.0, |cost| cost.pins_per_page * (cost.take_ns + cost.drop_ns)))
    })?;
    let cost = cost(since(timer.timed()?, before), pages * f64::from(rounds));
    if cost.is_none() {
        notes.push(Note::PinNotTaken);
    }
    Ok(cost.map(|cost| (costs, cost)))
}

fn since(after: [Timed; 3], before: [Timed; 3]) -> [Timed; 3] {
    let mut difference = after;
    for (timed, before) in difference.iter_mut().zip(before) {
        *timed = timed.since(before);
    }
    difference
}

/// The cost per call of `take` and `drop` without that of timing. `None`: there were no calls.
fn cost([take, drop, empty]: [Timed; 3], pages: f64) -> Option<PinCost> {
    let timing_ns = empty.mean()?;
    Some(PinCost {
        take_ns: (take.mean()? - timing_ns).max(0.0),
        drop_ns: (drop.mean()? - timing_ns).max(0.0),
        timing_ns,
        pins_per_page: take.calls as f64 / pages,
        untimed: take.cut + drop.cut + empty.cut,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timed(calls: u64, ns: u64) -> Timed {
        Timed { calls, ns, cut: 1 }
    }

    #[test]
    fn the_cost_of_timing_is_subtracted() {
        let cost = cost([timed(10, 1_500), timed(10, 900), timed(100, 5_000)], 10.0).unwrap();
        let expected = PinCost { take_ns: 100.0, drop_ns: 40.0, timing_ns: 50.0, pins_per_page: 1.0, untimed: 3 };
        assert_eq!(cost, expected);
    }

    #[test]
    fn a_cost_is_not_negative() {
        assert!(cost([timed(1, 40), timed(1, 40), timed(1, 50)], 1.0).unwrap().take_ns.abs() < 1e-9);
        assert_eq!(cost([Timed::default(); 3], 1.0), None);
    }
}
