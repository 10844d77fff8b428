//! `cargo xtask test`: what CI runs.

use std::{path::PathBuf, process::Command, time::Instant};

use anyhow::{Result, bail};

use super::KERNELS_HELP;
use crate::{
    arch::Arch,
    build,
    kernels::{Sources, Unavailable},
    paths,
    process::{Purpose, show},
    setup::{BUILD, GUESTS, Voice, ensure},
    trials::{self, Programs, steps::Era},
    vm::Failure,
};

/// Format, lints, unit tests; then the guests: every kernel's steps, and what must come out.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which tests.
    #[arg(value_enum, default_value = "all")]
    which: Which,
    /// Only guests with this kernel: a full release, or its beginning.
    #[arg(long, value_name = "V")]
    kernel: Option<String>,
    #[arg(long, value_name = "DIR", help = KERNELS_HELP)]
    kernels: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Which {
    /// Format, lints and unit tests.
    Unit,
    /// Guests.
    Guest,
    /// Both.
    All,
}

/// The guests that are run, cheapest proof first.
const GUESTS_RUN: &[(&str, Era)] = &[
    ("5.10.223", Era::Unfixed),
    ("6.12.117", Era::Pinned),
    ("6.1.192", Era::Pinned),
    ("6.18.15", Era::Pinned),
    ("7.3.4", Era::NoBypass),
    ("6.12.117", Era::LockedDown),
];

/// Runs the tests.
///
/// # Errors
/// When something could not be run at all; a test that fails is told and makes the exit code 1.
pub fn run(args: &Args) -> Result<u8> {
    ensure(BUILD, Voice::Changes)?;
    if args.which != Which::Guest {
        unit()?;
    }
    if args.which == Which::Unit {
        return Ok(0);
    }
    ensure(GUESTS, Voice::Changes)?;
    guests(args)
}

fn unit() -> Result<()> {
    cargo("checking the format", &["fmt", "--all", "--check"], "run `cargo fmt --all`")?;
    let lints = ["clippy", "--workspace", "--all-targets", "--quiet", "--", "--deny", "warnings"];
    cargo("checking the lints", &lints, "mend what clippy says")?;
    programs_lints()?;
    cargo("running the unit tests", &["test", "--workspace", "--quiet"], "mend what the tests say")
}

/// The eBPF programs exist for their own target only, where the workspace's clippy does not look.
fn programs_lints() -> Result<()> {
    let what = "checking the lints of the eBPF programs";
    eprintln!("{what}");
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .args(["clippy", "--quiet", "--package", "observer-ebpf", "--bin", "observer-ebpf", "--features", "programs"])
        .args(["--target", "bpfel-unknown-none", "-Z", "build-std=core"])
        .arg("--target-dir")
        .arg(paths::target().join("ebpf-clippy"))
        .args(["--", "--deny", "warnings"])
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTFLAGS", "--cfg=bpf_target_arch=\"x86_64\"")
        .current_dir(paths::workspace());
    show(&mut command, Purpose { what, by_hand: "mend what clippy says" })
}

fn cargo(what: &str, arguments: &[&str], by_hand: &str) -> Result<()> {
    eprintln!("{what}");
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(paths::workspace());
    show(&mut command, Purpose { what, by_hand })
}

fn guests(args: &Args) -> Result<u8> {
    let sources = Sources::new(Arch::X86_64, args.kernels.clone())?;
    let wanted = args.kernel.as_deref().map(|version| sources.resolve(version)).transpose()?;
    let runs: Vec<_> =
        GUESTS_RUN.iter().filter(|(release, _)| wanted.as_deref().is_none_or(|wanted| wanted == *release)).collect();
    if runs.is_empty() {
        let known: Vec<_> = GUESTS_RUN.iter().map(|(release, _)| *release).collect();
        bail!("no guest test for kernel {}; there are some for {}", wanted.unwrap_or_default(), known.join(", "));
    }
    let programs =
        Programs { observer: build::observer_static(Arch::X86_64)?, witness: build::witness_static(Arch::X86_64)? };
    let mut tally = Tally::default();
    for (release, era) in runs {
        guest(&sources, release, *era, &programs, &mut tally)?;
    }
    println!("{} passed, {} failed, {} skipped", tally.passed, tally.failed, tally.skipped);
    // A run in which every kernel was skipped has shown nothing.
    Ok(u8::from(tally.failed > 0 || tally.passed == 0))
}

#[derive(Debug, Default)]
struct Tally {
    passed: u32,
    failed: u32,
    skipped: u32,
}

fn guest(sources: &Sources, release: &str, era: Era, programs: &Programs, tally: &mut Tally) -> Result<()> {
    let begun = Instant::now();
    let kernel = match sources.obtain(release) {
        Ok(kernel) => kernel,
        Err(error) if error.is::<Unavailable>() => {
            println!("skip  {error:#}");
            tally.skipped += 1;
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    let keep = paths::target().join("trials").join(format!("{release}-{era:?}"));
    match trials::run(kernel, era, programs, &keep) {
        Ok(verdicts) => {
            for verdict in verdicts {
                match verdict.outcome {
                    Ok(seen) => {
                        println!("ok    {}: {seen}", verdict.name);
                        tally.passed += 1;
                    }
                    Err(wrong) => {
                        println!("FAIL  {}: {wrong}", verdict.name);
                        tally.failed += 1;
                    }
                }
            }
        }
        // Ctrl-C stops the tests, not just this guest.
        Err(error) if matches!(error.downcast_ref(), Some(Failure::Interrupted)) => return Err(error),
        Err(error) => {
            println!("FAIL  {release}{}: {error:#}", era.suffix());
            tally.failed += 1;
        }
    }
    eprintln!("{release}{}: {:.0} s; output in {}", era.suffix(), begun.elapsed().as_secs_f64(), keep.display());
    Ok(())
}
