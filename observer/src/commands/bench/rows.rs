//! The rows: which are measured, in which order, and what is set against what.

use serde::Serialize;

use super::{
    observed::{Eye, Seen},
    pin::{self, Pinned},
};
use crate::cli::{BenchRows, SwapinArgs};
use observer_engine::totals::{DurationSummary, Durations};
use observer_kernel::survey::Ready;
use observer_probe::{Options, Probes, setup::at_attach};
use observer_workload::{
    bench::{
        crowd::{self, Crowd},
        figures::Figures,
        swapin::{Bench, Way},
    },
    stress::{StressError, signals},
};

/// Shares of pages that all threads race for, percent.
const CONTENDED: [u32; 4] = [0, 1, 10, 50];
/// Threads that race unless told, at most.
const THREADS: usize = 8;

/// One row: a way of swapping in.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub(super) name: String,
    /// Nanoseconds per page; of a crowd: what all threads together spent touching pages.
    #[serde(flatten)]
    pub(super) figures: Figures,
    /// Median over that of the row named in `ratio_to`.
    pub(super) ratio: f64,
    pub(super) ratio_to: String,
    /// Spread of the rounds, as a share of the median.
    pub(super) spread: f64,
    /// Of a crowd.
    pub(super) crowd: Option<Raced>,
    /// Of the row of the pin.
    pub(super) pin: Option<Pinned>,
    /// What was seen, if it was observed.
    pub(super) seen: Option<Seen>,
}

/// What a crowd did, in all rounds.
#[derive(Debug, Serialize)]
pub(super) struct Raced {
    pub(super) threads: usize,
    pub(super) percent: u32,
    /// Pages swapped in per second; median of the rounds.
    pub(super) pages_per_second: f64,
    /// Every touch of a page.
    pub(super) touch: DurationSummary,
    /// Pages that were read by more than one thread.
    pub(super) read_twice: u64,
}

/// What is to be measured.
#[derive(Debug)]
pub(super) struct Asked {
    rounds: u32,
    ways: Vec<Way>,
    crowds: Vec<Crowd>,
    pin: bool,
}

impl Asked {
    /// From the options and this host. What cannot be measured here is left out, and `notes` say why.
    ///
    /// # Errors
    /// When the kernel does not tell how many CPUs there are.
    pub(super) fn new(args: &SwapinArgs, notes: &mut Vec<String>) -> Result<Self, StressError> {
        let wanted = |rows| args.rows.contains(&rows);
        let pin = wanted(BenchRows::Pin) && !args.bare;
        let ways = [(BenchRows::Direct, Way::Direct), (BenchRows::Cached, Way::Cached)];
        let ways = ways
            .into_iter()
            .filter(|(rows, way)| wanted(*rows) || pin && *way == Way::Direct)
            .map(|(_, way)| way)
            .collect();
        let cpus = crowd::cpu_count()?;
        let crowds = if wanted(BenchRows::Contended) { crowds(args.threads, cpus, notes) } else { Vec::new() };
        Ok(Self { rounds: args.rounds, ways, crowds, pin })
    }
}

/// The crowds for so many CPUs.
fn crowds(threads: Option<u32>, cpus: usize, notes: &mut Vec<String>) -> Vec<Crowd> {
    if cpus < 2 {
        notes.push("no contended rows: with one CPU no two threads are in the kernel at once; give it two".to_owned());
        return Vec::new();
    }
    let threads = threads.map_or_else(|| cpus.clamp(2, THREADS), |threads| threads as usize);
    CONTENDED.map(|percent| Crowd { threads, percent }).to_vec()
}

/// Costs per page of the rounds of one way, and what was seen of it.
#[derive(Default)]
struct Measured {
    costs: Vec<f64>,
    seen: Option<Seen>,
}

/// A crowd's rounds.
struct Crowded {
    costs: Vec<f64>,
    rates: Vec<f64>,
    touches: Durations,
    read_twice: u64,
    seen: Option<Seen>,
}

