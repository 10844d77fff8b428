//! Exit codes: the contract of docs and design.

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Nothing found.
    Clean = 0,
    /// Wrong usage.
    Usage = 2,
    /// This host does not allow it.
    Refused = 3,
    /// I/O or data error.
    Failed = 4,
    /// A `stale-install` was seen.
    StaleInstall = 10,
    /// Waits took longer than the budget given (`--budget`).
    OverBudget = 11,
    /// Dropped make the result inconclusive.
    Inconclusive = 20,
    /// The command given with `--` failed.
    CommandFailed = 30,
}

impl Exit {
    /// The exit code of an observation. A `stale-install` is proof whatever else went wrong, and so is a wait that was too
    /// long; a command that failed may not have done what was to be watched; dropped leave a "nothing found" open.
    pub const fn of_observation(inputs: ExitInputs) -> Self {
        let ExitInputs { stale_installs, over_budget, command_failed, dropped } = inputs;
        if stale_installs > 0 {
            Self::StaleInstall
        } else if over_budget > 0 {
            Self::OverBudget
        } else if command_failed {
            Self::CommandFailed
        } else if dropped > 0 {
            Self::Inconclusive
        } else {
            Self::Clean
        }
    }
}

/// What an observation's exit code is decided from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExitInputs {
    /// Stale installs seen.
    pub stale_installs: u64,
    /// Waits that took longer than the budget given; 0 without one.
    pub over_budget: u64,
    /// Whether the command given with `--` failed.
    pub command_failed: bool,
    /// Dropped of all causes.
    pub dropped: u64,
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
    fn the_weightiest_outcome_wins() {
        let all = ExitInputs { stale_installs: 1, over_budget: 1, command_failed: true, dropped: 9 };
        assert_eq!(Exit::of_observation(all), Exit::StaleInstall);
        assert_eq!(Exit::of_observation(ExitInputs { stale_installs: 0, ..all }), Exit::OverBudget);
        let in_budget = ExitInputs { stale_installs: 0, over_budget: 0, ..all };
        assert_eq!(Exit::of_observation(in_budget), Exit::CommandFailed);
        assert_eq!(Exit::of_observation(ExitInputs { command_failed: false, ..in_budget }), Exit::Inconclusive);
        assert_eq!(Exit::of_observation(ExitInputs::default()), Exit::Clean);
        assert_eq!(Exit::OverBudget as u8, 11);
        assert_eq!(Exit::StaleInstall as u8, 10);
    }
}
