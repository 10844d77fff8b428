//! What happened, in one sentence, for somebody who has never heard of the lives of swap entries.

use crate::units::duration;
use observer_engine::{
    event::Task,
    verdict::{Finding, Verdict},
};

/// The sentence.
pub fn sentence(finding: &Finding) -> String {
    let who = |task: &Task| format!("{} (tid {})", task.comm, task.tid);
    let (reader, short) = (who(&finding.reader), &finding.reader.comm);
    let entry = finding.entry;
    let took = duration(finding.end_ns.saturating_sub(finding.read_start_ns));
    let freed = finding
        .freed
        .as_ref()
        .map_or_else(|| "that entry was freed".to_owned(), |action| format!("{} freed that entry", who(&action.by)));
    if finding.read_during_write {
        return during_write(finding, &reader, &took);
    }
    let busy = format!("While {reader} was still busy with the page it had read from swap entry {entry}, {freed}");
    let again = if finding.written.is_some() {
        "it was reallocated and newer data was written to it"
    } else {
        "it was reallocated"
    };
    match finding.verdict {
        Verdict::StaleInstall => format!(
            "{busy}, and {again}; the page-table entry looked as before, so {short} installed its old copy {took} after \
             it had started to read, and whatever was written to the page in between is lost."
        ),
        Verdict::Reuse => format!(
            "{busy}, and {again}; {short} returned {took} after it had started to read without installing its old copy, so \
             nothing was lost this time."
        ),
        _ => format!(
            "{busy}; it was not reallocated before {short} was done, {took} after it had started to read, so nothing \
             was lost this time."
        ),
    }
}

/// The same of a read in the middle of a write: what it got, only luck decided.
fn during_write(finding: &Finding, reader: &str, took: &str) -> String {
    let writer = finding
        .written
        .as_ref()
        .map_or_else(String::new, |action| format!(" by {} (tid {})", action.by.comm, action.by.tid));
    let (entry, short) = (finding.entry, &finding.reader.comm);
    let read = format!(
        "{reader} read swap entry {entry} in the middle of a write to it{writer}, so it got old data, new data or zeroes as \
         luck would have it"
    );
    if finding.installed {
        format!(
            "{read}; the page-table entry looked as before, so {short} installed that {took} after it had started to read, \
             and what was written to the page may be lost."
        )
    } else {
        format!(
            "{read}; {short} returned {took} after it had started to read without installing that, so nothing was lost this time."
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::fixtures;

    #[test]
    fn the_sentence_says_whether_something_was_lost() {
        let told = |finding: &Finding| sentence(finding);
        let (stale, reuse, window) = (fixtures::stale(), fixtures::reuse(), fixtures::window());
        assert!(told(&stale).ends_with("is lost."));
        assert!(told(&reuse).contains("nothing was lost"));
        assert!(told(&window).contains("not reallocated") && told(&window).contains("nothing was lost"));
        let mixed = told(&fixtures::during_write());
        assert!(mixed.contains("in the middle of a write") && mixed.ends_with("may be lost."), "{mixed}");
        assert_eq!(told(&stale).matches('.').count(), 2, "one sentence, and the point of 21.4 ms");
    }
}
