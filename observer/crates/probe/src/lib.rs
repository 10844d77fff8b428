//! Loads the eBPF programs, attaches them by plan, drains the ring buffer, reads counters and histograms. Has no
//! verdicts.

mod attach;
mod attach_error;
mod counters;
mod decode;
mod delay_injection;
mod error;
mod hook_subset;
mod identity;
mod in_progress;
mod loaded;
mod mapped;
mod object;
mod options;
mod perf;
mod pin_timer;
mod probes;
mod return_events;
mod ring;
pub mod setup;
mod statistics;
mod swap_types;
mod tracefs;
mod tracepoints;
mod trial;
mod type_filter;
mod types;
mod usage;

pub use attach_error::at_attach;
pub use decode::{DecodeError, decode};
pub use error::{EbpfFailure, LoadError, Target, chain};
pub use hook_subset::{HookSubset, Runs};
pub use identity::identify;
pub use options::{Delay, Detail, Filter, Options, WATCHED_TASKS};
pub use pin_timer::{PinTimer, PinTimes, Timed};
pub use probes::{Probes, Slots};
pub use swap_types::{SwapTypesError, types_of_areas};
pub use usage::CpuTime;
