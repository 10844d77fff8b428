//! `cargo xtask bench scaling`: whether the programs grow dearer with tasks, devices and contention.

use std::path::PathBuf;

use anyhow::Result;

use crate::{
    arch::Arch,
    bench::scaling::{self, Part},
    build,
    commands::KERNELS_HELP,
    kernels::Sources,
    setup::{BUILD, Verbosity, ensure, guests},
};

/// Instructions of the programs a fault and a record: 1 to 10 000 tasks, devices of 64 MB to 1 TB, 2 to 64
/// tasks on one entry. The guest takes 8 GB of memory.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A full release, or its start
    #[arg(long, value_name = "V", default_value = "6.12.117")]
    kernel: String,
    /// What may grow; may be given several times [default: all]
    #[arg(long, value_name = "PART", value_enum)]
    part: Vec<Part>,
    #[arg(long, value_name = "DIR", help = KERNELS_HELP)]
    kernels: Option<PathBuf>,
}

/// Measures and prints.
///
/// # Errors
/// When the guest could not be run to its end, or gave no figures.
pub(super) fn run(args: &Args) -> Result<u8> {
    ensure(guests(Arch::X86_64), Verbosity::Changes)?;
    ensure(BUILD, Verbosity::Changes)?;
    let kernel = Sources::new(Arch::X86_64, args.kernels.clone())?.obtain(&args.kernel)?;
    let (observer, witness) = (build::observer_static(Arch::X86_64)?, build::witness_static(Arch::X86_64)?);
    eprintln!("{}: booting, measuring", kernel.release);
    let parts = if args.part.is_empty() { &Part::ALL[..] } else { &args.part };
    let rows = scaling::measure(&kernel, &observer, &witness, parts)?;
    print!("{}", scaling::table(&kernel.release, &rows));
    Ok(0)
}
