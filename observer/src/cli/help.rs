//! What help and manual pages add to the options: examples, files, environment and exit codes, once for both.

use super::LOG_VARIABLE;
use observer_observation::exit::Exit;
use observer_report::units::wrap;

/// A command line, without the name of the program, and what it does.
pub(super) struct Example {
    pub(super) args: &'static str,
    pub(super) what: &'static str,
}

/// A file or a variable, and what it is for.
pub(super) type Item = (&'static str, &'static str);

/// What is to be known of a subcommand beside its options.
pub(super) struct Topic {
    /// Empty: the program itself.
    pub(super) command: &'static str,
    pub(super) examples: &'static [Example],
    pub(super) files: &'static [&'static [Item]],
    pub(super) exits: &'static [Exit],
    pub(super) see_also: &'static [&'static str],
}

/// With their meaning: `meaning`.
const OBSERVATION: &[Exit] = &[
    Exit::Clean,
    Exit::Usage,
    Exit::Refused,
    Exit::Failed,
    Exit::StaleInstall,
    Exit::OverBudget,
    Exit::Inconclusive,
    Exit::CommandFailed,
];
const RECORDING: &[Exit] = &[
    Exit::Clean,
    Exit::Usage,
    Exit::Failed,
    Exit::StaleInstall,
    Exit::OverBudget,
    Exit::Inconclusive,
    Exit::CommandFailed,
];
const MEASUREMENT: &[Exit] = &[Exit::Clean, Exit::Usage, Exit::Refused, Exit::Failed];
const OUTPUT: &[Exit] = &[Exit::Clean, Exit::Usage, Exit::Failed];

const OF_KERNEL: &[Item] = &[
    ("/sys/kernel/btf/vmlinux", "the kernel's types; --btf FILE replaces them where the command has it"),
    ("/proc/kallsyms", "the kernel's symbols; only names are needed"),
    ("/proc/swaps", "the swap areas in use"),
    ("/proc/vmstat", "the kernel's own counts of swap-ins, printed beside those of the observer"),
    ("/sys/kernel/tracing", "for return probes; mounted for observer alone if it is not mounted"),
];
const OF_RECORDING: &[Item] = &[
    ("FILE.partial", "a recording while it is written, and one that could not be completed; report reads it"),
    ("swap.000001.obs, ...", "the parts of swap.obs with --rotate-size or --rotate-every"),
];
const OF_REPORT: &[Item] = &[("OUT.partial", "the output while it is written")];
const OF_DASHBOARD: &[Item] = &[(
    "$XDG_CONFIG_HOME/observer/config.toml",
    "the configuration of the dashboard; without the variable in ~/.config, under sudo in the home folder of the invoking \
     user",
)];
const OF_WORKLOAD: &[Item] =
    &[("/sys/class/zram-control", "a zram device is added, and removed at the end; the module is loaded if necessary")];

