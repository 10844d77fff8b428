//! Exports what is on the screen to files in the current folder. Existing files are never overwritten.

use std::{
    collections::BTreeMap,
    env,
    fs::File,
    io::{self, Write as _},
    path::Path,
    time::SystemTime,
};

use serde::Serialize;

use observer_engine::{
    event::{Entry, Nanos, Task},
    tally::{Contention, TaskGroup},
    verdict::{Finding, Verdict},
};
use observer_observation::{Dropped, DurationSummary, Kernel, NotObservable};
use observer_report::picture::{
    story::{Setting, story},
    svg, text,
};
use observer_report::summary::distributions::Measure;
use observer_text::{Name, joined};
use observer_tui::{
    app::{Shown, rates::SPANS},
    model::{Cost, EntryRow, FindingRow, GroupRow, ProgramTime, Series},
};

/// Raised when a key is removed or changes its meaning.
const SCHEMA: &str = "observer-dashboard/1";

/// Names tried before giving up.
const NAMES: u32 = 1_000;

/// What is on the screen, with the keys that every JSON output shares. Counts start at the last reset.
#[derive(Serialize)]
struct Export<'a> {
    schema: &'static str,
    kernel: &'a Kernel,
    /// Filters in the kernel, by option.
    filters: &'a BTreeMap<String, Name>,
    /// What tables, durations and the time of waits are limited to, as options; `None`: nothing.
    selection: Option<&'a str>,
    elapsed_ns: Nanos,
    /// When the counts were reset, since the start of the observation; `None`: never.
    reset_ns: Option<Nanos>,
    swapins: BTreeMap<&'static str, u64>,
    /// `None`: none was seen, and the hooks may miss some.
    verdicts: BTreeMap<&'static str, Option<u64>>,
    not_observable: NotObservable,
    rates_per_second: BTreeMap<&'static str, BTreeMap<&'static str, f64>>,
    distributions: BTreeMap<Measure, DurationSummary>,
    waited_ns: Nanos,
    overslept_ns: Nanos,
    entries: Vec<ExportedEntry<'a>>,
    tasks: Vec<ExportedGroup<'a>>,
    findings: Vec<ExportedFinding<'a>>,
    dropped: &'a Dropped,
    /// Rows and findings that are counted and not listed, because a table was full.
    unlisted: u64,
    overhead: Option<ExportedCost>,
}

#[derive(Serialize)]
struct ExportedEntry<'a> {
    entry: Entry,
    device: Option<&'a str>,
    #[serde(flatten)]
    contention: ExportedContention<'a>,
}

#[derive(Serialize)]
struct ExportedGroup<'a> {
    /// `process`, `command` or `cgroup`.
    by: &'static str,
    name: &'a str,
    #[serde(flatten)]
    contention: ExportedContention<'a>,
}

#[derive(Serialize)]
struct ExportedContention<'a> {
    overlaps: u64,
    deepest: u32,
    longest_ns: Nanos,
    total_ns: Nanos,
    waits: u64,
    waited_ns: Nanos,
    overslept_ns: Nanos,
    worst: Verdict,
    last: &'a Task,
    multiple_processes: bool,
}

#[derive(Serialize)]
struct ExportedFinding<'a> {
    number: u64,
    /// Since the start of the observation.
    elapsed_ns: Nanos,
    device: Option<&'a str>,
    #[serde(flatten)]
    finding: &'a Finding,
}

#[derive(Serialize)]
struct ExportedCost {
    cpu_percent: f64,
    per_swap_in_ns: Option<u64>,
    resident_bytes: Option<u64>,
    max_resident_bytes: Option<u64>,
    kernel_bytes: Option<u64>,
    ring_waiting_bytes: Option<u64>,
    ring_highest_bytes: Option<u64>,
    programs_percent: Option<f64>,
}

/// Exports the numbers as JSON. Returns the path of the file.
pub(super) fn summary(shown: &Shown) -> io::Result<String> {
    let json = observer_report::formats::json::text(&export(shown))?;
    write(&env::current_dir()?, &format!("observer-{}", timestamp()), &[("json", json.as_bytes())])
}

/// Exports a picture as SVG and as text. Returns the paths of the files.
pub(super) fn picture(row: &FindingRow, setting: &Setting) -> io::Result<String> {
    let story = story(&row.finding, setting);
    let name = format!("observer-{}-{}", row.finding.verdict, row.number);
    write(
        &env::current_dir()?,
        &name,
        &[("svg", svg::draw(&story).as_bytes()), ("txt", text::export(&story).as_bytes())],
    )
}

fn export(shown: &Shown) -> Export<'_> {
    let (model, rates) = (&shown.model, &shown.rates);
    let total = |series: Series| (series.code(), rates.total(series));
    let [direct, cached] = [Series::Direct, Series::Cached].map(total);
    let known = |series: Series| {
        let (code, count) = total(series);
        (code, (count > 0 || model.is_observable(series)).then_some(count))
    };
    let rates_of = |series| {
        let spans = SPANS.into_iter().map(|span| (span.code, rates.over(series, span.ns)));
        spans.chain([("now", rates.now(series))]).collect()
    };
    Export {
        schema: SCHEMA,
        kernel: &model.about.kernel,
        filters: &model.about.filters,
        selection: model.about.selection.as_deref(),
        reset_ns: rates.since().map(|at| at.saturating_sub(model.start_ns)),
        elapsed_ns: model.at_ns.saturating_sub(model.start_ns),
        swapins: [("seen", direct.1 + cached.1), direct, cached].into(),
        verdicts: Series::ALL.into_iter().filter(|series| series.verdict().is_some()).map(known).collect(),
        not_observable: model.about.kernel.not_observable(),
        rates_per_second: Series::ALL.into_iter().map(|series| (series.code(), rates_of(series))).collect(),
        distributions: model.distributions.iter().map(|one| (one.measure, one.summary)).collect(),
        waited_ns: model.waited_ns,
        overslept_ns: model.overslept_ns,
        entries: model.entries.iter().map(entry).collect(),
        tasks: model.groups.iter().map(group).collect(),
        findings: model.findings.iter().map(finding).collect(),
        dropped: &model.dropped,
        unlisted: model.unlisted,
        overhead: model.cost.as_ref().map(cost),
    }
}

