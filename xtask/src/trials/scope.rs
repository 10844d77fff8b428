//! Which of a kernel's steps a guest runs.

use super::steps::{self, Era, Step};

/// How much a guest runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Everything.
    Whole,
    /// What shows that the main job works: see [`MAIN`].
    Main,
    /// All but that.
    Rest,
    /// What may come out differently on another kernel of the same era.
    Kernel,
}

/// A guest: its kernel, and how much of which steps it runs.
pub type Guest = (&'static str, Era, Scope);

/// The guests of a part of the tests, cheapest proof first. `Rest` runs what `Main` leaves out of its two, and all others.
pub fn guests(part: Scope) -> Vec<Guest> {
    let in_part = |&(release, era, _): &Guest| (release, era, part);
    match part {
        Scope::Main => IN_BOTH.iter().map(in_part).collect(),
        Scope::Rest => IN_BOTH.iter().map(in_part).chain(OTHERS.iter().copied()).collect(),
        Scope::Whole | Scope::Kernel => IN_BOTH.iter().chain(OTHERS).copied().collect(),
    }
}

const IN_BOTH: &[Guest] = &[("5.10.223", Era::Unfixed, Scope::Whole), ("6.12.117", Era::Pinned, Scope::Whole)];

const OTHERS: &[Guest] = &[
    ("6.1.192", Era::Pinned, Scope::Kernel),
    ("6.18.15", Era::Pinned, Scope::Kernel),
    ("7.3.4", Era::NoBypass, Scope::Kernel),
    ("6.12.117", Era::LockedDown, Scope::Whole),
    ("6.12.117", Era::Integrity, Scope::Whole),
];

/// The steps of an era, in order. Whether anything is left behind is looked at in the end, whatever else is run.
pub fn of(era: Era, scope: Scope) -> Vec<Step> {
    let is_main = |step: &Step| MAIN.contains(&step.name);
    let is_wanted = |step: &Step| match scope {
        Scope::Whole => true,
        Scope::Main => is_main(step),
        Scope::Rest => !is_main(step) || step.name == steps::NOTHING_LEFT.name,
        Scope::Kernel => !ANYWHERE.contains(&step.name),
    };
    steps::of_era(era).into_iter().filter(is_wanted).collect()
}

/// The main steps: the race and the waits against their truths with both sets of hooks, every swap-in counted, refusals,
/// and nothing left behind. Two minutes and a half for a guest.
const MAIN: [&str; 15] = [
    "doctor",
    "self-test",
    "lean-targeted",
    "targeted",
    "natural",
    "storm",
    "independent",
    "counts",
    "crowd",
    "failing-command",
    "not-root",
    "no-btf",
    "other-swap",
    "terminated",
    "nothing-left",
];

/// Steps in which the kernel hardly takes part, or that say nothing new where the era's other kernels pass them.
const ANYWHERE: [&str; 26] = [
    "sample-counts",
    "sample-findings",
    "bench-hooks",
    "bench-refuses",
    "bench-interrupted",
    "no-kprobes",
    "no-ftrace",
    "natural",
    "recorded",
    "independent",
    "one-seat",
    "filters",
    "service",
    "failing-command",
    "no-such-command",
    "cut-short",
    "not-root",
    "no-btf",
    "btf-file",
    "other-swap",
    "terminated",
    "lean-self-test",
    "lean-targeted",
    "lean-storm",
    "lean-counts",
    "lean-crowd",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_that_of_a_step() {
        let all = of(Era::Unfixed, Scope::Whole);
        assert_eq!(of(Era::Unfixed, Scope::Kernel).len(), all.len() - ANYWHERE.len());
        for era in [Era::Unfixed, Era::Pinned, Era::NoBypass] {
            assert_eq!(of(era, Scope::Main).len(), MAIN.len());
            // Nothing is left out between the two parts, and only the last step is in both.
            let parts = of(era, Scope::Main).len() + of(era, Scope::Rest).len();
            assert_eq!(parts, of(era, Scope::Whole).len() + 1);
        }
        // Nor a guest.
        assert_eq!(guests(Scope::Rest).len(), guests(Scope::Whole).len());
    }
}
