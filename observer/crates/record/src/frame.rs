//! Frames: the units of a recording behind its preamble. Each has its length and a checksum, so that a cut or damaged
//! file is readable up to its last intact frame.

use std::io::{self, Read, Write};

use observer_observation::{Defect, FileDamage};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// JSON; always the first frame.
    Header,
    /// Encoded by `event`.
    Events,
    /// JSON.
    Sample,
    /// JSON; always the last frame.
    Footer,
    /// JSON: the swap areas, because they may have changed.
    Areas,
    /// JSON: the path of a control group.
    Cgroup,
    /// Added by a newer minor version; readers skip it.
    Unknown(u8),
}

impl Kind {
    const fn code(self) -> u8 {
        match self {
            Self::Header => 1,
            Self::Events => 2,
            Self::Sample => 3,
            Self::Footer => 4,
            Self::Areas => 16,
            Self::Cgroup => 17,
            Self::Unknown(code) => code,
        }
    }

    const fn of(code: u8) -> Self {
        match code {
            1 => Self::Header,
            2 => Self::Events,
            3 => Self::Sample,
            4 => Self::Footer,
            16 => Self::Areas,
            17 => Self::Cgroup,
            other => Self::Unknown(other),
        }
    }
}

/// Largest content of a frame, bytes. Bounds the memory of a reader, whatever length a damaged frame has.
pub const MAX_RAW: usize = 1 << 20;

/// Length of a frame's head: kind, codec, two zero bytes, stored length, content length, checksum.
const HEAD: usize = 16;
/// Bytes of the head that the checksum covers, besides the stored bytes.
const SUMMED: usize = 12;

/// Codec of content that is stored as it is.
const RAW: u8 = 0;
/// Codec of content that is stored as an LZ4 block.
const LZ4: u8 = 1;

/// Writes one frame. Returns its length in the file.
pub(crate) fn write(out: &mut impl Write, kind: Kind, raw: &[u8]) -> io::Result<u64> {
    if raw.len() > MAX_RAW {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a frame is longer than the format allows"));
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

/// Reads frames one by one. Its buffers never exceed [`MAX_RAW`].
pub(crate) struct Frames<R> {
    source: R,
    /// Offset of the end of the last intact frame.
    at: u64,
    stored: Vec<u8>,
    raw: Vec<u8>,
}

impl<R: Read> Frames<R> {
    /// `at`: number of bytes that have been read from `source` already.
    pub(crate) fn new(source: R, at: u64) -> Self {
        Self { source, at, stored: Vec::new(), raw: Vec::new() }
    }

    /// The next frame. The end of the file is [`FileDamage::Cut`]: callers stop at the footer.
    pub(crate) fn next(&mut self) -> Result<(Kind, &[u8]), FileDamage> {
        let at = self.at;
        let broken = |defect| FileDamage::Broken { offset_bytes: at, defect };
        let mut head = [0; HEAD];
        fill(&mut self.source, &mut head, at)?;
        let (summed, sum) = head.split_at(SUMMED);
        let [kind, codec, 0, 0, lens @ ..] = summed else { return Err(broken(Defect::NotAFrame)) };
        let (stored_len, raw_len) = lens.split_at(4);
        let (stored_len, raw_len) = (len_of(stored_len), len_of(raw_len));
        if raw_len > MAX_RAW || stored_len > raw_len {
            return Err(broken(Defect::ImpossibleLength));
        }
        self.stored.resize(stored_len, 0);
        fill(&mut self.source, &mut self.stored, at)?;
        if checksum(summed, &self.stored).to_le_bytes() != *sum {
            return Err(broken(Defect::Checksum));
        }
        let content = match *codec {
            RAW if stored_len == raw_len => &self.stored,
            LZ4 => {
                self.raw.resize(raw_len, 0);
                let len = lz4_flex::block::decompress_into(&self.stored, &mut self.raw);
                if !len.is_ok_and(|len| len == raw_len) {
                    return Err(broken(Defect::Decompression));
                }
                &self.raw
            }
            _ => return Err(broken(Defect::UnknownCodec)),
        };
        self.at += (HEAD + stored_len) as u64;
        Ok((Kind::of(*kind), content))
    }

    /// Offset of the end of the last intact frame.
    pub(crate) fn at(&self) -> u64 {
        self.at
    }
}

fn len_of(bytes: &[u8]) -> usize {
    bytes.first_chunk().map_or(usize::MAX, |bytes| u32::from_le_bytes(*bytes) as usize)
}

fn fill(source: &mut impl Read, buffer: &mut [u8], at: u64) -> Result<(), FileDamage> {
    source.read_exact(buffer).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => FileDamage::Cut { bytes: at },
        _ => FileDamage::Unreadable { offset_bytes: at, detail: error.to_string() },
    })
}

/// Whether a frame with this much content should be written.
pub(crate) const fn is_full(len: usize) -> bool {
    /// LZ4 looks back 64 KiB. Longer frames compress little better, and a killed recorder would lose more.
    const ENOUGH: usize = 64 << 10;
    len >= ENOUGH
}

const _: () = assert!(MAX_RAW <= u32::MAX as usize);
