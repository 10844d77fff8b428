//! How many findings are listed, and which.

use std::cmp::Reverse;

use serde::Serialize;

use super::Summary;
use crate::observed::{Observed, Reported};

/// Which findings a report lists. All are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Listing {
    /// As many as the format lists by default.
    #[default]
    Usual,
    /// The worst, and of those the newest.
    Top(u32),
    All,
    /// No lists: neither findings, nor overlaps, waits and entries.
    Nothing,
}

impl Listing {
    /// Most findings that a format prints. `default`: where none was requested.
    pub fn most(self, default: usize) -> usize {
        match self {
            Self::Usual => default,
            Self::Top(most) => usize::try_from(most).unwrap_or(usize::MAX),
            Self::All => usize::MAX,
            Self::Nothing => 0,
        }
    }
}

/// What is left out of the lists, as requested by `--top` or `--summary`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    pub findings: u64,
    pub overlaps: u64,
    pub waits: u64,
    pub entries: u64,
}

impl LeftOut {
    pub(crate) fn add(&mut self, other: &Self) {
        let Self { findings, overlaps, waits, entries } = other;
        self.findings += findings;
        self.overlaps += overlaps;
        self.waits += waits;
        self.entries += entries;
    }
}

impl Reported {
    /// Several observations and all of them merged, with the lists that were requested; `None` of none.
    pub fn listing(mut parts: Vec<Observed>, listing: Listing) -> Option<Self> {
        match listing {
            Listing::Top(most) => keep_top(&mut parts, listing.most(usize::try_from(most).unwrap_or(usize::MAX))),
            Listing::Nothing => parts.iter_mut().for_each(|part| part.summary.clear_lists()),
            Listing::Usual | Listing::All => {}
        }
        for part in &mut parts {
            part.summary.listing = listing;
        }
        let whole = Observed::merged(&parts)?;
        Some(Self { parts, whole })
    }
}

impl Summary {
    fn clear_lists(&mut self) {
        self.left_out.add(&LeftOut {
            findings: std::mem::take(&mut self.findings).len() as u64,
            overlaps: std::mem::take(&mut self.overlaps).len() as u64,
            waits: std::mem::take(&mut self.waits).len() as u64,
            entries: std::mem::take(&mut self.entries).len() as u64,
        });
    }
}

/// Keeps the worst findings of all observations together, of equal ones the newest, in their order.
fn keep_top(parts: &mut [Observed], most: usize) {
    let mut order = Vec::new();
    for (part, observed) in parts.iter().enumerate() {
        let wall_clock = observed.summary.sources.first().map(|source| &source.wall_clock);
        for (index, finding) in observed.summary.findings.iter().enumerate() {
            let at = wall_clock.map_or(finding.end_ns, |wall_clock| wall_clock.realtime(finding.end_ns));
            order.push((Reverse((finding.verdict, at)), part, index));
        }
    }
    order.sort_unstable();
    order.truncate(most);
    let mut kept: Vec<(usize, usize)> = order.into_iter().map(|(_, part, index)| (part, index)).collect();
    kept.sort_unstable();
    for (part, observed) in parts.iter_mut().enumerate() {
        let summary = &mut observed.summary;
        let before = summary.findings.len();
        let mut index = 0;
        summary.findings.retain(|_| {
            index += 1;
            kept.binary_search(&(part, index - 1)).is_ok()
        });
        summary.left_out.findings += (before - summary.findings.len()) as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_prints_its_default_unless_a_number_was_requested() {
        let most = [Listing::Usual, Listing::Top(3), Listing::All, Listing::Nothing].map(|listing| listing.most(20));
        assert_eq!(most, [20, 3, usize::MAX, 0]);
    }
}
