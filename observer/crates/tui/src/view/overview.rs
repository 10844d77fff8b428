//! The overview: answers, rates with sparklines, distributions.

use super::{
    glance::answers,
    numbers::{count, rate, seen, short},
    pen::Pen,
    strip::{Axis, levels},
};
use crate::{
    app::{
        Shown,
        rates::{HISTORY, SPANS},
    },
    layout::{self, Area},
    model::{Distribution, Exposure, Series},
    theme::Tone,
};
use observer_engine::{event::Nanos, totals::DurationSummary};
use observer_report::units::duration;

pub(super) fn overview(pen: &mut Pen<'_>, shown: &Shown, body: Area) {
    let filled: Vec<bool> = shown.model.distributions.iter().map(|one| one.summary.count > 0).collect();
    let areas = layout::overview(body, &filled);
    glance(pen, shown, areas.glance);
    rates(pen, shown, areas.rates);
    if !areas.distributions.is_empty() {
        distributions(pen, shown, areas.distributions, &areas.heights);
    }
}

fn glance(pen: &mut Pen<'_>, shown: &Shown, mut area: Area) {
    for (question, answer, tone) in answers(shown) {
        let mut line = area.cut_top(1);
        let label = line.cut_left(11);
        pen.put(label, question, Tone::Dim);
        pen.put(line, &answer, tone);
    }
}

/// Width of the names.
const NAME: u16 = 15;
/// Width of a rate.
const RATE: u16 = 8;
const TOTAL: u16 = 10;

fn rates(pen: &mut Pen<'_>, shown: &Shown, mut area: Area) {
    let wide = area.width >= NAME + 4 * RATE + TOTAL + 8;
    // Of seven rows all are data.
    if area.height > 7 {
        let line = area.cut_top(1);
        rate_heads(pen, line, wide);
    }
    let lost = shown.model.lost();
    let waits = waits_shown(shown);
    for series in Series::ALL.into_iter().filter(|series| !series.is_waits() || *series == waits) {
        let mut line = area.cut_top(1);
        let total = shown.rates.total(series);
        let tone = if total == 0 { Tone::Plain } else { tone_of(series) };
        pen.put(line.cut_left(NAME), series.name(), tone);
        let number = |pen: &mut Pen<'_>, line: &mut Area, width: u16, text: &str, tone| {
            let place = line.cut_left(width);
            pen.right(place, text, tone);
        };
        number(pen, &mut line, RATE, &rate(shown.rates.now(series)), Tone::Strong);
        if wide {
            for (_, span) in SPANS {
                number(pen, &mut line, RATE, &rate(shown.rates.over(series, span)), Tone::Plain);
            }
        }
        number(pen, &mut line, TOTAL, &seen(total, lost), tone);
        line.cut_left(2);
        sparkline(pen, shown, series, line, tone);
    }
}

/// One row for waits: those on the pin, unless there are none and there are others, or never can be.
fn waits_shown(shown: &Shown) -> Series {
    let (total, closed) = (|series| shown.rates.total(series), shown.model.about.exposure == Exposure::Closed);
    if total(Series::PinWaits) == 0 && (closed || total(Series::LockWaits) > 0) {
        return Series::LockWaits;
    }
    Series::PinWaits
}

fn rate_heads(pen: &mut Pen<'_>, mut line: Area, wide: bool) {
    pen.put(line.cut_left(NAME), "per second", Tone::Dim);
    let heads = ["now"].into_iter().chain(SPANS.into_iter().map(|(name, _)| name).filter(|_| wide));
    for head in heads {
        let place = line.cut_left(RATE);
        pen.right(place, head, Tone::Dim);
    }
    let place = line.cut_left(TOTAL);
    pen.right(place, "total", Tone::Dim);
    line.cut_left(2);
    if line.width >= 24 {
        let seconds = usize::from(spark_width(line)).min(HISTORY);
        pen.put(line, &format!("last {seconds} s"), Tone::Dim);
    }
}

/// Room behind a long sparkline for its highest point.
const PEAK: u16 = 12;

const fn spark_width(area: Area) -> u16 {
    if area.width >= 24 { area.width - PEAK } else { area.width }
}

fn sparkline(pen: &mut Pen<'_>, shown: &Shown, series: Series, area: Area, tone: Tone) {
    let width = spark_width(area).min(u16::try_from(HISTORY).unwrap_or(u16::MAX));
    let points = shown.rates.last_seconds(series, usize::from(width));
    let style = pen.theme.tone(if tone == Tone::Plain { Tone::Accent } else { tone });
    let bars = pen.theme.levels();
    let missing = width.saturating_sub(u16::try_from(points.len()).unwrap_or(u16::MAX));
    for (x, level) in (area.x + missing..area.x + width).zip(levels(&points)) {
        pen.set(x, area.y, bars.get(level).copied().unwrap_or(' '), style);
    }
    let peak = points.iter().copied().max().unwrap_or(0);
    if width < area.width && peak > 0 {
        let rest = Area { x: area.x + width + 1, width: area.width - width - 1, ..area };
        pen.put(rest, &format!("peak {}", short(peak as f64)), Tone::Dim);
    }
}

const fn tone_of(series: Series) -> Tone {
    match series {
        Series::Direct | Series::Cached | Series::Overlaps => Tone::Plain,
        Series::PinWaits | Series::LockWaits | Series::Windows => Tone::Caution,
        Series::Reuses | Series::StaleInstalls => Tone::Bad,
    }
}

