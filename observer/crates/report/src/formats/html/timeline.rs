//! The timeline of an observation: one lane for each measure, over a common axis. Letters are text of the page, so that they
//! have their size however wide the lanes are.

use std::ops::Range;

use super::markup::{Markup, escaped};
use crate::{
    observed::Observed,
    picture::scale::Scale,
    summary::timeline::{Point, Timeline},
    units::{counted, duration, number, percent, rate, time_of_day},
};
use observer_engine::event::Nanos;

/// Most observations that get a timeline at once; the others are folded.
const OPEN: usize = 4;
/// Units of the pictures, which are stretched.
const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 100.0;

pub(super) fn draw(page: &mut Markup, observed: &Observed) {
    if observed.summary.selection.is_some() {
        page.element(
            "p",
            "Waits and findings are those of the selection. Swap-ins and dropped events are not selected.",
        );
    }
    let several = observed.timelines.len() > 1;
    let (open, folded) = observed.timelines.split_at(observed.timelines.len().min(OPEN));
    for timeline in open {
        one(page, timeline, several);
    }
    if !folded.is_empty() {
        let more = counted(folded.len() as u64, "more timeline");
        page.write(format_args!("<details>\n<summary>{more}</summary>\n"));
        for timeline in folded {
            one(page, timeline, several);
        }
        page.raw("</details>\n");
    }
    let placed: u64 = observed.timelines.iter().flat_map(|timeline| &timeline.points).map(|p| p.counted.dropped).sum();
    let rest = observed.summary.dropped_events().saturating_sub(placed);
    if rest > 0 {
        page.element("p", &format!("{} not in it: their time is unknown.", counted(rest, "dropped event")));
    }
}

/// What a lane shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lane {
    SwapIns,
    Waits,
    Findings,
    Dropped,
}

impl Lane {
    const ALL: [Self; 4] = [Self::SwapIns, Self::Waits, Self::Findings, Self::Dropped];

    const fn title(self) -> &'static str {
        match self {
            Self::SwapIns => "swap-ins per second",
            Self::Waits => "time in waits, as percent of one task's time",
            Self::Findings => "findings",
            Self::Dropped => "dropped events",
        }
    }

    /// The bars of a point, each on top of the one before: class and height.
    fn bars(self, point: &Point) -> Vec<(&'static str, f64)> {
        match self {
            Self::SwapIns => vec![("", point.per_second(point.counted.swapins))],
            Self::Waits => vec![("waits", 100.0 * point.per_second(point.happened.waited_ns) / 1e9)],
            Self::Findings => {
                vec![("windows", point.windows() as f64), ("stale", point.stale_installs() as f64)]
            }
            Self::Dropped => vec![("lost", point.counted.dropped as f64)],
        }
    }

    fn height(self, point: &Point) -> f64 {
        self.bars(point).iter().map(|(_, height)| height).sum()
    }

    /// The largest height, and the sum where counts add up.
    fn extent(self, points: &[Point]) -> String {
        let most = points.iter().map(|point| self.height(point)).fold(0.0, f64::max);
        let all = |count: fn(&Point) -> u64| points.iter().map(count).sum::<u64>();
        match self {
            _ if most <= 0.0 => "none".to_owned(),
            Self::SwapIns => format!("at most {}", rate(most)),
            Self::Waits => format!("at most {}", percent(most)),
            Self::Findings => {
                let (windows, stale) = (all(Point::windows), all(Point::stale_installs));

                format!("{}, {}", counted(stale, "stale install"), windows_of(windows))
            }
            Self::Dropped => number(all(|point| point.counted.dropped)),
        }
    }
}

fn one(page: &mut Markup, timeline: &Timeline, several: bool) {
    let time = &timeline.time;
    let at = |at: Nanos| time_of_day(timeline.wall_clock.realtime(at));
    if several {
        page.element("h3", &timeline.host.to_string());
    }
    let width = timeline.points.get(1).or(timeline.points.first()).map_or(0, |point| length(&point.time));
    page.element("p", &format!("From {} to {}, in steps of {}.", at(time.start), at(time.end), duration(width)));
    page.raw("<div class=\"timeline\">\n");
    for lane in Lane::ALL {
        let extent = lane.extent(&timeline.points);
        page.write(format_args!(
            "<p><b>{}</b> {}</p>\n<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" preserveAspectRatio=\"none\" role=\"img\" \
             aria-label=\"{}: {}\">\n",
            lane.title(),
            escaped(&extent),
            lane.title(),
            escaped(&extent),
        ));
        grid(page, timeline);
        bars(page, timeline, lane);
        page.raw("</svg>\n");
    }
    axis(page, time);
    page.raw("</div>\n");
}

fn length(time: &Range<Nanos>) -> Nanos {
    time.end.saturating_sub(time.start)
}

/// The place of a time, in units of the picture.
fn x(time: &Range<Nanos>, at: Nanos) -> f64 {
    let at = at.clamp(time.start, time.end.max(time.start)) - time.start;
    at as f64 / length(time).max(1) as f64 * WIDTH
}

/// The ticks of the axis: offsets from the start.
fn ticks(time: &Range<Nanos>) -> Vec<(f64, String)> {
    let scale = Scale { from: 0, to: i64::try_from(length(time)).unwrap_or(i64::MAX), width: WIDTH };
    scale.ticks(5).into_iter().map(|tick| (scale.place(tick.at), tick.label)).collect()
}

