//! `observer bench`: the cost of a swap-in on this host, by path, with and without observing, and under contention.

mod hooks;
mod note;
mod observed;
mod pin;
mod rounds;
mod rows;
mod text;

use serde::Serialize;

use self::{
    hooks::HookCosts,
    note::Note,
    rounds::failed,
    rows::{Row, RowPlan},
};
use super::output;
use crate::cli::{self, BenchArgs, BenchPages, BenchRows, SwapinArgs};
use observer_kernel::plan::State;
use observer_observation::{HookUse, exit::Exit};
use observer_probe::setup;
use observer_workload::{
    bench::swapin::{Bench, Contents},
    signals,
};

const SCHEMA: &str = "observer-bench/1";

/// # Errors
/// [`Refusal`](observer_kernel::survey::Refusal) when this host does not allow observing; otherwise the error of the
/// workload, which may be a refusal too.
pub(crate) fn run(args: &BenchArgs) -> anyhow::Result<Exit> {
    match &args.bench {
        cli::Bench::Swapin(args) => swapin(args),
    }
}

#[derive(Debug, Serialize)]
struct Outcome {
    schema: &'static str,
    kernel: Kernel,
    pages: usize,
    /// Compressor of the zram device; `None`: it cannot be read.
    compressor: Option<String>,
    rows: Vec<Row>,
    /// Measured only on request.
    #[serde(skip_serializing_if = "Option::is_none")]
    hooks: Option<HookCosts>,
    notes: Vec<Note>,
}

#[derive(Debug, Serialize)]
struct Kernel {
    release: String,
    /// `None`: nothing was attached.
    state: Option<State>,
    hooks: Vec<HookUse>,
    /// `vm.page-cluster`: with the swap cache, the kernel reads up to 2 to the power of it pages ahead.
    page_cluster: Option<u32>,
    /// Length of a tick.
    tick_ns: Option<u64>,
}

fn swapin(args: &SwapinArgs) -> anyhow::Result<Exit> {
    let ready = if args.bare { None } else { Some(setup::prepare(&args.setup())?) };
    let mut notes = Vec::new();
    let plan = RowPlan::new(args, &mut notes).map_err(failed)?;
    signals::watch().map_err(failed)?;
    let bench = Bench::set_up(args.size, args.allow_other_swap, contents(args.pages)).map_err(failed)?;
    let mut measure = || {
        let rows = rows::measure(&plan, &bench, ready.as_ref(), &mut notes)?;
        let of_hooks = ready.as_ref().filter(|_| args.rows.contains(&BenchRows::Hooks));
        let hooks = of_hooks.map(|ready| hooks::measure(ready, &bench, args.rounds, &mut notes)).transpose()?;
        anyhow::Ok((rows, hooks.flatten()))
    };
    let measured = measure();
    let (pages, compressor) = (bench.pages(), bench.compressor());
    // Removes the device also after an error, which takes precedence over one of the removal.
    let removed = bench.tear_down().map_err(failed);
    let (rows, hooks) = measured?;
    removed?;
    let kernel = Kernel {
        release: rustix::system::uname().release().to_string_lossy().into_owned(),
        state: ready.as_ref().map(|ready| ready.plan.state),
        hooks: ready.iter().flat_map(|ready| &ready.plan.hooks).map(HookUse::from).collect(),
        page_cluster: page_cluster(),
        tick_ns: ready.as_ref().and_then(|ready| ready.host.tick_ns),
    };
    let outcome = Outcome { schema: SCHEMA, kernel, pages, compressor, rows, hooks, notes };
    if args.json {
        output::print_json(&outcome)?;
    } else {
        output::print(text::text(&outcome))?;
    }
    Ok(Exit::Clean)
}

const fn contents(pages: BenchPages) -> Contents {
    match pages {
        BenchPages::Slow => Contents::Slow,
        BenchPages::Fast => Contents::Fast,
        BenchPages::Program => Contents::Program,
    }
}

fn page_cluster() -> Option<u32> {
    std::fs::read_to_string("/proc/sys/vm/page-cluster").ok()?.trim().parse().ok()
}
