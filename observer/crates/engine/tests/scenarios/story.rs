//! The stories' language: what tasks do, in; what the engine makes of it, out.

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write as _,
};

use observer_engine::{
    Engine,
    event::{
        Change, ChangeKind, Entry, Event, Fault, LockWait, Nanos, Path, Pin, PinResult, SlotCount, Task, VM_FAULT_RETRY,
    },
    verdict::Finding,
    wait::{Wait, WaitKind},
};

/// What a story says must come out, and what did: sorted lines.
pub(crate) struct Outcome {
    pub(crate) expected: Vec<String>,
    pub(crate) said: Vec<String>,
}

/// Runs a story.
pub(crate) fn run(text: &str) -> Result<Outcome, String> {
    let mut stage = Stage::default();
    let mut expected = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if let Some(outcome) = line.strip_prefix("=>") {
            expected.push(outcome.split_whitespace().collect::<Vec<_>>().join(" "));
        } else if !line.is_empty() {
            stage.line(line).map_err(|error| format!("line {}: {error}: {line}", number + 1))?;
        }
    }
    stage.engine.finish();
    let mut said = said(&stage.engine);
    said.sort();
    expected.sort();
    Ok(Outcome { expected, said })
}

/// The numbers of a filter slot, as the programs keep them.
#[derive(Clone, Copy, Default)]
struct Numbers {
    opens: u32,
    closes: u32,
    frees: u32,
    changes: u32,
}

impl Numbers {
    fn count(self) -> SlotCount {
        SlotCount { opens: self.opens, closes: self.closes }
    }
}

#[derive(Default)]
struct Stage {
    engine: Engine,
    tids: HashMap<String, u32>,
    slots: HashMap<u32, Numbers>,
    /// faults in progress, and whether their span is over by a free of their own.
    faults: BTreeMap<u32, (Fault, bool)>,
}

impl Stage {
    fn line(&mut self, line: &str) -> Result<(), String> {
        let (line, lost) = strip(line, "(lost)");
        let (line, told) = match line.split_once("(told at ") {
            Some((line, at)) => (line.trim(), Some(micros(at.trim_end_matches(')'))?)),
            None => (line, None),
        };
        let words: Vec<&str> = line.split_whitespace().collect();
        let [at, who, action @ ..] = words.as_slice() else {
            return Err("a time, a task and a action are wanted".into());
        };
        let at = micros(at)?;
        let event = self.action(at, who, action)?;
        if let Some(mut event) = event.filter(|_| !lost) {
            match &mut event {
                Event::Changed(change) => change.at = told.unwrap_or(at),
                Event::Started(fault) | Event::Ended(fault) => fault.end = told.unwrap_or(at),
            }
            self.engine.feed(event);
        }
        Ok(())
    }

