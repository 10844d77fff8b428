//! Chrome trace events for the Perfetto viewer (ui.perfetto.dev): a track for each task, in its process, tracks for the
//! states and the overlaps of each entry, and for each finding an arrow from the free to the install. Events are written as
//! they arrive, except for the states of entries, of which a limited number is kept until the end.
//!
//! The format has times in microseconds, which readers take as double-precision numbers. They are written as decimals
//! with three digits and counted from the start of the observation, so they are exact to the nanosecond for the first
//! 2^52 ns (52 days) of it. The slices of a track nest: the importer drops those that overlap in part.

use std::{
    cmp::Reverse,
    collections::BTreeMap,
    fmt::Write as _,
    io::{self, Write},
};

use serde_json::{Value, json};

use self::states::{Entries, Held};
use super::json;
use crate::{selection::Picked, summary::place::Placed, words};

use observer_engine::{
    event::{Change, ChangeKind, Entry, Event, Fault, Nanos, PinResult, Task},
    overlap::Overlap,
    verdict::Finding,
};
use observer_observation::{Input, Known, Outcome, Swap};

mod states;

/// Most trace events that are written: viewers load no more.
const LIMIT: u64 = 2_000_000;

/// The process that has the entries, and the number of the first entry's track: above every process and thread id
/// (`PID_MAX_LIMIT`), and below further tracks.
const ENTRIES: u32 = 1 << 29;

/// Tracks of one task or entry. All but the first are for slices that overlap earlier ones: overlaps of ranges of
/// entries, or faults in a damaged recording.
const LANES: usize = 8;
/// The first number of a further track.
const FIRST_LANE: u32 = 1 << 30;

/// A track: process and thread in the trace.
type Track = (u32, u32);

type Span = (Nanos, Nanos);

/// The tracks of a task or an entry, with the number of each and the end of its last slice.
#[derive(Debug, Default)]
struct Lanes(Vec<(u32, Nanos)>);

/// A trace that is being written.
pub struct Trace<W> {
    out: W,
    /// The start of the observation.
    start: Nanos,
    written: u64,
    /// Trace events beyond [`LIMIT`].
    omitted: u64,
    tasks: BTreeMap<Track, Task>,
    lanes: BTreeMap<Track, Lanes>,
    /// Number of the next further track.
    next_lane: u32,
    /// The number of each entry.
    entries: BTreeMap<u64, u32>,
    states: Entries,
    failed: Option<io::Error>,
}

impl<W: Write> Trace<W> {
    /// `start`: the start of the observation, from which times are counted.
    pub fn new(out: W, start: Nanos) -> Self {
        let mut trace = Self {
            out,
            start,
            written: 0,
            omitted: 0,
            tasks: BTreeMap::new(),
            lanes: BTreeMap::new(),
            next_lane: FIRST_LANE,
            entries: BTreeMap::new(),
            states: Entries::default(),
            failed: None,
        };
        trace.raw("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n");
        trace.about_process(ENTRIES, "process_name", &json!({"name": "swap entries"}));
        trace.about_process(ENTRIES, "process_sort_index", &json!({"sort_index": -1}));
        trace
    }

    /// Adds an input of the engine.
    pub fn input(&mut self, input: &Input) {
        match input {
            Input::Event(Event::Ended(fault)) => self.fault(fault),
            Input::Event(Event::Changed(change)) => self.change(change),
            Input::Event(Event::Started(_))
            | Input::Advance(_)
            | Input::Sample(_)
            | Input::Areas(_)
            | Input::Cgroup(_) => {}
        }
    }

    /// Adds overlaps and findings, and ends the file.
    ///
    /// # Errors
    /// The first error in writing it.
    pub fn finish(self, outcome: &Outcome) -> io::Result<W> {
        self.end(&Known::from(outcome), None)
    }

    /// The same with the overlaps and findings that are selected.
    ///
    /// # Errors
    /// As [`Trace::finish`].
    pub fn finish_selected(self, outcome: &Outcome, picked: &Picked) -> io::Result<W> {
        let options = words::selection_of(&picked.options());
        self.end(&Known { report: picked.report(), ..Known::from(outcome) }, Some(&options))
    }

