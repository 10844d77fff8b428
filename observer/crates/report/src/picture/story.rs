//! What a picture shows of a finding.

use super::parts::{Fill, Lane, Mark, Moment, Role, Since, Span};
use crate::{units::seconds, words};
use observer_engine::{
    event::{Nanos, PinResult, Task},
    verdict::{Finding, OtherFault, Verdict},
};
use observer_kernel::plan::State;

/// Where a finding was observed, for the caption. What is empty is unknown and left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Setting {
    pub release: String,
    pub state: State,
    pub device: String,
}

/// What a picture shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Story {
    /// Verdict and entry.
    pub title: String,
    /// Page, device, kernel, time.
    pub caption: String,
    /// What happened, and whether data was lost.
    pub description: String,
    /// The reader first, the entry last.
    pub lanes: Vec<Lane>,
    pub from: Since,
    pub to: Since,
    /// The time in which the reader held a stale copy.
    pub danger: Option<(Since, Since)>,
}

impl Story {
    /// All moments of tasks with the index of their lane, ordered by time. The entry's lane would repeat them.
    pub fn moments(&self) -> Vec<(usize, Moment)> {
        let tasks = self.lanes.iter().enumerate().filter(|(_, lane)| lane.role != Role::Entry);
        let mut all: Vec<(usize, Moment)> =
            tasks.flat_map(|(index, lane)| lane.moments.iter().map(move |moment| (index, *moment))).collect();
        all.sort_by_key(|(index, moment)| (moment.at, *index));
        all
    }
}

pub fn story(finding: &Finding, setting: &Setting) -> Story {
    let zero = finding.read_start_ns;
    let since = |at: Nanos| at.wrapping_sub(zero).cast_signed();
    let (start, end) = (since(finding.start_ns), since(finding.end_ns));
    // A margin on both sides; other faults that reach further are cut off there.
    let margin = ((end - start) / 20).max(1);
    let (from, to) = (start - margin, end + margin);
    let danger = stale_since(finding).map(|at| (since(at), end));
    let mut lanes = vec![reader(finding, danger, &since)];
    for other in &finding.others {
        let lane = lane_of(&mut lanes, &other.task);
        lane.moments.extend(moments_of(other, finding, &since));
        lane.spans.extend(spans_of(other, &since));
    }
    for (action, mark) in
        [(&finding.freed, Mark::Freed), (&finding.allocated, Mark::Allocated), (&finding.written, Mark::Written)]
    {
        if let Some(action) = action {
            lane_of(&mut lanes, &action.by).moments.push(Moment { at: since(action.at_ns), mark });
        }
    }
    lanes.push(entry(finding, (from, to), &since));
    for lane in &mut lanes {
        tidy(lane, from, to);
    }
    Story {
        title: format!("{} of swap entry {}", finding.verdict, finding.entry),
        caption: caption(finding, setting),
        description: words::description(finding),
        lanes,
        from,
        to,
        danger,
    }
}

/// Time at which the reader's copy became stale: the first change of the entry under the read.
fn stale_since(finding: &Finding) -> Option<Nanos> {
    let actions = [&finding.freed, &finding.allocated, &finding.written];
    actions.into_iter().flatten().map(|action| action.at_ns.max(finding.read_start_ns)).min()
}

fn reader(finding: &Finding, danger: Option<(Since, Since)>, since: &impl Fn(Nanos) -> Since) -> Lane {
    let mut spans = vec![Span { from: since(finding.start_ns), to: since(finding.end_ns), fill: Fill::Fault }];
    let mut moments = vec![Moment { at: 0, mark: Mark::ReadStart }];
    if let Some(read_end) = finding.read_end_ns {
        spans.push(Span { from: 0, to: since(read_end), fill: Fill::Read });
        moments.push(Moment { at: since(read_end), mark: Mark::ReadEnd });
    }
    spans.extend(danger.map(|(from, to)| Span { from, to, fill: Fill::Danger }));
    let last = match (finding.installed, finding.verdict) {
        (true, Verdict::StaleInstall) if finding.read_during_write => Mark::UncertainInstalled,
        (true, Verdict::StaleInstall) => Mark::StaleInstalled,
        (true, _) => Mark::Installed,
        (false, _) => Mark::Discarded,
    };
    moments.push(Moment { at: since(finding.end_ns), mark: last });
    Lane { role: Role::Reader, spans, moments, ..task_lane(&finding.reader) }
}

fn task_lane(task: &Task) -> Lane {
    Lane {
        role: Role::Other,
        name: task.comm.to_string(),
        detail: format!("tid {}", task.tid),
        spans: Vec::new(),
        moments: Vec::new(),
    }
}

/// The lane of a task, added if it has none yet.
fn lane_of<'a>(lanes: &'a mut Vec<Lane>, task: &Task) -> &'a mut Lane {
    let detail = format!("tid {}", task.tid);
    let index = lanes.iter().position(|lane| lane.detail == detail).unwrap_or(lanes.len());
    if index == lanes.len() {
        lanes.push(task_lane(task));
    }
    let last = lanes.len() - 1;
    #[expect(clippy::indexing_slicing, reason = "clamped to the last of a list that is not empty")]
    &mut lanes[index.min(last)]
}

