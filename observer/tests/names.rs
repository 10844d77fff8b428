//! Names from outside hold any byte; no output holds one that controls a terminal, reorders text, forges a line, or is
//! a formula or markup. Every place for a name is filled with arbitrary bytes, and every output is written.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests, with functions of their own")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    process::Command,
    sync::OnceLock,
};

use observer_engine::{
    areas::AreaEntry,
    event::{Comm, Event, Fault, Nanos, Task},
    reported,
    verdict::Finding,
};
use observer_kernel::plan::{Consequence, HookReason, Meaning, MissingReason, Rejection};
use observer_observation::{
    CgroupPath, ClockChange, Clocks, Context, Damage, Degraded, FileDamage, HookUse, Ingest, Input, Note, OnFinding,
    Outcome, Overhead, ProgramRun, ProgramStats, StatsRefusal, Swap, WallClock,
};
use observer_record::Replay;
use observer_recordings::{overlapping_waits::wait_during_read, released};
use observer_report::{
    comparison::Diff,
    diff,
    formats::{
        Format,
        openmetrics::{self, Dialect, ServeCost},
        perfetto::Trace,
    },
    observed::{Observed, Reported},
    picture::{
        story::{Setting, story},
        svg, text,
    },
    selection::{Picked, Seen, Selection},
};
use observer_tui::{
    app::{App, keys::Key},
    model_builder::{ModelBuilder, Source},
    theme::{Colours, Theme},
    view,
};
use proptest::{collection::vec, prelude::*, sample::select};
use ratatui::{
    buffer::Buffer,
    layout::{Rect, Size},
};
use serde_json::Value;

/// Starts a line where a name forges one.
const FORGED: &str = "FORGED";

/// What attacks, and accidents, consist of.
const ATTACKS: &[&[u8]] = &[
    b"\x1b]0;PWN\x07",
    b"\x1b[2J",
    b"\nFORGED",
    b"\r\nFORGED",
    b"=1+1",
    b"+1",
    b"-1",
    b"@A1",
    b"\t=1",
    b"\"",
    b"'",
    b",",
    b"<script>",
    b"\"><img src=x onerror=y>",
    b"</text>",
    b"]]>",
    b"&",
    b"\\",
    b"\\x1b",
    b"\xff",
    b"\xc3",
    b"\x7f",
    b"\xc2\x9b31m",
    b"\xe2\x80\xae",             // U+202E
    b"\xe2\x81\xa6",             // U+2066
    b"\xe2\x80\xa8FORGED",       // U+2028
    b"\xe2\x80\x8f",             // U+200F
    b"\xef\xbb\xbf",             // U+FEFF
    b"\xef\xbf\xbf",             // U+FFFF
    b"\xe6\x97\xa5\xe6\x9c\xac", // U+65E5 U+672C
    b"e\xcc\x81",                // U+0301
    b"%s{}",
    b"zram0",
];

/// Names: arbitrary bytes, and attacks.
fn name() -> impl Strategy<Value = Vec<u8>> {
    let attack = vec(select(ATTACKS), 1..4).prop_map(|parts| parts.concat());
    prop_oneof![2 => attack, 1 => vec(any::<u8>(), 0..24)]
}

/// The names of a case, given out in turn.
struct Names<'a> {
    all: &'a [Vec<u8>],
    next: usize,
}

impl Names<'_> {
    fn bytes(&mut self) -> Vec<u8> {
        self.next += 1;
        self.all[self.next % self.all.len()].clone()
    }

    /// For places that hold text: what is not UTF-8 cannot come there.
    fn text(&mut self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }
}

/// A recording with every verdict, without its names.
fn recorded() -> &'static (Vec<Event>, Outcome) {
    static RECORDED: OnceLock<(Vec<Event>, Outcome)> = OnceLock::new();
    RECORDED.get_or_init(|| {
        let mut events = Vec::new();
        let mut look = |input: &Input| match input {
            Input::Event(event) => events.push(event.clone()),
            Input::Advance(_) | Input::Sample(_) | Input::Areas(_) | Input::Cgroup(_) => {}
        };
        let outcome = Replay::open(&released("v1.obs")).unwrap().finish_with(&mut look);
        (events, outcome)
    })
}

