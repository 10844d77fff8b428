//! Which steps a guest runs.

use super::{
    areas::MOST_AREAS,
    bench::{BENCH, BENCH_HOOKS, BENCH_INTERRUPTED, BENCH_REFUSES},
    cgroups::CGROUPS,
    changing_areas::{CHANGING_AREAS, DEVICE_FOLLOWED},
    clock::CLOCK,
    containers::{
        CONTAINED_COUNTS, CONTAINED_DEVICE, CONTAINED_KPROBES, CONTAINED_READ_ONLY, CONTAINED_SELF_TEST,
        CONTAINED_SERVE, CONTAINED_TARGETED, CONTAINED_USER,
    },
    counts::{BTF_FILE, COUNTS, CROWD, KPROBE_SHMEM, LEAN_COUNTS, LEAN_CROWD, ONE_SEAT, SHMEM, ZSWAP_COUNTS},
    filters::FILTERS,
    folios::FOLIOS,
    hold::HOLD,
    host::{
        ATTACHES, ATTACHES_KPROBES, CGROUP_V1, CUT_SHORT, DISK_SWAP, DOCTOR, FAILING_COMMAND, LEAN_SELF_TEST, NO_BTF,
        NO_FTRACE, NO_KPROBES, NO_SUCH_COMMAND, NOT_ROOT, NOTHING_LEFT, OTHER_SWAP, REFUSES_KPROBES, SELF_TEST, ZSWAP,
    },
    many_observers::MANY_OBSERVERS,
    names::{ODD_NAMES, ODD_PATHS},
    race::{INDEPENDENT, LEAN_STORM, LEAN_TARGETED, NATURAL, RECORDED, STORM, TARGETED, TERMINATED},
    reactions::{ON_FINDING, STOP_ON},
    returns::{FEW_INSTANCES, KILLED, KPROBE_CROWD, KPROBE_ENDS, NO_TRACEFS},
    sample::{SAMPLE_COUNTS, SAMPLE_FINDINGS},
    service::SERVICE,
    stall::STALL,
    step::{Era, Step},
    suspension::SUSPENSION,
    watch::{IDENTIFIES, IGNORED_SIGNALS, KHUGEPAGED, THREAD_EXEC, WORKERS},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    Whole,
    /// The steps of [`MAIN`].
    Main,
    /// All others.
    Rest,
    /// Steps whose result may differ between kernels of one era.
    Kernel,
}

