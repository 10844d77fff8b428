//! `cargo xtask kernels`.

use std::path::PathBuf;

use anyhow::Result;

use super::KERNELS_HELP;
use crate::{
    arch::Arch,
    debian::Unavailable,
    kernels::{
        self, Sources,
        outdated::{self, Finding},
    },
    setup::{Need, Verbosity, ensure},
};

/// Exit code of `index` when the table has to be changed.
const OUTDATED: u8 = 3;

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
