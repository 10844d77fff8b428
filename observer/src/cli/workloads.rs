//! Options of the commands that bring a workload of their own.

use std::time::Duration;

use clap::{Args, Subcommand};

use super::values::{BackendChoice, HookChoice};
use super::values::{bench_size, widening};

/// Options of `stress`.
#[derive(Debug, Args)]
pub(crate) struct StressArgs {
    /// Which workload
    #[arg(value_enum)]
    pub(crate) workload: Workload,
    /// Rounds to play; of a storm: passes [default: targeted 200; storm: as many as --duration gives time for]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) rounds: Option<u32>,
    /// Storm only: stop after this time [default: 60s, unless --rounds is given]
    #[arg(long, value_name = "D", value_parser = humantime::parse_duration)]
    pub(crate) duration: Option<Duration>,
    /// Delay the victim (targeted), or the walkers (storm), by this time right after their read; 0s: not at all
    /// [default: targeted 20ms; storm 5ms]
    #[arg(long, value_name = "D", value_parser = widening)]
    pub(crate) widen: Option<Duration>,
    /// Of the reads that qualify delay only one in N, at random [default: targeted 1; storm 16]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) widen_one_in: Option<u32>,
    /// Storm only: threads that walk over the pages
    #[arg(long, value_name = "N", default_value = "4", value_parser = clap::value_parser!(u32).range(2..=64))]
    pub(crate) threads: u32,
    /// Storm only: pages that they walk over
    #[arg(long, value_name = "N", default_value = "8", value_parser = clap::value_parser!(u32).range(1..=64))]
    pub(crate) pages: u32,
    /// Storm only: swap slots left free; the fewer, the sooner an entry comes back
    #[arg(long, value_name = "N", default_value = "4", value_parser = clap::value_parser!(u32).range(1..=79))]
    pub(crate) free_slots: u32,
    /// Which way programs are attached: the best that the kernel takes for each, or one way only
    #[arg(long, value_name = "B", value_enum, default_value_t)]
    pub(crate) backend: BackendChoice,
    /// Which hooks: all that tell something, or only those that the verdicts need, which is cheaper
    #[arg(long, value_name = "SET", value_enum, default_value_t)]
    pub(crate) hooks: HookChoice,
    /// Run although other swap is in use
    #[arg(long)]
    pub(crate) allow_other_swap: bool,
    /// Show it in the dashboard, if standard output is a terminal
    #[arg(long, conflicts_with = "json")]
    pub(crate) dashboard: bool,
    /// Print one JSON object on standard output, and nothing else there
    #[arg(long)]
    pub(crate) json: bool,
}

/// The workloads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Workload {
    /// One page, one victim, one slot: the ABA round by round
    Targeted,
    /// A crowd on few pages with few free slots: many threads add one to each page, another keeps paging out
    Storm,
}

/// Options of `bench`.
#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// Which benchmark
    #[command(subcommand)]
    pub(crate) bench: Bench,
}

/// The benchmarks.
#[derive(Debug, Subcommand)]
pub(crate) enum Bench {
    /// Cost per page swapped in from zram: past the swap cache, through it, by threads that race for the same pages; each
    /// as it is and while observed; and the pin's part of it
    Swapin(SwapinArgs),
}

/// Options of `bench swapin`.
#[derive(Debug, Args)]
pub(crate) struct SwapinArgs {
    /// How much to swap in, e.g. 16M, 1G
    #[arg(long, value_name = "S", default_value = "16M", value_parser = bench_size)]
    pub(crate) size: u64,
    /// Rounds of each row
    #[arg(long, value_name = "N", default_value = "5", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) rounds: u32,
    /// Which rows
    #[arg(long, value_name = "ROWS", value_enum, value_delimiter = ',', default_values_t = BenchRows::DEFAULT)]
    pub(crate) rows: Vec<BenchRows>,
    /// Threads that race in the contended rows [default: one for each CPU, from 2 to 8]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=i64::from(observer_workload::bench::crowd::MAX_THREADS)))]
    pub(crate) threads: Option<u32>,
    /// Which way programs are attached: the best that the kernel takes for each, or one way only
    #[arg(long, value_name = "B", value_enum, default_value_t)]
    pub(crate) backend: BackendChoice,
    /// Which hooks: all that tell something, or only those that the verdicts need, which is cheaper
    #[arg(long, value_name = "SET", value_enum, default_value_t)]
    pub(crate) hooks: HookChoice,
    /// What the pages hold
    #[arg(long, value_name = "KIND", value_enum, default_value_t)]
    pub(crate) pages: BenchPages,
    /// Only as it is, nothing attached: needs no permission to observe
    #[arg(long)]
    pub(crate) bare: bool,
    /// Run although other swap is in use
    #[arg(long)]
    pub(crate) allow_other_swap: bool,
    /// Print one JSON object on standard output, and nothing else there
    #[arg(long)]
    pub(crate) json: bool,
}

/// Pages of `bench swapin`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum BenchPages {
    /// Words that all differ, by the kernel's own compressor: dear to decompress
    #[default]
    Dear,
    /// Mostly zeroes, by lz4 where the kernel has it: what observing adds shows most over these
    Cheap,
    /// Pages of this program's own file, by lz4 where the kernel has it: code and tables, as processes have them
    Program,
}

/// Rows of `bench swapin`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum BenchRows {
    /// Past the swap cache, where the kernel does that
    Direct,
    /// Through the swap cache: each entry has a second reference
    Cached,
    /// Threads race for 0%, 1%, 10% and 50% of the pages
    Contended,
    /// What of a direct swap-in goes into taking and dropping the pin
    Pin,
    /// Each hook that a direct swap-in passes: with a program that does nothing, and with its own
    Hooks,
}

impl BenchRows {
    /// Those measured unless told, in the order in which they are printed.
    pub(crate) const DEFAULT: [Self; 4] = [Self::Direct, Self::Cached, Self::Contended, Self::Pin];
}
