//! The answer, and what it is about: host, kernel, time, devices, hooks, filters.

use std::fmt::Write as _;

use super::{line, page::Page, tone_of_answer};
use crate::{
    paint::Tone,
    summary::{Source, Summary},
    units::{bytes, counted},
    words,
};
use observer_kernel::plan::Backend;
use observer_observation::Swap;

pub(super) fn write(text: &mut Page, summary: &Summary) -> std::fmt::Result {
    text.sentence(tone_of_answer(summary.headline.code), &words::answer(summary))?;
    if let Some(advice) = words::advice(summary) {
        text.sentence(Tone::Plain, &advice)?;
    }
    writeln!(text)?;
    for source in &summary.sources {
        write_source(text, source)?;
    }
    for (fact, tone, words) in words::facts(summary) {
        text.toned(tone, fact, words)?;
    }
    for swap in &summary.swaps {
        line(text, "device", device(swap))?;
    }
    line(text, "hooks", hooks(summary))?;
    if let Some(command) = &summary.command {
        line(text, "command", format_args!("{}: only its tasks were observed", command.command))?;
    }
    for (option, value) in &summary.filters {
        line(text, "filter", format_args!("--{option} {value}: counts cover a part of the host"))?;
    }
    if let Some(sample) = &summary.sample {
        line(text, "sample", words::sample(sample))?;
    }
    if let Some(selected) = &summary.selection {
        line(text, "selection", words::selection(selected))?;
        line(text, "", words::SELECTED)?;
        line(text, "", words::WHOLE)?;
    }
    for note in words::damage_and_notes(summary) {
        text.toned(Tone::Caution, "note", note)?;
    }
    Ok(())
}

fn write_source(text: &mut Page, source: &Source) -> std::fmt::Result {
    let Source { host, tool, release, arch, state, .. } = source;
    line(text, "host", format_args!("{host} ({arch}), observer {tool}"))?;
    line(text, "kernel", format_args!("{release}, {}", words::state(*state)))?;
    line(text, "time", words::time_span(source))
}

fn device(swap: &Swap) -> String {
    let in_use =
        if swap.from_ns == 0 && swap.until_ns.is_none() { String::new() } else { format!(", {}", words::in_use(swap)) };
    format!("{}, {}, {}{in_use}", swap.path, bytes(swap.size_kib << 10), words::synchronous(swap.synchronous))
}

/// `full: 9 fentry, 2 fexit`.
fn hooks(summary: &Summary) -> String {
    let kernel = &summary.kernel;
    let of = |backend: Backend| {
        let count = kernel.hooks.iter().filter(|hook| hook.backend == backend).count();
        (count > 0).then(|| format!("{count} {}", backend.code()))
    };
    let used: Vec<_> =
        [Backend::Fentry, Backend::Fexit, Backend::Kprobe, Backend::Kretprobe].into_iter().filter_map(of).collect();
    let used = if used.is_empty() { "none".to_owned() } else { used.join(", ") };
    let missing = match kernel.degraded.len() as u64 {
        0 => String::new(),
        missing => format!("; {} below", counted(missing, "limit")),
    };
    format!("{}: {used}{missing}", kernel.hook_set.code())
}
