//! Workloads on a swap device that they set up and take down: `stress` reproduces the race, `bench` measures swap-ins,
//! `doctor --self-test` checks that all of a few known swap-ins are seen. Each has its own ground truth.

pub mod bench;
pub mod self_test;
pub mod stress;
