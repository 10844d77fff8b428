//! Faults of the watched command that its own tasks, as they were forked, do not make.

use serde::Deserialize;

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

/// The program that adds tasks to the watched ones is loaded only for a command. 17 is `BPF_PROG_TYPE_RAW_TRACEPOINT`.
/// A command is not started before the programs are loaded. An observation without one is looked at until it has ended.
pub(super) const IDENTIFIES: Step = Step {
    name: "identifies",
    command: "programs() { cat /proc/$1/fdinfo/* 2>/dev/null | grep -c \"^prog_type:.*$2\"; }; \
              most() { [ $1 -gt $2 ] && echo $1 || echo $2; }; \
              observer record --duration 4s >&2 & pid=$!; all=0 plain=0; \
              while grep -qs '^State:.*[RSD]' /proc/$pid/status; do \
                  all=$(most $(programs $pid '') $all) plain=$(most $(programs $pid 17) $plain); sleep 0.1; done; \
              wait $pid; \
              observer record -- sh -c 'cat /proc/$PPID/fdinfo/* | grep -c ^prog_type:.*17 >/tmp/command' >&2; \
              echo \"{\\\"all\\\":$all,\\\"plain\\\":$plain,\\\"command\\\":$(cat /tmp/command)}\"; rm /tmp/command",
    check: |_, finished| identifies(finished),
};

/// The command ignores the signals that were ignored when observer was started, and no others. (The shell of busybox
/// does not ignore SIGCHLD.)
pub(super) const IGNORED_SIGNALS: Step = Step {
    name: "ignored-signals",
    command: "for signals in '' 'PIPE HUP'; do \
              ([ -z \"$signals\" ] || trap '' $signals; exec observer record -- grep SigIgn /proc/self/status); done",
    check: |_, finished| ignored_signals(finished),
};

/// Exit code of the command on a kernel without khugepaged.
const NO_KHUGEPAGED: i32 = 77;

fn khugepaged(_era: super::step::Era, finished: &Finished) -> Checked {
    if finished.code == NO_KHUGEPAGED {
        return Ok("this kernel has no huge pages".to_owned());
    }
    all_seen(finished, 8_192)
}

/// Descriptors of programs of the type, by kind of observation.
#[derive(Deserialize)]
struct Loaded {
    /// Of any type, without a command.
    all: u32,
    plain: u32,
    command: u32,
}

fn identifies(finished: &Finished) -> Checked {
    let Loaded { all, plain, command } = finished.json()?;
    ensure(all > 0, || "no program was seen".to_owned())?;
    ensure(plain == 0, || format!("{plain} descriptors without a command"))?;
    ensure(command > 0, || "none with a command".to_owned())?;
    Ok("loaded only for a command".to_owned())
}

/// SIGHUP and SIGPIPE as the kernel shows them: one bit each, SIGHUP is the lowest.
const HUP_PIPE: u64 = 1 | 1 << 12;

fn ignored_signals(finished: &Finished) -> Checked {
    let masks = finished.stdout.lines().filter_map(|line| line.strip_prefix("SigIgn:"));
    let masks: Vec<_> = masks.filter_map(|mask| u64::from_str_radix(mask.trim(), 16).ok()).collect();
    ensure(masks == [0, HUP_PIPE], || format!("{masks:x?}; standard error: {}", finished.stderr.trim()))?;
    Ok("the same signals are ignored".to_owned())
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
    fn the_program_must_be_loaded_for_a_command_and_not_otherwise() {
        let ran = |all: u32, plain: u32, command: u32| {
            let printed = json!({ "all": all, "plain": plain, "command": command });
            identifies(&finished(0, &printed.to_string(), ""))
        };
        assert!(ran(9, 0, 2).is_ok());
        assert!(ran(9, 1, 2).is_err());
        assert!(ran(9, 0, 0).is_err());
        assert!(ran(0, 0, 2).is_err());
    }

    #[test]
    fn the_command_must_ignore_what_observer_was_started_to_ignore() {
        let ran = |lines: &str| ignored_signals(&finished(0, lines, ""));
        assert!(ran("x\nSigIgn:\t0000000000000000\nSigIgn:\t0000000000001001\n").is_ok());
        assert!(ran("SigIgn:\t0000000000000000\nSigIgn:\t0000000000000001\n").is_err());
        assert!(ran("SigIgn:\t0000000000001000\nSigIgn:\t0000000000001001\n").is_err());
        assert!(ran("").is_err());
    }

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
