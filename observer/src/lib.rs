//! `observer` traces swap-ins on a live Linux kernel and reports which swap entries several tasks swap in at once,
//! which of these faults were possible ABA windows (CVE-2024-26759), and what waiting for the pin that fixes it costs.
//!
//! Data flows one way: kernel, probe, (recording), engine, output. `docs/architecture.md` describes the crates.

mod cli;
mod commands;
mod config;
pub mod dashboard;
mod launch;
mod messages;
mod reactions;
mod serve;
pub mod session;
mod signals;

use std::{io::Write as _, process::ExitCode};

use crate::{cli::Command, commands::error, dashboard::terminal, launch::Inherited};
use observer_report::units;

/// Parses the command line, runs the command, and prints its error.
pub fn main() -> ExitCode {
    signals::keep_exit_status_of_children();
    logging();
    units::choose_micro(terminal::environment(false).is_utf8());
    // On wrong usage clap prints a message and exits with 2.
    let cli = cli::parse(std::env::args_os()).unwrap_or_else(|error| error.exit());
    run(cli.command.unwrap_or(Command::Live(cli.live))).unwrap_or_else(|error| error::report(&error).into())
}

/// Logs to standard error. A message can have names from outside, so it is one line of printable characters.
fn logging() {
    let environment = env_logger::Env::new().filter_or(cli::LOG_VARIABLE, "warn");
    env_logger::Builder::from_env(environment)
        .format(|out, record| writeln!(out, "{}{}", messages::make_way(), log_line(&out.timestamp_seconds(), record)))
        .init();
}

fn log_line(time: &dyn std::fmt::Display, record: &log::Record<'_>) -> String {
    let (level, target) = (record.level(), record.target());
    let message = record.args().to_string();
    format!("[{time} {level:<5} {target}] {}", observer_text::line(&message))
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    let exit = match command {
        Command::Live(args) => commands::live::run(&args)?,
        Command::Record(args) => commands::record::run(&args)?,
        Command::Replay(args) => commands::replay::run(&args)?,
        Command::Report(args) => commands::report::run(&args)?,
        Command::Diff(args) => commands::diff::run(&args)?,
        Command::Serve(args) => commands::serve::run(&args)?,
        Command::Stress(args) => commands::stress::run(&args)?,
        Command::Bench(args) => commands::bench::run(&args)?,
        Command::Doctor(args) => commands::doctor::run(&args)?,
        Command::Config(args) => commands::config::run(&args)?,
        Command::Completions(args) => commands::manual::completions(&args)?,
        Command::Man(args) => commands::manual::man(&args)?,
        Command::Launch(args) => {
            // SAFETY: `Launch::spawn` created these descriptors for this process and passed their numbers.
            let inherited = unsafe { Inherited::new([args.gate, args.identifier, args.identified]) };
            return Ok(launch::execute(inherited, &args.cmd));
        }
        Command::Workload(args) => commands::stress::run_workload(args.messages, &args.options),
    };
    Ok(exit.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_message_is_one_line_of_printable_characters() {
        let record = |args| log::Record::builder().level(log::Level::Warn).target("observer").args(args).build();
        let line = log_line(&"now", &record(format_args!("no a\u{1b}[2J\n[now ERROR x] forged\u{202e}")));
        assert_eq!(line, r"[now WARN  observer] no a\x1b[2J\x0a[now ERROR x] forged\u{202e}");
    }
}
