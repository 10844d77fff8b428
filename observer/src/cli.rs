//! The command line.

use std::{ffi::OsString, net::SocketAddr, path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, value_parser};

use self::values::{
    budget, comm, command_line, fault_seats, file, file_size, listen_address, moment, name, ring_size, rotation_time,
    run_time, sample, speed, stop_on, widening,
};
pub(crate) use self::{
    dashboard::DashboardArgs,
    parse::parse,
    selection::{ListArgs, SelectionArgs},
    values::{BackendChoice, ColorChoice, FindingChoice, FormatChoice, HookChoice, STANDARD_STREAM},
    workloads::{Bench, BenchArgs, BenchPages, BenchRows, StressArgs, SwapinArgs, Workload},
};
use crate::{
    launch,
    reactions::{CommandLine, StopOn},
};
use observer_kernel::survey::SetupOptions;
use observer_probe::WATCHED_TASKS;
use observer_report::selection::Moment;
use observer_text::Name;

mod dashboard;
mod help;
pub(crate) mod manual;
mod parse;
mod selection;
mod values;
mod workloads;

/// Name of the hidden subcommand that runs the workload of `stress` in a separate process.
pub(crate) const WORKLOAD: &str = "__workload";
/// Environment variable with the log filter.
pub(crate) const LOG_VARIABLE: &str = "OBSERVER_LOG";

/// Traces swap-ins on a live Linux kernel and reports swap entries that several tasks fault in at once, possible ABA
/// windows (CVE-2024-26759), data loss, and the cost of waiting for the pin that fixes the race.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true, after_help = help::of_program())]
pub(crate) struct Cli {
    /// The default is `live`
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) live: LiveArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show the observation in a dashboard (the default)
    #[command(after_help = help::of("live"))]
    Live(LiveArgs),
    /// Observe without a dashboard, and print a summary at the end
    #[command(after_help = help::of("record"))]
    Record(RecordArgs),
    /// Play a recording in the dashboard
    #[command(after_help = help::of("replay"))]
    Replay(ReplayArgs),
    /// Print a report from recordings
    #[command(after_help = help::of("report"))]
    Report(ReportArgs),
    /// Compare two recordings: counts, durations and distributions
    #[command(after_help = help::of("diff"))]
    Diff(DiffArgs),
    /// Observe and serve metrics over HTTP, for Prometheus
    #[command(after_help = help::of("serve"))]
    Serve(ServeArgs),
    /// Reproduce the race on a zram swap device set up for it, and compare data losses with findings
    #[command(after_help = help::of("stress"))]
    Stress(StressArgs),
    /// Measure the cost of swap-ins on a zram swap device set up for it
    #[command(after_help = help::of("bench"))]
    Bench(BenchArgs),
    /// Check whether this host can be observed, and why not, and whether the race is possible on it
    #[command(after_help = help::of("doctor"))]
    Doctor(DoctorArgs),
    /// Print the default configuration file of the dashboard, or which file is read
    #[command(after_help = help::of("config"))]
    Config(ConfigArgs),
    /// Print shell completions
    #[command(after_help = help::of("completions"))]
    Completions(CompletionsArgs),
    /// Print a manual page, or write all of them to a folder
    #[command(after_help = help::of("man"))]
    Man(ManArgs),
    #[command(name = launch::SUBCOMMAND, hide = true)]
    Launch(LaunchArgs),
    #[command(name = WORKLOAD, hide = true)]
    Workload(WorkloadArgs),
}

/// Heading of the filters in the help.
const FILTERS: &str = "Filters (applied in the kernel)";

/// Select the observed faults. Events on an entry with such a fault in progress are observed whichever task causes
/// them.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct FilterArgs {
    /// Only entries of this swap device, by name or path as in /proc/swaps; may be repeated
    #[arg(long, help_heading = FILTERS, value_name = "NAME", value_parser = name())]
    pub(crate) device: Vec<Name>,
    /// Only faults of this process, with all its threads
    #[arg(long, help_heading = FILTERS, value_name = "PID", value_parser = value_parser!(u32).range(1..))]
    #[arg(conflicts_with = "cmd")]
    pub(crate) pid: Option<u32>,
    /// Only faults of tasks with this name
    #[arg(long, help_heading = FILTERS, value_name = "NAME", value_parser = comm())]
    pub(crate) comm: Option<Name>,
    /// Only faults of tasks in this control group or below it, as a path or as in /proc/PID/cgroup
    #[arg(long, help_heading = FILTERS, value_name = "PATH")]
    pub(crate) cgroup: Option<PathBuf>,
}

