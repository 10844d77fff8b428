//! What happened to one reader, in order of time.

use super::markup::{Markup, escaped};
use crate::{
    engine::{
        event::Nanos,
        verdict::{Deed, Finding},
    },
    export::text::duration,
};

/// The evidence of a finding. The one place to plug in a drawing: whatever this returns stands under the finding's
/// heading.
pub(super) fn picture(finding: &Finding) -> String {
    table(finding)
}

/// As a table: when, who, what.
fn table(finding: &Finding) -> String {
    let mut page = Markup::default();
    page.write(format_args!(
        "<p>{} faults at {:#x}; its read begins {}.{:09} s after boot.</p>\n",
        escaped(&finding.reader.to_string()),
        finding.address,
        finding.read_begin_ns / 1_000_000_000,
        finding.read_begin_ns % 1_000_000_000,
    ));
    let rows = moments(finding).into_iter().map(|(at, who, what)| {
        [format!("+{}", duration(at.saturating_sub(finding.read_begin_ns))), who, what.to_owned()]
    });
    page.table(&["after", "who", "what"], rows);
    page.finish()
}

/// What happened, in order of time.
fn moments(finding: &Finding) -> Vec<(Nanos, String, &'static str)> {
    let reader = finding.reader.to_string();
    let deed = |deed: &Option<Deed>, what| deed.as_ref().map(|deed| (deed.at_ns, deed.by.to_string(), what));
    let end = if finding.installed { "installs what it read: the page is stale" } else { "gives up its page" };
    let mut moments: Vec<_> = [
        Some((finding.read_begin_ns, reader.clone(), "begins to read the entry")),
        finding.read_end_ns.map(|at| (at, reader.clone(), "has read it")),
        deed(&finding.freed, "frees the entry"),
        deed(&finding.handed_out, "gets the entry for another page"),
        deed(&finding.written, "writes that page to it"),
        Some((finding.end_ns, reader.clone(), end)),
    ]
    .into_iter()
    .flatten()
    .collect();
    moments.sort_by_key(|(at, ..)| *at);
    moments
}
