//! For Prometheus and its kin: the OpenMetrics text format, and the older one for readers that want that.
//!
//! Cardinality is bounded by design: a label is a path, a verdict, a cause, never an entry, a task or a process.

mod cost;
mod exposition;
mod price;

use hdrhistogram::Histogram;

pub use self::exposition::Dialect;
use self::exposition::{Kind, Page};
use crate::{
    observed::Observed,
    summary::{
        Summary,
        distributions::{Measure, sum_ns},
    },
};

/// Largest value of the first bucket and of the last one with a bound: 2^10 ns (1 us) and 2^35 ns (34 s), less one.
/// Buckets of the histograms end there too, so counts are exact.
const BUCKETS: std::ops::RangeInclusive<u32> = 10..=35;

/// What serving itself costs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ServeCost {
    /// Pages made so far.
    pub scrapes: u64,
    /// Time it took to make them, nanoseconds.
    pub scrape_ns: u64,
    /// Connections refused because there were too many.
    pub refused: u64,
}

/// The whole page.
pub fn page(observed: &Observed, own: &ServeCost, dialect: Dialect) -> String {
    let mut page = Page::new(dialect);
    let summary = &observed.summary;
    kernel(&mut page, summary);
    swapping(&mut page, summary);
    faults(&mut page, summary);
    verdicts(&mut page, summary);
    price::write(&mut page, summary);
    histograms(&mut page, observed);
    cost::write(&mut page, summary, own);
    page.finish()
}

fn kernel(page: &mut Page, summary: &Summary) {
    page.family("observer_kernel", Kind::Info, "", "The kernel observed and what it does about the race.").info(&[
        ("release", &summary.kernel.release),
        ("arch", &summary.kernel.arch),
        ("state", &summary.kernel.state),
        ("tool", &summary.tool),
    ]);
    let filters =
        page.family("observer_filter", Kind::Gauge, "", "1 for each filter that is on: then counts are of a part.");
    for option in summary.filters.keys() {
        filters.sample(&[("option", option)], 1.0);
    }
    if summary.command.is_some() {
        filters.sample(&[("option", "command")], 1.0);
    }
    page.family("observer_sample_one_in", Kind::Gauge, "", "Of all entries one in so many is observed; counts of swap-ins, faults, pins, locks and verdicts are multiplied by it, histograms and times are not.")
        .count(&[], u64::from(summary.sample.as_ref().map_or(1, |sample| sample.one_in)));
    page.family(
        "observer_timed_one_in",
        Kind::Gauge,
        "",
        "Of the faults one in so many is in the histograms of swap-in durations, chosen at random; all are counted.",
    )
    .count(&[], summary.kernel.timed_one_in.max(1).into());
    let degraded =
        page.family("observer_degraded", Kind::Gauge, "", "1 for each hook that this kernel does not allow.");
    for gap in &summary.kernel.degraded {
        degraded.sample(&[("hook", &gap.meaning)], 1.0);
    }
    if let Some(tick) = summary.kernel.tick_ns {
        page.family(
            "observer_tick_seconds",
            Kind::Gauge,
            "seconds",
            "Length of a timer tick: what losing the pin costs at least.",
        )
        .sample(&[], seconds(tick));
    }
}

fn swapping(page: &mut Page, summary: &Summary) {
    let ins = &summary.swapins;
    page.family("observer_swapins", Kind::Counter, "", "Pages read from swap devices, by path.")
        .count(&[("path", "direct")], ins.direct)
        .count(&[("path", "cached")], ins.cached);
    page.family("observer_swapins_outside_faults", Kind::Counter, "", "Of these, pages read outside any page fault.")
        .count(&[], ins.outside_faults);
    if let Some(lost) = ins.dropped {
        page.family("observer_swapins_unseen", Kind::Counter, "", "Pages read that the programs did not see.")
            .count(&[], lost);
    }
    if let Some(kernel) = ins.kernel {
        page.family(
            "observer_kernel_swapins",
            Kind::Counter,
            "",
            "The kernel's own count of pages swapped in, of the whole host.",
        )
        .count(&[], kernel);
    }
    let outs = &summary.swapouts;
    let entries = page
        .family("observer_entries", Kind::Counter, "", "What happened to swap entries, of the whole host.")
        .count(&[("event", "allocated")], outs.allocated)
        .count(&[("event", "written")], outs.written);
    if let Some(freed) = outs.freed {
        entries.count(&[("event", "freed")], freed);
    }
    if let Some(kernel) = outs.kernel {
        page.family(
            "observer_kernel_swapouts",
            Kind::Counter,
            "",
            "The kernel's own count of pages swapped out, of the whole host.",
        )
        .count(&[], kernel);
    }
}