/// Heading of what is done about findings in the help.
const REACTIONS: &str = "Findings (windows, reuses and stale installs)";

/// What is done about findings.
#[derive(Debug, Clone, Args)]
pub(crate) struct ReactionArgs {
    /// Stop after N findings of this verdict or above: window, reuse or stale-install; N is 1 unless given. The exit code
    /// is the usual one
    #[arg(long, help_heading = REACTIONS, value_name = "VERDICT[:N]", value_parser = stop_on)]
    pub(crate) stop_on: Option<StopOn>,
    /// Run this command for each finding, with the finding on its standard input as one line of JSON. It is split into
    /// words as by a shell, but not run by one. At most 4 run at once, 10 in a burst and then one per second, each for at
    /// most 30s. With -o the recording has the finding before the command starts
    #[arg(long, help_heading = REACTIONS, value_name = "COMMAND", value_parser = command_line())]
    pub(crate) on_finding: Option<CommandLine>,
    /// Run the command only for findings of this verdict or above
    #[arg(long, help_heading = REACTIONS, value_name = "VERDICT", value_enum, default_value_t)]
    #[arg(requires = "on_finding")]
    pub(crate) on_verdict: FindingChoice,
}

/// How programs are attached.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct HookArgs {
    /// How programs are attached
    #[arg(long, value_name = "BACKEND", value_enum, default_value_t)]
    pub(crate) backend: BackendChoice,
    /// Which hooks are attached; verdicts are the same with both sets
    #[arg(long, value_name = "SET", value_enum, default_value_t)]
    pub(crate) hooks: HookChoice,
}

impl HookArgs {
    pub(crate) fn setup(self) -> SetupOptions {
        SetupOptions { backends: self.backend.into(), set: self.hooks.into(), btf: None }
    }
}

/// The same, with types for kernels that do not expose them.
#[derive(Debug, Clone, Args)]
pub(crate) struct SetupArgs {
    #[command(flatten)]
    hooks: HookArgs,
    /// The kernel's types as raw BTF, for a kernel that does not expose them; every hook is then a kprobe
    #[arg(long, value_name = "FILE", value_parser = file())]
    btf: Option<PathBuf>,
}

impl SetupArgs {
    pub(crate) fn setup(&self) -> SetupOptions {
        SetupOptions { btf: self.btf.clone(), ..self.hooks.setup() }
    }
}

