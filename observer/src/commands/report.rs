//! `observer report`: a report from recordings, in one of several formats.

use std::{
    fs,
    io::{self, BufWriter, Write},
    path::Path,
};

use anyhow::{Context as _, bail};

use super::{
    error::UsageError,
    input::{is_standard_stream, open},
    output, page, selection,
};
use crate::cli::ReportArgs;
use observer_observation::exit::Exit;
use observer_record::{Creation, PartialFile, Replay};
use observer_report::{
    formats::{Format, text},
    observed::{Observed, Reported},
    paint::Paint,
    selection::Selection,
    summary::{Summary, listing::Listing},
    words,
};
use observer_text::{Name, line};

/// # Errors
/// When a file cannot be read at all, a name of the selection is in none of them, or the output cannot be written.
pub(crate) fn run(args: &ReportArgs) -> anyhow::Result<Exit> {
    let format = if args.json { Some(Format::Json) } else { args.format.of_summaries() };
    let selection = args.selection.selection();
    let paint = match &args.output {
        Some(path) if !is_standard_stream(path) => page::paint_of_file(args.color.color),
        _ => page::paint(args.color.color),
    };
    let report = Report { format, paint, listing: args.list.listing(), selection };
    report.check()?;
    let replays = open(&args.files)?;
    if format.is_none() && replays.len() > 1 {
        bail!("a trace shows one observation, and {} were given: give one recording", replays.len());
    }
    let mut exit = Exit::Clean;
    match args.output.as_deref().filter(|path| !is_standard_stream(path)) {
        None => {
            let written = report.write(replays, &mut io::stdout().lock(), &mut exit);
            written.or_else(|error| output::check(Err(error.downcast::<io::Error>()?)))?;
        }
        Some(path) => {
            let creation = if args.force { Creation::Replace } else { Creation::New };
            let mut file = PartialFile::create(path, creation)?;
            if let Err(error) = report.write(replays, file.file(), &mut exit) {
                return Err(not_written(error, path, file.path()));
            }
            file.complete().with_context(|| cannot_write(path))?;
        }
    }
    Ok(exit)
}

/// One recording, or standard input.
pub(super) fn observed(path: &Path) -> anyhow::Result<Observed> {
    let replays = open(&[path.to_owned()])?;
    Observed::merged(&selection::observed(replays, &Selection::default())?).context("no recording given")
}

fn cannot_write(path: &Path) -> String {
    format!("cannot write {}", Name::from(path))
}

/// The error of a report that was to be written to a file. Nothing is kept of one that was not meant.
fn not_written(error: anyhow::Error, path: &Path, partial: &Path) -> anyhow::Error {
    match error.downcast::<io::Error>() {
        Ok(error) => anyhow::Error::new(error).context(cannot_write(path)),
        Err(error) => {
            if error.is::<UsageError>() {
                // If it stays, the next report to the same file says so.
                let _ = fs::remove_file(partial);
            }
            error
        }
    }
}

/// What is written.
struct Report {
    /// `None`: the trace.
    format: Option<Format>,
    paint: Paint,
    listing: Listing,
    selection: Selection,
}

impl Report {
    fn check(&self) -> anyhow::Result<()> {
        let is_list = matches!(self.format, Some(Format::Ndjson | Format::Csv));
        let has_lists = is_list || matches!(self.format, Some(Format::Text | Format::Json | Format::Html));
        match self.listing {
            Listing::Usual => {}
            Listing::Nothing if has_lists && !is_list => {}
            Listing::Top(_) | Listing::All if has_lists => {}
            Listing::Nothing => bail!(UsageError::ListOption { option: "summary" }),
            Listing::Top(_) => bail!(UsageError::ListOption { option: "top" }),
            Listing::All => bail!(UsageError::ListOption { option: "all" }),
        }
        selection::check(&self.selection)
    }

    /// `exit` is set before anything but a trace is written.
    fn write(&self, replays: Vec<Replay>, out: &mut dyn Write, exit: &mut Exit) -> anyhow::Result<()> {
        let mut out = BufWriter::new(out);
        let parts = if self.format.is_some() {
            selection::observed(replays, &self.selection)?
        } else {
            let traced = replays.into_iter().map(|replay| selection::traced(replay, &self.selection, &mut out));
            traced.collect::<Result<_, _>>()?
        };
        let Some(reported) = Reported::listing(parts, self.listing) else { return Ok(()) };
        *exit = reported.whole.summary.exit();
        self.print_notes(&reported.whole.summary);
        match self.format {
            None => {}
            Some(Format::Text) => out.write_all(text::painted(&reported.whole.summary, self.paint).as_bytes())?,
            Some(format) => format.write(&reported, &mut out)?,
        }
        Ok(out.flush()?)
    }

    /// Prints what a format with nothing but a list has no place for.
    fn print_notes(&self, summary: &Summary) {
        if !matches!(self.format, Some(Format::Text | Format::Json | Format::Html)) {
            for note in words::selection_notes(summary) {
                eprintln!("observer: {}", line(&note));
            }
        }
    }
}
