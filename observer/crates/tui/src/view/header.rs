//! The header: kernel and state, hooks and why, swap devices, dropped, overhead.

use super::{
    numbers::{clock, count, kib},
    pen::Pen,
};
use crate::{
    layout::{Area, HeaderSize},
    model::{Cost, DelayInjection, DeviceLine, Exposure, Model, ProgramShare},
    theme::Tone,
};
use observer_kernel::swaps::Synchronous;
use observer_observation::percent;
use observer_report::{
    summary::dropped,
    units::{bytes, duration, percent as share},
};

pub(super) fn header(pen: &mut Pen<'_>, model: &Model, mut area: Area, size: HeaderSize) {
    first_line(pen, model, area.cut_top(1), size);
    match size {
        HeaderSize::Line => {}
        HeaderSize::Short => {
            let line = label(pen, area.cut_top(1), "swap");
            let rest = devices(pen, model, line);
            pen.if_fits(rest, &format!("hooks {}", model.about.backend), Tone::Dim);
            let line = label(pen, area.cut_top(1), "lost");
            let line = delay_injection(pen, model, line);
            let rest = dropped_of(pen, model, line);
            if model.cost.is_some() {
                let texts: Vec<_> = costs(model).iter().map(|cost| format!("overhead {cost}")).collect();
                pen.longest(rest, &texts, Tone::Dim);
            }
        }
        HeaderSize::Full => {
            let line = label(pen, area.cut_top(1), "hooks");
            let rest = pen.word(line, &model.about.backend, Tone::Plain);
            pen.put(rest, &model.about.backend_why, Tone::Dim);
            let line = label(pen, area.cut_top(1), "swap");
            devices(pen, model, line);
            let line = label(pen, area.cut_top(1), "lost");
            dropped_of(pen, model, line);
            let line = label(pen, area.cut_top(1), "overhead");
            let line = delay_injection(pen, model, line);
            pen.longest(line, &costs(model), Tone::Plain);
        }
    }
}

/// Width of the words at the left.
const LABEL: u16 = 10;

fn label(pen: &mut Pen<'_>, mut line: Area, label: &str) -> Area {
    let place = line.cut_left(LABEL);
    pen.put(place, label, Tone::Dim);
    line
}

/// What the kernel does about the race, as far as it matters on this host.
pub(super) fn state(model: &Model) -> (String, Tone) {
    let unreachable = matches!(model.about.exposure, Exposure::Unfixed | Exposure::Pinned)
        && model.synchronous() == Synchronous::No
        && model.counts.first() == Some(&0);
    if unreachable {
        return ("not reachable here: no synchronous swap device".to_owned(), Tone::Good);
    }
    let tone = match model.about.exposure {
        Exposure::Unfixed => Tone::Bad,
        Exposure::Pinned | Exposure::Closed => Tone::Good,
        Exposure::Unknown => Tone::Caution,
    };
    (model.about.state.clone(), tone)
}

fn first_line(pen: &mut Pen<'_>, model: &Model, line: Area, size: HeaderSize) {
    let (state, tone) = state(model);
    if size == HeaderSize::Line {
        let lost = model.lost();
        let line = if lost > 0 { pen.right(line, &format!("  lost {}", count(lost)), Tone::Bad) } else { line };
        let rest = pen.word(line, &state, tone);
        pen.if_fits(rest, &running(model, 0), Tone::Dim);
        return;
    }
    let mut line = pen.right(line, &running(model, line.width.saturating_sub(LEAST_WITH_COMMAND)), Tone::Plain);
    line.width = line.width.saturating_sub(2);
    let line = label(pen, line, "observer");
    let rest = pen.word(line, &state, tone);
    pen.if_fits(rest, &model.about.release, Tone::Strong);
}

/// Columns from which on there is room for more than the essential.
const LEAST_WITH_COMMAND: u16 = 84;

/// `live 00:12:41`, or where the replay stands; with `room` for more.
fn running(model: &Model, room: u16) -> String {
    let long = room >= 16;
    let since = clock(model.at_ns.saturating_sub(model.start_ns));
    match &model.transport {
        None if model.about.command.is_empty() || !long => format!("live {since}"),
        None => format!("live {since} -- {}", cut(&model.about.command, usize::from(room))),
        Some(transport) => {
            let known = transport.length_ns > 0 && long;
            let length = if known { format!("/{}", clock(transport.length_ns)) } else { String::new() };
            let doing = match (transport.seeking, transport.playing) {
                (true, _) => "seeking".to_owned(),
                (false, true) => format!("x{}", transport.speed),
                (false, false) => "paused".to_owned(),
            };
            format!("replay {}{length} {doing}", clock(transport.position_ns))
        }
    }
}

/// At most `width` characters. Where a program lies does not matter here.
fn cut(command: &str, width: usize) -> String {
    let (program, arguments) = command.split_once(' ').unwrap_or((command, ""));
    let name = program.rsplit('/').next().unwrap_or(program);
    // A hidden subcommand of this very program, with options that are not for people.
    let text = match arguments.split_once(' ').map_or(arguments, |(first, _)| first) {
        "" => name.to_owned(),
        hidden if hidden.starts_with("__") => format!("{name}'s own workload"),
        _ => format!("{name} {arguments}"),
    };
    text.chars().take(width).collect()
}

