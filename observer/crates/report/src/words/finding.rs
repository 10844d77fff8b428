//! Findings: their steps, and a description for readers who know pages but not swap entries.

use crate::units::duration;
use observer_engine::{
    event::{Nanos, Task},
    verdict::{Action, Finding, Verdict},
};

/// One step of a finding: the task, and what it does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step<'a> {
    /// `None`: the step was not observed, but it must have happened.
    pub(crate) at_ns: Option<Nanos>,
    pub(crate) task: Option<&'a Task>,
    pub(crate) what: &'static str,
}

/// The steps of a finding, ordered by time. One that must have happened and was not observed stands before the first
/// observed step that follows from it.
pub(crate) fn steps(finding: &Finding) -> Vec<Step<'_>> {
    let by = |at_ns, task, what| Step { at_ns: Some(at_ns), task: Some(task), what };
    let reader = |at_ns, what| by(at_ns, &finding.reader, what);
    let end = match (finding.installed, finding.verdict) {
        (true, Verdict::StaleInstall) if finding.read_during_write => {
            "installs its page, which it read during the write"
        }
        (true, Verdict::StaleInstall) => "installs its page, which is stale",
        (true, _) => "installs its page",
        (false, _) => "discards its page",
    };
    let mut steps = vec![reader(finding.read_start_ns, "starts to read the entry")];
    steps.extend(finding.read_end_ns.map(|at| reader(at, "completes the read")));
    for (action, what) in [
        (&finding.freed, "frees the entry"),
        (&finding.allocated, "reallocates the entry for another page"),
        (&finding.written, "writes that page to the entry"),
    ] {
        steps.extend(action.as_ref().map(|action| by(action.at_ns, &action.by, what)));
    }
    steps.push(reader(finding.end_ns, end));
    steps.sort_by_key(|step| step.at_ns);
    for (what, before_ns) in unobserved(finding) {
        let place = steps.iter().position(|step| step.at_ns >= Some(before_ns)).unwrap_or(steps.len());
        steps.insert(place, Step { at_ns: None, task: None, what });
    }
    steps
}

/// What must have happened, and was not observed; each with the time before which it did. A reuse needs a free and an
/// allocation, a window a free.
fn unobserved(finding: &Finding) -> impl Iterator<Item = (&'static str, Nanos)> {
    let at = |action: &Option<Action>| action.as_ref().map(|action| action.at_ns);
    let (freed, allocated, written) = (at(&finding.freed), at(&finding.allocated), at(&finding.written));
    let reused = matches!(finding.verdict, Verdict::Reuse | Verdict::StaleInstall);
    let written = written.unwrap_or(finding.end_ns);
    let allocation =
        (allocated.is_none() && reused).then_some(("the allocation for another page was not observed", written));
    let free = freed.is_none().then_some(("the free of the entry was not observed", allocated.unwrap_or(written)));
    [free, allocation].into_iter().flatten()
}

/// What happened, and whether data was lost.
pub(crate) fn description(finding: &Finding) -> String {
    let (reader, entry) = (name(&finding.reader), finding.entry);
    let short = &finding.reader.comm;
    let after = format!("{} after its read started", duration(finding.end_ns.saturating_sub(finding.read_start_ns)));
    if finding.read_during_write {
        return during_write(finding, &reader, &after);
    }
    let freed = finding
        .freed
        .as_ref()
        .map_or_else(|| "the entry was freed".to_owned(), |action| format!("{} freed the entry", name(&action.by)));
    let read = format!("{reader} read swap entry {entry} directly");
    let reused = if finding.written.is_some() {
        "the entry was reallocated, and newer data was written to it"
    } else {
        "and the entry was reallocated"
    };
    match finding.verdict {
        Verdict::StaleInstall => format!(
            "{read}. Before it installed the page, {freed}, {reused}. The page table entry was unchanged, so {short} \
             installed its old copy {after}: what was written to the page in between is lost."
        ),
        Verdict::Reuse => format!(
            "{read}. Before it returned, {freed}, {reused}. {short} returned {after} without installing its old copy: \
             no data loss."
        ),
        _ => format!(
            "{read}. Before it returned, {freed}. The entry was not reallocated before {short} returned, {after}: no \
             data loss."
        ),
    }
}

/// The content that a read during a write returns depends on timing.
fn during_write(finding: &Finding, reader: &str, after: &str) -> String {
    let writer = finding.written.as_ref().map_or_else(String::new, |action| format!(" by {}", name(&action.by)));
    let (entry, short) = (finding.entry, &finding.reader.comm);
    let read = format!(
        "{reader} read swap entry {entry} during a write to it{writer}, so its page holds the old content, the new \
         content or zeroes."
    );
    if finding.installed {
        format!(
            "{read} The page table entry was unchanged, so {short} installed that page {after}: what was written to \
             the page may be lost."
        )
    } else {
        format!("{read} {short} returned {after} without installing that page: no data loss.")
    }
}

fn name(task: &Task) -> String {
    format!("{} (tid {})", task.comm, task.tid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    #[test]
    fn the_description_ends_with_whether_data_was_lost() {
        assert!(description(&fixtures::stale()).ends_with("is lost."));
        assert!(description(&fixtures::reuse()).ends_with("no data loss."));
        let window = description(&fixtures::window());
        assert!(window.contains("not reallocated"), "{window}");
        assert!(window.ends_with("no data loss."), "{window}");
        let mixed = description(&fixtures::during_write());
        assert!(mixed.contains("during a write"), "{mixed}");
        assert!(mixed.ends_with("may be lost."), "{mixed}");
    }

    #[test]
    fn steps_are_ordered_by_time() {
        for finding in fixtures::all() {
            let steps = steps(&finding);
            assert!(steps.iter().filter_map(|step| step.at_ns).is_sorted(), "{steps:?}");
            assert!(steps.iter().any(|step| step.what == "starts to read the entry"), "{steps:?}");
        }
    }

    #[test]
    fn a_step_that_was_not_observed_stands_where_it_happened() {
        let unobserved = |finding: &Finding| {
            let steps = steps(finding);
            let place = steps.iter().position(|step| step.at_ns.is_none())?;
            Some((steps.get(place)?.what, steps.get(place + 1)?.what))
        };
        assert_eq!(unobserved(&fixtures::stale()), None);
        let free = "the free of the entry was not observed";
        let no_free = Finding { freed: None, ..fixtures::stale() };
        assert_eq!(unobserved(&no_free), Some((free, "reallocates the entry for another page")));
        let window = Finding { freed: None, ..fixtures::window() };
        assert_eq!(unobserved(&window), Some((free, "installs its page")));
        let no_allocation = Finding { allocated: None, ..fixtures::stale() };
        let allocation = "the allocation for another page was not observed";
        assert_eq!(unobserved(&no_allocation), Some((allocation, "writes that page to the entry")));
        let neither = Finding { freed: None, allocated: None, written: None, ..fixtures::reuse() };
        let steps = steps(&neither);
        let missed: Vec<_> = steps.iter().filter(|step| step.at_ns.is_none()).map(|step| step.what).collect();
        assert_eq!(missed, [free, allocation]);
    }
}
