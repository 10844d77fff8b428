//! Bar heights for sparklines, and for distributions over a logarithmic axis. Pure.

use super::pen::width;
use crate::model::{BINS, Distribution};
use observer_engine::event::Nanos;
use observer_report::units::micro;

/// Stands for the unit of microseconds, which depends on the locale.
const MICRO: &str = "us";

/// The height of each point in `full` steps: 0 for 0, `full` for the largest, and at least 1 for everything between.
pub(super) fn heights(points: &[u64], full: u64) -> Vec<u64> {
    let most = points.iter().copied().max().unwrap_or(0).max(1);
    let height = |point: u64| {
        let scaled = (u128::from(point) * u128::from(full)).div_ceil(u128::from(most));
        u64::try_from(scaled).unwrap_or(full)
    };
    points.iter().map(|point| height(*point)).collect()
}

/// A logarithmic axis over whole decades.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Axis {
    /// Powers of ten of its edges, nanoseconds.
    from: u32,
    to: u32,
    /// Columns.
    width: u16,
}

impl Axis {
    /// An axis with all of these distributions and a tick on it, from 1 us to 10 ms at least.
    pub(super) fn over(distributions: &[Distribution], tick: Option<Nanos>, width: u16) -> Self {
        let bins = distributions.iter().flat_map(|distribution| {
            let filled = distribution.bins.iter().enumerate().filter(|(_, count)| **count > 0);
            filled.map(|(index, _)| lower_edge(index))
        });
        let values: Vec<f64> = bins.chain(tick.map(|tick| tick as f64)).collect();
        let low = values.iter().copied().fold(1e3, f64::min);
        let high = values.iter().copied().fold(1e6, f64::max);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "powers of ten of a u64")]
        let power = |value: f64| value.max(1.0).log10().floor() as u32;
        Self { from: power(low), to: power(high) + 1, width }
    }

    /// Position in columns; may lie outside.
    fn position(&self, ns: f64) -> f64 {
        (ns.max(1.0).log10() - f64::from(self.from)) / f64::from(self.to - self.from) * f64::from(self.width)
    }

    pub(super) fn column(&self, ns: Nanos) -> u16 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the width")]
        let column = self.position(ns as f64).clamp(0.0, f64::from(self.width.saturating_sub(1))) as u16;
        column
    }

    /// The decades with their columns, as many as there is room for.
    pub(super) fn decades(&self) -> Vec<(u16, String)> {
        const NAMES: [(&str, &str); 14] = [
            ("1", "ns"),
            ("10", "ns"),
            ("100", "ns"),
            ("1", MICRO),
            ("10", MICRO),
            ("100", MICRO),
            ("1", "ms"),
            ("10", "ms"),
            ("100", "ms"),
            ("1", "s"),
            ("10", "s"),
            ("100", "s"),
            ("1000", "s"),
            ("3", "h"),
        ];
        let mut free = 0;
        let mut decades = Vec::new();
        for power in self.from..self.to {
            let Some((number, unit)) = NAMES.get(power as usize) else { continue };
            let name = format!("{number}{}", if *unit == MICRO { micro() } else { unit });
            let column = self.column(10u64.saturating_pow(power));
            let end = column + width(&name);
            if column >= free && end <= self.width {
                decades.push((column, name));
                free = end + 1;
            }
        }
        decades
    }

    /// The height of each column in `full` steps.
    pub(super) fn heights(&self, bins: &[u64], full: u64) -> Vec<u64> {
        let mut columns = vec![0.0; usize::from(self.width)];
        for (index, count) in bins.iter().enumerate().filter(|(_, count)| **count > 0) {
            let (from, to) = (self.position(lower_edge(index)), self.position(lower_edge(index + 1)));
            spread(&mut columns, from, to, *count as f64);
        }
        // In thousandths, so that a fraction of a bin does not round to nothing.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts and fractions of them")]
        let points: Vec<u64> = columns.iter().map(|count| (count * 1_000.0).ceil() as u64).collect();
        heights(&points, full)
    }
}

/// Spreads a count evenly over the columns between two positions.
fn spread(columns: &mut [f64], from: f64, to: f64, count: f64) {
    let length = (to - from).max(1e-9);
    for (index, column) in columns.iter_mut().enumerate() {
        let (left, right) = (index as f64, index as f64 + 1.0);
        let shared = to.min(right) - from.max(left);
        if shared > 0.0 {
            *column += count * shared / length;
        }
    }
}

/// The shortest duration of a bin, nanoseconds.
fn lower_edge(index: usize) -> f64 {
    let (power, quarter) = (index.min(BINS) / 4, index.min(BINS) % 4);
    2f64.powi(i32::try_from(power).unwrap_or(0)) * (1.0 + quarter as f64 / 4.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::bin;
    use observer_observation::DurationSummary;
    use observer_report::summary::distributions::Measure;

    fn distribution(values: &[Nanos]) -> Distribution {
        let mut bins = vec![0; BINS];
        for value in values {
            bins[bin(*value)] += 1;
        }
        Distribution { measure: Measure::Overlap, summary: DurationSummary::default(), bins }
    }

    #[test]
    fn a_point_above_zero_is_visible() {
        assert_eq!(heights(&[0, 1, 500, 1_000], 8), [0, 1, 4, 8]);
        assert_eq!(heights(&[], 8), [0; 0]);
        assert_eq!(heights(&[0, 0], 8), [0, 0]);
        assert_eq!(heights(&[u64::MAX], 8), [8]);
    }

    #[test]
    fn all_durations_are_on_the_axis() {
        let values = [700, 5_000_000, 80_000_000];
        let axis = Axis::over(&[distribution(&values)], Some(4_000_000), 60);
        assert_eq!((axis.from, axis.to), (2, 8));
        assert!(values.iter().all(|value| (0.0..60.0).contains(&axis.position(*value as f64))));
        let names = ["100ns", "1us", "10us", "100us", "1ms", "10ms"].map(str::to_owned);
        assert_eq!(axis.decades(), [0, 10, 20, 30, 40, 50].into_iter().zip(names).collect::<Vec<_>>());
    }

    #[test]
    fn a_duration_is_drawn_at_its_column() {
        let axis = Axis::over(&[], Some(4_000_000), 40);
        let heights = axis.heights(&distribution(&[4_000_000]).bins, 8);
        let highest = (0..heights.len()).max_by_key(|column| heights[*column]).unwrap();
        assert!(highest.abs_diff(usize::from(axis.column(4_000_000))) <= 1, "{heights:?}");
        assert!(heights.iter().filter(|height| **height > 0).count() <= 3, "{heights:?}");
    }

    #[test]
    fn a_narrow_axis_has_at_most_one_decade() {
        for width in 0..5 {
            let axis = Axis::over(&[distribution(&[1, u64::MAX])], None, width);
            assert_eq!(axis.heights(&distribution(&[5]).bins, 16).len(), usize::from(width));
            assert!(axis.decades().len() <= 1);
        }
    }
}
