//! `cargo xtask kernels`.

use std::path::PathBuf;

use anyhow::Result;

use super::KERNELS_HELP;
use crate::{
    arch::Arch,
    kernels::{Sources, Unavailable},
    setup::{Need, Verbosity, ensure},
};

/// List the guest kernels, or fetch them.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    task: Option<Task>,
    #[arg(long, value_name = "DIR", global = true, help = KERNELS_HELP)]
    kernels: Option<PathBuf>,
    /// The guest's processor family.
    #[arg(long, value_enum, global = true, default_value_t)]
    arch: Arch,
}

#[derive(Debug, clap::Subcommand)]
enum Task {
    /// Print every known kernel and where it would be taken from (the default).
    List,
    /// Fetch kernels: those named, or all that can be had.
    Fetch {
        /// Full releases or their start (5.10).
        versions: Vec<String>,
    },
}

/// Lists or fetches.
pub fn run(args: &Args) -> Result<u8> {
    let sources = Sources::new(args.arch, args.kernels.clone())?;
    match &args.task {
        None | Some(Task::List) => {
            list(&sources);
            Ok(0)
        }
        Some(Task::Fetch { versions }) if versions.is_empty() => fetch_all(&sources),
        Some(Task::Fetch { versions }) => fetch(&sources, versions),
    }
}

fn list(sources: &Sources) {
    for (release, place) in sources.list() {
        println!("{release:<10} {place}");
    }
}

/// Every name is resolved before the first is fetched, so that a typing error is told at once.
fn fetch(sources: &Sources, versions: &[String]) -> Result<u8> {
    let releases = versions.iter().map(|version| sources.resolve(version)).collect::<Result<Vec<_>>>()?;
    ensure(&[Need::Xz], Verbosity::Changes)?;
    let mut failed = 0;
    for release in releases {
        if let Err(error) = obtain(sources, &release) {
            eprintln!("error: {error:#}");
            failed = 1;
        }
    }
    Ok(failed)
}

/// What cannot be had is skipped, by name: a package index forgets old kernels.
fn fetch_all(sources: &Sources) -> Result<u8> {
    ensure(&[Need::Xz], Verbosity::Changes)?;
    for (release, _) in sources.list() {
        match obtain(sources, &release) {
            Err(error) if error.is::<Unavailable>() => eprintln!("skipped: {error:#}"),
            other => other?,
        }
    }
    Ok(0)
}

fn obtain(sources: &Sources, version: &str) -> Result<()> {
    let kernel = sources.obtain(version)?;
    println!("{:<10} {}", kernel.release, kernel.dir.display());
    Ok(())
}
