//! What guests run.

use std::fmt::Write as _;

use super::{
    checks::{self, Finished},
    filters::FILTERS,
    folios::FOLIOS,
    price::{BENCH, BENCH_HOOKS, BENCH_INTERRUPTED, BENCH_REFUSES, HOLD},
    sample::{SAMPLE_COUNTS, SAMPLE_FINDINGS},
    service::SERVICE,
};

/// What a kernel does about the race, as far as expectations go; and guests that are not let.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Era {
    /// Nothing: pages get lost.
    Unfixed,
    /// It pins: nobody loses, losers of the pin wait.
    Pinned,
    /// It reads nothing past the swap cache: nobody loses, and there is no pin.
    NoBypass,
    /// A pinning kernel that is locked down (`lockdown=confidentiality`).
    LockedDown,
    /// The same, less far (`lockdown=integrity`).
    Integrity,
}

impl Era {
    /// More kernel command line.
    pub fn cmdline(self) -> &'static str {
        match self {
            Self::LockedDown => "lockdown=confidentiality",
            Self::Integrity => "lockdown=integrity",
            Self::Unfixed | Self::Pinned | Self::NoBypass => "",
        }
    }

    /// Told apart in names of tests.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::LockedDown => " (lockdown=confidentiality)",
            Self::Integrity => " (lockdown=integrity)",
            Self::Unfixed | Self::Pinned | Self::NoBypass => "",
        }
    }
}

/// One command in a guest, and what must come out.
#[derive(Clone, Copy)]
pub struct Step {
    /// Its name; files in /out start with it.
    pub name: &'static str,
    /// Shell command. Standard output, standard error and exit code go to /out.
    pub command: &'static str,
    /// What was seen, or what is wrong.
    pub check: fn(Era, &Finished) -> Result<String, String>,
}

const TARGETED: Step =
    Step { name: "targeted", command: "observer stress targeted --rounds 200 --json", check: checks::targeted };

/// Three seconds without delay injection: on an unfixed kernel nearly every round is safe, and none may be flagged falsely.
const NATURAL: Step = Step {
    name: "natural",
    command: "observer stress targeted --rounds 200 --widen 0s --json",
    check: checks::natural,
};

/// The crowd, for a little while: every page that comes up short is flagged, and each other flag is explained.
const STORM: Step =
    Step { name: "storm", command: "observer stress storm --duration 20s --json", check: checks::storm };

/// A storm, recorded by a second observer beside the one that came with it: what it said live goes to standard output,
/// what its recording says to standard error.
const RECORDED: Step = Step {
    name: "recorded",
    command: "observer stress storm --duration 15s --json >/tmp/storm 2>&1 & sleep 3; \
              observer record -o /tmp/storm.obs --json --duration 15s; code=$?; wait; \
              observer report /tmp/storm.obs --format json >&2; rm -f /tmp/storm*; exit $code",
    check: checks::recorded,
};

/// An independent program, in a process that it forks, widened from outside.
const INDEPENDENT: Step = Step {
    name: "independent",
    command: "observer record --widen 20ms --widen-comm victim --json -- /witness aba --rounds 60 --fork",
    check: checks::independent,
};

/// Every swap-in is counted: against `pswpin`, and against the program's own count.
const COUNTS: Step = Step {
    name: "counts",
    command: "observer record --json -- /witness churn --pages 16384 --threads 1 --rounds 8",
    check: checks::counts,
};

/// The same with all threads on the same pages.
const CROWD: Step = Step {
    name: "crowd",
    command: "observer record --json -- /witness churn --pages 2048 --threads 8 --rounds 8 --shared",
    check: checks::crowd,
};

/// The same with one seat for all faults: those that find it taken must be observed no less.
const ONE_SEAT: Step = Step {
    name: "one-seat",
    command: "observer record --fault-seats 1 --json -- /witness churn --pages 1024 --threads 8 --rounds 8 --shared",
    check: checks::crowd,
};

const LEAN_TARGETED: Step = Step {
    name: "lean-targeted",
    command: "observer stress targeted --rounds 200 --hooks lean --json",
    check: checks::targeted,
};

/// The same verdicts with the lean hooks, against the same truths.
const LEAN: [Step; 5] = [
    Step {
        name: "lean-self-test",
        command: "observer doctor --self-test --hooks lean --json",
        check: checks::self_test,
    },
    LEAN_TARGETED,
    Step {
        name: "lean-storm",
        command: "observer stress storm --duration 20s --hooks lean --json",
        check: checks::storm,
    },
    Step {
        name: "lean-counts",
        command: "observer record --hooks lean --json -- /witness churn --pages 16384 --threads 1 --rounds 8",
        check: checks::lean_counts,
    },
    Step {
        name: "lean-crowd",
        command: "observer record --hooks lean --json -- /witness churn --pages 2048 --threads 8 --rounds 8 --shared",
        check: checks::crowd,
    },
];

