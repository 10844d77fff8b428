//! The facts about the race that an observation shows.

use std::collections::BTreeSet;

use observer_engine::verdict::Verdict;

use super::Summary;
use crate::race::{Area, Evidence, Race};

/// Verdicts on readers, which are evidence of the race.
const OF_READERS: [Verdict; 3] = [Verdict::Window, Verdict::Reuse, Verdict::StaleInstall];

impl Evidence {
    fn of(summary: &Summary) -> Self {
        let verdicts = &summary.verdicts;
        let is_hidden = OF_READERS.iter().any(|verdict| verdicts.not_observable.contains_key(verdict));
        let stale = summary.findings.iter().filter(|finding| finding.verdict == Verdict::StaleInstall);
        Self {
            direct: summary.swapins.direct,
            verdicts: verdicts.counts,
            complete: !is_hidden && summary.dropped_events() == 0 && summary.gaps() == 0,
            areas: stale.filter_map(|finding| finding.device.clone()).collect::<BTreeSet<_>>().into_iter().collect(),
        }
    }
}

impl Race {
    /// Of an observation, or of several merged: the swap areas are those in use at its end.
    pub fn of(summary: &Summary) -> Self {
        let swaps = &summary.swaps;
        let in_use = swaps.iter().filter(|swap| swap.until_ns.is_none());
        let in_use: Vec<Area> = in_use.map(|swap| (swap.path.clone(), swap.synchronous)).collect();
        // An observation without areas does not show that there were none.
        let areas = (!swaps.is_empty()).then_some(in_use.as_slice());
        Self::new(summary.kernel.state, areas, Some(Evidence::of(summary)))
    }
}
