//! Asks the kernel which functions its trampoline takes: loads a do-nothing program on each, and unloads it at once.

use std::io;

use aya::{Btf, EbpfLoader, programs::FEntry};

use super::OBJECT;
use observer_kernel::plan::Trials;

/// Why no trial could be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot load eBPF programs at all: {0}")]
pub struct TrialError(String);

/// Tries every function. Nothing is attached. A kernel that does not show its types takes none.
///
/// # Errors
/// When not even the maps can be made.
pub fn try_functions(functions: &[&str]) -> Result<Trials, TrialError> {
    let btf = Btf::from_sys_fs();
    let mut ebpf = small_loader().load(OBJECT).map_err(|error| TrialError(chain(&error)))?;
    let program: &mut FEntry = ebpf
        .program_mut("trial_fentry")
        .and_then(|program| program.try_into().ok())
        .ok_or_else(|| TrialError("the eBPF object has no program trial_fentry".to_owned()))?;
    let mut trials = Trials::new();
    for function in functions {
        let outcome = match &btf {
            Ok(btf) => program.load(function, btf).map_err(|error| reason(&error)),
            Err(error) => Err(format!("the kernel does not show its own types: {}", chain(error))),
        };
        if outcome.is_ok() {
            let _ = program.unload();
        }
        trials.insert((*function).to_owned(), outcome);
    }
    Ok(trials)
}

/// A loader for programs that use none of the large maps: keeps those that the object brings as small as they get.
pub(super) fn small_loader() -> EbpfLoader<'static> {
    let mut loader = EbpfLoader::new();
    for map in ["FAULTS", "SPILLED", "WRITES", "WATCHED"] {
        loader.map_max_entries(map, 1);
    }
    loader.map_max_entries("EVENTS", 4096).map_max_entries("AYA_LOGS", 4096).map_max_entries("SLOTS", 1);
    loader
}

/// The kernel's errno in words; the verifier's log is multi-line and worded differently by every version.
fn reason(error: &aya::programs::ProgramError) -> String {
    use aya::programs::ProgramError;
    match error {
        ProgramError::LoadError { io_error, verifier_log } => {
            let log = verifier_log.to_string();
            let hint = log.lines().find(|line| line.contains("unsupported") || line.contains("not supported"));
            let errno = errno_name(io_error);
            hint.map_or(errno.clone(), |hint| format!("{errno}, {}", hint.trim()))
        }
        other => chain(other),
    }
}

/// An errno by its name where it is one we meet, else the system's words.
pub(super) fn errno_name(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::EPERM) => "EPERM".to_owned(),
        Some(libc::EINVAL) => "EINVAL".to_owned(),
        Some(libc::ENOENT) => "ENOENT".to_owned(),
        Some(libc::EBUSY) => "EBUSY".to_owned(),
        Some(524) => "ENOTSUPP".to_owned(),
        _ => error.to_string(),
    }
}

/// An error with all that caused it, on one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text.lines().next().unwrap_or_default().to_owned()
}
