//! Findings: their steps, and a description for readers who know pages but not swap entries.

use crate::units::duration;
use observer_engine::{
    event::{Nanos, Task},
    verdict::{Finding, Verdict},
};

/// One step of a finding: the task, and what it does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step<'a> {
    pub(crate) at_ns: Nanos,
    pub(crate) task: &'a Task,
    pub(crate) what: &'static str,
}

/// The steps of a finding, ordered by time.
pub(crate) fn steps(finding: &Finding) -> Vec<Step<'_>> {
    let reader = |at_ns, what| Step { at_ns, task: &finding.reader, what };
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
    for (by, what) in [
        (&finding.freed, "frees the entry"),
        (&finding.allocated, "reallocates the entry for another page"),
        (&finding.written, "writes that page to the entry"),
    ] {
        steps.extend(by.as_ref().map(|by| Step { at_ns: by.at_ns, task: &by.by, what }));
    }
    steps.push(reader(finding.end_ns, end));
    steps.sort_by_key(|step| step.at_ns);
    steps
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
            assert!(steps.is_sorted_by_key(|step| step.at_ns), "{steps:?}");
            assert!(steps.iter().any(|step| step.what == "starts to read the entry"), "{steps:?}");
        }
    }
}
