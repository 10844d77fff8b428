//! The findings that a report of several observations lists.

use super::{Observed, Reported};
use crate::summary::{headline::severity, listing::Listing};

impl Reported {
    /// Several observations and all of them merged, with the lists that were requested; `None` of none. The answer is
    /// that of all findings, whichever are listed.
    pub fn listing(mut parts: Vec<Observed>, listing: Listing) -> Option<Self> {
        let mut whole = Observed::merged(&parts)?;
        match listing {
            Listing::Top(most) => {
                keep_top(&mut parts, usize::try_from(most).unwrap_or(usize::MAX));
                let findings = parts.iter().flat_map(|part| &part.summary.findings);
                whole.summary.findings = findings.cloned().collect();
                whole.summary.left_out.findings = parts.iter().map(|part| part.summary.left_out.findings).sum();
            }
            Listing::Nothing => {
                parts.iter_mut().chain([&mut whole]).for_each(|observed| observed.summary.clear_lists());
            }
            Listing::Usual | Listing::All => {}
        }
        for observed in parts.iter_mut().chain([&mut whole]) {
            observed.summary.listing = listing;
        }
        Some(Self { parts, whole })
    }
}

/// Keeps the most severe findings of all observations together, of equal ones the newest, in their order.
fn keep_top(parts: &mut [Observed], most: usize) {
    let mut order = Vec::new();
    for (part, observed) in parts.iter().enumerate() {
        for (index, finding) in observed.summary.findings.iter().enumerate() {
            order.push((severity(finding), part, index));
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
