//! What waiting costs: each single wait against the time that the waiting thread measured itself; and the benchmark.

mod bench;
mod hold;

use super::steps::Step;

/// One thread holds a page up for 90 ms, two others come for it. All of it is over the budget. Where a preemptible kernel has
/// skipped programs, up to twice again: what was skipped cannot be compared.
pub(super) const HOLD: Step = Step {
    name: "hold",
    command: "for try in 1 2 3; do \
              observer record --widen 90ms --widen-comm victim --budget 1ms --json \
                  -- /witness hold --rounds 24 --threads 2 >/tmp/hold 2>/tmp/hold.err; code=$?; \
              grep -q '\"program_skipped\":[1-9]' /tmp/hold || break; done; \
              cat /tmp/hold; cat /tmp/hold.err >&2; rm /tmp/hold /tmp/hold.err; exit $code",
    check: hold::check,
};

/// The rows of the benchmark, few pages each.
///
/// Whether two threads meet on a page is chance: beside another guest two virtual CPUs seldom run at once. So it is run
/// again until somebody has met somebody.
pub(super) const BENCH: Step = Step {
    name: "bench",
    command: "for _ in 1 2 3 4 5; do observer bench swapin --size 1M --rounds 2 --json >/tmp/bench || exit; \
              grep -q '\"overlaps\":[1-9]' /tmp/bench && break; done; cat /tmp/bench; rm /tmp/bench",
    check: bench::rows,
};

/// What each hook costs: in a guest that does not count instructions its figures say little, what ran does.
pub(super) const BENCH_HOOKS: Step = Step {
    name: "bench-hooks",
    command: "observer bench swapin --size 1M --rounds 2 --rows hooks --json",
    check: bench::hooks,
};

/// What cannot be run is refused before anything is changed: nothing to swap, too little memory, no zram to be had, other
/// swap in use. The exit code of each, then what is left behind.
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
    check: bench::refused,
};

/// Ended in the middle: its device, its second process and its programs must go.
pub(super) const BENCH_INTERRUPTED: Step = Step {
    name: "bench-interrupted",
    command: "observer bench swapin --size 4M --rounds 1000 --rows cached & pid=$!; \
              until grep -q 'round 3' /out/bench-interrupted.stderr; do sleep 1; done; kill -TERM $pid; wait $pid; echo $?; \
              tail -n +2 /proc/swaps; ls -d /sys/block/zram* 2>/dev/null; pidof observer; true",
    check: bench::interrupted,
};
