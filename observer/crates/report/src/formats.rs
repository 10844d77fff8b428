//! The formats of a report: one file and one function for each.

use std::io::{self, Write};

use self::openmetrics::{Dialect, ServeCost};
use crate::observed::Reported;

mod csv;
mod hlog;
mod html;
pub mod json;
pub mod ndjson;
pub mod openmetrics;
pub mod perfetto;
pub mod text;

/// A format that is made from summaries. The trace of [`perfetto`] is made from the events instead, while they are
/// read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For a terminal or a log.
    Text,
    /// One object: the merged summary.
    Json,
    /// One finding per line, as JSON.
    Ndjson,
    /// One finding per line, as a table.
    Csv,
    /// Distributions as an `HdrHistogram` V2 interval log.
    Hlog,
    /// OpenMetrics text.
    Openmetrics,
    /// One self-contained page.
    Html,
}

impl Format {
    pub const ALL: [Self; 7] =
        [Self::Text, Self::Json, Self::Ndjson, Self::Csv, Self::Hlog, Self::Openmetrics, Self::Html];

    /// Writes a report.
    ///
    /// # Errors
    /// When the output cannot be written.
    pub fn write(self, reported: &Reported, out: &mut dyn Write) -> io::Result<()> {
        let Reported { parts, whole } = reported;
        match self {
            Self::Text => out.write_all(text::summary(&whole.summary).as_bytes()),
            Self::Json => json::write(&whole.summary, out),
            Self::Ndjson => ndjson::write(parts, out),
            Self::Csv => csv::write(parts, out),
            Self::Hlog => hlog::write(parts, out),
            Self::Openmetrics => {
                out.write_all(openmetrics::text(whole, &ServeCost::default(), Dialect::OpenMetrics).as_bytes())
            }
            Self::Html => out.write_all(html::document(reported).as_bytes()),
        }
    }
}
