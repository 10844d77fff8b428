//! Delay injection: keeps a task busy right after its read, so that the race has time to happen. For workloads and tests
//! only; never loaded unless asked for, and then only for tasks of the watched command.

use aya_ebpf::{
    helpers::generated::{bpf_get_prandom_u32, bpf_probe_read_kernel},
    macros::{fentry, fexit, kprobe, kretprobe, map},
    maps::Array,
    programs::{FEntryContext, FExitContext, ProbeContext, RetProbeContext},
};

use crate::{count::count, faults::fault_of, globals, maps::WATCHED, task};

/// Turns of the loop at most. Kernels of 5.10 have no way to loop without a bound that the verifier can walk through, and
/// it keeps at most 8192 open branches, one a turn. So each turn must take its time: it copies [`CHUNK`] bytes, at least
/// 10 us on any machine we know.
const TURNS: u32 = 8_000;
/// Bytes copied in one turn.
const CHUNK: u32 = 256 << 10;

/// Where to and from the bytes are copied; they mean nothing.
#[map]
static WIDEN_SCRATCH: Array<[u8; CHUNK as usize]> = Array::with_max_entries(2, 0);

/// Not 0: switched off for now. A map, because globals are fixed at load; nobody else reads it, so what is never widened
/// pays nothing for it.
#[map]
static WIDEN_OFF: Array<u32> = Array::with_max_entries(1, 0);

/// The read of a fault has come back.
#[fexit]
pub(crate) fn widen_fexit(_ctx: FExitContext) -> i32 {
    widen();
    0
}

/// The same on a kretprobe.
#[kretprobe]
pub(crate) fn widen_kretprobe(_ctx: RetProbeContext) -> u32 {
    widen();
    0
}

/// The read of a fault is about to start, its page locked. For kernels that read into the swap cache always: once the
/// read is done the page is unlocked, and nobody would have to wait for whoever is delayed after it.
#[fentry]
pub(crate) fn widen_fentry(_ctx: FEntryContext) -> i32 {
    widen();
    0
}

/// The same on a kprobe.
#[kprobe]
pub(crate) fn widen_kprobe(_ctx: ProbeContext) -> u32 {
    widen();
    0
}

#[inline(always)]
fn widen() {
    if is_off() {
        return;
    }
    let (tid, _) = task::ids();
    // In a fault, by a watched task, of the right command; else nobody is delayed.
    if fault_of(tid).is_none() || WATCHED.get_ptr(tid).is_none() || !command_matches() || !chosen() {
        return;
    }
    let (Some(to), Some(from)) = (WIDEN_SCRATCH.get_ptr_mut(0), WIDEN_SCRATCH.get_ptr(1)) else { return };
    count!(widened);
    let until = task::now().wrapping_add(globals::WIDEN_NS.load());
    for _ in 0..TURNS {
        if task::now() >= until {
            return;
        }
        // SAFETY: both point to live map values of this size.
        let _ = unsafe { bpf_probe_read_kernel(to.cast(), CHUNK, from.cast()) };
    }
    count!(widened_short);
}

#[inline(always)]
fn is_off() -> bool {
    // SAFETY: the pointer is to a live map value of this type; volatile, for user space changes it at any time.
    WIDEN_OFF.get_ptr(0).is_some_and(|off| unsafe { off.read_volatile() } != 0)
}

/// Whether this is the one in so many that is delayed. At random: a crowd that walks in step would fall into a pattern.
#[inline(always)]
fn chosen() -> bool {
    let one_in = globals::WIDEN_ONE_IN.load();
    // SAFETY: the helper has no arguments and cannot fail.
    one_in < 2 || unsafe { bpf_get_prandom_u32() } % one_in == 0
}

#[inline(always)]
fn command_matches() -> bool {
    task::comm_is(globals::WIDEN_COMM_LOW.load(), globals::WIDEN_COMM_HIGH.load())
}