/// Threads that fault on the same pages of shmem, which pins for itself and spins when it fails.
const SHMEM: Step = Step {
    name: "shmem",
    command: "observer record --json -- /witness churn --pages 1024 --threads 8 --rounds 6 --shared --shmem",
    check: checks::shmem,
};

/// The same where a return probe tells of pins: reads past the swap cache are pins outside faults less pages added.
const KPROBE_SHMEM: Step = Step {
    name: "kprobe-shmem",
    command: "observer record --backend kprobe --json -- /witness churn --pages 1024 --threads 8 --rounds 6 --shared --shmem",
    check: checks::shmem,
};

const DOCTOR: Step = Step { name: "doctor", command: "observer doctor --json", check: checks::doctor };

const FAILING_COMMAND: Step =
    Step { name: "failing-command", command: "observer record --json -- false", check: checks::failing_command };

const NO_SUCH_COMMAND: Step =
    Step { name: "no-such-command", command: "observer record --json -- /no/such", check: checks::failing_command };

/// A user who may nothing.
const NOT_ROOT: Step = Step {
    name: "not-root",
    command: "mkdir -p /etc; echo nobody:x:1000:1000::/:/bin/sh >/etc/passwd; \
              start-stop-daemon -S -c nobody -x /bin/observer -- record",
    check: checks::not_root,
};

/// Its time is over before the command is.
const CUT_SHORT: Step =
    Step { name: "cut-short", command: "observer record --json --duration 1s -- sleep 60", check: checks::cut_short };

/// The kernel's types hidden.
const NO_BTF: Step = Step {
    name: "no-btf",
    command: "touch /tmp/empty; mount -o bind /tmp/empty /sys/kernel/btf/vmlinux; observer record; code=$?; \
              umount /sys/kernel/btf/vmlinux; exit $code",
    check: checks::no_btf,
};

/// The same, with the types in a file: everything is seen by kprobes.
const BTF_FILE: Step = Step {
    name: "btf-file",
    command: "touch /tmp/empty; cp /sys/kernel/btf/vmlinux /tmp/types; mount -o bind /tmp/empty /sys/kernel/btf/vmlinux; \
              observer record --btf /tmp/empty; echo $? >&2; \
              observer record --btf /tmp/types --json -- /witness churn --pages 1024 --threads 1 --rounds 4; code=$?; \
              umount /sys/kernel/btf/vmlinux; rm /tmp/types; exit $code",
    check: checks::btf_file,
};

/// Somebody else's swap is in use: the workload must not touch it. The witness leaves the module loaded, without a
/// device, so one is added rather than made by loading.
const OTHER_SWAP: Step = Step {
    name: "other-swap",
    command: "modprobe zram num_devices=0; zram=zram$(cat /sys/class/zram-control/hot_add); \
              echo 16M >/sys/block/$zram/disksize; mkswap /dev/$zram >&2; swapon /dev/$zram; \
              observer stress targeted --json; code=$?; grep -c $zram /proc/swaps >&2; \
              swapoff /dev/$zram; echo 1 >/sys/block/$zram/reset; rmmod zram; exit $code",
    check: checks::other_swap,
};

/// Own pages out and in, on the preferred backends and on kprobes, with every address hidden.
const SELF_TEST: Step = Step {
    name: "self-test",
    command: "echo 2 >/proc/sys/kernel/kptr_restrict; observer doctor --self-test --json; code=$?; \
              echo 0 >/proc/sys/kernel/kptr_restrict; exit $code",
    check: checks::self_test_without_addresses,
};

/// Swap on a disk only, or on what goes for one: nothing is read past the swap cache there.
const DISK_SWAP: Step = Step {
    name: "disk-swap",
    command: "modprobe loop; truncate -s 16M /tmp/disk; losetup /dev/loop0 /tmp/disk; mkswap /dev/loop0 >&2; \
              swapon /dev/loop0; observer doctor --self-test --json; code=$?; \
              swapoff /dev/loop0; losetup -d /dev/loop0; rm /tmp/disk; rmmod loop; exit $code",
    check: checks::disk_swap,
};

/// A compressed cache in front of every device.
const ZSWAP: Step = Step {
    name: "zswap",
    command: "echo 1 >/sys/module/zswap/parameters/enabled; observer doctor --self-test --json; code=$?; \
              echo 0 >/sys/module/zswap/parameters/enabled; exit $code",
    check: checks::zswap,
};

/// Pages that zswap keeps never reach the device: they are counted all the same, by both.
const ZSWAP_COUNTS: Step = Step {
    name: "zswap-counts",
    command: "echo 1 >/sys/module/zswap/parameters/enabled; before=$(grep zswpin /proc/vmstat); \
              observer record --json -- /witness churn --pages 2048 --threads 1 --rounds 2; code=$?; \
              echo 0 >/sys/module/zswap/parameters/enabled; echo $before, $(grep zswpin /proc/vmstat) >&2; exit $code",
    check: checks::zswap_counts,
};

