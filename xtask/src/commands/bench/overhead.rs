//! `cargo xtask bench overhead`: what observing costs.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};

use crate::{
    arch::Arch,
    bench::{
        overhead::{self, Overhead, Part, Programs},
        sets,
    },
    build,
    commands::KERNELS_HELP,
    kernels::{Kernel, Sources, Unavailable},
    paths,
    setup::{BUILD, Verbosity, ensure, guests},
};

/// Instructions per page swapped in, in guests that count them: untraced, with each set of hooks, with each hook, beside
/// the dashboard, and with what people use today.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A full release, or its start; may be given several times
    #[arg(long, value_name = "V", default_values = ["5.10.223", "6.12.117", "6.18.15"])]
    kernel: Vec<String>,
    #[arg(long, value_name = "DIR", help = KERNELS_HELP)]
    kernels: Option<PathBuf>,
    /// What to measure; may be given several times [default: all; with --check: sets]
    #[arg(long, value_name = "PART", value_enum)]
    part: Vec<Part>,
    /// Keep the figures of these kernels as those that later runs are compared with
    #[arg(long, conflicts_with = "part")]
    keep: bool,
    /// Fail where observing has become dearer than the kept figures allow
    #[arg(long, conflicts_with = "keep")]
    check: bool,
}

/// Measures, prints, and keeps or compares.
///
/// # Errors
/// When a guest could not be run to its end, or gave no figures.
pub(super) fn run(args: &Args) -> Result<u8> {
    ensure(guests(Arch::X86_64), Verbosity::Changes)?;
    ensure(BUILD, Verbosity::Changes)?;
    let sources = Sources::new(Arch::X86_64, args.kernels.clone())?;
    let path = paths::workspace().join(overhead::KEPT);
    // Looked at first: a check without anything to compare with needs no guests.
    let kept = if args.check { Some(read(&path)?) } else { None };
    let kernels = obtain(&sources, &args.kernel)?;
    let observer = build::observer_static(Arch::X86_64)?;
    let parts = parts(args);
    let spectator = parts.contains(&Part::Screen).then(|| build::spectator_static(Arch::X86_64)).transpose()?;
    let programs = Programs { observer: &observer, spectator: spectator.as_deref() };
    let mut measured = Vec::new();
    for kernel in kernels {
        measured.push(overhead::measure(&kernel, programs, &parts)?);
    }
    print!("{}", overhead::tables(&measured));
    if args.keep {
        // Those of kernels that were not measured stay.
        let before = if path.exists() { read(&path)? } else { Vec::new() };
        let all = overhead::kept_with(before, &measured);
        let text = serde_json::to_string_pretty(&all).context("cannot write the figures as JSON")? + "\n";
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        eprintln!("kept in {}", path.display());
    }
    let Some(kept) = kept else { return Ok(0) };
    let worse = sets::worse(&kept, &measured);
    for line in &worse {
        println!("FAIL  {line}");
    }
    Ok(u8::from(!worse.is_empty()))
}

/// What is measured unless told: a check compares sets only.
fn parts(args: &Args) -> Vec<Part> {
    if !args.part.is_empty() {
        return args.part.clone();
    }
    if args.check { vec![Part::Sets] } else { Part::ALL.to_vec() }
}

/// The kernels that can be had; the others are skipped by name.
fn obtain(sources: &Sources, wanted: &[String]) -> Result<Vec<Kernel>> {
    let mut kernels = Vec::new();
    for version in wanted {
        match sources.obtain(version) {
            Ok(kernel) => kernels.push(kernel),
            Err(error) if error.is::<Unavailable>() => eprintln!("skip  {error:#}"),
            Err(error) => return Err(error),
        }
    }
    if kernels.is_empty() {
        bail!("none of these kernels can be had, so nothing was measured");
    }
    Ok(kernels)
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
