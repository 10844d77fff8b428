//! `doctor --self-test`: a few own pages go out to a swap device of their own and come back, and exactly that must be
//! seen. It makes "0 seen" evidence: of the hooks, of the offsets, and of how entries are read from PTEs, for which
//! `/proc/self/pagemap` is the witness.

use crate::stress::{
    StressError,
    device::{SwapDevice, SwapOptions},
    memory::{Mapping, pin_process},
    pagemap::SwapEntry,
    paging::page_all_out,
    signals,
};
use observer_kernel::{
    facts::Facts,
    memory::Zswap,
    plan::{Meaning, Plan, State},
    survey::Refusal,
    vmstat::Vmstat,
};
use observer_observation::self_test::{Check, Outcome, SelfTest};
use observer_probe::{LoadError, Notes, Options, Probes, Slots, setup::at_attach};

/// Pages that go out and come back.
pub const PAGES: usize = 32;
/// Slots beyond those: other pages of the host may go there too.
const SPARE: u32 = 96;

/// A self-test as it is reported, whether it was made or not.
pub fn outcome(result: Result<SelfTest, SelfTestError>) -> Outcome {
    match result {
        Ok(test) => Outcome::Made(test),
        Err(error) => Outcome::NotMade { refused: error.is_refusal(), not_made: error.to_string() },
    }
}

fn of_checks(checks: Vec<Check>) -> SelfTest {
    SelfTest { passed: checks.iter().all(|check| check.seen == check.wanted), pages: PAGES, checks }
}

