//! The independent witness: a program for `observer record -- witness ...`. It does not know observer, and reports what
//! happened to its own pages.
//!
//! It needs root, a kernel with zram and no swap in use: it makes a zram device, swaps on it and removes it. With
//! `--here`, and in `far`, it uses the swap that is in use. It prints one JSON object on standard output. Exit codes: 0
//! whatever happened to the pages, 1 if it could not run, 2 for wrong usage, 128 + the signal's number if it was
//! stopped.

mod aba;
mod churn;
mod contain;
mod crowd;
mod failure;
mod far;
mod hold;
mod host;
mod memory;
mod ring;
mod service;
mod signals;
mod swap;
mod thread_exec;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use serde_json::Value;

use failure::Result;

#[derive(Debug, Parser)]
#[command(name = "witness")]
struct Cli {
    #[command(subcommand)]
    mode: Mode,
}

#[derive(Debug, Subcommand)]
enum Mode {
    /// Many swap-ins, counted and checked
    Churn(churn::Options),
    /// The race; the thread `victim` has to be delayed from outside
    Aba(aba::Options),
    /// Run a program in a container
    Contain(contain::Options),
    /// Threads that are inside a swap-in at the same moment
    Crowd(crowd::Options),
    /// Swap entries far apart, on the swap that is in use
    Far(far::Options),
    /// Threads that wait for a page on which `victim`, delayed from outside, faults first
    Hold(hold::Options),
    /// Swap-ins by workers of `io_uring`
    Ring(ring::Options),
    /// Run a program with the privileges of the systemd unit
    Service(service::Options),
    /// Execute a program from the second thread of this process
    ThreadExec(thread_exec::Options),
}

fn main() -> ExitCode {
    match run(Cli::parse().mode) {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("witness: {failure}");
            ExitCode::from(1)
        }
    }
}

fn run(mode: Mode) -> Result<ExitCode> {
    if let Mode::Service(options) = &mode {
        match service::exec(options)? {}
    }
    if let Mode::ThreadExec(options) = &mode {
        match thread_exec::exec(options)? {}
    }
    if let Mode::Contain(options) = &mode {
        return contain::run(options);
    }
    signals::catch()?;
    let report: Value = match mode {
        Mode::Aba(options) if options.fork => return aba::run_in_a_child(&options),
        Mode::Aba(options) => aba::run(&options)?,
        Mode::Hold(options) => hold::run(&options)?,
        Mode::Churn(options) => churn::run(&options)?,
        Mode::Crowd(options) => crowd::run(&options)?,
        Mode::Far(options) => far::run(&options)?,
        Mode::Ring(options) => ring::run(&options)?,
        // This process has become another program, or has run one.
        Mode::Contain(_) | Mode::Service(_) | Mode::ThreadExec(_) => Value::Null,
    };
    println!("{report}");
    let Some(signal) = signals::caught() else { return Ok(ExitCode::SUCCESS) };
    eprintln!("witness: stopped by signal {signal}; the report covers the time until then");
    Ok(ExitCode::from(u8::try_from(128 + signal).unwrap_or(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> std::result::Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split(' '))
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        for line in [
            "witness churn --pages 8 --threads 9 --rounds 1",
            "witness churn --pages 300 --threads 257 --rounds 1",
            "witness churn --pages 8 --threads 1 --rounds 0",
            "witness churn --pages 8 --threads 1 --rounds 1 --shmem --folios",
            "witness crowd --threads 0 --rounds 1",
            "witness far --pages 4 --groups 5",
            "witness hold --rounds 1 --threads 17",
        ] {
            let refused = parse(line).map(|cli| match cli.mode {
                Mode::Churn(options) => options.check(),
                Mode::Far(options) => options.check(),
                _ => Ok(()),
            });
            assert!(!matches!(refused, Ok(Ok(()))), "{line}");
        }
    }

    #[test]
    fn the_command_lines_of_xtask_are_accepted() {
        for line in [
            "witness churn --here --pages 1024 --threads 1 --rounds 4",
            "witness churn --pages 2048 --threads 8 --rounds 4 --shared --folios",
            "witness aba --rounds 60 --fork",
            "witness aba --rounds 1000 --pause 4 --fork",
            "witness contain --ahead -86400 --with host-dev,tracefs observer record --json -- /witness churn --pages 8",
            "witness crowd --threads 100 --rounds 1 --report /tmp/inside",
            "witness crowd --threads 64 --rounds 1 --same-page",
            "witness far --pages 4096 --groups 8 --report /tmp/span",
            "witness hold --rounds 24 --threads 2",
            "witness ring --pages 2048",
            "witness service /bin/observer serve --listen 127.0.0.1:9842",
            "witness thread-exec /witness churn --pages 2048 --threads 1 --rounds 1",
        ] {
            assert!(parse(line).is_ok(), "{line}");
        }
    }
}
