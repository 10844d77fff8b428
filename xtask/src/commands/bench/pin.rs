//! What waiting on the pin costs, kernel by kernel: `observer bench swapin` in a guest with each.

use std::{fs, path::PathBuf, time::Duration};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::tables;
use crate::{
    arch::Arch,
    build,
    commands::KERNELS_HELP,
    kernels::{Kernel, Sources, Unavailable},
    paths,
    setup::{BUILD, GUESTS, Verbosity, ensure},
    vm::{Guest, Output},
};

/// What waiting on the pin costs on each kernel, and what the pin costs where nobody waits.
///
/// Two guests for each kernel: one with two CPUs, in which two threads race for a part of the pages; and one that counts
/// instructions, in which nobody does.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only these kernels (full releases or their start); may be given several times [default: all that can be had]
    #[arg(long, value_name = "V")]
    kernel: Vec<String>,
    /// How much each round swaps in.
    #[arg(long, value_name = "S", default_value = "2M")]
    size: String,
    /// Rounds of each row.
    #[arg(long, value_name = "N", default_value_t = 3)]
    rounds: u32,
    #[arg(long, value_name = "DIR", help = KERNELS_HELP)]
    kernels: Option<PathBuf>,
    /// Write the tables into docs/pin-cost.md
    #[arg(long)]
    write: bool,
}

/// A guest for one kernel.
const LIMIT: Duration = Duration::from_mins(10);
/// The page that holds the tables.
const PAGE: &str = "docs/pin-cost.md";

/// What one kernel gave: under contention, and counted.
pub(super) struct Measured {
    pub(super) release: String,
    pub(super) contended: Value,
    pub(super) counted: Value,
}

/// Runs the guests and prints the tables.
///
/// # Errors
/// When a guest cannot be run, or what it prints is not what it should be.
pub(super) fn run(args: &Args) -> Result<u8> {
    ensure(GUESTS, Verbosity::Changes)?;
    ensure(BUILD, Verbosity::Changes)?;
    let kernels = kernels(args)?;
    let observer = build::observer_static(Arch::X86_64)?;
    let mut all = Vec::new();
    for kernel in kernels {
        eprintln!("{}: two threads race for pages", kernel.release);
        let contended = guest(args, &kernel, &observer, false)?;
        eprintln!("{}: counted", kernel.release);
        let counted = guest(args, &kernel, &observer, true)?;
        all.push(Measured { release: kernel.release, contended, counted });
    }
    let tables = tables::tables(&all)?;
    println!("{tables}");
    if args.write {
        let page = paths::workspace().join(PAGE);
        let text = fs::read_to_string(&page).with_context(|| format!("cannot read {PAGE}"))?;
        fs::write(&page, tables::put(&text, &tables)?).with_context(|| format!("cannot write {PAGE}"))?;
    }
    Ok(0)
}

/// Those asked for, or all that can be had, oldest first.
fn kernels(args: &Args) -> Result<Vec<Kernel>> {
    let sources = Sources::new(Arch::X86_64, args.kernels.clone())?;
    let mut all = Vec::new();
    if args.kernel.is_empty() {
        for (release, _) in sources.list() {
            match sources.obtain(&release) {
                Err(error) if error.is::<Unavailable>() => eprintln!("skipped: {error:#}"),
                kernel => all.push(kernel?),
            }
        }
    }
    for version in &args.kernel {
        all.push(sources.obtain(version)?);
    }
    if all.is_empty() {
        bail!("no kernel can be had; `cargo xtask kernels list` says where they would come from");
    }
    Ok(all)
}

/// Runs the benchmark in a guest; its JSON, which stays under target/ too.
fn guest(args: &Args, kernel: &Kernel, observer: &std::path::Path, counted: bool) -> Result<Value> {
    let rows = if counted { "direct,cached,pin" } else { "contended" };
    let rounds = args.rounds.to_string();
    let words = ["observer", "bench", "swapin", "--json", "--size", &args.size, "--rounds", &rounds, "--rows", rows]
        .map(str::to_owned);
    let guest = Guest {
        smp: if counted { 1 } else { 2 },
        icount: counted,
        observer: Some(observer.to_owned()),
        timeout: Some(LIMIT),
        output: Output::Capture,
        ..Guest::new(kernel.clone())
    };
    let outcome = guest.run(&words)?;
    let (stdout, stderr) = (String::from_utf8_lossy(&outcome.stdout), String::from_utf8_lossy(&outcome.stderr));
    if outcome.code != 0 {
        bail!("kernel {}: observer ended with {}: {}", kernel.release, outcome.code, stderr.trim());
    }
    let dir = paths::target().join("bench-pin");
    fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let kind = if counted { "counted" } else { "contended" };
    let file = dir.join(format!("{}-{kind}.json", kernel.release));
    fs::write(&file, stdout.as_bytes()).with_context(|| format!("cannot write {}", file.display()))?;
    serde_json::from_str(&stdout).with_context(|| format!("kernel {}: no JSON: {}", kernel.release, stderr.trim()))
}