#[derive(Debug, Clone, Args)]
pub(crate) struct ObserveArgs {
    #[command(flatten)]
    pub(crate) filters: FilterArgs,
    #[command(flatten)]
    pub(crate) reactions: ReactionArgs,
    /// Stop after this time, e.g. 30s, 5min; from 1ms to 10y. Time during which the machine is suspended does not count
    #[arg(long, value_name = "DURATION", value_parser = run_time)]
    pub(crate) duration: Option<Duration>,
    /// Delay injection: hold tasks of the command for this time after their read (before it, on kernels that never skip
    /// the swap cache), so that a narrow race has time to happen; at most 100ms
    #[arg(long, value_name = "DURATION", value_parser = widening, requires = "cmd")]
    pub(crate) widen: Option<Duration>,
    /// Delay only tasks with this name
    #[arg(long, value_name = "NAME", value_parser = comm(), requires = "widen")]
    pub(crate) widen_comm: Option<Name>,
    /// Delay only one in N of these reads, chosen at random
    #[arg(long, value_name = "N", default_value = "1", value_parser = value_parser!(u32).range(1..), requires = "widen")]
    pub(crate) widen_one_in: u32,
    /// Maximum acceptable wait, e.g. 1ms; a longer one is reported and the exit code is 11
    #[arg(long, value_name = "DURATION", value_parser = budget)]
    pub(crate) budget: Option<Duration>,
    /// Size of the ring buffer, a power of two from 4K to 1G, e.g. 16M; without a unit in KiB
    #[arg(long, value_name = "SIZE", default_value = "4M", value_parser = ring_size)]
    pub(crate) ring_size: u32,
    /// Observe only one in N swap entries, chosen by a hash, with all conflicts on them; counts are multiplied by N
    #[arg(long, value_name = "1/N", default_value = "1/1", hide_default_value = true, value_parser = sample)]
    pub(crate) sample: u32,
    /// Have the kernel count the runs of each program and their duration; each run then reads the clock twice more
    #[arg(long)]
    pub(crate) program_stats: bool,
    /// Seats for faults in progress, a power of two; each takes 224 bytes in the kernel. Up to 4096 further concurrent
    /// faults are observed at a higher cost, and the rest is reported as dropped
    #[arg(long, value_name = "N", default_value = "16384", value_parser = fault_seats)]
    pub(crate) fault_seats: u32,
    /// Maximum number of observed tasks of the command; each takes 84 bytes in the kernel, and further tasks are
    /// reported as dropped
    #[arg(long, value_name = "N", default_value_t = WATCHED_TASKS, requires = "cmd")]
    #[arg(value_parser = value_parser!(u32).range(1..=4_194_304))]
    pub(crate) watched_tasks: u32,
    #[command(flatten)]
    setup: SetupArgs,
    /// Start this command when everything is attached, observe only its tasks, and stop when it ends
    #[arg(last = true, value_name = "CMD")]
    pub(crate) cmd: Vec<OsString>,
}

impl ObserveArgs {
    pub(crate) fn setup(&self) -> SetupOptions {
        self.setup.setup()
    }
}

#[derive(Debug, Clone, Args)]
pub(crate) struct LiveArgs {
    #[command(flatten)]
    pub(crate) observe: ObserveArgs,
    #[command(flatten)]
    pub(crate) dashboard: DashboardArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// A recording
    #[arg(value_name = "FILE", value_parser = file())]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) selection: SelectionArgs,
    /// Start at this time: an offset from the start (53s, 2min), a time (17:03:11, UTC unless a zone follows) or a date
    /// with time and zone (2026-01-01T17:03:11Z)
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) at: Option<Moment>,
    /// Play this many times as fast, e.g. 0.5 or 16; + and - change it
    #[arg(long, value_name = "N", value_parser = speed, default_value = "1")]
    pub(crate) speed: f64,
    #[command(flatten)]
    pub(crate) dashboard: DashboardArgs,
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("rotation").args(["rotate_size", "rotate_every"]).multiple(true))]
pub(crate) struct RecordArgs {
    #[command(flatten)]
    pub(crate) observe: ObserveArgs,
    /// Write a recording to this file
    #[arg(short, long, value_name = "FILE", value_parser = file())]
    pub(crate) output: Option<PathBuf>,
    /// Overwrite FILE if it exists
    #[arg(long, requires = "output")]
    pub(crate) force: bool,
    /// Start a new file (FILE with a number) when the current one has this size, e.g. 100M
    #[arg(long, value_name = "SIZE", value_parser = file_size, requires = "output")]
    pub(crate) rotate_size: Option<u64>,
    /// Start a new file after this time, e.g. 1h
    #[arg(long, value_name = "DURATION", value_parser = rotation_time, requires = "output")]
    pub(crate) rotate_every: Option<Duration>,
    /// Keep the newest N complete files and remove older ones
    #[arg(long, value_name = "N", requires = "rotation", value_parser = value_parser!(u32).range(1..))]
    pub(crate) keep: Option<u32>,
    #[command(flatten)]
    pub(crate) color: ColorArgs,
    /// Print nothing while observing: no status line, and no line at the start and end. Errors and the summary remain
    #[arg(short, long)]
    pub(crate) quiet: bool,
    /// Print one JSON object on standard output, and nothing else
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// Recordings; several are merged into one report. - reads standard input
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// Output format
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: FormatChoice,
    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    pub(crate) json: bool,
    /// Write to this file instead of standard output, which is -
    #[arg(short, long, value_name = "OUT")]
    pub(crate) output: Option<PathBuf>,
    /// Overwrite OUT if it exists
    #[arg(long, requires = "output")]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) color: ColorArgs,
    #[command(flatten)]
    pub(crate) list: ListArgs,
    #[command(flatten)]
    pub(crate) selection: SelectionArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Address to listen on, e.g. localhost:9842 or 0.0.0.0:9842; on any but a loopback address, every host that reaches
    /// it can read the metrics
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9842", value_parser = listen_address)]
    pub(crate) listen: SocketAddr,
    #[command(flatten)]
    pub(crate) observe: ObserveArgs,
    /// Serve the metrics of a recording, to test dashboards and rules
    #[arg(long, value_name = "FILE", hide = true)]
    pub(crate) replay: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// The first recording; - reads standard input
    pub(crate) a: PathBuf,
    /// The second recording; - reads standard input
    pub(crate) b: PathBuf,
    #[command(flatten)]
    pub(crate) selection: SelectionArgs,
    /// Print one JSON object on standard output, and nothing else
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    /// Print the path of the file that live and replay read here, whether it exists or not
    #[arg(long)]
    pub(crate) path: bool,
    /// Check this file
    #[arg(long, conflicts_with = "path")]
    pub(crate) check: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// The subcommand; without one the page of the program
    #[arg(value_parser = clap::builder::PossibleValuesParser::new(manual::PAGES), hide_possible_values = true)]
    #[arg(value_name = "COMMAND")]
    pub(crate) command: Option<String>,
    /// Write all pages to this folder, which must exist
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    pub(crate) dir: Option<PathBuf>,
}