/// The recorded events by tasks with other names.
fn renamed(names: &[Vec<u8>]) -> Vec<Event> {
    let rename = |task: &mut Task| {
        let index = usize::try_from(task.tid).unwrap() % names.len();
        task.comm = Comm::from_bytes(&names[index]);
    };
    let of_fault = |mut fault: Fault| {
        rename(&mut fault.task);
        // Numbers that doubles do not hold.
        fault.mm |= 1 << 63;
        fault.cgroup |= 1 << 63;
        wait_during_read(&mut fault);
        fault
    };
    let events = recorded().0.iter().cloned().map(|event| match event {
        Event::Started(fault) => Event::Started(of_fault(fault)),
        Event::Ended(fault) => Event::Ended(of_fault(fault)),
        Event::Changed(mut change) => {
            rename(&mut change.by);
            Event::Changed(change)
        }
    });
    events.collect()
}

fn context(names: &mut Names<'_>) -> Context {
    let mut context = recorded().1.context.clone();
    context.tool = names.text();
    context.host = names.bytes().into();
    context.command = names.bytes().into();
    context.filters = (0..3).map(|_| (names.text(), names.bytes().into())).collect();
    let used = context.swaps.len();
    context.swaps.resize(used.max(1), Swap::default());
    for swap in &mut context.swaps {
        swap.path = names.bytes().into();
    }
    let kernel = &mut context.kernel;
    kernel.release = names.text();
    kernel.arch = names.text();
    kernel.hooks.push(HookUse {
        symbol: names.text(),
        reason: HookReason::Described { text: names.text() },
        ..kernel.hooks[0].clone()
    });
    let gap = |reason| Degraded {
        meaning: Meaning::Allocated,
        reason,
        consequence: Consequence::of(Meaning::Freed),
        partial: true,
    };
    let changed = Rejection::Changed { symbol: names.text(), prototype: names.text() };
    kernel.degraded.extend([
        gap(MissingReason::Described { text: names.text() }),
        gap(MissingReason::Rejected { functions: vec![changed] }),
        gap(MissingReason::NoTracepoint { name: names.text() }),
    ]);
    context
}

/// An outcome with a name in every place for one, and the trace of its events.
fn outcome(all: &[Vec<u8>], counted: bool) -> (Outcome, String) {
    let names = &mut Names { all, next: 0 };
    let mut ingest = Ingest::default();
    ingest.engine.start_tally();
    let mut trace = Trace::new(Vec::new(), recorded().1.context.clocks.monotonic_ns);
    let mut end: Nanos = 0;
    for event in renamed(all) {
        end = end.max(event.at());
        if let Event::Started(fault) | Event::Ended(fault) = &event
            && ingest.cgroups.path(fault.cgroup).is_none()
        {
            ingest.feed(Input::Cgroup(CgroupPath { id: fault.cgroup, path: names.bytes().into() }));
        }
        let input = Input::Event(event);
        trace.input(&input);
        ingest.feed(input);
    }
    ingest.advance(end + 1_000_000_000);
    ingest.finish();
    let recorded = &recorded().1;
    let mut ending = recorded.ending.clone();
    ending.overhead.program_stats = Some(if counted {
        ProgramStats::Counted(vec![ProgramRun { name: names.text(), runs: 1, run_ns: 2 }])
    } else {
        ProgramStats::Refused(StatsRefusal::RequestFailed { detail: names.text() })
    });
    assert_ne!(ending.overhead, Overhead::default());
    ending.on_finding = Some(OnFinding { command: names.bytes().into(), ..OnFinding::default() });
    let detail = FileDamage::Unreadable { offset_bytes: 7, detail: names.text() };
    let outcome = Outcome {
        context: context(names),
        engine: ingest.engine,
        sample: recorded.sample.clone(),
        wall_clock: recorded.wall_clock.clone(),
        cgroups: ingest.cgroups,
        history: ingest.history,
        ending,
        damage: vec![Damage::File { part: Some(1), damage: detail }],
        notes: vec![Note::DeviceChanged { device: names.bytes().into() }],
    };
    let trace = String::from_utf8(trace.finish(&outcome).unwrap()).unwrap();
    (outcome, trace)
}

