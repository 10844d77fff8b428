//! The engine's word on a path, against the truth.

use std::collections::BTreeMap;

use super::{log::Log, world::Tid};
use crate::{
    Engine, HOLD_BACK,
    event::{ChangeKind, Entry, Event, Fault, Nanos, PinResult},
    verdict::Verdict,
    wait::{Wait as Told, WaitKind},
};

/// How the engine's word on faults compares with the truth.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    /// Faults that ended, over all checks.
    pub(super) faults: u64,
    /// True verdicts: `window`, `reuse`, `stale-install`.
    pub(super) windows: u64,
    pub(super) reuses: u64,
    pub(super) stale_installs: u64,
    /// Installs of a page that was not what it had to be.
    pub(super) lost: u64,
    /// Verdicts lower than the truth; of these: because the read fell into a write that the hook had told already.
    pub(super) too_low: u64,
    pub(super) in_write: u64,
    /// Lost content without a `stale-install`.
    pub(super) lost_unflagged: u64,
    /// Verdicts higher than the truth; of these: because the entry changed between the install and the return.
    pub(super) too_high: u64,
    pub(super) changed_after: u64,
    /// Waits and overlaps on the paths checked.
    pub(super) waits: u64,
    pub(super) lock_waits: u64,
    pub(super) overlaps: u64,
    /// Paths whose waits, overlaps or dropped were not as they had to be.
    pub(super) unlike: u64,
    /// The first of each deviation, to be read.
    pub(super) examples: BTreeMap<&'static str, String>,
}

