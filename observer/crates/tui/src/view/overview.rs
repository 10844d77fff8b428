//! The overview: answers, rates with sparklines, distributions.

use ratatui::{
    layout::{Constraint, Layout, Rect},
    text::Line,
    widgets::{Paragraph, Row, Sparkline, Table, Widget as _},
};

use super::{
    answers::{QUESTION, answers},
    histogram::{Axis, heights},
    pen::{Pen, skip, width},
};
use crate::{
    app::{
        Shown,
        rates::{HISTORY, SPANS},
    },
    layout::{self, Overview},
    model::{Distribution, Series},
    numbers::{self, count, rate, short},
    theme::{Theme, Tone},
};
use observer_engine::event::Nanos;
use observer_kernel::plan::State;
use observer_observation::DurationSummary;
use observer_report::{summary::distributions::Measure, units::duration, words};

pub(super) fn overview(pen: &mut Pen<'_>, shown: &Shown, body: Rect) {
    let filled: Vec<bool> = shown.model.distributions.iter().map(|one| one.summary.count > 0).collect();
    let Overview { answers: top, rates: middle, distributions: bottom, heights } = layout::overview(body, &filled);
    let line = |(question, answer, tone): (&str, String, Tone)| {
        Line::from_iter([pen.theme.span(&format!("{question:QUESTION$}"), Tone::Dim), pen.theme.span(&answer, tone)])
    };
    Paragraph::new(answers(shown).map(line).to_vec()).render(top, pen.buffer);
    rates(pen, shown, middle);
    if !bottom.is_empty() {
        distributions(pen, shown, bottom, &heights);
    }
}

/// The part of the area for columns of numbers, and the rest for bars.
fn split(area: Rect, numbers: &[u16]) -> (Rect, Rect) {
    let width = numbers.iter().sum::<u16>().min(area.width);
    (Rect { width, ..area }, skip(area, width + GAP))
}

/// A cell aligned to the right.
fn right(theme: Theme, text: &str, tone: Tone) -> Line<'static> {
    Line::from(theme.span(text, tone)).right_aligned()
}

/// Columns of the table of rates.
const NAME: u16 = 15;
const RATE: u16 = 8;
const TOTAL: u16 = 10;
/// Columns between numbers and bars.
const GAP: u16 = 2;
/// Columns behind a wide sparkline for its highest point.
const PEAK: u16 = 12;

const fn series_name(series: Series) -> &'static str {
    match series {
        Series::Direct => "direct swap-ins",
        Series::Cached => "cached swap-ins",
        Series::Overlaps => "overlaps",
        Series::PinWaits => "pin waits",
        Series::LockWaits => "lock waits",
        Series::Windows => "windows",
        Series::Reuses => "reuses",
        Series::StaleInstalls => "stale installs",
    }
}

const fn tone_of(series: Series) -> Tone {
    match series {
        Series::Direct | Series::Cached | Series::Overlaps => Tone::Plain,
        Series::PinWaits | Series::LockWaits | Series::Windows => Tone::Caution,
        Series::Reuses | Series::StaleInstalls => Tone::Bad,
    }
}

