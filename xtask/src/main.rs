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
}

fn main() -> ExitCode {
    let done = match Cli::parse().task {
        Task::Setup(args) => commands::setup::run(&args),
        Task::Kernels(args) => commands::kernels::run(&args),
        Task::Vm(args) => commands::vm::run(&args),
        Task::Demo(args) => commands::demo::run(&args),
        Task::Test(args) => commands::test::run(&args),
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
