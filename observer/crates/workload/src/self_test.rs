//! `doctor --self-test`: swaps a few pages of this process out to a swap device set up for the test and in again, and
//! checks that exactly these swap-ins are counted. It makes "0 seen" evidence: it tests the hooks, the offsets, and how
//! entries are decoded from swap PTEs, for which `/proc/self/pagemap` is the ground truth.

use observer_ebpf::slot::Slot;
use observer_kernel::{
    facts::Facts,
    memory::Zswap,
    plan::{Meaning, Plan, State},
    vmstat::Vmstat,
};
use observer_observation::self_test::{Check, CheckKind, Outcome, SelfTest};
use observer_probe::{Detail, LoadError, Options, Probes, Slots, at_attach};

use crate::{
    Failure, SwapEntry, WorkloadError,
    error::with_sources,
    memory::{Mapping, lock_process},
    paging::page_all_out,
    signals,
    swap_device::{SwapDevice, SwapOptions},
};

/// Pages that are swapped out and in.
pub const PAGES: usize = 32;
/// Further slots: other pages of the host may be swapped out to the device too.
const EXTRA_SLOTS: u32 = 96;

/// Why the test could not be run.
#[derive(Debug, thiserror::Error)]
enum SelfTestError {
    #[error(transparent)]
    Workload(#[from] WorkloadError),
    /// The counters could not be read.
    #[error(transparent)]
    Probe(#[from] LoadError),
    #[error("{0:#}")]
    Attach(anyhow::Error),
}

impl From<SelfTestError> for Outcome {
    fn from(error: SelfTestError) -> Self {
        match error {
            SelfTestError::Workload(error) => {
                let Failure { code, message, remedy } = Failure::from(error);
                Self::NotRun { reason: message, remedy, refused: code.is_refusal() }
            }
            SelfTestError::Probe(error) => Self::NotRun { reason: with_sources(&error), remedy: None, refused: false },
            SelfTestError::Attach(error) => match error.downcast() {
                Ok(refusal) => Self::Refused { refusal },
                Err(error) => Self::NotRun { reason: format!("{error:#}"), remedy: None, refused: false },
            },
        }
    }
}

/// Runs the test: adds a zram device with swap, attaches, swaps pages out and in, and removes everything again.
pub fn run(plan: &Plan, facts: &Facts) -> Outcome {
    try_run(plan, facts).map_or_else(Outcome::from, Outcome::Run)
}

fn try_run(plan: &Plan, facts: &Facts) -> Result<SelfTest, SelfTestError> {
    signals::watch()?;
    let slots = u32::try_from(PAGES).unwrap_or(0) + EXTRA_SLOTS;
    // Pages in zswap are not read from the device, and are not counted as if they were.
    let alone = facts.swaps.as_deref().is_some_and(<[_]>::is_empty) && facts.memory.zswap != Zswap::On;
    // Other swap may be in use: this workload does not depend on which slot is allocated.
    let mut device = SwapDevice::set_up(SwapOptions { slots, allow_other_swap: true, compressor: None }, |_| Ok(()))?;
    let tested = on_device(plan, alone);
    device.tear_down()?;
    tested
}

fn on_device(plan: &Plan, alone: bool) -> Result<SelfTest, SelfTestError> {
    lock_process()?;
    let memory = Mapping::new(PAGES)?;
    for page in 0..PAGES {
        memory.fill(page, memory.address(page));
    }
    let mut probes = Probes::attach(plan, &Options { watch: true, detail: Detail::Everything, ..Options::default() })
        .map_err(|error| SelfTestError::Attach(at_attach(error)))?;
    probes.watch_this_thread()?;
    let entries = page_all_out(&memory, PAGES)?;
    let before = Counts::read(&probes, &entries)?;
    for page in 0..PAGES {
        std::hint::black_box(memory.load(page));
    }
    let after = Counts::read(&probes, &entries)?;
    probes.detach()?;
    Ok(summarize(checks(plan, alone, &before, &after)))
}

fn summarize(checks: Vec<Check>) -> SelfTest {
    SelfTest { passed: checks.iter().all(Check::passed), pages: PAGES, checks }
}

/// Counters at one moment.
#[derive(Clone, Debug)]
struct Counts {
    ended: u64,
    installed: u64,
    direct: u64,
    reads: u64,
    pins: u64,
    /// `None`: this kernel does not count it (`CONFIG_VM_EVENT_COUNTERS` is off).
    pswpin: Option<u64>,
    /// Of each page's entry.
    slots: Slots,
}

impl Counts {
    fn read(probes: &Probes, entries: &[SwapEntry]) -> Result<Self, SelfTestError> {
        let counters = probes.snapshot().counters;
        let values = entries.iter().map(|entry| (u64::from(entry.swap_type), entry.offset));
        Ok(Self {
            ended: counters.ended,
            installed: counters.installed,
            direct: counters.read_direct,
            reads: counters.read_direct + counters.read_cached,
            pins: counters.pins,
            pswpin: Vmstat::now().ok().map(|vmstat| vmstat.pswpin),
            slots: probes.slots(values)?,
        })
    }
}

/// The checks that the hooks of this plan allow. `alone`: no other swap is in use, whose readahead would be counted
/// too.
fn checks(plan: &Plan, alone: bool, before: &Counts, after: &Counts) -> Vec<Check> {
    let has = |meaning| plan.of(meaning).next().is_some();
    let pairs = || before.slots.iter().zip(&after.slots);
    let mut checks = Vec::new();
    let mut expect = |check, seen: u64| checks.push(Check { check, expected: PAGES as u64, seen });
    expect(CheckKind::FaultsEnded, after.ended - before.ended);
    expect(CheckKind::PagesInstalled, after.installed - before.installed);
    let faulted_once = |(before, after): &(&Slot, &Slot)| has_one_fault_more(before, after);
    expect(CheckKind::EntriesAsInPagemap, pairs().filter(faulted_once).count() as u64);
    if has(Meaning::Allocated) || has(Meaning::WriteStart) {
        // All maps were empty when the programs were attached.
        let changed = before.slots.iter().filter(|slot| slot.changes > 0).count() as u64;
        expect(CheckKind::EntriesAllocatedOrWritten, changed);
    }
    if has(Meaning::Freed) {
        let freed = pairs().filter(|(before, after)| after.frees != before.frees).count() as u64;
        expect(CheckKind::EntriesFreed, freed);
    }
    if alone && plan.knows_reads() {
        expect(CheckKind::PagesRead, after.reads - before.reads);
        if let Some((before, after)) = before.pswpin.zip(after.pswpin) {
            expect(CheckKind::PagesReadByKernel, after - before);
        }
        if plan.state != State::NoBypass {
            expect(CheckKind::PagesReadDirectly, after.direct - before.direct);
        }
    }
    if alone && has(Meaning::PinTry) && plan.state.pins() {
        expect(CheckKind::PinsTaken, after.pins - before.pins);
    }
    checks
}

/// Whether exactly one fault has started and ended on the entry.
fn has_one_fault_more(before: &Slot, after: &Slot) -> bool {
    after.starts.wrapping_sub(before.starts) == 1 && after.ends().wrapping_sub(before.ends()) == 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use observer_kernel::fixtures::survey;

    fn counts() -> (Counts, Counts) {
        let slot = Slot { changes: 3, ..Slot::default() };
        let before =
            Counts { ended: 5, installed: 5, direct: 0, reads: 0, pins: 0, pswpin: Some(9), slots: vec![slot; PAGES] };
        let n = PAGES as u64;
        let slot = Slot { starts: 1, in_progress: 0, frees: 1, ..slot };
        let after = Counts {
            ended: 5 + n,
            installed: 5 + n,
            direct: n,
            reads: n,
            pins: n,
            pswpin: Some(9 + n),
            slots: vec![slot; PAGES],
        };
        (before, after)
    }

    #[test]
    fn one_wrong_count_fails_the_test() {
        let plan = survey("6.12.117", &Ok(()), true).plan.unwrap();
        let (before, after) = counts();
        let test = |after: &Counts| summarize(checks(&plan, true, &before, after));
        assert!(test(&after).passed);
        assert_eq!(test(&after).checks.len(), 8);
        assert!(!test(&Counts { ended: after.ended - 1, ..after.clone() }).passed);
        let other_count = after.pswpin.map(|pages| pages + 1);
        assert!(!test(&Counts { pswpin: other_count, ..after.clone() }).passed);
        let uncounted = test(&Counts { pswpin: None, ..after.clone() });
        assert_eq!((uncounted.passed, uncounted.checks.len()), (true, 7), "without CONFIG_VM_EVENT_COUNTERS");
        let mut other_entry = after.clone();
        other_entry.slots[3] = before.slots[3];
        let test = test(&other_entry);
        assert!(!test.passed, "a fault on an entry that is not in the pagemap");
        let failed: Vec<_> = test.checks.iter().filter(|check| !check.passed()).collect();
        assert_eq!((failed[0].check, failed[0].seen), (CheckKind::EntriesAsInPagemap, PAGES as u64 - 1));
    }

    #[test]
    fn a_plan_is_checked_only_for_what_its_hooks_count() {
        let (before, after) = counts();
        let kinds = |kernel: &str, alone| {
            let plan = survey(kernel, &Ok(()), true).plan.unwrap();
            checks(&plan, alone, &before, &after).into_iter().map(|check| check.check).collect::<Vec<_>>()
        };
        let no_bypass = kinds("7.3.4", true);
        assert!(!no_bypass.contains(&CheckKind::PinsTaken));
        assert!(no_bypass.contains(&CheckKind::PagesRead));
        let beside_other_swap = kinds("6.12.117", false);
        for kind in [CheckKind::PagesRead, CheckKind::PagesReadByKernel, CheckKind::PagesReadDirectly] {
            assert!(!beside_other_swap.contains(&kind), "{kind:?}");
        }
        let unfixed = kinds("5.10.223", true);
        assert!(!unfixed.contains(&CheckKind::PinsTaken));
        assert!(unfixed.contains(&CheckKind::EntriesFreed));
        // No hook on reads or frees: reads are counted by the pin.
        let pinned = kinds("6.12.117", true);
        assert!(pinned.contains(&CheckKind::PagesRead));
        assert!(!pinned.contains(&CheckKind::EntriesFreed));
    }
}
