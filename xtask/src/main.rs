//! `cargo xtask`: the chores of the workspace, one subcommand each.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use xtask::{commands, vm};

/// Chores of the observer workspace.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    Setup(commands::setup::Args),
    Kernels(commands::kernels::Args),
    Vm(commands::vm::Args),
    Demo(commands::demo::Args),
    Test(commands::test::Args),
    Bench(commands::bench::Args),
    Mutants(commands::mutants::Args),
    Dist(commands::dist::Args),
}

fn main() -> ExitCode {
    let done = match Cli::parse().task {
        Task::Setup(args) => commands::setup::run(&args),
        Task::Kernels(args) => commands::kernels::run(&args),
        Task::Vm(args) => commands::vm::run(&args),
        Task::Demo(args) => commands::demo::run(&args),
        Task::Test(args) => commands::test::run(&args),
        Task::Bench(args) => commands::bench::run(&args),
        Task::Mutants(args) => commands::mutants::run(&args),
        Task::Dist(args) => commands::dist::run(&args),
    };
    exit_code(done)
}

fn exit_code(done: Result<u8>) -> ExitCode {
    match done {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(error.downcast_ref::<vm::Failure>().map_or(1, vm::Failure::exit_code))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every `cargo xtask` line of the README, and of the pages whose tables this program prints, is one that it takes.
    #[test]
    fn the_readme_shows_commands_that_exist() {
        let text = |page| std::fs::read_to_string(xtask::paths::workspace().join(page)).unwrap();
        let readme = text("README.md") + &text("docs/pin-cost.md") + &text("docs/overhead.md");
        let lines: Vec<_> = readme.lines().filter_map(|line| line.strip_prefix("$ cargo xtask ")).collect();
        assert!(lines.len() >= 5, "where have the commands gone?");
        for line in lines {
            let words = line.split('#').next().unwrap().split_whitespace();
            let parsed = Cli::try_parse_from(std::iter::once("xtask").chain(words));
            assert!(parsed.is_ok(), "cargo xtask {line}: {}", parsed.unwrap_err());
        }
    }
}
