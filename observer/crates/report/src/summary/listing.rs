//! How many findings are listed, and which.

use serde::Serialize;

use super::Summary;

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

impl Summary {
    pub(crate) fn clear_lists(&mut self) {
        self.left_out.add(&LeftOut {
            findings: std::mem::take(&mut self.findings).len() as u64,
            overlaps: std::mem::take(&mut self.overlaps).len() as u64,
            waits: std::mem::take(&mut self.waits).len() as u64,
            entries: std::mem::take(&mut self.entries).len() as u64,
        });
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
