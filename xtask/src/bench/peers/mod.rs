//! Other tools during the same workload, and the sets of hooks in the same guest.

mod bpftrace;
mod funclatency;
mod peer;
mod tool;

use std::{collections::BTreeSet, fs};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use self::peer::Peer;
use super::{
    counted::Counted,
    figures::{Overhead, PeerRow, Row},
    markdown::table,
    sets,
};
use crate::{
    debian::Unavailable,
    output::bench::{Command, DIRECT, FULL, HookSet, LEAN, Report, RowKind},
    paths,
    vm::{Failure, GuestFile},
};

/// In MiB. The libraries of bpftrace take a quarter of a gigabyte, twice while the initramfs is unpacked.
const MEM: u32 = 2_048;

const PEERS: [Peer; 2] = [bpftrace::PEER, funclatency::PEER];

const SETS: [(&str, HookSet); 2] = [("observer, full", FULL), ("observer, lean", LEAN)];

/// Key of the object that the guest prints before the output of a tool.
const TOOL: &str = "tool";
/// Key of the object that it prints if the tool fails.
const FAILED: &str = "failed";
/// The value of [`TOOL`] before the reports of the sets of hooks.
const OBSERVER: &str = "observer";

/// Measures in one guest. A tool that is not available, or that does not run on this kernel, gets a row with the
/// reason.
pub(super) fn measure(guest: &Counted<'_>) -> Result<Vec<PeerRow>> {
    let mut files = Vec::new();
    let mut refused = Vec::new();
    let mut available = Vec::new();
    for peer in &PEERS {
        match peer.files(guest) {
            Ok(more) => {
                files.extend(more);
                available.push(peer);
            }
            Err(error) if matches!(error.downcast_ref(), Some(Failure::Interrupted)) => return Err(error),
            Err(error) => refused.push(peer.refused(&reason(&error))),
        }
    }
    // Tools share libraries.
    let mut targets = BTreeSet::new();
    files.retain(|file: &GuestFile| targets.insert(file.target.clone()));
    let values: Vec<Value> =
        Counted { files, mem: MEM, ..Counted::new(guest.kernel, guest.observer) }.run(&script(&available))?;
    let mut rows = rows(&available, values)?;
    rows.splice(0..0, refused);
    for row in &rows {
        if let PeerRow::Refused { name, why } = row {
            eprintln!("{}: {name} was not measured: {why}", guest.kernel.release);
        }
    }
    Ok(rows)
}

/// The reason without the remedy, if there is one.
fn reason(error: &anyhow::Error) -> String {
    error.downcast_ref::<Unavailable>().map_or_else(|| format!("{error:#}"), |missing| missing.reason.clone())
}

impl Peer {
    fn files(&self, guest: &Counted<'_>) -> Result<Vec<GuestFile>> {
        let mut files = self.tool.files(guest.kernel.arch)?;
        if let Some((content, target)) = self.input {
            let folder = paths::target().join("bench");
            let source = folder.join(target.trim_start_matches('/'));
            fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
            fs::write(&source, content).with_context(|| format!("cannot write {}", source.display()))?;
            files.push(GuestFile { source, target: target.into() });
        }
        Ok(files)
    }

    /// A row with the last line of `why`.
    fn refused(&self, why: &str) -> PeerRow {
        let line = why.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or("no reason was given");
        PeerRow::Refused { name: self.name.to_owned(), why: line.replace('|', "/") }
    }

