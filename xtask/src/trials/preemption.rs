//! How many events are dropped on preemptible kernels (docs/decisions/preemption.md): many threads swap their own pages
//! out and in, so that no fault is contended and every swap-in has to be seen.

use std::{fmt::Write as _, path::Path, time::Instant};

use anyhow::{Result, bail};

use super::{
    agreement::skipped,
    guest::{self, Programs},
    step::Finished,
    suite::{kept, show_time},
    tally::Tally,
};
use crate::{
    arch::Arch,
    build, jobs,
    kernels::{Kernel, Sources, version},
    output::summary::Summary,
    setup::{GUESTS, Verbosity, ensure},
    vm::Guest,
};

/// A kernel and how it is booted.
struct Case {
    /// A release; without its last number: the newest kernel with this variant that was built here.
    release: &'static str,
    /// How its tasks are preempted.
    preemption: &'static str,
    /// Appended to the kernel command line.
    append: &'static str,
}

const CASES: &[Case] = &[
    Case { release: "5.10.223-rt", preemption: "rt", append: "" },
    Case { release: "6.1-unfixed-preempt", preemption: "full", append: "" },
    Case { release: "6.12.117", preemption: "full", append: "preempt=full" },
    Case { release: "6.18.15", preemption: "lazy", append: "" },
    Case { release: "7.3.4", preemption: "lazy", append: "" },
    Case { release: "7.3.4", preemption: "full", append: "preempt=full" },
    Case { release: "7.3.4-rt", preemption: "rt", append: "" },
];

impl Case {
    /// With the release that is really used.
    fn name(&self, release: &str) -> String {
        format!("{release} {}", self.preemption)
    }

    /// Whether `--kernel` selects it.
    fn is_selected(&self, wanted: Option<&str>) -> bool {
        wanted.is_none_or(|wanted| version::is_selected(self.release, wanted))
    }
}

const HOOKS: [&str; 2] = ["full", "lean"];
const BACKENDS: [&str; 3] = ["auto", "fentry", "kprobe"];
const WORKLOAD: &str = "/witness churn --pages 8192 --threads 16 --rounds 4";

/// Which runs are made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Selection<'a> {
    /// The start of the release.
    pub(crate) kernel: Option<&'a str>,
    /// The backends; empty: all.
    pub(crate) backends: &'a [String],
    /// The folder of local kernels.
    pub(crate) kernels: Option<&'a Path>,
}

impl Selection<'_> {
    fn backends(&self) -> impl Iterator<Item = &'static str> {
        BACKENDS
            .into_iter()
            .filter(|name| self.backends.is_empty() || self.backends.iter().any(|wanted| wanted == name))
    }
}

/// What one run reported.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    name: String,
    hooks: &'static str,
    backend: &'static str,
    outcome: std::result::Result<Reported, String>,
}

