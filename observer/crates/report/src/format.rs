//! The formats of `report`: one name, one file, one function each.

use std::io::{self, Write};

use clap::ValueEnum;

use super::{
    csv, hlog, html, json,
    merge::Observed,
    ndjson,
    openmetrics::{self, Dialect},
    text,
};

/// What `report` writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For a terminal or a log
    Text,
    /// One object: the names of the contract
    Json,
    /// One finding a line, as an object
    Ndjson,
    /// One finding a line, as a table
    Csv,
    /// Distributions as an `HdrHistogram` V2 interval log, one tag each
    Hlog,
    /// For Prometheus and its kin
    Openmetrics,
    /// Chrome trace events, for ui.perfetto.dev
    Perfetto,
    /// One self-contained page
    Html,
}

/// What every format is made from: the observations, and all of them as one.
#[derive(Clone, Debug)]
pub struct Reported {
    /// Each observation.
    pub parts: Vec<Observed>,
    /// All together.
    pub whole: Observed,
}

impl Format {
    /// Writes a report. [`Format::Perfetto`] is not made here: it needs the events, which are not kept.
    ///
    /// # Errors
    /// When the output cannot be written.
    pub fn write(self, reported: &Reported, out: &mut dyn Write) -> io::Result<()> {
        let Reported { parts, whole } = reported;
        match self {
            Self::Text => out.write_all(text::summary(&whole.summary).as_bytes()),
            Self::Json | Self::Perfetto => json::write(&whole.summary, out),
            Self::Ndjson => ndjson::write(parts, out),
            Self::Csv => csv::write(parts, out),
            Self::Hlog => hlog::write(parts, out),
            Self::Openmetrics => {
                out.write_all(openmetrics::page(whole, &openmetrics::Own::default(), Dialect::OpenMetrics).as_bytes())
            }
            Self::Html => out.write_all(html::page(reported).as_bytes()),
        }
    }
}
