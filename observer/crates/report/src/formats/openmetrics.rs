//! The OpenMetrics text format, and the older Prometheus text format for readers that ask for it.
//!
//! Cardinality is bounded: a label is a path, a verdict, a cause, never an entry, a task or a process.

use hdrhistogram::Histogram;

pub use self::exposition::Dialect;
use self::exposition::{Exposition, Kind};
use crate::{
    observed::Observed,
    summary::{
        Summary,
        distributions::{Measure, sum_ns},
        headline::Code,
    },
};

mod exposition;
mod overhead;
mod wait_cost;

/// The bounds of the buckets: 1, 2.5 and 5 of each power of ten, from 1 us to 50 s.
///
/// The histograms have buckets with other bounds. What is in one of them counts with its start, so a duration within
/// 1/64 of a bound (of a swap-in; otherwise 1/1000) can be on the other side of it. Counts still only grow.
fn bounds() -> impl Iterator<Item = u64> {
    (3..=10).flat_map(|power| [10, 25, 50].map(|n| n * 10u64.pow(power) / 10))
}

/// What serving the metrics costs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ServeCost {
    pub scrapes: u64,
    /// Time spent on all scrapes.
    pub scrape_ns: u64,
    /// Connections refused because there were too many.
    pub refused: u64,
}

/// All metrics of an observation.
pub fn text(observed: &Observed, cost: &ServeCost, dialect: Dialect) -> String {
    let mut out = Exposition::new(dialect);
    let summary = &observed.summary;
    headline(&mut out, summary);
    kernel(&mut out, summary);
    swapping(&mut out, summary);
    faults(&mut out, summary);
    pins(&mut out, summary);
    verdicts(&mut out, summary);
    wait_cost::write(&mut out, summary);
    histograms(&mut out, observed);
    overhead::write(&mut out, summary, cost);
    out.finish()
}

fn headline(out: &mut Exposition, summary: &Summary) {
    let answers =
        out.family("observer_headline", Kind::Gauge, "", "1 for the answer so far, 0 for the others, by code.");
    for code in Code::ALL {
        answers.sample(&[("code", code.code())], f64::from(u8::from(code == summary.headline.code)));
    }
}

fn kernel(out: &mut Exposition, summary: &Summary) {
    let kernel = &summary.kernel;
    out.family("observer_kernel", Kind::Info, "", "The observed kernel, and what it does about the race.").info(&[
        ("release", &kernel.release),
        ("arch", &kernel.arch),
        ("state", kernel.state.code()),
        ("tool", &summary.tool),
    ]);
    let filters = out.family(
        "observer_filter",
        Kind::Gauge,
        "",
        "1 for each filter in use. With a filter, counts cover a part of the host.",
    );
    for option in summary.filters.keys() {
        filters.sample(&[("option", option)], 1.0);
    }
    if summary.command.is_some() {
        filters.sample(&[("option", "command")], 1.0);
    }
    let selection = out.family(
        "observer_selection",
        Kind::Gauge,
        "",
        "1 for each option that selects a part of a recording. Then verdicts, waits, overlaps, pin holds and findings \
         are those of the selection, and everything else covers the whole recording.",
    );
    for option in summary.selection.iter().flat_map(|selected| selected.options.keys()) {
        selection.sample(&[("option", option)], 1.0);
    }
    out.family(
        "observer_sample_one_in",
        Kind::Gauge,
        "",
        "One swap entry in this many is observed. Counts of swap-ins, faults, pins, locks and verdicts are multiplied \
         by it; histograms and times are not.",
    )
    .count(&[], u64::from(summary.sample.as_ref().map_or(1, |sample| sample.one_in)));
    out.family(
        "observer_timed_one_in",
        Kind::Gauge,
        "",
        "One fault in this many, chosen at random, is in the histograms of swap-in durations. All faults are counted.",
    )
    .count(&[], kernel.timed_one_in.max(1).into());
    let degraded = out.family("observer_degraded", Kind::Gauge, "", "1 for each hook that this kernel does not allow.");
    for gap in &kernel.degraded {
        degraded.sample(&[("hook", gap.meaning.code())], 1.0);
    }
    if let Some(tick) = kernel.tick_ns {
        out.family(
            "observer_tick_seconds",
            Kind::Gauge,
            "seconds",
            "Length of a timer tick: on some kernels, how long a task sleeps when another task holds the pin.",
        )
        .sample(&[], seconds(tick));
    }
}

