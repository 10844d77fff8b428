//! The cost of each hook that an uncontended direct swap-in passes: with an empty program, and with its own.

use serde::Serialize;

use super::{
    note::Note,
    rounds::{Rounds, failed},
};
use observer_kernel::{
    plan::{Backend, Hook, Meaning, Plan},
    survey::Ready,
};
use observer_probe::{HookSubset, LoadError, Runs, at_attach};
use observer_workload::bench::{
    cost::{Cost, median},
    swapin::{Bench, Path},
};

/// The hooks of a fault. The program of either does nothing useful without the other: a start without ends finds the
/// old fault in its seat, an end without starts finds none.
const PAIR: [Meaning; 2] = [Meaning::FaultStart, Meaning::FaultEnd];

#[derive(Debug, Serialize)]
pub(super) struct HookCosts {
    /// Cost per page with nothing attached: median of rounds before and after the others.
    pub(super) untraced_ns: f64,
    /// Range of those rounds, as a share of the median.
    pub(super) untraced_spread: f64,
    /// One row for each meaning that was passed, one for start and end of the fault together, and one for all hooks.
    pub(super) rows: Vec<HookRow>,
    /// Hooks that are attached and were not passed.
    pub(super) not_passed: Vec<MeaningHooks>,
}

/// Which hooks a row is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "row", rename_all = "snake_case")]
pub(super) enum HookRowKind {
    Meaning(MeaningHooks),
    /// Start and end of the fault.
    Pair,
    All,
}

/// The hooks of a meaning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct MeaningHooks {
    pub(super) meaning: Meaning,
    pub(super) hooks: Vec<HookFunction>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct HookFunction {
    pub(super) backend: Backend,
    pub(super) symbol: String,
}

/// The cost of one hook, or of several together, per page.
#[derive(Debug, Serialize)]
pub(super) struct HookRow {
    #[serde(flatten)]
    pub(super) kind: HookRowKind,
    /// How often its program ran.
    pub(super) runs: f64,
    /// Added by empty programs there, with nothing else attached.
    pub(super) empty_ns: f64,
    /// Added by its own program; `None`: it does nothing useful without another one, with which it has a row.
    pub(super) real_ns: Option<f64>,
    /// What `real_ns` is the difference to.
    pub(super) real_against: Option<Against>,
    /// Run time of the hook's program with all hooks attached, minus that of an empty one, both as counted by the
    /// kernel. The cost of calling the program is not included.
    pub(super) body_ns: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Against {
    Nothing,
    /// All other hooks attached: without them its program has no fault to work on.
    AllOthers,
}

/// Measures; `None`, with a note: not on this kernel.
///
/// # Errors
/// When a round fails, or the kernel refuses a program.
pub(super) fn measure(
    ready: &Ready,
    bench: &Bench,
    rounds: u32,
    notes: &mut Vec<Note>,
) -> anyhow::Result<Option<HookCosts>> {
    let (plan, measure) = (&ready.plan, Measure { bench, rounds });
    let mut untraced = measure.costs("nothing attached")?;
    let (all_empty, empty_runs) = measure.all("all hooks, empty", HookSubset::empty(plan, |_| true))?;
    let (all_real, real_runs) = measure.all("all hooks", HookSubset::real(plan, |_| true))?;
    let (Some(empty), Some(real)) = (empty_runs, real_runs) else {
        notes.push(Note::RunsNotCounted);
        return Ok(None);
    };
    let runs = ProgramRuns { empty: &empty, real: &real };
    let single = measure.each(plan, &runs)?;
    let of_pair = |hook: &Hook| PAIR.contains(&hook.meaning);
    let pair_empty = measure.median("start and end, empty", HookSubset::empty(plan, of_pair))?;
    let pair_real = measure.median("start and end", HookSubset::real(plan, of_pair))?;
    untraced.extend(measure.costs("nothing attached")?);
    let Some(base) = Cost::of(untraced) else { return Ok(None) };
    let medians = Medians {
        nothing: base.median_ns,
        all: EmptyAndReal { empty: all_empty, real: all_real },
        pair: EmptyAndReal { empty: pair_empty, real: pair_real },
        single,
    };
    Ok(Some(HookCosts {
        untraced_ns: base.median_ns,
        untraced_spread: base.spread(),
        rows: medians.rows(&runs, |meaning| meaning_hooks(plan, meaning)),
        not_passed: not_passed(plan, &runs),
    }))
}

fn not_passed(plan: &Plan, runs: &ProgramRuns<'_>) -> Vec<MeaningHooks> {
    let attached = |meaning: &Meaning| plan.of(*meaning).next().is_some() && !runs.is_passed(*meaning);
    Meaning::ALL.into_iter().filter(attached).map(|meaning| meaning_hooks(plan, meaning)).collect()
}

fn meaning_hooks(plan: &Plan, meaning: Meaning) -> MeaningHooks {
    let function = |hook: &Hook| HookFunction { backend: hook.backend, symbol: hook.symbol.clone() };
    MeaningHooks { meaning, hooks: plan.of(meaning).map(function).collect() }
}

/// Cost per page with empty programs, and with real ones.
#[derive(Clone, Copy, Debug)]
struct EmptyAndReal {
    empty: f64,
    real: f64,
}

/// Cost per page for the hooks of one meaning.
#[derive(Clone, Copy, Debug)]
struct Single {
    meaning: Meaning,
    /// With only these, empty.
    empty: f64,
    /// With all real ones except these; `None`: nothing works without them.
    without: Option<f64>,
}

/// Medians of the cost per page, in nanoseconds.
#[derive(Debug)]
struct Medians {
    nothing: f64,
    all: EmptyAndReal,
    pair: EmptyAndReal,
    single: Vec<Single>,
}

impl Medians {
    /// A row for each meaning, after the end of the fault one for the pair, and one for all hooks.
    fn rows(&self, runs: &ProgramRuns<'_>, hooks: impl Fn(Meaning) -> MeaningHooks) -> Vec<HookRow> {
        let added =
            |cost: EmptyAndReal| (cost.empty - self.nothing, Some((cost.real - self.nothing, Against::Nothing)));
        let mut rows = Vec::new();
        for Single { meaning, empty, without } in &self.single {
            let real = without.map(|without| (self.all.real - without, Against::AllOthers));
            let kind = HookRowKind::Meaning(hooks(*meaning));
            rows.push(runs.row(kind, &[*meaning], empty - self.nothing, real));
            if *meaning == Meaning::FaultEnd {
                let (empty, real) = added(self.pair);
                rows.push(runs.row(HookRowKind::Pair, &PAIR, empty, real));
            }
        }
        let (empty, real) = added(self.all);
        rows.push(runs.row(HookRowKind::All, &Meaning::ALL, empty, real));
        rows
    }
}

/// Runs of the programs of one hook.
type HookRuns = Vec<(Meaning, RunsPerPage)>;

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct RunsPerPage {
    runs: f64,
    ns: f64,
}

impl RunsPerPage {
    fn of(runs: Runs, pages: f64) -> Self {
        Self { runs: runs.runs as f64 / pages, ns: runs.run_ns as f64 / pages }
    }
}

struct Measure<'a> {
    bench: &'a Bench,
    rounds: u32,
}

