//! Two distributions drawn over each other in characters: one line per octave of duration, with the shares of A and B.

use hdrhistogram::Histogram;

use crate::units::{duration, percent};

/// Length of the longest bar, characters.
const WIDTH: f64 = 44.0;

/// The shares of both that are in the octave that starts at `from`, 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Octave {
    from: u64,
    a: f64,
    b: f64,
}

/// All octaves from the first to the last that is not empty on both sides.
pub(super) fn octaves(a: &Histogram<u64>, b: &Histogram<u64>) -> Vec<Octave> {
    let shares = |histogram: &Histogram<u64>| {
        let mut counts = [0u64; 64];
        for value in histogram.iter_recorded() {
            if let Some(count) = counts.get_mut(value.value_iterated_to().max(1).ilog2() as usize) {
                *count += value.count_at_value();
            }
        }
        let all = histogram.len().max(1) as f64;
        counts.map(|count| count as f64 / all)
    };
    let all: Vec<Octave> = shares(a)
        .into_iter()
        .zip(shares(b))
        .zip(0..64)
        .map(|((a, b), power)| Octave { from: 1 << power, a, b })
        .collect();
    let holds = |octave: &Octave| octave.a > 0.0 || octave.b > 0.0;
    let first = all.iter().position(holds).unwrap_or(0);
    let end = all.iter().rposition(holds).map_or(0, |last| last + 1);
    all.get(first..end).unwrap_or_default().to_vec()
}

/// `#` as far as both reach, then `a` or `b` as far as one of them does.
pub(super) fn draw(a: &Histogram<u64>, b: &Histogram<u64>) -> String {
    let octaves = octaves(a, b);
    let most = octaves.iter().map(|octave| octave.a.max(octave.b)).fold(0.0, f64::max);
    let mut text = String::new();
    for octave in octaves {
        let (from, a, b) = (duration(octave.from), percent(100.0 * octave.a), percent(100.0 * octave.b));
        let line = format!("  {from:>8} {a:>6} {b:>6}  {}", bar(octave.a / most, octave.b / most));
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn bar(a: f64, b: f64) -> String {
    let len = |share: f64| (0..=u8::MAX).take_while(|at| f64::from(*at) < share * WIDTH).count();
    let (a, b) = (len(a), len(b));
    let (more, letter) = if a > b { (a - b, "a") } else { (b - a, "b") };
    "#".repeat(a.min(b)) + &letter.repeat(more)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(values: &[u64]) -> Histogram<u64> {
        let mut histogram = Histogram::new_with_bounds(1, 1 << 40, 3).unwrap();
        for value in values {
            histogram.record(*value).unwrap();
        }
        histogram
    }

    #[test]
    fn every_octave_has_the_shares_of_both_sides() {
        let octaves = octaves(&histogram(&[5, 6, 9, 9]), &histogram(&[40]));
        let expected = [(4, 0.5, 0.0), (8, 0.5, 0.0), (16, 0.0, 0.0), (32, 0.0, 1.0)];
        assert_eq!(octaves, expected.map(|(from, a, b)| Octave { from, a, b }));
    }

    #[test]
    fn a_bar_shows_which_side_has_more() {
        assert_eq!(bar(0.1, 0.05), "###aa");
        assert_eq!(bar(0.0, 0.05), "bbb");
        assert!(draw(&histogram(&[]), &histogram(&[])).is_empty());
    }
}
