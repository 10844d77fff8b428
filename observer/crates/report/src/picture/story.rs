//! What there is to show of a finding.

use super::parts::{Fill, Lane, Mark, Moment, Role, Since, Span};
use crate::words;
use observer_engine::{
    event::{Nanos, PinResult, Task},
    verdict::{Finding, OtherFault, Verdict},
};

/// Where it happened, for the captions. Empty where it is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Setting {
    /// Kernel release.
    pub release: String,
    /// What that kernel does about the race.
    pub state: String,
    /// Name of the entry's device.
    pub device: String,
}

/// A finding, ready to be drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Story {
    /// One line: verdict and entry.
    pub title: String,
    /// One line: page, device, kernel, time.
    pub caption: String,
    /// What happened, in one sentence.
    pub sentence: String,
    /// The reader first, the entry last.
    pub lanes: Vec<Lane>,
    /// Left edge of the picture.
    pub from: Since,
    /// Right edge.
    pub to: Since,
    /// The reader held a copy that was out of date.
    pub danger: Option<(Since, Since)>,
}

impl Story {
    /// All moments with the index of their lane, in order of time. The entry's lane repeats the others' and is left out.
    pub fn moments(&self) -> Vec<(usize, Moment)> {
        let tasks = self.lanes.iter().enumerate().filter(|(_, lane)| lane.role != Role::Entry);
        let mut all: Vec<(usize, Moment)> =
            tasks.flat_map(|(index, lane)| lane.moments.iter().map(move |moment| (index, *moment))).collect();
        all.sort_by_key(|(index, moment)| (moment.at, *index));
        all
    }
}

/// Makes the story of a finding.
pub fn story(finding: &Finding, setting: &Setting) -> Story {
    let zero = finding.read_start_ns;
    let since = |at: Nanos| at.wrapping_sub(zero).cast_signed();
    let (start, end) = (since(finding.start_ns), since(finding.end_ns));
    // A little air on both sides; faults of others that reach further are cut off there.
    let air = ((end - start) / 20).max(1);
    let (from, to) = (start - air, end + air);
    let danger = overtaken(finding).map(|at| (since(at), end));
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
        title: format!("{} of swap entry {}", finding.verdict.name(), finding.entry),
        caption: caption(finding, setting),
        sentence: words::sentence(finding),
        lanes,
        from,
        to,
        danger,
    }
}

/// When the reader's copy went out of date: the first thing that happened to the entry under the read.
fn overtaken(finding: &Finding) -> Option<Nanos> {
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
        (true, Verdict::StaleInstall) if finding.read_during_write => Mark::MixedInstalled,
        (true, Verdict::StaleInstall) => Mark::StaleInstalled,
        (true, _) => Mark::Installed,
        (false, _) => Mark::GaveUp,
    };
    moments.push(Moment { at: since(finding.end_ns), mark: last });
    Lane { role: Role::Reader, spans, moments, ..task_lane(&finding.reader) }
}

fn task_lane(task: &Task) -> Lane {
    Lane {
        role: Role::Other,
        name: name(&task.comm),
        detail: format!("tid {}", task.tid),
        spans: Vec::new(),
        moments: Vec::new(),
    }
}

fn name(comm: &impl std::fmt::Display) -> String {
    comm.to_string()
}

/// The task's lane; a new one if it has none yet.
fn lane_of<'a>(lanes: &'a mut Vec<Lane>, task: &Task) -> &'a mut Lane {
    let detail = format!("tid {}", task.tid);
    let index = lanes.iter().position(|lane| lane.detail == detail).unwrap_or(lanes.len());
    if index == lanes.len() {
        lanes.push(task_lane(task));
    }
    // The index is that of a lane found or pushed; `push_mut` is newer than our compiler.
    let last = lanes.len() - 1;
    #[expect(clippy::indexing_slicing, reason = "clamped to the last of a list that is not empty")]
    &mut lanes[index.min(last)]
}

fn moments_of(other: &OtherFault, finding: &Finding, since: &impl Fn(Nanos) -> Since) -> Vec<Moment> {
    let moment = |at: Option<Nanos>, mark| at.map(|at| Moment { at: since(at), mark });
    let pin = other.pin.map(|pin| {
        let taken = pin.result == PinResult::Taken;
        Moment { at: since(pin.tried), mark: if taken { Mark::PinTaken } else { Mark::PinLost } }
    });
    // The free that the finding names is told by its own record, which knows the better time.
    let told = finding.freed.as_ref().is_some_and(|action| action.by.tid == other.task.tid);
    let last = if other.installed { Mark::Installed } else { Mark::GaveUp };
    [
        moment(other.read_start_ns, Mark::ReadStart),
        moment(other.read_end_ns, Mark::ReadEnd),
        pin,
        moment(other.pin.and_then(|pin| pin.dropped), Mark::PinDropped),
        moment(other.freed_ns.filter(|_| !told), Mark::Freed),
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

/// What the entry held when, as far as it was seen.
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

/// Cuts off what lies outside and puts the rest in order.
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
    let kernel = match (setting.release.is_empty(), setting.state.is_empty()) {
        (true, _) => String::new(),
        (false, true) => format!(", kernel {}", setting.release),
        (false, false) => format!(", kernel {} ({})", setting.release, setting.state),
    };
    let page = finding.address & !0xfff;
    let (seconds, rest) = (finding.read_start_ns / 1_000_000_000, finding.read_start_ns % 1_000_000_000);
    format!("page {page:#x} of pid {}{device}{kernel}; 0 is {seconds}.{rest:09} s, monotonic", finding.reader.pid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::fixtures;

    #[test]
    fn the_reader_comes_first_and_the_entry_last() {
        let story = story(&fixtures::stale(), &fixtures::setting());
        let lanes: Vec<_> = story.lanes.iter().map(|lane| (lane.role, lane.name.as_str())).collect();
        assert_eq!(lanes, [(Role::Reader, "victim"), (Role::Other, "observer"), (Role::Entry, "entry")]);
        assert_eq!(story.danger, Some((4_192_000, 21_408_000)));
    }

    #[test]
    fn every_deed_is_told_once_and_in_order() {
        let story = story(&fixtures::stale(), &fixtures::setting());
        let marks: String = story.moments().iter().map(|(_, moment)| moment.mark.letter()).collect();
        assert_eq!(marks, "RrRrFIHWS");
    }

    #[test]
    fn the_entry_lane_has_no_gaps() {
        for finding in fixtures::all() {
            let story = story(&finding, &fixtures::setting());
            let entry = story.lanes.last().unwrap();
            assert_eq!((entry.spans[0].from, entry.spans.last().unwrap().to), (story.from, story.to));
            assert!(entry.spans.windows(2).all(|pair| pair[0].to == pair[1].from));
        }
    }

    #[test]
    fn nothing_lies_outside_the_picture() {
        for finding in fixtures::all() {
            let story = story(&finding, &fixtures::setting());
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
