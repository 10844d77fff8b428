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
    /// Losses make the result inconclusive.
    Inconclusive = 20,
    /// The command given with `--` failed.
    CommandFailed = 30,
}

impl Exit {
    /// The exit code of an observation. A `stale-install` is proof whatever else went wrong; a command that failed may
    /// not have done what was to be watched; losses leave a "nothing found" open.
    pub const fn of_observation(stale_installs: u64, command_failed: bool, losses: u64) -> Self {
        if stale_installs > 0 {
            Self::StaleInstall
        } else if command_failed {
            Self::CommandFailed
        } else if losses > 0 {
            Self::Inconclusive
        } else {
            Self::Clean
        }
    }
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
        assert_eq!(Exit::of_observation(1, true, 9), Exit::StaleInstall);
        assert_eq!(Exit::of_observation(0, true, 9), Exit::CommandFailed);
        assert_eq!(Exit::of_observation(0, false, 9), Exit::Inconclusive);
        assert_eq!(Exit::of_observation(0, false, 0), Exit::Clean);
        assert_eq!(Exit::StaleInstall as u8, 10);
    }
}