fn rates(pen: &mut Pen<'_>, shown: &Shown, area: Rect) {
    let theme = pen.theme;
    let wide = area.width >= NAME + 4 * RATE + TOTAL + 8;
    let spans = if wide { &SPANS[..] } else { &[] };
    let numbers = [NAME, RATE].into_iter().chain(spans.iter().map(|_| RATE)).chain([TOTAL]).collect::<Vec<u16>>();
    let (left, strip) = split(area, &numbers);
    let waits = waits_shown(shown);
    let all = Series::ALL.into_iter().filter(|series| !series.is_waits() || *series == waits).map(|series| {
        let total = shown.rates.total(series);
        (series, total, if total == 0 { Tone::Plain } else { tone_of(series) })
    });
    // The worst are last, and stay.
    let all = all.clone().skip(all.count().saturating_sub(area.height.into()));
    let rows = all.clone().map(|(series, total, tone)| {
        let spans = spans.iter().map(|span| right(theme, &rate(shown.rates.over(series, span.ns)), Tone::Plain));
        let name = Line::from(theme.span(series_name(series), tone));
        let now = right(theme, &rate(shown.rates.now(series)), Tone::Strong);
        let observable = shown.model.is_observable(series);
        let total = right(theme, &numbers::total(total, shown.model.dropped_events(), observable), tone);
        Row::new([name, now].into_iter().chain(spans).chain([total]))
    });
    let mut table = Table::new(rows, numbers).column_spacing(0);
    let mut strips = strip.rows();
    // With seven rows there is no room for a head.
    if area.height > 7 {
        let spans = spans.iter().map(|span| right(theme, span.name, Tone::Dim));
        let name = Line::from(theme.span("per second", Tone::Dim));
        let head = [name, right(theme, "now", Tone::Dim)].into_iter().chain(spans);
        table = table.header(Row::new(head.chain([right(theme, "total", Tone::Dim)])));
        let strip = strips.next().unwrap_or_default();
        if strip.width >= 2 * PEAK {
            let seconds = usize::from(spark_width(strip)).min(HISTORY);
            pen.put(strip, &format!("last {seconds} s"), Tone::Dim);
        }
    }
    table.render(left, pen.buffer);
    for ((series, _, tone), strip) in all.zip(strips) {
        sparkline(pen, shown, series, strip, tone);
    }
}

/// There is one row for waits: those on the pin, unless there are only waits on folio locks, or never can be others.
fn waits_shown(shown: &Shown) -> Series {
    let (pins, locks) = (shown.rates.total(Series::PinWaits), shown.rates.total(Series::LockWaits));
    let no_bypass = shown.model.about.kernel.state == State::NoBypass;
    if pins == 0 && (no_bypass || locks > 0) { Series::LockWaits } else { Series::PinWaits }
}

const fn spark_width(area: Rect) -> u16 {
    if area.width >= 2 * PEAK { area.width - PEAK } else { area.width }
}

/// The last seconds, the newest at the right edge.
fn sparkline(pen: &mut Pen<'_>, shown: &Shown, series: Series, area: Rect, tone: Tone) {
    let strip = Rect { width: spark_width(area).min(u16::try_from(HISTORY).unwrap_or(u16::MAX)), ..area };
    let points = shown.rates.last_seconds(series, strip.width.into());
    let filled = u16::try_from(points.len()).unwrap_or(strip.width);
    bars(pen, &heights(&points, 8), skip(strip, strip.width.saturating_sub(filled)), tone);
    let peak = points.iter().copied().max().unwrap_or(0);
    if strip.width < area.width && peak > 0 {
        pen.put(skip(area, strip.width + 1), &format!("peak {}", short(peak as f64)), Tone::Dim);
    }
}

/// Bars of these heights, in eighths of a row.
fn bars(pen: &mut Pen<'_>, heights: &[u64], area: Rect, tone: Tone) {
    let tone = if tone == Tone::Plain { Tone::Accent } else { tone };
    // Most columns of a distribution are empty: drawing them takes longer than the rest.
    let empty = heights.iter().take_while(|height| **height == 0).count();
    let bars = heights.get(empty..).unwrap_or_default();
    Sparkline::default()
        .data(bars)
        .max(8 * u64::from(area.height))
        .bar_set(pen.theme.bars())
        .style(pen.theme.tone(tone))
        .render(skip(area, u16::try_from(empty).unwrap_or(area.width)), pen.buffer);
}

const fn is_wait(measure: Measure) -> bool {
    matches!(measure, Measure::PinWait | Measure::Oversleep | Measure::LockWait | Measure::LockOversleep)
}

