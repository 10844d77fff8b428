//! Run time and run count of each program, as the kernel counts them while it is asked to.

use std::os::fd::OwnedFd;

use super::{error::chain, probes::Loaded};
use aya::sys::{Stats, enable_stats};
use observer_observation::{ProgramRun, ProgramStats};

/// The kernel's statistics.
pub(super) enum Statistics {
    /// Nobody wants them: the kernel reads no clocks for them.
    Off,
    /// Refused; why.
    Refused(String),
    /// They are on while the descriptor is open, however this process ends.
    On {
        /// Held, never read.
        _switch: OwnedFd,
    },
}

impl Statistics {
    /// Switches them on if they are wanted.
    pub(super) fn switch(wanted: bool) -> Self {
        if !wanted {
            return Self::Off;
        }
        match enable_stats(Stats::RunTime) {
            Ok(switch) => Self::On { _switch: switch },
            Err(error) => Self::Refused(format!("{}; it takes CAP_SYS_ADMIN", chain(&error))),
        }
    }

    /// What the programs have cost so far; `None`: nobody asked.
    pub(super) fn of(&self, programs: &[Loaded]) -> Option<ProgramStats> {
        match self {
            Self::Off => None,
            Self::Refused(why) => Some(ProgramStats::Refused(why.clone())),
            Self::On { .. } => Some(counted(programs.iter().map(Loaded::run))),
        }
    }
}

/// All of them, or none: a sum that lacks one says less than nothing.
fn counted(programs: impl Iterator<Item = Option<ProgramRun>>) -> ProgramStats {
    match programs.collect::<Option<Vec<_>>>() {
        Some(mut programs) => {
            programs.sort_by(|a, b| a.name.cmp(&b.name));
            ProgramStats::Counted(programs)
        }
        None => ProgramStats::Refused("this kernel does not show run times of programs".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(name: &str, runs: u64, run_ns: u64) -> ProgramRun {
        ProgramRun { name: name.to_owned(), runs, run_ns }
    }

    #[test]
    fn one_that_is_not_shown_spoils_the_sum() {
        let all = counted([Some(run("b", 2, 20)), Some(run("a", 1, 5))].into_iter());
        assert_eq!(all.sum(), Some((3, 25)));
        assert!(matches!(all, ProgramStats::Counted(programs) if programs[0].name == "a"));
        assert_eq!(counted([Some(run("a", 1, 5)), None].into_iter()).sum(), None);
    }

    #[test]
    fn nothing_is_told_that_nobody_asked_for() {
        assert_eq!(Statistics::switch(false).of(&[]), None);
        let refused = Statistics::Refused("no".to_owned()).of(&[]);
        assert_eq!(refused, Some(ProgramStats::Refused("no".to_owned())));
    }
}