fn faults(page: &mut Page, summary: &Summary) {
    let faults = &summary.faults;
    page.family("observer_faults", Kind::Counter, "", "Calls of do_swap_page that ended, by how they got their page.")
        .count(&[("path", "direct")], faults.direct)
        .count(&[("path", "cached")], faults.cached)
        .count(&[("path", "none")], faults.none);
    page.family("observer_faults_started", Kind::Counter, "", "Calls of do_swap_page on swap entries.")
        .count(&[], faults.started);
    page.family("observer_faults_installed", Kind::Counter, "", "Calls that installed their page.")
        .count(&[], faults.installed);
    page.family(
        "observer_faults_contended",
        Kind::Counter,
        "",
        "Calls that were not alone on their entry, and so streamed.",
    )
    .count(&[], faults.streamed);
    page.family(
        "observer_faults_special",
        Kind::Counter,
        "",
        "Calls on entries that are no swap, such as migration entries.",
    )
    .count(&[], faults.special);
    let pins = &summary.pins;
    // What no hook tells has no sample: a 0 would be one.
    if let (Some(taken), Some(held), Some(gone)) = (pins.taken, pins.eexist, pins.enoent) {
        page.family("observer_pins", Kind::Counter, "", "Tries to pin an entry, by result.")
            .count(&[("result", "taken")], taken)
            .count(&[("result", "held")], held)
            .count(&[("result", "gone")], gone);
    } else {
        page.family("observer_pins", Kind::Counter, "", "Tries to pin an entry, by result.")
            .count(&[("result", "failed")], pins.failed);
    }
    if let (Some(failed), Some(outside)) = (pins.outside_failed, &pins.outside) {
        page.family("observer_pin_outside_failed", Kind::Counter, "", "Failed pin tries that are no page fault's own.")
            .count(&[], failed);
        page.family("observer_pin_outside_path_failed", Kind::Counter, "", "The same, by path.")
            .count(&[("path", "readahead")], outside.readahead)
            .count(&[("path", "shmem")], outside.shmem)
            .count(&[("path", "zswap")], outside.zswap)
            .count(&[("path", "other")], outside.other);
    }
    page.family("observer_pin_retries", Kind::Counter, "", "Pin tries that failed within waits.")
        .count(&[], pins.retries);
    let locks = &summary.locks;
    page.family("observer_folio_lock_failed", Kind::Counter, "", "Calls that found their page locked, by whose doing.")
        .count(&[("by", "other")], locks.failed)
        .count(&[("by", "own-read")], locks.own_read);
    page.family("observer_folio_lock_retries", Kind::Counter, "", "Tries of the folio lock that failed within waits.")
        .count(&[], locks.retries);
}

fn verdicts(page: &mut Page, summary: &Summary) {
    let verdicts = &summary.verdicts;
    page.family(
        "observer_verdicts",
        Kind::Counter,
        "",
        "What was found; a zero is one only where observer_dropped are 0.",
    )
    .count(&[("verdict", "overlap")], verdicts.overlap)
    .count(&[("verdict", "lock-wait")], verdicts.lock_wait)
    .count(&[("verdict", "pin-wait")], verdicts.pin_wait)
    .count(&[("verdict", "window")], verdicts.window)
    .count(&[("verdict", "reuse")], verdicts.reuse)
    .count(&[("verdict", "stale-install")], verdicts.stale_install);
    let dropped = page.family("observer_dropped", Kind::Counter, "", "What was not seen, by cause.");
    for (cause, count) in &summary.dropped {
        dropped.count(&[("cause", cause)], *count);
    }
}

fn histograms(page: &mut Page, observed: &Observed) {
    let faults =
        page.family("observer_fault_seconds", Kind::Histogram, "seconds", "Durations of do_swap_page, by path.");
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
    let unseen =
        |measure| observed.summary.kernel.holds_unseen() && matches!(measure, Measure::PinHold | Measure::Oversleep);
    for (measure, histogram) in others.into_iter().filter(|(measure, _)| !unseen(*measure)) {
        let help = match measure {
            Measure::Overlap => "Spans with two or more calls on one entry.",
            Measure::PinHold => "Holds of contended pins.",
            Measure::PinWait => "Waits for a pin, over all refaults of the page.",
            Measure::Oversleep => "The part of waits after the pin was dropped.",
            Measure::LockWait => "Waits for a page's lock in the swap cache, over all refaults of the page.",
            Measure::LockOversleep => "The part of these after the holder's read was done.",
            _ => "From the start of an overtaken read to the end of its call.",
        };
        let name = format!("observer_{}_seconds", measure.name());
        buckets(page.family(&name, Kind::Histogram, "seconds", help), &[], histogram);
    }
}

/// Bounds are one nanosecond below powers of two: there the histogram's own buckets end.
fn buckets(page: &mut Page, labels: &[(&str, &str)], histogram: &Histogram<u64>) {
    let mut values = histogram.iter_recorded().peekable();
    let mut below = 0;
    for power in BUCKETS {
        let bound = (1u64 << power) - 1;
        while let Some(value) = values.next_if(|value| value.value_iterated_to() <= bound) {
            below += value.count_at_value();
        }
        page.bucket(labels, Some(seconds(bound)), below);
    }
    page.bucket(labels, None, histogram.len());
    page.histogram_sum(labels, seconds(sum_ns(histogram)), histogram.len());
}

fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}
