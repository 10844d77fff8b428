//! Writes a recording. Memory: one frame. The first error stops the writing and is kept, so that callers need not check
//! every call.

use std::{
    fs::File,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use crate::{
    MAGIC, MAJOR, MINOR, PREAMBLE,
    event::Encoder,
    file::{CreateError, Creation, PartialFile},
    frame::{self, Kind},
    header::{Footer, Header, Part},
    rotation::{Rotation, part_path},
    sample,
};
use observer_engine::event::{Event, Nanos};
use observer_observation::{
    AreaHistory, AreaReading, CgroupPath, Clocks, Context, FinalState, Input, Sample, WallClock,
};
use observer_text::Name;

/// Longest time that events wait for their frame to fill, and so what a killed recorder loses. Nanoseconds.
const LONGEST_WAIT: Nanos = 1_000_000_000;

/// A completed recording.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// The last file.
    pub path: PathBuf,
    /// Number of files, including those that rotation has removed.
    pub files: u32,
    /// Bytes in all files.
    pub bytes: u64,
    /// Events in all files.
    pub events: u64,
}

/// Where to write.
#[derive(Clone, Debug)]
pub struct Target {
    pub path: PathBuf,
    pub creation: Creation,
    pub rotation: Rotation,
}

/// Why a recording stopped.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    #[error("cannot write {}", Name::from(path))]
    Write { path: PathBuf, source: io::Error },
    #[error("cannot start the next part")]
    NextPart(#[source] CreateError),
}

#[derive(Debug)]
pub struct Recorder {
    target: Target,
    header: Header,
    out: PartialFile,
    encoder: Encoder,
    /// The counters as last written to this file.
    last: sample::Stored,
    wall_clock: WallClock,
    /// Time of this file's first sample.
    started: Option<Nanos>,
    flushed: Option<Nanos>,
    /// Events that are encoded but not written yet.
    pending: u64,
    /// Events and bytes in this file.
    events: u64,
    bytes: u64,
    /// Sums of the files before this one.
    earlier: Written,
    error: Option<RecordError>,
}

impl Recorder {
    pub fn create(target: Target, context: &Context) -> Result<Self, CreateError> {
        let part = Part { id: observation_id(context), number: 1 };
        let out = PartialFile::create(&path_of(&target, part.number), target.creation)?;
        let mut recorder = Self {
            target,
            header: Header { context: context.clone(), part, ..Header::default() },
            out,
            encoder: Encoder::default(),
            last: sample::Stored::default(),
            wall_clock: WallClock::new(context.clocks),
            started: None,
            flushed: None,
            pending: 0,
            events: 0,
            bytes: 0,
            earlier: Written::default(),
            error: None,
        };
        recorder.start();
        match recorder.error.take() {
            None => Ok(recorder),
            Some(RecordError::Write { path, source }) => Err(CreateError::Io { path, source }),
            Some(RecordError::NextPart(error)) => Err(error),
        }
    }

    pub fn input(&mut self, input: &Input) {
        match input {
            Input::Event(event) => self.event(event),
            Input::Advance(until) => self.advance(*until),
            Input::Sample(sample) => self.sample(sample),
            Input::Areas(reading) => self.areas(reading),
            Input::Cgroup(group) => self.cgroup(group),
        }
    }

    pub fn event(&mut self, event: &Event) {
        if self.error.is_none() {
            self.encoder.event(event);
            self.pending += 1;
            self.flush_if_full();
        }
    }

    /// Adds the time up to which all events have arrived.
    pub fn advance(&mut self, until: Nanos) {
        if self.error.is_none() {
            self.encoder.advance(until);
            if until.saturating_sub(*self.flushed.get_or_insert(until)) >= LONGEST_WAIT {
                self.flush();
                self.flushed = Some(until);
            } else {
                self.flush_if_full();
            }
        }
    }

    /// Adds the current counters. May start the next file.
    pub fn sample(&mut self, sample: &Sample) {
        if self.error.is_some() {
            return;
        }
        self.flush();
        if let Some(clocks) = sample.clocks {
            self.wall_clock.add(clocks);
        }
        let changes = sample::Stored::from(sample).since(&self.last);
        self.json(Kind::Sample, &changes);
        self.last.update(changes);
        let age = sample.at.saturating_sub(*self.started.get_or_insert(sample.at));
        if self.target.rotation.is_due(self.bytes, age) {
            self.next_part();
        }
    }

