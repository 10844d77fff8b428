//! The language of the scenarios: parses it, feeds the engine, and formats what the engine reports.

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write as _,
};

use observer_ebpf::slot;
use observer_engine::{
    Engine,
    event::{
        Change, ChangeKind, Entry, Event, Fault, LockWait, Nanos, Path, Pin, PinResult, SlotCount, Task, VM_FAULT_RETRY,
    },
    limits::REORDER_DELAY,
    verdict::Finding,
    wait::Wait,
};

/// Sorted lines.
pub(crate) struct Outcomes {
    pub(crate) expected: Vec<String>,
    pub(crate) reported: Vec<String>,
}

pub(crate) fn run(text: &str) -> Result<Outcomes, String> {
    let mut script = Script::default();
    let mut expected = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if let Some(outcome) = line.strip_prefix("=>") {
            expected.push(outcome.split_whitespace().collect::<Vec<_>>().join(" "));
        } else if !line.is_empty() {
            script.run_line(line).map_err(|error| format!("line {}: {error}: {line}", number + 1))?;
        }
    }
    script.engine.finish();
    let mut reported = outcomes(&script.engine);
    reported.sort();
    expected.sort();
    Ok(Outcomes { expected, reported })
}

/// The numbers of a filter slot, as the programs keep them.
#[derive(Clone, Copy, Default)]
struct SlotNumbers {
    starts: u32,
    ends: u32,
    frees: u32,
    changes: u32,
}

impl SlotNumbers {
    fn count(self) -> SlotCount {
        SlotCount { starts: self.starts, ends: self.ends }
    }
}

/// A fault in progress.
struct InProgress {
    fault: Fault,
    /// The fault has freed its entry: later changes are not under its read.
    freed: bool,
}

#[derive(Default)]
struct Script {
    engine: Engine<()>,
    tids: HashMap<String, u32>,
    slots: HashMap<u32, SlotNumbers>,
    faults: BTreeMap<u32, InProgress>,
}

impl Script {
    fn run_line(&mut self, line: &str) -> Result<(), String> {
        let (line, dropped) = line.strip_suffix("(dropped)").map_or((line, false), |line| (line, true));
        let (line, reported_at) = match line.split_once("(reported at ") {
            Some((line, at)) => (line, Some(micros(at.trim_end_matches(')'))?)),
            None => (line, None),
        };
        let words: Vec<&str> = line.split_whitespace().collect();
        let [at, name, action @ ..] = words.as_slice() else {
            return Err("expected a time, a task and an action".into());
        };
        let at = micros(at)?;
        let event = self.act(at, name, action)?;
        if let Some(mut event) = event.filter(|_| !dropped) {
            match &mut event {
                Event::Changed(change) => change.at = reported_at.unwrap_or(at),
                Event::Started(fault) | Event::Ended(fault) => fault.end = reported_at.unwrap_or(at),
            }
            self.engine.feed(event);
        }
        Ok(())
    }