    fn action(&mut self, at: Nanos, who: &str, action: &[&str]) -> Result<Option<Event>, String> {
        if (who, action) == ("the", &["clock", "passes"]) {
            self.engine.advance(at + observer_engine::HOLD_BACK);
            return Ok(None);
        }
        let task = self.task(who);
        match action {
            ["faults", "on", entry] => Ok(self.start(at, task, parse(entry)?, 0x7000)),
            ["faults", "on", entry, "at", page] => {
                let page = u64::from_str_radix(page.trim_start_matches("0x"), 16).map_err(|_| "no such page")?;
                Ok(self.start(at, task, parse(entry)?, page))
            }
            ["reads"] => self.in_progress(&task, |fault, slot| read(fault, slot, at, Path::Direct)),
            ["reads", "into", "the", "cache"] => {
                self.in_progress(&task, |fault, slot| read(fault, slot, at, Path::Cached))
            }
            ["has", "read"] => self.in_progress(&task, |fault, _| fault.read_end = Some(at)),
            ["pins", range] => self.pin(&task, at, range, PinResult::Taken),
            ["finds", range, "pinned"] => self.pin(&task, at, range, PinResult::Held),
            ["finds", range, "gone"] => self.pin(&task, at, range, PinResult::Gone),
            ["unpins"] => self.in_progress(&task, |fault, _| {
                fault.pin = fault.pin.map(|pin| Pin { dropped: Some(at), ..pin });
            }),
            ["finds", "its", "page", "locked"] => {
                self.in_progress(&task, |fault, _| fault.lock = Some(LockWait { tried: at, ended: None }))
            }
            ["gets", "the", "lock"] => self.in_progress(&task, |fault, _| {
                fault.lock = fault.lock.map(|lock| LockWait { ended: Some(at), ..lock });
            }),
            ["is", "woken"] => self.in_progress(&task, |fault, _| {
                fault.lock = fault.lock.map(|lock| LockWait { ended: Some(at), ..lock });
                fault.fault_ret |= VM_FAULT_RETRY;
            }),
            ["frees", entry] => Ok(Some(self.free(at, task, parse(entry)?))),
            ["hands", "out", entry] => Ok(Some(self.change(ChangeKind::Allocated, at, task, parse(entry)?))),
            ["starts", "to", "write", entry] => {
                Ok(Some(self.change(ChangeKind::WriteStarted, at, task, parse(entry)?)))
            }
            ["writes", entry] => Ok(Some(self.change(ChangeKind::Written, at, task, parse(entry)?))),
            ["returns"] => self.end(at, &task, false),
            ["returns", "with", "its", "page"] => self.end(at, &task, true),
            _ => Err("no such action".into()),
        }
    }

    fn task(&mut self, who: &str) -> Task {
        let next = self.tids.values().max().map_or(1, |last| last + 1);
        let tid = *self.tids.entry(who.to_owned()).or_insert(next);
        Task { tid, pid: 1, comm: who.into() }
    }

    fn slot(&mut self, entry: Entry) -> &mut Numbers {
        self.slots.entry(observer_ebpf::slot::index(entry.0)).or_default()
    }

    fn start(&mut self, at: Nanos, task: Task, entry: Entry, address: u64) -> Option<Event> {
        let slot = self.slot(entry);
        slot.opens += 1;
        let now = *slot;
        let mut fault = Fault { entry, base: entry, nr: 1, address, start: at, ..Fault::default() };
        (fault.task, fault.end, fault.slot) = (task, at, now.count());
        (fault.frees.at_read, fault.changes.at_read) = (now.frees, now.changes);
        let opened = (now.opens - now.closes > 1).then(|| Event::Started(fault.clone()));
        self.faults.insert(fault.task.tid, (fault, false));
        opened
    }

    fn in_progress(&mut self, task: &Task, action: impl FnOnce(&mut Fault, Numbers)) -> Result<Option<Event>, String> {
        let entry = self.faults.get(&task.tid).ok_or("that task is not in progress")?.0.entry;
        let slot = *self.slot(entry);
        self.faults.entry(task.tid).and_modify(|(fault, _)| action(fault, slot));
        Ok(None)
    }

    fn pin(&mut self, task: &Task, tried: Nanos, range: &str, result: PinResult) -> Result<Option<Event>, String> {
        let (base, nr) = match range.split_once('+') {
            Some((base, nr)) => (parse(base)?, nr.parse().map_err(|_| "no such range")?),
            None => (parse(range)?, 1),
        };
        self.in_progress(task, |fault, _| {
            let fails = fault.pin.map_or(0, |pin| pin.fails) + u32::from(result != PinResult::Taken);
            (fault.base, fault.nr) = (base, nr);
            fault.pin = Some(Pin { tried, result, fails, dropped: None });
        })
    }

    fn free(&mut self, at: Nanos, by: Task, entry: Entry) -> Event {
        let slot = self.slot(entry);
        let before = *slot;
        slot.frees += 1;
        let seq = slot.frees;
        if let Some((fault, over)) = self.faults.get_mut(&by.tid).filter(|(fault, _)| fault.entry == entry) {
            if !*over {
                (fault.frees.at_end, fault.changes.at_end) = (before.frees, before.changes);
            }
            *over = true;
            fault.freed = Some(at);
        }
        let slot = before.count();
        Event::Changed(Change { kind: ChangeKind::Freed, entry, at, seq, by, slot })
    }