/// Kprobes switched off, and nothing else wanted.
const NO_KPROBES: Step = Step {
    name: "no-kprobes",
    command: "echo 0 >/sys/kernel/debug/kprobes/enabled; observer record --backend kprobe; code=$?; \
              echo 1 >/sys/kernel/debug/kprobes/enabled; exit $code",
    check: checks::no_kprobes,
};

/// Hooks would be refused, or never fire.
const NO_FTRACE: Step = Step {
    name: "no-ftrace",
    command: "echo 0 >/proc/sys/kernel/ftrace_enabled; observer record; code=$?; \
              echo 1 >/proc/sys/kernel/ftrace_enabled; exit $code",
    check: checks::no_ftrace,
};

/// Attaches kprobes only, and no more.
const ATTACHES_KPROBES: Step = Step {
    name: "attaches-kprobes",
    command: "observer record --json --duration 1s --backend kprobe",
    check: checks::attaches_kprobes,
};

/// Kprobes where nothing may be copied: refused.
const REFUSES_KPROBES: Step =
    Step { name: "refuses-kprobes", command: "observer record --backend kprobe", check: checks::refuses_kprobes };

/// Attaches and detaches, and no more.
const ATTACHES: Step =
    Step { name: "attaches", command: "observer record --json --duration 1s", check: checks::attaches };

/// Ended from outside in the middle, however long it took to get there: the workload's device must go too.
const TERMINATED: Step = Step {
    name: "terminated",
    command: "observer stress targeted --rounds 100000 --json & pid=$!; \
              until grep -q slots /out/terminated.stderr; do sleep 1; done; sleep 3; kill -TERM $pid; wait $pid",
    check: checks::terminated,
};

/// Nothing is left: no program, no swap, no device. Comes last.
pub const NOTHING_LEFT: Step = Step {
    name: "nothing-left",
    command: "tail -n +2 /proc/swaps; ls -d /sys/block/zram* 2>/dev/null; cat /sys/kernel/debug/kprobes/list; \
              cat /sys/kernel/tracing/enabled_functions; true",
    check: checks::nothing_left,
};

/// All steps of an era, in order.
pub(super) fn of_era(era: Era) -> Vec<Step> {
    match era {
        Era::LockedDown => vec![DOCTOR, ATTACHES, REFUSES_KPROBES, NOTHING_LEFT],
        Era::Integrity => vec![DOCTOR, ATTACHES, ATTACHES_KPROBES, NOTHING_LEFT],
        // The newest kernels refuse to switch ftrace off (7.3: "Operation not supported").
        Era::NoBypass => {
            let rest = EVERYTHING.iter().filter(|step| step.name != NO_FTRACE.name);
            [FOLIOS, ZSWAP, ZSWAP_COUNTS, HOLD].iter().chain(&LEAN).chain(rest).copied().collect()
        }
        Era::Pinned => [SHMEM, KPROBE_SHMEM, HOLD, FOLIOS].iter().chain(&LEAN).chain(EVERYTHING).copied().collect(),
        Era::Unfixed => [SAMPLE_FINDINGS].iter().chain(&LEAN).chain(EVERYTHING).copied().collect(),
    }
}

const EVERYTHING: &[Step] = &[
    DOCTOR,
    SELF_TEST,
    DISK_SWAP,
    NO_KPROBES,
    NO_FTRACE,
    TARGETED,
    NATURAL,
    STORM,
    RECORDED,
    INDEPENDENT,
    COUNTS,
    CROWD,
    ONE_SEAT,
    SAMPLE_COUNTS,
    FILTERS,
    BENCH,
    BENCH_HOOKS,
    BENCH_REFUSES,
    BENCH_INTERRUPTED,
    SERVICE,
    FAILING_COMMAND,
    NO_SUCH_COMMAND,
    CUT_SHORT,
    NOT_ROOT,
    NO_BTF,
    BTF_FILE,
    OTHER_SWAP,
    TERMINATED,
    NOTHING_LEFT,
];

/// The shell script that runs them. A step that hangs is ended, so that those after it still run.
pub fn script(steps: &[Step]) -> String {
    let mut script = String::from("mkdir -p /out\n");
    for Step { name, command, .. } in steps {
        let quoted = command.replace('\'', "'\\''");
        // Writing into a String cannot fail.
        let _ = writeln!(
            script,
            "timeout 180 sh -c '{quoted}' >/out/{name}.stdout 2>/out/{name}.stderr; echo $? >/out/{name}.code"
        );
    }
    script
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_have_names_of_their_own_and_fit_a_shell() {
        let all = of_era(Era::Unfixed);
        let mut names: Vec<_> = all.iter().map(|step| step.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all.len());
        let script = script(&[Step { name: "x", command: "echo 'a b'", check: checks::doctor }]);
        assert!(script.contains(r"sh -c 'echo '\''a b'\'''"), "{script}");
    }
}
