//! `--stop-on`: how many findings end the observation.

use observer_engine::verdict::{Finding, Verdict};

/// Ends the observation with the `count`th finding of this verdict or above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StopOn {
    pub(crate) verdict: Verdict,
    /// From 1.
    pub(crate) count: u64,
}

#[derive(Debug)]
pub(super) struct StopCounter {
    on: StopOn,
    seen: u64,
}

impl StopCounter {
    pub(super) const fn new(on: StopOn) -> Self {
        Self { on, seen: 0 }
    }

    /// Counts findings. True: the observation is to end.
    pub(super) fn add(&mut self, findings: &[Finding]) -> bool {
        self.seen += findings.iter().filter(|finding| finding.verdict >= self.on.verdict).count() as u64;
        self.seen >= self.on.count
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tests::finding, *};

    #[test]
    fn findings_of_the_verdict_or_above_count() {
        let mut counter = StopCounter::new(StopOn { verdict: Verdict::Reuse, count: 3 });
        assert!(!counter.add(&[Verdict::Window; 9].map(finding)));
        assert!(!counter.add(&[finding(Verdict::Reuse), finding(Verdict::StaleInstall)]));
        assert!(!counter.add(&[]));
        assert!(counter.add(&[Verdict::StaleInstall; 2].map(finding)), "more than the number at once");
    }
}