/// Runs the engine over a path. `apart`: time is stretched so much that it forgets between any two events.
fn run(log: &Log, apart: bool) -> Engine {
    const STRETCH: Nanos = 30_000;
    let mut engine = Engine::default();
    for event in &log.events {
        let event = if apart { stretched(event.clone(), STRETCH) } else { event.clone() };
        let at = event.at();
        engine.feed(event);
        if apart {
            engine.advance(at + HOLD_BACK);
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

/// What the engine said of the fault of this thread that started then.
fn verdict_on(engine: &Engine, tid: Tid, start: Nanos) -> Option<Verdict> {
    let mut findings = engine.report().findings.iter();
    findings
        .find(|finding| (finding.reader.tid, finding.start_ns) == (tid.into(), start))
        .map(|finding| finding.verdict)
}

impl Tally {
    /// Compares the verdict on the fault that ended last.
    pub(super) fn last_fault(&mut self, log: &Log, told: impl Fn() -> String) {
        let engine = run(log, false);
        self.fault(log, log.ended.len() - 1, &engine, &told);
        self.whole(log, &engine, &told);
    }

    /// Compares all of a path that came to its end, in one go and forgetting as it goes.
    pub(super) fn path(&mut self, log: &Log, all_faults: bool, told: impl Fn() -> String) {
        let engine = run(log, false);
        if all_faults {
            for fault in 0..log.ended.len() {
                self.fault(log, fault, &engine, &told);
            }
            self.whole(log, &engine, &told);
        }
        let forgetful = run(log, true);
        let verdicts =
            |engine: &Engine| engine.report().findings.iter().map(|f| (f.reader.tid, f.verdict)).collect::<Vec<_>>();
        if verdicts(&forgetful) != verdicts(&engine) || forgetful.report().dropped.total() != 0 {
            self.unlike += 1;
            self.example("forgetful", "says something else when it forgets in between", &told);
        }
    }

    fn fault(&mut self, log: &Log, index: usize, engine: &Engine, told: &impl Fn() -> String) {
        let ended = &log.ended[index];
        let said = verdict_on(engine, ended.tid, ended.fault.start);
        self.faults += 1;
        match ended.verdict {
            Some(Verdict::Window) => self.windows += 1,
            Some(Verdict::Reuse) => self.reuses += 1,
            Some(Verdict::StaleInstall) => self.stale_installs += 1,
            _ => {}
        }
        self.lost += u64::from(ended.lost);
        let unflagged = ended.lost && said != Some(Verdict::StaleInstall);
        if said < ended.verdict || unflagged {
            self.too_low += 1;
            self.in_write += u64::from(ended.in_write);
            self.lost_unflagged += u64::from(unflagged);
            let what = format!("says {said:?} where {:?} is true, lost: {}", ended.verdict, ended.lost);
            self.example("low", &what, told);
        } else if said > ended.verdict {
            self.too_high += 1;
            self.changed_after += u64::from(ended.changed_after);
            let kind = if ended.changed_after { "high, changed after the install" } else { "high" };
            self.example(kind, &format!("says {said:?} where {:?} is true", ended.verdict), told);
        }
    }

    /// Compares overlaps, waits and dropped.
    fn whole(&mut self, log: &Log, engine: &Engine, told: &impl Fn() -> String) {
        let report = engine.report();
        let mut said: Vec<_> = report.overlaps.iter().map(|o| (o.entry, o.from_ns, o.to_ns, o.depth)).collect();
        said.sort_unstable();
        let truth = overlaps(log);
        self.overlaps += truth.len() as u64;
        let mut waits_said: Vec<_> =
            report.waits.iter().map(|w| (w.kind, w.task.tid, w.from_ns, w.to_ns, w.retries, holder(w))).collect();
        waits_said.sort_unstable();
        let waits_true = waits(log);
        self.waits += waits_true.len() as u64;
        self.lock_waits += waits_true.iter().filter(|wait| wait.0 == WaitKind::FolioLock).count() as u64;
        let dropped = report.dropped.late_events + report.dropped.incomplete_readers + report.dropped.overlaps_cut;
        if said != truth || waits_said != waits_true || dropped != 0 {
            self.unlike += 1;
            let what = format!(
                "overlaps {said:?}, true {truth:?}; waits {waits_said:?}, true {waits_true:?}; dropped {:?}",
                report.dropped
            );
            self.example("waits or overlaps", &what, told);
        }
    }

    /// Keeps the first of each kind.
    fn example(&mut self, kind: &'static str, what: &str, told: &impl Fn() -> String) {
        self.examples.entry(kind).or_insert_with(|| format!("{kind}: {what}\n{}", told()));
    }
}

type Wait = (WaitKind, u32, Nanos, Nanos, u32, Option<(u32, Nanos)>);

fn holder(wait: &Told) -> Option<(u32, Nanos)> {
    wait.holder.as_ref().map(|hold| hold.task.tid).zip(wait.oversleep_ns)
}

/// Overlaps among the faults that have ended, by looking at every moment at which one starts or ends.
fn overlaps(log: &Log) -> Vec<(Entry, Nanos, Nanos, u32)> {
    let mut entries: Vec<Entry> = log.ended.iter().map(|ended| ended.fault.entry).collect();
    entries.sort_unstable();
    entries.dedup();
    let mut found = Vec::new();
    for entry in entries {
        let spans = || log.ended.iter().map(|e| &e.fault).filter(|f| f.entry == entry).map(|f| (f.start, f.end));
        let mut moments: Vec<Nanos> = spans().flat_map(|(start, end)| [start, end]).collect();
        moments.sort_unstable();
        let mut current: Option<(Nanos, u32)> = None;
        for moment in moments {
            let open = spans().filter(|(start, end)| (*start..*end).contains(&moment)).count() as u32;
            current = match current {
                None if open > 1 => Some((moment, open)),
                Some((from, depth)) if open < 2 => {
                    found.push((entry, from, moment, depth));
                    None
                }
                Some((from, depth)) => Some((from, depth.max(open))),
                None => None,
            };
        }
    }
    found.sort_unstable();
    found
}

/// Waits: of each thread, runs of faults that lost the pin, or the page's lock, on one life of its PTE, up to the fault
/// that got on.
fn waits(log: &Log) -> Vec<Wait> {
    let mut found = Vec::new();
    for (kind, tid) in
        [WaitKind::Pin, WaitKind::FolioLock].into_iter().flat_map(|kind| (0..5).map(move |tid| (kind, tid)))
    {
        let mine: Vec<_> = log.ended.iter().filter(|ended| ended.tid == tid).collect();
        let lost = |index: usize| mine.get(index).and_then(|ended| lost(&ended.fault, kind));
        let mut index = 0;
        while index < mine.len() {
            let first = index;
            index += 1;
            let Some(start) = lost(first) else { continue };
            let same = |index: usize| mine.get(index).is_some_and(|e| e.generation == mine[first].generation);
            let mut last = start;
            while !last.got_on && same(index) {
                let Some(next) = lost(index) else { break };
                last = next;
                index += 1;
            }
            let retries = (index - first) as u32;
            let mut to = last.until;
            // Who was woken without the lock and finds it free the next time has waited until it was woken.
            if kind == WaitKind::Pin && same(index) {
                let got_on = &mine[index].fault;
                to = got_on.pin.map_or(got_on.start, |pin| pin.tried);
                index += 1;
            }
            let holder = match kind {
                WaitKind::Pin => mine[first].holder,
                WaitKind::FolioLock => mine[first].reader.filter(|_| !allocated_before(log, &mine[first].fault)),
            };
            found.push((kind, tid.into(), start.at, to, retries, held(log, kind, holder, start.at, to)));
        }
    }
    found.sort_unstable();
    found
}

/// Whether the entry was allocated between a fault's start and its finding a page locked: that may be the page of the
/// entry's last life then, and nothing that is told says which.
fn allocated_before(log: &Log, fault: &Fault) -> bool {
    let tried = fault.lock.map_or(fault.start, |lock| lock.tried);
    log.events.iter().any(|event| match event {
        Event::Changed(change) => {
            let in_between = (fault.start..=tried).contains(&change.at);
            change.kind == ChangeKind::Allocated && change.entry == fault.entry && in_between
        }
        _ => false,
    })
}

/// A try that was lost.
#[derive(Clone, Copy)]
struct Lost {
    at: Nanos,
    until: Nanos,
    /// The fault itself got on.
    got_on: bool,
}

fn lost(fault: &Fault, kind: WaitKind) -> Option<Lost> {
    match kind {
        WaitKind::Pin => {
            let pin = fault.pin.filter(|pin| pin.result != PinResult::Taken)?;
            Some(Lost { at: pin.tried, until: fault.end, got_on: false })
        }
        WaitKind::FolioLock => {
            let lock = fault.lock?;
            let again = fault.faults_again();
            Some(Lost { at: lock.tried, until: if again { fault.end } else { lock.ended? }, got_on: !again })
        }
    }
}

/// Who held it then, and how long the wait went on after he had let go; if his fault has ended. A page is held by its
/// reader until the read is done.
fn held(log: &Log, kind: WaitKind, holder: Option<Tid>, from: Nanos, to: Nanos) -> Option<(u32, Nanos)> {
    let holder = holder?;
    let fault = log
        .ended
        .iter()
        .map(|ended| &ended.fault)
        .find(|fault| fault.task.tid == u32::from(holder) && fault.start < from && from < fault.end)?;
    let dropped = match kind {
        WaitKind::Pin => fault.pin.filter(|_| fault.pinned())?.dropped?,
        WaitKind::FolioLock => fault.read_end?,
    };
    Some((holder.into(), to.saturating_sub(dropped.max(from))))
}
