//! Options of the commands that bring a workload of their own.

use std::time::Duration;

use clap::{Args, Subcommand};

use super::values::{bench_size, widening};
use crate::kernel::plan::Backends;

/// Options of `stress`.
#[derive(Debug, Args)]
pub struct StressArgs {
    /// Which workload
    #[arg(value_enum)]
    pub workload: Workload,
    /// Rounds to play; of a storm: passes [default: targeted 200; storm: as many as --duration gives time for]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub rounds: Option<u32>,
    /// Storm only: stop after this time [default: 60s, unless --rounds is given]
    #[arg(long, value_name = "D", value_parser = humantime::parse_duration)]
    pub duration: Option<Duration>,
    /// Delay the victim (targeted), or the walkers (storm), by this time right after their read; 0s: not at all
    /// [default: targeted 20ms; storm 5ms]
    #[arg(long, value_name = "D", value_parser = widening)]
    pub widen: Option<Duration>,
    /// Of the reads that qualify delay only one in N, at random [default: targeted 1; storm 16]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub widen_one_in: Option<u32>,
    /// Storm only: threads that walk over the pages
    #[arg(long, value_name = "N", default_value = "4", value_parser = clap::value_parser!(u32).range(2..=64))]
    pub threads: u32,
    /// Storm only: pages that they walk over
    #[arg(long, value_name = "N", default_value = "8", value_parser = clap::value_parser!(u32).range(1..=64))]
    pub pages: u32,
    /// Storm only: swap slots left free; the fewer, the sooner an entry comes back
    #[arg(long, value_name = "N", default_value = "4", value_parser = clap::value_parser!(u32).range(1..=79))]
    pub free_slots: u32,
    /// Which way programs are attached: the best that the kernel takes for each, or one way only
    #[arg(long, value_name = "B", value_enum, default_value_t)]
    pub backend: Backends,
    /// Run although other swap is in use
    #[arg(long)]
    pub allow_other_swap: bool,
    /// Show it in the dashboard, if standard output is a terminal
    #[arg(long, conflicts_with = "json")]
    pub dashboard: bool,
    /// Print one JSON object on standard output, and nothing else there
    #[arg(long)]
    pub json: bool,
}

/// The workloads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Workload {
    /// One page, one victim, one slot: the ABA round by round
    Targeted,
    /// A crowd on few pages with few free slots: many threads add one to each page, another keeps paging out
    Storm,
}

/// Options of `bench`.
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// Which benchmark
    #[command(subcommand)]
    pub bench: Bench,
}

/// The benchmarks.
#[derive(Debug, Subcommand)]
pub enum Bench {
    /// Cost per page swapped in from zram: as it is, and while observed
    Swapin(SwapinArgs),
}

/// Options of `bench swapin`.
#[derive(Debug, Args)]
pub struct SwapinArgs {
    /// How much to swap in, e.g. 16M, 1G
    #[arg(long, value_name = "S", default_value = "16M", value_parser = bench_size)]
    pub size: u64,
    /// Rounds of each row
    #[arg(long, value_name = "N", default_value = "5", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub rounds: u32,
    /// Which way programs are attached: the best that the kernel takes for each, or one way only
    #[arg(long, value_name = "B", value_enum, default_value_t)]
    pub backend: Backends,
    /// Only as it is, nothing attached: needs no permission to observe
    #[arg(long)]
    pub bare: bool,
    /// Run although other swap is in use
    #[arg(long)]
    pub allow_other_swap: bool,
    /// Print one JSON object on standard output, and nothing else there
    #[arg(long)]
    pub json: bool,
}
