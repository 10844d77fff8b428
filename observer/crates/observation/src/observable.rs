//! Verdicts that the hooks of an observation may miss: a count of 0 then says nothing.

use std::collections::BTreeMap;

use crate::kernel::{Degraded, Kernel};
use observer_engine::verdict::Verdict;
use observer_kernel::plan::{Consequence, Meaning};

/// Verdicts that the hooks may miss, each with what is not seen.
pub type NotObservable = BTreeMap<Verdict, Vec<Consequence>>;

const ALL: &[Verdict] =
    &[Verdict::Overlap, Verdict::LockWait, Verdict::PinWait, Verdict::Window, Verdict::Reuse, Verdict::StaleInstall];
const OF_READERS: &[Verdict] = &[Verdict::Window, Verdict::Reuse, Verdict::StaleInstall];
const OF_CHANGES: &[Verdict] = &[Verdict::Reuse, Verdict::StaleInstall];

impl Kernel {
    /// The verdicts that the missing hooks may hide.
    pub fn not_observable(&self) -> NotObservable {
        let mut hidden = NotObservable::new();
        for gap in &self.degraded {
            for verdict in self.hidden_by(gap) {
                let consequences = hidden.entry(*verdict).or_default();
                if !consequences.contains(&gap.consequence) {
                    consequences.push(gap.consequence);
                }
            }
        }
        hidden
    }

    /// Whether every case of this verdict is seen unless events are dropped.
    pub fn is_observable(&self, verdict: Verdict) -> bool {
        !self.degraded.iter().any(|gap| self.hidden_by(gap).contains(&verdict))
    }

    /// The verdicts that some or all cases of are not seen without this hook.
    fn hidden_by(&self, gap: &Degraded) -> &'static [Verdict] {
        // A reader that holds the pin, or reads through the swap cache, cannot be overtaken, whatever is not seen.
        let protected = !self.state.may_be_vulnerable();
        match gap.consequence {
            // Of an unknown consequence a newer version knows what it means.
            Consequence::NothingObserved
            | Consequence::FaultsMissed
            | Consequence::NewTasksUnwatched
            | Consequence::ExecutingThreadsUnwatched
            | Consequence::OthersFaultsUnwatched
            | Consequence::Unknown => ALL,
            Consequence::PinWaitsUnseen if !self.sees_pin_waits() => &[Verdict::PinWait],
            Consequence::LockWaitsUnseen => &[Verdict::LockWait],
            Consequence::ReadsUnknown if !protected => OF_READERS,
            Consequence::WindowsUnseen if !protected => &[Verdict::Window],
            Consequence::SomeReuseMissed | Consequence::UnwrittenReadsFresh | Consequence::ReadsDuringWriteFresh
                if !protected =>
            {
                OF_CHANGES
            }
            Consequence::ReadsUnknown
            | Consequence::WindowsUnseen
            | Consequence::SomeReuseMissed
            | Consequence::UnwrittenReadsFresh
            | Consequence::ReadsDuringWriteFresh
            | Consequence::PinWaitsUnseen
            // Counted as dropped events.
            | Consequence::CacheSleepsUnattributed
            | Consequence::ReadDurationsUnknown
            | Consequence::ReadTimesUnknown
            | Consequence::ReadHooksNeeded
            | Consequence::PinErrorsUnseen
            | Consequence::PinHoldsUnknown
            | Consequence::PinPathsMerged
            | Consequence::ShmemReadsUnseen
            | Consequence::LockWaitsTooLong
            | Consequence::LateChangesCounted
            // Missed ends are counted as dropped events; what is observed beyond the watched tasks hides nothing.
            | Consequence::FaultEndsMissed
            | Consequence::TasksWatchedTooLong => &[],
        }
    }

    /// Whether one of the two hooks that report a pin wait covers all of them, or there are none.
    fn sees_pin_waits(&self) -> bool {
        let whole = |meaning| self.has(meaning) && !self.degraded.iter().any(|gap| gap.meaning == meaning);
        !self.state.reads_directly() || whole(Meaning::PinTry) || whole(Meaning::PinSleep)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::HookUse;
    use observer_kernel::plan::{Backend, HookReason, MissingReason, State};

    fn gap(meaning: Meaning, partial: bool) -> Degraded {
        Degraded { meaning, reason: MissingReason::Unknown, consequence: Consequence::of(meaning), partial }
    }

    fn hook(meaning: Meaning) -> HookUse {
        let (backend, symbol, reason) = (Backend::Kprobe, String::new(), HookReason::Unknown);
        HookUse { meaning, backend, symbol, reason }
    }

    fn hidden(state: State, hooks: &[Meaning], gaps: &[Degraded]) -> Vec<Verdict> {
        let hooks = hooks.iter().copied().map(hook).collect();
        let kernel = Kernel { state, hooks, degraded: gaps.to_vec(), ..Kernel::default() };
        let hidden: Vec<_> = kernel.not_observable().into_keys().collect();
        for verdict in ALL {
            assert_eq!(kernel.is_observable(*verdict), !hidden.contains(verdict), "{verdict}");
        }
        hidden
    }

    #[test]
    fn every_meaning_hides_the_verdicts_that_need_it() {
        let vulnerable = |meaning| hidden(State::Vulnerable, &[], &[gap(meaning, false)]);
        for meaning in Meaning::ALL {
            let expected: &[Verdict] = match meaning {
                Meaning::FaultStart | Meaning::FaultEnd | Meaning::Watch => ALL,
                Meaning::ReadStart => OF_READERS,
                Meaning::PinTry | Meaning::PinSleep => &[Verdict::PinWait],
                Meaning::LockTry => &[Verdict::LockWait],
                Meaning::Freed => &[Verdict::Window],
                Meaning::Allocated | Meaning::WriteStart | Meaning::WriteEnd => OF_CHANGES,
                _ => &[],
            };
            assert_eq!(vulnerable(meaning), expected, "{}", meaning.code());
        }
        assert_eq!(vulnerable(Meaning::Unknown), ALL, "of a newer version");
    }

    #[test]
    fn a_reader_that_cannot_be_overtaken_needs_no_hooks_on_changes() {
        let gaps = [Meaning::ReadStart, Meaning::Freed, Meaning::Allocated, Meaning::WriteStart, Meaning::WriteEnd];
        let gaps = gaps.map(|meaning| gap(meaning, false));
        for state in [State::PinnedTick, State::PinnedWaitQueue, State::Pinned, State::NoBypass, State::NoSwap] {
            assert!(hidden(state, &[], &gaps).is_empty(), "{}", state.code());
        }
        assert_eq!(hidden(State::Unknown, &[], &gaps), OF_READERS);
    }

    #[test]
    fn one_of_two_hooks_is_enough_for_pin_waits() {
        let (try_gap, sleep_gap) = (gap(Meaning::PinTry, false), gap(Meaning::PinSleep, false));
        let pinned = |hooks: &[Meaning], gaps: &[Degraded]| hidden(State::PinnedTick, hooks, gaps);
        assert_eq!(pinned(&[], &[try_gap.clone(), sleep_gap.clone()]), [Verdict::PinWait]);
        assert!(pinned(&[Meaning::PinSleep], &[try_gap]).is_empty());
        assert!(pinned(&[Meaning::PinTry], &[sleep_gap]).is_empty());
        let in_part = gap(Meaning::PinTry, true);
        assert_eq!(pinned(&[Meaning::PinTry], std::slice::from_ref(&in_part)), [Verdict::PinWait]);
        assert!(pinned(&[Meaning::PinTry, Meaning::PinSleep], &[in_part]).is_empty());
    }
}
