//! The command line: the contract of design.md, as far as it is built.

use std::{ffi::OsString, net::SocketAddr, path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand};

use self::values::{
    FormatChoice,
    BackendChoice, HookChoice, comm, fault_seats, file_size, ring_size, rotation_time, sample, widening,
};
use observer_kernel::survey::SetupOptions;
use observer_probe::WATCHED_TASKS;

mod values;
mod workloads;

pub(crate) use workloads::{Bench, BenchArgs, BenchPages, BenchRows, StressArgs, SwapinArgs, Workload};

/// Watches a live Linux kernel swap pages in: which swap entries are swapped in by several tasks at once, which of these
/// were possible ABA windows (CVE-2024-26759), and what waiting on the pin that fixes it costs.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    /// What to do; without one: `live`.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// How to observe, for `live`.
    #[command(flatten)]
    pub(crate) live: LiveArgs,
}

const EXIT_CODES: &str = "Exit codes: 0 nothing found; 2 wrong usage; 3 this host does not allow it; 4 I/O or data error;\n\
                          10 a stale-install was seen; 11 a wait took longer than --budget; 20 dropped make the result inconclusive;\n\
                          30 the command failed";

/// Subcommands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show what is happening, as it happens (the default)
    Live(LiveArgs),
    /// Observe without a display and print a summary at the end
    Record(RecordArgs),
    /// Play a recording back in the dashboard
    Replay(ReplayArgs),
    /// Say again what a recording holds
    Report(ReportArgs),
    /// Compare two recordings: counts, times, and one distribution over the other
    Diff(DiffArgs),
    /// Serve what is seen to Prometheus (OpenMetrics over HTTP)
    Serve(ServeArgs),
    /// Make the race on purpose, on a swap device of its own, and compare what was lost with what was flagged
    Stress(StressArgs),
    /// Measure what a swap-in costs, on a swap device of its own
    Bench(BenchArgs),
    /// Say what this host allows, with reasons, and whether the race can happen here
    Doctor(DoctorArgs),
    /// Print completions for a shell
    Completions(CompletionsArgs),
    /// Print the manual page
    Man,
    /// Wait at the gate of `-- CMD`, then become the command
    #[command(name = crate::launch::SUBCOMMAND, hide = true)]
    Launch(LaunchArgs),
    /// Be the workload of `stress`
    #[command(name = crate::commands::stress::WORKLOAD, hide = true)]
    Workload(WorkloadArgs),
}

/// Where the help lists filters.
const FILTERS: &str = "Filters (applied in the kernel)";

/// What to look at only, decided in the kernel. What happens to an entry in a fault that is looked at is seen whoever
/// does it.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct FilterArgs {
    /// Only entries of this swap device, by name or path as in /proc/swaps; may be given several times
    #[arg(long, help_heading = FILTERS, value_name = "NAME")]
    pub(crate) device: Vec<String>,
    /// Only faults of this process, all threads of it
    #[arg(long, help_heading = FILTERS, value_name = "P", value_parser = clap::value_parser!(u32).range(1..), conflicts_with = "cmd")]
    pub(crate) pid: Option<u32>,
    /// Only faults of tasks of this name
    #[arg(long, help_heading = FILTERS, value_name = "C", value_parser = comm)]
    pub(crate) comm: Option<String>,
    /// Only faults of tasks in this control group or below, as in /proc/PID/cgroup or as a path
    #[arg(long, help_heading = FILTERS, value_name = "PATH")]
    pub(crate) cgroup: Option<PathBuf>,
}

