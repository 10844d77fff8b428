//! Every swap-in is counted exactly, by one thread and by many.

use std::collections::BTreeMap;

use super::{
    agreement::{counts_agree, misses_allocations, none_dropped},
    step::{Checked, Era, Finished, Step, ensure},
    witness::Churn,
};
use crate::output::summary::Summary;

/// Compared with `pswpin` and with the witness's count.
pub(super) const COUNTS: Step = Step {
    name: "counts",
    command: "observer record --json -- /witness churn --pages 16384 --threads 1 --rounds 8",
    check: counts,
};

pub(super) const LEAN_COUNTS: Step = Step {
    name: "lean-counts",
    command: "observer record --hooks lean --json -- /witness churn --pages 16384 --threads 1 --rounds 8",
    check: lean_counts,
};

/// All threads access the same pages.
pub(super) const CROWD: Step = Step {
    name: "crowd",
    command: "observer record --json -- /witness churn --pages 2048 --threads 8 --rounds 8 --shared",
    check: crowd,
};

pub(super) const LEAN_CROWD: Step = Step {
    name: "lean-crowd",
    command: "observer record --hooks lean --json -- /witness churn --pages 2048 --threads 8 --rounds 8 --shared",
    check: crowd,
};

/// With one seat in the table of faults: faults that find it taken are observed as well.
pub(super) const ONE_SEAT: Step = Step {
    name: "one-seat",
    command: "observer record --fault-seats 1 --json -- /witness churn --pages 1024 --threads 8 --rounds 8 --shared",
    check: crowd,
};

/// Threads that fault on the same pages of shmem, which takes pins itself and retries at once when it fails.
pub(super) const SHMEM: Step = Step {
    name: "shmem",
    command: "observer record --json -- /witness churn --pages 1024 --threads 8 --rounds 6 --shared --shmem",
    check: shmem,
};

/// With a return probe for pins: direct reads are pins outside faults less pages added to the swap cache.
pub(super) const KPROBE_SHMEM: Step = Step {
    name: "kprobe-shmem",
    command: "observer record --backend kprobe --json -- /witness churn --pages 1024 --threads 8 --rounds 6 --shared --shmem",
    check: shmem,
};

/// Pages in zswap never reach the device; observer and the kernel count them.
pub(super) const ZSWAP_COUNTS: Step = Step {
    name: "zswap-counts",
    command: "echo 1 >/sys/module/zswap/parameters/enabled; before=$(grep zswpin /proc/vmstat); \
              observer record --json -- /witness churn --pages 2048 --threads 1 --rounds 2; code=$?; \
              echo 0 >/sys/module/zswap/parameters/enabled; echo $before, $(grep zswpin /proc/vmstat) >&2; exit $code",
    check: zswap_counts,
};

/// BTF hidden from /sys and given as a file: all hooks are kprobes.
pub(super) const BTF_FILE: Step = Step {
    name: "btf-file",
    command: "touch /tmp/empty; cp /sys/kernel/btf/vmlinux /tmp/types; mount -o bind /tmp/empty /sys/kernel/btf/vmlinux; \
              observer record --btf /tmp/empty; echo $? >&2; \
              observer record --btf /tmp/types --json -- /witness churn --pages 1024 --threads 1 --rounds 4; code=$?; \
              umount /sys/kernel/btf/vmlinux; rm /tmp/types; exit $code",
    check: btf_file,
};

fn counts(_era: Era, finished: &Finished) -> Checked {
    counts_of(100_000, finished)
}

/// At least `least` swap-ins, each counted once, and as many swap-outs as the kernel counted.
pub(super) fn counts_of(least: u64, finished: &Finished) -> Checked {
    let summary = finished.summary()?;
    none_dropped(&summary)?;
    let seen = counts_agree(&summary)?;
    let witness: Churn = finished.on_stderr()?;
    ensure(seen == witness.pswpin, || format!("{seen} swap-ins seen, {} by the witness's count", witness.pswpin))?;
    ensure(seen >= least, || format!("only {seen} swap-ins"))?;
    ensure(witness.corrupt == 0, || format!("the witness found {} pages corrupt", witness.corrupt))?;
    if misses_allocations(&summary) {
        finished.expect_code(summary.clean_code())?;
        return Ok(format!("{seen} swap-ins, all seen; allocations not observed"));
    }
    let out = &summary.swapouts;
    let kernel = out.kernel.ok_or("the kernel's count of swap-outs is missing")?;
    ensure(out.allocated == kernel && out.written == kernel, || {
        let (allocated, written) = (out.allocated, out.written);
        format!("{allocated} entries allocated and {written} written, the kernel counted {kernel} swap-outs")
    })?;
    finished.expect_code(summary.clean_code())?;
    Ok(format!("{seen} swap-ins and {kernel} swap-outs, all seen"))
}

