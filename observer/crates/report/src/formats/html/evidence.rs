//! What happened to one reader, in order of time.

use std::fmt::Write as _;

use super::markup::{Markup, escaped};
use crate::{
    picture::{
        story::{Setting, story},
        svg,
    },
    summary::Summary,
    units::duration,
};
use observer_engine::{
    event::Nanos,
    verdict::{Action, Finding},
};

/// The evidence of a finding: its swim-lane picture, and the same as a table.
pub(super) fn picture(summary: &Summary, finding: &Finding) -> String {
    let device = summary.swaps.iter().find(|swap| swap.kind == u32::from(finding.entry.kind()));
    let setting = Setting {
        release: summary.kernel.release.clone(),
        state: summary.kernel.state.clone(),
        device: device.map(|swap| swap.path.trim_start_matches("/dev/").to_owned()).unwrap_or_default(),
    };
    let story = story(finding, &setting);
    let mut page = Markup::default();
    page.write(format_args!(
        "<p><img alt=\"{}\" src=\"data:image/svg+xml,{}\"></p>\n",
        escaped(&story.sentence),
        percent_encoded(&svg::draw(&story))
    ));
    page.raw(&table(finding));
    page.finish()
}

/// For a `data:` address. A picture of its own rather than part of the page: its style sheet must not be the page's.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len() * 2);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~/=;,".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// As a table: when, who, what.
fn table(finding: &Finding) -> String {
    let mut page = Markup::default();
    page.write(format_args!(
        "<p>{} faults at {:#x}; its read starts {}.{:09} s after boot.</p>\n",
        escaped(&finding.reader.to_string()),
        finding.address,
        finding.read_start_ns / 1_000_000_000,
        finding.read_start_ns % 1_000_000_000,
    ));
    let rows = moments(finding).into_iter().map(|(at, who, what)| {
        [format!("+{}", duration(at.saturating_sub(finding.read_start_ns))), who, what.to_owned()]
    });
    page.table(&["after", "who", "what"], rows);
    page.finish()
}

/// What happened, in order of time.
fn moments(finding: &Finding) -> Vec<(Nanos, String, &'static str)> {
    let reader = finding.reader.to_string();
    let action =
        |action: &Option<Action>, what| action.as_ref().map(|action| (action.at_ns, action.by.to_string(), what));
    let end = if finding.installed { "installs what it read: the page is stale" } else { "gives up its page" };
    let mut moments: Vec<_> = [
        Some((finding.read_start_ns, reader.clone(), "starts to read the entry")),
        finding.read_end_ns.map(|at| (at, reader.clone(), "has read it")),
        action(&finding.freed, "frees the entry"),
        action(&finding.allocated, "gets the entry for another page"),
        action(&finding.written, "writes that page to it"),
        Some((finding.end_ns, reader.clone(), end)),
    ]
    .into_iter()
    .flatten()
    .collect();
    moments.sort_by_key(|(at, ..)| *at);
    moments
}
