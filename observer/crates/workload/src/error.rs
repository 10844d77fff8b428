//! Errors of the workloads: what happened and why, a code to decide on, and what to do about it.

use std::{error::Error, io, time::Duration};

use observer_kernel::{swaps::SwapsError, vmstat::VmstatError};
use observer_text::Name;
use serde::{Deserialize, Serialize};

pub type Result<T, E = WorkloadError> = std::result::Result<T, E>;

/// Why a workload could not start, continue or clean up. The message says what and why; [`WorkloadError::remedy`] says
/// what to do.
#[derive(Debug, thiserror::Error)]
pub enum WorkloadError {
    #[error("setting up a swap device needs root; the effective user ID is {uid}")]
    NotRoot { uid: u32 },
    /// `areas`: paths, comma-separated.
    #[error(
        "other swap is in use ({areas}); pages of the workload could be swapped out there instead of to its own device"
    )]
    OtherSwap { areas: Name },
    #[error("there is no zram on kernel {release}: {detail}")]
    NoZram { release: String, detail: String },
    #[error("/sys is read-only here, so no zram device can be set up")]
    ReadOnlySysfs,
    #[error("too little memory: {need_kib} KiB needed, {have_kib} KiB available")]
    TooLittleMemory { need_kib: u64, have_kib: u64 },
    #[error("{option} is {value}; allowed: {range}")]
    OutOfRange { option: &'static str, value: u64, range: &'static str },
    /// `action`: an infinitive, with its object.
    #[error("cannot {action}")]
    Io {
        action: String,
        #[source]
        error: io::Error,
    },
    /// `content`: the start of what was read.
    #[error("unexpected content in {place}: {content:?}")]
    Format { place: String, content: String },
    #[error(transparent)]
    Swaps(#[from] SwapsError),
    #[error(transparent)]
    Vmstat(#[from] VmstatError),
    #[error(
        "{used} of {slots} slots of the swap device are in use after paging out {tried} pages, expected {wanted}: \
         pages are not swapped out to it one by one"
    )]
    NotFilled { used: u32, slots: u32, wanted: u32, tried: usize },
    #[error("{left} of {pages} pages are still in memory after {limit:?} of requests to page them out")]
    NotPagedOut { left: usize, pages: usize, limit: Duration },
    #[error("{what} did not happen within {limit:?}")]
    Timeout { what: &'static str, limit: Duration },
    #[error("{what}: the kernel counted {found}, expected {wanted}")]
    WrongCount { what: &'static str, found: u64, wanted: u64 },
    #[error("stopped by signal {signal}")]
    Interrupted { signal: i32 },
    #[error("a thread of the workload panicked")]
    Panicked,
    #[error("{device} was not removed: its swap header is not that of the run that was killed ({detail})")]
    ForeignDevice { device: String, detail: String },
    /// `id`: the device's number within zram. `failed`: each step with its error.
    #[error("{device} could not be removed completely: {}", list(failed))]
    NotRemoved { device: String, id: u32, failed: Vec<(&'static str, io::Error)> },
}

fn list(failed: &[(&'static str, io::Error)]) -> String {
    failed.iter().map(|(step, error)| format!("{step}: {error}")).collect::<Vec<_>>().join(", ")
}

/// The kind of a [`WorkloadError`], as it is sent from the workload's process to the observer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    NotRoot,
    OtherSwap,
    NoZram,
    ReadOnlySysfs,
    TooLittleMemory,
    OutOfRange,
    Io,
    Format,
    NotFilled,
    NotPagedOut,
    Timeout,
    WrongCount,
    Interrupted,
    Panicked,
    ForeignDevice,
    NotRemoved,
}

impl ErrorCode {
    /// Whether the host does not allow the workload. Nothing was changed then.
    pub const fn is_refusal(self) -> bool {
        matches!(self, Self::NotRoot | Self::OtherSwap | Self::NoZram | Self::ReadOnlySysfs | Self::TooLittleMemory)
    }
}

/// An error of a workload in a form that can be sent to another process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    pub code: ErrorCode,
    /// What happened, and why.
    pub message: String,
    /// What to do about it.
    pub remedy: Option<String>,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)?;
        self.remedy.iter().try_for_each(|remedy| write!(f, "\n  to do: {remedy}"))
    }
}

impl Error for Failure {}

impl From<&WorkloadError> for Failure {
    fn from(error: &WorkloadError) -> Self {
        Self { code: error.code(), message: with_sources(error), remedy: error.remedy() }
    }
}

impl From<WorkloadError> for Failure {
    fn from(error: WorkloadError) -> Self {
        Self::from(&error)
    }
}

/// The message of an error and of its sources, outermost first.
pub(crate) fn with_sources(error: &dyn Error) -> String {
    let (mut message, mut source) = (error.to_string(), error.source());
    while let Some(error) = source {
        message += ": ";
        message += &error.to_string();
        source = error.source();
    }
    message
}

impl WorkloadError {
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::NotRoot { .. } => ErrorCode::NotRoot,
            Self::OtherSwap { .. } => ErrorCode::OtherSwap,
            Self::NoZram { .. } => ErrorCode::NoZram,
            Self::ReadOnlySysfs => ErrorCode::ReadOnlySysfs,
            Self::TooLittleMemory { .. } => ErrorCode::TooLittleMemory,
            Self::OutOfRange { .. } => ErrorCode::OutOfRange,
            Self::Io { .. } | Self::Swaps(SwapsError::Read(_)) | Self::Vmstat(VmstatError::Read(_)) => ErrorCode::Io,
            Self::Format { .. } | Self::Swaps(_) | Self::Vmstat(_) => ErrorCode::Format,
            Self::NotFilled { .. } => ErrorCode::NotFilled,
            Self::NotPagedOut { .. } => ErrorCode::NotPagedOut,
            Self::Timeout { .. } => ErrorCode::Timeout,
            Self::WrongCount { .. } => ErrorCode::WrongCount,
            Self::Interrupted { .. } => ErrorCode::Interrupted,
            Self::Panicked => ErrorCode::Panicked,
            Self::ForeignDevice { .. } => ErrorCode::ForeignDevice,
            Self::NotRemoved { .. } => ErrorCode::NotRemoved,
        }
    }

    /// What the user can do about it.
    pub fn remedy(&self) -> Option<String> {
        let fixed = match self {
            Self::NotRoot { .. } => "run it as root: sudo observer ...",
            Self::OtherSwap { .. } => "switch it off with swapoff during the run, or use --allow-other-swap",
            Self::NoZram { .. } => "install the kernel's module package, or load the module zram",
            Self::ReadOnlySysfs => "run it on the host, or in a container with --privileged",
            Self::TooLittleMemory { .. } => "use a smaller device, or free memory",
            Self::NotFilled { .. } => "check memory.swap.max of this control group, and whether other swap is in use",
            Self::NotPagedOut { .. } => {
                "check whether the swap device is full, and memory.swap.max of this control group"
            }
            Self::WrongCount { .. } => {
                "stop other programs that swap on this host, and check whether the swap device is full"
            }
            Self::NotRemoved { device, id, .. } => {
                return Some(format!("swapoff {device}; echo {id} > /sys/class/zram-control/hot_remove"));
            }
            _ => return None,
        };
        Some(fixed.to_owned())
    }

    /// A system call or file operation that failed. `action` completes "cannot".
    pub(crate) fn io(action: impl Into<String>, error: impl Into<io::Error>) -> Self {
        Self::Io { action: action.into(), error: error.into() }
    }

    /// Content that could not be parsed; only its start is kept.
    pub(crate) fn format(place: impl Into<String>, content: &str) -> Self {
        Self::Format { place: place.into(), content: content.chars().take(80).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_has_the_message_of_the_source_and_the_remedy() {
        let denied = || io::Error::from_raw_os_error(libc::EACCES);
        let failure = Failure::from(WorkloadError::io("open /dev/zram1", denied()));
        assert_eq!(failure.message, "cannot open /dev/zram1: Permission denied (os error 13)");
        assert_eq!((failure.code, failure.remedy), (ErrorCode::Io, None));
        let steps = vec![("swapoff", denied()), ("reset", denied())];
        let error = WorkloadError::NotRemoved { device: "/dev/zram1".into(), id: 1, failed: steps };
        let failure = Failure::from(&error);
        let all = "swapoff: Permission denied (os error 13), reset: Permission denied (os error 13)";
        assert!(failure.message.ends_with(all), "{}", failure.message);
        assert!(failure.to_string().contains("\n  to do: swapoff /dev/zram1; echo 1 >"), "{failure}");
    }

    #[test]
    fn the_error_of_a_file_is_in_the_message_once() {
        let absent = || io::Error::from_raw_os_error(libc::ENOENT);
        for error in [WorkloadError::from(SwapsError::Read(absent())), VmstatError::Read(absent()).into()] {
            let message = Failure::from(error).message;
            assert!(message.starts_with("cannot read /proc/"), "{message}");
            assert_eq!(message.matches("(os error 2)").count(), 1, "{message}");
        }
    }

    #[test]
    fn only_errors_of_the_first_checks_are_refusals() {
        assert!(WorkloadError::NotRoot { uid: 1000 }.code().is_refusal());
        assert!(WorkloadError::OtherSwap { areas: "/dev/sda2".into() }.code().is_refusal());
        assert!(WorkloadError::ReadOnlySysfs.code().is_refusal());
        assert!(WorkloadError::ReadOnlySysfs.remedy().is_some_and(|remedy| remedy.contains("--privileged")));
        assert!(!WorkloadError::Interrupted { signal: 15 }.code().is_refusal());
        assert!(!WorkloadError::from(SwapsError::Line("x".into())).code().is_refusal());
    }
}
