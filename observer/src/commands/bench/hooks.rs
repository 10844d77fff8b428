//! What each hook costs that a direct swap-in nobody races for passes: an empty program there, and its own.

use serde::Serialize;

use super::rows::Progress;
use observer_kernel::{
    plan::{Hook, Meaning, Plan},
    survey::Ready,
};
use observer_probe::{LoadError, Part, Runs, setup::at_attach};
use observer_workload::bench::{
    figures::Figures,
    swapin::{Bench, Way},
};

/// The two hooks of a fault. Neither's own program does its work without the other: a start whose fault was never ended
/// finds the old one in its seat, an end without a start finds nothing.
const PAIR: [Meaning; 2] = [Meaning::FaultStart, Meaning::FaultEnd];

/// What was measured.
#[derive(Debug, Serialize)]
pub(super) struct Hooks {
    /// A page swapped in with nothing attached, nanoseconds: median of rounds before and after the others.
    pub(super) untraced_ns: f64,
    /// Spread of those rounds, as a share of the median.
    pub(super) untraced_spread: f64,
    /// A row for each hook that was passed, the pair of the fault, and all.
    pub(super) rows: Vec<HookRow>,
    /// Hooks that are attached and were not passed.
    pub(super) elsewhere: Vec<String>,
}

/// One hook, or several together. All figures are nanoseconds for each page swapped in.
#[derive(Debug, Serialize)]
pub(super) struct HookRow {
    /// What for, how, and where.
    pub(super) name: String,
    /// How often its program ran for each page.
    pub(super) runs: f64,
    /// What empty programs add, attached there and nowhere else.
    pub(super) empty_ns: f64,
    /// What its own program adds; `None`: it has nothing to do without another one, with which it has a row.
    pub(super) real_ns: Option<f64>,
    /// Against what that is.
    pub(super) real_against: Option<Against>,
    /// What its own program's body takes while all are attached, by the kernel's count, without what the same count says
    /// of an empty one: what leads to the program is in neither.
    pub(super) body_ns: f64,
}

/// What the rounds with a hook's own program are set against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Against {
    /// Nothing attached.
    Nothing,
    /// All hooks but this one attached: only then has it a fault to work on.
    AllOthers,
}

/// Measures; `None`, and a note: not on this host.
///
/// # Errors
/// When a round fails, or the kernel refuses a program.
pub(super) fn measured(
    ready: &Ready,
    bench: &Bench,
    rounds: u32,
    notes: &mut Vec<String>,
) -> anyhow::Result<Option<Hooks>> {
    let (plan, run) = (&ready.plan, Rounds { bench, rounds });
    let mut untraced = run.costs("nothing attached")?;
    let (all_empty, empty_runs) = run.all("all hooks, empty", Part::empty(plan, |_| true))?;
    let (all_real, real_runs) = run.all("all hooks", Part::real(plan, |_| true))?;
    let (Some(empty), Some(real)) = (empty_runs, real_runs) else {
        notes.push("no rows for hooks: the kernel does not count how often programs run".to_owned());
        return Ok(None);
    };
    let counted = Counted { empty: &empty, real: &real };
    let alone = run.each(plan, &counted)?;
    let of_pair = |hook: &Hook| PAIR.contains(&hook.meaning);
    let pair_empty = run.median("start and end, empty", Part::empty(plan, of_pair))?;
    let pair_real = run.median("start and end", Part::real(plan, of_pair))?;
    untraced.extend(run.costs("nothing attached")?);
    let Some(base) = Figures::of(untraced) else { return Ok(None) };
    let medians = Medians {
        nothing: base.median_ns,
        all: Both { empty: all_empty, real: all_real },
        pair: Both { empty: pair_empty, real: pair_real },
        alone,
    };
    Ok(Some(Hooks {
        untraced_ns: base.median_ns,
        untraced_spread: base.spread(),
        rows: medians.rows(&counted, |meaning| named(plan, meaning)),
        elsewhere: elsewhere(plan, &counted),
    }))
}

/// Hooks that are attached and were not passed, in words.
fn elsewhere(plan: &Plan, counted: &Counted<'_>) -> Vec<String> {
    let attached = |meaning: &Meaning| plan.of(*meaning).next().is_some() && !counted.is_passed(*meaning);
    Meaning::ALL.into_iter().filter(attached).map(|meaning| named(plan, meaning)).collect()
}

/// What a page cost with empty programs, and with real ones.
#[derive(Clone, Copy, Debug)]
struct Both {
    empty: f64,
    real: f64,
}

