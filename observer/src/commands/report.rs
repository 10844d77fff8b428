//! `observer report`: a report from recordings, in one of several formats.

use std::{
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};

use super::{output, page};
use crate::cli::ReportArgs;
use observer_observation::{Outcome, exit::Exit};
use observer_record::{Creation, PartialFile, Reader, Replay, chains};
use observer_report::{
    formats::{Format, perfetto::Trace, text},
    observed::{Observed, Reported},
    paint::Paint,
};
use observer_text::Name;

/// # Errors
/// When a file cannot be read at all, or the output cannot be written.
pub(crate) fn run(args: &ReportArgs) -> anyhow::Result<Exit> {
    let format = if args.json { Some(Format::Json) } else { args.format.of_summaries() };
    let replays = open(&args.files)?;
    if format.is_none() && replays.len() > 1 {
        bail!("a trace shows one observation, and {} were given: give one recording", replays.len());
    }
    match &args.output {
        None => {
            let mut exit = Exit::Clean;
            let paint = page::paint(args.color.color);
            output::check(write(format, paint, replays, &mut io::stdout().lock(), &mut exit))?;
            Ok(exit)
        }
        Some(path) => {
            let creation = if args.force { Creation::Replace } else { Creation::New };
            let mut file = PartialFile::create(path, creation)?;
            let mut exit = Exit::Clean;
            write(format, page::paint_of_file(args.color.color), replays, file.file(), &mut exit)
                .and_then(|()| file.complete())
                .with_context(|| format!("cannot write {}", Name::from(path)))?;
            Ok(exit)
        }
    }
}

/// Opens recordings and joins the files of one observation.
fn open(files: &[PathBuf]) -> anyhow::Result<Vec<Replay>> {
    let readers = files.iter().map(|path| Reader::open(path).with_context(|| Name::from(path).to_string()));
    let replays = chains(readers.collect::<Result<_, _>>()?);
    if replays.is_empty() {
        bail!("no recording given");
    }
    Ok(replays)
}

/// One recording; files of several observations are merged.
pub(super) fn observed(path: &Path) -> anyhow::Result<Observed> {
    let replays = open(&[path.to_owned()])?;
    let parts: Vec<Observed> = replays.into_iter().map(Replay::finish).map(|outcome| Observed::new(&outcome)).collect();
    Observed::merged(&parts).context("no recording given")
}

/// Writes the report; without a format, the trace.
fn write(
    format: Option<Format>,
    paint: Paint,
    replays: Vec<Replay>,
    out: &mut dyn Write,
    exit: &mut Exit,
) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    let outcomes = if format.is_some() {
        replays.into_iter().map(Replay::finish).collect()
    } else {
        replays.into_iter().map(|replay| trace(replay, &mut out)).collect::<io::Result<Vec<Outcome>>>()?
    };
    let parts: Vec<Observed> = outcomes.iter().map(Observed::new).collect();
    let Some(whole) = Observed::merged(&parts) else { return Ok(()) };
    *exit = whole.summary.exit();
    match format {
        None => {}
        Some(Format::Text) => out.write_all(text::painted(&whole.summary, paint).as_bytes())?,
        Some(format) => format.write(&Reported { parts, whole }, &mut out)?,
    }
    out.flush()
}

/// Writes the trace of one recording while it is replayed.
fn trace(replay: Replay, out: &mut dyn Write) -> io::Result<Outcome> {
    let mut trace = Trace::new(out, replay.context().clocks.monotonic_ns);
    let outcome = replay.finish_with(&mut |input| trace.input(input));
    trace.finish(&outcome)?;
    Ok(outcome)
}
