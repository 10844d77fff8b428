//! `cargo xtask bench`.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::Subcommand;

use super::KERNELS_HELP;
use crate::{
    arch::Arch,
    bench::overhead::{self, Overhead},
    build,
    kernels::Sources,
    paths,
    setup::{BUILD, Voice, ensure, guests},
};

/// Measure what observing costs, in guests that count instructions.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    bench: Bench,
}

#[derive(Debug, Subcommand)]
enum Bench {
    /// Instructions per page swapped in: untraced, and with each set of hooks
    Overhead(OverheadArgs),
}

#[derive(Debug, clap::Args)]
struct OverheadArgs {
    /// A full release, or its beginning; may be given several times
    #[arg(long, value_name = "V", default_values = ["5.10.223", "6.12.117", "6.18.15"])]
    kernel: Vec<String>,
    #[arg(long, value_name = "DIR", help = KERNELS_HELP)]
    kernels: Option<PathBuf>,
    /// Keep the figures as those that later runs are compared with
    #[arg(long)]
    keep: bool,
    /// Fail where observing has become dearer than the kept figures allow
    #[arg(long, conflicts_with = "keep")]
    check: bool,
}

/// Runs a benchmark.
///
/// # Errors
/// When a guest could not be run to its end, or gave no figures.
pub fn run(args: &Args) -> Result<u8> {
    match &args.bench {
        Bench::Overhead(args) => overhead(args),
    }
}

fn overhead(args: &OverheadArgs) -> Result<u8> {
    ensure(guests(Arch::X86_64), Voice::Changes)?;
    ensure(BUILD, Voice::Changes)?;
    let sources = Sources::new(Arch::X86_64, args.kernels.clone())?;
    let path = paths::workspace().join(overhead::KEPT);
    // Looked at first: a check without anything to compare with needs no guests.
    let kept = if args.check { Some(read(&path)?) } else { None };
    let kernels = args.kernel.iter().map(|version| sources.obtain(version)).collect::<Result<Vec<_>>>()?;
    let observer = build::observer_static(Arch::X86_64)?;
    let mut measured = Vec::new();
    for kernel in kernels {
        eprintln!("{}: booting, measuring", kernel.release);
        let figures = overhead::measure(kernel, &observer)?;
        print!("{}", overhead::table(&figures));
        measured.push(figures);
    }
    if args.keep {
        let text = serde_json::to_string_pretty(&measured).context("cannot write the figures as JSON")? + "\n";
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        eprintln!("kept in {}", path.display());
    }
    let Some(kept) = kept else { return Ok(0) };
    let worse = overhead::worse(&kept, &measured);
    for line in &worse {
        println!("FAIL  {line}");
    }
    Ok(u8::from(!worse.is_empty()))
}

fn read(path: &std::path::Path) -> Result<Vec<Overhead>> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("no figures to compare with in {}; make some with --keep", path.display()))?;
    let kept: Vec<Overhead> =
        serde_json::from_str(&text).with_context(|| format!("{} holds no figures", path.display()))?;
    if kept.is_empty() {
        bail!("{} holds no figures; make some with --keep", path.display());
    }
    Ok(kept)
}