/// As [`counts`], and one fault in several is timed: of 131 072 within 10%, which is thirteen standard deviations.
fn lean_counts(era: Era, finished: &Finished) -> Checked {
    let seen = counts(era, finished)?;
    let Summary { kernel, faults, distributions, .. } = finished.summary()?;
    let one_in = kernel.timed_one_in.ok_or("kernel.timed_one_in is missing")?;
    let count = |path: &str| {
        let distribution = distributions.get(&format!("fault_{path}")).and_then(Option::as_ref);
        distribution.map(|distribution| distribution.count).ok_or_else(|| format!("no durations of {path} faults"))
    };
    let timed = count("direct")? + count("cached")? + count("none")?;
    let faults = faults.direct + faults.cached + faults.none;
    let near = (timed * one_in).abs_diff(faults) * 10 <= faults;
    ensure(one_in > 1 && near, || format!("{timed} of {faults} faults timed, not one in {one_in}"))?;
    Ok(format!("{seen}; {timed} timed"))
}

/// Most pages do not reach the device.
fn zswap_counts(_era: Era, finished: &Finished) -> Checked {
    let summary = finished.summary()?;
    none_dropped(&summary)?;
    let seen = counts_agree(&summary)?;
    let witness: Churn = finished.on_stderr()?;
    ensure(witness.corrupt == 0, || format!("the witness found {} pages corrupt", witness.corrupt))?;
    ensure(witness.pswpin < seen, || format!("{seen} swap-ins, all from the device"))?;
    let (written, kernel) = (summary.swapouts.written, summary.swapouts.kernel);
    ensure(Some(written) == kernel, || format!("{written} entries written, the kernel counted {kernel:?} swap-outs"))?;
    finished.expect_code(0)?;
    Ok(format!("{seen} swap-ins, {} of them from the device", witness.pswpin))
}

fn btf_file(_era: Era, finished: &Finished) -> Checked {
    ensure(finished.stderr.contains("/tmp/empty"), || "the file without types was not named".to_owned())?;
    let hooks = finished.summary()?.kernel.hooks;
    let kprobes = hooks.iter().filter(|hook| hook.backend.is_kprobe()).count();
    ensure(kprobes > 0 && kprobes == hooks.len(), || format!("hooks: {hooks:?}"))?;
    counts_of(4_096, finished)
}

/// Under contention counts still agree, overlaps are seen, and no program is skipped on a preemptible kernel.
fn crowd(era: Era, finished: &Finished) -> Checked {
    let summary = finished.summary()?;
    let seen = counts_agree(&summary)?;
    let overlaps = summary.verdicts.overlap;
    ensure(overlaps > 0, || "eight threads on the same pages, and no overlap".to_owned())?;
    let waits = waits(era, &summary)?;
    none_dropped(&summary)?;
    finished.expect_code(summary.clean_code())?;
    Ok(format!("{seen} swap-ins, {overlaps} overlaps, {waits}"))
}

/// The waits of a task fit into the observation, and a kernel without pins has no pin waits.
fn waits(era: Era, summary: &Summary) -> Checked {
    let (pins, locks) = (summary.verdicts.pin_wait, summary.verdicts.lock_wait);
    ensure(era != Era::NoBypass || pins == 0, || format!("{pins} pin waits on a kernel without pins"))?;
    let mut by_task: BTreeMap<u64, u64> = BTreeMap::new();
    for wait in &summary.waits {
        let length = wait.to_ns.checked_sub(wait.from_ns).ok_or("a wait ends before it starts")?;
        let oversleep = wait.oversleep_ns.unwrap_or(0);
        ensure(oversleep <= length, || format!("oversleep of {oversleep} ns in a wait of {length} ns"))?;
        *by_task.entry(wait.task.tid).or_default() += length;
    }
    let longest = by_task.values().max().copied().unwrap_or(0);
    let elapsed = summary.overhead.elapsed_ns;
    ensure(longest <= elapsed, || format!("a task waited {longest} ns in {elapsed} ns"))?;
    Ok(format!("{pins} pin waits, {locks} lock waits"))
}