fn devices(pen: &mut Pen<'_>, model: &Model, line: Area) -> Area {
    // Everything below is of this part.
    let filters = &model.about.filters;
    let line = if filters.is_empty() { line } else { pen.word(line, &format!("only {filters}"), Tone::Caution) };
    let Some(devices) = &model.devices else { return pen.word(line, "not known", Tone::Dim) };
    if devices.is_empty() {
        return pen.word(line, "no swap device", Tone::Caution);
    }
    let mut rest = line;
    for (index, device) in devices.iter().enumerate() {
        let text = describe(device);
        let more = devices.len() - index;
        let needed = super::pen::length(&text) + if more > 1 { 10 } else { 0 };
        if index > 0 && needed > rest.width {
            return pen.word(rest, &format!("+{more} more"), Tone::Dim);
        }
        rest = pen.word(rest, &text, Tone::Plain);
    }
    rest
}

fn describe(device: &DeviceLine) -> String {
    let used = device.used_kib.map_or_else(String::new, |used| {
        let share = used.saturating_mul(100) / device.size_kib.max(1);
        format!(" {share}% used")
    });
    let synchronous = match device.synchronous {
        Synchronous::Yes => "sync",
        Synchronous::No => "async",
        Synchronous::Unknown => "sync?",
    };
    format!("{} {} {}{used} {synchronous}", device.name, device.form, kib(device.size_kib))
}

/// By cause, the largest first, as many as there is room for.
fn dropped_of(pen: &mut Pen<'_>, model: &Model, line: Area) -> Area {
    let lost = model.lost();
    if lost == 0 {
        return pen.word(line, "nothing", Tone::Good);
    }
    let mut causes: Vec<_> = model.dropped.iter().filter(|(_, count)| **count > 0).collect();
    causes.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let mut rest = pen.word(line, &count(lost), Tone::Bad);
    for (index, (cause, lost)) in causes.iter().enumerate() {
        let text = format!("{} {}", cause.replace('_', " "), count(**lost));
        let more = causes.len() - index;
        // Half a cause, or one without its count, says less than that there are more.
        let needed = super::pen::length(&text) + if more > 1 { 9 } else { 0 };
        if needed > rest.width {
            return pen.word(rest, &format!("+{more} more"), Tone::Bad);
        }
        rest = pen.word(rest, &text, Tone::Bad);
    }
    let remedy = causes.first().map_or("", |(cause, _)| dropped::remedy(cause));
    if super::pen::length(remedy) <= rest.width { pen.word(rest, remedy, Tone::Dim) } else { rest }
}

/// At the right, so that nothing takes its room: what is seen while it is on is not what happens by itself.
fn delay_injection(pen: &mut Pen<'_>, model: &Model, line: Area) -> Area {
    let DelayInjection::Attached { on, ns, delays } = model.delay_injection else { return line };
    let (state, tone) = if on { (duration(ns), Tone::Caution) } else { ("off".to_owned(), Tone::Strong) };
    pen.right(line, &format!("  delay_injection {state}, {} delays", count(delays)), tone)
}

/// overhead in words, the fullest first: as much is shown as there is room for. A recording does not know what watching
/// it costs.
fn costs(model: &Model) -> Vec<String> {
    let Some(cost) = model.cost else { return vec!["not measured in a replay".to_owned()] };
    let user = share(cost.cpu_percent);
    let each = cost.per_swap_in_ns.map_or_else(String::new, |ns| format!(", {} a swap-in", duration(ns)));
    let whole = format!("{user} of a CPU{each} in user space");
    // What presses most comes first, so that it goes last.
    let more = [programs(cost.programs), ring(&cost), memory(&cost)].into_iter().flatten();
    let mut texts = vec![user, whole.clone()];
    let mut text = whole;
    for part in more {
        text = format!("{text}, {part}");
        texts.push(text.clone());
    }
    texts.reverse();
    texts
}

fn programs(programs: ProgramShare) -> Option<String> {
    match programs {
        ProgramShare::NotAsked => None,
        ProgramShare::Refused => Some("programs not timed".to_owned()),
        ProgramShare::Percent(percent) => Some(format!("programs {}", share(percent))),
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
    fn what_is_not_known_of_the_own_cost_is_left_out() {
        assert_eq!(costs(&Model::default()), ["not measured in a replay"]);
        let mut cost = Cost { cpu_percent: 0.5, ..Cost::default() };
        let of = |cost| costs(&Model { cost: Some(cost), ..Model::default() });
        assert_eq!(of(cost), ["0.5% of a CPU in user space", "0.5%"]);
        cost.programs = ProgramShare::Refused;
        cost.resident_bytes = Some((1 << 20, 2 << 20));
        let told = of(cost);
        assert_eq!(told.len(), 4);
        assert!(told[0].contains("programs not timed, 1.0 MiB resident, 2.0 MiB at most"), "{told:?}");
    }

    #[test]
    fn a_command_is_told_as_people_know_it() {
        for (command, told) in [
            ("/usr/bin/stress-ng --vm 4", "stress-ng --vm 4"),
            ("./a", "a"),
            ("/bin/observer __workload 5 {\"storm\":{}}", "observer's own workload"),
        ] {
            assert_eq!(cut(command, 30), told);
        }
        assert_eq!(cut("sleep 100000", 7), "sleep 1");
    }
}
