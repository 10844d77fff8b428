//! Statistics over the rounds of a benchmark.

use serde::Serialize;

/// Cost per page over the rounds of one row, in nanoseconds. In a guest that counts instructions (`-icount`), one
/// nanosecond is one instruction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Cost {
    pub rounds: usize,
    pub median_ns: f64,
    pub mean_ns: f64,
    pub min_ns: f64,
    pub max_ns: f64,
}

impl Cost {
    /// `None` if there are no rounds.
    pub fn of(mut rounds: Vec<f64>) -> Option<Self> {
        let median_ns = median(&mut rounds)?;
        let (min_ns, max_ns) = (*rounds.first()?, *rounds.last()?);
        let mean_ns = rounds.iter().sum::<f64>() / rounds.len() as f64;
        Some(Self { rounds: rounds.len(), median_ns, mean_ns, min_ns, max_ns })
    }

    /// Range of the rounds, as a share of the median.
    pub fn spread(&self) -> f64 {
        (self.max_ns - self.min_ns) / self.median_ns
    }
}

/// Sorts the values; `None` if there are none.
pub fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let (half, odd) = (values.len() / 2, values.len() % 2 == 1);
    let upper = *values.get(half)?;
    let lower = if odd { upper } else { *values.get(half.checked_sub(1)?)? };
    Some(f64::midpoint(lower, upper))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_value_or_the_mean_of_the_two_middle_values() {
        let odd = Cost::of(vec![3.0, 1.0, 2.0]).unwrap();
        assert_eq!((odd.median_ns, odd.min_ns, odd.max_ns, odd.rounds), (2.0, 1.0, 3.0, 3));
        assert!((Cost::of(vec![4.0, 1.0, 2.0, 3.0]).unwrap().median_ns - 2.5).abs() < 1e-9);
        assert!((Cost::of(vec![1.0, 1.0, 7.0]).unwrap().mean_ns - 3.0).abs() < 1e-9);
        assert_eq!(Cost::of(Vec::new()), None);
    }

    #[test]
    fn the_spread_is_a_share_of_the_median() {
        assert!((Cost::of(vec![99.0, 100.0, 101.0]).unwrap().spread() - 0.02).abs() < 1e-9);
    }
}