fn swapping(out: &mut Exposition, summary: &Summary) {
    let ins = &summary.swapins;
    out.family("observer_swapins", Kind::Counter, "", "Pages read from swap devices, by path.")
        .count(&[("path", "direct")], ins.direct)
        .count(&[("path", "cached")], ins.cached);
    out.family(
        "observer_swapins_outside_faults",
        Kind::Counter,
        "",
        "Pages of observer_swapins that were read outside page faults.",
    )
    .count(&[], ins.outside_faults);
    if let Some(dropped) = ins.dropped {
        out.family("observer_swapins_dropped", Kind::Counter, "", "Pages read that were not observed.")
            .count(&[], dropped);
    }
    if let Some(kernel) = ins.kernel {
        out.family(
            "observer_kernel_swapins",
            Kind::Counter,
            "",
            "Pages swapped in on the whole host by the kernel's own count.",
        )
        .count(&[], kernel);
    }
    let outs = &summary.swapouts;
    let entries = out
        .family("observer_entries", Kind::Counter, "", "Changes of swap entries on the whole host, by event.")
        .count(&[("event", "allocated")], outs.allocated)
        .count(&[("event", "written")], outs.written);
    if let Some(freed) = outs.freed {
        entries.count(&[("event", "freed")], freed);
    }
    if let Some(kernel) = outs.kernel {
        out.family(
            "observer_kernel_swapouts",
            Kind::Counter,
            "",
            "Pages swapped out on the whole host by the kernel's own count.",
        )
        .count(&[], kernel);
    }
}

fn faults(out: &mut Exposition, summary: &Summary) {
    let faults = &summary.faults;
    out.family("observer_faults", Kind::Counter, "", "Calls of do_swap_page that ended, by path.")
        .count(&[("path", "direct")], faults.direct)
        .count(&[("path", "cached")], faults.cached)
        .count(&[("path", "none")], faults.none);
    out.family("observer_faults_started", Kind::Counter, "", "Calls of do_swap_page on swap entries.")
        .count(&[], faults.started);
    out.family("observer_faults_installed", Kind::Counter, "", "Calls that installed their page.")
        .count(&[], faults.installed);
    out.family("observer_faults_contended", Kind::Counter, "", "Calls that overlapped with another on the same entry.")
        .count(&[], faults.streamed);
    out.family(
        "observer_stalled_faults",
        Kind::Gauge,
        "",
        "Calls of do_swap_page that have been in progress for more than a second. Read every five seconds.",
    )
    .count(&[], summary.stalled.faults);
    out.family(
        "observer_longest_stall_seconds",
        Kind::Gauge,
        "seconds",
        "How long the longest of them, or of the waits for a pin that have not ended, has been in progress.",
    )
    .sample(&[], seconds(summary.stalled.longest_ns().unwrap_or(0)));
    out.family(
        "observer_faults_special",
        Kind::Counter,
        "",
        "Calls on entries other than swap entries, such as migration entries.",
    )
    .count(&[], faults.special);
}

fn pins(out: &mut Exposition, summary: &Summary) {
    let pins = &summary.pins;
    let tries = out.family("observer_pins", Kind::Counter, "", "Pin tries of page faults, by result.");
    // A count that no hook observes has no sample: 0 would be a wrong one.
    if let (Some(taken), Some(held), Some(gone)) = (pins.taken, pins.eexist, pins.enoent) {
        tries
            .count(&[("result", "taken")], taken)
            .count(&[("result", "held")], held)
            .count(&[("result", "gone")], gone);
    } else {
        tries.count(&[("result", "failed")], pins.failed);
    }
    if let (Some(failed), Some(outside)) = (pins.outside_failed, &pins.outside) {
        out.family("observer_pin_outside_failed", Kind::Counter, "", "Failed pin tries outside page faults.")
            .count(&[], failed);
        out.family(
            "observer_pin_outside_path_failed",
            Kind::Counter,
            "",
            "Failed pin tries outside page faults, by path.",
        )
        .count(&[("path", "readahead")], outside.readahead)
        .count(&[("path", "shmem")], outside.shmem)
        .count(&[("path", "zswap")], outside.zswap)
        .count(&[("path", "other")], outside.other);
    }
    out.family("observer_pin_retries", Kind::Counter, "", "Failed pin tries within waits.").count(&[], pins.retries);
    let locks = &summary.locks;
    out.family(
        "observer_folio_lock_failed",
        Kind::Counter,
        "",
        "Calls that found the folio lock held, by holder: another task, or their own read.",
    )
    .count(&[("by", "other")], locks.failed)
    .count(&[("by", "own_read")], locks.own_read);
    out.family("observer_folio_lock_retries", Kind::Counter, "", "Failed tries of the folio lock within waits.")
        .count(&[], locks.retries);
}

