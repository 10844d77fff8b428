//! Finds out which functions accept a trampoline: loads a program that does nothing on each, and unloads it at once.

use std::os::fd::{AsFd as _, AsRawFd as _};

use aya::programs::{FEntry, ProgramError};

use crate::{
    error::{EbpfFailure, LoadError, chain},
    object::{OBJECT, small_loader},
    types,
    usage::{SKIPPED, fdinfo},
};
use observer_kernel::{
    errno::Errno,
    plan::{TrialRefusal, Trials},
};

/// Why trial programs could not be loaded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TrialError {
    /// Not even their maps could be created.
    #[error("cannot load eBPF programs")]
    Load(#[source] EbpfFailure),
    #[error("the eBPF object has no program {TRIAL}")]
    NoProgram,
    /// Without it, the time of an event is not known.
    #[error("cannot compare the clock of the programs with that of this process")]
    Clock(#[from] LoadError),
}

/// What the kernel answered.
#[derive(Debug)]
pub(crate) struct Answers {
    pub(crate) functions: Trials,
    /// Whether a trampoline skips a program that is already running on the CPU: a kernel that does counts it.
    pub(crate) skips_running: bool,
}

/// The program of the eBPF object that does nothing.
const TRIAL: &str = "trial_fentry";

/// Tries every function. Nothing is attached. A kernel that does not show its types accepts none.
///
/// # Errors
/// When not even the maps can be created.
pub(crate) fn try_functions(functions: &[&str]) -> Result<Answers, TrialError> {
    let btf = types::of_kernel();
    let mut ebpf = small_loader().load(OBJECT).map_err(|error| TrialError::Load(error.into()))?;
    let program: &mut FEntry =
        ebpf.program_mut(TRIAL).and_then(|program| program.try_into().ok()).ok_or(TrialError::NoProgram)?;
    let mut answers = Answers { functions: Trials::new(), skips_running: false };
    for function in functions {
        let outcome = match &btf {
            Ok(btf) => program.load(function, btf).map_err(|error| refusal(&error)),
            Err(error) => Err(TrialRefusal::NoTypes { detail: chain(error) }),
        };
        if outcome.is_ok() {
            answers.skips_running |= counts_skipped(program);
            let _ = program.unload();
        }
        answers.functions.insert((*function).to_owned(), outcome);
    }
    Ok(answers)
}

fn counts_skipped(program: &FEntry) -> bool {
    program.fd().is_ok_and(|fd| fdinfo(fd.as_fd().as_raw_fd(), SKIPPED).is_some())
}

/// The verifier's log has many lines, and every version words it differently: only the line that names something
/// unsupported is kept.
fn refusal(error: &ProgramError) -> TrialRefusal {
    let ProgramError::LoadError { io_error, verifier_log } = error else {
        return TrialRefusal::Loader { detail: chain(error) };
    };
    let Some(number) = io_error.raw_os_error() else {
        return TrialRefusal::Loader { detail: io_error.to_string() };
    };
    let log = verifier_log.to_string();
    let verifier = log.lines().find(|line| line.contains("unsupported") || line.contains("not supported"));
    TrialRefusal::Load { errno: Errno(number), verifier: verifier.map(|line| line.trim().to_owned()) }
}
