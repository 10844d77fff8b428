//! What the pin adds to an uncontended direct swap-in, from the functions that take and drop it, and the one by which the
//! fault gives up its reference to the entry, timed by programs on their entry and return.
//!
//! A fault with the pin takes it, gives up its reference, which frees nothing because the pin is held, and drops the
//! pin, which frees the entry. A fault without the pin gives up its reference, which frees the entry. Both free the
//! entry once, so the pin adds what it costs to take it and to give up a reference that frees nothing.

use serde::Serialize;

use super::{
    note::Note,
    rounds::{Rounds, failed},
};
use observer_kernel::survey::Ready;
use observer_probe::{PinTimer, PinTimes};
use observer_workload::bench::swapin::{Bench, Path};

/// Calls of an empty function per round, which measure the cost of timing.
const EMPTY_CALLS: u32 = 2_000;

/// The cost of the pin over all rounds, in nanoseconds per call. The cost of timing is subtracted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(super) struct PinCost {
    pub(super) take_ns: f64,
    /// The fault has given up the entry's last reference before it drops the pin. So this frees the entry and the
    /// device's copy of the page, which a kernel without the pin does where the reference is given up.
    pub(super) drop_ns: f64,
    /// Giving up the reference while the pin is held, which frees nothing. `None`: the function is not known on this
    /// kernel; then the cost of the pin is only known to lie between that of taking it and that of taking and dropping
    /// it.
    pub(super) reference_ns: Option<f64>,
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
        Ok(cost(timer.timed()?.since(before), pages).map_or(0.0, PinCost::per_page))
    })?;
    let cost = cost(timer.timed()?.since(before), pages * f64::from(rounds));
    if cost.is_none() {
        notes.push(Note::PinNotTaken);
    }
    Ok(cost.map(|cost| (costs, cost)))
}

impl PinCost {
    /// What the pin adds to a page: taking it, and giving up a reference without an effect. If that is not known, what
    /// taking and dropping it cost.
    fn per_page(self) -> f64 {
        self.pins_per_page * (self.take_ns + self.reference_ns.unwrap_or(self.drop_ns))
    }
}

/// The cost per call without that of timing. `None`: there were no calls.
fn cost(times: PinTimes, pages: f64) -> Option<PinCost> {
    let PinTimes { take, drop, reference, nothing } = times;
    let timing_ns = nothing.mean()?;
    let without_timing = |mean: f64| (mean - timing_ns).max(0.0);
    Some(PinCost {
        take_ns: without_timing(take.mean()?),
        drop_ns: without_timing(drop.mean()?),
        reference_ns: reference.mean().map(without_timing),
        timing_ns,
        pins_per_page: take.calls as f64 / pages,
        untimed: take.cut + drop.cut + reference.cut + nothing.cut,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use observer_probe::Timed;

    fn timed(calls: u64, ns: u64) -> Timed {
        Timed { calls, ns, cut: 1 }
    }

    fn times(take: u64, drop: u64, reference: u64) -> PinTimes {
        let of_ten = |ns| timed(10, ns);
        PinTimes { take: of_ten(take), drop: of_ten(drop), reference: of_ten(reference), nothing: timed(100, 5_000) }
    }

    #[test]
    fn the_cost_of_timing_is_subtracted() {
        let cost = cost(times(1_500, 900, 700), 10.0).unwrap();
        let expected = PinCost {
            take_ns: 100.0,
            drop_ns: 40.0,
            reference_ns: Some(20.0),
            timing_ns: 50.0,
            pins_per_page: 1.0,
            untimed: 4,
        };
        assert_eq!(cost, expected);
    }

    #[test]
    fn the_pin_adds_taking_it_and_a_reference_that_frees_nothing() {
        let known = cost(times(1_500, 9_000, 700), 20.0).unwrap();
        assert!((known.per_page() - 0.5 * (100.0 + 20.0)).abs() < 1e-9, "{known:?}");
        let unknown = PinTimes { reference: Timed::default(), ..times(1_500, 9_000, 0) };
        let bound = cost(unknown, 10.0).unwrap();
        assert_eq!(bound.reference_ns, None);
        assert!((bound.per_page() - (100.0 + 850.0)).abs() < 1e-9, "{bound:?}");
    }

    #[test]
    fn a_cost_is_not_negative() {
        assert!(cost(times(400, 400, 400), 1.0).unwrap().take_ns.abs() < 1e-9);
        assert_eq!(cost(PinTimes::default(), 1.0), None);
    }
}
