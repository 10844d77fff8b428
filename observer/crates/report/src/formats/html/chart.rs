//! A chart of a distribution: counts over durations on a logarithmic scale.

use hdrhistogram::Histogram;

use super::markup::{Markup, escaped};
use crate::{
    picture::flags::{self, Flag},
    units::{counted, duration, micro, number},
};

/// Bars per octave.
const PER_OCTAVE: u32 = 4;
const WIDTH: f64 = 460.0;
/// Height of the highest bar.
const PLOT: f64 = 110.0;
/// Room below for the time axis, and above for the count at the highest bar.
const BELOW: f64 = 28.0;
const ABOVE: f64 = 16.0;
/// Height of a row of percentiles, and upper bound of the width of a character, both on narrow screens, where letters are
/// larger.
const ROW: f64 = 17.0;
const CHAR: f64 = 9.0;
/// Most labels of the axis.
const LABELS: usize = 7;

/// The number of durations from `from` to below `to`, nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bar {
    from: u64,
    to: u64,
    count: u64,
}

/// The bars of a histogram, from the first to the last that is not empty.
pub(super) fn bars(histogram: &Histogram<u64>) -> Vec<Bar> {
    let mut bars: Vec<Bar> = Vec::new();
    for value in histogram.iter_recorded() {
        let (ns, count) = (value.value_iterated_to().max(1), value.count_at_value());
        loop {
            match bars.last_mut() {
                Some(last) if ns < last.to => {
                    last.count += count;
                    break;
                }
                Some(last) => {
                    let from = last.to;
                    bars.push(Bar { from, to: next(from), count: 0 });
                }
                None => {
                    let from = first(ns);
                    bars.push(Bar { from, to: next(from), count: 0 });
                }
            }
        }
    }
    bars
}

/// Start of the bar that a duration falls into.
fn first(ns: u64) -> u64 {
    let octave = 1u64 << ns.ilog2();
    let mut from = octave;
    while next(from) <= ns {
        from = next(from);
    }
    from
}

/// End of the bar that starts at `from`: a quarter of its octave later, and at least 1 ns.
fn next(from: u64) -> u64 {
    let octave = 1u64 << from.max(1).ilog2();
    from + (octave / u64::from(PER_OCTAVE)).max(1)
}

/// The percentiles that are marked.
const MARKS: [(&str, f64); 4] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999)];

/// The percentiles and the maximum, ordered by time.
fn marks(histogram: &Histogram<u64>) -> Vec<(&'static str, u64)> {
    let percentiles = MARKS.iter().map(|(name, quantile)| (*name, histogram.value_at_quantile(*quantile)));
    // A percentile is the end of its bucket, which can be beyond the exact maximum.
    percentiles.map(|(name, ns)| (name, ns.min(histogram.max()))).chain([("max", histogram.max())]).collect()
}

