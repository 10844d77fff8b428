//! Compares the engine's report on a path with what happened.

use std::collections::BTreeMap;

use observer_engine::{
    Engine,
    event::{Event, Nanos},
    limits::REORDER_DELAY,
    overlap::Overlap,
    verdict::Verdict,
    wait::{Wait, WaitKind},
};

use super::{
    actors::Tid,
    expected::{self, ExpectedOverlap, ExpectedWait},
    log::Log,
};

/// Counts over all comparisons.
#[derive(Clone, Debug, Default)]
pub(crate) struct Comparison {
    /// Verdicts compared.
    pub(crate) verdicts: u64,
    /// True verdicts.
    pub(crate) windows: u64,
    pub(crate) reuses: u64,
    pub(crate) stale_installs: u64,
    /// Installs of a page that was older than the page had to be.
    pub(crate) data_losses: u64,
    /// Verdicts of the engine that are lower than the true one.
    pub(crate) too_low: u64,
    /// Of `too_low`: the read started during a write whose start was reported before.
    pub(crate) in_write: u64,
    /// Data losses without a `stale-install`.
    pub(crate) unflagged_losses: u64,
    /// Verdicts of the engine that are higher than the true one.
    pub(crate) too_high: u64,
    /// Of `too_high`: the entry changed between the install and the return.
    pub(crate) changed_after: u64,
    /// Verdicts that are too low because a change had no record, which is counted as dropped, or a hook did not run,
    /// which a program or the engine has counted.
    pub(crate) lowered: u64,
    /// Verdicts that are too low because a hook did not run, which nothing but the kernel has counted.
    pub(crate) lowered_silently: u64,
    pub(crate) overlaps: u64,
    pub(crate) waits: u64,
    pub(crate) lock_waits: u64,
    /// Paths with other overlaps, waits or dropped events than expected.
    pub(crate) mismatches: u64,
    /// The first deviation of each kind.
    pub(crate) examples: BTreeMap<&'static str, String>,
}

impl Comparison {
    /// Compares the verdict on the fault that ended last, and all overlaps and waits.
    pub(crate) fn add_last_fault(&mut self, log: &Log, path: impl Fn() -> String) {
        let engine = run(log, Timing::Dense);
        self.add_fault(log, log.ended.len() - 1, &engine, &path);
        if log.skipped == 0 {
            self.add_overlaps_and_waits(log, &engine, &path);
        }
    }

    /// Compares the reports on a complete path with dense and with sparse timing. With `all_faults`, compares also
    /// every verdict, and all overlaps and waits.
    pub(crate) fn add_path(&mut self, log: &Log, all_faults: bool, path: impl Fn() -> String) {
        if log.skipped > 0 && !all_faults {
            return;
        }
        let dense = run(log, Timing::Dense);
        if all_faults {
            for fault in 0..log.ended.len() {
                self.add_fault(log, fault, &dense, &path);
            }
            self.add_overlaps_and_waits(log, &dense, &path);
        }
        let sparse = run(log, Timing::Sparse);
        let verdicts = |engine: &Engine<()>| {
            engine.report().findings.iter().map(|f| (f.reader.tid, f.verdict)).collect::<Vec<_>>()
        };
        let dropped = sparse.report().dropped.total() != 0 && log.hidden == 0;
        if verdicts(&sparse) != verdicts(&dense) || dropped {
            self.mismatches += 1;
            self.add_example("sparse timing", "other verdicts than with dense timing", &path);
        }
    }