    fn end(mut self, known: &Known<'_>, selection: Option<&str>) -> io::Result<W> {
        let Known { report, context, .. } = *known;
        // Overlaps of ranges of entries can overlap each other: by their start they need the fewest tracks.
        let mut overlaps: Vec<&Overlap> = report.overlaps.iter().collect();
        overlaps.sort_by_key(|overlap| overlap.from_ns);
        for overlap in overlaps {
            self.overlap(overlap);
        }
        for (index, finding) in report.findings.iter().enumerate() {
            self.finding(index, &Placed::new(finding.clone(), known));
        }
        self.write_states();
        self.names(known.swaps);
        let about = json!({
            "tool": context.tool,
            "host": context.host,
            "kernel": context.kernel.release,
            "state": context.kernel.state,
            "filters": context.filters,
            // Faults and changes are selected by time and entry only.
            "selection": selection,
            // Paths by id.
            "cgroups": known.cgroups,
            "damage": known.damage,
            "notes": known.all_notes(),
            "omitted_events": self.omitted,
            // As in the other formats; times of the trace are counted from here.
            "start_monotonic_ns": self.start.to_string(),
        });
        match json::text(&about) {
            Ok(about) => self.raw(&format!("\n],\"otherData\":{about}}}\n")),
            Err(error) => self.fail(error),
        }
        match self.failed {
            Some(error) => Err(error),
            None => self.out.flush().map(|()| self.out),
        }
    }

    fn fault(&mut self, fault: &Fault) {
        let track = self.task(&fault.task);
        let name = format!("swap-in {}", fault.entry);
        let args = json!({
            "entry": fault.entry.to_string(),
            "address": format!("{:#x}", fault.address),
            "path": fault.path,
            "installed": fault.installed,
            "cgroup": fault.cgroup.to_string(),
        });
        let whole = (fault.start, fault.end.max(fault.start));
        let read = fault.read_start.zip(fault.read_end);
        let lock = fault.lock.map(|lock| (lock.tried, lock.ended.unwrap_or(fault.end)));
        let parts = [read.map(|read| ("read", read)), lock.map(|lock| ("waits for the folio lock", lock))];
        if let Some(lane) = self.lane(track, whole) {
            self.slice(lane, &name, whole, &args);
            for (name, span) in nested(whole, parts.into_iter().flatten().collect()) {
                self.slice(lane, name, span, &json!({}));
            }
        } else {
            self.omitted += 1;
        }
        if let Some(pin) = fault.pin {
            let name = match pin.result {
                PinResult::Taken => "pin taken",
                PinResult::Held => "pin contended: held",
                PinResult::Gone => "pin contended: entry gone",
                PinResult::Failed => "pin contended",
            };
            self.instant(track, name, pin.tried, &json!({"failures": pin.failures}));
            if let Some(at) = pin.dropped {
                self.instant(track, "pin released", at, &json!({}));
            }
        }
        let of_entry = overlaps_of(self.entry(fault.entry.0));
        let args = json!({"tid": fault.task.tid});
        self.instant(of_entry, &format!("{} starts", fault.task.comm), fault.start, &args);
        self.omitted += u64::from(!self.states.add_fault(fault));
    }

    fn change(&mut self, change: &Change) {
        let name = match change.kind {
            ChangeKind::Freed => "freed",
            ChangeKind::Allocated => "allocated",
            ChangeKind::WriteStarted => "write started",
            ChangeKind::Written => "written",
        };
        let track = self.task(&change.by);
        self.entry(change.entry.0);
        self.instant(track, &format!("{name} {}", change.entry), change.at, &json!({}));
        self.omitted += u64::from(!self.states.add_change(change));
    }

    fn write_states(&mut self) {
        for (entry, all) in std::mem::take(&mut self.states).states() {
            let track = states_of(self.entry(entry));
            for Held { state, span, by } in all {
                let args = by.map_or_else(|| json!({}), |by| json!({"by": by.to_string(), "tid": by.tid}));
                match self.lane(track, span) {
                    Some(lane) => self.slice(lane, state.words(), span, &args),
                    None => self.omitted += 1,
                }
            }
        }
    }