/// Failed pin tries of shmem are counted as shmem's, or as other if shmem has no hook. They are not waits of faults.
fn shmem(_era: Era, finished: &Finished) -> Checked {
    let summary = finished.summary()?;
    counts_agree(&summary)?;
    let witness: Churn = finished.on_stderr()?;
    ensure(witness.corrupt == 0, || format!("the witness found {} pages corrupt", witness.corrupt))?;
    ensure(witness.out > 0, || "no page of shmem was swapped out".to_owned())?;
    let all = summary.pins.outside_failed.ok_or("pins.outside_failed is missing")?;
    let by_path = summary.pins.outside.as_ref().ok_or("pins.outside is missing")?;
    let (readahead, shmem, zswap, other) = (by_path.readahead, by_path.shmem, by_path.zswap, by_path.other);
    let seen = format!("{all} failed pin tries: shmem {shmem}, read-ahead {readahead}, zswap {zswap}, other {other}");
    ensure(summary.swapins.outside_faults > 0, || format!("no read of shmem was seen: {seen}"))?;
    ensure(readahead + shmem + zswap + other == all, || format!("the paths do not add up: {seen}"))?;
    let waits = summary.verdicts.pin_wait;
    ensure(waits == 0, || format!("{waits} pin waits without page faults: {seen}"))?;
    none_dropped(&summary)?;
    let attributed = if summary.kernel.is_degraded("pin_path") { 0 } else { all };
    ensure(all > 0 && shmem == attributed, || format!("not attributed to shmem: {seen}"))?;
    Ok(seen)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{super::step::finished, *};
    use crate::output::summary::example::{merged, with};

    #[test]
    fn failed_pin_tries_of_shmem_must_be_attributed_to_shmem() {
        let base = with(&json!({ "swapins": { "seen": 4, "kernel": 4, "outside_faults": 4 },
            "pins": { "outside_failed": 9, "outside": { "shmem": 9 } } }));
        let witness = json!({ "pswpin": 4, "out": 8, "corrupt": 0 }).to_string();
        let check =
            |change: Value| shmem(Era::Pinned, &finished(0, &merged(base.clone(), &change).to_string(), &witness));
        assert!(check(json!({})).is_ok(), "{:?}", check(json!({})));
        let other = json!({ "pins": { "outside": { "shmem": 0, "other": 9 } } });
        assert!(check(other.clone()).is_err());
        let unhooked = json!({ "kernel": { "degraded": [{ "meaning": "pin_path" }] } });
        assert!(check(merged(other, &unhooked)).is_ok());
        assert!(check(json!({ "verdicts": { "pin_wait": 1 } })).is_err());
    }

    #[test]
    fn the_waits_of_a_task_must_fit_into_the_observation() {
        let check = |to: u64, oversleep: u64| {
            let task = json!({ "pid": 1, "tid": 1, "comm": "x" });
            let wait = json!({ "task": task, "from_ns": 5, "to_ns": to, "retries": 1, "oversleep_ns": oversleep,
                "holder": null });
            let summary = with(&json!({ "overhead": { "elapsed_ns": 100 }, "waits": [wait] }));
            waits(Era::NoBypass, &serde_json::from_value(summary).unwrap())
        };
        assert!(check(50, 45).is_ok());
        assert!(check(50, 46).is_err());
        assert!(check(106, 1).is_err());
        assert!(check(4, 0).is_err());
    }

    #[test]
    fn a_file_without_types_must_be_named_and_hooks_must_be_kprobes() {
        let summary = |backend: Value| {
            let hooks = json!([{ "meaning": "fault_start", "backend": backend }, { "meaning": "fault_end", "backend": "kretprobe" }]);
            with(&json!({ "kernel": { "hooks": hooks }, "swapins": { "seen": 4_096, "kernel": 4_096 } })).to_string()
        };
        let stderr = "/tmp/empty has no types\n{\"pswpin\":4096,\"out\":9,\"corrupt\":0}\n";
        assert!(btf_file(Era::Pinned, &finished(0, &summary(json!("kprobe")), stderr)).is_ok());
        assert!(btf_file(Era::Pinned, &finished(0, &summary(json!("fentry")), stderr)).is_err());
    }
}
