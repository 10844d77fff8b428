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

/// The one release in `known` that equals `wanted`, or that starts with its numbers and has its variant. 6.12 is not
/// 6.12.117-rt; 6.12-rt is.
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

/// Whether `release` starts with all numbers of `wanted` and has its variant: 6.1.192 starts with 6.1, 6.12.117 and
/// 6.1.192-rt do not.
pub(crate) fn starts(release: &str, wanted: &str) -> bool {
    variant(release) == variant(wanted) && starts_numbers(numbers(release), numbers(wanted))
}

/// Whether `release` is one of those that `wanted` selects: like [`starts`], but without a variant all variants.
pub(crate) fn is_selected(release: &str, wanted: &str) -> bool {
    starts(release, wanted) || wanted == numbers(wanted) && starts_numbers(numbers(release), wanted)
}

fn starts_numbers(release: &str, wanted: &str) -> bool {
    !wanted.is_empty() && release.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// The numbers of a release: "6.12.117" of "6.12.117-rt".
pub(crate) fn numbers(release: &str) -> &str {
    release.split_once('-').map_or(release, |(numbers, _)| numbers)
}

/// The variant of a release: "unfixed-preempt" of "6.1.192-unfixed-preempt". Often empty.
pub(crate) fn variant(release: &str) -> &str {
    release.split_once('-').map_or("", |(_, variant)| variant)
}

/// The first two numbers of a release: "6.12" of "6.12.117-rt".
pub(crate) fn series(release: &str) -> String {
    numbers(release).split('.').take(2).collect::<Vec<_>>().join(".")
}

/// The order of releases: by number, oldest first, then by variant. A component that is not a number sorts before all
/// numbers.
pub(crate) fn order(release: &str) -> (Vec<Option<u32>>, &str) {
    (numbers(release).split('.').map(|part| part.parse().ok()).collect(), variant(release))
}

/// Sorts releases in their [`order`].
pub(crate) fn sort(releases: &mut [String]) {
    releases.sort_by(|left, right| order(left).cmp(&order(right)));
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
        let mut releases = ["6.12.117-rt", "6.12.117", "6.12.20-rt", "6.1.192", "7.0.13", "5.10.223"].map(String::from);
        sort(&mut releases);
        assert_eq!(releases, ["5.10.223", "6.1.192", "6.12.20-rt", "6.12.117", "6.12.117-rt", "7.0.13"]);
    }

    #[test]
    fn a_variant_is_part_of_the_version() {
        let known = ["6.1.192", "6.1.192-unfixed", "6.1.192-unfixed-preempt", "6.12.117-rt"].map(String::from);
        assert_eq!(pick("6.1", &known), Ok("6.1.192".to_owned()), "variants do not make it ambiguous");
        assert_eq!(pick("6.1-unfixed", &known), Ok("6.1.192-unfixed".to_owned()));
        assert_eq!(pick("6.1.192-unfixed-preempt", &known), Ok("6.1.192-unfixed-preempt".to_owned()));
        for wanted in ["6.12", "6.1-rt", "6.12-r", "6.12.117-", "-rt"] {
            assert_eq!(pick(wanted, &known), Err(Mismatch::Unknown(wanted.to_owned())));
        }
    }

    #[test]
    fn a_selection_without_a_variant_has_all_variants() {
        assert!(is_selected("6.12.117-rt", "6.12") && is_selected("6.12.117", "6.12"));
        assert!(is_selected("6.12.117-rt", "6.12-rt") && !is_selected("6.12.117", "6.12-rt"));
        assert!(!is_selected("6.12.117-rt", "6.1") && !is_selected("6.12.117-rt", "") && !is_selected("x-rt", "-rt"));
    }

    #[test]
    fn a_series_is_two_numbers() {
        assert_eq!((series("6.12.117-rt"), series("7.3")), ("6.12".to_owned(), "7.3".to_owned()));
    }
}