    fn act(&mut self, at: Nanos, name: &str, action: &[&str]) -> Result<Option<Event>, String> {
        if (name, action) == ("clock", &["advances"]) {
            self.engine.advance(at + REORDER_DELAY);
            return Ok(None);
        }
        let task = self.task(name);
        match action {
            ["faults", "on", entry] => Ok(self.start_fault(at, task, parse(entry)?, 0x7000)),
            ["faults", "on", entry, "at", address] => {
                let address = u64::from_str_radix(address.trim_start_matches("0x"), 16)
                    .map_err(|_| format!("{address} is not an address"))?;
                Ok(self.start_fault(at, task, parse(entry)?, address))
            }
            ["reads", "directly"] => self.update(&task, |fault, slot| start_read(fault, slot, at, Path::Direct)),
            ["reads", "into", "the", "swap", "cache"] => {
                self.update(&task, |fault, slot| start_read(fault, slot, at, Path::Cached))
            }
            ["completes", "its", "read"] => self.update(&task, |fault, _| fault.read_end = Some(at)),
            ["pins", range] => self.try_pin(&task, at, range, PinResult::Taken),
            ["finds", range, "pinned"] => self.try_pin(&task, at, range, PinResult::Held),
            ["finds", range, "gone"] => self.try_pin(&task, at, range, PinResult::Gone),
            ["unpins"] => self.update(&task, |fault, _| {
                fault.pin = fault.pin.map(|pin| Pin { dropped: Some(at), ..pin });
            }),
            ["finds", "the", "folio", "locked"] => {
                self.update(&task, |fault, _| fault.lock = Some(LockWait { tried: at, ended: None }))
            }
            ["takes", "the", "lock"] => self.update(&task, |fault, _| end_lock_wait(fault, at)),
            ["wakes", "without", "the", "lock"] => self.update(&task, |fault, _| {
                end_lock_wait(fault, at);
                fault.fault_ret |= VM_FAULT_RETRY;
            }),
            ["frees", entry] => Ok(Some(self.free(at, task, parse(entry)?))),
            ["allocates", entry] => Ok(Some(self.change(ChangeKind::Allocated, at, task, parse(entry)?))),
            ["starts", "writing", entry] => Ok(Some(self.change(ChangeKind::WriteStarted, at, task, parse(entry)?))),
            ["writes", entry] => Ok(Some(self.change(ChangeKind::Written, at, task, parse(entry)?))),
            ["returns"] => self.end_fault(at, &task, false),
            ["installs", "its", "page", "and", "returns"] => self.end_fault(at, &task, true),
            _ => Err("unknown action".into()),
        }
    }

    fn task(&mut self, name: &str) -> Task {
        let next = self.tids.values().max().map_or(1, |last| last + 1);
        let tid = *self.tids.entry(name.to_owned()).or_insert(next);
        Task { tid, pid: 1, comm: name.into() }
    }

    fn slot(&mut self, entry: Entry) -> &mut SlotNumbers {
        self.slots.entry(slot::index(entry.0)).or_default()
    }

    fn start_fault(&mut self, at: Nanos, task: Task, entry: Entry, address: u64) -> Option<Event> {
        let slot = self.slot(entry);
        slot.starts += 1;
        let now = *slot;
        let mut fault = Fault { entry, base: entry, nr: 1, address, start: at, ..Fault::default() };
        (fault.task, fault.end, fault.slot) = (task, at, now.count());
        (fault.frees.at_read, fault.changes.at_read) = (now.frees, now.changes);
        let event = (now.starts - now.ends > 1).then(|| Event::Started(fault.clone()));
        self.faults.insert(fault.task.tid, InProgress { fault, freed: false });
        event
    }

    /// Updates the task's fault in progress; nothing is reported until it ends.
    fn update(&mut self, task: &Task, update: impl FnOnce(&mut Fault, SlotNumbers)) -> Result<Option<Event>, String> {
        let entry = self.faults.get(&task.tid).ok_or_else(|| no_fault(task))?.fault.entry;
        let slot = *self.slot(entry);
        self.faults.entry(task.tid).and_modify(|state| update(&mut state.fault, slot));
        Ok(None)
    }

    fn try_pin(&mut self, task: &Task, tried: Nanos, range: &str, result: PinResult) -> Result<Option<Event>, String> {
        let (base, nr) = match range.split_once('+') {
            Some((base, nr)) => (parse(base)?, nr.parse().map_err(|_| format!("{range} is not a range"))?),
            None => (parse(range)?, 1),
        };
        self.update(task, |fault, _| {
            let failures = fault.pin.map_or(0, |pin| pin.failures) + u32::from(result != PinResult::Taken);
            (fault.base, fault.nr) = (base, nr);
            fault.pin = Some(Pin { tried, result, failures, dropped: None });
        })
    }