/// What a page cost with one meaning's hooks.
#[derive(Clone, Copy, Debug)]
struct Alone {
    meaning: Meaning,
    /// Empty, and nothing else attached.
    empty: f64,
    /// With all real ones but these; `None`: nothing works without them.
    without: Option<f64>,
}

/// What a page cost in each case, nanoseconds: medians.
#[derive(Debug)]
struct Medians {
    nothing: f64,
    all: Both,
    pair: Both,
    alone: Vec<Alone>,
}

impl Medians {
    /// A row for each meaning, after the fault's two the pair of them, and all at the end.
    fn rows(&self, counted: &Counted<'_>, name: impl Fn(Meaning) -> String) -> Vec<HookRow> {
        let over = |both: Both| (both.empty - self.nothing, Some((both.real - self.nothing, Against::Nothing)));
        let mut rows = Vec::new();
        for Alone { meaning, empty, without } in &self.alone {
            let real = without.map(|without| (self.all.real - without, Against::AllOthers));
            rows.push(counted.row(name(*meaning), &[*meaning], empty - self.nothing, real));
            if *meaning == Meaning::FaultEnd {
                let (empty, real) = over(self.pair);
                rows.push(counted.row("these two".to_owned(), &PAIR, empty, real));
            }
        }
        let (empty, real) = over(self.all);
        rows.push(counted.row("all hooks".to_owned(), &Meaning::ALL, empty, real));
        rows
    }
}

/// A meaning's hooks in words: what for, how, and on which functions.
fn named(plan: &Plan, meaning: Meaning) -> String {
    let how = |hook: &Hook| format!("{} {}", hook.backend.name(), hook.symbol);
    let hooks: Vec<String> = plan.of(meaning).map(how).collect();
    format!("{}: {}", meaning.name(), hooks.join(", "))
}

/// What each hook's program ran.
type RunsOf = Vec<(Meaning, PerPage)>;

/// What a program ran for each page.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct PerPage {
    runs: f64,
    ns: f64,
}

/// How rounds are run.
struct Rounds<'a> {
    bench: &'a Bench,
    rounds: u32,
}

impl Rounds<'_> {
    /// Costs per page with whatever is attached.
    fn costs(&self, name: &str) -> anyhow::Result<Vec<f64>> {
        // The first round pays for what later ones find in place.
        self.bench.round(Way::Direct)?;
        let progress = Progress { name, observed: false, rounds: self.rounds };
        progress.rounds(|| Ok(self.bench.round(Way::Direct)?))
    }

    /// Their median, with this attached.
    fn median(&self, name: &str, part: Result<Part, LoadError>) -> anyhow::Result<f64> {
        let part = part.map_err(at_attach)?;
        let costs = self.costs(name)?;
        drop(part);
        Ok(Figures::of(costs).map_or(0.0, |figures| figures.median_ns))
    }

    /// Each meaning that is passed.
    fn each(&self, plan: &Plan, counted: &Counted<'_>) -> anyhow::Result<Vec<Alone>> {
        let mut alone = Vec::new();
        for meaning in Meaning::ALL.into_iter().filter(|meaning| counted.is_passed(*meaning)) {
            let (name, of) = (meaning.name(), |hook: &Hook| hook.meaning == meaning);
            let empty = self.median(&format!("{name}, empty"), Part::empty(plan, of))?;
            let without = || self.median(&format!("all but {name}"), Part::real(plan, |hook| !of(hook)));
            let without = (!PAIR.contains(&meaning)).then(without).transpose()?;
            alone.push(Alone { meaning, empty, without });
        }
        Ok(alone)
    }

    /// The same as [`Self::median`], and what each program runs, counted in one more round: counting makes each run dearer.
    fn all(&self, name: &str, part: Result<Part, LoadError>) -> anyhow::Result<(f64, Option<RunsOf>)> {
        let mut part = part.map_err(at_attach)?;
        let costs = self.costs(name)?;
        part.count().map_err(at_attach)?;
        let mut readings = Vec::new();
        self.bench.round_marked(Way::Direct, || readings.push(part.runs()))?;
        let median = Figures::of(costs).map_or(0.0, |figures| figures.median_ns);
        let [Some(before), Some(after)] = readings.as_slice() else { return Ok((median, None)) };
        let pages = self.bench.pages() as f64;
        let runs = before
            .iter()
            .zip(after)
            .map(|((hook, before), (_, after))| (hook.meaning, PerPage::of(after.since(*before), pages)));
        Ok((median, Some(runs.collect())))
    }
}

