//! The rounds of a row, with progress on standard error.

use std::fmt::Display;

use observer_workload::{WorkloadError, signals};

use crate::commands::error::workload_error;

pub(super) struct Rounds<'a> {
    /// What is measured, for the progress line.
    pub(super) name: &'a dyn Display,
    pub(super) count: u32,
}

impl Rounds<'_> {
    /// Runs the rounds and returns the result of each.
    ///
    /// # Errors
    /// The error of a round, or that a signal has arrived.
    pub(super) fn run(&self, mut round: impl FnMut() -> anyhow::Result<f64>) -> anyhow::Result<Vec<f64>> {
        let Self { name, count } = self;
        let mut results = Vec::new();
        for number in 1..=*count {
            signals::check().map_err(failed)?;
            eprint!("\r{name}: round {number} of {count} ");
            results.push(round()?);
        }
        eprintln!();
        Ok(results)
    }
}

/// The error of a workload.
pub(super) fn failed(error: WorkloadError) -> anyhow::Error {
    workload_error(error.into())
}
