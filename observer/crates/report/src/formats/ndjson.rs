//! Findings, one JSON object a line: `docs/schema/finding-1.json` says what is in it.

use std::io::{self, Write};

use serde::Serialize;

use crate::observed::Observed;
use observer_engine::verdict::Finding;
use observer_observation::Clocks;

/// Version of the object: raised when a name goes or changes its meaning.
pub const SCHEMA: &str = "observer-finding/1";

/// A finding with what is needed to understand it alone.
#[derive(Clone, Debug, Serialize)]
pub struct Line<'a> {
    /// Version of this object.
    pub schema: &'static str,
    /// Where it was seen.
    pub host: &'a str,
    /// On which kernel.
    pub release: &'a str,
    /// Time of day at its end, nanoseconds since 1970.
    pub at_unix_ns: u64,
    /// The finding.
    #[serde(flatten)]
    pub finding: &'a Finding,
}

/// All findings, observation by observation.
pub fn lines(parts: &[Observed]) -> impl Iterator<Item = Line<'_>> {
    parts.iter().flat_map(|part| {
        let summary = &part.summary;
        let clocks = summary.sources.first().map_or(Clocks::default(), |source| source.clocks);
        summary.findings.iter().map(move |finding| Line {
            schema: SCHEMA,
            host: &summary.host,
            release: &summary.kernel.release,
            at_unix_ns: clocks.realtime(finding.end_ns),
            finding,
        })
    })
}

/// Writes them.
///
/// # Errors
/// When the output cannot be written.
pub fn write(parts: &[Observed], out: &mut dyn Write) -> io::Result<()> {
    for line in lines(parts) {
        super::json::write(&line, out)?;
    }
    Ok(())
}
