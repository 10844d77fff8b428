//! Large folios: read in as a whole, pinned as a range of entries, waited for by whoever wants any of their pages.

use serde_json::Value;

use super::{
    checks::{Checked, Finished, counts_agree, ensure, number, skipped},
    steps::{Era, Step},
};

/// Folios of 16 pages, first by one thread, then by eight that each want another page of the same folio first. What the kernel
/// itself counts of such folios goes to standard error in between (from 6.14 on it does). Comes before every step that turns zswap
/// on: from then on the kernel reads no large folio in (`zswap_never_enabled`), on or off.
pub(super) const FOLIOS: Step = Step {
    name: "folios",
    command: "cd /sys/kernel/mm/transparent_hugepage/hugepages-64kB || exit 77; was=$(sed 's/.*\\[\\(.*\\)\\].*/\\1/' enabled); \
              echo always >enabled; \
              observer record --json -- /witness churn --pages 4096 --threads 1 --rounds 4 --folios; code=$?; \
              echo \"{\\\"folios\\\":$(cat stats/swpin || echo null)}\" >&2; \
              observer record --json -- /witness churn --pages 2048 --threads 8 --rounds 4 --shared --folios; \
              echo $was >enabled; exit $code",
    check,
};

/// Exit code of the shell where the kernel has no folios of that size (before 6.8).
const NO_FOLIOS: i32 = 77;

fn check(era: Era, finished: &Finished) -> Checked {
    if finished.code == NO_FOLIOS {
        return Ok("this kernel has no folios of 64 KiB".to_owned());
    }
    let objects = finished.objects()?;
    let [alone, crowd] = objects.as_slice() else {
        return Err(format!("{} objects on standard output: {}", objects.len(), finished.stderr.trim()));
    };
    let told: Vec<Value> = finished.stderr.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let tell = |name: &str| told.iter().filter_map(|value| value.get(name)).collect::<Vec<_>>();
    let corrupt = tell("corrupt");
    ensure(corrupt.len() == 2 && corrupt.iter().all(|pages| pages.as_u64() == Some(0)), || {
        format!("pages corrupt: {corrupt:?}")
    })?;
    let seen = counts_agree(alone)?;
    let own = tell("pswpin").first().and_then(|pages| pages.as_u64());
    // Programs that a preemptible kernel has skipped are told; what they would have said is missing.
    let whole_story = skipped(alone) == 0;
    ensure(Some(seen) == own || !whole_story, || format!("{seen} swap-ins seen, the program measured {own:?}"))?;
    let faults = number(alone, "/faults/started")?;
    let whole = tell("folios").first().and_then(|folios| folios.as_u64());
    // A folio is one fault; the kernel's count of them is another witness, where it has one.
    let streamed = number(alone, "/faults/streamed")?;
    ensure(whole.is_none_or(|whole| whole > 0 && (whole == streamed || !whole_story)), || {
        format!("{streamed} faults of ranges, the kernel counted {whole:?} folios")
    })?;
    ensure(faults < seen, || format!("{faults} faults for {seen} pages: no folio was read in as a whole"))?;
    counts_agree(crowd)?;
    let kind = if era == Era::NoBypass { "folio_lock" } else { "pin" };
    let price = |name: &str| number(crowd, &format!("/price/{kind}/{name}"));
    let (waits, neighbours) = (price("waits")?, price("neighbours")?);
    let skipped = skipped(crowd);
    // Where faults meet on the lock, most wait after the read, for nobody who could be named. Programs that are skipped hide
    // most of the few that there are.
    ensure(neighbours > 0 || era == Era::NoBypass || skipped > 0, || {
        format!("{waits} waits, and none behind another page of the same folio")
    })?;
    finished.expect_code(0)?;
    Ok(format!("{seen} pages by {faults} faults; {neighbours} of {waits} waits for another page, {skipped} skipped"))
}

#[cfg(test)]
mod tests {
    use super::{super::checks::finished, *};

    fn judged(seen: u64, faults: u64, folios: &str, neighbours: u64) -> Checked {
        let object = |waits: u64, neighbours: u64| {
            serde_json::json!({"swapins": {"seen": seen, "kernel": seen}, "faults": {"started": faults, "streamed": 100},
                "price": {"pin": {"waits": waits, "neighbours": neighbours}}, "dropped": {}})
        };
        let stderr =
            format!("{{\"pswpin\":{seen},\"corrupt\":0}}\n{{\"folios\":{folios}}}\n{{\"pswpin\":7,\"corrupt\":0}}\n");
        check(Era::Pinned, &finished(0, &format!("{}{}", object(0, 0), object(9, neighbours)), &stderr))
    }

    #[test]
    fn ranges_must_be_the_kernel_s_folios_and_block_neighbours() {
        assert!(judged(4_096, 900, "100", 3).is_ok(), "{:?}", judged(4_096, 900, "100", 3));
        assert!(judged(4_096, 900, "null", 3).is_ok(), "a kernel that does not count");
        assert!(judged(4_096, 900, "99", 3).unwrap_err().contains("of ranges"));
        assert!(judged(4_096, 4_096, "null", 3).unwrap_err().contains("no folio"));
        assert!(judged(4_096, 900, "100", 0).unwrap_err().contains("none behind"));
        assert!(check(Era::Pinned, &finished(NO_FOLIOS, "", "")).is_ok());
    }
}