/// Kernel release, era, and which of its steps run.
pub(crate) type Guest = (&'static str, Era, Scope);

/// The guests of a part of the tests. `Rest` has all guests, and those of `Main` run the steps that `Main` leaves out.
pub(crate) fn guests(part: Scope) -> Vec<Guest> {
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

/// The steps of an era, in order. [`NOTHING_LEFT`] is part of every scope.
pub(crate) fn steps(era: Era, scope: Scope) -> Vec<Step> {
    let is_main = |step: &Step| MAIN.contains(&step.name);
    let is_in_scope = |step: &Step| match scope {
        Scope::Whole => true,
        Scope::Main => is_main(step),
        Scope::Rest => !is_main(step) || step.name == NOTHING_LEFT.name,
        Scope::Kernel => !ANYWHERE.contains(&step.name),
    };
    all_steps(era).into_iter().filter(is_in_scope).collect()
}

fn all_steps(era: Era) -> Vec<Step> {
    match era {
        Era::LockedDown => vec![DOCTOR, ATTACHES, REFUSES_KPROBES, NOTHING_LEFT],
        Era::Integrity => vec![DOCTOR, ATTACHES, ATTACHES_KPROBES, NOTHING_LEFT],
        // The newest kernels refuse to switch ftrace off (7.3: "Operation not supported").
        Era::NoBypass => {
            let rest = EVERYWHERE.iter().filter(|step| step.name != NO_FTRACE.name);
            [FOLIOS, ZSWAP, ZSWAP_COUNTS, HOLD, STALL].iter().chain(&LEAN).chain(rest).copied().collect()
        }
        Era::Pinned => {
            [SHMEM, KPROBE_SHMEM, HOLD, STALL, FOLIOS].iter().chain(&LEAN).chain(EVERYWHERE).copied().collect()
        }
        Era::Unfixed => [SAMPLE_FINDINGS, STOP_ON, ON_FINDING].iter().chain(&LEAN).chain(EVERYWHERE).copied().collect(),
    }
}

/// Lean hooks must give the same verdicts.
const LEAN: [Step; 5] = [LEAN_SELF_TEST, LEAN_TARGETED, LEAN_STORM, LEAN_COUNTS, LEAN_CROWD];

const EVERYWHERE: &[Step] = &[
    DOCTOR,
    SELF_TEST,
    DISK_SWAP,
    NO_KPROBES,
    NO_FTRACE,
    TARGETED,
    NATURAL,
    STORM,
    RECORDED,
    CLOCK,
    INDEPENDENT,
    COUNTS,
    CROWD,
    ONE_SEAT,
    KPROBE_ENDS,
    KPROBE_CROWD,
    KILLED,
    NO_TRACEFS,
    FEW_INSTANCES,
    THREAD_EXEC,
    WORKERS,
    KHUGEPAGED,
    IDENTIFIES,
    IGNORED_SIGNALS,
    SAMPLE_COUNTS,
    FILTERS,
    BENCH,
    BENCH_HOOKS,
    BENCH_REFUSES,
    BENCH_INTERRUPTED,
    SERVICE,
    CONTAINED_COUNTS,
    CONTAINED_KPROBES,
    CONTAINED_TARGETED,
    CONTAINED_SELF_TEST,
    CONTAINED_SERVE,
    CONTAINED_DEVICE,
    CONTAINED_USER,
    CONTAINED_READ_ONLY,
    FAILING_COMMAND,
    NO_SUCH_COMMAND,
    CUT_SHORT,
    NOT_ROOT,
    NO_BTF,
    BTF_FILE,
    OTHER_SWAP,
    MOST_AREAS,
    CHANGING_AREAS,
    DEVICE_FOLLOWED,
    CGROUPS,
    MANY_OBSERVERS,
    CGROUP_V1,
    ODD_PATHS,
    ODD_NAMES,
    TERMINATED,
    // After the others, which compare /proc/uptime with the times of records: afterwards the two differ.
    SUSPENSION,
    NOTHING_LEFT,
];

/// The steps that show the main function: the race and the waits against ground truth with both sets of hooks, exact
/// counts, refusals, and nothing left behind. They take two and a half minutes in a guest.
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

/// Steps that hardly depend on the kernel: they run on one kernel of each era.
const ANYWHERE: [&str; 50] = [
    "contained-counts",
    "contained-kprobes",
    "contained-targeted",
    "contained-self-test",
    "contained-serve",
    "contained-device",
    "contained-user",
    "contained-read-only",
    "killed",
    "no-tracefs",
    "few-instances",
    "sample-counts",
    "sample-findings",
    "stop-on",
    "on-finding",
    "bench-hooks",
    "bench-refuses",
    "bench-interrupted",
    "no-kprobes",
    "no-ftrace",
    "natural",
    "recorded",
    "clock",
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
    "identifies",
    "ignored-signals",
    "suspension",
    "changing-areas",
    "device-followed",
    "cgroups",
    "many-observers",
    "cgroup-v1",
    "odd-paths",
    "odd-names",
    "lean-self-test",
    "lean-targeted",
    "lean-storm",
    "lean-counts",
    "lean-crowd",
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{arch::Arch, kernels::table};

    #[test]
    fn every_guest_has_a_kernel_of_the_table() {
        for (release, ..) in guests(Scope::Whole) {
            assert!(table::find(Arch::X86_64, release).is_some(), "{release}");
        }
    }

    #[test]
    fn steps_of_an_era_have_different_names() {
        for era in [Era::Unfixed, Era::Pinned, Era::NoBypass, Era::LockedDown, Era::Integrity] {
            let all = steps(era, Scope::Whole);
            let names: BTreeSet<_> = all.iter().map(|step| step.name).collect();
            assert_eq!(names.len(), all.len(), "{era:?}");
        }
    }

    #[test]
    fn every_listed_name_is_that_of_a_step() {
        let whole = steps(Era::Unfixed, Scope::Whole);
        assert_eq!(steps(Era::Unfixed, Scope::Kernel).len(), whole.len() - ANYWHERE.len());
        for era in [Era::Unfixed, Era::Pinned, Era::NoBypass] {
            assert_eq!(steps(era, Scope::Main).len(), MAIN.len(), "{era:?}");
        }
    }

    #[test]
    fn main_and_rest_together_have_all_steps_and_guests() {
        for era in [Era::Unfixed, Era::Pinned, Era::NoBypass] {
            // The last step is in both parts.
            let parts = steps(era, Scope::Main).len() + steps(era, Scope::Rest).len();
            assert_eq!(parts, steps(era, Scope::Whole).len() + 1, "{era:?}");
        }
        assert_eq!(guests(Scope::Rest).len(), guests(Scope::Whole).len());
    }
}