fn entry(row: &EntryRow) -> ExportedEntry<'_> {
    let EntryRow { entry, device, contention } = row;
    ExportedEntry { entry: entry.entry, device: device.as_deref(), contention: self::contention(contention) }
}

fn group(row: &GroupRow) -> ExportedGroup<'_> {
    let by = match row.group {
        TaskGroup::Process(_) => "process",
        TaskGroup::Command(_) => "command",
        TaskGroup::Cgroup(_) => "cgroup",
    };
    ExportedGroup { by, name: &row.name, contention: contention(&row.contention) }
}

fn finding(row: &FindingRow) -> ExportedFinding<'_> {
    let FindingRow { number, device, at_ns, finding } = row;
    ExportedFinding { number: *number, elapsed_ns: *at_ns, device: device.as_deref(), finding }
}

fn contention(contention: &Contention) -> ExportedContention<'_> {
    let Contention { overlaps, deepest, longest_ns, total_ns, waits, waited_ns, overslept_ns, worst, .. } = *contention;
    let Contention { last, multiple_processes, .. } = contention;
    let multiple_processes = *multiple_processes;
    ExportedContention {
        overlaps,
        deepest,
        longest_ns,
        total_ns,
        waits,
        waited_ns,
        overslept_ns,
        worst,
        last,
        multiple_processes,
    }
}

fn cost(cost: &Cost) -> ExportedCost {
    ExportedCost {
        cpu_percent: cost.cpu_percent,
        per_swap_in_ns: cost.per_swap_in_ns,
        resident_bytes: cost.resident_bytes.map(|(now, _)| now),
        max_resident_bytes: cost.resident_bytes.map(|(_, most)| most),
        kernel_bytes: (cost.kernel_bytes > 0).then_some(cost.kernel_bytes),
        ring_waiting_bytes: cost.ring.map(|ring| ring.waiting_bytes),
        ring_highest_bytes: cost.ring.map(|ring| ring.highest_bytes),
        programs_percent: if let ProgramTime::Percent(percent) = cost.programs { Some(percent) } else { None },
    }
}

/// Writes files with one name and several extensions. A number is added until none of them exists.
fn write(folder: &Path, name: &str, files: &[(&str, &[u8])]) -> io::Result<String> {
    for number in 1..=NAMES {
        let number = if number == 1 { String::new() } else { format!("-{number}") };
        let names: Vec<String> = files.iter().map(|(extension, _)| format!("{name}{number}.{extension}")).collect();
        if names.iter().any(|name| folder.join(name).exists()) {
            continue;
        }
        for (name, (_, content)) in names.iter().zip(files) {
            File::create_new(folder.join(name))?.write_all(content)?;
        }
        let paths: Vec<Name> = names.iter().map(|name| Name::from(&folder.join(name))).collect();
        return Ok(joined(&paths, " and ").to_string());
    }
    Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("{NAMES} files named {name} exist")))
}

/// The time as a part of a file name: `20261125-094331`, UTC.
fn timestamp() -> String {
    let text = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let (date, time) = digits.split_at(8.min(digits.len()));
    format!("{date}-{time}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, sync::Arc};

    #[test]
    fn timestamps_have_a_date_and_a_time() {
        let timestamp = timestamp();
        let (date, time) = timestamp.split_once('-').unwrap();
        assert_eq!((date.len(), time.len()), (8, 6), "{timestamp}");
    }

    #[test]
    fn an_export_has_the_keys_that_all_outputs_share() {
        let json = serde_json::to_value(export(&Shown::default())).unwrap();
        assert_eq!(json["schema"], SCHEMA);
        for key in ["kernel", "swapins", "verdicts", "findings", "dropped", "overhead"] {
            assert!(json.get(key).is_some(), "{key}");
        }
        assert_eq!(json["verdicts"]["stale_install"], 0);
        assert!(json["selection"].is_null() && json["reset_ns"].is_null());
        assert_eq!(json["rates_per_second"]["pin_wait"]["last_10_s"], 0.0);
    }

    #[test]
    fn an_export_names_what_its_counts_are_limited_to() {
        let mut shown = Shown::default();
        Arc::make_mut(&mut shown.model.about).selection = Some("--comm redis".to_owned());
        shown.model.start_ns = 5;
        shown.rates.sample(12, shown.model.counts);
        shown.rates.clear();
        let json = serde_json::to_value(export(&shown)).unwrap();
        assert_eq!((&json["selection"], &json["reset_ns"]), (&"--comm redis".into(), &7.into()));
    }

    #[test]
    fn existing_files_are_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let first = write(folder.path(), "x", &[("a", b"1"), ("b", b"2")]).unwrap();
        let second = write(folder.path(), "x", &[("a", b"3"), ("b", b"4")]).unwrap();
        let path = folder.path().to_str().unwrap();
        assert_eq!(first, format!("{path}/x.a and {path}/x.b"));
        assert_eq!(second, format!("{path}/x-2.a and {path}/x-2.b"));
        assert_eq!(fs::read(folder.path().join("x.a")).unwrap(), b"1");
    }
}
