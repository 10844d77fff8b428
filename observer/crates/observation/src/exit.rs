//! Exit codes.

/// The exit code of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Nothing was found.
    Clean = 0,
    Usage = 2,
    /// This host does not allow it.
    Refused = 3,
    /// I/O or data error.
    Failed = 4,
    /// A stale install was seen.
    StaleInstall = 10,
    /// A wait took longer than `--budget`.
    OverBudget = 11,
    /// Dropped events, a missing hook or a device that was switched off or on make the result inconclusive.
    Inconclusive = 20,
    /// The command given with `--` failed.
    CommandFailed = 30,
}

impl Exit {
    /// The exit code of an observation. A stale install is proof whatever else went wrong, and so is a wait over
    /// budget; a command that failed may not have run what was to be observed; with dropped events or gaps, or where a
    /// verdict is not observable, "nothing found" is inconclusive.
    pub const fn of_observation(inputs: ExitInputs) -> Self {
        let ExitInputs { stale_installs, over_budget, command_failed, dropped, gaps, not_observable } = inputs;
        if stale_installs > 0 {
            Self::StaleInstall
        } else if over_budget > 0 {
            Self::OverBudget
        } else if command_failed {
            Self::CommandFailed
        } else if dropped > 0 || gaps > 0 || not_observable > 0 {
            Self::Inconclusive
        } else {
            Self::Clean
        }
    }
}

/// What decides the exit code of an observation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExitInputs {
    pub stale_installs: u64,
    /// Waits that took longer than `--budget`; 0 without one.
    pub over_budget: u64,
    pub command_failed: bool,
    /// Dropped events of all causes.
    pub dropped: u64,
    /// Notes that [leave a gap](crate::Note::leaves_gap).
    pub gaps: usize,
    /// Verdicts that the hooks may miss.
    pub not_observable: usize,
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_serious_result_decides() {
        let all = ExitInputs {
            stale_installs: 1,
            over_budget: 1,
            command_failed: true,
            dropped: 9,
            gaps: 1,
            not_observable: 1,
        };
        assert_eq!(Exit::of_observation(all), Exit::StaleInstall);
        assert_eq!(Exit::of_observation(ExitInputs { stale_installs: 0, ..all }), Exit::OverBudget);
        let in_budget = ExitInputs { stale_installs: 0, over_budget: 0, ..all };
        assert_eq!(Exit::of_observation(in_budget), Exit::CommandFailed);
        let succeeded = ExitInputs { command_failed: false, ..in_budget };
        assert_eq!(Exit::of_observation(succeeded), Exit::Inconclusive);
        for alone in [
            ExitInputs { dropped: 1, ..ExitInputs::default() },
            ExitInputs { gaps: 1, ..ExitInputs::default() },
            ExitInputs { not_observable: 1, ..ExitInputs::default() },
        ] {
            assert_eq!(Exit::of_observation(alone), Exit::Inconclusive, "{alone:?}");
        }
        assert_eq!(Exit::of_observation(ExitInputs::default()), Exit::Clean);
        assert_eq!(Exit::OverBudget as u8, 11);
        assert_eq!(Exit::StaleInstall as u8, 10);
    }
}