pub(super) const TOPICS: [Topic; 13] = [
    Topic {
        command: "",
        examples: &[
            Example { args: "doctor", what: "can this host be observed, and is it vulnerable?" },
            Example { args: "", what: "the dashboard" },
            Example { args: "record -o swap.obs --duration 60s", what: "keep what happens in one minute" },
            Example { args: "report swap.obs", what: "was data lost, whose, and what did waiting cost?" },
        ],
        files: &[OF_KERNEL, OF_RECORDING],
        exits: OBSERVATION,
        see_also: &[],
    },
    Topic {
        command: "live",
        examples: &[
            Example { args: "live --device zram0", what: "only entries of one swap device" },
            Example { args: "live --duration 5min --budget 1ms", what: "end after 5 minutes; report waits above 1 ms" },
            Example { args: "live -- ./my-workload", what: "only this command and its children" },
        ],
        files: &[OF_KERNEL, OF_DASHBOARD],
        exits: OBSERVATION,
        see_also: &["record", "replay", "config", "doctor"],
    },
    Topic {
        command: "record",
        examples: &[
            Example { args: "record -o swap.obs --duration 60s", what: "record the host for a minute" },
            Example { args: "record --json -- ./my-workload", what: "the summary of one command, as JSON" },
            Example {
                args: "record --pid 4711 --budget 1ms",
                what: "one process until Ctrl-C; 11 after a longer wait",
            },
            Example {
                args: "record -o swap.obs --rotate-size 100M --keep 10",
                what: "for days: the newest gigabyte is kept",
            },
        ],
        files: &[OF_KERNEL, OF_RECORDING],
        exits: OBSERVATION,
        see_also: &["report", "replay", "diff"],
    },
    Topic {
        command: "replay",
        examples: &[
            Example { args: "replay swap.obs", what: "the dashboard over a recording; ? lists the keys" },
            Example { args: "replay swap.obs --at 17:03:11 --speed 0.25", what: "slowly, from this time on" },
        ],
        files: &[OF_RECORDING, OF_DASHBOARD],
        exits: RECORDING,
        see_also: &["record", "report", "config"],
    },
    Topic {
        command: "report",
        examples: &[
            Example { args: "report swap.obs", what: "text for a terminal" },
            Example { args: "report swap.obs --format html -o swap.html", what: "one self-contained page" },
            Example { args: "report swap.obs --format perfetto -o swap.json", what: "a trace for ui.perfetto.dev" },
            Example { args: "report host-a.obs host-b.obs --json", what: "several recordings, merged, as JSON" },
        ],
        files: &[OF_RECORDING, OF_REPORT],
        exits: RECORDING,
        see_also: &["record", "diff", "replay"],
    },
    Topic {
        command: "diff",
        examples: &[
            Example { args: "diff before.obs after.obs", what: "did it become better?" },
            Example { args: "diff before.obs after.obs --json", what: "the same for a script" },
        ],
        files: &[OF_RECORDING],
        exits: OUTPUT,
        see_also: &["record", "report"],
    },
    Topic {
        command: "serve",
        examples: &[
            Example { args: "serve", what: "http://127.0.0.1:9842/metrics" },
            Example { args: "serve --listen 0.0.0.0:9842", what: "for every host that reaches this one" },
            Example { args: "serve --listen localhost:9900 --sample 1/16", what: "at a lower cost" },
        ],
        files: &[OF_KERNEL],
        exits: OBSERVATION,
        see_also: &["record", "doctor"],
    },
    Topic {
        command: "stress",
        examples: &[
            Example { args: "stress targeted", what: "the race, round by round; 10 if a flag shows data loss" },
            Example { args: "stress targeted --rounds 1000 --json", what: "for a script" },
            Example { args: "stress storm --duration 5min --threads 8", what: "a crowd, which loses increments" },
        ],
        files: &[OF_KERNEL, OF_WORKLOAD],
        exits: OBSERVATION,
        see_also: &["doctor", "bench"],
    },
    Topic {
        command: "bench",
        examples: &[
            Example { args: "bench swapin", what: "the cost of a swap-in, by path, with and without observing" },
            Example { args: "bench swapin --size 64M --rounds 10 --rows direct,pin", what: "two rows, more precisely" },
            Example { args: "bench swapin --bare", what: "without attaching anything" },
        ],
        files: &[OF_KERNEL, OF_WORKLOAD],
        exits: MEASUREMENT,
        see_also: &["stress"],
    },
    Topic {
        command: "doctor",
        examples: &[
            Example { args: "doctor", what: "reasons and remedies, in text" },
            Example { args: "doctor --self-test", what: "also swaps 32 pages out and in, and checks the counts" },
            Example { args: "doctor --json", what: "for a fleet, or a bug report" },
        ],
        files: &[OF_KERNEL, OF_WORKLOAD],
        exits: &[Exit::Clean, Exit::Usage, Exit::Refused, Exit::Failed, Exit::Inconclusive],
        see_also: &["record", "stress"],
    },
    Topic {
        command: "config",
        examples: &[
            Example { args: "config > config.toml", what: "a file to start from, with comments" },
            Example { args: "config --path", what: "where it is read" },
            Example { args: "config --check", what: "is it valid?" },
        ],
        files: &[OF_DASHBOARD],
        exits: OUTPUT,
        see_also: &["live", "replay"],
    },
    Topic {
        command: "completions",
        examples: &[Example {
            args: "completions bash",
            what: "to /usr/share/bash-completion/completions/observer, for example",
        }],
        files: &[],
        exits: OUTPUT,
        see_also: &["man"],
    },
    Topic {
        command: "man",
        examples: &[
            Example { args: "man | man -l -", what: "the page of the program" },
            Example { args: "man record | man -l -", what: "the page of a subcommand" },
            Example { args: "man --dir /usr/local/share/man/man8", what: "install all pages" },
        ],
        files: &[],
        exits: OUTPUT,
        see_also: &["completions"],
    },
];

const ENVIRONMENT: [Item; 6] = [
    (LOG_VARIABLE, "log level: error, warn (default), info, debug (with the log of the verifier)"),
    ("NO_COLOR", "if not empty: no colours, unless --color always"),
    ("TERM, COLORTERM", "the colours of the dashboard; dumb or unset: none in text either"),
    ("LC_ALL, LC_CTYPE, LANG", "a UTF-8 locale: Unicode characters in the dashboard and in text; otherwise ASCII"),
    ("COLUMNS, LINES", "the size of a terminal that does not report one"),
    ("XDG_CONFIG_HOME, HOME", "where the configuration of the dashboard is; observer config --path prints it"),
];

