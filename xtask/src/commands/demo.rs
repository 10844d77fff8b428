//! `cargo xtask demo`: the main job on a fresh machine.

use std::{
    io::{self, IsTerminal as _},
    path::PathBuf,
    time::Duration,
};

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::KERNELS_HELP;
use crate::{
    arch::Arch,
    build,
    kernels::{Kernel, Sources},
    setup::{BUILD, GUESTS, Verbosity, ensure},
    trials::{
        checks::{self, Finished, number},
        steps::Era,
    },
    vm::{Guest, Output},
};

/// Make the race happen on an unfixed kernel in a guest and watch observer catch it; then show a fixed kernel.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print two summaries and nothing live; exit code 1 when anything is not as it must be.
    #[arg(long)]
    headless: bool,
    /// The unfixed kernel: a full release, or its start.
    #[arg(long, value_name = "V", default_value = "5.10")]
    unfixed: String,
    /// The fixed kernel.
    #[arg(long, value_name = "V", default_value = "6.12")]
    fixed: String,
    #[arg(long, value_name = "DIR", help = KERNELS_HELP)]
    kernels: Option<PathBuf>,
}

/// Rounds played on each kernel.
const ROUNDS: &str = "200";

/// Runs the demo.
///
/// # Errors
/// When a kernel cannot be had, a build fails or a guest dies.
pub fn run(args: &Args) -> Result<u8> {
    eprintln!("[1/4] set-up: toolchain parts, bpf-linker, QEMU");
    ensure(BUILD, Verbosity::Changes)?;
    ensure(GUESTS, Verbosity::Changes)?;
    eprintln!("[2/4] kernels: {} (unfixed) and {} (fixed)", args.unfixed, args.fixed);
    let sources = Sources::new(Arch::X86_64, args.kernels.clone())?;
    let unfixed = sources.obtain(&args.unfixed)?;
    let fixed = sources.obtain(&args.fixed)?;
    eprintln!("[3/4] build");
    let observer = build::observer_static(Arch::X86_64)?;
    let mut failed = false;
    for (kernel, era) in [(unfixed, Era::Unfixed), (fixed, Era::Pinned)] {
        eprintln!("[4/4] guest with {}: boot, attach, {ROUNDS} rounds of the race", kernel.release);
        failed |= if args.headless { summary(kernel, era, &observer)? } else { live(kernel, &observer)? };
    }
    Ok(u8::from(failed))
}

fn guest(kernel: Kernel, observer: &std::path::Path, output: Output) -> Guest {
    let timeout = Some(Duration::from_mins(5));
    Guest { observer: Some(observer.to_owned()), output, timeout, ..Guest::new(kernel) }
}

fn command(extra: &[&str]) -> Vec<String> {
    ["observer", "stress", "targeted", "--rounds", ROUNDS].iter().chain(extra).map(ToString::to_string).collect()
}

/// The dashboard, where there is a terminal for it; else observer's lines as they come. True: it failed.
fn live(kernel: Kernel, observer: &std::path::Path) -> Result<bool> {
    const SEEN: [u8; 2] = [0, 10];
    let terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
    let outcome = if terminal {
        // Whoever looks decides when it is over.
        Guest { timeout: None, ..guest(kernel, observer, Output::Terminal) }.run(&command(&["--dashboard"]))?
    } else {
        guest(kernel, observer, Output::Inherit).run(&command(&[]))?
    };
    println!();
    Ok(!SEEN.contains(&outcome.code))
}

/// Runs it, prints the summary, and says whether it is what it must be. True: it is not.
fn summary(kernel: Kernel, era: Era, observer: &std::path::Path) -> Result<bool> {
    let outcome = guest(kernel, observer, Output::Capture).run(&command(&["--json"]))?;
    let finished = Finished {
        code: i32::from(outcome.code),
        stdout: String::from_utf8_lossy(&outcome.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&outcome.stderr).into_owned(),
    };
    if let Ok(value) = serde_json::from_str::<Value>(&finished.stdout) {
        print(&value).map_err(anyhow::Error::msg).context("observer's summary lacks something")?;
    }
    match checks::targeted(era, &finished) {
        Ok(_) => println!("as it must be\n"),
        Err(wrong) => println!("NOT as it must be: {wrong}\n"),
    }
    Ok(checks::targeted(era, &finished).is_err())
}

fn print(value: &Value) -> Result<(), String> {
    let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str).unwrap_or("?").to_owned();
    let total = |name: &str| number(value, &format!("/totals/{name}"));
    println!("kernel    {}: {}", text("/kernel/release"), text("/kernel/state"));
    println!("rounds    {}: {} lost a page, {} flagged", total("rounds")?, total("lost")?, total("flagged")?);
    println!("compared  matched {}, missed {}, false {}", total("matched")?, total("missed")?, total("false")?);
    println!(
        "verdicts  overlap {}, pin-wait {}, window {}, reuse {}, stale-install {}",
        number(value, "/verdicts/overlap")?,
        number(value, "/verdicts/pin_wait")?,
        number(value, "/verdicts/window")?,
        number(value, "/verdicts/reuse")?,
        number(value, "/verdicts/stale_install")?,
    );
    println!(
        "swap-ins  {} seen, {} by the kernel's own count",
        number(value, "/swapins/seen")?,
        number(value, "/swapins/kernel")?
    );
    if let Some(finding) = value.pointer("/findings/0") {
        evidence(finding)?;
    }
    Ok(())
}

/// The first finding's evidence, times counted from the start of the read.
fn evidence(finding: &Value) -> Result<(), String> {
    let text = |pointer: &str| finding.pointer(pointer).and_then(Value::as_str).unwrap_or("?").to_owned();
    let read = number(finding, "/read_start_ns")?;
    let since = |pointer: &str| {
        number(finding, pointer).map(|at| {
            let microseconds = at.saturating_sub(read) / 1_000;
            format!("+{}.{:03} ms", microseconds / 1_000, microseconds % 1_000)
        })
    };
    println!(
        "evidence  the first {}: entry {}, address {:#x}, task {} (pid {}, tid {})",
        text("/verdict"),
        text("/entry"),
        number(finding, "/address")?,
        text("/reader/comm"),
        number(finding, "/reader/pid")?,
        number(finding, "/reader/tid")?,
    );
    println!("          its read starts at {read} ns");
    for (what, action) in [("freed", "/freed"), ("reallocated", "/allocated"), ("written", "/written")] {
        if finding.pointer(&format!("{action}/at_ns")).is_some() {
            let by = format!(
                "{} (tid {})",
                text(&format!("{action}/by/comm")),
                number(finding, &format!("{action}/by/tid"))?
            );
            println!("          {:>11}  {what} by {by}", since(&format!("{action}/at_ns"))?);
        }
    }
    println!("          {:>11}  the reader installs what it had read", since("/end_ns")?);
    Ok(())
}
