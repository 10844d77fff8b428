//! Counts and prints the results of tests.

use anyhow::Result;

use super::guest::Verdict;
use crate::{
    debian::Unavailable,
    kernels::{Kernel, Sources},
    vm::Failure,
};

#[derive(Debug, Default)]
pub(super) struct Tally {
    passed: u32,
    failed: u32,
    skipped: u32,
}

impl Tally {
    /// The kernel. None: it is not available, which is counted as skipped.
    pub(super) fn obtain(&mut self, sources: &Sources, release: &str) -> Result<Option<Kernel>> {
        self.available(sources.obtain(release))
    }

    /// The kernel. None: it is not available, which is counted as skipped.
    pub(super) fn available(&mut self, obtained: Result<Kernel>) -> Result<Option<Kernel>> {
        match obtained {
            Ok(kernel) => Ok(Some(kernel)),
            Err(error) if error.is::<Unavailable>() => {
                println!("skip  {error:#}");
                self.skipped += 1;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// The result of a guest. None: it did not run to its end, which is counted as a failure.
    ///
    /// # Errors
    /// When the guest was interrupted: that ends all tests.
    pub(super) fn guest_result<T>(&mut self, result: Result<T>, name: &str) -> Result<Option<T>> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(error) if matches!(error.downcast_ref(), Some(Failure::Interrupted)) => Err(error),
            Err(error) => {
                println!("FAIL  {name}: {error:#}");
                self.failed += 1;
                Ok(None)
            }
        }
    }

    pub(super) fn add(&mut self, verdict: &Verdict) {
        match &verdict.outcome {
            Ok(seen) => {
                println!("ok    {}: {seen}", verdict.name);
                self.passed += 1;
            }
            Err(wrong) => {
                println!("FAIL  {}: {wrong}", verdict.name);
                self.failed += 1;
            }
        }
    }

    /// Prints the counts; the exit code. A run in which nothing passed has failed.
    pub(super) fn finish(&self) -> u8 {
        println!("{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped);
        u8::from(self.failed > 0 || self.passed == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_without_a_passed_test_fails() {
        let mut tally = Tally { skipped: 2, ..Tally::default() };
        assert_eq!(tally.finish(), 1);
        tally.add(&Verdict { name: "x".to_owned(), outcome: Ok(String::new()) });
        assert_eq!(tally.finish(), 0);
        tally.add(&Verdict { name: "y".to_owned(), outcome: Err(String::new()) });
        assert_eq!(tally.finish(), 1);
    }
}
