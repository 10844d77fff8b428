//! `cargo xtask demo`: observer at work, on a machine where nothing is installed yet.

use std::{
    io::{self, IsTerminal as _},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result};

use super::KERNELS_HELP;
use crate::{
    arch::Arch,
    build,
    kernels::{Kernel, Sources},
    output::summary::{Finding, Summary},
    setup::{BUILD, GUESTS, Verbosity, ensure},
    trials::{
        race,
        step::{Era, Finished},
    },
    vm::{Guest, Output},
};

/// Reproduce the race in a guest with a vulnerable kernel, then show a fixed kernel
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print two summaries instead of the dashboard; the exit code is 1 if a result is not as expected
    #[arg(long)]
    headless: bool,
    /// The vulnerable kernel: a release, or its start
    #[arg(long, value_name = "V", default_value = "5.10")]
    unfixed: String,
    /// The fixed kernel: a release, or its start
    #[arg(long, value_name = "V", default_value = "6.12")]
    fixed: String,
    #[arg(long, value_name = "DIR", help = KERNELS_HELP)]
    kernels: Option<PathBuf>,
}

/// Rounds on each kernel.
const ROUNDS: u64 = 200;

/// # Errors
/// When a kernel is not available, a build fails or a guest dies.
pub(crate) fn run(args: &Args) -> Result<u8> {
    eprintln!("[1/4] setup: toolchain parts, bpf-linker, QEMU");
    ensure(BUILD, Verbosity::Changes)?;
    ensure(GUESTS, Verbosity::Changes)?;
    eprintln!("[2/4] kernels: {} (vulnerable) and {} (fixed)", args.unfixed, args.fixed);
    let sources = Sources::new(Arch::X86_64, args.kernels.clone())?;
    let unfixed = sources.obtain(&args.unfixed)?;
    let fixed = sources.obtain(&args.fixed)?;
    eprintln!("[3/4] build: observer");
    let observer = build::observer_static(Arch::X86_64)?;
    let mut failed = false;
    for (kernel, era) in [(unfixed, Era::Unfixed), (fixed, Era::Pinned)] {
        eprintln!("[4/4] guest with kernel {}: boot, attach, {ROUNDS} rounds of the race", kernel.release);
        let passed = if args.headless { headless(kernel, era, &observer)? } else { live(kernel, &observer)? };
        failed |= !passed;
    }
    Ok(u8::from(failed))
}

fn guest(kernel: Kernel, observer: &Path, output: Output) -> Guest {
    let timeout = Some(Duration::from_mins(5));
    Guest { observer: Some(observer.to_owned()), output, timeout, ..Guest::new(kernel) }
}

fn command(option: Option<&str>) -> Vec<String> {
    let rounds = ROUNDS.to_string();
    let words = ["observer", "stress", "targeted", "--rounds", &rounds];
    words.into_iter().chain(option).map(str::to_owned).collect()
}

/// The dashboard, or without a terminal the output of observer; whether it passed.
fn live(kernel: Kernel, observer: &Path) -> Result<bool> {
    /// Nothing found, and a stale install found.
    const COMPLETED: [u8; 2] = [0, 10];
    let has_terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
    let outcome = if has_terminal {
        // The user ends the dashboard.
        Guest { timeout: None, ..guest(kernel, observer, Output::Terminal) }.run(&command(Some("--dashboard")))?
    } else {
        guest(kernel, observer, Output::Inherit).run(&command(None))?
    };
    println!();
    Ok(COMPLETED.contains(&outcome.code))
}

/// Prints the summary and whether it is as expected; whether it passed.
fn headless(kernel: Kernel, era: Era, observer: &Path) -> Result<bool> {
    let outcome = guest(kernel, observer, Output::Capture).run(&command(Some("--json")))?;
    let finished = Finished {
        code: i32::from(outcome.code),
        stdout: String::from_utf8_lossy(&outcome.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&outcome.stderr).into_owned(),
    };
    if let Ok(summary) = serde_json::from_str::<Summary>(&finished.stdout) {
        print(&summary)?;
    }
    let checked = race::targeted_rounds(era, ROUNDS, &finished);
    match &checked {
        Ok(_) => println!("PASS\n"),
        Err(wrong) => println!("FAIL: {wrong}\n"),
    }
    Ok(checked.is_ok())
}

fn print(summary: &Summary) -> Result<()> {
    let Summary { kernel, verdicts, swapins, findings, .. } = summary;
    let totals = summary.totals.as_ref().context("observer's summary has no totals")?;
    println!("kernel    {}: {}", kernel.release, kernel.state.text());
    println!("rounds    {}: {} lost data, {} flagged", totals.rounds, totals.lost, totals.flagged);
    println!("compared  matched {}, missed {}, false {}", totals.matched, totals.missed, totals.false_flags);
    println!(
        "verdicts  overlap {}, pin-wait {}, window {}, reuse {}, stale-install {}",
        verdicts.overlap, verdicts.pin_wait, verdicts.window, verdicts.reuse, verdicts.stale_install
    );
    let kernel_count = swapins.kernel.map_or_else(|| "unknown".to_owned(), |count| count.to_string());
    println!("swap-ins  {} seen, {kernel_count} by the kernel's count", swapins.seen);
    if let Some(finding) = findings.first() {
        print_evidence(finding);
    }
    Ok(())
}

/// Times are relative to the start of the read.
fn print_evidence(finding: &Finding) {
    let Finding { reader, entry, address, .. } = finding;
    let since = |at: u64| {
        let microseconds = at.saturating_sub(finding.read_start_ns) / 1_000;
        format!("+{}.{:03} ms", microseconds / 1_000, microseconds % 1_000)
    };
    println!(
        "evidence  first {}: entry {entry}, address {address}, task {} (pid {}, tid {})",
        finding.verdict.replace('_', "-"),
        reader.comm,
        reader.pid,
        reader.tid
    );
    println!("          {:>11}  read starts", since(finding.read_start_ns));
    for (what, action) in
        [("freed", &finding.freed), ("reallocated", &finding.allocated), ("written", &finding.written)]
    {
        if let Some(action) = action {
            println!(
                "          {:>11}  entry {what} by {} (tid {})",
                since(action.at_ns),
                action.by.comm,
                action.by.tid
            );
        }
    }
    println!("          {:>11}  reader installs its page", since(finding.end_ns));
}
