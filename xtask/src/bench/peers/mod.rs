//! What people use today adds to the same workload, beside the sets of hooks in the same guest.

mod bpftrace;
mod funclatency;

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    counted::Counted,
    markdown::table,
    overhead::Overhead,
    sets::{self, Row, Told, WORKLOAD},
};
use crate::{
    kernels::{Unavailable, tools::Tool},
    vm::{Failure, GuestFile},
};

/// bpftrace's libraries are a quarter of a gigabyte, twice while the guest unpacks itself.
const MEM: u32 = 2_048;

/// One tool in that guest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Beside {
    /// What it adds.
    Measured(Row),
    /// It could not be measured.
    Refused {
        /// Which tool.
        name: String,
        /// Why.
        why: String,
    },
}

/// A tool that is set beside observer.
struct Peer {
    /// Its row.
    name: &'static str,
    tool: Tool,
    /// What it is given: content, and where the guest finds it.
    input: Option<(&'static str, &'static str)>,
    /// Shell: what must be done first.
    prepare: &'static str,
    /// Shell: what is started, and ends with SIGINT.
    command: &'static str,
    /// How many links to programs it holds when it is attached.
    links: u32,
    /// Shell: what it has counted by its end, from /tmp/told to JSON.
    tell: &'static str,
    /// From that JSON: how many pages it has seen swapped in.
    seen: fn(&[Value]) -> Option<u64>,
}

const PEERS: [Peer; 2] = [bpftrace::PEER, funclatency::PEER];

/// The sets of hooks that they are set beside.
const SETS: [(&str, &str); 2] = [("observer, full", ""), ("observer, lean", "--hooks lean")];

/// In what the guest tells, what comes before the figures of a tool.
const WHO: &str = "who";
/// And in the place of them where it did not run.
const FAILED: &str = "failed";
/// Who that is before the sets' figures.
const OBSERVER: &str = "observer";

/// Measures in one guest. A tool that cannot be had, or does not run on this kernel, is a row that says why.
pub(super) fn measure(guest: &Counted<'_>) -> Result<Vec<Beside>> {
    let mut files = Vec::new();
    let mut refused = Vec::new();
    let mut there = Vec::new();
    for peer in &PEERS {
        match peer.files(guest) {
            Ok(more) => {
                files.extend(more);
                there.push(peer);
            }
            Err(error) if matches!(error.downcast_ref(), Some(Failure::Interrupted)) => return Err(error),
            Err(error) => refused.push(peer.refused(&reason(&error))),
        }
    }
    // Several need the same libraries.
    let mut targets = BTreeSet::new();
    files.retain(|file: &GuestFile| targets.insert(file.target.clone()));
    let told: Vec<Value> =
        Counted { files, mem: MEM, ..Counted::new(guest.kernel, guest.observer) }.run(&script(&there))?;
    let mut rows = rows(&there, told)?;
    rows.splice(0..0, refused);
    for row in &rows {
        if let Beside::Refused { name, why } = row {
            eprintln!("{}: {name}: {why}", guest.kernel.release);
        }
    }
    Ok(rows)
}

/// An error on one line of a table.
fn reason(error: &anyhow::Error) -> String {
    error.downcast_ref::<Unavailable>().map_or_else(|| format!("{error:#}"), |missing| missing.reason.clone())
}

impl Peer {
    fn files(&self, guest: &Counted<'_>) -> Result<Vec<GuestFile>> {
        let mut files = self.tool.files(guest.kernel.arch)?;
        if let Some((content, target)) = self.input {
            let source = crate::paths::target().join("bench").join(target.trim_start_matches('/'));
            let folder = source.parent().context("a file without a folder")?;
            std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
            std::fs::write(&source, content).with_context(|| format!("cannot write {}", source.display()))?;
            files.push(GuestFile { source, target: target.into() });
        }
        Ok(files)
    }

    fn refused(&self, why: &str) -> Beside {
        let line = why.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or("no reason was given");
        Beside::Refused { name: self.name.to_owned(), why: line.replace('|', "/") }
    }

