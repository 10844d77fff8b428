//! Workloads on a swap device that they set up and remove: `stress` reproduces the race, `bench` measures swap-ins,
//! `self_test` checks that known swap-ins are counted. Each has its own ground truth; none knows how the observer comes
//! to its verdicts.

pub mod bench;
mod cpus;
mod error;
mod memory;
mod pagemap;
mod paging;
pub mod self_test;
pub mod signals;
pub mod stress;
pub mod swap_device;

pub use self::{
    cpus::allowed_cpus,
    error::{ErrorCode, Failure, Result, WorkloadError},
    pagemap::SwapEntry,
};
