//! `cargo xtask dist`.

use anyhow::Result;

use crate::{
    arch::Arch,
    dist,
    setup::{BUILD, Verbosity, ensure},
};

/// Build static binaries and Debian packages under target/dist
///
/// Both have the manual, completions and licences.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Processor family [default: all]
    #[arg(long, value_enum)]
    arch: Option<Arch>,
}

pub(crate) fn run(args: &Args) -> Result<u8> {
    ensure(BUILD, Verbosity::Changes)?;
    let families: Vec<Arch> =
        Arch::ALL.into_iter().filter(|arch| args.arch.is_none_or(|wanted| wanted == *arch)).collect();
    for made in dist::make(&families)? {
        println!("{}", made.display());
    }
    Ok(0)
}