    /// The workload with the tool attached, in a separate shell; then the tool's counts.
    fn script(&self) -> String {
        let Self { prepare, command, links, convert, .. } = self;
        let header = json!({ TOOL: self.tool.name });
        let workload = Command::standard(DIRECT).bare().line();
        format!(
            "cat >/tmp/peer <<'PEER'\n\
             {prepare}\n\
             {command} >/tmp/output 2>/tmp/errors & pid=$!\n\
             links() {{ cat /proc/$pid/fdinfo/* 2>/dev/null | grep -c link_type || true; }}\n\
             tries=0\n\
             until [ $(links) -ge {links} ]; do\n\
             kill -0 $pid 2>/dev/null || exit 1\n\
             tries=$((tries + 1)); [ $tries -lt 60 ] || {{ kill $pid; echo attached nothing in a minute >>/tmp/errors; exit 1; }}\n\
             sleep 1; done\n\
             sleep 5\n\
             {workload} || {{ kill $pid; exit 1; }}\n\
             kill -INT $pid; wait $pid\n\
             {convert}\n\
             PEER\n\
             echo '{header}'\n\
             sh /tmp/peer || echo \"{{\\\"{FAILED}\\\":\\\"$(tail -n 1 /tmp/errors | tr -d '\\\\\\\\\"')\\\"}}\""
        )
    }

    /// Its row, which is refused if the tool did not count every page.
    fn row(&self, untraced: f64, values: &[Value]) -> Result<PeerRow> {
        if let Some(why) = values.iter().find_map(|value| value.get(FAILED)?.as_str()) {
            return Ok(self.refused(why));
        }
        let report = values.first().with_context(|| format!("nothing was measured with {}", self.name))?;
        let report = parsed(report)?;
        // Five rounds and a warm-up.
        let pages = 6 * report.pages;
        let counted = (self.count)(values).unwrap_or(0);
        if counted < pages {
            return Ok(self.refused(&format!("it counted {counted} of {pages} pages that were swapped in")));
        }
        let row = report.row(RowKind::Direct.bare())?;
        Ok(PeerRow::Measured(Row { name: self.name.to_owned(), untraced, observed: row.median_ns, spread: row.spread }))
    }
}

/// The workload alone, with each tool, and with each set of hooks.
fn script(peers: &[&Peer]) -> String {
    let workload = || Command::standard(DIRECT);
    let mut lines = vec![format!("{} || exit 1", workload().bare().line())];
    lines.extend(peers.iter().map(|peer| peer.script()));
    lines.push(format!("echo '{}'", json!({ TOOL: OBSERVER })));
    lines.extend(SETS.map(|(_, set)| format!("{} || exit 1", workload().hook_set(set).line())));
    lines.join("\n")
}

/// The rows of the script's output. The values before the first header are those of the workload alone.
fn rows(peers: &[&Peer], values: Vec<Value>) -> Result<Vec<PeerRow>> {
    let mut sections: Vec<(Option<String>, Vec<Value>)> = vec![(None, Vec::new())];
    for value in values {
        match value.get(TOOL).and_then(Value::as_str) {
            Some(tool) => sections.push((Some(tool.to_owned()), Vec::new())),
            None => sections.last_mut().context("no section")?.1.push(value),
        }
    }
    let section = |tool: Option<&str>| {
        let found = sections.iter().find(|(name, _)| name.as_deref() == tool);
        found.map(|(_, values)| values.as_slice()).unwrap_or_default()
    };
    let alone = parsed(section(None).first().context("the workload alone was not measured")?)?;
    let untraced = alone.row(RowKind::Direct.bare())?.median_ns;
    let row_of = |peer: &&Peer| peer.row(untraced, section(Some(peer.tool.name)));
    let mut rows: Vec<PeerRow> = peers.iter().map(row_of).collect::<Result<_>>()?;
    let reports = section(Some(OBSERVER));
    ensure!(reports.len() == SETS.len(), "the benchmark printed {} reports of {}", reports.len(), SETS.len());
    for ((name, _), report) in SETS.iter().zip(reports) {
        rows.push(PeerRow::Measured(sets::row(name, &parsed(report)?)?));
    }
    Ok(rows)
}

fn parsed(value: &Value) -> Result<Report> {
    serde_json::from_value(value.clone()).context("cannot read the benchmark's report")
}

/// Empty if no kernel has rows.
pub(super) fn tables(all: &[Overhead]) -> String {
    let rows: Vec<_> =
        all.iter().flat_map(|kernel| kernel.peers.iter().map(|row| cells(&kernel.kernel, row))).collect();
    if rows.is_empty() {
        return String::new();
    }
    table(&["kernel", "attached", "untraced", "observed", "added", "ratio", "spread"], 2, &rows)
}

