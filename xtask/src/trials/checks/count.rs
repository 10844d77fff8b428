//! Every swap-in must be counted, alone and in a crowd.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Checked, Finished, counts_agree, ensure, is_degraded, none_dropped, number, skipped, witness};
use crate::trials::steps::Era;

/// At least 100 000 swap-ins, each counted once.
pub fn counts(_era: Era, finished: &Finished) -> Checked {
    counts_of(100_000, finished)
}

/// The same, of so many swap-ins at least.
pub fn counts_of(least: u64, finished: &Finished) -> Checked {
    let value = finished.json()?;
    none_dropped(&value)?;
    let seen = counts_agree(&value)?;
    let witness = witness(finished)?;
    let own = number(&witness, "/pswpin")?;
    ensure(seen == own, || format!("{seen} swap-ins seen, the program measured {own}"))?;
    ensure(seen >= least, || format!("only {seen} swap-ins"))?;
    ensure(number(&witness, "/corrupt")? == 0, || "the program found pages corrupt".to_owned())?;
    if is_degraded(&value) {
        finished.expect_code(0)?;
        return Ok(format!("{seen} swap-ins, all seen; not where entries are allocated"));
    }
    let out = |name: &str| number(&value, &format!("/swapouts/{name}"));
    let (allocated, written, kernel) = (out("allocated")?, out("written")?, out("kernel")?);
    ensure(allocated == kernel && written == kernel, || {
        format!("{allocated} entries allocated and {written} written, the kernel counted {kernel} swap-outs")
    })?;
    finished.expect_code(0)?;
    Ok(format!("{seen} swap-ins and {kernel} swap-outs, all seen"))
}

/// With lean hooks the same, and one fault in so many is timed: of 131 072 within 10%, which is thirteen standard deviations.
pub fn lean_counts(era: Era, finished: &Finished) -> Checked {
    let said = counts(era, finished)?;
    let value = finished.json()?;
    let one_in = number(&value, "/kernel/timed_one_in")?;
    let paths = ["direct", "cached", "none"];
    let sum = |of: &dyn Fn(&str) -> String| paths.iter().map(|path| number(&value, &of(path))).sum::<Result<u64, _>>();
    let timed = sum(&|path| format!("/distributions/fault_{path}/count"))?;
    let faults = sum(&|path| format!("/faults/{path}"))?;
    let near = (timed * one_in).abs_diff(faults) * 10 <= faults;
    ensure(one_in > 1 && near, || format!("{timed} of {faults} faults timed, not one in {one_in}"))?;
    Ok(format!("{said}; {timed} timed"))
}

/// Behind zswap the counts agree as well: most pages never come to the device.
pub fn zswap_counts(_era: Era, finished: &Finished) -> Checked {
    let value = finished.json()?;
    none_dropped(&value)?;
    let seen = counts_agree(&value)?;
    let witness = witness(finished)?;
    let device = number(&witness, "/pswpin")?;
    ensure(number(&witness, "/corrupt")? == 0, || "the program found pages corrupt".to_owned())?;
    ensure(device < seen, || format!("{seen} swap-ins, and all of them came from the device"))?;
    let out = |name: &str| number(&value, &format!("/swapouts/{name}"));
    let (written, kernel) = (out("written")?, out("kernel")?);
    ensure(written == kernel, || format!("{written} entries written, the kernel counted {kernel} swap-outs"))?;
    finished.expect_code(0)?;
    Ok(format!("{seen} swap-ins, {device} of them from the device"))
}

/// Types from a file: every hook is a kprobe, and every swap-in is seen. A file without types is told.
pub fn btf_file(_era: Era, finished: &Finished) -> Checked {
    ensure(finished.stderr.contains("/tmp/empty"), || "a file without types was not named".to_owned())?;
    let value = finished.json()?;
    let backends = value.pointer("/kernel/backend").and_then(Value::as_object).ok_or("no backends")?;
    // One meaning may have several hooks.
    let is_kprobe = |hook: &str| hook.starts_with("kprobe") || hook.starts_with("kretprobe");
    let is_kprobe = |how: &str| how.split(", ").all(is_kprobe);
    let right = !backends.is_empty() && backends.values().filter_map(Value::as_str).all(is_kprobe);
    ensure(right, || format!("hooks: {backends:?}"))?;
    counts_of(4_096, finished)
}

/// Under contention the counts still agree, and overlaps are seen. A preemptible kernel skips programs then (see
/// docs/decisions/preemption.md): that must be told, and be the exit code.
pub fn crowd(era: Era, finished: &Finished) -> Checked {
    let value = finished.json()?;
    let seen = counts_agree(&value)?;
    let overlaps = number(&value, "/verdicts/overlap")?;
    ensure(overlaps > 0, || "eight threads on the same pages, and no overlap".to_owned())?;
    let waits = waited(era, &value)?;
    let skipped = skipped(&value);
    if skipped == 0 {
        none_dropped(&value)?;
    }
    finished.expect_code(if skipped == 0 { 0 } else { 20 })?;
    Ok(format!("{seen} swap-ins, {overlaps} overlaps, {waits}, {skipped} programs skipped"))
}

