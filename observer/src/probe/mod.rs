//! Loads the programs, attaches them by plan, drains the ring buffer, reads counters and histograms. Knows no verdicts.

mod attach;
mod cost;
mod counters;
mod decode;
mod error;
mod left;
mod object;
mod options;
mod part;
mod pin_price;
mod probes;
mod ring;
mod shown;
mod statistics;
mod trial;
mod widener;

pub use cost::{SelfCost, UserTime, percent};
pub use counters::{FlightTimes, Skipped, Snapshot};
pub use decode::{DecodeError, decode};
pub use error::LoadError;
pub use options::{Notes, Only, Options, WATCHED_TASKS, Widen};
pub use part::{Part, Runs};
pub use pin_price::{PinPrice, Timed};
pub use probes::{Probes, Slots};
pub use ring::RingUse;
pub use shown::types_of_areas;
pub use statistics::{ProgramRun, ProgramStats};
pub use trial::{TrialError, try_functions};

/// The eBPF object, built by the build script.
static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/observer-ebpf"));
