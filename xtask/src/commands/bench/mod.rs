//! `cargo xtask bench`: what is measured across the guests' kernels, as tables.

mod overhead;
mod pin;
mod scaling;
mod tables;

use anyhow::Result;

/// Measure across the guests' kernels, and print tables.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    Pin(pin::Args),
    Overhead(overhead::Args),
    Scaling(scaling::Args),
}

/// Measures.
///
/// # Errors
/// When something could not be run at all.
pub fn run(args: &Args) -> Result<u8> {
    match &args.what {
        What::Pin(args) => pin::run(args),
        What::Overhead(args) => overhead::run(args),
        What::Scaling(args) => scaling::run(args),
    }
}
