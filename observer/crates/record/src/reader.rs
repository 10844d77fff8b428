//! Reads a recording input by input. Memory: one frame, whatever the file says.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use super::{
    MAGIC, MAJOR, PREAMBLE,
    event::Decoder,
    frame::{Damage, Frames, Kind},
    header::{Footer, Header, Part},
    sample,
    varint::Input as Bytes,
};
use observer_observation::{Context, FinalState, Sample, input::Input};

/// Why a file cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The system refuses.
    #[error("cannot read it: {0}")]
    Io(#[from] io::Error),
    /// There is nothing in it.
    #[error("it is empty")]
    Empty,
    /// It does not start as one.
    #[error("it is no recording of observer")]
    NotARecording,
    /// Made by a version with another format.
    #[error("its format has version {found}, this observer reads version {MAJOR}: use the observer that made it")]
    Version {
        /// The version.
        found: u16,
    },
    /// Damaged before the first event.
    #[error("its header is not whole: {0}")]
    Header(Damage),
}

/// See the module.
pub struct Reader<R> {
    frames: Frames<R>,
    header: Header,
    content: Vec<u8>,
    /// What of the content has been read.
    done: usize,
    decoder: Decoder,
    /// The counters as they stand, and a sample that is to be given next.
    counters: sample::Stored,
    sample: Option<Sample>,
    events: u64,
    end: Option<End>,
}

/// How a file ends.
#[derive(Clone, Debug, PartialEq)]
pub enum End {
    /// With the end of the observation.
    Whole(Box<FinalState>),
    /// The observation goes on in the next file.
    GoesOn,
    /// Too early.
    Early(Damage),
}

impl Reader<File> {
    /// Opens a file.
    ///
    /// # Errors
    /// See [`OpenError`]. Damage after the header is no error: what can be read is read.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        Self::new(File::open(path)?)
    }
}

impl<R: Read> Reader<R> {
    /// Of any bytes.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn new(mut source: R) -> Result<Self, OpenError> {
        let mut preamble = Vec::with_capacity(PREAMBLE);
        source.by_ref().take(PREAMBLE as u64).read_to_end(&mut preamble)?;
        check_preamble(&preamble)?;
        let mut frames = Frames::new(source, PREAMBLE as u64);
        let header = match frames.next().map_err(OpenError::Header)? {
            (Kind::Header, text) => serde_json::from_slice(text).ok(),
            _ => None,
        };
        let at = frames.at();
        let header = header.ok_or(OpenError::Header(Damage::Broken { at, what: "it says nothing known" }))?;
        Ok(Self {
            frames,
            header,
            content: Vec::new(),
            done: 0,
            decoder: Decoder::default(),
            counters: sample::Stored::default(),
            sample: None,
            events: 0,
            end: None,
        })
    }

    /// What the observation started with.
    pub fn context(&self) -> &Context {
        &self.header.context
    }

    /// Which part of the observation this is.
    pub fn part(&self) -> &Part {
        &self.header.part
    }

    /// The counters at the start of this part, where it is not the first.
    pub fn before(&self) -> Option<Sample> {
        self.header.before.as_ref().map(|before| before.sample(true))
    }

    /// How the file ends, once [`Reader::next_input`] has given everything.
    pub fn end(&self) -> Option<&End> {
        self.end.as_ref()
    }

    /// The next input; `None`: there are no more.
    pub fn next_input(&mut self) -> Option<Input> {
        loop {
            if let Some(sample) = self.sample.take() {
                return Some(Input::Sample(Box::new(sample)));
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
                self.broken("an event makes no sense");
                continue;
            };
            self.done = self.content.len() - bytes.rest().len();
            self.events += u64::from(matches!(input, Input::Event(_)));
            return Some(input);
        }
    }

    fn next_frame(&mut self) {
        match self.frames.next() {
            Err(damage) => self.end = Some(End::Early(damage)),
            Ok((Kind::Events, content)) => {
                self.content.clear();
                self.content.extend_from_slice(content);
                self.done = 0;
                self.decoder.clear();
            }
            Ok((Kind::Sample, text)) => match serde_json::from_slice::<sample::Stored>(text) {
                Ok(changes) => {
                    let with_times = changes.has_times();
                    self.counters.update(changes);
                    self.sample = Some(self.counters.sample(with_times));
                }
                Err(_) => self.broken("a sample says nothing known"),
            },
            Ok((Kind::Footer, text)) => match serde_json::from_slice::<Footer>(text) {
                Ok(footer) if footer.events != self.events => self.broken("events are missing"),
                Ok(Footer { ending: Some(ending), .. }) => self.end = Some(End::Whole(Box::new(ending))),
                Ok(Footer { ending: None, .. }) => self.end = Some(End::GoesOn),
                Err(_) => self.broken("its last frame says nothing known"),
            },
            Ok((Kind::Header, _)) => self.broken("a second header"),
            Ok((Kind::Unknown(_), _)) => {}
        }
    }

    fn broken(&mut self, what: &'static str) {
        self.end = Some(End::Early(Damage::Broken { at: self.frames.at(), what }));
    }
}

fn check_preamble(preamble: &[u8]) -> Result<(), OpenError> {
    if preamble.is_empty() {
        return Err(OpenError::Empty);
    }
    let Some(rest) = preamble.strip_prefix(&MAGIC) else { return Err(OpenError::NotARecording) };
    let found = rest.first_chunk().map(|bytes| u16::from_le_bytes(*bytes));
    match found.filter(|_| preamble.len() == PREAMBLE) {
        None => Err(OpenError::Header(Damage::Cut(0))),
        Some(MAJOR) => Ok(()),
        Some(found) => Err(OpenError::Version { found }),
    }
}
