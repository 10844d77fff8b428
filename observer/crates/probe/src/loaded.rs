//! A program that has been loaded.

use std::os::fd::RawFd;

use crate::usage::{SKIPPED, fdinfo};
use observer_observation::ProgramRun;

/// A program that has been loaded.
pub(crate) struct Loaded {
    pub(crate) name: String,
    /// Open as long as the program is loaded.
    pub(crate) fd: RawFd,
    /// A skipped run of it may hide a read.
    pub(crate) counts_reads: bool,
}

impl Loaded {
    /// What it has run so far; `None`: the kernel does not count it.
    pub(crate) fn run(&self) -> Option<ProgramRun> {
        let (runs, run_ns) = (fdinfo(self.fd, "run_cnt")?, fdinfo(self.fd, "run_time_ns")?);
        Some(ProgramRun { name: self.name.clone(), runs, run_ns })
    }

    /// Runs that the kernel skipped; `None`: it does not count them (before 5.12).
    pub(crate) fn skipped(&self) -> Option<u64> {
        fdinfo(self.fd, SKIPPED)
    }
}