impl Row {
    /// Nothing may be dropped where observer chooses the backend, and where there are only kprobes.
    fn is_right(&self) -> bool {
        match &self.outcome {
            Ok(reported) => self.backend == "fentry" || reported.is_exact(),
            Err(_) => false,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Reported {
    seen: u64,
    kernel: Option<u64>,
    ends_missed: u64,
    skipped: u64,
    /// Events dropped for another cause.
    other: u64,
    code: i32,
}

impl Reported {
    fn is_exact(&self) -> bool {
        Some(self.seen) == self.kernel && self.seen > 0 && self.ends_missed + self.skipped + self.other == 0
    }
}

/// Runs the workload on every selected kernel, with each set of hooks on each backend, and prints a table; the exit
/// code, which is 1 unless every swap-in was seen where it has to be.
///
/// # Errors
/// When no kernel is selected, a program cannot be built, or a guest is interrupted.
pub(crate) fn run(selection: Selection<'_>) -> Result<u8> {
    ensure(GUESTS, Verbosity::Changes)?;
    let sources = Sources::new(Arch::X86_64, selection.kernels.map(Path::to_owned))?;
    let mut tally = Tally::default();
    let mut guests = Vec::new();
    for case in CASES.iter().filter(|case| case.is_selected(selection.kernel)) {
        if let Some(kernel) = obtain(case, &sources, &mut tally)? {
            guests.push((case, kernel));
        }
    }
    if guests.is_empty() {
        let known: Vec<_> = CASES.iter().map(|case| case.name(case.release)).collect();
        bail!("no kernel to run; there are {}", known.join(", "));
    }
    let programs =
        Programs { observer: build::observer_static(Arch::X86_64)?, witness: build::witness_static(Arch::X86_64)? };
    let work =
        |(case, kernel): (&Case, Kernel)| (case.name(&kernel.release), run_guest(case, kernel, selection, &programs));
    let mut rows = Vec::new();
    jobs::run(guests, jobs::guests_at_once(), work, |index, (name, result)| {
        if let Some(more) = tally.guest_result(result, &name)? {
            rows.push((index, more));
        }
        Ok(())
    })?;
    rows.sort_by_key(|(index, _)| *index);
    let rows: Vec<Row> = rows.into_iter().flat_map(|(_, rows)| rows).collect();
    print!("{}", table(&rows));
    Ok(u8::from(rows.is_empty() || !rows.iter().all(Row::is_right)))
}

/// `None`: the kernel is not available here, which is printed.
fn obtain(case: &Case, sources: &Sources, tally: &mut Tally) -> Result<Option<Kernel>> {
    let variant = version::variant(case.release);
    if version::series(case.release) != version::numbers(case.release) {
        return tally.obtain(sources, case.release);
    }
    let built = sources.newest_built(variant);
    if built.is_none() {
        println!(
            "skip  kernel {} was not built: give its folder with --kernels, or run `cargo xtask kernels build {variant}`",
            case.release
        );
    }
    Ok(built)
}

fn run_guest(case: &Case, kernel: Kernel, selection: Selection<'_>, programs: &Programs) -> Result<Vec<Row>> {
    let started = Instant::now();
    let name = case.name(&kernel.release);
    let keep = kept(&format!("preemption-{}", name.replace(' ', "-")));
    let guest = guest::guest(kernel, &programs.observer, guest::witness(programs), &keep)?;
    let guest = Guest { append: case.append.to_owned(), ..guest };
    guest.run(&["sh".to_owned(), "-c".to_owned(), script(selection)])?;
    let mut rows = Vec::new();
    for (hooks, backend) in runs(selection) {
        let outcome = Finished::read(&keep, &step(hooks, backend)).and_then(|finished| reported(&finished));
        rows.push(Row { name: name.clone(), hooks, backend, outcome });
    }
    show_time(&name, started, &keep);
    Ok(rows)
}

/// Hooks and backend of each run.
fn runs(selection: Selection<'_>) -> Vec<(&'static str, &'static str)> {
    HOOKS.into_iter().flat_map(|hooks| selection.backends().map(move |backend| (hooks, backend))).collect()
}

fn step(hooks: &str, backend: &str) -> String {
    format!("{hooks}-{backend}")
}

fn script(selection: Selection<'_>) -> String {
    let mut script = String::from("mkdir -p /out\nobserver doctor >/out/doctor.txt\n");
    for (hooks, backend) in runs(selection) {
        let name = step(hooks, backend);
        // Writing into a String cannot fail.
        let _ = writeln!(
            script,
            "timeout 120 observer record --hooks {hooks} --backend {backend} --json -- {WORKLOAD} \
             >/out/{name}.stdout 2>/out/{name}.stderr; echo $? >/out/{name}.code"
        );
    }
    script
}

fn reported(finished: &Finished) -> std::result::Result<Reported, String> {
    let summary: Summary = finished.json()?;
    let of = |cause: &str| summary.dropped.get(cause).copied().unwrap_or(0);
    let (ends_missed, skipped) = (of("fault_end_missed"), skipped(&summary));
    Ok(Reported {
        seen: summary.swapins.seen,
        kernel: summary.swapins.kernel,
        ends_missed,
        skipped,
        other: summary.dropped.values().sum::<u64>() - ends_missed - skipped,
        code: finished.code,
    })
}

fn table(rows: &[Row]) -> String {
    let mut text = String::from(
        "| kernel | hooks, backend | seen | kernel | ends missed | programs skipped | otherwise dropped | exit |\n\
         |---|---|---:|---:|---:|---:|---:|---:|\n",
    );
    for Row { name, hooks, backend, outcome } in rows {
        let cells = match outcome {
            Ok(Reported { seen, kernel, ends_missed, skipped, other, code }) => {
                let kernel = kernel.map_or_else(|| "-".to_owned(), |count| count.to_string());
                format!("{seen} | {kernel} | {ends_missed} | {skipped} | {other} | {code} |")
            }
            Err(wrong) => format!("**failed**: {} | | | | | |", wrong.lines().next().unwrap_or_default()),
        };
        // Writing into a String cannot fail.
        let _ = writeln!(text, "| {name} | {hooks}, {backend} | {cells}");
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::step::finished, *};
    use crate::{
        kernels::{build::recipe, table},
        output::summary::example::with,
    };

    #[test]
    fn a_row_has_what_was_dropped_by_cause() {
        let summary = with(&json!({ "swapins": { "seen": 30, "kernel": 32 },
            "dropped": { "fault_end_missed": 3, "program_skipped": 2, "unknown_end": 5 } }));
        let reported = reported(&finished(20, &summary.to_string(), ""));
        let row = Row { name: "6.12.117 full".to_owned(), hooks: "lean", backend: "fentry", outcome: reported };
        assert!(
            table(std::slice::from_ref(&row))
                .ends_with("| 6.12.117 full | lean, fentry | 30 | 32 | 3 | 2 | 5 | 20 |\n")
        );
        assert!(row.is_right(), "trampolines skip programs");
        assert!(!Row { backend: "auto", ..row.clone() }.is_right());
        let failed = Row { outcome: Err("no\nmore".to_owned()), ..row };
        assert!(table(&[failed]).ends_with("| **failed**: no | | | | | |\n"));
    }

    #[test]
    fn a_row_is_exact_only_if_every_swap_in_was_seen() {
        let exact = Reported { seen: 9, kernel: Some(9), ends_missed: 0, skipped: 0, other: 0, code: 0 };
        assert!(exact.is_exact());
        for wrong in [
            Reported { seen: 8, ..exact.clone() },
            Reported { kernel: None, ..exact.clone() },
            Reported { seen: 0, kernel: Some(0), ..exact.clone() },
            Reported { ends_missed: 1, ..exact.clone() },
            Reported { skipped: 1, ..exact.clone() },
            Reported { other: 1, ..exact.clone() },
        ] {
            assert!(!wrong.is_exact(), "{wrong:?}");
        }
    }

    #[test]
    fn every_kernel_has_a_package_or_can_be_built() {
        for Case { release, .. } in CASES {
            let is_built = recipe::find(version::variant(release)).is_some();
            assert!(is_built || table::find(Arch::X86_64, release).is_some(), "{release}");
        }
    }

    #[test]
    fn only_selected_backends_are_run() {
        let backends = ["kprobe".to_owned()];
        let selection = Selection { kernel: None, backends: &backends, kernels: None };
        let script = script(selection);
        assert_eq!(script.matches("observer record").count(), 2, "{script}");
        assert!(script.contains("--hooks lean --backend kprobe"), "{script}");
    }
}