fn moments_of(other: &OtherFault, finding: &Finding, since: &impl Fn(Nanos) -> Since) -> Vec<Moment> {
    let moment = |at: Option<Nanos>, mark| at.map(|at| Moment { at: since(at), mark });
    let pin = other.pin.map(|pin| {
        let taken = pin.result == PinResult::Taken;
        Moment { at: since(pin.tried), mark: if taken { Mark::PinTaken } else { Mark::PinFailed } }
    });
    // The free that the finding names has its own record, with a more exact time.
    let named = finding.freed.as_ref().is_some_and(|action| action.by.tid == other.task.tid);
    let last = if other.installed { Mark::Installed } else { Mark::Discarded };
    [
        moment(other.read_start_ns, Mark::ReadStart),
        moment(other.read_end_ns, Mark::ReadEnd),
        pin,
        moment(other.pin.and_then(|pin| pin.dropped), Mark::PinReleased),
        moment(other.freed_ns.filter(|_| !named), Mark::Freed),
        moment(Some(other.end_ns), last),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn spans_of(other: &OtherFault, since: &impl Fn(Nanos) -> Since) -> Vec<Span> {
    let span = |(from, to), fill| Span { from: since(from), to: since(to), fill };
    let read = other.read_start_ns.zip(other.read_end_ns).map(|times| span(times, Fill::Read));
    let held = other.pin.filter(|pin| pin.result == PinResult::Taken);
    let held = held.and_then(|pin| Some(span((pin.tried, pin.dropped?), Fill::Pin)));
    [Some(span((other.start_ns, other.end_ns), Fill::Fault)), held, read].into_iter().flatten().collect()
}

/// What the entry held at which time, as far as it was observed.
fn entry(finding: &Finding, (from, to): (Since, Since), since: &impl Fn(Nanos) -> Since) -> Lane {
    let actions = [
        (&finding.freed, Fill::Free, Mark::Freed),
        (&finding.allocated, Fill::Allocated, Mark::Allocated),
        (&finding.written, Fill::New, Mark::Written),
    ];
    let mut spans = Vec::new();
    let mut moments = Vec::new();
    let (mut start, mut fill) = (from, Fill::Old);
    for (action, next, mark) in actions {
        if let Some(action) = action {
            let at = since(action.at_ns).clamp(start, to);
            spans.push(Span { from: start, to: at, fill });
            moments.push(Moment { at, mark });
            (start, fill) = (at, next);
        }
    }
    spans.push(Span { from: start, to, fill });
    Lane { role: Role::Entry, name: "entry".to_owned(), detail: finding.entry.to_string(), spans, moments }
}

/// Cuts off what lies outside the span, and orders the rest by time.
pub(super) fn tidy(lane: &mut Lane, from: Since, to: Since) {
    lane.moments.retain(|moment| (from..=to).contains(&moment.at));
    lane.moments.sort_by_key(|moment| moment.at);
    lane.spans.retain(|span| span.from <= to && from <= span.to);
    for span in &mut lane.spans {
        span.from = span.from.max(from);
        span.to = span.to.min(to);
    }
}

fn caption(finding: &Finding, setting: &Setting) -> String {
    let device = if setting.device.is_empty() { String::new() } else { format!(" on {}", setting.device) };
    let kernel = match (setting.release.as_str(), setting.state) {
        ("", _) => String::new(),
        (release, State::Unknown) => format!(", kernel {release}"),
        (release, state) => format!(", kernel {release}, {}", words::state(state)),
    };
    let page = finding.address & !0xfff;
    let (pid, zero) = (finding.reader.pid, seconds(finding.read_start_ns));
    format!("page {page:#x} of pid {pid}{device}{kernel}; 0 is {zero}, monotonic")
}

#[cfg(test)]
pub(crate) fn setting() -> Setting {
    Setting { release: "5.10.0-32-cloud-amd64".to_owned(), state: State::Vulnerable, device: "zram0".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    #[test]
    fn the_reader_comes_first_and_the_entry_last() {
        let story = story(&fixtures::stale(), &setting());
        let lanes: Vec<_> = story.lanes.iter().map(|lane| (lane.role, lane.name.as_str())).collect();
        assert_eq!(lanes, [(Role::Reader, "victim"), (Role::Other, "observer"), (Role::Entry, "entry")]);
        assert_eq!(story.danger, Some((4_192_000, 21_408_000)));
    }

    #[test]
    fn every_step_is_shown_once_and_in_order() {
        let story = story(&fixtures::stale(), &setting());
        let marks: String = story.moments().iter().map(|(_, moment)| moment.mark.letter()).collect();
        assert_eq!(marks, "RrRrFIAWS");
    }

    #[test]
    fn the_entry_lane_has_no_gaps() {
        for finding in fixtures::all() {
            let story = story(&finding, &setting());
            let entry = story.lanes.last().unwrap();
            assert_eq!((entry.spans[0].from, entry.spans.last().unwrap().to), (story.from, story.to));
            assert!(entry.spans.windows(2).all(|pair| pair[0].to == pair[1].from), "{:?}", entry.spans);
        }
    }

    #[test]
    fn nothing_lies_outside_the_picture() {
        for finding in fixtures::all() {
            let story = story(&finding, &setting());
            for lane in &story.lanes {
                assert!(lane.spans.iter().all(|span| story.from <= span.from && span.to <= story.to));
                assert!(lane.spans.iter().all(|span| span.from <= span.to));
                assert!(lane.moments.iter().all(|moment| (story.from..=story.to).contains(&moment.at)));
            }
        }
    }

    #[test]
    fn letters_differ() {
        let mut letters: Vec<char> = Mark::ALL.iter().map(|mark| mark.letter()).collect();
        letters.sort_unstable();
        letters.dedup();
        assert_eq!(letters.len(), Mark::ALL.len());
    }
}
