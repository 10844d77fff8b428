//! Options of `stress` and `bench`.

use std::time::Duration;

use clap::{Args, Subcommand};

use super::{
    HookArgs,
    values::{bench_size, run_time, widening},
};
use observer_kernel::survey::SetupOptions;
use observer_workload::bench::contention::MAX_THREADS;

#[derive(Debug, Args)]
pub(crate) struct StressArgs {
    /// Which workload to run
    #[arg(value_enum)]
    pub(crate) workload: Workload,
    /// Number of rounds; of storm: passes [default: targeted 200; storm: as many as --duration allows]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) rounds: Option<u32>,
    /// Storm: stop after this time [default: 60s, unless --rounds is given]
    #[arg(long, value_name = "DURATION", value_parser = run_time)]
    pub(crate) duration: Option<Duration>,
    /// Delay injection: hold the victim (targeted) or the walkers (storm) for this time after their read; 0s: no delay
    /// [default: targeted 20ms; storm 5ms]
    #[arg(long, value_name = "DURATION", value_parser = widening)]
    pub(crate) widen: Option<Duration>,
    /// Delay only one in N of these reads, chosen at random [default: targeted 1; storm 16]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) widen_one_in: Option<u32>,
    /// Storm: number of threads that increment the pages [default: 4]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=64))]
    pub(crate) threads: Option<u32>,
    /// Storm: number of pages [default: 8]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    pub(crate) pages: Option<u32>,
    /// Storm: number of free swap slots; with fewer, entries are reallocated sooner [default: 4]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=79))]
    pub(crate) free_slots: Option<u32>,
    #[command(flatten)]
    hooks: HookArgs,
    /// Run although other swap is in use
    #[arg(long)]
    pub(crate) allow_other_swap: bool,
    /// Show the run in the dashboard, if standard output is a terminal
    #[arg(long, conflicts_with = "json")]
    pub(crate) dashboard: bool,
    /// Print one JSON object on standard output, and nothing else
    #[arg(long)]
    pub(crate) json: bool,
}

impl StressArgs {
    /// An option that the workload does not have.
    pub(super) fn foreign_option(&self) -> Option<&'static str> {
        let of_storm = [
            (self.duration.is_some(), "--duration"),
            (self.threads.is_some(), "--threads"),
            (self.pages.is_some(), "--pages"),
            (self.free_slots.is_some(), "--free-slots"),
        ];
        let given = of_storm.into_iter().find(|(is_given, _)| *is_given).map(|(_, name)| name);
        given.filter(|_| self.workload == Workload::Targeted)
    }

    pub(crate) fn setup(&self) -> SetupOptions {
        self.hooks.setup()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Workload {
    /// one page, one delayed thread, one free slot: the ABA, round by round
    Targeted,
    /// many threads increment few pages while another thread pages them out
    Storm,
}

#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    #[command(subcommand)]
    pub(crate) bench: Bench,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Bench {
    /// Cost per page swapped in from zram: directly, through the swap cache, and contended; each with and without
    /// observing; and the share of the pin
    Swapin(SwapinArgs),
}

#[derive(Debug, Args)]
pub(crate) struct SwapinArgs {
    /// Amount of memory to swap in, e.g. 16M, 1G
    #[arg(long, value_name = "SIZE", default_value = "16M", value_parser = bench_size)]
    pub(crate) size: u64,
    /// Rounds per row
    #[arg(long, value_name = "N", default_value = "5", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) rounds: u32,
    /// Which rows to measure
    #[arg(long, value_name = "ROWS", value_enum, value_delimiter = ',', default_values_t = BenchRows::DEFAULT)]
    pub(crate) rows: Vec<BenchRows>,
    /// Number of threads of the contended rows [default: the number of CPUs, from 2 to 8]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=i64::from(MAX_THREADS)))]
    pub(crate) threads: Option<u32>,
    #[command(flatten)]
    hooks: HookArgs,
    /// Content of the pages
    #[arg(long, value_name = "KIND", value_enum, default_value_t)]
    pub(crate) pages: BenchPages,
    /// Measure with nothing attached; this needs no permission to observe
    #[arg(long)]
    pub(crate) bare: bool,
    /// Run although other swap is in use
    #[arg(long)]
    pub(crate) allow_other_swap: bool,
    /// Print one JSON object on standard output, and nothing else
    #[arg(long)]
    pub(crate) json: bool,
}

impl SwapinArgs {
    pub(crate) fn setup(&self) -> SetupOptions {
        self.hooks.setup()
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum BenchPages {
    /// words that all differ, compressed by the kernel's default: slow to decompress
    #[default]
    Slow,
    /// three of four words are 0, compressed by lz4 if the kernel has it: fast to decompress, so overhead is most
    /// visible
    Fast,
    /// pages of the observer's own file, compressed by lz4 if the kernel has it: code and tables, as in real processes
    Program,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum BenchRows {
    /// past the swap cache, on kernels that skip it
    Direct,
    /// through the swap cache: each entry has a second reference
    Cached,
    /// threads that touch 0%, 1%, 10% and 50% of the pages at once
    Contended,
    /// taking and dropping the pin, as a share of a direct swap-in
    Pin,
    /// each hook that a direct swap-in passes: with an empty program, and with its own
    Hooks,
}

impl BenchRows {
    /// In the order in which they are printed.
    pub(crate) const DEFAULT: [Self; 4] = [Self::Direct, Self::Cached, Self::Contended, Self::Pin];
}