    fn add_fault(&mut self, log: &Log, index: usize, engine: &Engine<()>, path: &impl Fn() -> String) {
        let ended = &log.ended[index];
        let reported = verdict_on(engine, ended.tid, ended.fault.start);
        self.verdicts += 1;
        match ended.verdict {
            Some(Verdict::Window) => self.windows += 1,
            Some(Verdict::Reuse) => self.reuses += 1,
            Some(Verdict::StaleInstall) => self.stale_installs += 1,
            _ => {}
        }
        self.data_losses += u64::from(ended.data_loss);
        let unflagged = ended.data_loss && reported != Some(Verdict::StaleInstall);
        let difference = format!("reported {reported:?}, expected {:?}, data loss: {}", ended.verdict, ended.data_loss);
        if log.skipped > 0 && reported <= ended.verdict {
            if reported < ended.verdict || unflagged {
                let is_counted = ended.miss_counted || engine.report().dropped.incomplete_readers > 0;
                *(if is_counted { &mut self.lowered } else { &mut self.lowered_silently }) += 1;
            }
            return;
        }
        if log.hidden > 0 && engine.report().dropped.incomplete_readers > 0 && reported <= ended.verdict {
            self.lowered += u64::from(reported < ended.verdict || unflagged);
        } else if reported < ended.verdict || unflagged {
            self.too_low += 1;
            self.in_write += u64::from(ended.in_write);
            self.unflagged_losses += u64::from(unflagged);
            self.add_example("too low", &difference, path);
        } else if reported > ended.verdict {
            self.too_high += 1;
            self.changed_after += u64::from(ended.changed_after);
            let kind = if ended.changed_after { "too high, changed after the install" } else { "too high" };
            self.add_example(kind, &difference, path);
        }
    }

    fn add_overlaps_and_waits(&mut self, log: &Log, engine: &Engine<()>, path: &impl Fn() -> String) {
        let report = engine.report();
        let mut overlaps: Vec<_> = report.overlaps.iter().map(overlap).collect();
        overlaps.sort_unstable();
        let mut waits: Vec<_> = report.waits.iter().map(wait).collect();
        waits.sort_unstable();
        let expected_overlaps = expected::overlaps(log);
        let expected_waits = expected::waits(log);
        self.overlaps += expected_overlaps.len() as u64;
        self.waits += expected_waits.len() as u64;
        self.lock_waits += expected_waits.iter().filter(|wait| wait.kind == WaitKind::FolioLock).count() as u64;
        let incomplete = if log.hidden > 0 { 0 } else { report.dropped.incomplete_readers };
        let dropped = report.dropped.late_events + incomplete + report.dropped.overlaps_cut;
        if overlaps != expected_overlaps || waits != expected_waits || dropped != 0 {
            self.mismatches += 1;
            let difference = format!(
                "overlaps {overlaps:?}, expected {expected_overlaps:?}; waits {waits:?}, expected {expected_waits:?}; \
                 dropped {:?}",
                report.dropped
            );
            self.add_example("overlaps or waits", &difference, path);
        }
    }

    fn add_example(&mut self, kind: &'static str, difference: &str, path: &impl Fn() -> String) {
        self.examples.entry(kind).or_insert_with(|| format!("{kind}: {difference}\n{}", path()));
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Timing {
    /// The whole path is shorter than every timeout of the engine.
    Dense,
    /// The time between any two events is longer than every timeout.
    Sparse,
}

fn run(log: &Log, timing: Timing) -> Engine<()> {
    const STRETCH: Nanos = 30_000;
    let mut engine = Engine::<()>::default();
    for event in &log.events {
        let event = match timing {
            Timing::Dense => event.clone(),
            Timing::Sparse => stretched(event.clone(), STRETCH),
        };
        let at = event.at();
        engine.feed(event);
        if timing == Timing::Sparse {
            engine.advance(at + REORDER_DELAY);
        }
    }
    engine.finish();
    engine
}

fn stretched(mut event: Event, by: Nanos) -> Event {
    match &mut event {
        Event::Started(fault) | Event::Ended(fault) => {
            fault.start *= by;
            fault.end *= by;
        }
        Event::Changed(change) => change.at *= by,
    }
    event
}

/// The engine's verdict on the fault of this thread that started then.
fn verdict_on(engine: &Engine<()>, tid: Tid, start: Nanos) -> Option<Verdict> {
    let mut findings = engine.report().findings.iter();
    findings
        .find(|finding| (finding.reader.tid, finding.start_ns) == (tid.into(), start))
        .map(|finding| finding.verdict)
}

fn overlap(overlap: &Overlap) -> ExpectedOverlap {
    ExpectedOverlap { entry: overlap.entry, from: overlap.from_ns, to: overlap.to_ns, depth: overlap.depth }
}

fn wait(wait: &Wait) -> ExpectedWait {
    ExpectedWait {
        kind: wait.kind,
        tid: wait.task.tid,
        from: wait.from_ns,
        to: wait.to_ns,
        retries: wait.retries,
        holder: wait.holder.as_ref().map(|hold| hold.task.tid).zip(wait.oversleep_ns),
    }
}
