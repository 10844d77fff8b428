//! Frames: what a recording is made of after its preamble. Each carries its length and a checksum, so that a file cut or
//! damaged anywhere is good up to the last whole frame before that.

use std::io::{self, Read, Write};

/// What a frame holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The context, JSON; always the first.
    Header,
    /// Events and times.
    Events,
    /// Counters and distributions, JSON.
    Sample,
    /// The ending, JSON; always the last.
    Footer,
    /// Something a newer version of the same major number has added: passed over.
    Unknown(u8),
}

impl Kind {
    const fn code(self) -> u8 {
        match self {
            Self::Header => 1,
            Self::Events => 2,
            Self::Sample => 3,
            Self::Footer => 4,
            Self::Unknown(code) => code,
        }
    }

    const fn of(code: u8) -> Self {
        match code {
            1 => Self::Header,
            2 => Self::Events,
            3 => Self::Sample,
            4 => Self::Footer,
            other => Self::Unknown(other),
        }
    }
}

/// Largest content of a frame, bytes: what a reader needs in memory, whatever a damaged length says.
pub const MAX_RAW: usize = 1 << 20;

/// Length of what precedes the stored bytes: kind, codec, 2 bytes 0, stored length, raw length, checksum.
const HEAD: usize = 16;
/// Of these: what the checksum covers, together with the stored bytes.
const SUMMED: usize = 12;

/// Codec: stored as it is.
const RAW: u8 = 0;
/// Codec: an LZ4 block.
const LZ4: u8 = 1;

/// Why a recording ends early.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// It stops in the middle of a frame, or after a whole one without a footer.
    #[error("the file was cut after {0} bytes (the recorder was killed, or the disk was full)")]
    Cut(u64),
    /// A checksum does not fit, or what it covers makes no sense.
    #[error("the file is damaged behind byte {at}: {what}")]
    Broken {
        /// Where the last whole frame ends.
        at: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// The system could not read on.
    #[error("the file cannot be read behind byte {at}: {why}")]
    Unreadable {
        /// Where the last whole frame ends.
        at: u64,
        /// What the system says.
        why: String,
    },
}

/// Writes one frame. Returns its length in the file.
pub(super) fn write(out: &mut impl Write, kind: Kind, raw: &[u8]) -> io::Result<u64> {
    if raw.len() > MAX_RAW {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a frame would be longer than a reader takes"));
    }
    let packed = lz4_flex::block::compress(raw);
    let (codec, stored) = if packed.len() < raw.len() { (LZ4, packed.as_slice()) } else { (RAW, raw) };
    let mut head = Vec::with_capacity(HEAD + stored.len());
    head.extend_from_slice(&[kind.code(), codec, 0, 0]);
    for len in [stored.len(), raw.len()] {
        head.extend_from_slice(&u32::try_from(len).unwrap_or(u32::MAX).to_le_bytes());
    }
    let sum = checksum(&head, stored);
    head.extend_from_slice(&sum.to_le_bytes());
    head.extend_from_slice(stored);
    out.write_all(&head)?;
    Ok(head.len() as u64)
}

fn checksum(head: &[u8], stored: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(head);
    hasher.update(stored);
    hasher.finalize()
}

/// Reads frames one by one, into buffers of its own that never grow beyond [`MAX_RAW`].
pub(super) struct Frames<R> {
    source: R,
    /// Where the last whole frame ends.
    at: u64,
    stored: Vec<u8>,
    raw: Vec<u8>,
}

impl<R: Read> Frames<R> {
    /// Of what follows `at` bytes that have been read already.
    pub(super) fn new(source: R, at: u64) -> Self {
        Self { source, at, stored: Vec::new(), raw: Vec::new() }
    }

    /// The next frame. At the end of the file: [`Damage::Cut`]; a reader that has had the footer does not ask.
    pub(super) fn next(&mut self) -> Result<(Kind, &[u8]), Damage> {
        let at = self.at;
        let broken = |what| Damage::Broken { at, what };
        let mut head = [0; HEAD];
        fill(&mut self.source, &mut head, at)?;
        let (summed, sum) = head.split_at(SUMMED);
        let [kind, codec, 0, 0, lens @ ..] = summed else { return Err(broken("not a frame")) };
        let (stored_len, raw_len) = lens.split_at(4);
        let (stored_len, raw_len) = (len_of(stored_len), len_of(raw_len));
        if raw_len > MAX_RAW || stored_len > raw_len {
            return Err(broken("a frame of an impossible length"));
        }
        self.stored.resize(stored_len, 0);
        fill(&mut self.source, &mut self.stored, at)?;
        if checksum(summed, &self.stored).to_le_bytes() != *sum {
            return Err(broken("a checksum does not fit"));
        }
        let content = match *codec {
            RAW if stored_len == raw_len => &self.stored,
            LZ4 => {
                self.raw.resize(raw_len, 0);
                let len = lz4_flex::block::decompress_into(&self.stored, &mut self.raw);
                if !len.is_ok_and(|len| len == raw_len) {
                    return Err(broken("a frame cannot be unpacked"));
                }
                &self.raw
            }
            _ => return Err(broken("a frame is packed in an unknown way")),
        };
        self.at += (HEAD + stored_len) as u64;
        Ok((Kind::of(*kind), content))
    }

    /// Where the last whole frame ends.
    pub(super) fn at(&self) -> u64 {
        self.at
    }
}

fn len_of(bytes: &[u8]) -> usize {
    bytes.first_chunk().map_or(usize::MAX, |bytes| u32::from_le_bytes(*bytes) as usize)
}

fn fill(source: &mut impl Read, buffer: &mut [u8], at: u64) -> Result<(), Damage> {
    source.read_exact(buffer).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => Damage::Cut(at),
        _ => Damage::Unreadable { at, why: error.to_string() },
    })
}

/// Whether an event still fits a frame whose content is this long.
pub(super) const fn is_full(len: usize) -> bool {
    /// LZ4 looks back 64 KiB: longer frames gain little, and a killed recorder would lose more.
    const ENOUGH: usize = 64 << 10;
    len >= ENOUGH
}

const _: () = assert!(MAX_RAW <= u32::MAX as usize);
