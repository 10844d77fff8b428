//! The header: kernel, hooks, swap devices, dropped events, overhead.

use std::cmp::Reverse;

use ratatui::layout::Rect;

use super::pen::{Pen, skip, width};
use crate::{
    app::Shown,
    layout::HeaderSize,
    model::{About, Cost, DelayInjection, Model, ProgramTime, SwapDevice},
    numbers::{clock, count, kib},
    theme::Tone,
};
use observer_kernel::{
    plan::{HookReason, NoTrampoline, State},
    swaps::Synchronous,
};
use observer_observation::percent;
use observer_record::player::Transport;
use observer_report::{
    race::{Answer, Observed},
    units::{bytes, clock_time, duration, percent as share},
    words,
};

pub(super) fn header(pen: &mut Pen<'_>, shown: &Shown, area: Rect, size: HeaderSize) {
    let model = &shown.model;
    let mut lines = area.rows();
    let mut line = || lines.next().unwrap_or_default();
    if size == HeaderSize::Line {
        only_line(pen, shown, line());
        return;
    }
    first_line(pen, shown, line());
    if size == HeaderSize::Short {
        let rest = label(pen, line(), "swap");
        let rest = devices(pen, model, rest);
        pen.first_that_fits(rest, &[format!("hooks {}", hooks(&model.about))], Tone::Dim);
        let rest = label(pen, line(), "dropped");
        let rest = delay_injection(pen, model, rest);
        let rest = dropped(pen, model, rest);
        if let Some(cost) = &model.cost {
            let texts: Vec<_> = costs(cost).iter().map(|cost| format!("overhead {cost}")).collect();
            pen.first_that_fits(rest, &texts, Tone::Dim);
        }
        return;
    }
    let rest = label(pen, line(), "hooks");
    let rest = pen.word(rest, &hooks(&model.about), Tone::Plain);
    if let Some(remark) = hook_remark(&model.about) {
        pen.put(rest, &remark, Tone::Dim);
    }
    let rest = label(pen, line(), "swap");
    devices(pen, model, rest);
    let rest = label(pen, line(), "dropped");
    dropped(pen, model, rest);
    let rest = label(pen, line(), "overhead");
    let rest = delay_injection(pen, model, rest);
    match &model.cost {
        Some(cost) => pen.first_that_fits(rest, &costs(cost), Tone::Plain),
        None => pen.first_that_fits(rest, &["not measured in a replay"], Tone::Plain),
    }
}

/// Columns of the labels at the left.
const LABEL: u16 = 10;

fn label(pen: &mut Pen<'_>, line: Rect, label: &str) -> Rect {
    pen.put(line, label, Tone::Dim);
    skip(line, LABEL)
}

