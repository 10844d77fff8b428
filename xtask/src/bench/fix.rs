//! What the fix costs: kernels from one source that differ in nothing else, beside the figures in the message of the fix
//! (<https://git.kernel.org/torvalds/c/13ddaf26be32>).

use anyhow::{Context as _, Result, ensure};

use super::{
    counted::Counted,
    markdown::{table, whole},
};
use crate::output::bench::{COUNTED_SIZE, Command, DIRECT, FAST_PAGES, PIN, Report, RowId, RowKind, SLOW_PAGES};

/// What a kernel does about the race.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Design {
    /// The variant of its kernel.
    pub(crate) variant: &'static str,
    what: &'static str,
    /// Swapping 10 GB in, in the message.
    message_us: u32,
}

/// The first one is what the others are compared with.
pub(crate) const DESIGNS: [Design; 3] = [
    Design { variant: "unfixed", what: "before the fix", message_us: 10_934_698 },
    Design { variant: FIXED, what: "after the fix", message_us: 11_157_121 },
    Design { variant: "nondirect", what: "`SWP_SYNCHRONOUS_IO` dropped", message_us: 13_155_355 },
];

/// The design with the pin.
const FIXED: &str = "fixed";

/// What the pages contain.
const CONTENTS: [&str; 2] = [FAST_PAGES, SLOW_PAGES];

/// Values of `vm.page-cluster`: no readahead, and the kernel's default of 8 pages.
const CLUSTERS: [u32; 2] = [0, 3];

/// Processes of each row: a count differs more between processes than between the rounds of one.
const PROCESSES: usize = 3;

/// Instructions per page of one design.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Measured {
    release: String,
    rows: Vec<Row>,
    /// Only of the design with the pin.
    estimate: Option<Estimate>,
}

/// The median over the processes.
#[derive(Clone, Debug, PartialEq)]
struct Row {
    contents: &'static str,
    cluster: u32,
    compressor: String,
    per_page: f64,
    /// The range of the processes.
    range: f64,
}

/// What observer says that the pin adds to a swap-in without readahead, in instructions per page.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Estimate {
    take: f64,
    /// Giving up a reference that frees nothing.
    reference: f64,
}

impl Estimate {
    fn per_page(self) -> f64 {
        self.take + self.reference
    }
}

/// Runs all rows of a design in one guest, on one CPU.
///
/// # Errors
/// When the guest does not run to its end, or its output cannot be read.
pub(crate) fn measure(design: &Design, guest: &Counted<'_>) -> Result<Measured> {
    let reports: Vec<Report> = guest.run(&script(design))?;
    measured(design, &guest.kernel.release, &reports)
}

fn script(design: &Design) -> String {
    let bare = |contents| Command::new(COUNTED_SIZE, 3, &[DIRECT]).pages(contents).bare().line();
    let mut lines = Vec::new();
    for (cluster, contents) in combinations() {
        lines.push(format!("echo {cluster} > /proc/sys/vm/page-cluster"));
        lines.extend((0..PROCESSES).map(|_| bare(contents)));
    }
    if design.variant == FIXED {
        lines.push("echo 0 > /proc/sys/vm/page-cluster".to_owned());
        lines.push(Command::new(COUNTED_SIZE, 3, &[DIRECT, PIN]).pages(FAST_PAGES).line());
    }
    lines.join(" && ")
}

fn combinations() -> impl Iterator<Item = (u32, &'static str)> {
    CLUSTERS.into_iter().flat_map(|cluster| CONTENTS.map(|contents| (cluster, contents)))
}

fn measured(design: &Design, release: &str, reports: &[Report]) -> Result<Measured> {
    let estimated = usize::from(design.variant == FIXED);
    let expected = CONTENTS.len() * CLUSTERS.len() * PROCESSES + estimated;
    ensure!(reports.len() == expected, "the benchmark printed {} reports of {expected}", reports.len());
    let (bare, pin) = reports.split_at(expected - estimated);
    let rows = combinations().zip(bare.chunks(PROCESSES)).map(|((cluster, contents), reports)| {
        let direct = |report: &Report| report.row(RowKind::Direct.bare()).map(|row| row.median_ns);
        let mut counts = reports.iter().map(direct).collect::<Result<Vec<_>>>()?;
        counts.sort_by(f64::total_cmp);
        let (first, last) = (counts.first().copied().unwrap_or(0.0), counts.last().copied().unwrap_or(0.0));
        Ok(Row {
            contents,
            cluster,
            compressor: reports.first().and_then(|report| report.compressor.clone()).unwrap_or_default(),
            per_page: counts.get(counts.len() / 2).copied().unwrap_or(0.0),
            range: last - first,
        })
    });
    let rows = rows.collect::<Result<_>>()?;
    let estimate = pin.first().map(estimate).transpose()?;
    Ok(Measured { release: release.to_owned(), rows, estimate })
}

