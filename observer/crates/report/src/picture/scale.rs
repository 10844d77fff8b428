//! The scale from time to place, and the ticks of the time axis.

use super::parts::Since;
use crate::units::micro;

/// A linear scale from a span of time to a width.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Scale {
    pub(crate) from: Since,
    pub(crate) to: Since,
    /// In the unit of the picture: pixels or columns.
    pub(crate) width: f64,
}

/// A tick of the axis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tick {
    pub(crate) at: Since,
    /// With a unit: `-5 ms`, `0`, `20 us`.
    pub(crate) label: String,
}

/// Units of time, largest first.
fn units() -> [(Since, &'static str); 4] {
    [(1_000_000_000, "s"), (1_000_000, "ms"), (1_000, micro()), (1, "ns")]
}

impl Scale {
    /// The place of a time, from 0 to the width.
    pub(crate) fn place(&self, at: Since) -> f64 {
        let whole = (self.to - self.from).max(1) as f64;
        ((at - self.from) as f64 / whole * self.width).clamp(0.0, self.width)
    }

    /// At most `most` round times, 0 among them if it is in the span.
    pub(crate) fn ticks(&self, most: u32) -> Vec<Tick> {
        let step = step((self.to - self.from).max(1), most.max(1));
        let first = self.from.div_euclid(step) + i64::from(self.from.rem_euclid(step) != 0);
        let last = self.to.div_euclid(step);
        let farthest = self.from.abs().max(self.to.abs());
        (first..=last).map(|n| Tick { at: n * step, label: label(n * step, step, farthest) }).collect()
    }
}

/// The smallest of 1, 2, 5, 10, 20, 50 ... that divides `length` into at most `most` steps.
fn step(length: Since, most: u32) -> Since {
    let enough = |step: &Since| length / step < Since::from(most);
    let powers = std::iter::successors(Some(1), |power: &Since| power.checked_mul(10));
    let steps = powers.flat_map(|power| [1, 2, 5].into_iter().filter_map(move |n| power.checked_mul(n)));
    steps.into_iter().find(enough).unwrap_or(length)
}

/// In the unit of the farthest time of the span, with as many digits as the step needs.
fn label(at: Since, step: Since, farthest: Since) -> String {
    if at == 0 {
        return "0".to_owned();
    }
    let (size, unit) = units().into_iter().find(|(size, _)| farthest >= *size).unwrap_or((1, "ns"));
    let digits = (0..9).find(|digits| step * 10i64.pow(*digits) % size == 0).unwrap_or(9) as usize;
    format!("{:.digits$} {unit}", at as f64 / size as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(from: Since, to: Since, most: u32) -> Vec<String> {
        Scale { from, to, width: 100.0 }.ticks(most).into_iter().map(|tick| tick.label).collect()
    }

    #[test]
    fn ticks_are_round_and_have_a_unit() {
        assert_eq!(labels(-1_000_000, 22_000_000, 6), ["0", "5 ms", "10 ms", "15 ms", "20 ms"]);
        assert_eq!(labels(-3, 7, 6), ["-2 ns", "0", "2 ns", "4 ns", "6 ns"]);
        assert_eq!(labels(0, 4_200_000_000, 3), ["0", "2 s", "4 s"]);
        assert_eq!(labels(4_110_000, 4_190_000, 6), ["4.12 ms", "4.14 ms", "4.16 ms", "4.18 ms"]);
    }

    #[test]
    fn there_is_at_least_one_tick_and_no_more_than_asked_for() {
        for length in [1, 2, 3, 7, 10, 99, 12_345, 1_000_000, 999_999_999_999] {
            for most in 1..20 {
                let count = labels(0, length, most).len();
                assert!((1..=most as usize + 1).contains(&count), "{length} {most} {count}");
            }
        }
    }

    #[test]
    fn places_are_to_scale_and_within_the_width() {
        let scale = Scale { from: -10, to: 90, width: 200.0 };
        let places: Vec<f64> = [-10, 40, 90, 500].map(|at| scale.place(at)).to_vec();
        assert!(places.iter().zip([0.0, 100.0, 200.0, 200.0]).all(|(a, b)| (a - b).abs() < 1e-9));
        assert!(Scale { from: 5, to: 5, width: 9.0 }.place(5).abs() < 1e-9);
    }
}
