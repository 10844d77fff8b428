//! The tables of the page.

use hdrhistogram::Histogram;

use super::{
    contents::Body,
    markup::{
        Column::{Number, Text},
        Markup,
    },
};
use crate::{
    formats::text::ring_use,
    summary::{Summary, distributions::Measure},
    units::{bytes, duration, number},
    words,
};
use observer_observation::{DurationSummary, Overhead, ProgramStats};

/// Rows by each criterion in the table of wait costs.
const COSTS: usize = 5;

fn or_unknown(count: Option<u64>) -> String {
    count.map_or_else(|| "unknown".to_owned(), number)
}

pub(super) fn counts(page: &mut Markup, summary: &Summary) {
    let (ins, outs, faults, pins) = (&summary.swapins, &summary.swapouts, &summary.faults, &summary.pins);
    let rows = [
        ("pages swapped in", number(ins.seen), "direct and cached"),
        ("direct", number(ins.direct), "read directly, without the swap cache"),
        ("cached", number(ins.cached), "read into the swap cache"),
        ("pages swapped in by the kernel's count", or_unknown(ins.kernel), "pswpin of /proc/vmstat, on the whole host"),
        ("faults on swap entries", number(faults.started), "calls of do_swap_page"),
        ("faults that installed their page", number(faults.installed), ""),
        ("contended faults", number(faults.streamed), "another task had a fault on the same entry"),
        ("pins taken", or_unknown(pins.taken), "by page faults"),
        ("pins contended", number(pins.failed), "another task held the pin, or had freed the entry"),
        ("entries allocated", number(outs.allocated), ""),
        ("entries written", number(outs.written), ""),
        ("entries freed", or_unknown(outs.freed), ""),
    ];
    let rows = rows.into_iter().map(|(what, count, meaning)| [what.to_owned(), count, meaning.to_owned()]);
    page.table([Text("count of"), Number("count"), Text("meaning")], rows);
}

/// The cost of waits, what has not ended, and the remarks; nothing where no task waited and no rule applies.
pub(super) fn wait_cost(body: &mut Body, summary: &Summary) {
    let cost = &summary.wait_cost;
    if cost.commands.is_empty() && summary.remarks.is_empty() && summary.stalled.longest.is_empty() {
        return;
    }
    let page = body.section("wait-cost", "Cost of waits");
    for stalled in &summary.stalled.longest {
        page.element("p", &format!("Stalled: {}.", words::stalled(stalled, summary.is_merged())));
    }
    for remark in &summary.remarks {
        page.element("p", &format!("{}.", words::remark(remark)));
    }
    let tables = [
        ("command", &cost.commands),
        ("task", &cost.tasks),
        ("control group", &cost.cgroups),
        ("device", &cost.devices),
        ("holder -> waiter", &cost.edges),
    ];
    let rows = tables.into_iter().flat_map(|(by, rows)| rows.iter().take(COSTS).map(move |row| (by, row)));
    let rows = rows.map(|(by, row)| {
        let cost = &row.cost;
        [
            by.to_owned(),
            row.name.clone(),
            words::wait_kind(row.kind).to_owned(),
            number(cost.waits),
            duration(cost.waited_ns),
            duration(cost.longest_ns),
            duration(cost.overslept_ns),
            number(cost.retries),
        ]
    });
    page.table(
        [
            Text("by"),
            Text("name"),
            Text("wait for"),
            Number("waits"),
            Number("total"),
            Number("longest"),
            Number("oversleep"),
            Number("retries"),
        ],
        rows,
    );
}