    /// The workload with this attached, in a shell of its own; then what it has counted.
    fn script(&self) -> String {
        let Self { prepare, command, links, tell, .. } = self;
        let who = serde_json::json!({ WHO: self.tool.name });
        format!(
            "cat >/tmp/peer <<'PEER'\n\
             {prepare}\n\
             {command} >/tmp/told 2>/tmp/said & pid=$!\n\
             links() {{ cat /proc/$pid/fdinfo/* 2>/dev/null | grep -c link_type || true; }}\n\
             tries=0\n\
             until [ $(links) -ge {links} ]; do\n\
             kill -0 $pid 2>/dev/null || exit 1\n\
             tries=$((tries + 1)); [ $tries -lt 60 ] || {{ kill $pid; echo attached nothing in a minute >>/tmp/said; exit 1; }}\n\
             sleep 1; done\n\
             sleep 5\n\
             {WORKLOAD} --bare --rows direct || {{ kill $pid; exit 1; }}\n\
             kill -INT $pid; wait $pid\n\
             {tell}\n\
             PEER\n\
             echo '{who}'\n\
             sh /tmp/peer || echo \"{{\\\"{FAILED}\\\":\\\"$(tail -n 1 /tmp/said | tr -d '\\\\\\\\\"')\\\"}}\""
        )
    }

    /// Its row: it counts only if it has seen all pages.
    fn row(&self, untraced: f64, told: &[Value]) -> Result<Beside> {
        if let Some(why) = told.iter().find_map(|value| value.get(FAILED)?.as_str()) {
            return Ok(self.refused(why));
        }
        let run = told.first().with_context(|| format!("nothing was measured beside {}", self.name))?;
        // Five rounds and the one before them.
        let pages = 6 * run.get("pages").and_then(Value::as_u64).context("no number of pages")?;
        let (observed, spread) = first(run)?;
        let seen = (self.seen)(told).unwrap_or(0);
        if seen < pages {
            return Ok(self.refused(&format!("it counted {seen} of {pages} pages that were swapped in")));
        }
        Ok(Beside::Measured(Row { name: self.name.to_owned(), untraced, observed, spread }))
    }
}

/// The workload alone, with each of these, and with each set of hooks.
fn script(peers: &[&Peer]) -> String {
    let mut lines = vec![format!("{WORKLOAD} --bare --rows direct || exit 1")];
    lines.extend(peers.iter().map(|peer| peer.script()));
    lines.push(format!("echo '{}'", serde_json::json!({ WHO: OBSERVER })));
    lines.extend(SETS.map(|(_, options)| format!("{WORKLOAD} --rows direct {options} || exit 1")));
    lines.join("\n")
}

/// The rows of a guest: what came before the first name is the run without anything.
fn rows(peers: &[&Peer], told: Vec<Value>) -> Result<Vec<Beside>> {
    let mut parts: Vec<(Option<String>, Vec<Value>)> = vec![(None, Vec::new())];
    for value in told {
        match value.get(WHO).and_then(Value::as_str) {
            Some(who) => parts.push((Some(who.to_owned()), Vec::new())),
            None => parts.last_mut().context("no part")?.1.push(value),
        }
    }
    let part = |who: Option<&str>| parts.iter().find(|part| part.0.as_deref() == who).map(|part| part.1.as_slice());
    let (untraced, _) = first(part(None).and_then(<[Value]>::first).context("no run without anything")?)?;
    let of_peer = |peer: &&Peer| peer.row(untraced, part(Some(peer.tool.name)).unwrap_or_default());
    let mut rows: Vec<Beside> = peers.iter().map(of_peer).collect::<Result<_>>()?;
    let sets = part(Some(OBSERVER)).unwrap_or_default();
    ensure!(sets.len() == SETS.len(), "the benchmark gave {} rows of {}", sets.len(), SETS.len());
    for ((name, _), told) in SETS.iter().zip(sets) {
        rows.push(Beside::Measured(sets::row(name, &parsed(told)?)?));
    }
    Ok(rows)
}

fn parsed(value: &Value) -> Result<Told> {
    serde_json::from_value(value.clone()).context("the benchmark told something else than figures")
}

/// Median and spread of a run's only row.
fn first(run: &Value) -> Result<(f64, f64)> {
    parsed(run)?.rows.first().map(|row| (row.median_ns, row.spread)).context("a run has no rows")
}