/// Options of every observation.
#[derive(Debug, Clone, Args)]
pub(crate) struct ObserveArgs {
    /// What to look at only.
    #[command(flatten)]
    pub(crate) filters: FilterArgs,
    /// Stop after this time, e.g. 30s, 5min
    #[arg(long, value_name = "D", value_parser = humantime::parse_duration)]
    pub(crate) duration: Option<Duration>,
    /// Delay the command's own tasks by this time right after their read (right before it where the kernel never skips the
    /// swap cache), so that the race has time to happen (at most 100ms)
    #[arg(long, value_name = "D", value_parser = widening, requires = "cmd")]
    pub(crate) widen: Option<Duration>,
    /// Delay only tasks of this name
    #[arg(long, value_name = "NAME", value_parser = comm, requires = "widen")]
    pub(crate) widen_comm: Option<String>,
    /// Of the reads that qualify delay only one in N, at random
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u32).range(1..), requires = "widen")]
    pub(crate) widen_one_in: u32,
    /// The longest wait that is put up with, e.g. 1ms: if one takes longer, that is said, and the exit code is 11
    #[arg(long, value_name = "D", value_parser = humantime::parse_duration)]
    pub(crate) budget: Option<Duration>,
    /// Size of the ring buffer, in KiB, a power of two
    #[arg(long, value_name = "KIB", default_value = "4096", value_parser = ring_size)]
    pub(crate) ring_size: u32,
    /// Observe only one swap entry in N, chosen by a hash of it, with every conflict on it; counts are multiplied by N
    #[arg(long, value_name = "1/N", default_value = "1/1", hide_default_value = true, value_parser = sample)]
    pub(crate) sample: u32,
    /// Let the kernel count how often and how long each program runs, for as long as this observes; each run then costs
    /// two more readings of a clock
    #[arg(long)]
    pub(crate) program_stats: bool,
    /// Seats for faults in progress, a power of two; each takes 224 bytes in the kernel. More faults than these at once cost time,
    /// and beyond 4096 more are lost, which is told
    #[arg(long, value_name = "N", default_value = "16384", value_parser = fault_seats)]
    pub(crate) fault_seats: u32,
    /// Tasks of the command that can be watched at once; each takes 84 bytes in the kernel, and those beyond are lost, which
    /// is told
    #[arg(long, value_name = "N", default_value_t = WATCHED_TASKS, value_parser = clap::value_parser!(u32).range(1..=4_194_304), requires = "cmd")]
    pub(crate) watched_tasks: u32,
    /// Which way programs are attached: the best that the kernel takes for each, or one way only
    #[arg(long, value_name = "B", value_enum, default_value_t)]
    pub(crate) backend: BackendChoice,
    /// Which hooks: all that tell something, or only those that the verdicts need, which is cheaper
    #[arg(long, value_name = "SET", value_enum, default_value_t)]
    pub(crate) hooks: HookChoice,
    /// The kernel's types (raw BTF), for a kernel that does not show them itself: then all hooks are kprobes
    #[arg(long, value_name = "FILE")]
    pub(crate) btf: Option<PathBuf>,
    /// Start this command once everything is attached, observe only its tasks, and stop when it ends
    #[arg(last = true, value_name = "CMD")]
    pub(crate) cmd: Vec<OsString>,
}

impl ObserveArgs {
    /// What they say of the set-up.
    pub(crate) fn options(&self) -> SetupOptions {
        SetupOptions { backends: self.backend.into(), set: self.hooks.into(), btf: self.btf.clone() }
    }
}

/// Options of `live`.
#[derive(Debug, Clone, Args)]
pub(crate) struct LiveArgs {
    /// How to observe.
    #[command(flatten)]
    pub(crate) observe: ObserveArgs,
    /// Draw with ASCII characters only, whatever LANG says
    #[arg(long)]
    pub(crate) ascii: bool,
}

/// Options of `replay`.
#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// The recording
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Draw with ASCII characters only, whatever LANG says
    #[arg(long)]
    pub(crate) ascii: bool,
}

/// Options of `record`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("rotation").args(["rotate_size", "rotate_every"]).multiple(true))]
pub(crate) struct RecordArgs {
    /// How to observe.
    #[command(flatten)]
    pub(crate) observe: ObserveArgs,
    /// Write a recording
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Replace FILE if it exists
    #[arg(long, requires = "output")]
    pub(crate) force: bool,
    /// Go on in another file (FILE with a number) when one has this size, e.g. 100M
    #[arg(long, value_name = "SIZE", value_parser = file_size, requires = "output")]
    pub(crate) rotate_size: Option<u64>,
    /// Go on in another file after this time, e.g. 1h
    #[arg(long, value_name = "D", value_parser = rotation_time, requires = "output")]
    pub(crate) rotate_every: Option<Duration>,
    /// Keep the newest N complete files and remove older ones
    #[arg(long, value_name = "N", requires = "rotation", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) keep: Option<u32>,
    /// Print one JSON object on standard output, and nothing else there
    #[arg(long)]
    pub(crate) json: bool,
}

/// Options of `report`.
#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// Recordings; several are merged into one report
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// Output format
    #[arg(long, value_enum, default_value_t = FormatChoice::Text)]
    pub(crate) format: FormatChoice,
    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    pub(crate) json: bool,
    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "OUT")]
    pub(crate) output: Option<PathBuf>,
    /// Replace OUT if it exists
    #[arg(long, requires = "output")]
    pub(crate) force: bool,
}

/// Options of `serve`.
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Address to listen on; beyond loopback anybody who reaches it can read it
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9842")]
    pub(crate) listen: SocketAddr,
    /// How to observe.
    #[command(flatten)]
    pub(crate) observe: ObserveArgs,
    /// Serve what a recording holds, for tests of what reads it.
    #[arg(long, value_name = "FILE", hide = true)]
    pub(crate) replay: Option<PathBuf>,
}

/// Options of `diff`.
#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// The first recording
    pub(crate) a: PathBuf,
    /// The second
    pub(crate) b: PathBuf,
    /// Print one JSON object on standard output, and nothing else there
    #[arg(long)]
    pub(crate) json: bool,
}

/// Options of `completions`.
#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}

