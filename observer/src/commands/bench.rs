//! `observer bench`: what a swap-in costs here, and what observing adds.

use std::{collections::BTreeMap, fmt::Write as _, io::Write as _};

use serde::Serialize;

use super::printed;
use crate::{
    bench::{figures::Figures, swapin::Bench},
    cli::{self, BenchArgs, SwapinArgs},
    exit::Exit,
    export::{json, summary::SCHEMA},
    probe::{Options, Probes},
    setup::{self, Ready, Wishes, at_attach},
    stress::{StressError, signals},
};

/// Runs a benchmark.
///
/// # Errors
/// [`setup::Refusal`] when this host does not allow it; else I/O errors.
pub fn run(args: &BenchArgs) -> anyhow::Result<Exit> {
    match &args.bench {
        cli::Bench::Swapin(args) => swapin(args),
    }
}

/// One row: a way of swapping in.
#[derive(Debug, Serialize)]
struct Row {
    name: &'static str,
    #[serde(flatten)]
    figures: Figures,
    /// Median over that of the first row.
    ratio: f64,
    /// Spread of the rounds, as a share of the median.
    spread: f64,
}

/// What the benchmark gives.
#[derive(Debug, Serialize)]
struct Outcome {
    schema: &'static str,
    kernel: Kernel,
    pages: usize,
    rows: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Kernel {
    release: String,
    state: Option<&'static str>,
    backend: BTreeMap<&'static str, String>,
}

fn swapin(args: &SwapinArgs) -> anyhow::Result<Exit> {
    let ready = if args.bare { None } else { Some(setup::prepare(&Wishes { backends: args.backend, btf: None })?) };
    signals::watch()?;
    let bench = Bench::set_up(args.size, args.allow_other_swap).map_err(refused)?;
    let measured = rows(args, &bench, ready.as_ref());
    let pages = bench.pages();
    // The device goes first, whatever came out.
    let gone = bench.tear_down();
    let rows = measured?;
    gone?;
    let kernel = Kernel {
        release: rustix::system::uname().release().to_string_lossy().into_owned(),
        state: ready.as_ref().map(|ready| ready.plan.state.words()),
        backend: ready.as_ref().map(|ready| ready.plan.backends()).unwrap_or_default(),
    };
    let outcome = Outcome { schema: SCHEMA, kernel, pages, rows };
    let result =
        if args.json { json::print(&outcome) } else { std::io::stdout().lock().write_all(text(&outcome).as_bytes()) };
    printed(result, Exit::Clean)
}

/// A host on which the device cannot be set up is refused like any other.
fn refused(error: StressError) -> anyhow::Error {
    if !error.is_refusal() {
        return error.into();
    }
    let text = error.to_string();
    let (why, remedy) = text.split_once("; ").unwrap_or((&text, "see the message above"));
    let what = "cannot run the benchmark on this host as it is; nothing was changed".to_owned();
    setup::Refusal { what, why: vec![why.to_owned()], remedy: remedy.to_owned() }.into()
}

/// As it is, while observed, and as it is once more: the machine may have become faster or slower meanwhile.
fn rows(args: &SwapinArgs, bench: &Bench, ready: Option<&Ready>) -> anyhow::Result<Vec<Row>> {
    // The first round pays for what later ones find in place.
    bench.round()?;
    let mut direct = rounds("direct", args.rounds, bench)?;
    let mut observed = Vec::new();
    if let Some(ready) = ready {
        let mut probes = Probes::attach(&ready.plan, &Options::default()).map_err(at_attach)?;
        bench.round()?;
        observed = rounds("direct, observed", args.rounds, bench)?;
        probes.detach()?;
        direct.extend(rounds("direct", args.rounds, bench)?);
    }
    let direct = Figures::of(direct);
    let base = direct.map_or(f64::NAN, |figures| figures.median_ns);
    let named = [("direct", direct), ("direct, observed", Figures::of(observed))];
    let row = |(name, figures): (_, Option<Figures>)| {
        figures.map(|figures| Row { name, figures, ratio: figures.median_ns / base, spread: figures.spread() })
    };
    Ok(named.into_iter().filter_map(row).collect())
}

fn rounds(name: &str, rounds: u32, bench: &Bench) -> anyhow::Result<Vec<f64>> {
    let mut costs = Vec::new();
    for round in 1..=rounds {
        signals::check()?;
        eprint!("\r{name}: round {round} of {rounds} ");
        costs.push(bench.round()?);
    }
    eprintln!();
    Ok(costs)
}

fn text(outcome: &Outcome) -> String {
    let mut text = format!("{}, {} pages a round\n", outcome.kernel.release, outcome.pages);
    // Writing into a String cannot fail.
    let _ = writeln!(text, "{:<18} {:>12} {:>8} {:>8} {:>7}", "", "ns per page", "spread", "ratio", "rounds");
    for row in &outcome.rows {
        let (figures, spread) = (&row.figures, 100.0 * row.spread);
        let _ = writeln!(
            text,
            "{:<18} {:>12.1} {spread:>7.2}% {:>8.4} {:>7}",
            row.name, figures.median_ns, row.ratio, figures.rounds
        );
    }
    text
}
