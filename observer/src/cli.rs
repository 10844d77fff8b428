//! The command line: the contract of design.md, as far as it is built.

use std::{ffi::OsString, time::Duration};

use clap::{Args, Parser, Subcommand};

use crate::kernel::plan::Backends;

/// Watches a live Linux kernel swap pages in: which swap entries are swapped in by several tasks at once, which of these
/// were possible ABA windows (CVE-2024-26759), and what waiting on the pin that fixes it costs.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true, after_help = EXIT_CODES)]
pub struct Cli {
    /// What to do; without one: `live`.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// How to observe, for `live`.
    #[command(flatten)]
    pub observe: ObserveArgs,
}

const EXIT_CODES: &str = "Exit codes: 0 nothing found; 2 wrong usage; 3 this host does not allow it; 4 I/O or data error;\n\
                          10 a stale-install was seen; 20 losses make the result inconclusive; 30 the command failed";

/// Subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show what is happening, as it happens (the default)
    Live(ObserveArgs),
    /// Observe without a display and print a summary at the end
    Record(RecordArgs),
    /// Make the race on purpose, on a swap device of its own, and compare what was lost with what was flagged
    Stress(StressArgs),
    /// Measure what a swap-in costs, on a swap device of its own
    Bench(BenchArgs),
    /// Say what this host allows, with reasons, and whether the race can happen here
    Doctor(DoctorArgs),
    /// Wait at the gate of `-- CMD`, then become the command
    #[command(name = crate::launch::SUBCOMMAND, hide = true)]
    Launch(LaunchArgs),
    /// Be the workload of `stress`
    #[command(name = crate::commands::stress::WORKLOAD, hide = true)]
    Workload(WorkloadArgs),
}

/// Options of every observation.
#[derive(Debug, Clone, Args)]
pub struct ObserveArgs {
    /// Stop after this time, e.g. 30s, 5min
    #[arg(long, value_name = "D", value_parser = humantime::parse_duration)]
    pub duration: Option<Duration>,
    /// Delay the command's own tasks by this time right after their read, so that the race has time to happen (at most 100ms)
    #[arg(long, value_name = "D", value_parser = widening, requires = "cmd")]
    pub widen: Option<Duration>,
    /// Delay only tasks of this name
    #[arg(long, value_name = "NAME", value_parser = comm, requires = "widen")]
    pub widen_comm: Option<String>,
    /// Of the reads that qualify delay only one in N, at random
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u32).range(1..), requires = "widen")]
    pub widen_one_in: u32,
    /// Size of the ring buffer, in KiB, a power of two
    #[arg(long, value_name = "KIB", default_value = "4096", value_parser = ring_size)]
    pub ring_size: u32,
    /// Which way programs are attached: the best that the kernel takes for each, or one way only
    #[arg(long, value_name = "B", value_enum, default_value_t)]
    pub backend: Backends,
    /// Seats for open flights: for tests of what happens where tasks share them
    #[arg(long, hide = true, value_name = "N", default_value = "16384", value_parser = flight_seats)]
    pub flight_seats: u32,
    /// Start this command once everything is attached, observe only its tasks, and stop when it ends
    #[arg(last = true, value_name = "CMD")]
    pub cmd: Vec<OsString>,
}

/// Options of `record`.
#[derive(Debug, Args)]
pub struct RecordArgs {
    /// How to observe.
    #[command(flatten)]
    pub observe: ObserveArgs,
    /// Print one JSON object on standard output, and nothing else there
    #[arg(long)]
    pub json: bool,
}

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

/// Options of `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Swap a few own pages out and in, on a zram device added for it, and check that exactly that is seen
    #[arg(long)]
    pub self_test: bool,
    /// Which way programs are attached: the best that the kernel takes for each, or one way only
    #[arg(long, value_name = "B", value_enum, default_value_t)]
    pub backend: Backends,
    /// Print one JSON object on standard output, and nothing else there
    #[arg(long)]
    pub json: bool,
}

/// The hidden gate of `-- CMD`.
#[derive(Debug, Args)]
pub struct LaunchArgs {
    /// Descriptor to wait on.
    pub gate: i32,
    /// The command.
    #[arg(last = true, required = true)]
    pub cmd: Vec<OsString>,
}

/// The hidden workload process.
#[derive(Debug, Args)]
pub struct WorkloadArgs {
    /// Descriptor for messages.
    pub messages: i32,
    /// What to play, as JSON.
    pub options: String,
}

/// Longest delay: the widener runs with preemption off.
const LONGEST_WIDENING: Duration = Duration::from_millis(100);

fn widening(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text).map_err(|error| format!("{error}; e.g. 20ms"))?;
    if duration > LONGEST_WIDENING {
        return Err("at most 100ms: the task keeps its CPU for all of it".to_owned());
    }
    Ok(duration)
}

