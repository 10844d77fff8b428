//! The rows: which are measured, in which order, and which row each is compared with.

use std::fmt;

use serde::Serialize;

use super::{
    note::Note,
    observed::{RowObserver, Seen},
    pin::{self, PinCost},
    rounds::{Rounds, failed},
};
use crate::cli::{BenchRows, SwapinArgs};
use observer_kernel::survey::Ready;
use observer_observation::{DurationSummary, Durations};
use observer_probe::{Options, Probes, at_attach};
use observer_workload::{
    WorkloadError, allowed_cpus,
    bench::{
        contention::Contention,
        cost::{Cost, median},
        swapin::{Bench, Path},
    },
};

/// Percentages of contended pages.
const PERCENTAGES: [u32; 4] = [0, 1, 10, 50];
/// Maximum number of threads by default.
const DEFAULT_THREADS: usize = 8;

/// What a row measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "row", rename_all = "snake_case")]
pub(super) enum RowKind {
    Direct,
    Cached,
    Contended { percent: u32 },
    Pin,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct RowId {
    #[serde(flatten)]
    pub(super) kind: RowKind,
    /// Whether the programs were attached.
    pub(super) observed: bool,
}

impl fmt::Display for RowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            RowKind::Direct => f.write_str("direct")?,
            RowKind::Cached => f.write_str("cached")?,
            RowKind::Contended { percent } => write!(f, "contended {percent}%")?,
            RowKind::Pin => f.write_str("pin")?,
        }
        if self.observed { f.write_str(", observed") } else { Ok(()) }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct Row {
    #[serde(flatten)]
    pub(super) id: RowId,
    /// Cost per page. Contended: the time that all threads together spent touching pages.
    #[serde(flatten)]
    pub(super) cost: Cost,
    /// Median divided by that of `ratio_to`.
    pub(super) ratio: f64,
    pub(super) ratio_to: RowId,
    /// Range of the rounds, as a share of the median.
    pub(super) spread: f64,
    /// Of a contended row.
    pub(super) contention: Option<ContentionSummary>,
    /// Of the pin's row.
    pub(super) pin: Option<PinCost>,
    /// Of an observed row.
    pub(super) seen: Option<Seen>,
}

/// The threads of a contended row, over all rounds.
#[derive(Debug, Serialize)]
pub(super) struct ContentionSummary {
    pub(super) threads: usize,
    /// Median of the rounds.
    pub(super) pages_per_second: f64,
    /// Duration of each touch of a page.
    pub(super) touch: DurationSummary,
    /// Pages that were read more than once.
    pub(super) read_twice: u64,
}

/// The rows to measure.
#[derive(Debug)]
pub(super) struct RowPlan {
    rounds: u32,
    paths: Vec<Path>,
    contentions: Vec<Contention>,
    pin: bool,
}

impl RowPlan {
    /// Rows that this host does not allow are left out, with a note.
    ///
    /// # Errors
    /// When the CPU affinity cannot be read.
    pub(super) fn new(args: &SwapinArgs, notes: &mut Vec<Note>) -> Result<Self, WorkloadError> {
        let wanted = |rows| args.rows.contains(&rows);
        let pin = wanted(BenchRows::Pin) && !args.bare;
        // The pin's row is compared with the direct one.
        let paths = [(wanted(BenchRows::Direct) || pin, Path::Direct), (wanted(BenchRows::Cached), Path::Cached)];
        let paths = paths.into_iter().filter_map(|(wanted, path)| wanted.then_some(path)).collect();
        let cpus = allowed_cpus()?.len();
        let contentions =
            if wanted(BenchRows::Contended) { contentions(args.threads, cpus, notes) } else { Vec::new() };
        Ok(Self { rounds: args.rounds, paths, contentions, pin })
    }
}

fn contentions(threads: Option<u32>, cpus: usize, notes: &mut Vec<Note>) -> Vec<Contention> {
    if cpus < 2 {
        notes.push(Note::OneCpu);
        return Vec::new();
    }
    let threads = threads.map_or_else(|| cpus.clamp(2, DEFAULT_THREADS), |threads| threads as usize);
    PERCENTAGES.map(|percent| Contention { threads, percent }).to_vec()
}

/// The rounds of one path.
#[derive(Default)]
struct PathRounds {
    costs: Vec<f64>,
    seen: Option<Seen>,
}

/// The rounds of one contention.
struct ContendedRounds {
    costs: Vec<f64>,
    pages_per_second: Vec<f64>,
    touches: Durations,
    read_twice: u64,
    seen: Option<Seen>,
}

