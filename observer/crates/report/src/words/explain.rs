//! What a row of a table means for who reads it, and what to do about it.

use super::{description, gap_consequence, headline::FIX, meaning};
use observer_engine::verdict::{Finding, Verdict};
use observer_kernel::plan::State;
use observer_observation::Degraded;

/// The steps of a finding as sentences.
pub fn what_happened(finding: &Finding) -> String {
    description(finding)
}

/// What to do about the worst that happened.
pub fn what_to_do(verdict: Verdict, state: State) -> String {
    match verdict {
        Verdict::StaleInstall => format!(
            "Data was lost. Restart the reader, and do not trust what it has written since. Further swap-ins can lose \
             more until swap is switched off (swapoff). Then {FIX}."
        ),
        Verdict::Reuse | Verdict::Window if state.may_be_vulnerable() => format!(
            "No data was lost here. The same race loses data if such an entry is reallocated and the reader then \
             installs its page: {FIX}."
        ),
        Verdict::Reuse | Verdict::Window => {
            "No data was lost here, and this kernel should not have the race: keep a recording, and please report it."
                .to_owned()
        }
        Verdict::PinWait if state == State::PinnedTick => {
            "No data was lost: waiting is what prevents it. On this kernel a task that waits for a pin sleeps until the \
             tick ends. If that is too long, use a kernel from 6.12 on, which wakes it."
                .to_owned()
        }
        Verdict::PinWait | Verdict::LockWait => {
            "No data was lost: waiting is what prevents it. Nothing to do unless the waits are too long.".to_owned()
        }
        Verdict::Overlap => "Nothing: no data was lost, and no task waited.".to_owned(),
    }
}

/// What is not seen for lack of a hook.
pub fn missing_hook(gap: &Degraded) -> String {
    format!("No hook for {}: {}. `observer doctor` has the reason.", meaning(gap.meaning), gap_consequence(gap))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_do_depends_on_the_kernel() {
        let with = |verdict, state| what_to_do(verdict, state);
        assert!(with(Verdict::StaleInstall, State::Vulnerable).contains("CVE-2024-26759"));
        assert!(with(Verdict::Window, State::Vulnerable).contains("CVE-2024-26759"));
        assert!(!with(Verdict::Window, State::PinnedTick).contains("CVE-2024-26759"));
        assert!(with(Verdict::PinWait, State::PinnedTick).contains("6.12"));
        assert!(!with(Verdict::PinWait, State::PinnedWaitQueue).contains("6.12"));
    }
}
