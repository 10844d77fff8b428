//! `cargo xtask`: set-up, guests, tests, benchmarks and packaging of the observer workspace.

mod arch;
mod bench;
mod build;
mod checks;
mod commands;
mod debian;
mod dist;
mod exports;
mod jobs;
mod kernels;
mod output;
mod paths;
mod process;
mod setup;
mod trials;
mod vm;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Set-up, guests, tests, benchmarks and packaging of observer
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
    let result = match Cli::parse().task {
        Task::Setup(args) => commands::setup::run(&args),
        Task::Kernels(args) => commands::kernels::run(&args),
        Task::Vm(args) => commands::vm::run(&args),
        Task::Demo(args) => commands::demo::run(&args),
        Task::Test(args) => commands::test::run(&args),
        Task::Bench(args) => commands::bench::run(&args),
        Task::Mutants(args) => commands::mutants::run(&args),
        Task::Dist(args) => commands::dist::run(&args),
    };
    exit_code(result)
}

fn exit_code(result: Result<u8>) -> ExitCode {
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(error.downcast_ref::<vm::Failure>().map_or(1, vm::Failure::exit_code))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn documented_commands_parse() {
        let page = |path: PathBuf| std::fs::read_to_string(path).unwrap();
        let docs = std::fs::read_dir(paths::workspace().join("docs")).unwrap().map(|entry| entry.unwrap().path());
        let docs = docs.filter(|path| path.extension().is_some_and(|extension| extension == "md")).map(page);
        let pages: String = std::iter::once(page(paths::workspace().join("README.md"))).chain(docs).collect();
        let lines: Vec<_> = pages.lines().filter_map(|line| line.strip_prefix("$ cargo xtask ")).collect();
        assert!(lines.len() >= 5, "found only {lines:?}");
        for line in lines {
            let words = line.split('#').next().unwrap().split_whitespace();
            let parsed = Cli::try_parse_from(std::iter::once("xtask").chain(words));
            assert!(parsed.is_ok(), "cargo xtask {line}: {}", parsed.unwrap_err());
        }
    }
}
