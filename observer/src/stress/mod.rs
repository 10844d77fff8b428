//! Workloads that carry their own ground truth, on a swap device that they set up and take away again.
//!
//! `targeted` makes the lost page of CVE-2024-26759 on purpose and says, round by round, what the memory really held
//! afterwards. It runs in a process of its own and reports as lines of JSON ([`messages`]); [`matching`] compares that
//! truth with what the observer flagged. Nothing in here knows how the observer comes to its verdicts.

mod clock;
pub mod device;
mod error;
mod header;
mod host;
pub mod matching;
mod memory;
pub mod messages;
mod module;
pub mod pagemap;
mod signals;
pub mod targeted;
mod tuning;
mod victim;

pub use error::{Result, StressError};