pub(super) fn draw(name: &str, histogram: &Histogram<u64>) -> String {
    let bars = bars(histogram);
    let (Some(first), Some(last)) = (bars.first(), bars.last()) else { return String::new() };
    let axis = Axis { from: first.from, to: last.to };
    let most = bars.iter().map(|bar| bar.count).max().unwrap_or(1).max(1);
    let marks = marks(histogram);
    let flags: Vec<Flag> = marks.iter().map(|(name, ns)| axis.flag(name, *ns)).collect();
    let rows = flags::rows(&flags);
    let above = ABOVE + rows.iter().max().map_or(0.0, |row| (row + 1) as f64 * ROW);
    let (base, height) = (above + PLOT, above + PLOT + BELOW);
    let mut svg = Markup::default();
    svg.write(format_args!(
        "<figure><figcaption>{} <small>{}</small></figcaption>\n<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
         aria-label=\"{}\">\n",
        escaped(name),
        counted(histogram.len(), "value"),
        escaped(&described(name, &marks)),
    ));
    for count in count_ticks(most) {
        let y = base - PLOT * count as f64 / most as f64;
        svg.write(format_args!("<line class=\"grid\" x1=\"0\" y1=\"{y:.1}\" x2=\"{WIDTH}\" y2=\"{y:.1}\"/>\n"));
        svg.write(format_args!("<text x=\"0\" y=\"{:.1}\">{}</text>\n", y - 3.0, number(count)));
    }
    for bar in bars.iter().filter(|bar| bar.count > 0) {
        // A bar of one in a million is still visible.
        let height = (PLOT * bar.count as f64 / most as f64).max(1.0);
        let (left, right) = (axis.x(bar.from), axis.x(bar.to));
        svg.write(format_args!(
            "<rect x=\"{left:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{height:.1}\">\
             <title>{} to {}: {}</title></rect>\n",
            base - height,
            (right - left - 0.7).max(0.7),
            duration(bar.from),
            duration(bar.to),
            number(bar.count)
        ));
    }
    for (((name, ns), flag), row) in marks.iter().zip(&flags).zip(&rows) {
        let y = above - 4.0 - *row as f64 * ROW;
        let (pole, text) = (axis.x(*ns), flag.x);
        svg.write(format_args!(
            "<line class=\"mark\" x1=\"{pole:.1}\" y1=\"{:.1}\" x2=\"{pole:.1}\" y2=\"{base}\"/>\n\
             <text class=\"mark\" x=\"{:.1}\" y=\"{y:.1}\">{name}<title>{}</title></text>\n",
            y - 10.0,
            text + 3.0,
            duration(*ns)
        ));
    }
    svg.write(format_args!("<line x1=\"0\" y1=\"{base}\" x2=\"{WIDTH}\" y2=\"{base}\"/>\n"));
    for tick in axis.ticks() {
        let at = axis.x(tick.ns);
        let length = if tick.label.is_some() { 6.0 } else { 3.0 };
        svg.write(format_args!("<line x1=\"{at:.1}\" y1=\"{base}\" x2=\"{at:.1}\" y2=\"{:.1}\"/>\n", base + length));
        if let Some(label) = tick.label {
            let anchor = if at < 24.0 {
                "start"
            } else if at > WIDTH - 24.0 {
                "end"
            } else {
                "middle"
            };
            svg.write(format_args!(
                "<text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{}</text>\n",
                height - 4.0,
                label
            ));
        }
    }
    svg.raw("</svg>\n<p class=\"marks\">");
    for (name, ns) in marks {
        svg.write(format_args!("<span><small>{name}</small> {}</span> ", duration(ns)));
    }
    svg.raw("</p></figure>\n");
    svg.finish()
}

/// The logarithmic axis.
#[derive(Clone, Copy, Debug)]
struct Axis {
    from: u64,
    to: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Tick {
    ns: u64,
    label: Option<String>,
}

impl Axis {
    fn x(self, ns: u64) -> f64 {
        let log = |ns: u64| (ns.max(1) as f64).log2();
        let (low, high) = (log(self.from), log(self.to));
        ((log(ns) - low) / (high - low).max(0.01) * WIDTH).clamp(0.0, WIDTH)
    }

    /// The label of a mark, to the right of it where there is room.
    fn flag(self, name: &str, ns: u64) -> Flag {
        let width = name.len() as f64 * CHAR + 6.0;
        Flag { x: self.x(ns).min(WIDTH - width), width }
    }

