//! Counts of an observation that saw one entry in so many, made into estimates of all (docs/decisions/sample.md).

use serde::Serialize;

use super::summary::{Faults, Locks, OutsidePins, Pins, Summary, SwapIns};
use observer_engine::totals::VerdictCounts;

/// What is multiplied, by its names in JSON.
const SCALED: [&str; 5] = ["swapins", "faults", "pins", "locks", "verdicts"];

/// A sample.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sampled {
    /// Of so many entries one was observed.
    pub one_in: u32,
    /// What is multiplied by that, so an estimate. Everything else is of the entries observed: findings, distributions,
    /// times, prices, entries, dropped.
    pub scaled: [&'static str; SCALED.len()],
    /// The verdicts as they were found: the evidence for them is in the lists.
    pub found: VerdictCounts,
}

impl Sampled {
    /// `None`: every entry was observed.
    pub(super) fn of(one_in: u32) -> Option<Self> {
        (one_in > 1).then_some(Self { one_in, scaled: SCALED, found: VerdictCounts::default() })
    }

    /// For people.
    pub fn words(&self) -> String {
        format!(
            "--sample 1/{}: counts of swap-ins, faults, pins, locks and verdicts are multiplied by {}; findings, times and \
             distributions are of the entries observed",
            self.one_in, self.one_in
        )
    }
}

/// Multiplies what is counted by entry. What the kernel counts itself, and what is lost, is of the whole host.
pub(super) fn scale(summary: &mut Summary, by: u64) {
    let verdicts = summary.verdicts;
    if let Some(sample) = &mut summary.sample {
        sample.found = verdicts;
    }
    scale_swapins(&mut summary.swapins, by);
    scale_faults(&mut summary.faults, by);
    scale_pins(&mut summary.pins, by);
    let Locks { failed, own_read, retries } = &mut summary.locks;
    multiply([failed, own_read, retries], by);
    let VerdictCounts { overlap, lock_wait, pin_wait, window, reuse, stale_install } = &mut summary.verdicts;
    multiply([overlap, lock_wait, pin_wait, window, reuse, stale_install], by);
}

fn scale_swapins(swapins: &mut SwapIns, by: u64) {
    let SwapIns { seen, direct, cached, outside_faults, lost: _, kernel: _ } = swapins;
    multiply([seen, direct, cached, outside_faults], by);
}

fn scale_faults(faults: &mut Faults, by: u64) {
    // Special entries are counted before any sample is taken.
    let Faults { started, ended, installed, direct, cached, none, streamed, special: _, in_progress } = faults;
    multiply([started, ended, installed, direct, cached, none, streamed, in_progress], by);
}

fn scale_pins(pins: &mut Pins, by: u64) {
    let Pins { taken, failed, eexist, enoent, outside_failed, outside, retries } = pins;
    multiply([failed, retries], by);
    for count in [taken, eexist, enoent, outside_failed].into_iter().flatten() {
        multiply([count], by);
    }
    if let Some(OutsidePins { readahead, shmem, zswap, other }) = outside {
        multiply([readahead, shmem, zswap, other], by);
    }
}

fn multiply<const N: usize>(counts: [&mut u64; N], by: u64) {
    for count in counts {
        *count = count.saturating_mul(by);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use observer_engine::Engine;
    use observer_observation::{Context, EndReason, FinalState, Outcome, Sample};

    fn summary(one_in: u32) -> Summary {
        let mut sample = Sample::default();
        let counters = &mut sample.snapshot.counters;
        (counters.read_direct, counters.read_cached, counters.started, counters.special, counters.pins) =
            (5, 2, 9, 4, 3);
        let ending = FinalState::unknown(EndReason::Duration);
        let context = Context { sample_one_in: one_in, ..Context::default() };
        Summary::new(&Outcome {
            context,
            engine: Engine::default(),
            sample,
            ending,
            damage: Vec::new(),
            notes: Vec::new(),
        })
    }

    #[test]
    fn what_is_counted_by_entry_is_multiplied_and_that_is_said() {
        let scaled = summary(4);
        assert_eq!((scaled.swapins.seen, scaled.swapins.direct, scaled.swapins.cached), (28, 20, 8));
        assert_eq!((scaled.faults.started, scaled.pins.taken, scaled.faults.special), (36, Some(12), 4));
        assert_eq!(scaled.sample.as_ref().map(|sample| sample.one_in), Some(4));
        let text = crate::text::summary(&scaled);
        assert!(text.contains("sample     --sample 1/4: counts of swap-ins"), "{text}");
    }

    #[test]
    fn where_all_is_observed_nothing_is_said() {
        for one_in in [0, 1] {
            let whole = summary(one_in);
            assert_eq!((whole.swapins.seen, whole.sample.clone()), (7, None));
            assert!(!crate::text::summary(&whole).contains("sample"));
        }
    }
}