/// A number of bytes: plain, or with K, M or G (powers of 1024).
fn size(text: &str) -> Result<u64, String> {
    let (digits, shift) = match text.to_ascii_uppercase().trim_end_matches("IB").trim_end_matches('B') {
        number if number.ends_with('K') => (number.trim_end_matches('K').to_owned(), 10),
        number if number.ends_with('M') => (number.trim_end_matches('M').to_owned(), 20),
        number if number.ends_with('G') => (number.trim_end_matches('G').to_owned(), 30),
        number => (number.to_owned(), 0),
    };
    let number: u64 = digits.parse().map_err(|error| format!("{error}; e.g. 16M"))?;
    number.checked_mul(1 << shift).ok_or_else(|| "too much".to_owned())
}

fn bench_size(text: &str) -> Result<u64, String> {
    use crate::bench::swapin::{MAX_BYTES, MIN_BYTES};
    let bytes = size(text)?;
    if (MIN_BYTES..=MAX_BYTES).contains(&bytes) { Ok(bytes) } else { Err("from 1M to 64G".to_owned()) }
}

fn comm(text: &str) -> Result<String, String> {
    match text.len() {
        0 => Err("an empty name matches no task".to_owned()),
        1..=15 => Ok(text.to_owned()),
        _ => Err(format!(
            "the kernel keeps 15 bytes of a task's name: give `{}`",
            text.chars().take(15).collect::<String>()
        )),
    }
}

fn ring_size(text: &str) -> Result<u32, String> {
    let kib: u32 = text.parse().map_err(|error| format!("{error}"))?;
    if !kib.is_power_of_two() || !(4..=1 << 20).contains(&kib) {
        return Err("a power of two from 4 to 1048576".to_owned());
    }
    Ok(kib)
}

fn flight_seats(text: &str) -> Result<u32, String> {
    let seats: u32 = text.parse().map_err(|error| format!("{error}"))?;
    let right = seats.is_power_of_two() && seats <= observer_ebpf::config::FLIGHT_SEATS;
    if right { Ok(seats) } else { Err("a power of two up to 16384".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<Cli, clap::error::ErrorKind> {
        Cli::try_parse_from(std::iter::once(&"observer").chain(args)).map_err(|error| error.kind())
    }

    #[test]
    fn the_definition_is_sound() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn sizes_are_powers_of_1024() {
        assert_eq!(
            ["4096", "16M", "16MiB", "16mb", "1G"].map(size),
            [Ok(4096), Ok(1 << 24), Ok(1 << 24), Ok(1 << 24), Ok(1 << 30)]
        );
        assert!(size("").is_err() && size("M").is_err() && size("99999999999G").is_err() && size("-1").is_err());
        assert!(bench_size("0").is_err() && bench_size("4096").is_err());
    }

    #[test]
    fn the_backend_can_be_forced_wherever_something_is_attached() {
        let forced = |words: &[&str]| parse(&[words, &["--backend", "kprobe"]].concat()).is_ok();
        assert!(forced(&[]) && forced(&["live"]) && forced(&["record"]) && forced(&["doctor"]));
        assert!(forced(&["stress", "storm"]) && forced(&["bench", "swapin"]));
        assert!(parse(&["record", "--backend", "uprobe"]).is_err());
    }

    #[test]
    fn live_is_the_default() {
        let cli = parse(&["--duration", "2s", "--", "sleep", "1"]).unwrap();
        assert!(cli.command.is_none());
        assert_eq!((cli.observe.duration, cli.observe.cmd.len()), (Some(Duration::from_secs(2)), 2));
    }

    #[test]
    fn wrong_usage_is_told() {
        use clap::error::ErrorKind;
        assert_eq!(parse(&["record", "--widen", "20ms"]).unwrap_err(), ErrorKind::MissingRequiredArgument);
        assert_eq!(parse(&["record", "--widen", "2s", "--", "x"]).unwrap_err(), ErrorKind::ValueValidation);
        assert_eq!(parse(&["record", "--ring-size", "5"]).unwrap_err(), ErrorKind::ValueValidation);
        assert_eq!(parse(&["stress", "targeted", "--rounds", "0"]).unwrap_err(), ErrorKind::ValueValidation);
        assert_eq!(parse(&["stress", "wild"]).unwrap_err(), ErrorKind::InvalidValue);
        let long = ["record", "--widen", "1ms", "--widen-comm", "a-name-of-16-byte", "--", "x"];
        assert_eq!(parse(&long).unwrap_err(), ErrorKind::ValueValidation);
    }

    #[test]
    fn the_readme_shows_commands_that_exist() {
        let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md")).unwrap();
        let host = readme.lines().filter_map(|line| line.strip_prefix("$ sudo target/release/observer"));
        let guest = readme.lines().filter_map(|line| line.strip_prefix("$ cargo xtask vm ")?.split_once("-- observer"));
        let lines: Vec<_> = host.chain(guest.map(|(_, line)| line)).collect();
        assert!(lines.len() >= 6, "where have the commands gone?");
        for line in lines {
            let words: Vec<_> = line.split('#').next().unwrap().split_whitespace().collect();
            assert!(parse(&words).is_ok(), "observer {line}");
        }
    }
}
