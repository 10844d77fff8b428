//! Why the witness cannot run.

use std::{fmt, io};

/// What failed, why, and what to do.
#[derive(Debug)]
pub(crate) struct Failure {
    what: String,
    why: String,
    remedy: String,
}

impl Failure {
    pub(crate) fn new(what: impl Into<String>, why: impl fmt::Display, remedy: impl Into<String>) -> Self {
        Self { what: what.into(), why: why.to_string(), remedy: remedy.into() }
    }

    /// For a system call that has just failed.
    pub(crate) fn last_os(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(what, io::Error::last_os_error(), remedy)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}\n  to do: {}", self.what, self.why, self.remedy)
    }
}

pub(crate) type Result<T> = std::result::Result<T, Failure>;
