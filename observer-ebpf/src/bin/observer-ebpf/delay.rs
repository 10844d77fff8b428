//! Delay injection: keeps a task busy right after its read, so that a narrow race has time to happen. For workloads and
//! tests only: it is loaded only if asked for, and delays only tasks of the watched command.

use aya_ebpf::{
    helpers::generated::{bpf_get_prandom_u32, bpf_probe_read_kernel},
    macros::{fentry, fexit, kprobe, kretprobe, map},
    maps::Array,
    programs::{FEntryContext, FExitContext, ProbeContext, RetProbeContext},
};

use crate::{count::count, fault_table::fault_of, globals, maps::WATCHED, task};

/// Bound of the loop. 5.10 can only loop up to a bound that its verifier can walk through, and keeps at most 8192
/// pending branches, one per iteration. So each iteration must take time: it copies [`CHUNK`] bytes, which takes at
/// least 10 us on any machine measured.
const ITERATIONS: u32 = 8_000;
/// Bytes copied in one iteration.
const CHUNK: u32 = 256 << 10;

/// Source and destination of the copies; the content has no meaning.
#[map]
static DELAY_SCRATCH: Array<[u8; CHUNK as usize]> = Array::with_max_entries(2, 0);

/// Not 0: switched off for now. A map, because globals are fixed at load. No other program reads it, so without delay
/// injection it costs nothing.
#[map]
static DELAY_OFF: Array<u32> = Array::with_max_entries(1, 0);

/// The read of a fault has ended.
#[fexit]
pub(crate) fn delay_fexit(_ctx: FExitContext) -> i32 {
    delay();
    0
}

/// The read of a fault has ended.
#[kretprobe]
pub(crate) fn delay_kretprobe(_ctx: RetProbeContext) -> u32 {
    delay();
    0
}

/// The read of a fault is about to start, with its page locked. For kernels that always read into the swap cache: at
/// the end of the read the page is unlocked, and a delay after it would keep no other task waiting.
#[fentry]
pub(crate) fn delay_fentry(_ctx: FEntryContext) -> i32 {
    delay();
    0
}

/// As [`delay_fentry`].
#[kprobe]
pub(crate) fn delay_kprobe(_ctx: ProbeContext) -> u32 {
    delay();
    0
}

#[inline(always)]
fn delay() {
    if is_off() {
        return;
    }
    let (tid, _) = task::ids();
    if fault_of(tid).is_none() || WATCHED.get_ptr(tid).is_none() || !command_matches() || !chosen() {
        return;
    }
    let (Some(to), Some(from)) = (DELAY_SCRATCH.get_ptr_mut(0), DELAY_SCRATCH.get_ptr(1)) else { return };
    count!(delays);
    let until = task::now().wrapping_add(globals::delay_ns.load());
    for _ in 0..ITERATIONS {
        if task::now() >= until {
            return;
        }
        // SAFETY: both pointers are to live map values of `CHUNK` bytes.
        let _ = unsafe { bpf_probe_read_kernel(to.cast(), CHUNK, from.cast()) };
    }
    count!(delays_short);
}

#[inline(always)]
fn is_off() -> bool {
    // SAFETY: the pointer is to a live map value of this type; volatile, because user space changes it at any time.
    DELAY_OFF.get_ptr(0).is_some_and(|off| unsafe { off.read_volatile() } != 0)
}

/// Whether this read is delayed. At random, because a fixed interval could fall in step with the workload.
#[inline(always)]
fn chosen() -> bool {
    let one_in = globals::delay_one_in.load();
    // SAFETY: the helper has no arguments and cannot fail.
    one_in < 2 || unsafe { bpf_get_prandom_u32() } % one_in == 0
}

#[inline(always)]
fn command_matches() -> bool {
    task::comm_is(globals::delay_comm_low.load(), globals::delay_comm_high.load())
}
