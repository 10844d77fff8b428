//! Observer on trial: what guests run, and what must come out. One guest for each kernel runs all steps.

pub mod checks;
pub mod dashboard;
mod filters;
mod folios;
pub mod matrix;
mod price;
mod sample;
pub mod scope;
mod service;
pub mod steps;
pub mod table;

use std::{fs, path::Path, time::Duration};

use anyhow::{Context as _, Result};

use self::{
    checks::Finished,
    steps::{Era, Step},
};
use crate::{
    kernels::Kernel,
    vm::{Guest, GuestFile, Output},
};

/// Programs that guests need, built.
#[derive(Clone, Debug)]
pub struct Programs {
    /// The static observer.
    pub observer: std::path::PathBuf,
    /// The static witness.
    pub witness: std::path::PathBuf,
}

/// How one step came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Kernel and step.
    pub name: String,
    /// What was seen, or what is wrong.
    pub outcome: Result<String, String>,
}

/// Runs the steps of an era in one guest, and judges them. Each step's output lies in `keep` afterwards.
///
/// # Errors
/// When the guest could not be run to its end; a step that failed is a [`Verdict`].
pub fn run(kernel: Kernel, era: Era, steps: &[Step], programs: &Programs, keep: &Path) -> Result<Vec<Verdict>> {
    let files = vec![GuestFile { source: programs.witness.clone(), target: "/witness".into() }];
    play(kernel, era, steps, &programs.observer, files, keep)
}

fn play(
    kernel: Kernel,
    era: Era,
    steps: &[Step],
    observer: &Path,
    files: Vec<GuestFile>,
    keep: &Path,
) -> Result<Vec<Verdict>> {
    let release = kernel.release.clone();
    if keep.exists() {
        fs::remove_dir_all(keep).with_context(|| format!("cannot clear {}", keep.display()))?;
    }
    let guest = Guest {
        files,
        observer: Some(observer.to_owned()),
        out: Some(keep.to_owned()),
        output: Output::Capture,
        timeout: Some(Duration::from_mins(8)),
        append: era.cmdline().to_owned(),
        ..Guest::new(kernel)
    };
    guest.run(&["sh".to_owned(), "-c".to_owned(), steps::script(steps)])?;
    Ok(steps.iter().map(|step| judge(&release, era, step, keep)).collect())
}

fn judge(release: &str, era: Era, step: &Step, keep: &Path) -> Verdict {
    let outcome = Finished::read(keep, step.name).and_then(|finished| (step.check)(era, &finished));
    Verdict { name: format!("{release}{} {}", era.suffix(), step.name), outcome }
}
