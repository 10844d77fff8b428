//! What each hook costs that a direct swap-in nobody races for passes: an empty program there, and its own.

use serde::Serialize;

use super::rows::Progress;
use crate::{
    bench::{
        figures::Figures,
        swapin::{Bench, Way},
    },
    kernel::plan::{Hook, Meaning, Plan},
    probe::{LoadError, Part, Runs},
    setup::{Ready, at_attach},
};

/// The two hooks of a flight. Neither's own program does its work without the other: a begin whose flight was never ended
/// finds the old one in its seat, an end without a begin finds nothing.
const PAIR: [Meaning; 2] = [Meaning::FlightBegin, Meaning::FlightEnd];

/// What was measured.
#[derive(Debug, Serialize)]
pub(super) struct Hooks {
    /// A page swapped in with nothing attached, nanoseconds: median of rounds before and after the others.
    pub(super) untraced_ns: f64,
    /// Spread of those rounds, as a share of the median.
    pub(super) untraced_spread: f64,
    /// A row for each hook that was passed, the pair of the flight, and all.
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
    /// All hooks but this one attached: only then has it a flight to work on.
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
    let (Some(empty_runs), Some(real_runs)) = (empty_runs, real_runs) else {
        notes.push("no rows for hooks: the kernel does not count how often programs run".to_owned());
        return Ok(None);
    };
    let counted = Counted { empty: &empty_runs, real: &real_runs };
    let mut alone = Vec::new();
    for meaning in Meaning::ALL.into_iter().filter(|meaning| counted.is_passed(*meaning)) {
        let of = |hook: &Hook| hook.meaning == meaning;
        let empty = run.median(&format!("{}, empty", meaning.name()), Part::empty(plan, of))?;
        let without = if PAIR.contains(&meaning) {
            None
        } else {
            Some(run.median(&format!("all but {}", meaning.name()), Part::real(plan, |hook| !of(hook)))?)
        };
        alone.push((meaning, empty, without));
    }
    let of_pair = |hook: &Hook| PAIR.contains(&hook.meaning);
    let pair_empty = run.median("begin and end, empty", Part::empty(plan, of_pair))?;
    let pair_real = run.median("begin and end", Part::real(plan, of_pair))?;
    untraced.extend(run.costs("nothing attached")?);
    let Some(base) = Figures::of(untraced) else { return Ok(None) };
    let nothing = base.median_ns;
    let mut rows = Vec::new();
    for (meaning, empty, without) in alone {
        rows.push(counted.row(
            named(plan, meaning),
            &[meaning],
            empty - nothing,
            without.map(|without| (all_real - without, Against::AllOthers)),
        ));
        if meaning == Meaning::FlightEnd {
            let real = (pair_real - nothing, Against::Nothing);
            rows.push(counted.row("these two".to_owned(), &PAIR, pair_empty - nothing, Some(real)));
        }
    }
    let real = (all_real - nothing, Against::Nothing);
    rows.push(counted.row("all hooks".to_owned(), &Meaning::ALL, all_empty - nothing, Some(real)));
    let elsewhere = plan.hooks.iter().map(|hook| hook.meaning).filter(|meaning| !counted.is_passed(*meaning));
    let mut elsewhere: Vec<String> = elsewhere.map(|meaning| named(plan, meaning)).collect();
    elsewhere.dedup();
    Ok(Some(Hooks { untraced_ns: nothing, untraced_spread: base.spread(), rows, elsewhere }))
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

    /// The same, and what each program runs, counted in one more round: counting makes each run dearer.
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
        let empty = [ran(Meaning::FlightBegin, 1.0, 50.0), ran(Meaning::FlightEnd, 1.0, 50.0)];
        let real = [ran(Meaning::FlightBegin, 1.0, 290.0), ran(Meaning::FlightEnd, 1.0, 310.0)];
        let counted = Counted { empty: &empty, real: &real };
        let row = counted.row("pair".to_owned(), &PAIR, 300.0, Some((800.0, Against::Nothing)));
        assert!((row.body_ns - 500.0).abs() < 1e-9 && (row.runs - 2.0).abs() < 1e-9, "{row:?}");
        assert_eq!((row.real_ns, row.real_against), (Some(800.0), Some(Against::Nothing)));
        let begin = counted.row("begin".to_owned(), &[Meaning::FlightBegin], 110.0, None);
        assert!((begin.body_ns - 240.0).abs() < 1e-9 && begin.real_ns.is_none());
    }

    #[test]
    fn a_hook_that_a_few_swap_ins_pass_is_elsewhere() {
        let real = [ran(Meaning::PinTry, 1.0, 9.0), ran(Meaning::LockTry, 0.01, 9.0)];
        let counted = Counted { empty: &[], real: &real };
        assert!(counted.is_passed(Meaning::PinTry) && !counted.is_passed(Meaning::LockTry));
        assert!(!counted.is_passed(Meaning::Freed), "not attached");
    }

    #[test]
    fn runs_are_told_for_each_page() {
        assert_eq!(PerPage::of(Runs { runs: 8, run_ns: 40 }, 4.0), PerPage { runs: 2.0, ns: 10.0 });
    }
}