/// A head, and the number under it.
type Percentile = (&'static str, fn(&DurationSummary) -> Nanos);

const PERCENTILES: [Percentile; 5] = [
    ("p50", |summary| summary.p50_ns),
    ("p90", |summary| summary.p90_ns),
    ("p99", |summary| summary.p99_ns),
    ("p99.9", |summary| summary.p999_ns),
    ("max", |summary| summary.max_ns),
];

/// The percentiles on a narrow screen.
const FEW_PERCENTILES: [Percentile; 3] = [PERCENTILES[0], PERCENTILES[2], PERCENTILES[4]];

/// A table with one row per distribution, the numbers in the last line of the row, and a bar chart beside them.
fn distributions(pen: &mut Pen<'_>, shown: &Shown, area: Rect, heights: &[u16]) {
    let theme = pen.theme;
    let percentiles = if area.width < 64 { &FEW_PERCENTILES[..] } else { &PERCENTILES };
    let name = if area.width < 100 { 10 } else { 15 };
    let numbers: Vec<u16> = [name, RATE].into_iter().chain(percentiles.iter().map(|_| RATE)).collect();
    let (left, strip) = split(area, &numbers);
    let (all, tick) = (&shown.model.distributions, shown.model.about.kernel.tick_ns);
    let axis = Axis::over(all, tick, strip.width);
    let rows = all.iter().zip(heights).filter(|(_, height)| **height > 0).map(
        |(Distribution { measure, summary, .. }, height)| {
            let cell = |of: &fn(&DurationSummary) -> Nanos| {
                if summary.count == 0 { "-".to_owned() } else { duration(of(summary)) }
            };
            let percentiles = percentiles.iter().map(|(_, of)| right(theme, &cell(of), Tone::Plain));
            let name = Line::from(theme.span(words::measure(*measure), Tone::Plain));
            Row::new([name, right(theme, &count(summary.count), Tone::Plain)].into_iter().chain(percentiles))
                .top_margin(height - 1)
        },
    );
    let name = Line::from(theme.span("duration", Tone::Dim));
    let head = [name, right(theme, "n", Tone::Dim)].into_iter();
    let head = Row::new(head.chain(percentiles.iter().map(|(name, _)| right(theme, name, Tone::Dim))));
    Table::new(rows, numbers).column_spacing(0).header(head).render(left, pen.buffer);

    let lines = [1].into_iter().chain(heights.iter().copied()).chain([1]).map(Constraint::Length);
    let strips = Layout::vertical(lines).split(strip);
    let [head, strips @ .., decades] = &*strips else { return };
    tick_label(pen, *head, &axis, tick);
    for (distribution, strip) in all.iter().zip(strips).filter(|(_, strip)| !strip.is_empty()) {
        density(pen, distribution, *strip, &axis, tick.filter(|_| is_wait(distribution.measure)));
    }
    for (column, name) in axis.decades() {
        pen.put(skip(*decades, column), &name, Tone::Dim);
    }
}

/// Marks the tick over the charts.
fn tick_label(pen: &mut Pen<'_>, line: Rect, axis: &Axis, tick: Option<Nanos>) {
    let Some(tick) = tick else { return };
    let (column, arrow) = (axis.column(tick), pen.theme.pick('↓', 'v'));
    let right = format!("{arrow} tick {}", duration(tick));
    let left = format!("tick {} {arrow}", duration(tick));
    let room = width(&right);
    if column + room <= line.width {
        pen.put(skip(line, column), &right, Tone::Caution);
    } else if column + 1 >= room {
        pen.put(skip(line, column + 1 - room), &left, Tone::Caution);
    } else {
        pen.put(skip(line, column), &arrow.to_string(), Tone::Caution);
    }
}

/// The durations over the axis, and a line where the tick is and no bar covers it.
fn density(pen: &mut Pen<'_>, distribution: &Distribution, area: Rect, axis: &Axis, tick: Option<Nanos>) {
    let heights = axis.heights(&distribution.bins, 8 * u64::from(area.height));
    bars(pen, &heights, area, Tone::Accent);
    let Some(column) = tick.map(|tick| axis.column(tick)) else { return };
    let covered = heights.get(usize::from(column)).map_or(0, |height| height.div_ceil(8));
    let free = area.rows().take(usize::from(area.height).saturating_sub(usize::try_from(covered).unwrap_or(0)));
    let mark = pen.theme.pick('┊', '|').to_string();
    for row in free {
        pen.put(skip(row, column), &mark, Tone::Caution);
    }
}