impl Measure<'_> {
    /// Cost per page of each round, with what is attached now.
    fn costs(&self, name: &str) -> anyhow::Result<Vec<f64>> {
        // Warms up.
        self.bench.round(Path::Direct).map_err(failed)?;
        Rounds { name: &name, count: self.rounds }.run(|| self.bench.round(Path::Direct).map_err(failed))
    }

    /// Median of the cost per page with this part attached.
    fn median(&self, name: &str, part: Result<HookSubset, LoadError>) -> anyhow::Result<f64> {
        let part = part.map_err(at_attach)?;
        let mut costs = self.costs(name)?;
        drop(part);
        Ok(median(&mut costs).unwrap_or_default())
    }

    /// Measures each meaning that is passed.
    fn each(&self, plan: &Plan, runs: &ProgramRuns<'_>) -> anyhow::Result<Vec<Single>> {
        let mut single = Vec::new();
        for meaning in Meaning::ALL.into_iter().filter(|meaning| runs.is_passed(*meaning)) {
            let (code, of) = (meaning.code(), |hook: &Hook| hook.meaning == meaning);
            let empty = self.median(&format!("{code}, empty"), HookSubset::empty(plan, of))?;
            let without = || self.median(&format!("all but {code}"), HookSubset::real(plan, |hook| !of(hook)));
            let without = (!PAIR.contains(&meaning)).then(without).transpose()?;
            single.push(Single { meaning, empty, without });
        }
        Ok(single)
    }

    /// As [`Self::median`], with the runs of each program, which are counted in one more round: counting makes each run
    /// slower.
    fn all(&self, name: &str, part: Result<HookSubset, LoadError>) -> anyhow::Result<(f64, Option<HookRuns>)> {
        let mut part = part.map_err(at_attach)?;
        let mut costs = self.costs(name)?;
        part.count().map_err(at_attach)?;
        let mut readings = Vec::new();
        self.bench.round_marked(Path::Direct, || readings.push(part.runs())).map_err(failed)?;
        let median = median(&mut costs).unwrap_or_default();
        let [Some(before), Some(after)] = readings.as_slice() else { return Ok((median, None)) };
        let pages = self.bench.pages() as f64;
        let runs = before
            .iter()
            .zip(after)
            .map(|((hook, before), (_, after))| (hook.meaning, RunsPerPage::of(after.since(*before), pages)));
        Ok((median, Some(runs.collect())))
    }
}

/// Runs of the programs with all hooks attached.
struct ProgramRuns<'a> {
    empty: &'a [(Meaning, RunsPerPage)],
    real: &'a [(Meaning, RunsPerPage)],
}

