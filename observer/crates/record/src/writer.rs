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
    parts::{self, Rotation},
    sample,
};
use observer_engine::event::{Event, Nanos};
use observer_observation::{Context, FinalState, Sample, input::Input};

/// Events wait at most this long for their frame to fill: what a killed recorder loses. Nanoseconds.
const LONGEST_WAIT: Nanos = 1_000_000_000;

/// What was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Where the last file is.
    pub path: PathBuf,
    /// How many files there were, those included that are no longer kept.
    pub files: u32,
    /// Bytes in all of them.
    pub bytes: u64,
    /// Events in all of them.
    pub events: u64,
}

/// Where to write.
#[derive(Clone, Debug)]
pub struct Target {
    /// The name asked for.
    pub path: PathBuf,
    /// What may be replaced.
    pub creation: Creation,
    /// When to start another file.
    pub rotation: Rotation,
}

/// See the module.
#[derive(Debug)]
pub struct Recorder {
    target: Target,
    header: Header,
    out: Unfinished,
    encoder: Encoder,
    /// The counters as last written to this file.
    last: sample::Stored,
    /// When this file was started.
    started: Option<Nanos>,
    flushed: Option<Nanos>,
    /// Events encoded and not yet written; events and bytes in this file.
    pending: u64,
    events: u64,
    bytes: u64,
    /// What was written before this file.
    earlier: Written,
    failed: Option<io::Error>,
}

impl Recorder {
    /// Starts a recording.
    ///
    /// # Errors
    /// See [`CreateError`].
    pub fn create(target: Target, context: &Context) -> Result<Self, CreateError> {
        let part = Part { id: id_of(context), number: 1 };
        let out = Unfinished::create(&name(&target, part.number), target.creation)?;
        let mut recorder = Self {
            target,
            header: Header { context: context.clone(), part, before: None },
            out,
            encoder: Encoder::default(),
            last: sample::Stored::default(),
            started: None,
            flushed: None,
            pending: 0,
            events: 0,
            bytes: 0,
            earlier: Written::default(),
            failed: None,
        };
        recorder.start();
        match recorder.failed.take() {
            None => Ok(recorder),
            Some(why) => Err(CreateError::Io { path: recorder.out.partial().to_owned(), why }),
        }
    }

    /// Adds an input.
    pub fn input(&mut self, input: &Input) {
        match input {
            Input::Event(event) => self.event(event),
            Input::Advance(until) => self.advance(*until),
            Input::Sample(sample) => self.sample(sample),
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

    /// Adds the counters as they are now. May start another file.
    pub fn sample(&mut self, sample: &Sample) {
        if self.failed.is_some() {
            return;
        }
        self.flush();
        let changes = sample::Stored::from(sample).since(&self.last);
        self.json(Kind::Sample, &changes);
        self.last.update(changes);
        let age = sample.at.saturating_sub(*self.started.get_or_insert(sample.at));
        if self.target.rotation.is_due(self.bytes, age) {
            self.next_part();
        }
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
    pub fn finish(mut self, ending: &FinalState) -> io::Result<Written> {
        self.end(Some(ending.clone()));
        if let Some(error) = self.failed {
            return Err(error);
        }
        let Written { files, bytes, events, .. } = self.earlier;
        let path = self.out.complete()?;
        Ok(Written { path, files: files + 1, bytes: bytes + self.bytes, events: events + self.events })
    }

    fn start(&mut self) {
        let mut preamble = Vec::with_capacity(PREAMBLE);
        preamble.extend_from_slice(&MAGIC);
        preamble.extend_from_slice(&MAJOR.to_le_bytes());
        preamble.extend_from_slice(&MINOR.to_le_bytes());
        preamble.resize(PREAMBLE, 0);
        match self.out.file().write_all(&preamble) {
            Ok(()) => self.bytes = PREAMBLE as u64,
            Err(error) => self.fail(error),
        }
        let header = self.header.clone();
        self.json(Kind::Header, &header);
    }

    fn end(&mut self, ending: Option<FinalState>) {
        self.flush();
        self.json(Kind::Footer, &Footer { events: self.events, ending });
    }

    /// Completes this file and starts the next one.
    fn next_part(&mut self) {
        self.end(None);
        if self.failed.is_some() {
            return;
        }
        let number = self.header.part.number + 1;
        match Unfinished::create(&name(&self.target, number), self.target.creation) {
            Err(error) => self.fail(io::Error::other(error)),
            Ok(next) => match std::mem::replace(&mut self.out, next).complete() {
                Err(error) => self.fail(error),
                Ok(_) => self.change_to(number),
            },
        }
    }

    fn change_to(&mut self, number: u32) {
        self.earlier.files += 1;
        self.earlier.bytes += std::mem::take(&mut self.bytes);
        self.earlier.events += std::mem::take(&mut self.events);
        if let Some(outdated) = self.target.rotation.outdated(number - 1) {
            // Somebody may have moved it away already: then it is kept elsewhere.
            let _ = std::fs::remove_file(name(&self.target, outdated));
        }
        self.header.part.number = number;
        self.header.before = Some(self.last.clone());
        self.started = None;
        self.start();
    }

    fn flush_if_full(&mut self) {
        if frame::is_full(self.encoder.bytes().len()) {
            self.flush();
        }
    }

    fn flush(&mut self) {
        if !self.encoder.bytes().is_empty() {
            let written = match self.failed {
                None => frame::write(self.out.file(), Kind::Events, self.encoder.bytes()),
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
            let written = text.and_then(|text| frame::write(self.out.file(), kind, &text));
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
        let _ = self.out.file().set_len(self.bytes);
        self.failed.get_or_insert(error);
    }
}

/// What a part is called.
fn name(target: &Target, number: u32) -> PathBuf {
    if target.rotation.is_on() { parts::name(&target.path, number) } else { target.path.clone() }
}

/// A name for an observation that no other one has: its host, and when it started.
fn id_of(context: &Context) -> String {
    format!("{}-{:x}-{:x}", context.host, context.clocks.realtime_ns, std::process::id())
}