impl PerPage {
    fn of(runs: Runs, pages: f64) -> Self {
        Self { runs: runs.runs as f64 / pages, ns: runs.run_ns as f64 / pages }
    }
}

/// What the programs of each meaning ran for a page.
struct Counted<'a> {
    empty: &'a [(Meaning, PerPage)],
    real: &'a [(Meaning, PerPage)],
}

impl Counted<'_> {
    fn sum(runs: &[(Meaning, PerPage)], meanings: &[Meaning]) -> PerPage {
        let of = runs.iter().filter(|(meaning, _)| meanings.contains(meaning));
        of.fold(PerPage::default(), |sum, (_, one)| PerPage { runs: sum.runs + one.runs, ns: sum.ns + one.ns })
    }

    /// Whether swap-ins pass it: most of them, at least.
    fn is_passed(&self, meaning: Meaning) -> bool {
        Self::sum(self.real, &[meaning]).runs > 0.5
    }

    fn row(&self, name: String, meanings: &[Meaning], empty_ns: f64, real: Option<(f64, Against)>) -> HookRow {
        let (empty, counted) = (Self::sum(self.empty, meanings), Self::sum(self.real, meanings));
        HookRow {
            name,
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

    fn ran(meaning: Meaning, runs: f64, ns: f64) -> (Meaning, PerPage) {
        (meaning, PerPage { runs, ns })
    }

    #[test]
    fn a_body_is_what_counting_says_beyond_an_empty_program() {
        let empty = [ran(Meaning::FaultStart, 1.0, 50.0), ran(Meaning::FaultEnd, 1.0, 50.0)];
        let real = [ran(Meaning::FaultStart, 1.0, 290.0), ran(Meaning::FaultEnd, 1.0, 310.0)];
        let counted = Counted { empty: &empty, real: &real };
        let row = counted.row("pair".to_owned(), &PAIR, 300.0, Some((800.0, Against::Nothing)));
        assert!((row.body_ns - 500.0).abs() < 1e-9 && (row.runs - 2.0).abs() < 1e-9, "{row:?}");
        assert_eq!((row.real_ns, row.real_against), (Some(800.0), Some(Against::Nothing)));
        let start = counted.row("start".to_owned(), &[Meaning::FaultStart], 110.0, None);
        assert!((start.body_ns - 240.0).abs() < 1e-9 && start.real_ns.is_none());
    }

    #[test]
    fn a_hook_that_a_few_swap_ins_pass_is_elsewhere() {
        let real = [ran(Meaning::PinTry, 1.0, 9.0), ran(Meaning::LockTry, 0.01, 9.0)];
        let counted = Counted { empty: &[], real: &real };
        assert!(counted.is_passed(Meaning::PinTry) && !counted.is_passed(Meaning::LockTry));
        assert!(!counted.is_passed(Meaning::Freed), "not attached");
    }

    #[test]
    fn hooks_are_set_over_nothing_and_over_all_but_them() {
        let alone = |meaning, empty, without| Alone { meaning, empty, without };
        let medians = Medians {
            nothing: 1_000.0,
            all: Both { empty: 1_060.0, real: 1_140.0 },
            pair: Both { empty: 1_033.0, real: 1_086.0 },
            alone: vec![
                alone(Meaning::FaultStart, 1_016.0, None),
                alone(Meaning::FaultEnd, 1_022.0, None),
                alone(Meaning::PinTry, 1_021.0, Some(1_110.0)),
            ],
        };
        let rows = medians.rows(&Counted { empty: &[], real: &[] }, |meaning| meaning.name().to_owned());
        let told: Vec<_> = rows.iter().map(|row| (row.name.as_str(), row.empty_ns, row.real_ns)).collect();
        assert_eq!(
            told,
            [
                ("fault start", 16.0, None),
                ("fault end", 22.0, None),
                ("these two", 33.0, Some(86.0)),
                ("pin try", 21.0, Some(30.0)),
                ("all hooks", 60.0, Some(140.0)),
            ]
        );
        assert_eq!(rows[3].real_against, Some(Against::AllOthers));
    }

    #[test]
    fn runs_are_told_for_each_page() {
        assert_eq!(PerPage::of(Runs { runs: 8, run_ns: 40 }, 4.0), PerPage { runs: 2.0, ns: 10.0 });
    }
}
