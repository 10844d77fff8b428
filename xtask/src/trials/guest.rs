//! Runs steps in a guest and checks their output.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result};

use super::step::{self, Era, Finished, Step};
use crate::{
    kernels::Kernel,
    vm::{Accel, Guest, GuestFile, Output},
};

/// Paths of static programs for guests.
#[derive(Clone, Debug)]
pub(crate) struct Programs {
    pub(crate) observer: PathBuf,
    pub(crate) witness: PathBuf,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Kernel and step.
    pub(crate) name: String,
    /// What was seen, or what is wrong.
    pub(crate) outcome: Result<String, String>,
}

/// Runs `steps` with observer and `files`. Their output is kept in `keep`.
///
/// # Errors
/// When the guest does not run to its end. A step that fails is a [`Verdict`].
pub(crate) fn run(
    kernel: Kernel,
    era: Era,
    accel: Accel,
    steps: &[Step],
    observer: &Path,
    files: Vec<GuestFile>,
    keep: &Path,
) -> Result<Vec<Verdict>> {
    let release = kernel.release.clone();
    let guest = Guest { append: era.cmdline().to_owned(), accel, ..guest(kernel, observer, files, keep)? };
    guest.run(&["sh".to_owned(), "-c".to_owned(), step::script(steps)])?;
    let check = |step: &Step| Finished::read(keep, step.name).and_then(|finished| (step.check)(era, &finished));
    let verdict =
        |step: &Step| Verdict { name: format!("{release}{} {}", era.suffix(), step.name), outcome: check(step) };
    Ok(steps.iter().map(verdict).collect())
}

/// A guest whose /out is copied to `keep`, which is emptied before.
pub(super) fn guest(kernel: Kernel, observer: &Path, files: Vec<GuestFile>, keep: &Path) -> Result<Guest> {
    if keep.exists() {
        fs::remove_dir_all(keep).with_context(|| format!("cannot clear {}", keep.display()))?;
    }
    Ok(Guest {
        files,
        observer: Some(observer.to_owned()),
        out: Some(keep.to_owned()),
        output: Output::Capture,
        // The longest list takes 14 minutes beside another guest, and a step that hangs ends after seven.
        timeout: Some(Duration::from_mins(30)),
        ..Guest::new(kernel)
    })
}

/// The witness, as /witness.
pub(super) fn witness(programs: &Programs) -> Vec<GuestFile> {
    vec![GuestFile { source: programs.witness.clone(), target: "/witness".into() }]
}
