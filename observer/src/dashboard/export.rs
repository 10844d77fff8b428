//! Writes what is shown to files in the current folder. An older file is never overwritten.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Write as _},
    time::SystemTime,
};

use serde::Serialize;

use observer_engine::{totals::DurationSummary, verdict::Finding};
use observer_report::{
    picture::{
        story::{Setting, story},
        svg, text,
    },
    summary::{SCHEMA, dropped::Dropped},
};
use observer_tui::{
    app::{Shown, rates::SPANS, table::Row as _},
    model::{Cost, EntryRow, FindingRow, PartyRow, ProgramShare, Series},
};

/// Names tried before giving up.
const NAMES: u32 = 1_000;

/// What is shown, as one JSON object. The names that every such object has are those of design.md.
#[derive(Serialize)]
struct Summary<'a> {
    schema: &'static str,
    kernel: Kernel<'a>,
    elapsed_ns: u64,
    swapins: BTreeMap<&'static str, u64>,
    verdicts: BTreeMap<&'static str, u64>,
    rates_per_second: BTreeMap<&'static str, BTreeMap<&'static str, f64>>,
    distributions: BTreeMap<&'static str, DurationSummary>,
    entries: Vec<BTreeMap<&'static str, String>>,
    tasks: Vec<BTreeMap<&'static str, String>>,
    findings: Vec<&'a Finding>,
    dropped: &'a Dropped,
    self_cost: BTreeMap<&'static str, f64>,
}

#[derive(Serialize)]
struct Kernel<'a> {
    release: &'a str,
    state: &'a str,
    backend: &'a str,
    tick_ns: Option<u64>,
}

/// Writes what is shown. Gives the file's name.
pub(super) fn summary(shown: &Shown) -> io::Result<String> {
    let json = serde_json::to_vec(&object(shown))?;
    write(&format!("observer-{}", stamp()), &[("json", &json)])
}

/// Writes a picture as SVG and as text. Gives the files' names.
pub(super) fn picture(row: &FindingRow, setting: &Setting) -> io::Result<String> {
    let story = story(&row.finding, setting);
    let name = format!("observer-{}-{}", row.finding.verdict.name(), row.number);
    write(&name, &[("svg", svg::draw(&story).as_bytes()), ("txt", text::export(&story).as_bytes())])
}

fn object(shown: &Shown) -> Summary<'_> {
    let (model, rates) = (&shown.model, &shown.rates);
    let total = |series| rates.total(series);
    let (direct, cached) = (total(Series::Direct), total(Series::Cached));
    let of = |series| {
        let spans = SPANS.into_iter().map(|(name, span)| (name, rates.over(series, span)));
        spans.chain([("now", rates.now(series))]).collect()
    };
    Summary {
        schema: SCHEMA,
        kernel: Kernel {
            release: &model.about.release,
            state: &model.about.state,
            backend: &model.about.backend,
            tick_ns: model.about.tick_ns,
        },
        elapsed_ns: model.at_ns.saturating_sub(model.start_ns),
        swapins: [("seen", direct + cached), ("direct", direct), ("cached", cached)].into(),
        verdicts: [
            ("overlap", total(Series::Overlaps)),
            ("pin_wait", total(Series::PinWaits)),
            ("lock_wait", total(Series::LockWaits)),
            ("window", total(Series::Windows)),
            ("reuse", total(Series::Reuses)),
            ("stale_install", total(Series::StaleInstalls)),
        ]
        .into(),
        rates_per_second: Series::ALL.into_iter().map(|series| (series.name(), of(series))).collect(),
        distributions: model.distributions.iter().map(|d| (d.name, d.summary)).collect(),
        entries: model.entries.iter().map(|row| cells(row, EntryRow::COLUMNS)).collect(),
        tasks: model.parties.iter().map(|row| cells(row, PartyRow::COLUMNS)).collect(),
        findings: model.findings.iter().map(|row| row.finding.as_ref()).collect(),
        dropped: &model.dropped,
        self_cost: self_cost(&model.cost.unwrap_or_default()),
    }
}

/// What is known of the overhead.
fn self_cost(cost: &Cost) -> BTreeMap<&'static str, f64> {
    let resident = cost.resident_bytes;
    let programs = if let ProgramShare::Percent(percent) = cost.programs { Some(percent) } else { None };
    [
        ("cpu_percent", Some(cost.cpu_percent)),
        ("ns_per_swap_in", cost.per_swap_in_ns.map(|ns| ns as f64)),
        ("resident_bytes", resident.map(|(now, _)| now as f64)),
        ("max_resident_bytes", resident.map(|(_, most)| most as f64)),
        ("kernel_bytes", (cost.kernel_bytes > 0).then_some(cost.kernel_bytes as f64)),
        ("ring_waiting_bytes", cost.ring.map(|ring| ring.waiting_bytes as f64)),
        ("ring_highest_bytes", cost.ring.map(|ring| ring.highest_bytes as f64)),
        ("programs_percent", programs),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value?)))
    .collect()
}

/// A row as it is shown.
fn cells<R: observer_tui::app::table::Row>(
    row: &R,
    columns: &'static [observer_tui::app::table::Column],
) -> BTreeMap<&'static str, String> {
    columns.iter().enumerate().map(|(index, column)| (column.name, row.cell(index))).collect()
}

/// Writes files of one name and several endings; a number is added until none of them exists.
fn write(name: &str, files: &[(&str, &[u8])]) -> io::Result<String> {
    for number in 1..=NAMES {
        let number = if number == 1 { String::new() } else { format!("-{number}") };
        let paths: Vec<String> = files.iter().map(|(ending, _)| format!("{name}{number}.{ending}")).collect();
        if paths.iter().any(|path| std::path::Path::new(path).exists()) {
            continue;
        }
        for (path, (_, content)) in paths.iter().zip(files) {
            File::create_new(path)?.write_all(content)?;
        }
        return Ok(paths.join(" and "));
    }
    Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("{NAMES} files of the name {name} are there already")))
}

/// Now, as part of a file's name: `20261125-094331`, UTC.
fn stamp() -> String {
    let text = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    text.chars().filter(char::is_ascii_digit).enumerate().fold(String::new(), |mut stamp, (index, digit)| {
        if index == 8 {
            stamp.push('-');
        }
        stamp.push(digit);
        stamp
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_sort_and_need_no_quotes() {
        let stamp = stamp();
        assert_eq!((stamp.len(), stamp.chars().nth(8)), (15, Some('-')));
    }

    #[test]
    fn the_object_has_the_names_that_every_object_has() {
        let json = serde_json::to_value(object(&Shown::default())).unwrap();
        for name in ["schema", "kernel", "swapins", "verdicts", "findings", "dropped", "self_cost"] {
            assert!(json.get(name).is_some(), "{name}");
        }
        assert_eq!(json.pointer("/verdicts/stale_install").and_then(serde_json::Value::as_u64), Some(0));
    }

    #[test]
    fn nothing_is_overwritten() {
        let folder = std::env::temp_dir().join(format!("observer-export-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let name = folder.join("x").to_string_lossy().into_owned();
        let first = write(&name, &[("a", b"1"), ("b", b"2")]).unwrap();
        let second = write(&name, &[("a", b"3"), ("b", b"4")]).unwrap();
        assert!(first.ends_with("x.b") && second.ends_with("x-2.b"), "{first} {second}");
        assert_eq!(std::fs::read(format!("{name}.a")).unwrap(), b"1");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