fn cells(kernel: &str, row: &PeerRow) -> Vec<String> {
    match row {
        PeerRow::Measured(row) => sets::common_cells(kernel, row),
        PeerRow::Refused { name, why } => {
            let mut cells = vec![kernel.to_owned(), format!("{name}: not measured: {why}")];
            cells.extend(["-"; 5].map(str::to_owned));
            cells
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::bench::example;

    const PAGES: u64 = 6 * 4_096;

    fn alone(median: f64) -> Value {
        example::report(&[example::row(RowKind::Direct.bare(), median)])
    }

    fn set(median: f64) -> Value {
        example::report(&[
            example::row(RowKind::Direct.bare(), 100.0),
            example::row(RowKind::Direct.observed(), median),
        ])
    }

    fn output(frees: u64, calls: &Value) -> Vec<Value> {
        let counted = json!({"type": "map", "data": {"@frees": frees}});
        let attached = json!({"type": "attached_probes", "data": {"probes": 4}});
        let bpftrace = [json!({TOOL: "bpftrace"}), alone(131.0), attached, counted];
        let funclatency = [json!({TOOL: "funclatency"}), alone(107.0), calls.clone()];
        let sets = [json!({TOOL: OBSERVER}), set(106.0), set(104.0)];
        [vec![alone(100.0)], bpftrace.into(), funclatency.into(), sets.into()].concat()
    }

    fn all() -> Vec<&'static Peer> {
        PEERS.iter().collect()
    }

    #[test]
    fn a_tool_is_compared_with_the_workload_alone() {
        let rows = rows(&all(), output(PAGES, &json!({"calls": PAGES}))).unwrap();
        let text = tables(&[Overhead { kernel: "6.12.117".into(), peers: rows, ..Overhead::default() }]);
        for line in [
            "| 6.12.117 | bpftrace, the nearest equivalent | 100 | 131 | 31 | 1.310 | 0.10% |",
            "| 6.12.117 | funclatency do_swap_page | 100 | 107 | 7 | 1.070 | 0.10% |",
            "| 6.12.117 | observer, full | 100 | 106 | 6 | 1.060 | 0.10% |",
            "| 6.12.117 | observer, lean | 100 | 104 | 4 | 1.040 | 0.10% |",
        ] {
            assert!(text.contains(line), "{text}");
        }
    }

    #[test]
    fn a_tool_that_did_not_count_every_page_is_refused() {
        let rows = rows(&all(), output(PAGES - 1, &json!({}))).unwrap();
        let refused = |at: usize| match &rows[at] {
            PeerRow::Refused { why, .. } => why.clone(),
            PeerRow::Measured(row) => panic!("{row:?}"),
        };
        assert!(refused(0).contains("24575 of 24576"), "{}", refused(0));
        assert!(refused(1).contains("0 of 24576"), "{}", refused(1));
    }

    #[test]
    fn the_row_of_a_tool_that_fails_has_the_reason() {
        let mut output = output(PAGES, &json!({}));
        output.splice(2..5, [json!({FAILED: "no | BTF"})]);
        let rows = rows(&all(), output).unwrap();
        let text = tables(&[Overhead { kernel: "x".into(), peers: rows, ..Overhead::default() }]);
        assert!(text.contains("| x | bpftrace, the nearest equivalent: not measured: no / BTF | - |"), "{text}");
        let why = reason(&anyhow::anyhow!("ended with 1:\n  no\n"));
        assert_eq!(PEERS[0].refused(&why), PEERS[0].refused("no"));
    }

    #[test]
    fn missing_sets_of_hooks_are_an_error() {
        let mut output = output(PAGES, &json!({"calls": PAGES}));
        output.pop();
        assert!(rows(&all(), output).unwrap_err().to_string().contains("1 reports of 2"));
    }
}
