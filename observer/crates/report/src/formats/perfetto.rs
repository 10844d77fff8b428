//! Chrome trace events for the Perfetto viewer (ui.perfetto.dev): a track for each task and each entry, and for each
//! finding an arrow from the free to the install. Events are written as they arrive, so memory does not grow with them.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use serde_json::{Value, json};

use observer_engine::{
    event::{Change, ChangeKind, Event, Fault, Nanos, PinResult, Task},
    overlap::Overlap,
    verdict::Finding,
};
use observer_observation::{Input, Outcome};

/// Most trace events that are written: viewers load no more.
const LIMIT: u64 = 2_000_000;

/// Process ids in the trace: one process has the tasks, the other has the entries.
const TASKS: u32 = 1;
const ENTRIES: u32 = 2;

/// A trace that is being written.
pub struct Trace<W> {
    out: W,
    written: u64,
    /// Trace events beyond [`LIMIT`].
    omitted: u64,
    tasks: BTreeMap<u32, Task>,
    entries: BTreeMap<u64, u32>,
    failed: Option<io::Error>,
}

impl<W: Write> Trace<W> {
    pub fn new(out: W) -> Self {
        let mut trace =
            Self { out, written: 0, omitted: 0, tasks: BTreeMap::new(), entries: BTreeMap::new(), failed: None };
        trace.raw("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n");
        for (pid, name) in [(TASKS, "tasks"), (ENTRIES, "swap entries")] {
            trace.event(&json!({"ph": "M", "name": "process_name", "pid": pid, "args": {"name": name}}));
        }
        trace
    }

    /// Adds an input of the engine.
    pub fn input(&mut self, input: &Input) {
        match input {
            Input::Event(Event::Ended(fault)) => self.fault(fault),
            Input::Event(Event::Changed(change)) => self.change(change),
            Input::Event(Event::Started(_)) | Input::Advance(_) | Input::Sample(_) => {}
        }
    }

    /// Adds overlaps and findings, and ends the file.
    ///
    /// # Errors
    /// The first error in writing it.
    pub fn finish(mut self, outcome: &Outcome) -> io::Result<W> {
        let report = outcome.engine.report();
        for overlap in &report.overlaps {
            self.overlap(overlap);
        }
        for (index, finding) in report.findings.iter().enumerate() {
            self.finding(index, finding);
        }
        self.names();
        let about = json!({
            "tool": outcome.context.tool,
            "host": outcome.context.host,
            "kernel": outcome.context.kernel.release,
            "state": outcome.context.kernel.state,
            "filters": outcome.context.filters,
            "damage": outcome.damage,
            "omitted_events": self.omitted,
        });
        self.raw(&format!("\n],\"otherData\":{about}}}\n"));
        match self.failed {
            Some(error) => Err(error),
            None => self.out.flush().map(|()| self.out),
        }
    }

    fn fault(&mut self, fault: &Fault) {
        let tid = self.task(&fault.task);
        let name = format!("swap-in {}", fault.entry);
        let args = json!({
            "entry": fault.entry.to_string(),
            "address": format!("{:#x}", fault.address),
            "path": fault.path,
            "installed": fault.installed,
            "cgroup": fault.cgroup,
        });
        self.slice(TASKS, tid, &name, (fault.start, fault.end), &args);
        if let Some((start, end)) = fault.read_start.zip(fault.read_end) {
            self.slice(TASKS, tid, "read", (start, end.min(fault.end)), &json!({}));
        }
        if let Some(pin) = fault.pin {
            let name = match pin.result {
                PinResult::Taken => "pin taken",
                PinResult::Held => "pin contended: held",
                PinResult::Gone => "pin contended: entry gone",
                PinResult::Failed => "pin contended",
            };
            self.instant(TASKS, tid, name, pin.tried, &json!({"failures": pin.failures}));
            if let Some(at) = pin.dropped {
                self.instant(TASKS, tid, "pin released", at, &json!({}));
            }
        }
        if let Some(lock) = fault.lock {
            let end = lock.ended.unwrap_or(fault.end).min(fault.end);
            self.slice(TASKS, tid, "waits for the folio lock", (lock.tried, end), &json!({}));
        }
        let entry = self.entry(fault.entry.0);
        self.instant(ENTRIES, entry, &format!("{} starts", fault.task.comm), fault.start, &json!({"tid": tid}));
    }