/// As it is, while observed, and as it is once more: the machine may have become faster or slower meanwhile.
pub(super) fn all(
    asked: &Asked,
    bench: &Bench,
    ready: Option<&Ready>,
    notes: &mut Vec<String>,
) -> anyhow::Result<Vec<Row>> {
    let mut ways = asked.ways_measured(bench, None)?;
    let crowds = asked.crowds_measured(bench, None)?;
    let (mut ways_observed, mut crowds_observed, mut pinned) = (Vec::new(), Vec::new(), None);
    if let Some(ready) = ready {
        let mut probes = Probes::attach(&ready.plan, &Options::default()).map_err(at_attach)?;
        ways_observed = asked.ways_measured(bench, Some(&mut probes))?;
        crowds_observed = asked.crowds_measured(bench, Some(&mut probes))?;
        probes.detach()?;
        if asked.pin {
            pinned = pin::measured(ready, bench, asked.rounds, notes)?;
        }
        for (measured, again) in ways.iter_mut().zip(asked.ways_measured(bench, None)?) {
            measured.costs.extend(again.costs);
        }
    }
    let mut rows = Rows::default();
    rows.ways(&asked.ways, ways, ways_observed);
    if let Some((costs, pinned)) = pinned {
        rows.add("pin".to_owned(), Measured { costs, seen: None }, About::Pin(pinned), 0);
    }
    rows.crowds(&asked.crowds, crowds, crowds_observed);
    Ok(rows.0)
}

impl Asked {
    fn ways_measured(&self, bench: &Bench, mut probes: Option<&mut Probes>) -> anyhow::Result<Vec<Measured>> {
        let mut all = Vec::new();
        for way in &self.ways {
            // The first round pays for what later ones find in place.
            bench.round(*way)?;
            let eye = probes.as_deref_mut().map(Eye::open).transpose()?;
            let progress = Progress { name: way_name(*way), observed: eye.is_some(), rounds: self.rounds };
            let costs = progress.rounds(|| Ok(bench.round(*way)?))?;
            all.push(Measured { costs, seen: eye.map(Eye::close).transpose()? });
        }
        Ok(all)
    }

    fn crowds_measured(&self, bench: &Bench, mut probes: Option<&mut Probes>) -> anyhow::Result<Vec<Crowded>> {
        let mut all = Vec::new();
        for crowd in &self.crowds {
            bench.race(*crowd, || ())?;
            let mut eye = probes.as_deref_mut().map(Eye::open).transpose()?;
            let name = crowd_name(*crowd);
            let progress = Progress { name: &name, observed: eye.is_some(), rounds: self.rounds };
            let (mut rates, mut touches, mut read_twice) = (Vec::new(), Durations::default(), 0);
            let pages = bench.pages() as f64;
            let costs = progress.rounds(|| {
                let (race, twice) = bench.race(*crowd, || eye.iter_mut().for_each(Eye::look))?;
                read_twice += twice;
                touches.append(&race.touches);
                rates.push(pages * 1e9 / race.took_ns.max(1) as f64);
                Ok(race.touching_ns as f64 / pages)
            })?;
            all.push(Crowded { costs, rates, touches, read_twice, seen: eye.map(Eye::close).transpose()? });
        }
        Ok(all)
    }
}

/// Says on standard error how far it has come.
pub(super) struct Progress<'a> {
    pub(super) name: &'a str,
    pub(super) observed: bool,
    pub(super) rounds: u32,
}

impl Progress<'_> {
    pub(super) fn rounds(&self, mut round: impl FnMut() -> anyhow::Result<f64>) -> anyhow::Result<Vec<f64>> {
        let name = named(self.name, self.observed);
        let mut costs = Vec::new();
        for number in 1..=self.rounds {
            signals::check()?;
            eprint!("\r{name}: round {number} of {} ", self.rounds);
            costs.push(round()?);
        }
        eprintln!();
        Ok(costs)
    }
}

fn named(name: &str, observed: bool) -> String {
    if observed { format!("{name}, observed") } else { name.to_owned() }
}

const fn way_name(way: Way) -> &'static str {
    match way {
        Way::Direct => "direct",
        Way::Cached => "cached",
    }
}

fn crowd_name(crowd: Crowd) -> String {
    format!("contended {}%", crowd.percent)
}

