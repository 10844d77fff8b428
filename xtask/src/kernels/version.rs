//! Resolves a version, or the start of one, to a kernel release.

use thiserror::Error;

/// Why a version does not identify one release.
#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum Mismatch {
    #[error("no known kernel has version {0:?}")]
    Unknown(String),
    /// Picking one of several would make the same command run another kernel once more releases are known.
    #[error("{wanted:?} is ambiguous: {}; give more of the version", .candidates.join(", "))]
    Ambiguous { wanted: String, candidates: Vec<String> },
}

/// The one release in `known` that equals `wanted` or starts with its components.
pub(crate) fn pick(wanted: &str, known: &[String]) -> Result<String, Mismatch> {
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
pub(crate) fn starts(release: &str, wanted: &str) -> bool {
    !wanted.is_empty() && release.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Sorts releases by number, oldest first; a component that is not a number sorts before all numbers.
pub(crate) fn sort(releases: &mut [String]) {
    releases.sort_by_key(|release| release.split('.').map(|part| part.parse::<u32>().ok()).collect::<Vec<_>>());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Vec<String> {
        ["5.10.223", "6.1.192", "6.12.117", "6.16.12", "6.18.15", "7.0.13"].map(String::from).to_vec()
    }

    #[test]
    fn a_prefix_matches_on_a_component_boundary() {
        assert_eq!(pick("6.1", &known()), Ok("6.1.192".to_owned()));
        assert_eq!(pick("5.10", &known()), Ok("5.10.223".to_owned()));
        assert_eq!(pick("5", &known()), Ok("5.10.223".to_owned()));
        assert_eq!(pick("6.12.117", &known()), Ok("6.12.117".to_owned()));
    }

    #[test]
    fn part_of_a_component_does_not_match() {
        for wanted in ["5.1", "6.12.11", "6.1.", "", "5.10.223.1", "x"] {
            assert_eq!(pick(wanted, &known()), Err(Mismatch::Unknown(wanted.to_owned())));
        }
    }

    #[test]
    fn an_ambiguous_version_lists_the_candidates() {
        let error = pick("6", &known()).unwrap_err().to_string();
        assert!(error.contains("6.1.192, 6.12.117, 6.16.12, 6.18.15"), "{error}");
    }

    #[test]
    fn an_exact_release_is_preferred_to_a_longer_one() {
        let known = ["6.1", "6.1.2"].map(String::from);
        assert_eq!(pick("6.1", &known), Ok("6.1".to_owned()));
    }

    #[test]
    fn releases_sort_by_number() {
        let mut releases = ["6.12.117", "6.1.192", "7.0.13", "5.10.223"].map(String::from);
        sort(&mut releases);
        assert_eq!(releases, ["5.10.223", "6.1.192", "6.12.117", "7.0.13"]);
    }
}