/// All kernels' rows; empty: nobody measured them.
pub(super) fn tables(all: &[Overhead]) -> String {
    let rows: Vec<_> =
        all.iter().flat_map(|kernel| kernel.peers.iter().map(|row| cells(&kernel.kernel, row))).collect();
    if rows.is_empty() {
        return String::new();
    }
    table(&["kernel", "attached", "untraced", "observed", "added", "ratio", "spread"], 2, &rows)
}

fn cells(kernel: &str, row: &Beside) -> Vec<String> {
    match row {
        Beside::Measured(row) => sets::figures(kernel, row),
        Beside::Refused { name, why } => {
            let mut cells = vec![kernel.to_owned(), format!("{name}: not measured: {why}")];
            cells.extend(["-"; 5].map(str::to_owned));
            cells
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn run(median: f64) -> Value {
        json!({"pages": 4_096, "rows": [{"name": "direct", "median_ns": median, "spread": 0.001}]})
    }

    fn set(median: f64) -> Value {
        json!({"rows": [{"name": "direct", "median_ns": 100.0, "spread": 0.0},
            {"name": "direct, observed", "median_ns": median, "spread": 0.0}]})
    }

    fn told(frees: u64, calls: &Value) -> Vec<Value> {
        let counted = json!({"type": "map", "data": {"@frees": frees}});
        let attached = json!({"type": "attached_probes", "data": {"probes": 4}});
        let bpftrace = [json!({WHO: "bpftrace"}), run(131.0), attached, counted];
        let funclatency = [json!({WHO: "funclatency"}), run(107.0), calls.clone()];
        let sets = [json!({WHO: OBSERVER}), set(106.0), set(104.0)];
        [vec![run(100.0)], bpftrace.into(), funclatency.into(), sets.into()].concat()
    }

    fn all() -> Vec<&'static Peer> {
        PEERS.iter().collect()
    }

    #[test]
    fn a_tool_s_run_is_set_over_the_one_without_it() {
        let rows = rows(&all(), told(6 * 4_096, &json!({"calls": 6 * 4_096}))).unwrap();
        let text = tables(&[Overhead { kernel: "6.12.117".into(), peers: rows, ..Overhead::default() }]);
        for line in [
            "| 6.12.117 | bpftrace, the nearest equivalent | 100 | 131 | 31 | 1.310 | 0.10% |",
            "| 6.12.117 | funclatency do_swap_page | 100 | 107 | 7 | 1.070 | 0.10% |",
            "| 6.12.117 | observer, full | 100 | 106 | 6 | 1.060 | 0.00% |",
            "| 6.12.117 | observer, lean | 100 | 104 | 4 | 1.040 | 0.00% |",
        ] {
            assert!(text.contains(line), "{text}");
        }
    }

    #[test]
    fn a_tool_that_did_not_see_every_page_is_no_figure() {
        let rows = rows(&all(), told(6 * 4_096 - 1, &json!({}))).unwrap();
        let refused = |at: usize| match &rows[at] {
            Beside::Refused { why, .. } => why.clone(),
            Beside::Measured(row) => panic!("{row:?}"),
        };
        assert!(refused(0).contains("24575 of 24576"), "{}", refused(0));
        assert!(refused(1).contains("0 of 24576"), "{}", refused(1));
    }

    #[test]
    fn why_it_does_not_run_is_in_its_row() {
        let failed = json!({FAILED: "no | BTF"});
        let mut told = told(6 * 4_096, &json!({}));
        told.splice(2..5, [failed]);
        let rows = rows(&all(), told).unwrap();
        let text = tables(&[Overhead { kernel: "x".into(), peers: rows, ..Overhead::default() }]);
        assert!(text.contains("| x | bpftrace, the nearest equivalent: not measured: no / BTF | - |"), "{text}");
        let why = reason(&anyhow::anyhow!("ended with 1:\n  no\n"));
        assert_eq!(PEERS[0].refused(&why), PEERS[0].refused("no"));
    }

    #[test]
    fn sets_that_are_missing_are_an_error() {
        let mut told = told(6 * 4_096, &json!({"calls": 6 * 4_096}));
        told.pop();
        assert!(rows(&all(), told).unwrap_err().to_string().contains("1 rows of 2"));
    }
}