/// Measures all rows: with nothing attached, observed, and the paths with nothing attached again, because the machine
/// may have become faster or slower meanwhile.
pub(super) fn measure(
    plan: &RowPlan,
    bench: &Bench,
    ready: Option<&Ready>,
    notes: &mut Vec<Note>,
) -> anyhow::Result<Vec<Row>> {
    let mut paths = plan.measure_paths(bench, None)?;
    let contended = plan.measure_contended(bench, None)?;
    let (mut paths_observed, mut contended_observed, mut pin) = (Vec::new(), Vec::new(), None);
    if let Some(ready) = ready {
        let mut probes = Probes::attach(&ready.plan, &Options::default()).map_err(at_attach)?;
        paths_observed = plan.measure_paths(bench, Some(&mut probes))?;
        contended_observed = plan.measure_contended(bench, Some(&mut probes))?;
        probes.detach()?;
        if plan.pin {
            pin = pin::measure(ready, bench, plan.rounds, notes)?;
        }
        for (first, second) in paths.iter_mut().zip(plan.measure_paths(bench, None)?) {
            first.costs.extend(second.costs);
        }
    }
    let mut rows = Rows::default();
    rows.add_paths(&plan.paths, paths, paths_observed);
    if let Some((costs, pin)) = pin {
        rows.add_pin(costs, pin);
    }
    rows.add_contended(&plan.contentions, contended, contended_observed);
    Ok(rows.0)
}

impl RowPlan {
    fn measure_paths(&self, bench: &Bench, mut probes: Option<&mut Probes>) -> anyhow::Result<Vec<PathRounds>> {
        let mut all = Vec::new();
        for path in &self.paths {
            // Warms up.
            bench.round(*path).map_err(failed)?;
            let observer = probes.as_deref_mut().map(RowObserver::start);
            let name = RowId { kind: path_kind(*path), observed: observer.is_some() };
            let costs = Rounds { name: &name, count: self.rounds }.run(|| bench.round(*path).map_err(failed))?;
            all.push(PathRounds { costs, seen: observer.map(RowObserver::finish) });
        }
        Ok(all)
    }

    fn measure_contended(
        &self,
        bench: &Bench,
        mut probes: Option<&mut Probes>,
    ) -> anyhow::Result<Vec<ContendedRounds>> {
        let mut all = Vec::new();
        for contention in &self.contentions {
            // Warms up.
            bench.contended_round(*contention, || ()).map_err(failed)?;
            let mut observer = probes.as_deref_mut().map(RowObserver::start);
            let kind = RowKind::Contended { percent: contention.percent };
            let name = RowId { kind, observed: observer.is_some() };
            let (mut pages_per_second, mut touches, mut read_twice) = (Vec::new(), Durations::default(), 0);
            let pages = bench.pages() as f64;
            let costs = Rounds { name: &name, count: self.rounds }.run(|| {
                let drain = || observer.iter_mut().for_each(RowObserver::drain);
                let (round, twice) = bench.contended_round(*contention, drain).map_err(failed)?;
                read_twice += twice;
                touches.append(&round.touches);
                pages_per_second.push(pages * 1e9 / round.elapsed_ns.max(1) as f64);
                Ok(round.touching_ns as f64 / pages)
            })?;
            let seen = observer.map(RowObserver::finish);
            all.push(ContendedRounds { costs, pages_per_second, touches, read_twice, seen });
        }
        Ok(all)
    }
}

const fn path_kind(path: Path) -> RowKind {
    match path {
        Path::Direct => RowKind::Direct,
        Path::Cached => RowKind::Cached,
    }
}

/// The details of some rows.
#[derive(Default)]
struct Details {
    contention: Option<ContentionSummary>,
    pin: Option<PinCost>,
    seen: Option<Seen>,
}

#[derive(Default)]
struct Rows(Vec<Row>);

impl Rows {
    /// Adds each path, followed by the same observed. They are compared with the first one.
    fn add_paths(&mut self, paths: &[Path], plain: Vec<PathRounds>, observed: Vec<PathRounds>) {
        let mut observed = observed.into_iter();
        for (path, plain) in paths.iter().zip(plain) {
            for (rounds, observed) in [(Some(plain), false), (observed.next(), true)] {
                let Some(PathRounds { costs, seen }) = rounds else { continue };
                self.add(RowId { kind: path_kind(*path), observed }, costs, Details { seen, ..Details::default() }, 0);
            }
        }
    }

