//! What can go wrong in the kernel.

use std::{error::Error, fmt, io};

use aya::{EbpfError, maps::MapError, programs::ProgramError, sys::SyscallError};
use observer_kernel::plan::Backend;

/// Why the programs could not be set up or read. Whatever had been attached is detached again.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A trampoline was requested where the types of the kernel cannot be read.
    #[error("{target} needs the kernel's own types, which cannot be read")]
    NoTypes { target: Target },
    #[error("cannot load the eBPF object")]
    Object(#[source] EbpfFailure),
    /// The object and this binary were not built together.
    #[error("the eBPF object has no {kind} {name}")]
    Missing { kind: &'static str, name: &'static str },
    #[error("the kernel refuses {target}")]
    Program { target: Target, source: EbpfFailure },
    /// A program could not be run for a test.
    #[error("cannot run the program {name}")]
    TestRun { name: &'static str, source: EbpfFailure },
    /// The task that was to be watched has not run the program that adds it, or the table is full, or all tasks are
    /// observed.
    #[error("the kernel has not added the task to the watched ones")]
    NotWatched,
    #[error("cannot use the eBPF map {name}")]
    Map { name: &'static str, source: EbpfFailure },
    #[error("cannot read the numbers of this machine's CPUs")]
    Cpus(#[source] io::Error),
    /// Counting run times takes `CAP_SYS_ADMIN`.
    #[error("cannot count run times of programs")]
    Statistics(#[source] EbpfFailure),
    /// Delay injection goes on a read, and none can be hooked.
    #[error("no function that reads can be hooked on this kernel, so no read can be delayed")]
    NoRead,
}

/// A program and where it was to be attached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub program: &'static str,
    pub place: Place,
    pub symbol: String,
}

/// What a program is attached to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Function(Backend),
    Tracepoint,
    /// A tracepoint whose arguments have types, without an event of tracefs.
    TypedTracepoint,
}

impl Place {
    pub(crate) fn is_trampoline(self) -> bool {
        matches!(self, Self::Function(backend) if backend.is_trampoline())
    }

    fn code(self) -> &'static str {
        match self {
            Self::Function(backend) => backend.code(),
            Self::Tracepoint => "tracepoint",
            Self::TypedTracepoint => "tp_btf",
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { program, place, symbol } = self;
        write!(f, "the program {program} ({} {symbol})", place.code())
    }
}

/// An error of the loader or of the kernel behind it. Its message is one line; the causes are in it.
#[derive(Debug)]
pub enum EbpfFailure {
    Object(Box<EbpfError>),
    Program(Box<ProgramError>),
    Map(Box<MapError>),
    Syscall(SyscallError),
}

impl From<EbpfError> for EbpfFailure {
    fn from(error: EbpfError) -> Self {
        Self::Object(Box::new(error))
    }
}

impl From<ProgramError> for EbpfFailure {
    fn from(error: ProgramError) -> Self {
        if let ProgramError::LoadError { verifier_log, .. } = &error {
            log::debug!("verifier: {verifier_log}");
        }
        Self::Program(Box::new(error))
    }
}

impl From<MapError> for EbpfFailure {
    fn from(error: MapError) -> Self {
        Self::Map(Box::new(error))
    }
}

impl From<SyscallError> for EbpfFailure {
    fn from(error: SyscallError) -> Self {
        Self::Syscall(error)
    }
}

impl EbpfFailure {
    /// Whether the system call of this name was refused for lack of privileges.
    pub(crate) fn is_denied(&self, call: &str) -> bool {
        let Some(error) = self.syscall() else { return false };
        error.call == call && error.io_error.kind() == io::ErrorKind::PermissionDenied
    }

    fn syscall(&self) -> Option<&SyscallError> {
        match self {
            Self::Syscall(error) => Some(error),
            Self::Program(error) => match error.as_ref() {
                ProgramError::SyscallError(error) => Some(error),
                _ => None,
            },
            Self::Map(error) => match error.as_ref() {
                MapError::SyscallError(error) => Some(error),
                _ => None,
            },
            Self::Object(_) => None,
        }
    }
}

impl Error for EbpfFailure {}

impl fmt::Display for EbpfFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Program(error) => match error.as_ref() {
                // The whole log has many lines.
                ProgramError::LoadError { io_error, verifier_log } => {
                    write!(f, "{}: {}", errno_name(io_error), verdict(&verifier_log.to_string()))
                }
                other => f.write_str(&chain(other)),
            },
            Self::Object(error) => f.write_str(&chain(error)),
            Self::Map(error) => f.write_str(&chain(error)),
            Self::Syscall(error) => f.write_str(&chain(error)),
        }
    }
}

/// An error number by its name, else the system's message.
pub(crate) fn errno_name(error: &io::Error) -> String {
    error.raw_os_error().map_or_else(|| error.to_string(), |number| observer_kernel::errno::Errno(number).to_string())
}

/// The line of a verifier's log that gives the reason: the last one before the statistics, which differ by kernel (7.3
/// lists each subprogram).
fn verdict(log: &str) -> &str {
    const STATISTICS: [&str; 5] = ["processed ", "verification time", "stack depth", "subprog ", "insns_"];
    let is_reason = |line: &&str| !line.is_empty() && !STATISTICS.iter().any(|start| line.starts_with(start));
    log.lines().map(str::trim).rev().find(is_reason).unwrap_or("no verifier log")
}

/// An error with its causes on one line. A cause that the message before it repeats is left out.
pub fn chain(error: &dyn Error) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_taken_from_the_verifier_s_log_and_not_its_statistics() {
        let old = "0: R1=ctx\narg0 accesses a struct\nprocessed 9 insns (limit 1000000) max_states_per_insn 0\n";
        assert_eq!(verdict(old), "arg0 accesses a struct");
        let new = "last insn is not an exit or jmp\nverification time 296 usec\nstack depth max 0\n\
            subprog 0 (<unknown>) main insns_self 0 insns_total 0 stack 0\nprocessed 0 insns (limit 1000000)\n\n";
        assert_eq!(verdict(new), "last insn is not an exit or jmp", "the format of 7.3");
        assert_eq!(verdict(""), "no verifier log");
    }

    #[test]
    fn a_denied_system_call_is_recognized_by_its_error() {
        let error = |call, number| {
            let io_error = io::Error::from_raw_os_error(number);
            EbpfFailure::from(ProgramError::SyscallError(SyscallError { call, io_error }))
        };
        assert!(error("perf_event_open", libc::EACCES).is_denied("perf_event_open"));
        assert!(!error("perf_event_open", libc::EINVAL).is_denied("perf_event_open"));
        assert!(!error("bpf_link_create", libc::EACCES).is_denied("perf_event_open"));
        assert!(!EbpfFailure::from(ProgramError::NotLoaded).is_denied("perf_event_open"));
    }

    #[test]
    fn an_error_is_one_line_with_its_causes() {
        let io_error = io::Error::from_raw_os_error(libc::EPERM);
        let error = LoadError::Map { name: "EVENTS", source: MapError::IoError(io_error).into() };
        assert_eq!(chain(&error), "cannot use the eBPF map EVENTS: Operation not permitted (os error 1)");
    }
}
