//! Run time and run count of each program, which the kernel counts on request.

use std::os::fd::OwnedFd;

use aya::sys::{Stats, enable_stats};

use crate::{error::chain, loaded::Loaded};
use observer_observation::{ProgramRun, ProgramStats, StatsRefusal};

/// Whether the kernel counts.
pub(crate) enum Statistics {
    /// Not requested: the kernel reads no clock for it.
    Off,
    /// The reason.
    Refused(StatsRefusal),
    /// On while the descriptor is open, so never longer than this process lives.
    On { _switch: OwnedFd },
}

impl Statistics {
    pub(crate) fn start(wanted: bool) -> Self {
        if !wanted {
            return Self::Off;
        }
        match enable_stats(Stats::RunTime) {
            Ok(switch) => Self::On { _switch: switch },
            Err(error) => Self::Refused(StatsRefusal::RequestFailed { detail: chain(&error) }),
        }
    }

    /// Of the programs so far; `None`: not requested.
    pub(crate) fn of(&self, programs: &[Loaded]) -> Option<ProgramStats> {
        match self {
            Self::Off => None,
            Self::Refused(why) => Some(ProgramStats::Refused(why.clone())),
            Self::On { .. } => Some(counted(programs.iter().map(Loaded::run))),
        }
    }
}

/// All of them, or none: a sum without one of them would be wrong.
fn counted(programs: impl Iterator<Item = Option<ProgramRun>>) -> ProgramStats {
    match programs.collect::<Option<Vec<_>>>() {
        Some(mut programs) => {
            programs.sort_by(|a, b| a.name.cmp(&b.name));
            ProgramStats::Counted(programs)
        }
        None => ProgramStats::Refused(StatsRefusal::NotCounted),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(name: &str, runs: u64, run_ns: u64) -> ProgramRun {
        ProgramRun { name: name.to_owned(), runs, run_ns }
    }

    #[test]
    fn a_program_without_a_count_makes_all_of_them_unknown() {
        let all = counted([Some(run("b", 2, 20)), Some(run("a", 1, 5))].into_iter());
        assert_eq!(all.sum(), Some((3, 25)));
        assert!(matches!(all, ProgramStats::Counted(programs) if programs[0].name == "a"));
        assert_eq!(counted([Some(run("a", 1, 5)), None].into_iter()).sum(), None);
    }

    #[test]
    fn statistics_that_were_not_requested_are_absent() {
        assert_eq!(Statistics::start(false).of(&[]), None);
        let refused = Statistics::Refused(StatsRefusal::NotCounted).of(&[]);
        assert_eq!(refused, Some(ProgramStats::Refused(StatsRefusal::NotCounted)));
    }
}