/// The variables that every command reads.
pub(super) const fn environment() -> &'static [Item] {
    &ENVIRONMENT
}

pub(super) const fn meaning(exit: Exit) -> &'static str {
    match exit {
        Exit::Clean => "nothing found",
        Exit::Usage => "wrong usage",
        Exit::Refused => "this host does not allow it; the message has the reason and the remedy",
        Exit::Failed => "I/O or data error",
        Exit::StaleInstall => "a stale install was detected",
        Exit::OverBudget => "a wait exceeded --budget",
        Exit::Inconclusive => {
            "dropped events, a degraded hook or a --device that was switched off or on make the result inconclusive"
        }
        Exit::CommandFailed => "the command given with -- failed",
    }
}

/// The topic of a subcommand; `None`: it has none.
pub(super) fn topic(command: &str) -> Option<&'static Topic> {
    TOPICS.iter().find(|topic| topic.command == command)
}

/// Columns of the help: the parser breaks longer lines without indentation.
const WIDTH: usize = 80;

/// A label, and beside it a text from a column on.
fn row(label: &str, column: usize, text: &str) -> String {
    let lines = wrap(text, WIDTH - column);
    let line = |(number, line): (usize, &String)| {
        let label = if number == 0 { label } else { "" };
        format!("{label:column$}{line}\n")
    };
    lines.iter().enumerate().map(line).collect::<Vec<_>>().concat()
}

/// What follows the options in the help of the program.
pub(super) fn of_program() -> String {
    let exit_code = |exit: &Exit| row(&format!("  {:>2}", *exit as u8), 6, meaning(*exit));
    let exit_codes = OBSERVATION.iter().map(exit_code).collect::<Vec<_>>().concat();
    let column = ENVIRONMENT.iter().map(|(name, _)| name.len()).max().unwrap_or(0) + 4;
    let environment = ENVIRONMENT.map(|(name, what)| row(&format!("  {name}"), column, what)).concat();
    format!("{}\nExit codes:\n{exit_codes}\nEnvironment:\n{}", examples(""), environment.trim_end())
}

/// What follows the options in the help of a subcommand.
pub(super) fn of(command: &str) -> String {
    format!("{}\nEnvironment ({LOG_VARIABLE}, NO_COLOR, ...) and exit codes: observer --help", examples(command))
}

fn examples(command: &str) -> String {
    let examples = topic(command).map_or(&[][..], |topic| topic.examples);
    let line = |example: &Example| format!("  {}\n      {}\n", command_line(example.args), example.what);
    format!("Examples:\n{}", examples.iter().map(line).collect::<Vec<_>>().concat())
}

/// As typed in a shell.
pub(super) fn command_line(args: &str) -> String {
    format!("observer {args}").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use clap::{CommandFactory as _, Parser as _};

    #[test]
    fn every_subcommand_has_a_topic_with_examples_that_are_valid() {
        let command = Cli::command();
        let shown = command.get_subcommands().filter(|subcommand| !subcommand.is_hide_set());
        for name in shown.map(clap::Command::get_name).chain([""]) {
            let topic = topic(name).unwrap_or_else(|| panic!("{name} has no topic"));
            assert!(!topic.examples.is_empty(), "{name}");
            for example in topic.examples {
                let words = example.args.split(['|', '>']).next().unwrap().split_whitespace();
                assert!(words.clone().next().is_none_or(|first| name.is_empty() || first == name), "{}", example.args);
                let parsed = Cli::try_parse_from(std::iter::once("observer").chain(words));
                let is_help = |error: &clap::Error| error.kind() == clap::error::ErrorKind::DisplayHelp;
                assert!(parsed.is_ok() || parsed.as_ref().is_err_and(is_help), "{}: {parsed:?}", example.args);
            }
        }
    }

    #[test]
    fn the_help_of_every_subcommand_ends_with_examples_and_the_variables() {
        let mut command = Cli::command();
        command.build();
        for subcommand in command.get_subcommands_mut().filter(|one| !one.is_hide_set() && one.get_name() != "help") {
            let help = subcommand.render_long_help().to_string();
            let expected = format!("Examples:\n  observer {}", subcommand.get_name());
            assert!(help.contains(&expected) && help.contains(LOG_VARIABLE), "{help}");
        }
        let help = command.render_long_help().to_string();
        let after = help.split_once("Examples:").unwrap().1;
        assert_eq!(after.lines().find(|line| line.len() > WIDTH), None);
        for part in ["Examples:\n  observer doctor", "Exit codes:\n", " 11  a wait exceeded", LOG_VARIABLE, "NO_COLOR"]
        {
            assert!(help.contains(part), "{part}: {help}");
        }
    }
}
