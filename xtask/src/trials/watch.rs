//! Faults of the watched command that its own tasks, as they were forked, do not make.

use super::{
    agreement::{counts_agree, none_dropped},
    step::{Checked, Finished, Step, ensure},
};
use crate::output::summary::Summary;

/// The command is executed by the second thread of a process.
pub(super) const THREAD_EXEC: Step = Step {
    name: "thread-exec",
    command: "observer record --json -- /witness thread-exec /witness churn --pages 2048 --threads 1 --rounds 1",
    check: |_, finished| all_seen(finished, 2_048),
};

/// Workers of `io_uring` swap pages in: before 5.12 kernel threads, later tasks that no fork makes.
pub(super) const WORKERS: Step = Step {
    name: "workers",
    command: "observer record --json -- /witness ring --pages 1024",
    check: |_, finished| all_seen(finished, 1_024),
};

/// khugepaged swaps pages of the command in.
pub(super) const KHUGEPAGED: Step = Step {
    name: "khugepaged",
    command: "cd /sys/kernel/mm/transparent_hugepage/khugepaged || exit 77; \
              sleeps=$(cat scan_sleep_millisecs) allocs=$(cat alloc_sleep_millisecs) swap=$(cat max_ptes_swap); \
              echo 1 >scan_sleep_millisecs; echo 1 >alloc_sleep_millisecs; echo 511 >max_ptes_swap; \
              observer record --json -- /witness churn --pages 8192 --threads 2 --rounds 6 --shared --folios; code=$?; \
              echo $sleeps >scan_sleep_millisecs; echo $allocs >alloc_sleep_millisecs; echo $swap >max_ptes_swap; \
              exit $code",
    check: khugepaged,
};

/// Exit code of the command on a kernel without khugepaged.
const NO_KHUGEPAGED: i32 = 77;

fn khugepaged(_era: super::step::Era, finished: &Finished) -> Checked {
    if finished.code == NO_KHUGEPAGED {
        return Ok("this kernel has no huge pages".to_owned());
    }
    all_seen(finished, 8_192)
}

/// Every swap-in that the kernel counted, at least `least`.
fn all_seen(finished: &Finished, least: u64) -> Checked {
    let summary: Summary = finished.summary()?;
    none_dropped(&summary)?;
    let seen = counts_agree(&summary)?;
    ensure(seen >= least, || format!("only {seen} swap-ins seen"))?;
    finished.expect_code(0)?;
    Ok(format!("{seen} swap-ins, all seen"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::step::finished, *};
    use crate::output::summary::example::with;

    #[test]
    fn swap_ins_of_other_tasks_must_be_seen() {
        let ran = |seen: u64, kernel: u64| {
            let summary = with(&json!({ "swapins": { "seen": seen, "kernel": kernel } }));
            all_seen(&finished(0, &summary.to_string(), ""), 1_024)
        };
        assert!(ran(1_024, 1_024).is_ok(), "{:?}", ran(1_024, 1_024));
        assert!(ran(0, 1_024).is_err());
        assert!(ran(0, 0).is_err());
    }
}