impl ProgramRuns<'_> {
    fn sum(runs: &[(Meaning, RunsPerPage)], meanings: &[Meaning]) -> RunsPerPage {
        let of = runs.iter().filter(|(meaning, _)| meanings.contains(meaning));
        of.fold(RunsPerPage::default(), |sum, (_, one)| RunsPerPage { runs: sum.runs + one.runs, ns: sum.ns + one.ns })
    }

    /// Whether most swap-ins pass it.
    fn is_passed(&self, meaning: Meaning) -> bool {
        Self::sum(self.real, &[meaning]).runs > 0.5
    }

    fn row(&self, kind: HookRowKind, meanings: &[Meaning], empty_ns: f64, real: Option<(f64, Against)>) -> HookRow {
        let (empty, counted) = (Self::sum(self.empty, meanings), Self::sum(self.real, meanings));
        HookRow {
            kind,
            runs: counted.runs,
            empty_ns,
            real_ns: real.map(|(ns, _)| ns),
            real_against: real.map(|(_, against)| against),
            body_ns: counted.ns - empty.ns,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ran(meaning: Meaning, runs: f64, ns: f64) -> (Meaning, RunsPerPage) {
        (meaning, RunsPerPage { runs, ns })
    }

    fn hooks(meaning: Meaning) -> MeaningHooks {
        let function = HookFunction { backend: Backend::Fentry, symbol: "f".to_owned() };
        MeaningHooks { meaning, hooks: vec![function] }
    }

    #[test]
    fn the_body_is_the_run_time_beyond_an_empty_program() {
        let empty = [ran(Meaning::FaultStart, 1.0, 50.0), ran(Meaning::FaultEnd, 1.0, 50.0)];
        let real = [ran(Meaning::FaultStart, 1.0, 290.0), ran(Meaning::FaultEnd, 1.0, 310.0)];
        let runs = ProgramRuns { empty: &empty, real: &real };
        let row = runs.row(HookRowKind::Pair, &PAIR, 300.0, Some((800.0, Against::Nothing)));
        assert!((row.body_ns - 500.0).abs() < 1e-9, "{row:?}");
        assert!((row.runs - 2.0).abs() < 1e-9, "{row:?}");
        assert_eq!((row.real_ns, row.real_against), (Some(800.0), Some(Against::Nothing)));
        let start = HookRowKind::Meaning(hooks(Meaning::FaultStart));
        let start = runs.row(start, &[Meaning::FaultStart], 110.0, None);
        assert!((start.body_ns - 240.0).abs() < 1e-9, "{start:?}");
        assert!(start.real_ns.is_none());
    }

    #[test]
    fn a_hook_that_few_swap_ins_pass_is_not_passed() {
        let real = [ran(Meaning::PinTry, 1.0, 9.0), ran(Meaning::LockTry, 0.01, 9.0)];
        let runs = ProgramRuns { empty: &[], real: &real };
        assert!(runs.is_passed(Meaning::PinTry));
        assert!(!runs.is_passed(Meaning::LockTry));
        assert!(!runs.is_passed(Meaning::Freed), "not attached");
    }

    #[test]
    fn hooks_are_compared_with_nothing_or_with_all_others() {
        let single = |meaning, empty, without| Single { meaning, empty, without };
        let medians = Medians {
            nothing: 1_000.0,
            all: EmptyAndReal { empty: 1_060.0, real: 1_140.0 },
            pair: EmptyAndReal { empty: 1_033.0, real: 1_086.0 },
            single: vec![
                single(Meaning::FaultStart, 1_016.0, None),
                single(Meaning::FaultEnd, 1_022.0, None),
                single(Meaning::PinTry, 1_021.0, Some(1_110.0)),
            ],
        };
        let rows = medians.rows(&ProgramRuns { empty: &[], real: &[] }, hooks);
        let figures: Vec<_> = rows.iter().map(|row| (row.kind.clone(), row.empty_ns, row.real_ns)).collect();
        let meaning = |meaning| HookRowKind::Meaning(hooks(meaning));
        assert_eq!(
            figures,
            [
                (meaning(Meaning::FaultStart), 16.0, None),
                (meaning(Meaning::FaultEnd), 22.0, None),
                (HookRowKind::Pair, 33.0, Some(86.0)),
                (meaning(Meaning::PinTry), 21.0, Some(30.0)),
                (HookRowKind::All, 60.0, Some(140.0)),
            ]
        );
        assert_eq!(rows[3].real_against, Some(Against::AllOthers));
        let json = serde_json::to_value(&rows[3]).unwrap();
        assert_eq!((&json["row"], &json["meaning"]), (&"meaning".into(), &"pin_try".into()));
        assert_eq!(json["hooks"], serde_json::json!([{"backend": "fentry", "symbol": "f"}]));
    }

    #[test]
    fn runs_are_counted_per_page() {
        assert_eq!(RunsPerPage::of(Runs { runs: 8, run_ns: 40 }, 4.0), RunsPerPage { runs: 2.0, ns: 10.0 });
    }
}
