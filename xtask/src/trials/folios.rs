//! Large folios are read as a whole and pinned as a range of entries; a task that faults on any of their pages waits.

use serde_json::Value;

use super::{
    agreement::{counts_agree, none_dropped},
    step::{Checked, Era, Finished, Step, ensure},
};
use crate::output::summary::Summary;

/// Folios of 16 pages, first by one thread, then by eight that each access another page of the same folio first: four
/// times with new memory, because a folio that was read page by page is not one again. Reads are delayed, so that other
/// threads come while a folio is pinned. The kernel's count of such folios (from 6.14 on) is printed to standard error
/// in between. Folios of 2 MiB are forbidden meanwhile: one that is paged out by several threads is split, its pages get
/// entries in any order, and hardly 16 of them can be read as a whole. This step has to run before zswap is first
/// enabled, since the kernel reads no large folios after that (`zswap_never_enabled`).
pub(super) const FOLIOS: Step = Step {
    name: "folios",
    command: "cd /sys/kernel/mm/transparent_hugepage/hugepages-64kB || exit 77; \
              chosen() { sed 's/.*\\[\\(.*\\)\\].*/\\1/' $1; }; \
              huge=../hugepages-2048kB/enabled; was=$(chosen enabled) was_huge=$(chosen $huge); \
              echo always >enabled; echo never >$huge; \
              observer record --json -- /witness churn --pages 4096 --threads 1 --rounds 4 --folios; code=$?; \
              echo \"{\\\"folios\\\":$(cat stats/swpin || echo null)}\" >&2; \
              observer record --widen 2ms --widen-one-in 8 --json -- sh -c 'for run in 1 2 3 4; do \
                  /witness churn --pages 2048 --threads 8 --rounds 1 --shared --folios || exit; done'; \
              echo $was >enabled; echo $was_huge >$huge; exit $code",
    check,
};

/// Runs of the eight threads.
const CROWDS: usize = 4;

/// Exit code of the command on a kernel without folios of that size (before 6.8).
const NO_FOLIOS: i32 = 77;

fn check(era: Era, finished: &Finished) -> Checked {
    if finished.code == NO_FOLIOS {
        return Ok("this kernel has no folios of 64 KiB".to_owned());
    }
    let summaries: Vec<Summary> = finished.objects()?;
    let [alone, crowd] = summaries.as_slice() else {
        return Err(format!("{} objects on standard output: {}", summaries.len(), finished.stderr.trim()));
    };
    let objects: Vec<Value> = finished.stderr.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let values = |key: &str| objects.iter().filter_map(|object| object.get(key)).collect::<Vec<_>>();
    let corrupt = values("corrupt");
    ensure(corrupt.len() == 1 + CROWDS && corrupt.iter().all(|pages| pages.as_u64() == Some(0)), || {
        format!("corrupt pages: {corrupt:?}")
    })?;
    let seen = counts_agree(alone)?;
    let own = values("pswpin").first().and_then(|pages| pages.as_u64());
    none_dropped(alone)?;
    none_dropped(crowd)?;
    ensure(Some(seen) == own, || format!("{seen} swap-ins seen, {own:?} by the witness's count"))?;
    // A folio is one fault.
    let (started, streamed) = (alone.faults.started, alone.faults.streamed);
    let folios = values("folios").first().and_then(|folios| folios.as_u64());
    ensure(folios.is_none_or(|folios| folios > 0 && folios == streamed), || {
        format!("{streamed} faults of ranges, the kernel counted {folios:?} folios")
    })?;
    ensure(started < seen, || format!("{started} faults for {seen} pages: no folio was read as a whole"))?;
    counts_agree(crowd)?;
    let cost = if era == Era::NoBypass { &crowd.wait_cost.folio_lock } else { &crowd.wait_cost.pin };
    let (waits, neighbours) = (cost.waits, cost.neighbours);
    ensure(neighbours > 0, || format!("{waits} waits, none for another page of the same folio"))?;
    finished.expect_code(0)?;
    Ok(format!("{seen} pages by {started} faults; {neighbours} of {waits} waits for another page"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::step::finished, *};
    use crate::output::summary::example::with;

    fn ran(seen: u64, faults: u64, folios: &str, neighbours: u64) -> Checked {
        let summary = |waits: u64, neighbours: u64| {
            with(
                &json!({ "swapins": { "seen": seen, "kernel": seen }, "faults": { "started": faults, "streamed": 100 },
                "wait_cost": { "pin": { "waits": waits, "neighbours": neighbours } } }),
            )
        };
        let stderr = format!(
            "{{\"pswpin\":{seen},\"corrupt\":0}}\n{{\"folios\":{folios}}}\n{}",
            "{\"pswpin\":7,\"corrupt\":0}\n".repeat(CROWDS)
        );
        check(Era::Pinned, &finished(0, &format!("{}{}", summary(0, 0), summary(9, neighbours)), &stderr))
    }

    #[test]
    fn ranges_must_be_folios_and_neighbours_must_wait() {
        assert!(ran(4_096, 900, "100", 3).is_ok(), "{:?}", ran(4_096, 900, "100", 3));
        assert!(ran(4_096, 900, "null", 3).is_ok(), "a kernel without the count");
        assert!(ran(4_096, 900, "99", 3).unwrap_err().contains("of ranges"));
        assert!(ran(4_096, 4_096, "null", 3).unwrap_err().contains("no folio"));
        assert!(ran(4_096, 900, "100", 0).unwrap_err().contains("none for another"));
        assert!(check(Era::Pinned, &finished(NO_FOLIOS, "", "")).is_ok());
    }
}