    fn free(&mut self, at: Nanos, by: Task, entry: Entry) -> Event {
        let slot = self.slot(entry);
        let before = *slot;
        slot.frees += 1;
        let seq = slot.frees;
        if let Some(state) = self.faults.get_mut(&by.tid).filter(|state| state.fault.entry == entry) {
            if !state.freed {
                (state.fault.frees.at_end, state.fault.changes.at_end) = (before.frees, before.changes);
            }
            state.freed = true;
            state.fault.freed = Some(at);
        }
        Event::Changed(Change { kind: ChangeKind::Freed, entry, at, seq, by, slot: before.count() })
    }

    fn change(&mut self, kind: ChangeKind, at: Nanos, by: Task, entry: Entry) -> Event {
        let slot = self.slot(entry);
        slot.changes += 1;
        let (seq, slot) = (slot.changes, slot.count());
        Event::Changed(Change { kind, entry, at, seq, by, slot })
    }

    fn end_fault(&mut self, at: Nanos, task: &Task, installed: bool) -> Result<Option<Event>, String> {
        let InProgress { mut fault, freed } = self.faults.remove(&task.tid).ok_or_else(|| no_fault(task))?;
        let slot = self.slot(fault.entry);
        slot.ends += 1;
        let now = *slot;
        if !freed {
            (fault.frees.at_end, fault.changes.at_end) = (now.frees, now.changes);
        }
        (fault.end, fault.installed, fault.slot) = (at, installed, now.count());
        if installed && fault.path == Path::None {
            fault.path = Path::Cached;
        }
        Ok(Some(Event::Ended(fault)))
    }
}

fn no_fault(task: &Task) -> String {
    format!("{} has no fault in progress", task.comm)
}

fn start_read(fault: &mut Fault, slot: SlotNumbers, at: Nanos, path: Path) {
    (fault.read_start, fault.path) = (Some(at), path);
    (fault.frees.at_read, fault.changes.at_read) = (slot.frees, slot.changes);
}

fn end_lock_wait(fault: &mut Fault, at: Nanos) {
    fault.lock = fault.lock.map(|lock| LockWait { ended: Some(at), ..lock });
}

fn parse(entry: &str) -> Result<Entry, String> {
    entry.parse().map_err(|_| format!("{entry} is not an entry"))
}

fn micros(text: &str) -> Result<Nanos, String> {
    text.parse::<Nanos>().map(|micros| micros * 1_000).map_err(|_| format!("{text} is not a time"))
}

/// What the engine reports, one line each.
fn outcomes(engine: &Engine<()>) -> Vec<String> {
    let report = engine.report();
    let findings = report
        .findings
        .iter()
        .map(|Finding { verdict, entry, reader, .. }| format!("{verdict} by {} on {entry}", reader.comm));
    let overlaps = report.overlaps.iter().map(|o| {
        let range = if o.nr > 1 { format!("{}+{}", o.entry, o.nr) } else { o.entry.to_string() };
        format!("overlap on {range} from {} to {}, depth {}", o.from_ns / 1_000, o.to_ns / 1_000, o.depth)
    });
    let dropped = [
        ("late_events", report.dropped.late_events),
        ("incomplete_readers", report.dropped.incomplete_readers),
        ("faults_without_end", report.dropped.faults_without_end),
    ];
    let dropped =
        dropped.into_iter().filter(|(_, count)| *count > 0).map(|(cause, count)| format!("dropped: {cause} {count}"));
    findings.chain(overlaps).chain(report.waits.iter().map(wait)).chain(dropped).collect()
}

fn wait(wait: &Wait) -> String {
    let mut text = format!(
        "{} by {} on {} from {} to {}, retries {}",
        wait.verdict(),
        wait.task.comm,
        wait.entry,
        wait.from_ns / 1_000,
        wait.to_ns / 1_000,
        wait.retries
    );
    if wait.gone > 0 {
        let _ = write!(text, ", gone {}", wait.gone);
    }
    let _ = write!(text, ", {}", wait.outcome.code());
    if let Some((hold, oversleep)) = wait.holder.as_ref().zip(wait.oversleep_ns) {
        let _ = write!(text, ", held by {}, oversleep {}", hold.task.comm, oversleep / 1_000);
    }
    text
}