/// Options of `doctor`.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Swap a few own pages out and in, on a zram device added for it, and check that exactly that is seen
    #[arg(long)]
    pub(crate) self_test: bool,
    /// Which way programs are attached: the best that the kernel takes for each, or one way only
    #[arg(long, value_name = "B", value_enum, default_value_t)]
    pub(crate) backend: BackendChoice,
    /// Which hooks: all that tell something, or only those that the verdicts need, which is cheaper
    #[arg(long, value_name = "SET", value_enum, default_value_t)]
    pub(crate) hooks: HookChoice,
    /// The kernel's types (raw BTF), for a kernel that does not show them itself: then all hooks are kprobes
    #[arg(long, value_name = "FILE")]
    pub(crate) btf: Option<PathBuf>,
    /// Print one JSON object on standard output, and nothing else there
    #[arg(long)]
    pub(crate) json: bool,
}

/// The hidden gate of `-- CMD`.
#[derive(Debug, Args)]
pub(crate) struct LaunchArgs {
    /// Descriptor to wait on.
    pub(crate) gate: i32,
    /// The command.
    #[arg(last = true, required = true)]
    pub(crate) cmd: Vec<OsString>,
}

/// The hidden workload process.
#[derive(Debug, Args)]
pub(crate) struct WorkloadArgs {
    /// Descriptor for messages.
    pub(crate) messages: i32,
    /// What to play, as JSON.
    pub(crate) options: String,
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
    fn the_backend_can_be_forced_wherever_something_is_attached() {
        let forced = |words: &[&str]| parse(&[words, &["--backend", "kprobe"]].concat()).is_ok();
        assert!(forced(&[]) && forced(&["live"]) && forced(&["record"]) && forced(&["doctor"]));
        assert!(forced(&["stress", "storm"]) && forced(&["bench", "swapin"]));
        assert!(parse(&["record", "--backend", "uprobe"]).is_err());
    }

    #[test]
    fn the_lean_hooks_can_be_had_wherever_something_is_attached() {
        let lean = |words: &[&str]| parse(&[words, &["--hooks", "lean"]].concat()).is_ok();
        assert!(lean(&[]) && lean(&["live"]) && lean(&["record"]) && lean(&["serve"]) && lean(&["doctor"]));
        assert!(lean(&["stress", "storm"]) && lean(&["bench", "swapin"]));
        assert!(parse(&["record", "--hooks", "few"]).is_err());
    }

    #[test]
    fn live_is_the_default() {
        let cli = parse(&["--duration", "2s", "--", "sleep", "1"]).unwrap();
        assert!(cli.command.is_none());
        assert_eq!((cli.live.observe.duration, cli.live.observe.cmd.len()), (Some(Duration::from_secs(2)), 2));
    }

    #[test]
    fn wrong_usage_is_told() {
        use clap::error::ErrorKind;
        assert_eq!(parse(&["record", "--widen", "20ms"]).unwrap_err(), ErrorKind::MissingRequiredArgument);
        assert_eq!(parse(&["record", "--widen", "2s", "--", "x"]).unwrap_err(), ErrorKind::ValueValidation);
        assert_eq!(parse(&["record", "--ring-size", "5"]).unwrap_err(), ErrorKind::ValueValidation);
        assert_eq!(parse(&["stress", "targeted", "--rounds", "0"]).unwrap_err(), ErrorKind::ValueValidation);
        assert_eq!(parse(&["stress", "wild"]).unwrap_err(), ErrorKind::InvalidValue);
        assert_eq!(parse(&["record", "--force"]).unwrap_err(), ErrorKind::MissingRequiredArgument);
        assert_eq!(parse(&["record", "-o", "x", "--keep", "2"]).unwrap_err(), ErrorKind::MissingRequiredArgument);
        assert_eq!(parse(&["record", "-o", "x", "--rotate-size", "1K"]).unwrap_err(), ErrorKind::ValueValidation);
        for wrong in [["--fault-seats", "3"], ["--fault-seats", "32768"], ["--sample", "2/4"], ["--ring-size", "0"]] {
            assert_eq!(parse(&["record", wrong[0], wrong[1]]).unwrap_err(), ErrorKind::ValueValidation, "{wrong:?}");
        }
        let none = ["record", "--watched-tasks", "0", "--", "x"];
        assert_eq!(parse(&none).unwrap_err(), ErrorKind::ValueValidation);
        assert_eq!(parse(&["record", "--pid", "0"]).unwrap_err(), ErrorKind::ValueValidation);
        assert_eq!(parse(&["record", "--pid", "7", "--", "x"]).unwrap_err(), ErrorKind::ArgumentConflict);
        assert!(parse(&["--device", "zram0", "--device", "/dev/zram1", "--comm", "x", "--cgroup", "/a"]).is_ok());
        assert!(parse(&["record", "-o", "x", "--rotate-size", "1MiB", "--rotate-every", "1h", "--keep", "3"]).is_ok());
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
