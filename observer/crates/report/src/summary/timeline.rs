//! What happened when: rates, findings and dropped events over the time of one observation.

use std::{collections::BTreeMap, ops::Range};

use observer_engine::{
    event::Nanos,
    series::{Happened, MAX_SPANS, Series, Sum},
};
use observer_observation::{Counted, Known, WallClock};
use observer_text::Name;

use super::{counts::Count as _, elapsed};

/// One observation, cut into spans of equal length, the first and the last of which it may cover in part.
#[derive(Clone, Debug)]
pub struct Timeline {
    pub host: Name,
    pub wall_clock: WallClock,
    /// Start and end of the observation, by `CLOCK_MONOTONIC`.
    pub time: Range<Nanos>,
    /// The part that is selected, if times limit the selection.
    pub selected: Option<Range<Nanos>>,
    pub points: Vec<Point>,
    /// How often the counters, and the durations of swap-ins, were read.
    pub(crate) readings: u64,
    pub(crate) time_readings: u64,
    /// One entry in this many was observed.
    pub(crate) one_in: u64,
}

/// What happened in one span. Counts are scaled to all entries if a sample was observed, times are not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Point {
    /// The part of the span that was observed.
    pub time: Range<Nanos>,
    /// By the counters of the whole host or of the filters, whatever is selected.
    pub counted: Counted,
    /// Of what is selected.
    pub happened: Happened,
}

impl Point {
    /// Counts per second; 0 of no time.
    pub(crate) fn per_second(&self, count: u64) -> f64 {
        match self.time.end.saturating_sub(self.time.start) {
            0 => 0.0,
            length => count as f64 * 1e9 / length as f64,
        }
    }

    /// Windows and reuses.
    pub(crate) const fn windows(&self) -> u64 {
        self.happened.verdicts.window + self.happened.verdicts.reuse
    }

    pub(crate) const fn stale_installs(&self) -> u64 {
        self.happened.verdicts.stale_install
    }

    fn add(&mut self, other: &Self) {
        self.time = self.time.start.min(other.time.start)..self.time.end.max(other.time.end);
        self.counted.add(&other.counted);
        self.happened.add(&other.happened);
    }
}

impl Timeline {
    pub(crate) fn new(known: &Known<'_>, selected: Option<Range<Nanos>>) -> Self {
        let start = known.context.clocks.monotonic_ns;
        // The last reading of the counters is a little later than the end.
        let end = start.saturating_add(elapsed(known)).max(known.history.until());
        let one_in = known.context.sample_one_in.max(1).into();
        Self {
            host: known.context.host.clone(),
            wall_clock: known.wall_clock.clone(),
            points: points(start..end, known.history.series(), &known.report.series, one_in),
            time: start..end,
            selected,
            readings: known.history.readings(),
            time_readings: known.history.time_readings(),
            one_in,
        }
    }
}

impl Timeline {
    /// The selected points, joined so that each is at least as long as the time between two of this many readings: what
    /// was counted between them is spread evenly.
    pub(crate) fn independent(&self, readings: u64) -> Vec<Point> {
        let length = |time: &Range<Nanos>| time.end.saturating_sub(time.start);
        let whole = length(&self.time);
        let between = whole / readings.saturating_sub(1).max(1);
        let is_selected = |point: &&Point| {
            self.selected.as_ref().is_none_or(|part| part.start <= point.time.start && point.time.end <= part.end)
        };
        let mut all: Vec<Point> = Vec::new();
        for point in self.points.iter().filter(is_selected) {
            match all.last_mut() {
                Some(last) if length(&last.time) < between => last.add(point),
                _ => all.push(point.clone()),
            }
        }
        // The rest is too short.
        if all.len() > 1
            && let Some(rest) = all.pop_if(|last| length(&last.time) < between)
            && let Some(last) = all.last_mut()
        {
            last.add(&rest);
        }
        all
    }
}

/// Both series in common spans, from the start to the end of the observation. What lies outside is in the first or the
/// last span.
fn points(time: Range<Nanos>, counted: &Series<Counted>, happened: &Series<Happened>, one_in: u64) -> Vec<Point> {
    let last = time.end.saturating_sub(1).max(time.start);
    let mut width = counted.width().max(happened.width());
    while last / width - time.start / width >= MAX_SPANS as u64 {
        width = width.saturating_mul(2);
    }
    let mut points: BTreeMap<u64, Point> = (time.start / width..=last / width)
        .map(|number| {
            let (from, to) = (number.saturating_mul(width), number.saturating_add(1).saturating_mul(width));
            (number, Point { time: from.max(time.start)..to.min(time.end.max(time.start)), ..Point::default() })
        })
        .collect();
    let place = |at: Nanos| at.clamp(time.start, last) / width;
    for (at, sum) in counted.iter() {
        if let Some(point) = points.get_mut(&place(at)) {
            point.counted.add(&Counted { swapins: sum.swapins.saturating_mul(one_in), ..*sum });
        }
    }
    for (at, sum) in happened.iter() {
        if let Some(point) = points.get_mut(&place(at)) {
            let mut sum = *sum;
            sum.verdicts.scale(one_in);
            point.happened.add(&sum);
        }
    }
    without_short_ends(points.into_values().collect(), width)
}

