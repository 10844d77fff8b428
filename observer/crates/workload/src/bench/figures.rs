//! Figures of several rounds: median and spread, and how rows compare.

use serde::Serialize;

/// Cost per page of one row, over its rounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Figures {
    /// Rounds measured.
    pub rounds: usize,
    /// Median, in nanoseconds per page. In a guest that counts instructions: instructions per page.
    pub median_ns: f64,
    /// Mean.
    pub mean_ns: f64,
    /// Smallest.
    pub min_ns: f64,
    /// Largest.
    pub max_ns: f64,
}

impl Figures {
    /// Of costs per page, one for each round; nothing of no rounds.
    pub fn of(mut rounds: Vec<f64>) -> Option<Self> {
        rounds.sort_by(f64::total_cmp);
        let (min_ns, max_ns) = (*rounds.first()?, *rounds.last()?);
        let (half, odd) = (rounds.len() / 2, rounds.len() % 2 == 1);
        let upper = *rounds.get(half)?;
        let lower = if odd { upper } else { *rounds.get(half.checked_sub(1)?)? };
        let mean_ns = rounds.iter().sum::<f64>() / rounds.len() as f64;
        Some(Self { rounds: rounds.len(), median_ns: f64::midpoint(lower, upper), mean_ns, min_ns, max_ns })
    }

    /// How far the rounds lie apart, as a share of the median.
    pub fn spread(&self) -> f64 {
        (self.max_ns - self.min_ns) / self.median_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_or_between_the_two_middles() {
        let odd = Figures::of(vec![3.0, 1.0, 2.0]).unwrap();
        assert_eq!((odd.median_ns, odd.min_ns, odd.max_ns, odd.rounds), (2.0, 1.0, 3.0, 3));
        assert!((Figures::of(vec![4.0, 1.0, 2.0, 3.0]).unwrap().median_ns - 2.5).abs() < 1e-9);
        assert!((Figures::of(vec![1.0, 1.0, 7.0]).unwrap().mean_ns - 3.0).abs() < 1e-9);
        assert_eq!(Figures::of(Vec::new()), None);
    }

    #[test]
    fn the_spread_is_a_share_of_the_median() {
        assert!((Figures::of(vec![99.0, 100.0, 101.0]).unwrap().spread() - 0.02).abs() < 1e-9);
    }
}
