//! Chores of the workspace as a library, so that tests and the demo drive guests without a shell in between.

pub mod arch;
pub mod bench;
pub mod build;
pub mod commands;
pub mod dist;
pub mod exports;
pub mod jobs;
pub mod kernels;
pub mod paths;
pub mod process;
pub mod setup;
pub mod trials;
pub mod vm;
