//! Reads recordings and picks what is selected of them.

use std::io::Write;

use anyhow::bail;

use super::error::UsageError;
use observer_engine::event::Nanos;
use observer_observation::{Input, Outcome, WallClock};
use observer_record::Replay;
use observer_report::{
    formats::perfetto::Trace,
    observed::Observed,
    selection::{Missing, Names, Picked, Seen, Selection},
};
use observer_text::joined;

/// Inputs read before what they led to is taken from the engine.
const CHUNK: usize = 4_096;
/// Most names in an error.
const NAMED: usize = 10;

/// # Errors
/// When no time can be selected.
pub(super) fn check(selection: &Selection) -> anyhow::Result<()> {
    match (selection.since, selection.until) {
        (Some(since), Some(until)) if since.is_after(until) => bail!(UsageError::SinceAfterUntil),
        _ => Ok(()),
    }
}

/// Plays recordings and summarizes what is selected of each.
///
/// # Errors
/// When a name of the selection is in none of them, or no time can be selected.
pub(super) fn observed(replays: Vec<Replay>, selection: &Selection) -> anyhow::Result<Vec<Observed>> {
    if selection.is_empty() {
        return Ok(replays.into_iter().map(Replay::finish).map(|outcome| Observed::new(&outcome)).collect());
    }
    let mut names = Names::default();
    let mut all = Vec::new();
    for replay in replays {
        let (outcome, picked) = play(replay, selection, &mut |_, _| {})?;
        names.merge(picked.names());
        all.push(Observed::selected(&outcome, &picked));
    }
    check_names(&names, selection)?;
    Ok(all)
}

/// Writes the trace of one recording while it is replayed.
///
/// # Errors
/// As [`observed`], and when the output cannot be written.
pub(super) fn traced(replay: Replay, selection: &Selection, out: &mut dyn Write) -> anyhow::Result<Observed> {
    let mut trace = Trace::new(out, replay.context().clocks.monotonic_ns);
    if selection.is_empty() {
        let outcome = replay.finish_with(&mut |input| trace.input(input));
        trace.finish(&outcome)?;
        return Ok(Observed::new(&outcome));
    }
    let selector = Picked::new(selection, replay.context().clocks).selector().clone();
    let mut look = |input: &Input, wall_clock: &WallClock| {
        if let Input::Event(event) = input
            && selector.shows(event, wall_clock)
        {
            trace.input(input);
        }
    };
    let (outcome, picked) = play(replay, selection, &mut look)?;
    check_names(picked.names(), selection)?;
    trace.finish_selected(&outcome, &picked)?;
    Ok(Observed::selected(&outcome, &picked))
}

/// Plays a recording, and picks what is selected while it is read.
fn play(
    mut replay: Replay,
    selection: &Selection,
    look: &mut dyn FnMut(&Input, &WallClock),
) -> anyhow::Result<(Outcome, Picked)> {
    let start = replay.context().clocks;
    let mut picked = Picked::new(selection, start);
    if picked.selector().is_never(start) {
        bail!(UsageError::SinceAfterUntil);
    }
    replay.engine_mut().keep_reported();
    while replay.step_with(Nanos::MAX, CHUNK, look) {
        let reported = replay.engine_mut().take_reported();
        picked.see(reported, seen(&replay));
    }
    let mut outcome = replay.finish();
    picked.finish(&mut outcome);
    Ok((outcome, picked))
}

pub(super) fn seen(replay: &Replay) -> Seen<'_> {
    Seen { swaps: replay.swaps(), cgroups: replay.cgroups(), wall_clock: replay.wall_clock() }
}

fn check_names(names: &Names, selection: &Selection) -> anyhow::Result<()> {
    let Some(Missing { option, given, known }) = names.missing(selection) else { return Ok(()) };
    let more = known.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let known = if known.is_empty() { "none is known".into() } else { joined(known.iter().take(NAMED), ", ") };
    bail!(UsageError::NotRecorded { option, given, known: format!("{known}{more}") })
}