/// Each task's waits cannot be longer than the whole, and without the bypass none is for a pin.
fn waited(era: Era, value: &Value) -> Result<String, String> {
    let (pins, locks) = (number(value, "/verdicts/pin_wait")?, number(value, "/verdicts/lock_wait")?);
    ensure(era != Era::NoBypass || pins == 0, || format!("{pins} waits for a pin that this kernel does not have"))?;
    let elapsed = number(value, "/self_cost/elapsed_ns")?;
    let waits = value.get("waits").and_then(Value::as_array).ok_or("no waits")?;
    let mut by_task: BTreeMap<u64, u64> = BTreeMap::new();
    for wait in waits {
        let length =
            number(wait, "/to_ns")?.checked_sub(number(wait, "/from_ns")?).ok_or("a wait ends before it starts")?;
        let oversleep = wait.get("oversleep_ns").and_then(Value::as_u64).unwrap_or(0);
        ensure(oversleep <= length, || format!("overslept longer than waited: {wait}"))?;
        *by_task.entry(number(wait, "/task/tid")?).or_default() += length;
    }
    let longest = by_task.values().max().copied().unwrap_or(0);
    ensure(longest <= elapsed, || format!("a task waited {longest} ns in {elapsed} ns"))?;
    Ok(format!("{pins} pin waits, {locks} lock waits"))
}

/// Pin tries that fail in shmem are charged to shmem, and are nobody's wait. Where its hook is missing, that is told.
pub fn shmem(_era: Era, finished: &Finished) -> Checked {
    let value = finished.json()?;
    counts_agree(&value)?;
    let witness = witness(finished)?;
    ensure(number(&witness, "/corrupt")? == 0, || "the program found pages corrupt".to_owned())?;
    ensure(number(&witness, "/out")? > 0, || "no page of shmem went out".to_owned())?;
    let outside = |path: &str| number(&value, &format!("/pins/outside/{path}"));
    let (readahead, shmem, zswap, other) =
        (outside("readahead")?, outside("shmem")?, outside("zswap")?, outside("other")?);
    let all = number(&value, "/pins/outside_failed")?;
    let seen =
        format!("{all} pin tries failed: {shmem} of shmem, {readahead} of read-ahead, {zswap} of zswap, {other} other");
    ensure(number(&value, "/swapins/outside_faults")? > 0, || format!("no read of shmem was seen: {seen}"))?;
    ensure(readahead + shmem + zswap + other == all, || format!("not the sum: {seen}"))?;
    let waits = number(&value, "/verdicts/pin_wait")?;
    ensure(waits == 0, || format!("{waits} waits of faults that there were none of: {seen}"))?;
    let degraded = value.pointer("/kernel/degraded").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let unhooked = degraded.iter().any(|gap| gap.get("meaning").and_then(Value::as_str) == Some("pin_path"));
    let skipped = skipped(&value);
    let charged = match (unhooked, skipped) {
        (true, _) => shmem == 0,
        (false, 0) => shmem == all,
        // A call whose mark was skipped spins unmarked, hundreds of tries.
        (false, _) => shmem * 10 >= all * 9,
    };
    ensure(all > 0 && charged, || format!("not charged to shmem: {seen}"))?;
    Ok(format!("{seen}, {skipped} programs skipped"))
}

#[cfg(test)]
mod tests {
    use super::{super::finished, *};

    const SHMEM: &str = r#"{"swapins":{"seen":4,"kernel":4,"outside_faults":4},"verdicts":{"pin_wait":0,"lock_wait":0},"kernel":{"degraded":[]},
        "pins":{"outside_failed":9,"outside":{"readahead":0,"shmem":9,"zswap":0,"other":0}}}"#;
    const WITNESS: &str = r#"{"corrupt":0,"out":8}"#;

    #[test]
    fn shmem_s_failures_must_be_shmem_s() {
        let check = |json: &str| shmem(Era::Pinned, &finished(0, json, WITNESS));
        assert!(check(SHMEM).is_ok(), "{:?}", check(SHMEM));
        let other = SHMEM.replace("\"shmem\":9", "\"shmem\":0").replace("\"other\":0", "\"other\":9");
        assert!(check(&other).is_err());
        assert!(check(&other.replace("[]", r#"[{"meaning":"pin_path"}]"#)).is_ok());
        assert!(check(&SHMEM.replace("\"pin_wait\":0", "\"pin_wait\":1")).is_err());
    }

    #[test]
    fn a_wait_must_fit_into_its_task_s_time() {
        let json = |to: u64, over: u64| {
            serde_json::json!({"verdicts": {"pin_wait": 0, "lock_wait": 1}, "self_cost": {"elapsed_ns": 100},
                "waits": [{"task": {"tid": 1}, "from_ns": 5, "to_ns": to, "oversleep_ns": over}]})
        };
        assert!(waited(Era::NoBypass, &json(50, 45)).is_ok());
        assert!(waited(Era::NoBypass, &json(50, 46)).is_err());
        assert!(waited(Era::NoBypass, &json(106, 1)).is_err());
        assert!(waited(Era::NoBypass, &json(4, 0)).is_err());
    }
}