    /// Adds the swap areas.
    pub fn areas(&mut self, reading: &AreaReading) {
        if self.error.is_none() {
            self.flush();
            self.json(Kind::Areas, reading);
            let mut history = AreaHistory::new(&self.header.context.swaps);
            history.update(reading);
            // For the next part.
            self.header.context.swaps = history.areas().to_vec();
        }
    }

    /// Adds the path of a control group.
    pub fn cgroup(&mut self, group: &CgroupPath) {
        if self.error.is_none() {
            self.flush();
            self.json(Kind::Cgroup, group);
            // For the next part.
            self.header.cgroup_paths.add(group.clone());
        }
    }

    /// Writes what has been added so far to the file, so that a reader has it even if this process ends now. Returns the
    /// file, which [`File::sync_data`] makes durable; `None`: the recording has stopped, or no descriptor is left.
    pub fn write_out(&mut self) -> Option<File> {
        self.flush();
        let file = self.error.is_none().then(|| self.out.file().try_clone());
        file.and_then(Result::ok)
    }

    /// Bytes written so far, in all files.
    pub fn bytes(&self) -> u64 {
        self.earlier.bytes + self.bytes
    }

    /// The error that stopped the recording.
    pub fn error(&self) -> Option<&RecordError> {
        self.error.as_ref()
    }

    /// The file that is being written.
    pub fn partial(&self) -> &Path {
        self.out.path()
    }

    /// Ends the recording and renames the file to its final name.
    ///
    /// Fails with the first error of the recording. The frames written before it remain in [`Recorder::partial`].
    pub fn finish(mut self, ending: &FinalState) -> Result<Written, RecordError> {
        self.end(Some(ending.clone()));
        if let Some(error) = self.error {
            return Err(error);
        }
        let Written { files, bytes, events, .. } = self.earlier;
        let partial = self.out.path().to_owned();
        let path = self.out.complete().map_err(|source| RecordError::Write { path: partial, source })?;
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
            Err(error) => self.stop(error),
        }
        let header = self.header.clone();
        self.json(Kind::Header, &header);
    }

    fn end(&mut self, ending: Option<FinalState>) {
        self.flush();
        self.json(Kind::Footer, &Footer { events: self.events, ending });
    }

    fn next_part(&mut self) {
        self.end(None);
        if self.error.is_some() {
            return;
        }
        let number = self.header.part.number + 1;
        match PartialFile::create(&path_of(&self.target, number), self.target.creation) {
            Err(error) => self.error = Some(RecordError::NextPart(error)),
            Ok(next) => match std::mem::replace(&mut self.out, next).complete() {
                Err(error) => self.stop(error),
                Ok(_) => self.switch_to(number),
            },
        }
    }

    fn switch_to(&mut self, number: u32) {
        self.earlier.files += 1;
        self.earlier.bytes += std::mem::take(&mut self.bytes);
        self.earlier.events += std::mem::take(&mut self.events);
        if let Some(outdated) = self.target.rotation.outdated(number - 1) {
            // Fails if the user has moved the file away to keep it.
            let _ = std::fs::remove_file(path_of(&self.target, outdated));
        }
        self.header.part.number = number;
        self.header.before = Some(self.last.clone());
        self.header.clock_changes = self.wall_clock.changes().to_vec();
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
            let written = match self.error {
                None => frame::write(self.out.file(), Kind::Events, self.encoder.bytes()),
                Some(_) => Ok(0),
            };
            self.wrote(written);
            self.encoder.clear();
            self.events += std::mem::take(&mut self.pending);
        }
    }

    fn json(&mut self, kind: Kind, value: &impl serde::Serialize) {
        if self.error.is_none() {
            let text = serde_json::to_vec(value).map_err(io::Error::from);
            let written = text.and_then(|text| frame::write(self.out.file(), kind, &text));
            self.wrote(written);
        }
    }

    fn wrote(&mut self, written: io::Result<u64>) {
        match written {
            Ok(bytes) => self.bytes += bytes,
            Err(error) => self.stop(error),
        }
    }

    /// Stops the writing and removes the incomplete frame.
    fn stop(&mut self, source: io::Error) {
        let _ = self.out.file().set_len(self.bytes);
        let path = self.out.path().to_owned();
        self.error.get_or_insert(RecordError::Write { path, source });
    }
}

fn path_of(target: &Target, number: u32) -> PathBuf {
    if target.rotation.is_on() { part_path(&target.path, number) } else { target.path.clone() }
}

/// Identifies an observation: its host, and when it started by two clocks.
fn observation_id(context: &Context) -> String {
    let Clocks { monotonic_ns, realtime_ns, .. } = context.clocks;
    format!("{}-{realtime_ns:x}-{monotonic_ns:x}", context.host)
}
