//! A chart of a distribution: counts over durations on a logarithmic scale.

use hdrhistogram::Histogram;

use super::markup::{Markup, escaped};
use crate::units::duration;

/// Bars per octave.
const PER_OCTAVE: u32 = 4;
const WIDTH: f64 = 460.0;
const HEIGHT: f64 = 150.0;
/// Room below for the time axis, above for the largest count.
const BELOW: f64 = 26.0;
const ABOVE: f64 = 18.0;

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

pub(super) fn draw(name: &str, histogram: &Histogram<u64>) -> String {
    let bars = bars(histogram);
    let (Some(first), Some(last)) = (bars.first(), bars.last()) else { return String::new() };
    let (low, high) = ((first.from as f64).log2(), (last.to as f64).log2());
    let most = bars.iter().map(|bar| bar.count).max().unwrap_or(1).max(1);
    let x = |ns: u64| ((ns.max(1) as f64).log2() - low) / (high - low).max(0.01) * WIDTH;
    let base = HEIGHT - BELOW;
    let mut svg = Markup::default();
    svg.write(format_args!(
        "<figure><figcaption>{} <small>{} values</small></figcaption>\n<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         role=\"img\" aria-label=\"{}\">\n<text class=\"most\" x=\"0\" y=\"12\">at most {most} per bar</text>\n",
        escaped(name),
        histogram.len(),
        escaped(&described(name, histogram)),
    ));
    for bar in bars.iter().filter(|bar| bar.count > 0) {
        // A bar of one in a million is still visible.
        let height = ((base - ABOVE) * bar.count as f64 / most as f64).max(1.0);
        let (left, right) = (x(bar.from), x(bar.to));
        svg.write(format_args!(
            "<rect x=\"{left:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{height:.1}\">\
             <title>{} to {}: {}</title></rect>\n",
            base - height,
            (right - left - 0.7).max(0.7),
            duration(bar.from),
            duration(bar.to),
            bar.count
        ));
    }
    svg.write(format_args!("<line x1=\"0\" y1=\"{base}\" x2=\"{WIDTH}\" y2=\"{base}\"/>\n"));
    for ns in ticks(first.from, last.to) {
        let at = x(ns);
        let anchor = if at < 20.0 {
            "start"
        } else if at > WIDTH - 20.0 {
            "end"
        } else {
            "middle"
        };
        svg.write(format_args!(
            "<text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{}</text>\n",
            HEIGHT - 8.0,
            duration(ns)
        ));
    }
    svg.raw("</svg></figure>\n");
    svg.finish()
}

/// For readers that do not see the chart.
fn described(name: &str, histogram: &Histogram<u64>) -> String {
    let at = |quantile| duration(histogram.value_at_quantile(quantile));
    format!("{name}: p50 {}, p99 {}, max {}", at(0.5), at(0.99), duration(histogram.max()))
}

/// Ticks of the axis: powers of ten, or both ends where fewer than two powers are in between.
fn ticks(from: u64, to: u64) -> Vec<u64> {
    let tens: Vec<u64> = (0..19).map(|power| 10u64.pow(power)).filter(|ns| (from..=to).contains(ns)).collect();
    if tens.len() < 2 { vec![from, to] } else { tens }
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
        assert_eq!(ticks(900, 1_200_000), [1_000, 10_000, 100_000, 1_000_000]);
    }
}