    fn change(&mut self, kind: ChangeKind, at: Nanos, by: Task, entry: Entry) -> Event {
        let slot = self.slot(entry);
        slot.changes += 1;
        let (seq, slot) = (slot.changes, slot.count());
        Event::Changed(Change { kind, entry, at, seq, by, slot })
    }

    fn end(&mut self, at: Nanos, task: &Task, installed: bool) -> Result<Option<Event>, String> {
        let (mut fault, over) = self.faults.remove(&task.tid).ok_or("that task is not in progress")?;
        let slot = self.slot(fault.entry);
        slot.closes += 1;
        let now = *slot;
        if !over {
            (fault.frees.at_end, fault.changes.at_end) = (now.frees, now.changes);
        }
        (fault.end, fault.installed, fault.slot) = (at, installed, now.count());
        if installed && fault.path == Path::None {
            fault.path = Path::Cached;
        }
        Ok(Some(Event::Ended(fault)))
    }
}

fn read(fault: &mut Fault, slot: Numbers, at: Nanos, path: Path) {
    (fault.read_start, fault.path) = (Some(at), path);
    (fault.frees.at_read, fault.changes.at_read) = (slot.frees, slot.changes);
}

fn parse(entry: &str) -> Result<Entry, String> {
    entry.parse().map_err(|_| format!("{entry} is no entry"))
}

fn micros(text: &str) -> Result<Nanos, String> {
    text.parse::<Nanos>().map(|micros| micros * 1_000).map_err(|_| format!("{text} is no time"))
}

fn strip<'a>(line: &'a str, suffix: &str) -> (&'a str, bool) {
    line.strip_suffix(suffix).map_or((line, false), |line| (line.trim(), true))
}

fn said(engine: &Engine) -> Vec<String> {
    let report = engine.report();
    let findings = report
        .findings
        .iter()
        .map(|Finding { verdict, entry, reader, .. }| format!("{} by {} on {entry}", verdict.name(), reader.comm));
    let overlaps = report.overlaps.iter().map(|o| {
        let range = if o.nr > 1 { format!("{}+{}", o.entry, o.nr) } else { o.entry.to_string() };
        format!("overlap on {range} from {} to {}, {} deep", o.from_ns / 1_000, o.to_ns / 1_000, o.depth)
    });
    let dropped = [
        ("late events", report.dropped.late_events),
        ("incomplete readers", report.dropped.incomplete_readers),
        ("faults without end", report.dropped.faults_without_end),
    ];
    let dropped =
        dropped.into_iter().filter(|(_, count)| *count > 0).map(|(name, count)| format!("lost: {name} {count}"));
    findings.chain(overlaps).chain(report.waits.iter().map(wait)).chain(dropped).collect()
}

fn wait(wait: &Wait) -> String {
    let (kind, held) = match wait.kind {
        WaitKind::Pin => ("wait", "pin"),
        WaitKind::FolioLock => ("lock wait", "lock"),
    };
    let mut text = format!(
        "{kind} by {} on {} from {} to {}, {} tries",
        wait.task.comm,
        wait.entry,
        wait.from_ns / 1_000,
        wait.to_ns / 1_000,
        wait.retries
    );
    if wait.gone > 0 {
        let _ = write!(text, ", {} gone", wait.gone);
    }
    if wait.kind == WaitKind::FolioLock {
        let _ = write!(text, ", {}", wait.ended.name());
    }
    if let Some((hold, over)) = wait.holder.as_ref().zip(wait.oversleep_ns) {
        let _ = write!(text, ", {held} held by {}, overslept {}", hold.task.comm, over / 1_000);
    }
    text
}