    /// Powers of ten, with 2 and 5 times of them between, which are labelled too where few are. Of a span without two of
    /// these: both ends.
    fn ticks(self) -> Vec<Tick> {
        let tens = (0..19).map(|power| 10u64.pow(power));
        let all: Vec<u64> =
            tens.flat_map(|ten| [ten, 2 * ten, 5 * ten]).filter(|ns| (self.from..=self.to).contains(ns)).collect();
        if all.len() < 2 {
            return [self.from, self.to].map(|ns| Tick { ns, label: Some(duration(ns)) }).into();
        }
        let is_ten = |ns: u64| 10u64.pow(ns.max(1).ilog10()) == ns;
        let every = all.len() <= LABELS;
        let step = all.iter().filter(|ns| is_ten(**ns)).count().div_ceil(LABELS).max(1);
        let labelled = |ns: u64| every || (is_ten(ns) && (ns.ilog10() as usize).is_multiple_of(step));
        all.into_iter().map(|ns| Tick { ns, label: labelled(ns).then(|| round(ns)) }).collect()
    }
}

/// At most three round counts up to the largest.
fn count_ticks(most: u64) -> Vec<u64> {
    let steps = (0..19).flat_map(|power| [1, 2, 5].map(|n| n * 10u64.pow(power)));
    let step = steps.into_iter().find(|step| most / step <= 3).unwrap_or(most).max(1);
    (1..=most / step).map(|n| n * step).collect()
}

/// A round duration without digits after the point.
fn round(ns: u64) -> String {
    let units = [(1_000_000_000, "s"), (1_000_000, "ms"), (1_000, micro()), (1, "ns")];
    let (size, unit) = units.into_iter().find(|(size, _)| ns >= *size).unwrap_or((1, "ns"));
    format!("{} {unit}", number(ns / size))
}

/// For readers that do not see the chart.
fn described(name: &str, marks: &[(&str, u64)]) -> String {
    let marks: Vec<String> = marks.iter().map(|(mark, ns)| format!("{mark} {}", duration(*ns))).collect();
    format!("{name}: {}", marks.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_in_one_bar() {
        let mut histogram = Histogram::new_with_bounds(1, 1 << 40, 3).unwrap();
        for ns in [1, 2, 3, 5, 700, 1_000, 1_024, 1_279, 1_280, 5_000_000] {
            histogram.record(ns).unwrap();
        }
        let bars = bars(&histogram);
        assert_eq!(bars.iter().map(|bar| bar.count).sum::<u64>(), 10);
        assert!(bars.windows(2).all(|pair| pair[0].to == pair[1].from));
        let at = |from| bars.iter().find(|bar| bar.from == from).map(|bar| (bar.to, bar.count));
        assert_eq!((at(1_024), at(1_280)), (Some((1_280, 2)), Some((1_536, 1))));
        assert_eq!(first(1_000), 896);
    }

    #[test]
    fn an_empty_histogram_has_no_chart() {
        assert!(draw("x", &Histogram::new(3).unwrap()).is_empty());
    }

    fn labels(from: u64, to: u64) -> Vec<String> {
        Axis { from, to }.ticks().into_iter().filter_map(|tick| tick.label).collect()
    }

    #[test]
    fn ticks_are_at_round_durations() {
        assert_eq!(labels(900, 1_200_000), ["1 us", "10 us", "100 us", "1 ms"]);
        assert_eq!(labels(1_500, 30_000), ["2 us", "5 us", "10 us", "20 us"]);
        assert_eq!(labels(1, 3_600_000_000_000), ["1 ns", "100 ns", "10 us", "1 ms", "100 ms", "10 s", "1000 s"]);
        let all = Axis { from: 900, to: 1_200_000 }.ticks();
        assert_eq!(all.iter().map(|tick| tick.ns).take(4).collect::<Vec<_>>(), [1_000, 2_000, 5_000, 10_000]);
        assert_eq!(labels(1_024, 1_280), ["1.02 us", "1.28 us"]);
    }

    #[test]
    fn counts_have_at_most_three_round_ticks() {
        let cases: [(u64, &[u64]); 5] =
            [(1, &[1]), (3, &[1, 2, 3]), (9, &[5]), (40, &[20, 40]), (61_234, &[20_000, 40_000, 60_000])];
        for (most, ticks) in cases {
            assert_eq!(count_ticks(most), ticks, "{most}");
        }
    }

    /// 1000 values of 1 us to 1 ms, of which percentiles are known.
    #[test]
    fn percentiles_are_marked_where_they_are() {
        let mut histogram = Histogram::new_with_bounds(1, 1 << 40, 3).unwrap();
        for value in 1..=1_000 {
            histogram.record(value * 1_000).unwrap();
        }
        let marks = marks(&histogram);
        assert_eq!(marks.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["p50", "p90", "p99", "p99.9", "max"]);
        for ((_, ns), expected) in marks.iter().zip([500_000, 900_000, 990_000, 999_000, 1_000_000]) {
            assert!(ns.abs_diff(expected) <= expected / 500, "{ns} {expected}");
        }
        let bars = bars(&histogram);
        let axis = Axis { from: bars[0].from, to: bars.last().unwrap().to };
        let svg = draw("x", &histogram);
        assert_eq!(svg.matches("<line class=\"mark\"").count(), 5);
        assert!(svg.contains(&format!("<line class=\"mark\" x1=\"{:.1}\"", axis.x(marks[0].1))), "{svg}");
        assert!(svg.contains("<small>p50</small> 500 us"), "{svg}");
    }

    #[test]
    fn labels_of_marks_do_not_meet_and_stay_in_the_chart() {
        for step in 1..60u64 {
            let axis = Axis { from: 1_000, to: 1_000_000 };
            let flags: Vec<Flag> = (0..5).map(|n| axis.flag("p99.9", 1_000 + n * step * step * 70)).collect();
            let rows = flags::rows(&flags);
            for (i, a) in flags.iter().enumerate() {
                assert!(a.x >= 0.0 && a.x + a.width <= WIDTH, "{a:?}");
                for (j, b) in flags.iter().enumerate().skip(i + 1) {
                    assert!(rows[i] != rows[j] || a.x + a.width <= b.x, "{a:?} {b:?}");
                }
            }
        }
    }
}
