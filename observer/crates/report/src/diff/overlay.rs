//! Two distributions over each other, in characters: one line for each octave of time, the share of A and of B in it.

use std::fmt::Write as _;

use hdrhistogram::Histogram;

use crate::units::duration;

/// Characters of the longest bar.
const WIDTH: f64 = 44.0;

/// How many of both fall into the octave that starts at `from`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Octave {
    from: u64,
    /// Share of A, 0 to 1.
    a: f64,
    /// Share of B.
    b: f64,
}

/// All octaves from the first to the last that hold anything of either.
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

/// Draws: `#` where both reach, `a` or `b` where only that one does.
pub(super) fn draw(a: &Histogram<u64>, b: &Histogram<u64>) -> String {
    let octaves = octaves(a, b);
    let most = octaves.iter().map(|octave| octave.a.max(octave.b)).fold(0.0, f64::max);
    let mut text = String::new();
    for octave in octaves {
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "  {:>8} {:>6} {:>6}  {}",
            duration(octave.from),
            percent(octave.a),
            percent(octave.b),
            bar(octave.a / most, octave.b / most)
        );
    }
    text
}

fn percent(share: f64) -> String {
    if share > 0.0 && share < 0.001 { "<0.1%".to_owned() } else { format!("{:.1}%", share * 100.0) }
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
    fn shares_of_each_octave() {
        let octaves = octaves(&histogram(&[5, 6, 9, 9]), &histogram(&[40]));
        let expected = [(4, 0.5, 0.0), (8, 0.5, 0.0), (16, 0.0, 0.0), (32, 0.0, 1.0)];
        assert_eq!(octaves, expected.map(|(from, a, b)| Octave { from, a, b }));
    }

    #[test]
    fn what_both_have_is_drawn_once() {
        assert_eq!(bar(0.1, 0.05), "###aa");
        assert_eq!(bar(0.0, 0.05), "bbb");
        assert!(draw(&histogram(&[]), &histogram(&[])).is_empty());
    }
}
