//! The options that select a part of a recording.

use clap::{Args, value_parser};

use super::values::{VerdictChoice, comm, entry, moment, name};
use observer_engine::event::{Comm, Entry};
use observer_report::{
    selection::{Moment, Selection},
    summary::listing::Listing,
};
use observer_text::Name;

/// Heading of the options in the help.
const SELECTION: &str = "Selection (of a recording; the exit code stays that of all of it)";

/// Select what is counted and listed. Counters of the kernel and durations of swap-ins cover the whole recording.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct SelectionArgs {
    /// Only what has exactly this verdict; may be repeated
    #[arg(long, help_heading = SELECTION, value_name = "VERDICT", value_enum)]
    verdict: Vec<VerdictChoice>,
    /// Only what a task of this process takes part in: as reader or waiter, as holder, or in the evidence; may be repeated
    #[arg(long, help_heading = SELECTION, value_name = "PID", value_parser = value_parser!(u32).range(1..))]
    pid: Vec<u32>,
    /// The same for tasks with this name; may be repeated
    #[arg(long, help_heading = SELECTION, value_name = "NAME", value_parser = comm())]
    comm: Vec<Name>,
    /// Only what concerns this swap entry, or a range that contains it; may be repeated
    #[arg(long, help_heading = SELECTION, value_name = "TYPE:OFFSET", value_parser = entry)]
    entry: Vec<Entry>,
    /// Only entries of this swap device, by name or path; may be repeated
    #[arg(long, help_heading = SELECTION, value_name = "NAME", value_parser = name())]
    device: Vec<Name>,
    /// Only readers and waiters in this control group or below it, and overlaps with one of its tasks; may be repeated
    #[arg(long, help_heading = SELECTION, value_name = "PATH", value_parser = name())]
    cgroup: Vec<Name>,
    /// Only what ended at this time or later: an offset from the start (53s, 2min), a time (17:03:11, UTC unless a zone
    /// follows) or a date with time and zone (2026-01-01T17:03:11Z)
    #[arg(long, help_heading = SELECTION, value_name = "TIME", value_parser = moment)]
    since: Option<Moment>,
    /// Only what ended before this time
    #[arg(long, help_heading = SELECTION, value_name = "TIME", value_parser = moment)]
    until: Option<Moment>,
}

impl SelectionArgs {
    pub(crate) fn selection(&self) -> Selection {
        Selection {
            verdicts: self.verdict.iter().map(|choice| (*choice).into()).collect(),
            pids: self.pid.clone(),
            comms: self.comm.iter().map(|comm| Comm::from_bytes(comm.as_bytes())).collect(),
            entries: self.entry.clone(),
            devices: self.device.clone(),
            cgroups: self.cgroup.clone(),
            since: self.since,
            until: self.until,
        }
    }
}

/// How many findings are listed.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(crate) struct ListArgs {
    /// List the N worst findings, of equal ones the newest
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..), conflicts_with_all = ["all", "summary"])]
    top: Option<u32>,
    /// List all findings
    #[arg(long, conflicts_with = "summary")]
    all: bool,
    /// Leave out the lists of findings, overlaps, waits and entries
    #[arg(long)]
    summary: bool,
}

impl ListArgs {
    pub(crate) fn listing(self) -> Listing {
        match self {
            Self { summary: true, .. } => Listing::Nothing,
            Self { all: true, .. } => Listing::All,
            Self { top, .. } => top.map_or(Listing::Usual, Listing::Top),
        }
    }
}
