//! The recording file: versioned, framed, checksummed, compressed. `docs/recording.md` describes it byte by byte.
//!
//! It holds what the engine was fed with, in that order: events, the times at which the engine was told the time, and
//! now and then the counters. A replay feeds an engine the same way, so it finds the same things.

mod counters;
mod event;
mod file;
mod frame;
mod header;
mod model;
mod parts;
pub mod player;
mod reader;
mod replay;
mod sample;
mod varint;
mod writer;

pub use file::{CreateError, Creation, Unfinished};
pub use frame::{Damage, MAX_RAW};
pub use header::Part;
pub use parts::Rotation;
pub use reader::{End, OpenError, Reader};
pub use replay::{Replay, chains, replay};
pub use writer::{Recorder, Target, Written};

/// First bytes of every recording: not text, and broken by every transfer that takes it for text.
pub const MAGIC: [u8; 8] = *b"\x89OBSREC\n";
/// Raised when older files can no longer be read: never, if it can be helped.
pub const MAJOR: u16 = 1;
/// Raised when something is added. Since 1.1 (waits for a page's lock) a fault's new fields say their own length, so that
/// readers from then on pass over those that they do not know; a reader of 1.0 stops at a frame that has one.
pub const MINOR: u16 = 1;
/// Length of what comes before the first frame: the magic, both versions, four bytes that are 0.
pub const PREAMBLE: usize = 16;

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod tests;