    fn overlap(&mut self, overlap: &Overlap) {
        let (track, span) = (overlaps_of(self.entry(overlap.entry.0)), (overlap.from_ns, overlap.to_ns));
        let args = json!({"entries": overlap.nr, "address_spaces": overlap.address_spaces});
        match self.lane(track, span) {
            Some(lane) => self.slice(lane, &format!("overlap, {} deep", overlap.depth), span, &args),
            None => self.omitted += 1,
        }
    }

    /// The finding is on the track of its reader, with an arrow from the free, which is on the track of its task.
    fn finding(&mut self, index: usize, finding: &Placed<Finding>) {
        let track = self.task(&finding.reader);
        let name = finding.verdict.to_string();
        let args = json!({"evidence": finding});
        self.instant(track, &name, finding.end_ns, &args);
        if let Some(freed) = &finding.freed {
            let from = self.task(&freed.by);
            let flow = |phase: &str, (pid, tid): Track| json!({"ph": phase, "cat": "aba", "name": name, "id": index, "pid": pid, "tid": tid});
            let start = flow("s", from);
            let mut end = flow("f", track);
            if let Some(object) = end.as_object_mut() {
                object.insert("bp".to_owned(), "e".into());
            }
            self.event(&start, &[("ts", self.since(freed.at_ns))]);
            self.event(&end, &[("ts", self.since(finding.end_ns))]);
        }
    }

    fn names(&mut self, swaps: &[Swap]) {
        let tasks = std::mem::take(&mut self.tasks);
        for (pid, name) in process_names(&tasks) {
            self.about_process(pid, "process_name", &json!({"name": name}));
        }
        for (track, task) in tasks {
            self.name_tracks(track, &task.comm.to_string());
        }
        for (entry, number) in std::mem::take(&mut self.entries) {
            let name = entry_name(Entry(entry), swaps);
            if self.lanes.contains_key(&states_of(number)) {
                self.name_tracks(states_of(number), &format!("{name}: states"));
            }
            self.name_tracks(overlaps_of(number), &format!("{name}: faults"));
        }
    }

    fn about_process(&mut self, pid: u32, what: &str, args: &Value) {
        self.event(&json!({"ph": "M", "name": what, "pid": pid, "args": args}), &[]);
    }

    fn name_tracks(&mut self, (pid, tid): Track, name: &str) {
        self.name(pid, tid, name);
        for (lane, _) in self.lanes.remove(&(pid, tid)).into_iter().flat_map(|lanes| lanes.0).skip(1) {
            self.name(pid, lane, name);
        }
    }

    fn name(&mut self, pid: u32, tid: u32, name: &str) {
        let event = json!({"ph": "M", "name": "thread_name", "pid": pid, "tid": tid, "args": {"name": name}});
        self.event(&event, &[]);
    }

    /// The track for a slice of a task or an entry; `None`: on each it would overlap an earlier one.
    fn lane(&mut self, track: Track, (start, end): Span) -> Option<Track> {
        let (pid, tid) = track;
        if self.written >= LIMIT {
            // Nothing more is written.
            return Some(track);
        }
        let lanes = &mut self.lanes.entry(track).or_default().0;
        if let Some((lane, last)) = lanes.iter_mut().find(|(_, last)| *last <= start) {
            *last = end;
            return Some((pid, *lane));
        }
        let lane = match lanes.len() {
            0 => tid,
            1..LANES => {
                self.next_lane = self.next_lane.checked_add(1)?;
                self.next_lane
            }
            _ => return None,
        };
        lanes.push((lane, end));
        Some((pid, lane))
    }

    /// Time since the start of the observation.
    const fn since(&self, at: Nanos) -> Nanos {
        at.saturating_sub(self.start)
    }

