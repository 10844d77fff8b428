//! The recording file: versioned, framed, checksummed, compressed. `docs/recording.md` describes the format.
//!
//! A recording holds the inputs of the engine in their order: events, the times up to which all events had arrived, and
//! the counters once a second. A replay feeds the same inputs to an engine and so reaches the same verdicts.

mod counters;
mod event;
mod file;
mod frame;
mod header;
mod legacy;
pub mod player;
mod prediction;
mod reader;
mod replay;
mod rotation;
mod sample;
mod varint;
mod writer;

#[cfg(test)]
mod tests;

pub use file::{CreateError, Creation, PartialFile};
pub use frame::MAX_RAW;
pub use header::Part;
pub use reader::{End, OpenError, Reader};
pub use replay::{Replay, chains, replay};
pub use rotation::Rotation;
pub use writer::{RecordError, Recorder, Target, Written};

/// First bytes of every recording. Not text, and changed by every transfer that converts line ends.
pub const MAGIC: [u8; 8] = *b"\x89OBSREC\n";
/// Raised only when older files can no longer be read.
pub const MAJOR: u16 = 1;
/// Raised when something is added or renamed; `docs/recording.md` lists the versions.
pub const MINOR: u16 = 3;
/// Length of what precedes the first frame: the magic, both versions, four zero bytes.
pub const PREAMBLE: usize = 16;
