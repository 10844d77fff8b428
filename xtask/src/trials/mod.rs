//! Tests of observer in guests.

mod agreement;
mod areas;
mod bench;
mod clock;
mod containers;
mod counts;
mod dashboard;
mod filters;
mod folios;
mod guest;
mod hold;
mod host;
mod matrix;
mod names;
pub(crate) mod preemption;
mod programme;
pub(crate) mod race;
mod returns;
mod sample;
mod service;
mod stall;
pub(crate) mod step;
pub(crate) mod suite;
mod table;
mod tally;
mod watch;
mod witness;