fn written(format: Format, reported: &Reported) -> String {
    let mut out = Vec::new();
    format.write(reported, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// Every output holds only printable characters and ends of lines.
fn check_printable(what: &str, text: &str) {
    for line in text.lines() {
        let odd: Vec<char> = line.chars().filter(|ch| !observer_text::is_printable(*ch)).collect();
        assert!(odd.is_empty(), "{what}: {odd:?} in {line:?}");
    }
}

/// The same where text is not wrapped: no line is forged.
fn check_text(what: &str, text: &str) {
    check_printable(what, text);
    for line in text.lines() {
        assert!(!line.trim_start().starts_with(FORGED), "{what}: {line:?}");
    }
}

/// Numbers are exact in doubles, and strings printable.
fn check_json(what: &str, value: &Value) {
    match value {
        Value::Number(number) => {
            let large = number.as_u64().is_some_and(|number| number >= 1 << 53);
            assert!(!large, "{what}: {number}");
        }
        Value::String(text) => check_text(what, text),
        Value::Array(values) => values.iter().for_each(|value| check_json(what, value)),
        Value::Object(values) => {
            for (key, value) in values {
                check_text(what, key);
                check_json(what, value);
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
}

fn check_csv(text: &str) {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert!(rows.len() > 1, "no findings");
    for cell in rows.iter().flatten() {
        let formula = cell.trim_start().starts_with(['=', '+', '-', '@', '\t', '\r']) && cell.parse::<f64>().is_err();
        assert!(!formula, "{cell:?}");
    }
}

/// The names of all tags.
fn tags(page: &str) -> BTreeSet<&str> {
    page.split('<').skip(1).filter_map(|tag| tag.trim_start_matches('/').split([' ', '>', '\n']).next()).collect()
}

/// Markup of the page itself: every tag is plain, and no name has made one.
fn check_html(text: &str) {
    static KNOWN: OnceLock<String> = OnceLock::new();
    let known = KNOWN.get_or_init(|| {
        // Enough findings that some are folded.
        let parts = vec![Observed::new(&recorded().1); 30];
        written(Format::Html, &Reported { whole: Observed::merged(&parts).unwrap(), parts })
    });
    let known = tags(known);
    let (head, style) = text.split_once("<style>").unwrap();
    let (_, body) = style.split_once("</style>").unwrap();
    for part in [head, body] {
        for tag in part.split('<').skip(1) {
            let (tag, rest) = tag.split_once('>').unwrap();
            assert!(!rest.contains('>'), "{rest:?}");
            let mut words = tag.trim_start_matches('/').splitn(2, [' ', '/']);
            let name = words.next().unwrap();
            assert!(known.contains(name), "{tag:?}");
            let mut attributes = words.next().unwrap_or_default().trim_end_matches('/').trim();
            if name == "!doctype" {
                continue;
            }
            while !attributes.is_empty() {
                let (attribute, value) = attributes.split_once("=\"").unwrap_or_else(|| panic!("{tag:?}"));
                assert!(attribute.trim().chars().all(|ch| ch.is_ascii_alphanumeric() || "-:".contains(ch)), "{tag:?}");
                assert!(!attribute.trim().starts_with("on"), "{tag:?}");
                attributes = value.split_once('"').unwrap_or_else(|| panic!("{tag:?}")).1;
            }
        }
    }
}

fn check_format(format: Format, text: &str) {
    check_text(&format!("{format:?}"), &text.replace("\r\n", "\n"));
    match format {
        Format::Json | Format::Ndjson => {
            assert!(text.lines().count() > 0);
            for line in text.lines() {
                check_json("json", &serde_json::from_str(line).unwrap());
            }
        }
        Format::Csv => check_csv(text),
        Format::Html => check_html(text),
        Format::Openmetrics => check_metrics(text),
        Format::Hlog => {
            let known = |line: &str| ["#", "Tag=", "\"StartTimestamp\""].iter().any(|start| line.starts_with(start));
            assert!(text.lines().all(known), "{text}");
        }
        Format::Text => {}
    }
}

fn check_metrics(text: &str) {
    for line in text.lines() {
        assert!(line.starts_with("# ") || line.starts_with("observer_"), "{line:?}");
        // Quotes within labels are escaped.
        let quotes = line.replace("\\\\", "").replace("\\\"", "").matches('"').count();
        assert!(line.starts_with('#') || quotes.is_multiple_of(2), "{line:?}");
    }
}

/// Slices of one track nest, as viewers need them to.
fn check_trace(text: &str) {
    check_text("trace", text);
    let trace: Value = serde_json::from_str(text).unwrap();
    check_json("trace", &trace);
    let ns = |event: &Value, key: &str| event[key].as_f64().map(|us| (us * 1e3).round());
    let mut tracks: BTreeMap<(u64, u64), Vec<(f64, f64)>> = BTreeMap::new();
    for event in trace["traceEvents"].as_array().unwrap().iter().filter(|event| event["ph"] == "X") {
        let track = (event["pid"].as_u64().unwrap(), event["tid"].as_u64().unwrap());
        let start = ns(event, "ts").unwrap();
        tracks.entry(track).or_default().push((start, start + ns(event, "dur").unwrap()));
    }
    assert!(tracks.len() > 2);
    for (track, mut slices) in tracks {
        // Stable: of slices with one start the first in the file is the outer one.
        slices.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut open: Vec<f64> = Vec::new();
        for (start, end) in slices {
            open.retain(|outer| *outer > start);
            assert!(open.last().is_none_or(|outer| end <= *outer), "track {track:?}: a slice at {start} does not nest");
            open.push(end);
        }
    }
}

/// Draws every view at several sizes.
fn check_dashboard(outcome: &Outcome, names: &mut Names<'_>) {
    let source = Source {
        engine: &outcome.engine,
        known: outcome.into(),
        now: outcome.context.clocks.monotonic_ns + 1,
        devices: None,
        spent: None,
        transport: None,
        delay_injection: None,
    };
    let model = ModelBuilder::live(&outcome.context).build(source);
    let mut app = App::default();
    app.update(model);
    app.notify_error(names.text());
    for (width, height) in [(40, 10), (80, 24), (200, 50)] {
        let size = Size { width, height };
        for theme in [
            Theme { colours: Colours::Many, charset: text::Charset::Unicode },
            Theme { colours: Colours::None, charset: text::Charset::Ascii },
        ] {
            for keys in ["1", "2", "3", "3t", "3tt", "4", "4\n", "2/x"] {
                let mut app = app.clone();
                for ch in keys.chars() {
                    app.key(if ch == '\n' { Key::Enter } else { Key::Char(ch) });
                    let (rows, lines) = view::pages(size, app.tab);
                    app.resize(rows, lines);
                }
                let mut buffer = Buffer::empty(Rect::from(size));
                view::draw(&app, theme, &mut buffer);
                check_cells(&buffer);
            }
        }
    }
}

fn check_cells(buffer: &Buffer) {
    for row in buffer.area.rows() {
        let mut line = String::new();
        let mut covered = 0;
        for position in row.positions() {
            let symbol = buffer[position].symbol();
            if covered > 0 {
                covered -= 1;
                continue;
            }
            covered = observer_text::width(symbol).saturating_sub(1);
            write!(line, "{symbol}").unwrap();
        }
        assert_eq!(covered, 0, "a wide character leaves the screen: {line:?}");
        check_printable("dashboard", &line);
    }
}

/// The findings of tasks with these names, selected by them.
fn selected(outcome: &Outcome, all: &[Vec<u8>]) -> Observed {
    let selection =
        Selection { comms: all.iter().map(|name| Comm::from_bytes(name)).collect(), ..Selection::default() };
    let mut picked = Picked::new(&selection, outcome.context.clocks);
    let reported = |finding: &Finding| {
        let of = AreaEntry { entry: finding.entry, since_ns: 0 };
        reported::Reported::Finding { finding: Box::new(finding.clone()), of }
    };
    let findings = outcome.engine.report().findings.iter().map(reported).collect();
    let Outcome { context, cgroups, wall_clock, .. } = outcome;
    picked.see(findings, Seen { swaps: &context.swaps, cgroups, wall_clock });
    Observed::selected(outcome, &picked)
}

/// Writes every output with these names.
fn check_outputs(all: &[Vec<u8>], counted: bool) {
    let (outcome, trace) = outcome(all, counted);
    check_trace(&trace);
    let (one, other) = (Observed::new(&outcome), Observed::new(&recorded().1));
    for parts in [vec![one.clone()], vec![one.clone(), other.clone()], vec![selected(&outcome, all)]] {
        let reported = Reported { whole: Observed::merged(&parts).unwrap(), parts };
        for format in Format::ALL {
            check_format(format, &written(format, &reported));
        }
        for dialect in [Dialect::OpenMetrics, Dialect::Prometheus] {
            let page = openmetrics::text(&reported.whole, &ServeCost::default(), dialect);
            check_text("metrics", &page);
            check_metrics(&page);
        }
    }
    let compared = Diff::new(&one, &other);
    check_text("diff", &diff::text(&compared, &one, &other));
    check_text("diff", &observer_report::formats::json::text(&compared).unwrap());
    let names = &mut Names { all, next: 0 };
    for finding in outcome.engine.report().findings.iter().take(8) {
        let setting = Setting { release: names.text(), device: names.text(), ..Setting::default() };
        let story = story(finding, &setting);
        let picture = svg::draw(&story);
        check_text("svg", &picture);
        let parsed = roxmltree::Document::parse(&picture).unwrap();
        let known = ["svg", "title", "desc", "defs", "pattern", "rect", "style", "text", "line", "circle"];
        let tags = parsed.descendants().filter(roxmltree::Node::is_element);
        assert!(tags.clone().count() > 10);
        tags.for_each(|tag| assert!(known.contains(&tag.tag_name().name()), "{tag:?}"));
        check_printable("picture", &text::export(&story));
        let narrow = text::draw(&story, 30, text::Charset::Ascii).text();
        check_printable("picture", &narrow);
    }
    check_dashboard(&outcome, names);
}

#[test]
fn no_attack_reaches_an_output_raw() {
    let all: Vec<Vec<u8>> = ATTACKS.iter().map(|attack| attack.to_vec()).collect();
    // In other places, the other names; and in every place all of them, as far as there is room.
    let short = b"\xff\n\x1b<\"\xe2\x80\xae=".to_vec();
    for names in [all.clone(), all.iter().rev().cloned().collect(), vec![all.concat()], vec![short]] {
        check_outputs(&names, names.len().is_multiple_of(2));
    }
}

proptest! {
    // Each case takes seconds: it writes every output.
    #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn no_name_reaches_an_output_raw(all in vec(name(), 1..12), counted in any::<bool>()) {
        check_outputs(&all, counted);
    }
}

#[test]
fn traces_of_released_recordings_nest() {
    for file in ["v1.obs", "v1.1-locks-7.3.obs", "v1.2.obs", "v1-storm-5.10.obs"] {
        let replay = Replay::open(&released(file)).unwrap();
        let mut trace = Trace::new(Vec::new(), replay.context().clocks.monotonic_ns);
        let outcome = replay.finish_with(&mut |input| trace.input(input));
        check_trace(&String::from_utf8(trace.finish(&outcome).unwrap()).unwrap());
    }
    // Faults of several tasks as if they were of one: they overlap, as in a damaged recording.
    let mut trace = Trace::new(Vec::new(), 0);
    for event in &recorded().0 {
        if let Event::Ended(fault) = event {
            let task = Task { tid: fault.task.tid % 3, ..fault.task.clone() };
            trace.input(&Input::Event(Event::Ended(Fault { task, ..fault.clone() })));
        }
    }
    check_trace(&String::from_utf8(trace.finish(&recorded().1).unwrap()).unwrap());
}

#[test]
fn error_messages_escape_the_names_of_files() {
    let folder = tempfile::tempdir().unwrap();
    let names = ["a\u{1b}]0;PWN\u{7}\nFORGED", "\u{202e}gpj.\u{9b}"];
    for name in names {
        let garbage = folder.path().join(name);
        std::fs::write(&garbage, "garbage").unwrap();
        let missing = folder.path().join(format!("{name}-missing"));
        for command in [["report"].as_slice(), &["replay"], &["diff", "x"]] {
            for file in [&garbage, &missing] {
                let output = Command::new(env!("CARGO_BIN_EXE_observer")).args(command).arg(file).output().unwrap();
                let message = String::from_utf8(output.stderr).unwrap();
                assert!(!output.status.success());
                assert!(!message.is_empty());
                check_text("error", &message);
            }
        }
    }
}

/// The types of all values, by their place; the elements of a list have one place.
fn types(value: &Value, place: &str, found: &mut BTreeMap<String, BTreeSet<&'static str>>) {
    let kind = match value {
        Value::Null => return,
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(values) => {
            for value in values {
                types(value, &format!("{place}/*"), found);
            }
            "array"
        }
        Value::Object(values) => {
            for (key, value) in values {
                types(value, &format!("{place}/{key}"), found);
            }
            "object"
        }
    };
    found.entry(place.to_owned()).or_default().insert(kind);
}

#[test]
fn the_type_of_a_key_does_not_depend_on_its_value() {
    let mut large = outcome(&[b"x".to_vec()], true).0;
    let counters = bytemuck::cast_slice_mut(bytemuck::bytes_of_mut(&mut large.sample.snapshot.counters));
    counters.fill(1u64 << 58);
    large.context.clocks.monotonic_ns = u64::MAX;
    let largest = Clocks { monotonic_ns: u64::MAX, realtime_ns: u64::MAX, boottime_ns: Some(u64::MAX) };
    let stepped = ClockChange {
        after_ns: 1 << 60,
        clocks: largest,
        stepped_ns: i64::MIN,
        suspended_ns: u64::MAX,
        steps: u64::MAX,
        suspensions: u64::MAX,
    };
    large.wall_clock =
        WallClock::with_changes(Clocks { realtime_ns: u64::MAX, ..Clocks::default() }, &[stepped, stepped], 0);
    large.ending.overhead.user_ns = u64::MAX / 2;
    let mut found = BTreeMap::new();
    for outcome in [&large, &recorded().1] {
        let observed = Observed::new(outcome);
        let reported = Reported { whole: observed.clone(), parts: vec![observed.clone()] };
        let diff = observer_report::formats::json::text(&Diff::new(&observed, &observed)).unwrap();
        let trace = Trace::new(Vec::new(), 0).finish(outcome).unwrap();
        let outputs = [
            ("summary", written(Format::Json, &reported)),
            ("finding", written(Format::Ndjson, &reported)),
            ("diff", diff),
            ("trace", String::from_utf8(trace).unwrap().replace('\n', "")),
        ];
        for (what, text) in outputs {
            for line in text.lines() {
                types(&serde_json::from_str(line).unwrap(), what, &mut found);
            }
        }
    }
    assert!(found.len() > 200, "{}", found.len());
    for (place, kinds) in &found {
        assert_eq!(kinds.len(), 1, "{place}: {kinds:?}");
        let is_wide = ["/mm", "/cgroup", "/address"].iter().any(|key| place.ends_with(key));
        assert!(!is_wide || kinds.contains("string"), "{place}: {kinds:?}");
    }
    assert!(found.contains_key("finding/mm") && found.contains_key("summary/waits/*/cgroup"));
}
