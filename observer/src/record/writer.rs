//! Writes a recording. Memory: one frame. Nothing here fails in the middle: the first error stops the writing, and is
//! kept until somebody asks.

use std::{
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use super::{
    MAGIC, MAJOR, MINOR, PREAMBLE,
    event::Encoder,
    file::{CreateError, Creation, Unfinished},
    frame::{self, Kind},
    header::{Footer, Header, Part},
    sample,
};
use crate::{
    engine::event::{Event, Nanos},
    outcome::{Context, Ending, Sample},
};

/// Events wait at most this long for their frame to fill: what a killed recorder loses. Nanoseconds.
const LONGEST_WAIT: Nanos = 1_000_000_000;

/// What was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Where it is.
    pub path: PathBuf,
    /// Bytes.
    pub bytes: u64,
    /// Events.
    pub events: u64,
}

/// See the module.
#[derive(Debug)]
pub struct Recorder {
    out: Unfinished,
    encoder: Encoder,
    pending: u64,
    events: u64,
    bytes: u64,
    flushed: Option<Nanos>,
    failed: Option<io::Error>,
}

impl Recorder {
    /// Begins a recording at `path`.
    ///
    /// # Errors
    /// See [`CreateError`].
    pub fn create(path: &Path, creation: Creation, context: &Context) -> Result<Self, CreateError> {
        let out = Unfinished::create(path, creation)?;
        let mut recorder =
            Self { out, encoder: Encoder::default(), pending: 0, events: 0, bytes: 0, flushed: None, failed: None };
        let part = Part { id: id_of(context), number: 1 };
        recorder.begin(&Header { context: context.clone(), part, before: None });
        match recorder.failed.take() {
            None => Ok(recorder),
            Some(why) => Err(CreateError::Io { path: recorder.out.partial().to_owned(), why }),
        }
    }

    /// Adds an event.
    pub fn event(&mut self, event: &Event) {
        if self.failed.is_none() {
            self.encoder.event(event);
            self.pending += 1;
            self.flush_if_full();
        }
    }

    /// Adds the time that the engine is told.
    pub fn advance(&mut self, until: Nanos) {
        if self.failed.is_none() {
            self.encoder.advance(until);
            if until.saturating_sub(*self.flushed.get_or_insert(until)) >= LONGEST_WAIT {
                self.flush();
                self.flushed = Some(until);
            } else {
                self.flush_if_full();
            }
        }
    }

    /// Adds the counters as they are now.
    pub fn sample(&mut self, sample: &Sample) {
        self.flush();
        self.json(Kind::Sample, &sample::Stored::from(sample));
    }

    /// Why nothing is written any more.
    pub fn failed(&self) -> Option<&io::Error> {
        self.failed.as_ref()
    }

    /// Where the recording is while it is being written.
    pub fn partial(&self) -> &Path {
        self.out.partial()
    }

    /// Ends the recording and gives it its name.
    ///
    /// # Errors
    /// The first error there was. What had been written before is whole, and stays where [`Recorder::partial`] says.
    pub fn finish(mut self, ending: &Ending) -> io::Result<Written> {
        self.flush();
        self.json(Kind::Footer, &Footer { events: self.events, ending: Some(ending.clone()) });
        match self.failed {
            Some(error) => Err(error),
            None => Ok(Written { path: self.out.complete()?, bytes: self.bytes, events: self.events }),
        }
    }

    fn begin(&mut self, header: &Header) {
        let mut preamble = Vec::with_capacity(PREAMBLE);
        preamble.extend_from_slice(&MAGIC);
        preamble.extend_from_slice(&MAJOR.to_le_bytes());
        preamble.extend_from_slice(&MINOR.to_le_bytes());
        preamble.resize(PREAMBLE, 0);
        match self.out.file.write_all(&preamble) {
            Ok(()) => self.bytes += PREAMBLE as u64,
            Err(error) => self.fail(error),
        }
        self.json(Kind::Header, header);
    }

    fn flush_if_full(&mut self) {
        if frame::is_full(self.encoder.bytes().len()) {
            self.flush();
        }
    }

    fn flush(&mut self) {
        if !self.encoder.bytes().is_empty() {
            let written = match self.failed {
                None => frame::write(&mut self.out.file, Kind::Events, self.encoder.bytes()),
                Some(_) => Ok(0),
            };
            self.wrote(written);
            self.encoder.clear();
            self.events += std::mem::take(&mut self.pending);
        }
    }

    fn json(&mut self, kind: Kind, value: &impl serde::Serialize) {
        if self.failed.is_none() {
            let text = serde_json::to_vec(value).map_err(io::Error::from);
            let written = text.and_then(|text| frame::write(&mut self.out.file, kind, &text));
            self.wrote(written);
        }
    }

    fn wrote(&mut self, written: io::Result<u64>) {
        match written {
            Ok(bytes) => self.bytes += bytes,
            Err(error) => self.fail(error),
        }
    }

    /// Stops the writing and takes back the frame that is not whole.
    fn fail(&mut self, error: io::Error) {
        let _ = self.out.file.set_len(self.bytes);
        self.failed.get_or_insert(error);
    }
}

/// A name for an observation that no other one has: its host, and when it began.
fn id_of(context: &Context) -> String {
    format!("{}-{:x}-{:x}", context.host, context.clocks.realtime_ns, std::process::id())
}
