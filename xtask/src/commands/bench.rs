//! `cargo xtask bench`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

use super::{KERNEL_HELP, KERNELS_HELP};
use crate::{
    arch::Arch,
    bench::{
        counted::Counted,
        figures::Overhead,
        fix, markdown,
        overhead::{self, Part, Programs},
        pin, scaling,
    },
    build,
    debian::Unavailable,
    kernels::{Kernel, Sources, version},
    paths,
    setup::{BUILD, GUESTS, Verbosity, ensure},
};

/// Run benchmarks in guests and print tables
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    benchmark: Benchmark,
}

#[derive(Debug, clap::Subcommand)]
enum Benchmark {
    Pin(PinArgs),
    Overhead(OverheadArgs),
    Scaling(ScalingArgs),
    Fix(FixArgs),
}

/// What waiting on the pin costs on each kernel, and what the pin costs without contention
///
/// Runs two guests for each kernel: one with two CPUs, in which two threads access some of the pages at the same
/// moment, and one that counts instructions.
#[derive(Debug, clap::Args)]
struct PinArgs {
    #[arg(long, value_name = "V", help = "Kernel release, or its start; may be repeated [default: all available]")]
    kernel: Vec<String>,
    /// How much each round swaps in
    #[arg(long, value_name = "S", default_value = "2M")]
    size: String,
    /// Rounds of each row
    #[arg(long, value_name = "N", default_value_t = 3)]
    rounds: u32,
    #[arg(long, value_name = "DIR", help = KERNELS_HELP)]
    kernels: Option<PathBuf>,
    /// Write the tables to docs/pin-cost.md
    #[arg(long)]
    write: bool,
}

/// What observing adds to a swap-in, in instructions
///
/// Counted in guests: untraced, with each set of hooks, with each hook, with the dashboard, and with other tools.
#[derive(Debug, clap::Args)]
struct OverheadArgs {
    /// Kernel release, or its start; may be repeated
    #[arg(long, value_name = "V", default_values = ["5.10.223", "6.12.117", "6.18.15"])]
    kernel: Vec<String>,
    #[arg(long, value_name = "DIR", help = KERNELS_HELP)]
    kernels: Option<PathBuf>,
    /// What to measure; may be repeated [default: all; with --check: sets]
    #[arg(long, value_name = "PART", value_enum)]
    part: Vec<Part>,
    /// Write the figures to docs/bench/overhead.json, for comparison by later runs
    #[arg(long)]
    keep: bool,
    /// Fail if observing adds more than docs/bench/overhead.json allows
    #[arg(long, conflicts_with = "keep")]
    check: bool,
}

/// Whether the cost grows with tasks, devices and contention
///
/// Instructions of the eBPF programs per fault and per record, for 1 to 10 000 tasks, devices of 64 MB to 1 TB, and 2
/// to 64 tasks on one entry. The guest takes 8 GB of memory.
#[derive(Debug, clap::Args)]
struct ScalingArgs {
    #[arg(long, value_name = "V", default_value = "6.12.117", help = KERNEL_HELP)]
    kernel: String,
    /// What to vary; may be repeated [default: all]
    #[arg(long, value_name = "PART", value_enum)]
    part: Vec<scaling::Part>,
    #[arg(long, value_name = "DIR", help = KERNELS_HELP)]
    kernels: Option<PathBuf>,
}

/// What the fix costs, on kernels that differ in nothing else
///
/// Instructions per page swapped in, before the fix, after it, and without skipping the swap cache, beside the figures in
/// the message of the fix and what observer says that the pin adds. The kernels are made by `cargo xtask kernels build
/// unfixed`, `fixed` and `nondirect`.
#[derive(Debug, clap::Args)]
struct FixArgs {
    #[arg(long, value_name = "DIR", help = KERNELS_HELP)]
    kernels: Option<PathBuf>,
    /// Write the tables to docs/seed.md
    #[arg(long)]
    write: bool,
}

/// The page of `bench pin --write`, and the command that its tables name.
const PIN_PAGE: (&str, &str) = ("docs/pin-cost.md", "cargo xtask bench pin --write");
/// The page of `bench fix --write`, and the command that its tables name.
const FIX_PAGE: (&str, &str) = ("docs/seed.md", "cargo xtask bench fix --write");

pub(crate) fn run(args: &Args) -> Result<u8> {
    ensure(GUESTS, Verbosity::Changes)?;
    ensure(BUILD, Verbosity::Changes)?;
    match &args.benchmark {
        Benchmark::Pin(args) => pin(args),
        Benchmark::Overhead(args) => overhead(args),
        Benchmark::Scaling(args) => scaling(args),
        Benchmark::Fix(args) => fix(args),
    }
}

