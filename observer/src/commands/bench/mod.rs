//! `observer bench`: what a swap-in costs here, by path, with and without observing, and under contention.

mod hooks;
mod observed;
mod pin;
mod print;
mod rows;

use std::{collections::BTreeMap, io::Write as _};

use serde::Serialize;

use self::{
    hooks::Hooks,
    rows::{Asked, Row},
};
use super::printed;
use crate::cli::{self, BenchArgs, BenchPages, BenchRows, SwapinArgs};
use observer_kernel::survey::Refusal;
use observer_kernel::survey::SetupOptions;
use observer_observation::exit::Exit;
use observer_probe::setup;
use observer_report::{formats::json, summary::SCHEMA};
use observer_workload::{
    bench::swapin::{Bench, Contents},
    stress::{StressError, signals},
};

/// Runs a benchmark.
///
/// # Errors
/// [`Refusal`] when this host does not allow it; else I/O errors.
pub(crate) fn run(args: &BenchArgs) -> anyhow::Result<Exit> {
    match &args.bench {
        cli::Bench::Swapin(args) => swapin(args),
    }
}

/// What the benchmark gives.
#[derive(Debug, Serialize)]
struct Outcome {
    schema: &'static str,
    kernel: Kernel,
    pages: usize,
    /// What zram compresses with; missing where it does not tell.
    compressor: Option<String>,
    rows: Vec<Row>,
    /// What each hook costs, if that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    hooks: Option<Hooks>,
    /// What is to be known about the rows, in words.
    notes: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Kernel {
    release: String,
    state: Option<&'static str>,
    backend: BTreeMap<&'static str, String>,
    /// `vm.page-cluster`: the kernel reads ahead up to two to the power of it where it goes through the swap cache.
    page_cluster: Option<u32>,
    /// Length of a tick, nanoseconds.
    tick_ns: Option<u64>,
}

fn swapin(args: &SwapinArgs) -> anyhow::Result<Exit> {
    let ready = if args.bare {
        None
    } else {
        Some(setup::prepare(&SetupOptions { backends: args.backend.into(), set: args.hooks.into(), btf: None })?)
    };
    let mut notes = Vec::new();
    let asked = Asked::new(args, &mut notes)?;
    signals::watch()?;
    let bench = Bench::set_up(args.size, args.allow_other_swap, contents(args.pages)).map_err(refused)?;
    let mut measured = || {
        let rows = rows::all(&asked, &bench, ready.as_ref(), &mut notes)?;
        let of_hooks = ready.as_ref().filter(|_| args.rows.contains(&BenchRows::Hooks));
        let hooks = of_hooks.map(|ready| hooks::measured(ready, &bench, args.rounds, &mut notes)).transpose()?;
        anyhow::Ok((rows, hooks.flatten()))
    };
    let measured = measured();
    let (pages, compressor) = (bench.pages(), bench.compressor());
    // The device goes first, whatever came out.
    let gone = bench.tear_down();
    let (rows, hooks) = measured?;
    gone?;
    let kernel = Kernel {
        release: rustix::system::uname().release().to_string_lossy().into_owned(),
        state: ready.as_ref().map(|ready| ready.plan.state.words()),
        backend: ready.as_ref().map(|ready| ready.plan.backends()).unwrap_or_default(),
        page_cluster: page_cluster(),
        tick_ns: ready.as_ref().and_then(|ready| ready.host.tick_ns),
    };
    let outcome = Outcome { schema: SCHEMA, kernel, pages, compressor, rows, hooks, notes };
    let result = if args.json {
        json::print(&outcome)
    } else {
        std::io::stdout().lock().write_all(print::text(&outcome).as_bytes())
    };
    printed(result, Exit::Clean)
}

const fn contents(pages: BenchPages) -> Contents {
    match pages {
        BenchPages::Dear => Contents::Dear,
        BenchPages::Cheap => Contents::Cheap,
        BenchPages::Program => Contents::Program,
    }
}

fn page_cluster() -> Option<u32> {
    std::fs::read_to_string("/proc/sys/vm/page-cluster").ok()?.trim().parse().ok()
}

/// A host on which the device cannot be set up is refused like any other.
fn refused(error: StressError) -> anyhow::Error {
    if !error.is_refusal() {
        return error.into();
    }
    let text = error.to_string();
    let (why, remedy) = text.split_once("; ").unwrap_or((&text, "see the message above"));
    let what = "cannot run the benchmark on this host as it is; nothing was changed".to_owned();
    Refusal { what, why: vec![why.to_owned()], remedy: remedy.to_owned() }.into()
}
