//! Findings, one JSON object per line, as docs/schema/finding-2.json describes them.

use std::io::{self, Write};

use observer_text::Name;
use serde::Serialize;

use crate::{observed::Observed, summary::place::Placed};
use observer_engine::verdict::Finding;

/// Raised when a key is removed or changes its meaning.
const SCHEMA: &str = "observer-finding/2";

/// A finding, with what is needed to understand it alone.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Line<'a> {
    schema: &'static str,
    pub(super) host: &'a Name,
    pub(super) release: &'a str,
    /// What the wall clock showed at the end of the finding, nanoseconds since 1970. A string, because it is above 2^53.
    pub(super) at_unix_ns: String,
    #[serde(flatten)]
    pub(super) finding: &'a Placed<Finding>,
}

/// All findings, observation by observation.
pub(super) fn lines(parts: &[Observed]) -> impl Iterator<Item = Line<'_>> {
    parts.iter().flat_map(|part| {
        let summary = &part.summary;
        let wall_clock = summary.sources.first().map(|source| &source.wall_clock);
        summary.findings.iter().map(move |finding| Line {
            schema: SCHEMA,
            host: &summary.host,
            release: &summary.kernel.release,
            at_unix_ns: wall_clock.map_or(0, |wall_clock| wall_clock.realtime(finding.end_ns)).to_string(),
            finding,
        })
    })
}

/// # Errors
/// When the output cannot be written.
pub(super) fn write(parts: &[Observed], out: &mut dyn Write) -> io::Result<()> {
    for line in lines(parts) {
        super::json::write(&line, out)?;
    }
    Ok(())
}