/// The ticks, and the times that are not selected.
fn grid(page: &mut Markup, timeline: &Timeline) {
    let time = &timeline.time;
    if let Some(selected) = &timeline.selected {
        for (from, to) in [(time.start, selected.start), (selected.end, time.end)] {
            let (left, right) = (x(time, from), x(time, to));
            if left < right {
                page.write(format_args!(
                    "<rect class=\"outside\" x=\"{left:.2}\" y=\"0\" width=\"{:.2}\" height=\"{HEIGHT}\"/>\n",
                    right - left
                ));
            }
        }
    }
    for (at, _) in ticks(time) {
        page.write(format_args!("<line x1=\"{at:.2}\" y1=\"0\" x2=\"{at:.2}\" y2=\"{HEIGHT}\"/>\n"));
    }
}

fn bars(page: &mut Markup, timeline: &Timeline, lane: Lane) {
    let most = timeline.points.iter().map(|point| lane.height(point)).fold(0.0, f64::max);
    for point in &timeline.points {
        let (left, right) = (x(&timeline.time, point.time.start), x(&timeline.time, point.time.end));
        let mut base = HEIGHT;
        for (class, value) in lane.bars(point).into_iter().filter(|(_, value)| *value > 0.0) {
            // One of a million is still visible.
            let height = (value / most * HEIGHT).clamp(2.0, base.max(2.0));
            base -= height;
            page.write(format_args!(
                "<rect class=\"{class}\" x=\"{left:.2}\" y=\"{base:.1}\" width=\"{:.2}\" height=\"{height:.1}\">\
                 <title>{}</title></rect>\n",
                (right - left).max(0.5),
                escaped(&described(timeline, point)),
            ));
        }
    }
}

fn described(timeline: &Timeline, point: &Point) -> String {
    let offset = duration(point.time.start - timeline.time.start);
    format!(
        "after {offset}: {}, {}, {}, {}",
        counted(point.counted.swapins, "swap-in"),
        windows_of(point.windows()),
        counted(point.stale_installs(), "stale install"),
        counted(point.counted.dropped, "dropped event"),
    )
}

fn axis(page: &mut Markup, time: &Range<Nanos>) {
    page.raw("<div class=\"axis\" aria-hidden=\"true\">");
    for (at, label) in ticks(time) {
        let class = if at > 0.9 * WIDTH { " class=\"last\"" } else { "" };
        page.write(format_args!("<span{class} style=\"left:{:.2}%\">{label}</span>", at / WIDTH * 100.0));
    }
    page.raw("</div>\n");
}

fn windows_of(count: u64) -> String {
    let name = if count == 1 { "window or reuse" } else { "windows and reuses" };
    format!("{} {name}", number(count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use observer_engine::{report::VerdictCounts, series::Happened};
    use observer_observation::{Counted, WallClock};

    const SECOND: Nanos = 1_000_000_000;

    fn point(from: Nanos, to: Nanos, swapins: u64, stale_install: u64) -> Point {
        Point {
            time: from..to,
            counted: Counted { swapins, ..Counted::default() },
            happened: Happened {
                verdicts: VerdictCounts { stale_install, window: 3, ..VerdictCounts::default() },
                ..Happened::default()
            },
        }
    }

    fn timeline(selected: Option<Range<Nanos>>) -> Timeline {
        Timeline {
            host: "a".into(),
            wall_clock: WallClock::default(),
            time: SECOND..5 * SECOND,
            selected,
            points: vec![point(SECOND, 3 * SECOND, 10, 0), point(3 * SECOND, 5 * SECOND, 40, 1)],
            readings: 2,
            time_readings: 2,
            one_in: 1,
        }
    }

    fn drawn(lane: Lane) -> String {
        let mut page = Markup::default();
        bars(&mut page, &timeline(None), lane);
        page.finish()
    }

    #[test]
    fn bars_are_rates_to_scale() {
        let svg = drawn(Lane::SwapIns);
        assert!(svg.contains("x=\"0.00\" y=\"75.0\" width=\"500.00\" height=\"25.0\""), "{svg}");
        assert!(svg.contains("x=\"500.00\" y=\"0.0\" width=\"500.00\" height=\"100.0\""), "{svg}");
        assert_eq!(Lane::SwapIns.extent(&timeline(None).points), "at most 20.0");
        assert!(drawn(Lane::Dropped).is_empty());
        assert_eq!(Lane::Dropped.extent(&timeline(None).points), "none");
    }

    #[test]
    fn a_stale_install_is_drawn_above_the_windows() {
        let svg = drawn(Lane::Findings);
        assert_eq!(svg.matches("class=\"windows\"").count(), 2);
        assert!(svg.contains("class=\"windows\" x=\"500.00\" y=\"25.0\" width=\"500.00\" height=\"75.0\""), "{svg}");
        assert!(svg.contains("class=\"stale\" x=\"500.00\" y=\"0.0\" width=\"500.00\" height=\"25.0\""), "{svg}");
        assert_eq!(Lane::Findings.extent(&timeline(None).points), "1 stale install, 6 windows and reuses");
    }

    #[test]
    fn the_times_that_are_not_selected_are_covered() {
        let drawn = |selected| {
            let mut page = Markup::default();
            grid(&mut page, &timeline(selected));
            page.finish()
        };
        assert!(!drawn(None).contains("outside"));
        let svg = drawn(Some(2 * SECOND..5 * SECOND));
        assert_eq!(svg.matches("outside").count(), 1);
        assert!(svg.contains("class=\"outside\" x=\"0.00\" y=\"0\" width=\"250.00\""), "{svg}");
    }

    #[test]
    fn ticks_are_offsets_from_the_start() {
        let labels: Vec<String> = ticks(&(SECOND..5 * SECOND)).into_iter().map(|(_, label)| label).collect();
        assert_eq!(labels, ["0", "1 s", "2 s", "3 s", "4 s"]);
    }
}
