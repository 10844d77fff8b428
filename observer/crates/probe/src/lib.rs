//! Loads the programs, attaches them by plan, drains the ring buffer, reads counters and histograms. Knows no verdicts.

mod attach;
mod cost;
mod counters;
mod decode;
mod delay_injection;
mod error;
mod in_progress;
mod object;
mod options;
mod part;
mod pin_price;
mod probes;
mod ring;
pub mod setup;
mod statistics;
mod swap_types;
mod trial;

pub use cost::UserTime;
pub use decode::{DecodeError, decode};
pub use error::{EbpfFailure, LoadError, Target, chain};
pub use options::{Notes, Only, Options, WATCHED_TASKS, Widen};
pub use part::{Part, Runs};
pub use pin_price::{PinPrice, Timed};
pub use probes::{Probes, Slots};
pub use swap_types::types_of_areas;

/// The eBPF object, built by the build script.
static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/observer-ebpf"));