pub(super) fn percentiles(page: &mut Markup, filled: &[(Measure, &Histogram<u64>)]) {
    let rows = filled.iter().map(|(measure, histogram)| {
        let DurationSummary { count, p50_ns, p90_ns, p99_ns, p999_ns, max_ns } = DurationSummary::of(histogram);
        [
            words::measure(*measure).to_owned(),
            number(count),
            duration(p50_ns),
            duration(p90_ns),
            duration(p99_ns),
            duration(p999_ns),
            duration(max_ns),
        ]
    });
    page.table(
        [Text("duration of"), Number("n"), Number("p50"), Number("p90"), Number("p99"), Number("p99.9"), Number("max")],
        rows,
    );
}

/// The kernel, its hooks, its swap areas.
pub(super) fn kernel(page: &mut Markup, summary: &Summary) {
    let kernel = &summary.kernel;
    let tick = kernel.tick_ns.map_or_else(|| "unknown".to_owned(), duration);
    page.element("p", &format!("{} on {}, tick {tick}; observer {}", kernel.release, kernel.arch, summary.tool));
    let rows = kernel.hooks.iter().map(|hook| {
        [
            words::meaning(hook.meaning).to_owned(),
            hook.backend.code().to_owned(),
            hook.symbol.clone(),
            words::hook_reason(&hook.reason),
        ]
    });
    page.table([Text("hook"), Text("backend"), Text("function"), Text("reason")], rows);
    if !kernel.degraded.is_empty() {
        let rows = kernel.degraded.iter().map(|gap| {
            let (meaning, reason) = (words::meaning(gap.meaning).to_owned(), words::missing_reason(&gap.reason));
            [meaning, reason, words::gap_consequence(gap)]
        });
        page.table([Text("missing hook"), Text("reason"), Text("consequence")], rows);
    }
    if !summary.swaps.is_empty() {
        let rows = summary.swaps.iter().map(|swap| {
            let reads = words::synchronous(swap.synchronous).to_owned();
            [swap.kind.to_string(), swap.path.to_string(), bytes(swap.size_kib << 10), reads, words::in_use(swap)]
        });
        page.table([Text("swap type"), Text("path"), Number("size"), Text("reads"), Text("in use")], rows);
    }
}

/// Dropped events by cause.
pub(super) fn dropped(page: &mut Markup, summary: &Summary) {
    if summary.dropped_events() == 0 {
        page.element("p", "None.");
        return;
    }
    let dropped = summary.dropped.iter().filter(|(_, count)| **count > 0);
    page.table(
        [Text("cause"), Number("count"), Text("meaning")],
        dropped.map(|(cause, count)| [cause.code().to_owned(), number(*count), words::cause(*cause).to_owned()]),
    );
}

pub(super) fn overhead(page: &mut Markup, summary: &Summary) {
    let overhead = &summary.overhead;
    if *overhead == Overhead::default() {
        page.element("p", "Unknown: the recording has no end.");
        return;
    }
    let mut rows = vec![
        ("length of the observation", duration(overhead.elapsed_ns)),
        ("CPU time in user mode", duration(overhead.user_ns)),
        ("CPU time in the kernel", duration(overhead.system_ns)),
        ("largest resident size", bytes(overhead.max_resident_bytes)),
        ("kernel memory of maps", bytes(overhead.kernel_bytes)),
        ("programs attached", overhead.programs.to_string()),
        ("records", number(overhead.records)),
    ];
    rows.extend(overhead.resident_bytes.map(|now| ("resident size at the end", bytes(now))));
    rows.extend(overhead.ring.map(|ring| ("ring buffer", ring_use(&ring))));
    if let Some(ProgramStats::Refused(why)) = &overhead.program_stats {
        rows.push(("run times of programs", format!("unknown: {}", words::stats_refusal(why))));
    }
    page.table([Text("overhead"), Number("value")], rows.into_iter().map(|(what, value)| [what.to_owned(), value]));
    if let Some(ProgramStats::Counted(programs)) = &overhead.program_stats {
        let rows = programs.iter().map(|run| [run.name.clone(), number(run.runs), duration(run.run_ns)]);
        page.table([Text("program"), Number("runs"), Number("run time")], rows);
    }
}