fn pin(args: &PinArgs) -> Result<u8> {
    let sources = Sources::new(Arch::X86_64, args.kernels.clone())?;
    let kernels = if args.kernel.is_empty() {
        let releases = sources.list().into_iter().map(|(release, _)| release);
        // Variants have the same functions.
        let all: Vec<_> = releases.filter(|release| version::variant(release).is_empty()).collect();
        available(&sources, &all)?
    } else {
        args.kernel.iter().map(|version| sources.obtain(version)).collect::<Result<_>>()?
    };
    let observer = build::observer_static(Arch::X86_64)?;
    let measure = |kernel| pin::measure(kernel, &observer, &args.size, args.rounds);
    let measured = kernels.iter().map(measure).collect::<Result<Vec<_>>>()?;
    let tables = pin::tables(&measured)?;
    println!("{tables}");
    if args.write {
        write_tables(PIN_PAGE, &tables)?;
    }
    Ok(0)
}

/// Replaces the tables of a page.
fn write_tables((page, command): (&str, &str), tables: &str) -> Result<()> {
    let path = paths::workspace().join(page);
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {page}"))?;
    fs::write(&path, markdown::replace_tables(&text, command, tables)?).with_context(|| format!("cannot write {page}"))
}

fn fix(args: &FixArgs) -> Result<u8> {
    let sources = Sources::new(Arch::X86_64, args.kernels.clone())?;
    let kernel = |design: &fix::Design| {
        let variant = design.variant;
        sources.newest_built(variant).with_context(|| {
            format!(
                "there is no kernel with the variant {variant}; build it with `cargo xtask kernels build {variant}`"
            )
        })
    };
    let kernels = fix::DESIGNS.iter().map(kernel).collect::<Result<Vec<_>>>()?;
    let observer = build::observer_static(Arch::X86_64)?;
    let measure = |(design, kernel): (&fix::Design, &Kernel)| {
        eprintln!("{}: counting instructions", kernel.release);
        fix::measure(design, &Counted::new(kernel, &observer))
    };
    let measured = fix::DESIGNS.iter().zip(&kernels).map(measure).collect::<Result<Vec<_>>>()?;
    let tables = fix::tables(&measured);
    print!("{tables}");
    if args.write {
        write_tables(FIX_PAGE, &tables)?;
    }
    Ok(0)
}

fn overhead(args: &OverheadArgs) -> Result<u8> {
    let sources = Sources::new(Arch::X86_64, args.kernels.clone())?;
    let path = paths::workspace().join(overhead::KEPT);
    // Before the guests: a check without kept figures needs none.
    let kept = if args.check { Some(read(&path)?) } else { None };
    let kernels = available(&sources, &args.kernel)?;
    let observer = build::observer_static(Arch::X86_64)?;
    let parts = match (args.part.as_slice(), args.check) {
        ([], true) => &[Part::Sets][..],
        ([], false) => &Part::ALL,
        (parts, _) => parts,
    };
    let spectator = parts.contains(&Part::Screen).then(|| build::spectator_static(Arch::X86_64)).transpose()?;
    let programs = Programs { observer: &observer, spectator: spectator.as_deref() };
    let measured =
        kernels.iter().map(|kernel| overhead::measure(kernel, programs, parts)).collect::<Result<Vec<_>>>()?;
    print!("{}", overhead::tables(&measured));
    if args.keep {
        let before = if path.exists() { read(&path)? } else { Vec::new() };
        let all = overhead::merged(before, &measured);
        let text = serde_json::to_string_pretty(&all).context("cannot write the figures as JSON")? + "\n";
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        eprintln!("wrote {}", path.display());
    }
    let Some(kept) = kept else { return Ok(0) };
    let regressions = overhead::regressions(&kept, &measured);
    for line in &regressions {
        println!("FAIL  {line}");
    }
    Ok(u8::from(!regressions.is_empty()))
}

fn scaling(args: &ScalingArgs) -> Result<u8> {
    let kernel = Sources::new(Arch::X86_64, args.kernels.clone())?.obtain(&args.kernel)?;
    let (observer, witness) = (build::observer_static(Arch::X86_64)?, build::witness_static(Arch::X86_64)?);
    eprintln!("{}: measuring", kernel.release);
    let parts = if args.part.is_empty() { &scaling::Part::ALL[..] } else { &args.part };
    let rows = scaling::measure(&kernel, &observer, &witness, parts)?;
    print!("{}", scaling::table(&kernel.release, &rows));
    Ok(0)
}

/// The kernels that can be obtained; others are skipped with a message.
fn available(sources: &Sources, versions: &[String]) -> Result<Vec<Kernel>> {
    let mut kernels = Vec::new();
    for version in versions {
        match sources.obtain(version) {
            Ok(kernel) => kernels.push(kernel),
            Err(error) if error.is::<Unavailable>() => eprintln!("skip  {error:#}"),
            Err(error) => return Err(error),
        }
    }
    if kernels.is_empty() {
        bail!("none of these kernels is available; `cargo xtask kernels list` shows where they are taken from");
    }
    Ok(kernels)
}

fn read(path: &Path) -> Result<Vec<Overhead>> {
    let text = fs::read_to_string(path)
        .with_context(|| format!("cannot read {}, the kept figures; write them with --keep", path.display()))?;
    let kept: Vec<Overhead> =
        serde_json::from_str(&text).with_context(|| format!("cannot parse {}", path.display()))?;
    if kept.is_empty() {
        bail!("{} has no figures; write some with --keep", path.display());
    }
    Ok(kept)
}
