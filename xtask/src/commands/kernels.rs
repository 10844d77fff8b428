//! `cargo xtask kernels`.

use std::{num::NonZero, path::PathBuf, thread};

use anyhow::{Result, bail};
use clap::builder::PossibleValuesParser;

use super::KERNELS_HELP;
use crate::{
    arch::Arch,
    debian::Unavailable,
    kernels::{
        self, Sources,
        build::recipe::{self, Preemption, RECIPES, Recipe},
        outdated::{self, Finding},
    },
    setup::{KERNEL_BUILDS, Need, Verbosity, ensure},
};

/// Exit code of `index` when the table has to be changed.
const OUTDATED: u8 = 3;

/// List, fetch or build guest kernels
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
    /// Build kernels from Debian's source, which takes a quarter of an hour each
    ///
    /// A build that was interrupted is continued. Without a name the kernels that can be built are printed.
    Build {
        /// The variant: "unfixed" builds 6.1.192-unfixed
        #[arg(value_name = "NAME", value_parser = names())]
        names: Vec<String>,
        /// Compilers at a time [default: one for each processor]
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
        jobs: Option<u16>,
    },
    /// Compare the table of kernels with the package index
    ///
    /// Exit codes: 0 the table is up to date, 3 a kernel has left the index or the index has a new series, 1 an index
    /// could not be read.
    Index,
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
        Some(Task::Index) => index(),
        Some(Task::Build { names, .. }) if names.is_empty() => {
            list_recipes(&sources);
            Ok(0)
        }
        Some(Task::Build { names, jobs }) => build(args.arch, names, *jobs),
    }
}

fn list(sources: &Sources) {
    for (release, place) in sources.list() {
        println!("{release:<24} {place}");
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
    println!("{:<24} {}", kernel.release, kernel.dir.display());
    Ok(())
}

fn names() -> PossibleValuesParser {
    PossibleValuesParser::new(RECIPES.iter().map(|recipe| recipe.name))
}

fn list_recipes(sources: &Sources) {
    for Recipe { name, preemption, checked, .. } in RECIPES {
        let preemption = match preemption {
            Preemption::Voluntary => "voluntary preemption",
            Preemption::Full => "full preemption",
            Preemption::RealTimeLike => "full preemption, interrupts in threads",
        };
        let checks = if *checked { ", KASAN and lockdep" } else { "" };
        let place = sources
            .newest_built(name)
            .map_or_else(|| "not built".to_owned(), |kernel| kernel.dir.display().to_string());
        println!("{name:<20} {:<55} {place}", format!("{preemption}{checks}"));
    }
}

fn build(arch: Arch, names: &[String], jobs: Option<u16>) -> Result<u8> {
    if arch != Arch::X86_64 {
        bail!("kernels are built for x86-64 only; leave --arch out");
    }
    ensure(KERNEL_BUILDS, Verbosity::Changes)?;
    let processors = || thread::available_parallelism().map_or(1, NonZero::get);
    let jobs = jobs.map_or_else(processors, usize::from);
    for recipe in names.iter().filter_map(|name| recipe::find(name)) {
        let kernel = kernels::build::build(recipe, jobs)?;
        println!("{:<24} {}", kernel.release, kernel.dir.display());
        let options = recipe.vm_options();
        eprintln!("boot it with `cargo xtask vm --kernel {} {options}-- CMD`", kernel.release);
    }
    Ok(0)
}

/// Both families, whatever `--arch` is.
fn index() -> Result<u8> {
    let (mut alarms, mut unread) = (0, 0);
    for arch in Arch::ALL {
        let mut indices = Vec::new();
        for suite in outdated::suites(arch) {
            match kernels::updated_index(arch, suite) {
                Ok(packages) => indices.push((suite, packages)),
                Err(error) if error.is::<Unavailable>() => {
                    println!("unread  {arch}  {error:#}");
                    unread += 1;
                }
                Err(error) => return Err(error),
            }
        }
        for finding in outdated::findings(arch, &indices) {
            println!("{}", line(arch, &finding));
            alarms += usize::from(finding.is_alarm());
        }
    }
    println!("{alarms} changes of the table are due, {unread} indices could not be read");
    Ok(index_code(alarms, unread))
}

fn index_code(alarms: usize, unread: usize) -> u8 {
    match (alarms, unread) {
        (0, 0) => 0,
        (_, 0) => OUTDATED,
        _ => 1,
    }
}

fn line(arch: Arch, finding: &Finding) -> String {
    let (kind, text) = match finding {
        Finding::NewSeries { suite, newest } => {
            ("new", format!("{} has {newest}, of a series that the table does not have; add it", suite.name()))
        }
        Finding::Gone { release, suite, instead: Some(instead) } => {
            ("gone", format!("{release} has left {}; {instead} is taken instead; update the table", suite.name()))
        }
        Finding::Gone { release, suite, instead: None } => (
            "gone",
            format!("{release} and its series have left {}; keep a copy for --kernels, list it as gone", suite.name()),
        ),
        Finding::KnownGone { release } => ("known", format!("{release} and its series have left the index")),
        Finding::Back { release } => ("back", format!("{release} is listed as gone, but its series is there")),
        Finding::Newer { release, newest } => ("newer", format!("{release} is there, and so is {newest}")),
    };
    format!("{kind:<6}  {arch:<6}  {text}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::debian::Suite;

    #[test]
    fn the_exit_code_of_index_says_whether_the_table_is_up_to_date() {
        assert_eq!(index_code(0, 0), 0);
        assert_eq!(index_code(2, 0), OUTDATED);
        assert_eq!(index_code(0, 1), 1, "nothing is known about what was not read");
        assert_eq!(index_code(2, 1), 1);
    }

    #[test]
    fn a_line_names_the_kernel_and_what_is_taken_instead() {
        let instead = Some("6.12.120 (6.12.120-1)".to_owned());
        let gone = Finding::Gone { release: "6.12.117", suite: Suite::Trixie, instead };
        let text = line(Arch::Arm64, &gone);
        for part in ["gone", "arm64", "6.12.117 has left trixie", "6.12.120 (6.12.120-1) is taken"] {
            assert!(text.contains(part), "{part} is missing from {text}");
        }
    }
}
