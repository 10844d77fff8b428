//! Finds the release that a version, or the start of one, means.

use thiserror::Error;

/// Why a version names no single release.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum Mismatch {
    /// No release starts with it.
    #[error("no known kernel is called {0:?}")]
    Unknown(String),
    /// Several releases start with it, and guessing one would make a run mean something else tomorrow.
    #[error("{wanted:?} could be {}: say more of it", .candidates.join(", "))]
    Ambiguous {
        /// What was asked for.
        wanted: String,
        /// What it could mean.
        candidates: Vec<String>,
    },
}

/// The one release among `known` that `wanted` names, whole or by its first components.
pub fn pick(wanted: &str, known: &[String]) -> Result<String, Mismatch> {
    if known.iter().any(|release| release == wanted) {
        return Ok(wanted.to_owned());
    }
    let candidates: Vec<String> = known.iter().filter(|release| starts(release, wanted)).cloned().collect();
    match candidates.as_slice() {
        [] => Err(Mismatch::Unknown(wanted.to_owned())),
        [one] => Ok(one.clone()),
        _ => Err(Mismatch::Ambiguous { wanted: wanted.to_owned(), candidates }),
    }
}

/// Whether `release` starts with all components of `wanted`: 6.1.192 starts with 6.1, 6.12.117 does not.
pub fn starts(release: &str, wanted: &str) -> bool {
    !wanted.is_empty() && release.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Sorts releases as numbers, oldest first; a component that is no number sorts before all numbers.
pub fn sort(releases: &mut [String]) {
    releases.sort_by_key(|release| release.split('.').map(|part| part.parse::<u32>().ok()).collect::<Vec<_>>());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Vec<String> {
        ["5.10.223", "6.1.192", "6.12.117", "6.16.12", "6.18.15", "7.0.13"].map(String::from).to_vec()
    }

    #[test]
    fn a_start_matches_on_a_component_boundary() {
        assert_eq!(pick("6.1", &known()), Ok("6.1.192".to_owned()));
        assert_eq!(pick("5.10", &known()), Ok("5.10.223".to_owned()));
        assert_eq!(pick("5", &known()), Ok("5.10.223".to_owned()));
        assert_eq!(pick("6.12.117", &known()), Ok("6.12.117".to_owned()));
    }

    #[test]
    fn half_a_component_matches_nothing() {
        for wanted in ["5.1", "6.12.11", "6.1.", "", "5.10.223.1", "x"] {
            assert_eq!(pick(wanted, &known()), Err(Mismatch::Unknown(wanted.to_owned())));
        }
    }

    #[test]
    fn an_ambiguous_version_lists_what_it_could_be() {
        let error = pick("6", &known()).unwrap_err().to_string();
        assert!(error.contains("6.1.192, 6.12.117, 6.16.12, 6.18.15"), "{error}");
    }

    #[test]
    fn a_whole_release_wins_over_a_longer_one() {
        let known = ["6.1", "6.1.2"].map(String::from);
        assert_eq!(pick("6.1", &known), Ok("6.1".to_owned()));
    }

    #[test]
    fn releases_sort_as_numbers() {
        let mut releases = ["6.12.117", "6.1.192", "7.0.13", "5.10.223"].map(String::from);
        sort(&mut releases);
        assert_eq!(releases, ["5.10.223", "6.1.192", "6.12.117", "7.0.13"]);
    }
}
