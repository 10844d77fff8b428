//! Findings, one JSON object per line, as docs/schema/finding-2.json describes them.

use std::io::{self, Write};

use observer_engine::verdict::Finding;
use observer_observation::Known;
use serde::Serialize;

use crate::{observed::Observed, summary::place::Placed, words};

/// Raised when a key is removed or changes its meaning.
const SCHEMA: &str = "observer-finding/2";

/// A finding, with what is needed to understand it alone.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Line<'a> {
    schema: &'static str,
    pub(super) release: &'a str,
    /// The options that selected the finding; `None`: all findings are listed.
    pub(super) selection: Option<String>,
    #[serde(flatten)]
    pub(super) finding: &'a Placed<Finding>,
}

/// All findings, observation by observation.
pub(super) fn lines(parts: &[Observed]) -> impl Iterator<Item = Line<'_>> {
    parts.iter().flat_map(|part| {
        let summary = &part.summary;
        summary.findings.iter().map(|finding| Line {
            schema: SCHEMA,
            release: &summary.kernel.release,
            selection: summary.selection.as_ref().map(words::selection),
            finding,
        })
    })
}

/// One finding of an observation in progress, as the line that [`write`] will have for it, with its end.
///
/// # Errors
/// None that depends on the finding.
pub fn line(finding: &Finding, known: &Known<'_>) -> io::Result<String> {
    let line = Line {
        schema: SCHEMA,
        release: &known.context.kernel.release,
        selection: None,
        finding: &Placed::new(finding.clone(), known),
    };
    Ok(super::json::text(&line)? + "\n")
}

/// # Errors
/// When the output cannot be written.
pub(super) fn write(parts: &[Observed], out: &mut dyn Write) -> io::Result<()> {
    for line in lines(parts) {
        super::json::write(&line, out)?;
    }
    Ok(())
}
