//! The subcommands: each connects the parts, prints, and decides the exit code.

mod areas;
pub(crate) mod bench;
mod cgroups;
pub(crate) mod config;
pub(crate) mod diff;
pub(crate) mod doctor;
pub(crate) mod error;
mod filters;
mod input;
pub(crate) mod live;
pub(crate) mod manual;
mod notices;
mod output;
mod page;
mod prepared;
mod progress;
pub(crate) mod record;
pub(crate) mod replay;
pub(crate) mod report;
mod runtime;
mod selection;
pub(crate) mod serve;
pub(crate) mod stress;
mod types;