    /// Adds each contention, followed by the same observed. They are compared with the one without contended pages.
    fn add_contended(
        &mut self,
        contentions: &[Contention],
        plain: Vec<ContendedRounds>,
        observed: Vec<ContendedRounds>,
    ) {
        let base = self.0.len();
        let mut observed = observed.into_iter();
        for (contention, plain) in contentions.iter().zip(plain) {
            for (rounds, observed) in [(Some(plain), false), (observed.next(), true)] {
                let Some(mut rounds) = rounds else { continue };
                let summary = ContentionSummary {
                    threads: contention.threads,
                    pages_per_second: median(&mut rounds.pages_per_second).unwrap_or_default(),
                    touch: rounds.touches.summary(),
                    read_twice: rounds.read_twice,
                };
                let details = Details { contention: Some(summary), pin: None, seen: rounds.seen };
                let kind = RowKind::Contended { percent: contention.percent };
                self.add(RowId { kind, observed }, rounds.costs, details, base);
            }
        }
    }

    /// Adds the pin, which is compared with the first path.
    fn add_pin(&mut self, costs: Vec<f64>, pin: PinCost) {
        let details = Details { pin: Some(pin), ..Details::default() };
        self.add(RowId { kind: RowKind::Pin, observed: false }, costs, details, 0);
    }

    /// Adds a row, compared with the row at index `base`, which may be the new one.
    fn add(&mut self, id: RowId, costs: Vec<f64>, details: Details, base: usize) {
        let Some(cost) = Cost::of(costs) else { return };
        let (base_ns, ratio_to) = self.0.get(base).map_or((cost.median_ns, id), |row| (row.cost.median_ns, row.id));
        let (ratio, spread) = (cost.median_ns / base_ns, cost.spread());
        let Details { contention, pin, seen } = details;
        self.0.push(Row { id, cost, ratio, ratio_to, spread, contention, pin, seen });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(cost: f64) -> PathRounds {
        PathRounds { costs: vec![cost], seen: None }
    }

    fn contended(cost: f64) -> ContendedRounds {
        ContendedRounds {
            costs: vec![cost],
            pages_per_second: vec![1.0],
            touches: Durations::default(),
            read_twice: 0,
            seen: None,
        }
    }

    fn rows() -> Vec<Row> {
        let mut rows = Rows::default();
        rows.add_paths(&[Path::Direct, Path::Cached], vec![path(4.0), path(6.0)], vec![path(5.0), path(7.0)]);
        rows.add_pin(vec![1.0], PinCost::default());
        let contentions = [Contention { threads: 2, percent: 0 }, Contention { threads: 2, percent: 50 }];
        rows.add_contended(&contentions, vec![contended(10.0), contended(30.0)], vec![]);
        rows.0
    }

    #[test]
    fn paths_are_compared_with_the_first_and_contended_rows_with_the_one_at_zero_percent() {
        let rows = rows();
        let compared: Vec<_> =
            rows.iter().map(|row| (row.id.to_string(), row.ratio, row.ratio_to.to_string())).collect();
        let expected = [
            ("direct", 1.0, "direct"),
            ("direct, observed", 1.25, "direct"),
            ("cached", 1.5, "direct"),
            ("cached, observed", 1.75, "direct"),
            ("pin", 0.25, "direct"),
            ("contended 0%", 1.0, "contended 0%"),
            ("contended 50%", 3.0, "contended 0%"),
        ];
        assert_eq!(compared, expected.map(|(name, ratio, to)| (name.to_owned(), ratio, to.to_owned())));
    }

    #[test]
    fn rows_are_identified_by_codes_in_json() {
        let rows = serde_json::to_value(rows()).unwrap();
        assert_eq!((&rows[1]["row"], &rows[1]["observed"]), (&"direct".into(), &true.into()));
        assert_eq!((&rows[6]["row"], &rows[6]["percent"]), (&"contended".into(), &50.into()));
        assert_eq!(rows[6]["ratio_to"], serde_json::json!({"row": "contended", "percent": 0, "observed": false}));
        assert_eq!(rows[6]["median_ns"], 30.0);
    }

    #[test]
    fn with_one_cpu_there_are_no_contended_rows_and_a_note() {
        let mut notes = Vec::new();
        assert!(contentions(Some(4), 1, &mut notes).is_empty());
        assert_eq!(notes, [Note::OneCpu]);
        assert_eq!(contentions(None, 64, &mut notes)[0].threads, DEFAULT_THREADS);
        assert_eq!(contentions(Some(3), 2, &mut notes)[0].threads, 3);
    }
}
