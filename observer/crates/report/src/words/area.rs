//! Swap areas that come and go.

use observer_observation::Swap;

use crate::units::seconds;

/// When an area had its type, on the monotonic clock.
pub(crate) fn in_use(swap: &Swap) -> String {
    let from = (swap.from_ns > 0).then(|| format!("from {}", seconds(swap.from_ns)));
    let until = swap.until_ns.map(|until| format!("until {}", seconds(until)));
    match (from, until) {
        (None, None) => "throughout".to_owned(),
        (Some(from), Some(until)) => format!("{from} {until}"),
        (Some(one), None) | (None, Some(one)) => one,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_times_of_an_area_are_given_where_they_are_not_those_of_the_observation() {
        let of = |from_ns, until_ns| in_use(&Swap { from_ns, until_ns, ..Swap::default() });
        assert_eq!(of(0, None), "throughout");
        assert_eq!(of(0, Some(2_000_000_000)), "until 2.000000000 s");
        assert_eq!(of(1_500_000_000, None), "from 1.500000000 s");
        assert_eq!(of(1, Some(2)), "from 0.000000001 s until 0.000000002 s");
    }
}
