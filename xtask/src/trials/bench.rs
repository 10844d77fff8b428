//! `observer bench` in a guest.

use super::step::{Checked, Era, Finished, Step, ensure};
use crate::output::bench::{HookRowKind, Report, Row, RowId, RowKind, Seen};

/// All rows, with few pages. Whether two threads access a page at the same moment is chance: next to another guest, two
/// virtual CPUs rarely run at once. So the benchmark is repeated until there is an overlap.
pub(super) const BENCH: Step = Step {
    name: "bench",
    command: "for _ in 1 2 3 4 5; do observer bench swapin --size 1M --rounds 2 --json >/tmp/bench || exit; \
              grep -q '\"overlaps\":[1-9]' /tmp/bench && break; done; cat /tmp/bench; rm /tmp/bench",
    check: rows,
};

/// In a guest that does not count instructions, times mean little; which programs ran does not depend on that.
pub(super) const BENCH_HOOKS: Step = Step {
    name: "bench-hooks",
    command: "observer bench swapin --size 1M --rounds 2 --rows hooks --json",
    check: hooks,
};

/// Refused before anything is changed: no pages, too little memory, no zram, other swap in use. Prints the exit code of
/// each, then what is left behind.
pub(super) const BENCH_REFUSES: Step = Step {
    name: "bench-refuses",
    command: "observer bench swapin --size 0; echo $?; observer bench swapin --size 64G; echo $?; \
              mkdir /tmp/no-modules; rmmod zram 2>/dev/null; mount -o bind /tmp/no-modules /lib/modules; \
              observer bench swapin --size 1M; echo $?; umount /lib/modules; rmdir /tmp/no-modules; \
              modprobe zram num_devices=0; zram=zram$(cat /sys/class/zram-control/hot_add); \
              echo 16M >/sys/block/$zram/disksize; mkswap /dev/$zram >&2; swapon /dev/$zram; \
              observer bench swapin --size 1M; echo $?; \
              swapoff /dev/$zram; echo 1 >/sys/block/$zram/reset; rmmod zram; tail -n +2 /proc/swaps; \
              ls -d /sys/block/zram* 2>/dev/null; true",
    check: refused,
};

/// Ended during the rounds: its device, its second process and its programs must be removed.
pub(super) const BENCH_INTERRUPTED: Step = Step {
    name: "bench-interrupted",
    command: "observer bench swapin --size 4M --rounds 1000 --rows cached & pid=$!; \
              until grep -q 'round 3' /out/bench-interrupted.stderr; do sleep 1; done; kill -TERM $pid; wait $pid; echo $?; \
              tail -n +2 /proc/swaps; ls -d /sys/block/zram* 2>/dev/null; pidof observer; true",
    check: interrupted,
};

/// Every row has a figure, its pages were read by the row's path, and contended threads waited.
fn rows(era: Era, finished: &Finished) -> Checked {
    finished.expect_code(0)?;
    let report: Report = finished.json()?;
    let row = |id: RowId| report.row(id).map_err(|error| error.to_string());
    let shares = [0, 1, 10, 50].map(|percent| RowKind::Contended { percent });
    for kind in [RowKind::Direct, RowKind::Cached].into_iter().chain(shares) {
        for id in [kind.bare(), kind.observed()] {
            ensure(row(id)?.median_ns > 0.0, || format!("{id}: no figure"))?;
        }
    }
    // On a kernel without the bypass all reads go through the swap cache.
    let path = if era == Era::NoBypass { RowKind::Cached } else { RowKind::Direct };
    all_by_path(row(RowKind::Direct.observed())?, path)?;
    all_by_path(row(RowKind::Cached.observed())?, RowKind::Cached)?;
    let (mut overlaps, mut waits) = (0, 0);
    for share in shares.iter().skip(1) {
        let seen = seen(row(share.observed())?)?;
        overlaps += seen.overlaps;
        waits += seen.pin.wait.count + seen.lock.wait.count;
    }
    ensure(overlaps > 0, || "no overlap on contended pages".to_owned())?;
    Ok(format!("{} rows; contended pages had {overlaps} overlaps and {waits} waits", report.rows.len()))
}

fn seen(row: &Row) -> Result<&Seen, String> {
    row.seen.as_ref().ok_or_else(|| format!("{}: no counts", row.id))
}

fn all_by_path(row: &Row, path: RowKind) -> Result<(), String> {
    let (direct, cached) = (seen(row)?.paths.direct, seen(row)?.paths.cached);
    let (expected, others) = if path == RowKind::Direct { (direct, cached) } else { (cached, direct) };
    ensure(expected > 0 && others == 0, || {
        format!(
            "{}: {direct} pages read directly and {cached} through the swap cache; all should be {}",
            row.id,
            path.bare()
        )
    })
}

/// Each hook on the path of a swap-in ran once per page (for each reference, if references are dropped one by one) and
/// has its figures; hooks for contention were not passed.
fn hooks(_era: Era, finished: &Finished) -> Checked {
    finished.expect_code(0)?;
    let hooks = finished.json::<Report>()?.hooks.ok_or("no rows for hooks")?;
    for meaning in ["fault_start", "fault_end"] {
        let is_wanted = |kind: &HookRowKind| matches!(kind, HookRowKind::Meaning(hooks) if hooks.meaning == meaning);
        let row = hooks.rows.iter().find(|row| is_wanted(&row.kind)).ok_or_else(|| format!("no row {meaning}"))?;
        ensure((row.runs - 1.0).abs() < 0.01, || format!("{meaning} ran {} times per page", row.runs))?;
    }
    let not_passed = &hooks.not_passed;
    ensure(not_passed.iter().any(|hooks| hooks.meaning == "lock_try"), || format!("not passed: {not_passed:?}"))?;
    let all = hooks.rows.last().filter(|row| row.kind == HookRowKind::All).ok_or("no row for all hooks")?;
    Ok(format!("{} rows; all hooks together ran {:.2} times per page", hooks.rows.len(), all.runs))
}