/// What a row is about.
enum About {
    Way,
    Crowd(Raced),
    Pin(Pinned),
}

/// The rows so far.
#[derive(Default)]
struct Rows(Vec<Row>);

impl Rows {
    /// Each way, and behind it the same observed; all against the first.
    fn ways(&mut self, ways: &[Way], plain: Vec<Measured>, observed: Vec<Measured>) {
        let mut observed = observed.into_iter();
        for (way, plain) in ways.iter().zip(plain) {
            self.add(way_name(*way).to_owned(), plain, About::Way, 0);
            if let Some(observed) = observed.next() {
                self.add(named(way_name(*way), true), observed, About::Way, 0);
            }
        }
    }

    /// Each crowd likewise; all against the one that shares no page.
    fn crowds(&mut self, crowds: &[Crowd], plain: Vec<Crowded>, observed: Vec<Crowded>) {
        let base = self.0.len();
        let mut observed = observed.into_iter();
        for (crowd, plain) in crowds.iter().zip(plain) {
            for (crowded, is_observed) in [(Some(plain), false), (observed.next(), true)] {
                let Some(crowded) = crowded else { continue };
                let raced = Raced {
                    threads: crowd.threads,
                    percent: crowd.percent,
                    pages_per_second: Figures::of(crowded.rates).map_or(0.0, |figures| figures.median_ns),
                    touch: crowded.touches.summary(),
                    read_twice: crowded.read_twice,
                };
                let measured = Measured { costs: crowded.costs, seen: crowded.seen };
                self.add(named(&crowd_name(*crowd), is_observed), measured, About::Crowd(raced), base);
            }
        }
    }

    /// A row, set against the one at `base`, which may be itself.
    fn add(&mut self, name: String, measured: Measured, about: About, base: usize) {
        let Some(figures) = Figures::of(measured.costs) else { return };
        let (base, ratio_to) =
            self.0.get(base).map_or((figures.median_ns, name.clone()), |row| (row.figures.median_ns, row.name.clone()));
        let (ratio, spread) = (figures.median_ns / base, figures.spread());
        let (crowd, pin) = match about {
            About::Way => (None, None),
            About::Crowd(raced) => (Some(raced), None),
            About::Pin(pinned) => (None, Some(pinned)),
        };
        self.0.push(Row { name, figures, ratio, ratio_to, spread, crowd, pin, seen: measured.seen });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(cost: f64) -> Measured {
        Measured { costs: vec![cost], seen: None }
    }

    fn crowded(cost: f64) -> Crowded {
        Crowded { costs: vec![cost], rates: vec![1.0], touches: Durations::default(), read_twice: 0, seen: None }
    }

    #[test]
    fn ways_are_set_against_the_first_and_crowds_against_the_one_that_shares_nothing() {
        let mut rows = Rows::default();
        rows.ways(&[Way::Direct, Way::Cached], vec![measured(4.0), measured(6.0)], vec![measured(5.0), measured(7.0)]);
        let crowds = [Crowd { threads: 2, percent: 0 }, Crowd { threads: 2, percent: 50 }];
        rows.crowds(&crowds, vec![crowded(10.0), crowded(30.0)], vec![]);
        let told: Vec<_> = rows.0.iter().map(|row| (row.name.as_str(), row.ratio, row.ratio_to.as_str())).collect();
        assert_eq!(
            told,
            [
                ("direct", 1.0, "direct"),
                ("direct, observed", 1.25, "direct"),
                ("cached", 1.5, "direct"),
                ("cached, observed", 1.75, "direct"),
                ("contended 0%", 1.0, "contended 0%"),
                ("contended 50%", 3.0, "contended 0%"),
            ]
        );
    }

    #[test]
    fn one_cpu_has_no_contention_and_says_so() {
        let mut notes = Vec::new();
        assert!(crowds(Some(4), 1, &mut notes).is_empty() && notes.len() == 1);
        assert_eq!(crowds(None, 64, &mut notes)[0].threads, THREADS);
        assert_eq!(crowds(Some(3), 2, &mut notes)[0].threads, 3);
    }
}