fn estimate(report: &Report) -> Result<Estimate> {
    let row = report.row(RowId { kind: RowKind::Pin, observed: false })?;
    let pin = row.pin.as_ref().context("the row of the pin has no figures")?;
    let reference = pin.reference_ns.context("giving up a reference was not timed on this kernel")?;
    Ok(Estimate { take: pin.take_ns, reference })
}

/// Both Markdown tables; `all` in the order of [`DESIGNS`].
pub(crate) fn tables(all: &[Measured]) -> String {
    [designs(all), estimates(all)].into_iter().flatten().collect::<Vec<_>>().join("\n")
}

fn designs(all: &[Measured]) -> Option<String> {
    let base = all.first()?;
    let message = f64::from(DESIGNS.first()?.message_us);
    let head =
        ["pages", "page-cluster", "design", "kernel", "instructions per page", "range", "ratio", "the message's"];
    let mut rows = Vec::new();
    for (index, before) in base.rows.iter().enumerate() {
        for (design, measured) in DESIGNS.iter().zip(all) {
            let Some(row) = measured.rows.get(index) else { continue };
            rows.push(vec![
                format!("{}, {}", row.contents, row.compressor),
                row.cluster.to_string(),
                design.what.to_owned(),
                measured.release.clone(),
                whole(row.per_page),
                whole(row.range),
                format!("{:.4}", row.per_page / before.per_page),
                format!("{:.3}", f64::from(design.message_us) / message),
            ]);
        }
    }
    Some(table(&head, 4, &rows))
}

/// What observer estimates beside the difference between the kernels.
fn estimates(all: &[Measured]) -> Option<String> {
    let before = all.first()?.rows.first()?;
    let (after, estimate) = all.iter().find_map(|measured| Some((measured.rows.first()?, measured.estimate?)))?;
    let difference = after.per_page - before.per_page;
    let head = [
        "the pin adds, per page",
        "taking it",
        "a reference without effect",
        "together",
        "measured: after - before",
        "error, of a swap-in",
    ];
    let row = vec![
        format!("{} pages, page-cluster {}", after.contents, after.cluster),
        whole(estimate.take),
        whole(estimate.reference),
        whole(estimate.per_page()),
        whole(difference),
        format!("{:+.2}%", 100.0 * (estimate.per_page() - difference) / before.per_page),
    ];
    Some(table(&head, 1, &[row]))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::output::{bench::example, summary::example::merged};

    fn report(per_page: f64) -> Report {
        serde_json::from_value(example::report(&[example::row(RowKind::Direct.bare(), per_page)])).unwrap()
    }

    fn pin_report() -> Report {
        let pin = json!({ "pin": { "take_ns": 110.0, "drop_ns": 1_500.0, "reference_ns": 60.0 } });
        let row = merged(example::row(RowKind::Pin.bare(), 170.0), &pin);
        serde_json::from_value(example::report(&[row])).unwrap()
    }

    fn all() -> Vec<Measured> {
        let of = |index: usize, base: f64, pin: Option<Report>| {
            let bare = combinations().flat_map(|_| [base + 7.0, base, base - 2.0]).map(report);
            let reports: Vec<_> = bare.chain(pin).collect();
            measured(&DESIGNS[index], "6.1.192-x", &reports).unwrap()
        };
        vec![of(0, 10_000.0, None), of(1, 10_160.0, Some(pin_report())), of(2, 12_000.0, None)]
    }

    #[test]
    fn designs_are_compared_with_the_first_one_beside_the_message() {
        let text = tables(&all());
        let line = "| fast, lz4 | 0 | after the fix | 6.1.192-x | 10 160 | 9 | 1.0160 | 1.020 |";
        assert!(text.contains(line), "{text}");
        let line = "| slow, lz4 | 3 | `SWP_SYNCHRONOUS_IO` dropped | 6.1.192-x | 12 000 | 9 | 1.2000 | 1.203 |";
        assert!(text.contains(line), "{text}");
    }

    #[test]
    fn the_estimate_stands_beside_the_difference() {
        let text = tables(&all());
        let line = "| fast pages, page-cluster 0 | 110 | 60 | 170 | 160 | +0.10% |";
        assert!(text.contains(line), "{text}");
    }

    #[test]
    fn a_missing_report_is_an_error() {
        assert!(measured(&DESIGNS[0], "x", &[report(1.0)]).is_err());
        assert!(estimate(&report(1.0)).is_err());
    }

    #[test]
    fn only_the_design_with_the_pin_is_observed() {
        let observed = |design| {
            let lines = script(design);
            lines.split(" && ").filter(|line| line.contains("bench swapin") && !line.contains("--bare")).count()
        };
        assert_eq!(DESIGNS.each_ref().map(observed), [0, 1, 0]);
        assert_eq!(script(&DESIGNS[0]).matches("--bare").count(), combinations().count() * PROCESSES);
    }
}