/// A column of the distributions: its head, and which number it shows.
type Percentile = (&'static str, fn(&DurationSummary) -> Nanos);

const PERCENTILES: [Percentile; 5] = [
    ("p50", |summary| summary.p50_ns),
    ("p90", |summary| summary.p90_ns),
    ("p99", |summary| summary.p99_ns),
    ("p99.9", |summary| summary.p999_ns),
    ("max", |summary| summary.max_ns),
];

/// Widths of name, count and percentile.
const fn distribution_columns(width: u16) -> (u16, u16, u16) {
    (if width < 100 { 10 } else { 15 }, 8, 8)
}

/// The percentiles that there is room for.
fn percentiles(width: u16) -> Vec<Percentile> {
    let few = width < 64;
    PERCENTILES.into_iter().filter(|(name, _)| !few || matches!(*name, "p50" | "p99" | "max")).collect()
}

fn distributions(pen: &mut Pen<'_>, shown: &Shown, mut area: Area, heights: &[u16]) {
    let columns = percentiles(area.width);
    let (name, number, percentile) = distribution_columns(area.width);
    let numbers = name + number + percentile * u16::try_from(columns.len()).unwrap_or(0) + 2;
    let mut head = area.cut_top(1);
    pen.put(head.cut_left(name), "duration", Tone::Dim);
    let place = head.cut_left(number);
    pen.right(place, "n", Tone::Dim);
    for (label, _) in &columns {
        let place = head.cut_left(percentile);
        pen.right(place, label, Tone::Dim);
    }
    let strip = Area { x: area.x + numbers, width: area.width.saturating_sub(numbers), ..area };
    let (all, tick) = (&shown.model.distributions, shown.model.about.tick_ns);
    let axis = Axis::over(all, tick, strip.width);
    tick_label(pen, strip, head.y, &axis, tick);
    for (distribution, height) in all.iter().zip(heights).filter(|(_, height)| **height > 0) {
        let mut rows = area.cut_top(*height);
        let strip = Area { x: strip.x, width: strip.width, ..rows };
        let waits = matches!(distribution.name, "pin wait" | "oversleep" | "lock wait" | "lock oversleep");
        density(pen, distribution, strip, &axis, tick.filter(|_| waits));
        let line = rows.cut_bottom(1);
        row(pen, distribution, line, &columns, (name, number, percentile));
    }
    // Under the strips.
    let line = area.cut_top(1);
    for (column, name) in axis.decades() {
        let at = Area { x: strip.x + column, width: strip.width - column, ..line };
        pen.put(at, name, Tone::Dim);
    }
}

/// Over the strips: where a tick lies.
fn tick_label(pen: &mut Pen<'_>, strip: Area, y: u16, axis: &Axis, tick: Option<Nanos>) {
    let Some(tick) = tick.filter(|_| strip.width > 0) else { return };
    let column = axis.column(tick);
    let label = format!("{} tick {}", pen.theme.pick('↓', 'v'), duration(tick));
    let before = format!("tick {} {}", duration(tick), pen.theme.pick('↓', 'v'));
    let len = super::pen::length(&label);
    if column + len <= strip.width {
        pen.put(Area { x: strip.x + column, y, width: len, height: 1 }, &label, Tone::Caution);
    } else if column + 1 >= len {
        pen.put(Area { x: strip.x + column + 1 - len, y, width: len, height: 1 }, &before, Tone::Caution);
    } else {
        pen.set(strip.x + column, y, pen.theme.pick('↓', 'v'), pen.theme.tone(Tone::Caution));
    }
}

fn row(
    pen: &mut Pen<'_>,
    distribution: &Distribution,
    mut line: Area,
    columns: &[Percentile],
    (name, number, percentile): (u16, u16, u16),
) {
    pen.put(line.cut_left(name), distribution.name, Tone::Plain);
    let place = line.cut_left(number);
    pen.right(place, &count(distribution.summary.count), Tone::Plain);
    for (_, of) in columns {
        let place = line.cut_left(percentile);
        let text = if distribution.summary.count == 0 { "-".to_owned() } else { duration(of(&distribution.summary)) };
        pen.right(place, &text, Tone::Plain);
    }
}

/// How the durations lie over the axis, and on it the tick.
fn density(pen: &mut Pen<'_>, distribution: &Distribution, area: Area, axis: &Axis, tick: Option<Nanos>) {
    let bars = pen.theme.levels();
    let heights = axis.heights(&distribution.bins, area.height);
    let style = pen.theme.tone(Tone::Accent);
    for row in 0..area.height {
        // From the bottom up.
        let y = area.y + area.height - 1 - row;
        for (x, height) in (area.x..).zip(&heights) {
            let level = height.saturating_sub(8 * usize::from(row)).min(8);
            if level > 0 {
                pen.set(x, y, bars.get(level).copied().unwrap_or(' '), style);
            }
        }
        if let Some(tick) = tick
            && area.width > 0
        {
            let column = axis.column(tick);
            let covered = heights.get(usize::from(column)).is_some_and(|height| *height > 8 * usize::from(row));
            if !covered {
                pen.set(area.x + column, y, pen.theme.pick('┊', '|'), pen.theme.tone(Tone::Caution));
            }
        }
    }
}