    fn task(&mut self, task: &Task) -> Track {
        // A task whose process is unknown gets one to itself.
        let pid = if task.pid == 0 { task.tid } else { task.pid };
        if self.written < LIMIT {
            self.tasks.entry((pid, task.tid)).or_insert_with(|| task.clone());
        }
        (pid, task.tid)
    }

    fn entry(&mut self, entry: u64) -> u32 {
        if self.written >= LIMIT {
            return self.entries.get(&entry).copied().unwrap_or(0);
        }
        let next = u32::try_from(self.entries.len() + 1).unwrap_or(0);
        *self.entries.entry(entry).or_insert(next)
    }

    fn slice(&mut self, (pid, tid): Track, name: &str, (start, end): Span, args: &Value) {
        let event = json!({"ph": "X", "name": name, "pid": pid, "tid": tid, "args": args});
        let (start, end) = (self.since(start), self.since(end));
        self.event(&event, &[("ts", start), ("dur", end.saturating_sub(start))]);
    }

    fn instant(&mut self, (pid, tid): Track, name: &str, at: Nanos, args: &Value) {
        let event = json!({"ph": "i", "s": "t", "name": name, "pid": pid, "tid": tid, "args": args});
        self.event(&event, &[("ts", self.since(at))]);
    }

    /// Writes an event with its times.
    fn event(&mut self, event: &Value, times: &[(&str, Nanos)]) {
        if self.written >= LIMIT && event.get("ph").is_none_or(|phase| phase != "M") {
            self.omitted += 1;
            return;
        }
        match with_times(event, times) {
            Ok(text) => {
                if self.written > 0 {
                    self.raw(",\n");
                }
                self.written += 1;
                self.raw(&text);
            }
            Err(error) => self.fail(error),
        }
    }

    fn fail(&mut self, error: io::Error) {
        self.failed.get_or_insert(error);
    }

    fn raw(&mut self, text: &str) {
        if self.failed.is_none()
            && let Err(error) = self.out.write_all(text.as_bytes())
        {
            self.failed = Some(error);
        }
    }
}

/// The two tracks of the entry with this number. Slices of one would not nest in those of the other.
const fn states_of(number: u32) -> Track {
    (ENTRIES, ENTRIES + 2 * number)
}

const fn overlaps_of(number: u32) -> Track {
    (ENTRIES, ENTRIES + 2 * number + 1)
}

/// A process has the name of its first thread, whose id is that of the process, or of another one.
fn process_names(tasks: &BTreeMap<Track, Task>) -> BTreeMap<u32, String> {
    let mut names = BTreeMap::new();
    for ((pid, tid), task) in tasks {
        let name = task.comm.to_string();
        if pid == tid {
            names.insert(*pid, name);
        } else {
            names.entry(*pid).or_insert(name);
        }
    }
    names
}

/// An event as JSON, with times in microseconds as decimals: a number would be rounded on its way.
fn with_times(event: &Value, times: &[(&str, Nanos)]) -> io::Result<String> {
    let mut text = json::text(event)?;
    if !times.is_empty() {
        text.pop();
        for (name, ns) in times {
            // Writing to a String cannot fail.
            let _ = write!(text, ",\"{name}\":{}.{:03}", ns / 1_000, ns % 1_000);
        }
        text.push('}');
    }
    Ok(text)
}

/// The name of an entry's tracks, with the areas that had its type, one after another.
fn entry_name(entry: Entry, swaps: &[Swap]) -> String {
    let mut name = format!("entry {entry}");
    let mut paths = Vec::new();
    for swap in swaps.iter().filter(|swap| swap.kind == u32::from(entry.swap_type())) {
        if !paths.contains(&&swap.path) {
            let separator = if paths.is_empty() { "" } else { "," };
            // Writing to a String cannot fail.
            let _ = write!(name, "{separator} {}", swap.path);
            paths.push(&swap.path);
        }
    }
    name
}

