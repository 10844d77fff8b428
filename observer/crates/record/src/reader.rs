//! Reads a recording input by input. Memory: one frame, whatever the file contains.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    MAGIC, MAJOR, PREAMBLE,
    event::Decoder,
    frame::{Frames, Kind},
    header::{Footer, Header, Part},
    legacy, sample,
    varint::Input as Bytes,
};
use observer_observation::{CgroupPaths, Context, Defect, FileDamage, FinalState, Input, Sample, WallClock};

/// Why no part of a file can be read.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("cannot read the file")]
    Io(#[from] io::Error),
    #[error("the file is empty")]
    Empty,
    #[error("the file is not a recording of observer")]
    NotARecording,
    #[error(
        "the file has format version {found} and this observer reads version {MAJOR}: use the observer that wrote it"
    )]
    Version { found: u16 },
    #[error("the header cannot be read")]
    Header(#[source] FileDamage),
}

pub struct Reader<R> {
    /// The file has the names of an earlier minor version.
    is_legacy: bool,
    frames: Frames<R>,
    header: Header,
    content: Vec<u8>,
    /// Bytes of `content` that have been decoded.
    done: usize,
    decoder: Decoder,
    counters: sample::Stored,
    /// The next input, if it is the content of a whole frame.
    single: Option<Input>,
    events: u64,
    end: Option<End>,
}

/// How a file ends.
#[derive(Clone, Debug, PartialEq)]
pub enum End {
    /// The observation ends with this file.
    Complete(Box<FinalState>),
    /// The observation continues in the next part.
    Continued,
    /// Nothing can be read from here on.
    Damaged(FileDamage),
}

impl Reader<File> {
    /// Fails only if the header cannot be read: damage behind it is reported by [`Reader::end`].
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        Self::new(File::open(path)?)
    }
}

impl<R: Read> Reader<R> {
    pub fn new(mut source: R) -> Result<Self, OpenError> {
        let mut preamble = Vec::with_capacity(PREAMBLE);
        source.by_ref().take(PREAMBLE as u64).read_to_end(&mut preamble)?;
        let is_legacy = legacy::is_legacy(minor_version(&preamble)?);
        let mut frames = Frames::new(source, PREAMBLE as u64);
        let header = match frames.next().map_err(OpenError::Header)? {
            (Kind::Header, text) => parse(text, is_legacy, legacy::header),
            _ => None,
        };
        let damage = FileDamage::Broken { offset_bytes: frames.at(), defect: Defect::Header };
        let header = header.ok_or(OpenError::Header(damage))?;
        Ok(Self {
            is_legacy,
            frames,
            header,
            content: Vec::new(),
            done: 0,
            decoder: if is_legacy { Decoder::legacy() } else { Decoder::default() },
            counters: sample::Stored::default(),
            single: None,
            events: 0,
            end: None,
        })
    }

    pub fn context(&self) -> &Context {
        &self.header.context
    }

    pub fn part(&self) -> &Part {
        &self.header.part
    }

    /// The counters at the start of this part; `None` for part 1.
    pub fn before(&self) -> Option<Sample> {
        self.header.before.as_ref().map(|before| before.sample(true))
    }

    /// The wall clock up to the start of this part.
    pub fn wall_clock(&self) -> WallClock {
        let Header { context, before, clock_changes, .. } = &self.header;
        let read_ns = before.as_ref().map_or(0, sample::Stored::at);
        WallClock::with_changes(context.clocks, clock_changes, read_ns)
    }

    /// The control groups whose paths were found before this part.
    pub(crate) fn cgroup_paths(&self) -> &CgroupPaths {
        &self.header.cgroup_paths
    }

    /// `None` until [`Reader::next_input`] has returned `None`.
    pub fn end(&self) -> Option<&End> {
        self.end.as_ref()
    }

    pub fn next_input(&mut self) -> Option<Input> {
        loop {
            if let Some(input) = self.single.take() {
                return Some(input);
            }
            if self.end.is_some() {
                return None;
            }
            let mut bytes = Bytes::new(self.content.get(self.done..).unwrap_or_default());
            if bytes.is_empty() {
                self.next_frame();
                continue;
            }
            let Some(input) = self.decoder.next(&mut bytes) else {
                self.broken(Defect::Event);
                continue;
            };
            self.done = self.content.len() - bytes.rest().len();
            self.events += u64::from(matches!(input, Input::Event(_)));
            return Some(input);
        }
    }

    fn next_frame(&mut self) {
        match self.frames.next() {
            Err(damage) => self.end = Some(End::Damaged(damage)),
            Ok((Kind::Events, content)) => {
                self.content.clear();
                self.content.extend_from_slice(content);
                self.done = 0;
                self.decoder.clear();
            }
            Ok((Kind::Sample, text)) => match parse::<sample::Stored>(text, self.is_legacy, legacy::sample) {
                Some(changes) => {
                    let with_times = changes.has_times();
                    self.counters.update(changes);
                    self.single = Some(Input::Sample(Box::new(self.counters.sample(with_times))));
                }
                None => self.broken(Defect::Sample),
            },
            Ok((Kind::Footer, text)) => match parse::<Footer>(text, self.is_legacy, legacy::footer) {
                Some(footer) if footer.events != self.events => self.broken(Defect::EventsMissing),
                Some(Footer { ending: Some(ending), .. }) => self.end = Some(End::Complete(Box::new(ending))),
                Some(Footer { ending: None, .. }) => self.end = Some(End::Continued),
                None => self.broken(Defect::Footer),
            },
            Ok((Kind::Areas, text)) => match serde_json::from_slice(text) {
                Ok(reading) => self.single = Some(Input::Areas(reading)),
                Err(_) => self.broken(Defect::Areas),
            },
            Ok((Kind::Cgroup, text)) => match serde_json::from_slice(text) {
                Ok(group) => self.single = Some(Input::Cgroup(group)),
                Err(_) => self.broken(Defect::Cgroup),
            },
            Ok((Kind::Header, _)) => self.broken(Defect::SecondHeader),
            Ok((Kind::Unknown(_), _)) => {}
        }
    }

    /// Continues the numbers of address spaces where the previous part ended.
    pub(crate) fn follow(&mut self, previous: &mut Self) {
        self.decoder.take_spaces(&mut previous.decoder);
    }

    fn broken(&mut self, defect: Defect) {
        self.end = Some(End::Damaged(FileDamage::Broken { offset_bytes: self.frames.at(), defect }));
    }
}

/// Parses the JSON of a frame, with the names of earlier versions rewritten by `rewrite`.
fn parse<T: DeserializeOwned>(text: &[u8], is_legacy: bool, rewrite: fn(&mut Value)) -> Option<T> {
    if is_legacy {
        let mut value = serde_json::from_slice(text).ok()?;
        rewrite(&mut value);
        serde_json::from_value(value).ok()
    } else {
        serde_json::from_slice(text).ok()
    }
}

fn minor_version(preamble: &[u8]) -> Result<u16, OpenError> {
    if preamble.is_empty() {
        return Err(OpenError::Empty);
    }
    let Some(rest) = preamble.strip_prefix(&MAGIC) else { return Err(OpenError::NotARecording) };
    match rest {
        [a, b, c, d, _, _, _, _] => match u16::from_le_bytes([*a, *b]) {
            MAJOR => Ok(u16::from_le_bytes([*c, *d])),
            found => Err(OpenError::Version { found }),
        },
        _ => Err(OpenError::Header(FileDamage::Cut { bytes: 0 })),
    }
}
