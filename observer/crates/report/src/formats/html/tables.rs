//! The tables of the page.

use hdrhistogram::Histogram;

use super::{markup::Markup, size};
use crate::{
    formats::text::ring_use,
    summary::{Summary, distributions::Measure, dropped::remedy},
    units::duration,
};
use observer_engine::totals::DurationSummary;
use observer_observation::{Overhead, ProgramStats};

/// Rows of each table of prices.
const PRICES: usize = 5;

/// Counts of the whole host.
pub(super) fn counts(page: &mut Markup, summary: &Summary) {
    let (ins, outs, faults, pins) = (&summary.swapins, &summary.swapouts, &summary.faults, &summary.pins);
    let known = |count: Option<u64>| count.map_or_else(|| "not known".to_owned(), |count| count.to_string());
    let rows = [
        ("pages swapped in", ins.seen.to_string(), "direct and cached together"),
        ("direct", ins.direct.to_string(), "read past the swap cache"),
        ("cached", ins.cached.to_string(), "read into the swap cache"),
        ("by the kernel's own count", known(ins.kernel), "pswpin of /proc/vmstat, of the whole host"),
        ("page faults on swap entries", faults.started.to_string(), "calls of do_swap_page"),
        ("that installed their page", faults.installed.to_string(), ""),
        ("that were contended", faults.streamed.to_string(), "another task was on the same entry"),
        ("pins taken", pins.taken.map_or_else(|| "not seen".to_owned(), |taken| taken.to_string()), "by page faults"),
        ("pins contended", pins.failed.to_string(), "another task held it, or had finished"),
        ("entries allocated", outs.allocated.to_string(), ""),
        ("entries written", outs.written.to_string(), ""),
        ("entries freed", known(outs.freed), ""),
    ];
    let rows = rows.into_iter().map(|(what, count, meaning)| [what.to_owned(), count, meaning.to_owned()]);
    page.table(&["what", "count", "meaning"], rows);
}

/// What waits cost, and what stands out; nothing where nobody waited and nothing stands out.
pub(super) fn price(page: &mut Markup, summary: &Summary) {
    let price = &summary.price;
    if price.commands.is_empty() && summary.remarks.is_empty() {
        return;
    }
    page.element("h2", "What waits cost");
    for remark in &summary.remarks {
        page.element("p", &format!("{}.", remark.text));
    }
    let tables = [
        ("command", &price.commands),
        ("task", &price.tasks),
        ("control group", &price.cgroups),
        ("device", &price.devices),
        ("holder and waiter", &price.edges),
    ];
    let rows = tables.into_iter().flat_map(|(by, rows)| rows.iter().take(PRICES).map(move |row| (by, row)));
    let rows = rows.map(|(by, row)| {
        let price = &row.price;
        [
            by.to_owned(),
            row.who.clone(),
            row.kind.name().to_owned(),
            price.waits.to_string(),
            duration(price.waited_ns),
            duration(price.longest_ns),
            duration(price.overslept_ns),
            price.retries.to_string(),
        ]
    });
    page.table(&["by", "who", "for", "waits", "all together", "longest", "overslept", "retries"], rows);
}

/// Percentiles of all distributions.
pub(super) fn percentiles(page: &mut Markup, filled: &[(Measure, &Histogram<u64>)]) {
    let rows = filled.iter().map(|(measure, histogram)| {
        let DurationSummary { count, p50_ns, p90_ns, p99_ns, p999_ns, max_ns } = DurationSummary::of(histogram);
        [
            measure.words().to_owned(),
            count.to_string(),
            duration(p50_ns),
            duration(p90_ns),
            duration(p99_ns),
            duration(p999_ns),
            duration(max_ns),
        ]
    });
    page.table(&["what", "n", "p50", "p90", "p99", "p99.9", "max"], rows);
}

/// The kernel, its hooks, its swap areas.
pub(super) fn kernel(page: &mut Markup, summary: &Summary) {
    let kernel = &summary.kernel;
    let tick = kernel.tick_ns.map_or_else(|| "not known".to_owned(), duration);
    page.element("p", &format!("{} on {}, tick {tick}; observer {}", kernel.release, kernel.arch, summary.tool));
    let rows = kernel.backend.iter().map(|(meaning, how)| [meaning.clone(), how.clone()]);
    page.table(&["hook", "how"], rows);
    if !kernel.degraded.is_empty() {
        let rows = kernel.degraded.iter().map(|gap| [gap.hook.clone(), gap.reason.clone(), gap.consequence.clone()]);
        page.table(&["missing hook", "why", "so"], rows);
    }
    if !summary.swaps.is_empty() {
        let rows = summary.swaps.iter().map(|swap| {
            [swap.kind.to_string(), swap.path.clone(), size(swap.size_kib << 10), swap.synchronous.clone()]
        });
        page.table(&["swap type", "path", "size", "read synchronously"], rows);
    }
}

/// Dropped by cause.
pub(super) fn dropped(page: &mut Markup, summary: &Summary) {
    if summary.dropped.values().all(|count| *count == 0) {
        page.element("p", "Nothing: every loss counter is 0.");
        return;
    }
    let lost = summary.dropped.iter().filter(|(_, count)| **count > 0);
    page.table(
        &["cause", "count", "meaning"],
        lost.map(|(cause, count)| [(*cause).to_owned(), count.to_string(), remedy(cause).to_owned()]),
    );
}

/// overhead.
pub(super) fn cost(page: &mut Markup, summary: &Summary) {
    let cost = &summary.self_cost;
    if *cost == Overhead::default() {
        page.element("p", "Not known: the recording has no end.");
        return;
    }
    let mut rows = vec![
        ("observed for", duration(cost.elapsed_ns)),
        ("CPU time in user mode", duration(cost.user_ns)),
        ("CPU time in the kernel", duration(cost.system_ns)),
        ("resident at most", size(cost.max_resident_bytes)),
        ("kernel memory of maps", size(cost.kernel_bytes)),
        ("programs attached", cost.programs.to_string()),
        ("records", cost.records.to_string()),
    ];
    rows.extend(cost.resident_bytes.map(|now| ("resident at last", size(now))));
    rows.extend(cost.ring.map(|ring| ("ring buffer", ring_use(&ring))));
    if let Some(ProgramStats::Refused(why)) = &cost.program_stats {
        rows.push(("run times of programs", why.clone()));
    }
    page.table(&["what", "how much"], rows.into_iter().map(|(what, much)| [what.to_owned(), much]));
    if let Some(ProgramStats::Counted(programs)) = &cost.program_stats {
        let rows = programs.iter().map(|run| [run.name.clone(), run.runs.to_string(), duration(run.run_ns)]);
        page.table(&["program", "runs", "time"], rows);
    }
}