/// Spans cut to `whole` and split so that they nest: each lies within or outside every other. The outer one of two
/// comes first.
fn nested<T: Copy>(whole: Span, spans: Vec<(T, Span)>) -> Vec<(T, Span)> {
    let cut = |(what, (start, end)): (T, Span)| (what, (start.clamp(whole.0, whole.1), end.clamp(whole.0, whole.1)));
    let mut waiting: Vec<(T, Span)> = spans.into_iter().map(cut).filter(|(_, (start, end))| start <= end).collect();
    let mut nested: Vec<(T, Span)> = Vec::new();
    let mut open: Vec<Nanos> = Vec::new();
    // From the last to the first, so that the next one is at the end.
    let order = |waiting: &mut Vec<(T, Span)>| waiting.sort_by_key(|(_, (start, end))| (Reverse(*start), *end));
    order(&mut waiting);
    while let Some((what, (start, end))) = waiting.pop() {
        open.retain(|outer| *outer > start);
        if let Some(outer) = open.last().copied().filter(|outer| *outer < end) {
            waiting.extend([(what, (start, outer)), (what, (outer, end))]);
            order(&mut waiting);
        } else {
            open.push(end);
            nested.push((what, (start, end)));
        }
    }
    nested
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{collection::vec, prelude::*};

    #[test]
    fn times_are_exact_decimals() {
        let text = with_times(&json!({"a": {}}), &[("ts", 4_503_599_627_370_495), ("dur", 7)]).unwrap();
        assert_eq!(text, r#"{"a":{},"ts":4503599627370.495,"dur":0.007}"#);
    }

    #[test]
    fn a_wait_that_outlasts_the_read_is_split_at_its_end() {
        let parts = vec![("wait", (3, 9)), ("read", (1, 5))];
        assert_eq!(nested((0, 8), parts), [("read", (1, 5)), ("wait", (3, 5)), ("wait", (5, 8))]);
        assert_eq!(nested((0, 8), vec![("a", (1, 5)), ("b", (1, 7))]), [("b", (1, 7)), ("a", (1, 5))]);
        assert_eq!(nested((4, 8), vec![("a", (1, 2)), ("b", (6, 5))]), [("a", (4, 4))]);
    }

    #[test]
    fn faults_of_one_task_that_overlap_are_on_tracks_of_their_own() {
        let mut trace = Trace::new(Vec::new(), 0);
        let lanes = [(0, 10), (10, 20), (15, 25), (12, 30), (25, 26)].map(|span| trace.lane((3, 7), span));
        assert_eq!(lanes, [7, 7, FIRST_LANE + 1, FIRST_LANE + 2, 7].map(|tid| Some((3, tid))));
        let overlapping = (0..2 * LANES).filter(|_| trace.lane((3, 8), (1, 2)).is_some()).count();
        assert_eq!(overlapping, LANES);
    }

    #[test]
    fn a_process_has_the_name_of_its_first_thread() {
        let task = |pid, tid, comm: &str| ((pid, tid), Task { pid, tid, comm: comm.into() });
        let tasks = [task(3, 3, "main"), task(3, 2, "worker"), task(5, 9, "one"), task(5, 8, "other")];
        let names: Vec<_> = process_names(&BTreeMap::from(tasks)).into_iter().collect();
        assert_eq!(names, [(3, "main".to_owned()), (5, "other".to_owned())]);
    }

    fn covered(spans: &[(u8, Span)]) -> u64 {
        (0..64).filter(|at| spans.iter().any(|(_, (start, end))| (*start..*end).contains(at))).count() as u64
    }

    proptest! {
        #[test]
        fn spans_nest_and_cover_what_they_covered(spans in vec((0u64..64, 0u64..64), 0..8)) {
            let spans: Vec<(u8, Span)> = spans.into_iter().map(|(a, b)| (0, (a.min(b), a.max(b)))).collect();
            let nested = nested((0, 64), spans.clone());
            prop_assert_eq!(covered(&nested), covered(&spans));
            for (index, (_, a)) in nested.iter().enumerate() {
                for (_, b) in nested.iter().skip(index + 1) {
                    // Of two with the same start the outer one is first.
                    let inside = a.0 <= b.0 && b.1 <= a.1;
                    prop_assert!(inside || a.1 <= b.0, "{a:?} {b:?}");
                }
            }
        }
    }
}
