//! `observer` traces swap-ins on a live Linux kernel and reports which entries were swapped in by several tasks at once,
//! which of these were possible ABA windows (CVE-2024-26759), and what waiting on the pin that fixes it costs.
//!
//! Data flows one way: kernel -> probe -> (record) -> engine -> tui / report. `docs/architecture.md` describes the crates.

mod cli;
mod commands;
pub mod dashboard;
mod launch;
mod serve;
pub mod session;

use std::process::ExitCode;

use crate::{
    cli::{Cli, Command},
    commands::filters::FilterError,
};
use clap::Parser as _;
use observer_kernel::survey::Refusal;
use observer_observation::exit::Exit;

/// Runs the program: parses the command line, runs the command, prints an error.
pub fn main() -> ExitCode {
    env_logger::Builder::from_env(env_logger::Env::new().filter_or("OBSERVER_LOG", "warn")).init();
    // Wrong usage: clap prints what and why, and exits with 2.
    let cli = Cli::parse();
    if let Some(Command::Launch(args)) = &cli.command {
        return commands::launch(args.gate, &args.cmd);
    }
    run(cli).unwrap_or_else(|error| report(&error)).into()
}

fn run(cli: Cli) -> anyhow::Result<Exit> {
    match cli.command.unwrap_or(Command::Live(cli.live)) {
        Command::Live(args) => commands::live::run(&args),
        Command::Record(args) => commands::record::run(&args),
        Command::Replay(args) => commands::replay::run(&args),
        Command::Report(args) => commands::report::run(&args),
        Command::Diff(args) => commands::diff::run(&args),
        Command::Serve(args) => commands::serve::run(&args),
        Command::Stress(args) => commands::stress::run(&args),
        Command::Bench(args) => commands::bench::run(&args),
        Command::Doctor(args) => commands::doctor::run(&args),
        Command::Completions(args) => commands::manual::completions(&args),
        Command::Man => commands::manual::man(),
        // Dealt with before: it has no exit code of ours.
        Command::Launch(_) => Ok(Exit::CommandFailed),
        Command::Workload(args) => Ok(commands::stress::workload(&args)),
    }
}

/// One message on standard error, and the exit code that goes with it.
fn report(error: &anyhow::Error) -> Exit {
    eprintln!("observer: {error:#}");
    if error.is::<FilterError>() {
        Exit::Usage
    } else if error.is::<Box<Refusal>>() || error.is::<Refusal>() {
        Exit::Refused
    } else {
        Exit::Failed
    }
}