/// Adds a first and a last point that cover less than half a span to their neighbours: a rate of so short a time is chance.
fn without_short_ends(mut points: Vec<Point>, width: Nanos) -> Vec<Point> {
    let is_short = |point: &Point| point.time.end.saturating_sub(point.time.start) < width / 2;
    if points.len() > 1
        && let Some(last) = points.pop_if(|last| is_short(last))
        && let Some(previous) = points.last_mut()
    {
        previous.add(&last);
    }
    if points.len() > 1 && points.first().is_some_and(is_short) {
        let first = points.remove(0);
        if let Some(second) = points.first_mut() {
            second.add(&first);
        }
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;
    use observer_engine::series::FIRST_WIDTH;

    const SECOND: Nanos = 10 * FIRST_WIDTH;

    fn counted(at: &[(Nanos, u64)]) -> Series<Counted> {
        let mut series = Series::default();
        for (at, swapins) in at {
            series.add(*at, &Counted { swapins: *swapins, dropped: 1, ..Counted::default() });
        }
        series
    }

    fn stale(at: &[Nanos]) -> Series<Happened> {
        let mut series = Series::default();
        for at in at {
            let mut happened = Happened { waited_ns: 5, ..Happened::default() };
            happened.verdicts.stale_install = 1;
            series.add(*at, &happened);
        }
        series
    }

    #[test]
    fn both_series_share_their_spans_and_nothing_is_lost() {
        let start = SECOND + FIRST_WIDTH / 2;
        // The counters cover so much time that their spans are 400 ms long.
        let counts: Vec<(Nanos, u64)> = (0..=80).map(|n| (start + n * SECOND, n)).collect();
        let time = start..start + 80 * SECOND;
        let points = points(time.clone(), &counted(&counts), &stale(&[start, start + SECOND, 90 * SECOND]), 4);
        assert_eq!((points[0].time.start, points.last().unwrap().time.end), (time.start, time.end));
        assert!(points.windows(2).all(|pair| pair[0].time.end == pair[1].time.start), "{points:?}");
        assert_eq!(points[1].time.end - points[1].time.start, 4 * FIRST_WIDTH);
        assert_eq!(points.iter().map(|point| point.counted.swapins).sum::<u64>(), 4 * 80 * 81 / 2);
        assert_eq!(points.iter().map(|point| point.counted.dropped).sum::<u64>(), 81, "not scaled");
        let stale: Vec<usize> =
            points.iter().enumerate().filter(|(_, point)| point.stale_installs() > 0).map(|(at, _)| at).collect();
        assert_eq!(stale, [0, 2, points.len() - 1], "the last one is after the end");
        assert_eq!(points[0].happened.waited_ns, 5);
    }

    #[test]
    fn a_long_observation_in_which_little_happened_has_a_bounded_number_of_spans() {
        let time = 5 * SECOND..100_000 * SECOND;
        let points = points(time.clone(), &counted(&[(6 * SECOND, 1)]), &Series::default(), 1);
        assert!((MAX_SPANS / 2..=MAX_SPANS).contains(&points.len()), "{}", points.len());
        assert_eq!(points.iter().map(|point| point.time.end - point.time.start).sum::<u64>(), time.end - time.start);
    }

    #[test]
    fn intervals_are_as_long_as_the_time_between_readings() {
        let counts: Vec<(Nanos, u64)> = (0..20).map(|n| (n * SECOND, 1)).collect();
        let timeline = Timeline {
            host: Name::default(),
            wall_clock: WallClock::default(),
            time: 0..20 * SECOND,
            selected: None,
            points: points(0..20 * SECOND, &counted(&counts), &Series::default(), 1),
            readings: 21,
            time_readings: 4,
            one_in: 1,
        };
        let lengths = |timeline: &Timeline, readings| -> Vec<Nanos> {
            timeline
                .independent(readings)
                .iter()
                .map(|point| (point.time.end - point.time.start) / FIRST_WIDTH)
                .collect()
        };
        assert_eq!(lengths(&timeline, 21), [10; 20]);
        assert_eq!(lengths(&timeline, 4), [67, 133], "the rest is part of the last one");
        assert_eq!(timeline.independent(4).iter().map(|point| point.counted.swapins).sum::<u64>(), 20);
        let part = Timeline { selected: Some(5 * SECOND..8 * SECOND), ..timeline };
        assert_eq!(part.independent(21).iter().map(|point| point.time.start / SECOND).collect::<Vec<_>>(), [5, 6, 7]);
    }

    #[test]
    fn short_ends_are_part_of_their_neighbours() {
        let start = SECOND - FIRST_WIDTH / 10;
        let points = points(start..start + 4 * FIRST_WIDTH, &counted(&[(start, 7)]), &Series::default(), 1);
        let lengths: Vec<Nanos> = points.iter().map(|point| (point.time.end - point.time.start) / 10_000_000).collect();
        assert_eq!((lengths, points[0].counted.swapins), (vec![11, 10, 10, 9], 7));
    }

    #[test]
    fn rates_are_per_observed_second() {
        let half = Point { time: 0..SECOND / 2, ..Point::default() };
        assert!((half.per_second(7) - 14.0).abs() < 1e-9);
        assert!(Point::default().per_second(7).abs() < 1e-9);
        let of_no_time = points(9..9, &counted(&[(9, 3)]), &Series::default(), 1);
        assert_eq!((of_no_time.len(), of_no_time[0].counted.swapins), (1, 3));
    }
}
