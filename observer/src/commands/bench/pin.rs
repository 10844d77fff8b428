//! The pin's part of a direct swap-in nobody races for: the two functions that take and drop it, timed from within.

use serde::Serialize;

use super::rows::Progress;
use observer_kernel::survey::Ready;
use observer_probe::{PinPrice, Timed};
use observer_workload::bench::swapin::{Bench, Way};

/// Calls of the function that does nothing, for each round.
const NOTHINGS: u32 = 2_000;

/// What taking and dropping the pin costs, in all rounds; nanoseconds a call, what timing costs taken off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(super) struct Pinned {
    /// Taking it.
    pub(super) take_ns: f64,
    /// Dropping it. Its fault has given up the entry's last reference by then, so this frees the entry and what the device
    /// keeps of it: work that a kernel without the pin does elsewhere.
    pub(super) drop_ns: f64,
    /// What timing itself costs: a pair of programs around a function that does nothing. Already taken off.
    pub(super) empty_ns: f64,
    /// Pins taken for each page swapped in.
    pub(super) pins_a_page: f64,
    /// Calls that could not be timed.
    pub(super) cut: u64,
}

/// Times rounds of direct swap-ins: what the pin cost a page, one for each round, and all of it. `None`, and a note: not
/// on this kernel.
///
/// # Errors
/// When a round fails.
pub(super) fn measured(
    ready: &Ready,
    bench: &Bench,
    rounds: u32,
    notes: &mut Vec<String>,
) -> anyhow::Result<Option<(Vec<f64>, Pinned)>> {
    let Some(functions) = PinPrice::functions(&ready.plan) else {
        notes.push("no row for the pin: this kernel takes none".to_owned());
        return Ok(None);
    };
    let price = match PinPrice::attach(functions) {
        Ok(price) => price,
        Err(error) => {
            notes.push(format!("no row for the pin: its functions cannot be timed here: {error}"));
            return Ok(None);
        }
    };
    bench.round(Way::Direct)?;
    price.call_nothing(NOTHINGS)?;
    let before = price.timed()?;
    let pages = bench.pages() as f64;
    let progress = Progress { name: "pin", observed: false, rounds };
    let costs = progress.rounds(|| {
        let before = price.timed()?;
        bench.round(Way::Direct)?;
        price.call_nothing(NOTHINGS)?;
        let of_round = since(price.timed()?, before);
        Ok(pinned(of_round, pages).map_or(0.0, |pinned| pinned.pins_a_page * (pinned.take_ns + pinned.drop_ns)))
    })?;
    let all = since(price.timed()?, before);
    Ok(pinned(all, pages * f64::from(rounds)).map(|pinned| (costs, pinned)).or_else(|| {
        notes.push("no row for the pin: no pin was taken".to_owned());
        None
    }))
}

fn since(after: [Timed; 3], before: [Timed; 3]) -> [Timed; 3] {
    let mut all = after;
    for (timed, before) in all.iter_mut().zip(before) {
        *timed = timed.since(before);
    }
    all
}

/// What calls cost without what timing them costs. `None`: there were none.
fn pinned([take, drop, empty]: [Timed; 3], pages: f64) -> Option<Pinned> {
    let empty_ns = empty.mean()?;
    Some(Pinned {
        take_ns: (take.mean()? - empty_ns).max(0.0),
        drop_ns: (drop.mean()? - empty_ns).max(0.0),
        empty_ns,
        pins_a_page: take.calls as f64 / pages,
        cut: take.cut + drop.cut + empty.cut,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timed(calls: u64, ns: u64) -> Timed {
        Timed { calls, ns, cut: 1 }
    }

    #[test]
    fn what_timing_costs_is_taken_off() {
        let pinned = pinned([timed(10, 1_500), timed(10, 900), timed(100, 5_000)], 10.0).unwrap();
        assert_eq!(pinned, Pinned { take_ns: 100.0, drop_ns: 40.0, empty_ns: 50.0, pins_a_page: 1.0, cut: 3 });
    }

    #[test]
    fn nothing_costs_no_less_than_nothing() {
        assert!(pinned([timed(1, 40), timed(1, 40), timed(1, 50)], 1.0).unwrap().take_ns.abs() < 1e-9);
        assert_eq!(pinned([Timed::default(); 3], 1.0), None);
    }
}