/// Why it could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SelfTestError {
    /// The device or the memory.
    #[error(transparent)]
    Stage(#[from] StressError),
    /// The programs could not be read.
    #[error(transparent)]
    Probe(#[from] LoadError),
    /// The programs could not be attached.
    #[error("{0:#}")]
    Attach(anyhow::Error),
}

impl SelfTestError {
    fn is_refusal(&self) -> bool {
        match self {
            Self::Stage(error) => error.is_refusal(),
            Self::Probe(_) => false,
            Self::Attach(error) => error.is::<Refusal>(),
        }
    }
}

/// Makes the test: adds a zram device with swap, attaches, swaps own pages out and in, and takes everything away again.
///
/// # Errors
/// When it could not be made. A test that was made and failed is no error.
pub fn run(plan: &Plan, facts: &Facts) -> Result<SelfTest, SelfTestError> {
    signals::watch()?;
    let slots = u32::try_from(PAGES).unwrap_or(0) + SPARE;
    // Beside other swap too: that matters to workloads that steer slots, which this one does not.
    // What zswap holds is not read from the device, nor counted as if it were.
    let alone = facts.swaps.as_deref().is_some_and(<[_]>::is_empty) && facts.memory.zswap != Zswap::On;
    let mut device = SwapDevice::set_up(SwapOptions { slots, allow_other_swap: true, compressor: None }, |_| Ok(()))?;
    let tested = on_device(plan, alone);
    device.tear_down()?;
    tested
}

fn on_device(plan: &Plan, alone: bool) -> Result<SelfTest, SelfTestError> {
    pin_process()?;
    let memory = Mapping::new(PAGES)?;
    for page in 0..PAGES {
        memory.fill(page, memory.address(page));
    }
    let mut probes = Probes::attach(plan, &Options { watch: true, notes: Notes::Everything, ..Options::default() })
        .map_err(|error| SelfTestError::Attach(at_attach(error)))?;
    probes.watch(rustix::thread::gettid().as_raw_nonzero().get().unsigned_abs())?;
    let entries = page_all_out(&memory, PAGES)?;
    let before = Moment::now(&probes, &entries)?;
    for page in 0..PAGES {
        std::hint::black_box(memory.load(page));
    }
    let after = Moment::now(&probes, &entries)?;
    probes.detach()?;
    Ok(of_checks(checks(plan, alone, &before, &after)))
}

/// What is counted at one moment.
#[derive(Clone, Debug)]
struct Moment {
    ended: u64,
    installed: u64,
    direct: u64,
    reads: u64,
    pins: u64,
    pswpin: u64,
    /// Of each page's entry.
    slots: Slots,
}

impl Moment {
    fn now(probes: &Probes, entries: &[SwapEntry]) -> Result<Self, SelfTestError> {
        let counters = probes.snapshot()?.counters;
        let vmstat = Vmstat::now().map_err(|error| StressError::format("/proc/vmstat", &error.to_string()))?;
        let values = entries.iter().map(|entry| (u64::from(entry.kind), entry.offset));
        Ok(Self {
            ended: counters.ended,
            installed: counters.installed,
            direct: counters.read_direct,
            reads: counters.read_direct + counters.read_cached,
            pins: counters.pins,
            pswpin: vmstat.pswpin,
            slots: probes.slots(values)?,
        })
    }
}

/// What must have come to pass, as far as this plan can see it. Pure.
fn checks(plan: &Plan, alone: bool, before: &Moment, after: &Moment) -> Vec<Check> {
    let has = |meaning| plan.of(meaning).next().is_some();
    let mut checks = Vec::new();
    let mut expect = |what, seen: u64| checks.push(Check { what, wanted: PAGES as u64, seen });
    expect("faults ended", after.ended - before.ended);
    expect("pages installed", after.installed - before.installed);
    // Each at its own entry, as the pagemap names it: what was read from the PTE is right.
    let pairs = || before.slots.iter().zip(&after.slots);
    let opened = |(before, after): &(&_, &_)| is_one_fault(before, after);
    expect("entries as the pagemap names them", pairs().filter(opened).count() as u64);
    if has(Meaning::Allocated) || has(Meaning::WriteStart) {
        // All maps were empty when the programs were attached.
        expect(
            "entries allocated or written before",
            before.slots.iter().filter(|slot| slot.changes > 0).count() as u64,
        );
    }
    if has(Meaning::Freed) {
        expect("entries freed", pairs().filter(|(before, after)| after.frees != before.frees).count() as u64);
    }
    // Another device may read ahead.
    if alone && plan.tells_reads() {
        expect("pages read", after.reads - before.reads);
        expect("pages read, by the kernel's own count", after.pswpin - before.pswpin);
        if plan.state != State::NoBypass {
            expect("pages read past the swap cache", after.direct - before.direct);
        }
    }
    if alone && has(Meaning::PinTry) && plan.state.has(Meaning::PinDrop) {
        expect("pins taken", after.pins - before.pins);
    }
    checks
}

/// Whether one fault was opened and closed on a slot, and no more.
fn is_one_fault(before: &observer_ebpf::slot::Slot, after: &observer_ebpf::slot::Slot) -> bool {
    after.opens.wrapping_sub(before.opens) == 1 && after.closes().wrapping_sub(before.closes()) == 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use observer_ebpf::slot::Slot;
    use observer_kernel::fixtures::survey;

    fn moments() -> (Moment, Moment) {
        let slot = Slot { changes: 3, ..Slot::default() };
        let before =
            Moment { ended: 5, installed: 5, direct: 0, reads: 0, pins: 0, pswpin: 9, slots: vec![slot; PAGES] };
        let n = PAGES as u64;
        let slot = Slot { opens: 1, inside: 0, frees: 1, ..slot };
        let after = Moment {
            ended: 5 + n,
            installed: 5 + n,
            direct: n,
            reads: n,
            pins: n,
            pswpin: 9 + n,
            slots: vec![slot; PAGES],
        };
        (before, after)
    }

    #[test]
    fn everything_seen_passes_and_one_missing_fails() {
        let plan = survey("6.12.117", &Ok(()), true).plan.unwrap();
        let (before, after) = moments();
        let test = |after: &Moment| of_checks(checks(&plan, true, &before, after));
        assert!(test(&after).passed);
        assert_eq!(test(&after).checks.len(), 8);
        assert!(!test(&Moment { ended: after.ended - 1, ..after.clone() }).passed);
        assert!(!test(&Moment { pswpin: after.pswpin + 1, ..after.clone() }).passed);
        let mut elsewhere = after.clone();
        elsewhere.slots[3] = before.slots[3];
        let failed = test(&elsewhere);
        assert!(!failed.passed, "a fault on an entry that the pagemap does not name");
        let wrong: Vec<_> = failed.checks.iter().filter(|check| check.seen != check.wanted).collect();
        assert_eq!((wrong[0].what, wrong[0].seen), ("entries as the pagemap names them", PAGES as u64 - 1));
    }

    #[test]
    fn what_a_plan_cannot_see_is_not_asked_for() {
        let (before, after) = moments();
        let what = |kernel: &str, alone| {
            let plan = survey(kernel, &Ok(()), true).plan.unwrap();
            checks(&plan, alone, &before, &after).into_iter().map(|check| check.what).collect::<Vec<_>>()
        };
        assert!(!what("7.3.4", true).contains(&"pins taken") && what("7.3.4", true).contains(&"pages read"));
        assert!(!what("6.12.117", false).iter().any(|what| what.starts_with("pages read")));
        assert!(!what("5.10.223", true).contains(&"pins taken") && what("5.10.223", true).contains(&"entries freed"));
        // No hook on reads, nor on releases: what the pin tells.
        assert!(what("6.12.117", true).contains(&"pages read") && !what("6.12.117", true).contains(&"entries freed"));
    }
}