/// When text has colours.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct ColorArgs {
    /// When text has colours
    #[arg(long, value_name = "WHEN", value_enum, default_value_t)]
    pub(crate) color: ColorChoice,
}

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Swap pages of this process out to a zram device set up for the test and in again, and check that exactly these
    /// swap-ins are counted
    #[arg(long)]
    pub(crate) self_test: bool,
    #[command(flatten)]
    setup: SetupArgs,
    #[command(flatten)]
    pub(crate) color: ColorArgs,
    /// Print one JSON object on standard output, and nothing else
    #[arg(long)]
    pub(crate) json: bool,
}

impl DoctorArgs {
    pub(crate) fn setup(&self) -> SetupOptions {
        self.setup.setup()
    }
}

/// Hidden: has itself watched, waits at the gate, then executes the command.
#[derive(Debug, Args)]
pub(crate) struct LaunchArgs {
    /// Descriptor to read.
    pub(crate) gate: i32,
    /// Descriptor of the program that adds this process to the watched tasks.
    pub(crate) identifier: i32,
    /// Descriptor to write the result of that to.
    pub(crate) identified: i32,
    #[arg(last = true, required = true)]
    pub(crate) cmd: Vec<OsString>,
}

/// Hidden: the process of a workload.
#[derive(Debug, Args)]
pub(crate) struct WorkloadArgs {
    /// Descriptor to write messages to.
    pub(crate) messages: i32,
    /// JSON.
    pub(crate) options: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<Cli, clap::error::ErrorKind> {
        Cli::try_parse_from(std::iter::once(&"observer").chain(args)).map_err(|error| error.kind())
    }

    #[test]
    fn the_definition_is_consistent() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn every_command_that_attaches_has_the_hook_options() {
        for command in
            [&[][..], &["live"], &["record"], &["serve"], &["doctor"], &["stress", "storm"], &["bench", "swapin"]]
        {
            for option in [["--backend", "kprobe"], ["--hooks", "lean"]] {
                assert!(parse(&[command, &option].concat()).is_ok(), "{command:?} {option:?}");
            }
        }
        assert!(parse(&["record", "--backend", "uprobe"]).is_err());
        assert!(parse(&["record", "--hooks", "few"]).is_err());
    }

