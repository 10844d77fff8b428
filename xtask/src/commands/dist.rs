//! `cargo xtask dist`: what is handed to others.

use anyhow::Result;

use crate::{
    arch::Arch,
    dist,
    setup::{BUILD, Verbosity, ensure},
};

/// Static binaries with manual, completions and licences, and a Debian package of them, under target/dist.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only for this family; both without it.
    #[arg(long, value_enum)]
    arch: Option<Arch>,
}

/// Makes them, and opens each package again.
///
/// # Errors
/// When something cannot be built or packed, or a package does not hold what it must.
pub fn run(args: &Args) -> Result<u8> {
    ensure(BUILD, Verbosity::Changes)?;
    let wanted: Vec<Arch> =
        Arch::ALL.into_iter().filter(|arch| args.arch.is_none_or(|wanted| wanted == *arch)).collect();
    for made in dist::make(&wanted)? {
        println!("{}", made.display());
    }
    Ok(0)
}
