//! `cargo xtask kernels`.

use std::path::PathBuf;

use anyhow::Result;

use super::KERNELS_HELP;
use crate::{
    arch::Arch,
    debian::Unavailable,
    kernels::Sources,
    setup::{Need, Verbosity, ensure},
};

/// List or fetch guest kernels
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    task: Option<Task>,
    #[arg(long, value_name = "DIR", global = true, help = KERNELS_HELP)]
    kernels: Option<PathBuf>,
    /// Processor family of the kernels
    #[arg(long, value_enum, global = true, default_value_t)]
    arch: Arch,
}

#[derive(Debug, clap::Subcommand)]
enum Task {
    /// Print every known kernel and where it is taken from (the default)
    List,
    /// Fetch kernels
    Fetch {
        /// Releases, or their start [default: all available]
        versions: Vec<String>,
    },
}

pub(crate) fn run(args: &Args) -> Result<u8> {
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

/// All versions are resolved before the first kernel is fetched, so a typing error is reported at once.
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

/// Unavailable kernels are skipped with a message: mirrors remove old packages.
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