    fn change(&mut self, change: &Change) {
        let name = match change.kind {
            ChangeKind::Freed => "freed",
            ChangeKind::Allocated => "allocated",
            ChangeKind::WriteStarted => "write started",
            ChangeKind::Written => "written",
        };
        let (tid, entry) = (self.task(&change.by), self.entry(change.entry.0));
        self.instant(ENTRIES, entry, name, change.at, &json!({"by": change.by.to_string(), "tid": tid}));
        self.instant(TASKS, tid, &format!("{name} {}", change.entry), change.at, &json!({}));
    }

    fn overlap(&mut self, overlap: &Overlap) {
        let entry = self.entry(overlap.entry.0);
        let args = json!({"entries": overlap.nr, "address_spaces": overlap.address_spaces});
        self.slice(
            ENTRIES,
            entry,
            &format!("overlap, {} deep", overlap.depth),
            (overlap.from_ns, overlap.to_ns),
            &args,
        );
    }

    /// The finding is on the track of its reader, with an arrow from the free, which is on the track of its task.
    fn finding(&mut self, index: usize, finding: &Finding) {
        let tid = self.task(&finding.reader);
        let name = finding.verdict.to_string();
        let args = json!({"evidence": finding});
        self.instant(TASKS, tid, &name, finding.end_ns, &args);
        if let Some(freed) = &finding.freed {
            let from = self.task(&freed.by);
            let flow = |phase: &str, tid: u32, at: Nanos| {
                let mut event = json!({"ph": phase, "cat": "aba", "name": name, "id": index, "pid": TASKS, "tid": tid});
                add_time(&mut event, "ts", at);
                event
            };
            let start = flow("s", from, freed.at_ns);
            let mut end = flow("f", tid, finding.end_ns);
            if let Some(object) = end.as_object_mut() {
                object.insert("bp".to_owned(), "e".into());
            }
            self.event(&start);
            self.event(&end);
        }
    }

    fn names(&mut self) {
        for (tid, task) in std::mem::take(&mut self.tasks) {
            let args = json!({"name": format!("{} (pid {})", task.comm, task.pid)});
            self.event(&json!({"ph": "M", "name": "thread_name", "pid": TASKS, "tid": tid, "args": args}));
        }
        for (entry, tid) in std::mem::take(&mut self.entries) {
            let args = json!({"name": format!("entry {}", observer_engine::event::Entry(entry))});
            self.event(&json!({"ph": "M", "name": "thread_name", "pid": ENTRIES, "tid": tid, "args": args}));
        }
    }

    fn task(&mut self, task: &Task) -> u32 {
        if self.written < LIMIT {
            self.tasks.entry(task.tid).or_insert_with(|| task.clone());
        }
        task.tid
    }

    fn entry(&mut self, entry: u64) -> u32 {
        if self.written >= LIMIT {
            return self.entries.get(&entry).copied().unwrap_or(0);
        }
        let next = u32::try_from(self.entries.len() + 1).unwrap_or(u32::MAX);
        *self.entries.entry(entry).or_insert(next)
    }

    fn slice(&mut self, pid: u32, tid: u32, name: &str, (start, end): (Nanos, Nanos), args: &Value) {
        let mut event = json!({"ph": "X", "name": name, "pid": pid, "tid": tid, "args": args});
        add_time(&mut event, "ts", start);
        add_time(&mut event, "dur", end.saturating_sub(start));
        self.event(&event);
    }

    fn instant(&mut self, pid: u32, tid: u32, name: &str, at: Nanos, args: &Value) {
        let mut event = json!({"ph": "i", "s": "t", "name": name, "pid": pid, "tid": tid, "args": args});
        add_time(&mut event, "ts", at);
        self.event(&event);
    }

    fn event(&mut self, event: &Value) {
        if self.written >= LIMIT && event.get("ph").is_none_or(|phase| phase != "M") {
            self.omitted += 1;
            return;
        }
        if self.written > 0 {
            self.raw(",\n");
        }
        self.written += 1;
        self.raw(&event.to_string());
    }

    fn raw(&mut self, text: &str) {
        if self.failed.is_none()
            && let Err(error) = self.out.write_all(text.as_bytes())
        {
            self.failed = Some(error);
        }
    }
}

/// Times of trace events are in microseconds.
fn add_time(event: &mut Value, name: &str, ns: Nanos) {
    if let Some(object) = event.as_object_mut() {
        object.insert(name.to_owned(), json!(ns as f64 / 1e3));
    }
}