    #[test]
    fn live_is_the_default() {
        let cli = parse(&["--duration", "2s", "--", "sleep", "1"]).unwrap();
        assert!(cli.command.is_none());
        assert_eq!((cli.live.observe.duration, cli.live.observe.cmd.len()), (Some(Duration::from_secs(2)), 2));
    }

    #[test]
    fn wrong_usage_is_rejected() {
        use clap::error::ErrorKind;
        assert_eq!(parse(&["record", "--widen", "20ms"]).unwrap_err(), ErrorKind::MissingRequiredArgument);
        assert_eq!(parse(&["record", "--widen", "2s", "--", "x"]).unwrap_err(), ErrorKind::ValueValidation);
        assert_eq!(parse(&["record", "--ring-size", "5"]).unwrap_err(), ErrorKind::ValueValidation);
        assert_eq!(parse(&["record", "--color", "blue"]).unwrap_err(), ErrorKind::InvalidValue);
        assert_eq!(parse(&["man", "rekord"]).unwrap_err(), ErrorKind::InvalidValue);
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
    fn what_is_listed_and_what_is_read_is_decided_once() {
        use clap::error::ErrorKind;
        for [a, b] in [["--all", "--top=3"], ["--all", "--summary"], ["--summary", "--top=3"]] {
            assert_eq!(parse(&["report", "x", a, b]).unwrap_err(), ErrorKind::ArgumentConflict, "{a} {b}");
        }
        assert_eq!(parse(&["report", "x", "--top", "0"]).unwrap_err(), ErrorKind::ValueValidation);
        assert_eq!(parse(&["report", "x", "--verdict", "loss"]).unwrap_err(), ErrorKind::InvalidValue);
        for command in
            [&["report", "-"][..], &["report", "x", "-o", "-", "--force"], &["diff", "-", "b"], &["report", "./-"]]
        {
            assert!(parse(command).is_ok(), "{command:?}");
        }
        for command in [&["replay", "-"][..], &["record", "-o", "-"], &["doctor", "--btf", "-"]] {
            assert_eq!(parse(command).unwrap_err(), ErrorKind::ValueValidation, "{command:?}");
        }
        let repeated = ["--verdict", "reuse", "--verdict", "stale_install", "--pid", "3", "--pid", "4"];
        for command in [&["report", "x"][..], &["diff", "x", "y"], &["replay", "x"]] {
            assert!(parse(&[command, &repeated].concat()).is_ok(), "{command:?}");
        }
    }

    /// Every option with a value, by command.
    fn options(command: &clap::Command) -> Vec<(String, clap::Arg)> {
        let own = command.get_opts().map(|option| (command.get_name().to_owned(), option.clone()));
        own.chain(command.get_subcommands().flat_map(options)).collect()
    }

    /// The value of an option for `text`, parsed by a command that has nothing else.
    fn value(option: &clap::Arg, text: &str) -> Result<clap::ArgMatches, clap::Error> {
        let bare = clap::Arg::new("bare").long("bare").value_parser(option.get_value_parser().clone());
        clap::Command::new("x").arg(bare).try_get_matches_from(["x", &format!("--bare={text}")])
    }

    const ABSURD: [&str; 26] = [
        "",
        " ",
        "0",
        "-1",
        "-1s",
        "+1",
        "1e300",
        "1e300s",
        "inf",
        "NaN",
        "1/0",
        "1/-1",
        "1/99999999999999999999",
        "0s",
        "0ns",
        "1ns",
        "10y 1ns",
        "1000000y",
        "584542046090y",
        "9223372036854775807s",
        "18446744073709551615s 999999999ns",
        "99999999999999999999999s",
        "4294967296",
        "18446744073709551615",
        "18446744073709551616",
        "17179869184G",
    ];

    #[test]
    fn absurd_numbers_are_usage_errors_or_within_the_range_of_the_option() {
        use std::{any::TypeId, collections::BTreeSet};
        let (mut checked, mut accepted) = (0, BTreeSet::new());
        for (command, option) in options(&<Cli as clap::CommandFactory>::command()) {
            let name = option.get_long().unwrap();
            let Some(kind) = option.get_value_names().map(|names| names[0].to_string()) else { continue };
            let numeric = matches!(kind.as_str(), "DURATION" | "SIZE" | "N" | "1/N" | "PID");
            let id = option.get_value_parser().type_id();
            let number = [TypeId::of::<Duration>(), TypeId::of::<u32>(), TypeId::of::<u64>(), TypeId::of::<f64>()]
                .into_iter()
                .any(|number| id == number);
            assert_eq!(numeric, number, "--{name}: a number is named as one in the help, and nothing else is");
            for text in ABSURD.iter().filter(|_| number) {
                checked += 1;
                let matches = match value(&option, text) {
                    Ok(matches) => matches,
                    Err(error) => {
                        let kind = error.kind();
                        assert!(
                            matches!(
                                kind,
                                clap::error::ErrorKind::ValueValidation | clap::error::ErrorKind::InvalidValue
                            ),
                            "{command} --{name} {text}: {kind:?}"
                        );
                        continue;
                    }
                };
                accepted.insert(format!("--{name} {text}"));
                if let Ok(Some(duration)) = matches.try_get_one::<Duration>("bare") {
                    assert!(*duration <= values::MAX_DURATION, "{command} --{name} {text}");
                    assert!(std::time::Instant::now().checked_add(*duration).is_some(), "{command} --{name} {text}");
                    assert!(u64::try_from(duration.as_nanos()).is_ok(), "{command} --{name} {text}");
                }
            }
        }
        assert!(checked > 20 * ABSURD.len(), "only {checked} values were tried");
        // What has a meaning: numbers with a sign, no delay, a budget that every wait exceeds, large files.
        assert_eq!(
            accepted.into_iter().collect::<Vec<_>>(),
            [
                "--budget 0",
                "--budget 0ns",
                "--budget 0s",
                "--budget 1ns",
                "--fault-seats +1",
                "--free-slots +1",
                "--keep +1",
                "--pages +1",
                "--pid +1",
                "--rotate-size 18446744073709551615",
                "--rotate-size 4294967296",
                "--rounds +1",
                "--size 4294967296",
                "--speed +1",
                "--top +1",
                "--watched-tasks +1",
                "--widen 0",
                "--widen 0ns",
                "--widen 0s",
                "--widen 1ns",
                "--widen-one-in +1",
            ]
        );
    }

    #[test]
    fn an_absurd_duration_is_refused_before_anything_is_started() {
        for option in ["--duration", "--budget"] {
            for command in ["live", "record", "serve"] {
                let error = parse(&[command, option, "1000000y", "--", "x"]).unwrap_err();
                assert_eq!(error, clap::error::ErrorKind::ValueValidation, "{command} {option}");
            }
        }
        for text in ["1ms", "10y"] {
            assert!(parse(&["record", "--duration", text]).is_ok(), "{text}");
        }
        assert!(parse(&["record", "--duration", "999us"]).is_err());
    }

    #[test]
    fn the_commands_in_the_page_on_reactions_are_valid() {
        let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reactions.md")).unwrap();
        let page = page.replace("\\\n", " ");
        let lines: Vec<_> = page.lines().filter_map(|line| line.strip_prefix("$ sudo observer ")).collect();
        assert!(lines.len() >= 7, "the page has {} commands", lines.len());
        for line in lines {
            let words = shlex::split(line).unwrap();
            let words: Vec<_> = words.iter().map(String::as_str).collect();
            assert!(parse(&words).is_ok(), "observer {line}");
        }
    }

    #[test]
    fn the_commands_in_the_readme_are_valid() {
        let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md")).unwrap();
        let host = readme.lines().filter_map(|line| line.strip_prefix("$ sudo target/release/observer"));
        let guest = readme.lines().filter_map(|line| line.strip_prefix("$ cargo xtask vm ")?.split_once("-- observer"));
        let lines: Vec<_> = host.chain(guest.map(|(_, line)| line)).collect();
        assert!(lines.len() >= 6, "the README has {} commands", lines.len());
        for line in lines {
            let words: Vec<_> = line.split('#').next().unwrap().split_whitespace().collect();
            assert!(parse(&words).is_ok(), "observer {line}");
        }
    }
}