fn verdicts(out: &mut Exposition, summary: &Summary) {
    let verdicts = out.family(
        "observer_verdicts",
        Kind::Counter,
        "",
        "Verdicts. A 0 is conclusive only while observer_dropped is 0. A verdict without a sample is not observable.",
    );
    for (verdict, count) in summary.verdicts.known() {
        if let Some(count) = count {
            verdicts.count(&[("verdict", verdict.code())], count);
        }
    }
    let last = out.family(
        "observer_verdict_last_timestamp_seconds",
        Kind::Gauge,
        "seconds",
        "When the verdict was seen last, since 1970. A verdict that was not seen has no sample.",
    );
    for (verdict, at) in &summary.last_unix_ns {
        last.sample(&[("verdict", verdict.code())], seconds(*at));
    }
    let hidden = out.family(
        "observer_not_observable",
        Kind::Gauge,
        "",
        "1 for each verdict that the hooks on this kernel may miss.",
    );
    for verdict in summary.verdicts.not_observable.keys() {
        hidden.sample(&[("verdict", verdict.code())], 1.0);
    }
    out.family(
        "observer_unlisted",
        Kind::Counter,
        "",
        "What is counted in observer_verdicts and not listed in reports, because a list is full.",
    )
    .count(&[("list", "findings")], summary.unlisted.findings)
    .count(&[("list", "entries")], summary.unlisted.entries);
    let dropped = out.family("observer_dropped", Kind::Counter, "", "Events that were not observed, by cause.");
    for (cause, count) in &summary.dropped {
        dropped.count(&[("cause", cause.code())], *count);
    }
}

fn histograms(out: &mut Exposition, observed: &Observed) {
    let faults = out.family(
        "observer_fault_seconds",
        Kind::Histogram,
        "seconds",
        "Durations of do_swap_page, by path. A duration within 1/64 of a bound can be counted on the other side of it.",
    );
    let mut others = Vec::new();
    for (measure, histogram) in observed.histograms.iter() {
        let path = match measure {
            Measure::FaultDirect => "direct",
            Measure::FaultCached => "cached",
            Measure::FaultNone => "none",
            _ => {
                others.push((measure, histogram));
                continue;
            }
        };
        buckets(faults, &[("path", path)], histogram);
    }
    let is_observed = |measure| observed.summary.distributions.get(measure).is_some();
    for (measure, histogram) in others.into_iter().filter(|(measure, _)| is_observed(*measure)) {
        let help = match measure {
            Measure::Overlap => "Durations of overlaps: two or more calls on one entry.",
            Measure::PinHold => "Durations of the holds of contended pins.",
            Measure::PinWait => "Durations of pin waits, each across all refaults of its page.",
            Measure::Oversleep => "The part of each pin wait after the pin was released.",
            Measure::LockWait => "Durations of waits on the folio lock, each across all refaults of its page.",
            Measure::LockOversleep => "The part of each lock wait after the holder's read completed.",
            _ => "From the start of the read to the end of the call, of windows, reuses and stale installs.",
        };
        let name = format!("observer_{}_seconds", measure.code());
        buckets(out.family(&name, Kind::Histogram, "seconds", help), &[], histogram);
    }
}

fn buckets(out: &mut Exposition, labels: &[(&str, &str)], histogram: &Histogram<u64>) {
    let mut values = histogram.iter_recorded().peekable();
    let mut below = 0;
    for bound in bounds() {
        let is_below = |ns| histogram.lowest_equivalent(ns) <= bound;
        while let Some(value) = values.next_if(|value| is_below(value.value_iterated_to())) {
            below += value.count_at_value();
        }
        out.bucket(labels, Some(seconds(bound)), below);
    }
    out.bucket(labels, None, histogram.len());
    out.histogram_sum(labels, seconds(sum_ns(histogram)), histogram.len());
}

fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(durations: &[u64]) -> String {
        let mut histogram = Histogram::new_with_bounds(1, 1 << 40, 3).unwrap();
        for ns in durations {
            histogram.record(*ns).unwrap();
        }
        let mut out = Exposition::new(Dialect::OpenMetrics);
        buckets(out.family("x_seconds", Kind::Histogram, "seconds", "Help."), &[], &histogram);
        out.finish()
    }

    #[test]
    fn bounds_are_round_and_counts_cumulative() {
        let page = page(&[1, 1_000, 1_001, 2_500, 40_000_000, 1_000_000_000, 60_000_000_000]);
        for line in [
            "x_seconds_bucket{le=\"0.000001\"} 2",
            "x_seconds_bucket{le=\"0.0000025\"} 4",
            "x_seconds_bucket{le=\"0.025\"} 4",
            "x_seconds_bucket{le=\"0.05\"} 5",
            "x_seconds_bucket{le=\"1.0\"} 6",
            "x_seconds_bucket{le=\"50.0\"} 6",
            "x_seconds_bucket{le=\"+Inf\"} 7",
        ] {
            assert!(page.lines().any(|found| found == line), "{line}: {page}");
        }
        assert_eq!(page.matches("_bucket").count(), 25);
    }

    #[test]
    fn a_duration_counts_below_a_bound_that_is_a_thousandth_above_it() {
        for bound in bounds() {
            let page = page(&[bound + bound / 1_000 + 1, bound - bound / 1_000]);
            let le = exposition::bound(seconds(bound));
            assert!(page.contains(&format!("le=\"{le}\"}} 1\n")), "{le}: {page}");
        }
    }
}