/// What the kernel does about the race, in full and in short.
fn state(model: &Model) -> ([&'static str; 2], Tone) {
    let (state, race) = (model.about.kernel.state, model.race());
    if race.observed == Observed::StaleInstall && state != State::Vulnerable {
        return (["vulnerable (a stale install was observed)", "vulnerable"], Tone::Bad);
    }
    match state {
        State::Vulnerable if race.reachable == Answer::No => (["vulnerable, not reachable now"; 2], Tone::Caution),
        State::Vulnerable => ([words::state(state), "vulnerable"], Tone::Bad),
        State::PinnedTick | State::PinnedWaitQueue | State::Pinned => {
            ([words::state(state), "fixed by pin"], Tone::Good)
        }
        State::NoBypass | State::NoSwap => ([words::state(state), "not affected"], Tone::Good),
        State::Unknown => ([words::state(state), "unknown"], Tone::Caution),
    }
}

fn only_line(pen: &mut Pen<'_>, shown: &Shown, line: Rect) {
    let model = &shown.model;
    let ([_, short], tone) = state(model);
    let line = match model.dropped_events() {
        0 => line,
        dropped => pen.right(line, &format!("  dropped {}", count(dropped)), Tone::Bad),
    };
    let rest = pen.word(line, short, tone);
    let rest = if model.about.selection.is_some() { pen.word(rest, "selection", Tone::Caution) } else { rest };
    let rest = since(shown).map_or(rest, |since| pen.word(rest, &since, Tone::Caution));
    pen.first_that_fits(rest, &[running(model, 0)], Tone::Dim);
}

/// From when the counts on the screen are.
fn since(shown: &Shown) -> Option<String> {
    let Shown { model, rates } = shown;
    let at = rates.since()?;
    let is_known = model.wall_clock.start().realtime_ns > 0;
    let time =
        if is_known { clock_time(model.wall_clock.realtime(at)) } else { clock(at.saturating_sub(model.start_ns)) };
    Some(format!("since {time}"))
}

fn first_line(pen: &mut Pen<'_>, shown: &Shown, line: Rect) {
    let model = &shown.model;
    let line = pen.right(line, &running(model, line.width.saturating_sub(LEAST_WITH_COMMAND)), Tone::Plain);
    let line = match since(shown) {
        Some(since) => pen.right(line, &format!("  {since}  "), Tone::Caution),
        None => line,
    };
    let line = label(pen, Rect { width: line.width.saturating_sub(2), ..line }, "observer");
    let (texts, tone) = state(model);
    let release = &model.about.kernel.release;
    let with_release = |text: &&&str| width(text) + 2 + width(release) <= line.width;
    let [_, short] = &texts;
    let text = texts.iter().find(with_release).unwrap_or(short);
    let rest = pen.word(line, text, tone);
    pen.first_that_fits(rest, &[release], Tone::Strong);
}

/// Columns without the room that a command may take.
const LEAST_WITH_COMMAND: u16 = 84;

/// `live 00:12:41`, or the position of the replay; with `room` for more.
fn running(model: &Model, room: u16) -> String {
    let long = room >= 16;
    let since = clock(model.at_ns.saturating_sub(model.start_ns));
    let Some(transport) = &model.transport else {
        return match &model.about.command {
            Some(command) if long => format!("live {since} -- {}", shorten(&command.to_string(), room.into())),
            _ => format!("live {since}"),
        };
    };
    let known = transport.length_ns > 0 && long;
    let length = if known { format!("/{}", clock(transport.length_ns)) } else { String::new() };
    let state = match transport {
        Transport { seeking: true, .. } => "seeking".to_owned(),
        Transport { ended: true, .. } => "end".to_owned(),
        Transport { playing: true, speed, .. } => format!("x{speed}"),
        Transport { playing: false, .. } => "paused".to_owned(),
    };
    format!("replay {}{length} {state}", clock(transport.position_ns))
}

/// At most `room` characters of a command, without the folder of its program.
fn shorten(command: &str, room: usize) -> String {
    let (program, arguments) = command.split_once(' ').unwrap_or((command, ""));
    let name = program.rsplit('/').next().unwrap_or(program);
    observer_text::cut(format!("{name} {arguments}").trim_end(), room).to_owned()
}

/// The number of hooks per backend.
fn hooks(about: &About) -> String {
    let kernel = &about.kernel;
    let hooks = |count: usize| if count == 1 { "1 hook".to_owned() } else { format!("{count} hooks") };
    let fentry = kernel.hooks.iter().filter(|hook| hook.backend.is_trampoline()).count();
    let kprobe = kernel.hooks.len() - fentry;
    let used = match (fentry, kprobe) {
        (_, 0) => format!("fentry ({})", hooks(fentry)),
        (0, _) => format!("kprobe ({})", hooks(kprobe)),
        _ => format!("fentry ({}), kprobe ({kprobe})", hooks(fentry)),
    };
    match kernel.timed_one_in {
        0 | 1 if kernel.is_lean() => format!("{used}, lean"),
        0 | 1 => used,
        one_in => format!("{used}, lean (1 in {one_in} timed)"),
    }
}

/// Why the first of the kprobes is not a trampoline, else what is not seen for lack of a hook.
fn hook_remark(about: &About) -> Option<String> {
    let kernel = &about.kernel;
    let is_remarkable = |reason: &HookReason| match reason {
        HookReason::NoTrampoline { cause } => *cause != NoTrampoline::KprobesRequested,
        HookReason::Described { .. } => true,
        HookReason::TrampolineAccepted { .. } | HookReason::Unknown => false,
    };
    let kprobe = kernel.hooks.iter().find(|hook| !hook.backend.is_trampoline() && is_remarkable(&hook.reason));
    kprobe.map(|hook| format!("{}: {}", hook.symbol, words::hook_reason(&hook.reason))).or_else(|| {
        let gap = kernel.degraded.first()?;
        Some(format!("no hook for {}: {}", words::meaning(gap.meaning), words::gap_consequence(gap)))
    })
}

fn devices(pen: &mut Pen<'_>, model: &Model, line: Rect) -> Rect {
    let line = match &model.about.selection {
        Some(selection) => pen.word(line, &format!("selection {selection}"), Tone::Caution),
        None => line,
    };
    let filters = filters(&model.about);
    let line = if filters.is_empty() { line } else { pen.word(line, &format!("only {filters}"), Tone::Caution) };
    let Some(devices) = &model.devices else { return pen.word(line, "unknown", Tone::Dim) };
    if devices.is_empty() {
        return pen.word(line, "no swap device", Tone::Caution);
    }
    let mut rest = line;
    for (index, device) in devices.iter().enumerate() {
        let text = describe(device);
        let more = devices.len() - index;
        let needed = width(&text) + if more > 1 { 10 } else { 0 };
        if index > 0 && needed > rest.width {
            return pen.word(rest, &format!("+{more} more"), Tone::Dim);
        }
        rest = pen.word(rest, &text, Tone::Plain);
    }
    rest
}

/// The options that limit what is observed.
fn filters(about: &About) -> String {
    let filters = about.filters.iter().map(|(option, value)| format!("--{option} {value}"));
    let one_in = about.sample_one_in;
    let sample = (one_in > 1).then(|| format!("--sample 1/{one_in}, counts scaled"));
    filters.chain(sample).collect::<Vec<_>>().join(" ")
}

fn describe(device: &SwapDevice) -> String {
    let used = device.used_kib.map_or_else(String::new, |used| {
        let share = used.saturating_mul(100) / device.size_kib.max(1);
        format!(" {share}% used")
    });
    let synchronous = match device.synchronous {
        Synchronous::Yes => "sync",
        Synchronous::No => "async",
        Synchronous::Unknown => "sync?",
    };
    format!("{} {} {}{used} {synchronous}", device.name, device.driver, kib(device.size_kib))
}

/// The count, and the causes that fit, the most frequent first.
fn dropped(pen: &mut Pen<'_>, model: &Model, line: Rect) -> Rect {
    let dropped = model.dropped_events();
    if dropped == 0 {
        let rest = pen.word(line, "0", Tone::Good);
        let unlisted = format!("{} counted, not listed: a table is full", count(model.unlisted));
        return if model.unlisted > 0 && width(&unlisted) <= rest.width {
            pen.word(rest, &unlisted, Tone::Dim)
        } else {
            rest
        };
    }
    let mut causes: Vec<_> = model.dropped.iter().filter(|(_, count)| **count > 0).collect();
    causes.sort_by_key(|(_, count)| Reverse(**count));
    let mut rest = pen.word(line, &count(dropped), Tone::Bad);
    for (index, (cause, dropped)) in causes.iter().enumerate() {
        let text = format!("{} {}", cause.code(), count(**dropped));
        let more = causes.len() - index;
        // A cause is left out rather than cut.
        let needed = width(&text) + if more > 1 { 9 } else { 0 };
        if needed > rest.width {
            return pen.word(rest, &format!("+{more} more"), Tone::Bad);
        }
        rest = pen.word(rest, &text, Tone::Bad);
    }
    let remedy = causes.first().map_or("", |(cause, _)| words::cause(**cause));
    if width(remedy) <= rest.width { pen.word(rest, remedy, Tone::Dim) } else { rest }
}

/// At the right, where it always has room: what happens under delay injection does not happen by itself.
fn delay_injection(pen: &mut Pen<'_>, model: &Model, line: Rect) -> Rect {
    let DelayInjection::Attached { on, ns, delays } = model.delay_injection else { return line };
    let (state, tone) = if on { (duration(ns), Tone::Caution) } else { ("off".to_owned(), Tone::Strong) };
    pen.right(line, &format!("  delay injection {state}, {} delays", count(delays)), tone)
}

/// The overhead, from the longest text to the shortest; the first that fits is shown.
fn costs(cost: &Cost) -> Vec<String> {
    let user = share(cost.cpu_percent);
    let each = cost.per_swap_in_ns.map_or_else(String::new, |ns| format!(", {} per swap-in", duration(ns)));
    let mut texts = vec![user.clone(), format!("{user} of a CPU{each} in user space")];
    for part in [programs(cost.programs), ring(cost), memory(cost)].into_iter().flatten() {
        texts.extend(texts.last().map(|text| format!("{text}, {part}")));
    }
    texts.reverse();
    texts
}

fn programs(time: ProgramTime) -> Option<String> {
    match time {
        ProgramTime::NotRequested => None,
        ProgramTime::Unavailable => Some("programs not timed".to_owned()),
        ProgramTime::Percent(percent) => Some(format!("programs {}", share(percent))),
    }
}

fn ring(cost: &Cost) -> Option<String> {
    let ring = cost.ring?;
    let part = |bytes| share(percent(bytes, ring.size_bytes));
    Some(format!("ring {} full, {} at most", part(ring.waiting_bytes), part(ring.highest_bytes)))
}

fn memory(cost: &Cost) -> Option<String> {
    let (now, most) = cost.resident_bytes?;
    Some(format!("{} resident, {} at most, {} of maps", bytes(now), bytes(most), bytes(cost.kernel_bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_parts_of_the_overhead_are_left_out() {
        let mut cost = Cost { cpu_percent: 0.5, ..Cost::default() };
        assert_eq!(costs(&cost), ["0.5% of a CPU in user space", "0.5%"]);
        cost.programs = ProgramTime::Unavailable;
        cost.resident_bytes = Some((1 << 20, 2 << 20));
        let texts = costs(&cost);
        assert_eq!(texts.len(), 4);
        assert!(texts[0].contains("programs not timed, 1.0 MiB resident, 2.0 MiB at most"), "{texts:?}");
    }

    #[test]
    fn the_state_of_a_replay_is_named() {
        let shown = |transport| running(&Model { transport: Some(transport), ..Model::default() }, 0);
        let playing = Transport { playing: true, speed: 0.25, ..Transport::default() };
        assert_eq!(shown(playing), "replay 00:00:00 x0.25");
        assert_eq!(shown(Transport { playing: false, ..playing }), "replay 00:00:00 paused");
        let ended = Transport { playing: false, ended: true, ..playing };
        assert_eq!(shown(ended), "replay 00:00:00 end");
        assert_eq!(shown(Transport { seeking: true, ..ended }), "replay 00:00:00 seeking");
    }

    #[test]
    fn commands_are_shown_without_their_folder() {
        for (command, shown) in [("/usr/bin/stress-ng --vm 4", "stress-ng --vm 4"), ("./a", "a")] {
            assert_eq!(shorten(command, 30), shown);
        }
        assert_eq!(shorten("sleep 100000", 7), "sleep 1");
    }
}