fn refused(_era: Era, finished: &Finished) -> Checked {
    let lines: Vec<&str> = finished.stdout.lines().collect();
    let stderr = finished.stderr.trim();
    ensure(lines == ["2", "3", "3", "3"], || format!("{lines:?}; standard error: {stderr}"))?;
    let reasons = ["from 1M to 64G", "too little memory", "no zram", "other swap is in use", "nothing was changed"];
    let missing: Vec<_> = reasons.into_iter().filter(|words| !stderr.contains(words)).collect();
    ensure(missing.is_empty(), || format!("missing reasons: {missing:?}; standard error: {stderr}"))?;
    Ok("refused without pages, memory, zram, and with other swap; nothing left".to_owned())
}

fn interrupted(_era: Era, finished: &Finished) -> Checked {
    let lines: Vec<&str> = finished.stdout.lines().collect();
    ensure(lines == ["4"], || format!("{lines:?}; standard error: {}", finished.stderr.trim()))?;
    ensure(finished.stderr.contains("stopped by signal 15"), || finished.stderr.trim().to_owned())?;
    Ok("stopped by a signal: no swap, no device, no process left".to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{super::step::finished, *};
    use crate::output::{bench::example, summary::example::merged};

    fn row(id: RowId, direct: u64, cached: u64) -> Value {
        let waits = |count: u64| json!({ "wait": { "count": count }, "oversleep": { "count": 0 }, "retries": 0 });
        let seen = json!({ "paths": { "direct": direct, "cached": cached }, "overlaps": 3, "pin": waits(2), "lock": waits(0) });
        merged(example::row(id, 1.5), &json!({ "seen": seen }))
    }

    fn all(direct: (u64, u64), cached: (u64, u64)) -> String {
        let mut rows = vec![
            row(RowKind::Direct.observed(), direct.0, direct.1),
            row(RowKind::Cached.observed(), cached.0, cached.1),
        ];
        for kind in [0, 1, 10, 50].map(|percent| RowKind::Contended { percent }) {
            rows.extend([row(kind.bare(), 1, 0), row(kind.observed(), 1, 0)]);
        }
        rows.extend([row(RowKind::Direct.bare(), 1, 0), row(RowKind::Cached.bare(), 1, 0)]);
        example::report(&rows).to_string()
    }

    #[test]
    fn pages_must_be_read_by_the_path_of_their_row() {
        let check = |era, report: &str| rows(era, &finished(0, report, ""));
        assert!(check(Era::Pinned, &all((9, 0), (0, 9))).is_ok(), "{:?}", check(Era::Pinned, &all((9, 0), (0, 9))));
        assert!(check(Era::Pinned, &all((9, 0), (1, 8))).is_err());
        assert!(check(Era::Pinned, &all((0, 9), (0, 9))).is_err());
        assert!(check(Era::NoBypass, &all((0, 9), (0, 9))).is_ok());
        assert!(check(Era::Pinned, &all((9, 0), (0, 9)).replace("\"percent\":1,", "\"percent\":2,")).is_err());
        assert!(check(Era::Pinned, &all((9, 0), (0, 9)).replace("\"overlaps\":3", "\"overlaps\":0")).is_err());
    }

    #[test]
    fn a_hook_must_run_once_per_page() {
        let check = |runs: f64, not_passed: &str| {
            let meaning = |meaning: &str| json!({ "row": "meaning", "meaning": meaning, "hooks": [] });
            let figures =
                json!({ "runs": runs, "empty_ns": 120.0, "real_ns": null, "real_against": null, "body_ns": 200.0 });
            let rows = [meaning("fault_start"), meaning("fault_end"), json!({ "row": "all" })]
                .map(|kind| merged(kind, &figures));
            let not_passed = json!([{ "meaning": not_passed, "hooks": [] }]);
            let hooks = json!({ "untraced_ns": 1.0, "rows": rows, "not_passed": not_passed });
            let report = merged(example::report(&[]), &json!({ "hooks": hooks }));
            hooks_of(&report)
        };
        assert!(check(1.0, "lock_try").is_ok(), "{:?}", check(1.0, "lock_try"));
        assert!(check(0.9, "lock_try").is_err());
        assert!(check(1.0, "pin_path").is_err());
        assert!(hooks_of(&example::report(&[])).is_err());
    }

    fn hooks_of(report: &Value) -> Checked {
        hooks(Era::Pinned, &finished(0, &report.to_string(), ""))
    }

    #[test]
    fn a_device_that_is_left_fails_the_step() {
        let stopped = |stdout| interrupted(Era::Pinned, &finished(0, stdout, "stopped by signal 15"));
        assert!(stopped("4\n").is_ok());
        assert!(stopped("4\n/sys/block/zram0\n").is_err());
        let reasons = "from 1M to 64G; too little memory; no zram; other swap is in use; nothing was changed";
        let check = |stdout| refused(Era::Pinned, &finished(0, stdout, reasons));
        assert!(check("2\n3\n3\n3\n").is_ok());
        assert!(check("2\n3\n3\n3\n/sys/block/zram0\n").is_err());
        assert!(check("2\n3\n0\n3\n").is_err());
    }
}
