//! What is known of one observation, live or replayed, as plain data, and the path by which inputs reach the engine.

pub use self::{
    areas::{AreaHistory, AreaReading, MAX_AREAS, TypeChange},
    cgroups::{CgroupPath, CgroupPaths, MAX_CGROUPS},
    clock::Clocks,
    context::{Context, Swap},
    dropped::{DropCause, Dropped, dropped},
    durations::{DurationSummary, Durations, Engine, Report, Tally, sum_ns},
    ending::{EndReason, FinalState},
    history::{Counted, History},
    ingest::{Ingest, Input},
    kernel::{Degraded, HookUse, Kernel},
    observable::NotObservable,
    on_finding::{CommandFailure, NotRun, OnFinding},
    outcome::{Known, Outcome},
    overhead::{Overhead, ProgramRun, ProgramStats, RingUse, StatsRefusal, percent},
    recording::{Damage, Defect, FileDamage, Note},
    sample::{FaultTimes, Sample, Skipped, Snapshot},
    stall::{MAX_STALLS, STALL, Stall, Stalls},
    wall_clock::{ClockChange, WallClock},
};

mod areas;
mod cgroups;
pub mod clock;
pub mod command;
mod context;
mod dropped;
mod durations;
mod ending;
pub mod exit;
mod history;
mod ingest;
mod kernel;
mod observable;
mod on_finding;
mod outcome;
mod overhead;
mod recording;
mod sample;
pub mod self_test;
mod stall;
pub mod wall_clock;
