//! The task that runs a program, as all programs see it. User space runs `identify` through the system call that runs a
//! program for a test: in the calling task, attached to nothing.

use aya_ebpf::{
    macros::{map, raw_tracepoint},
    maps::Array,
    programs::RawTracePointContext,
};
use observer_ebpf::identity::Identity;

use crate::{globals, maps::WATCHED, task};

/// See [`Identity`].
#[map]
static IDENTITY: Array<Identity> = Array::with_max_entries(1, 0);

/// Records the calling task, and adds it to the watched ones if only these are observed.
#[raw_tracepoint]
pub(crate) fn identify(_ctx: RawTracePointContext) -> i32 {
    let (tid, tgid) = task::ids();
    let watched = globals::watch.load() != 0 && WATCHED.insert(tid, 1, 0).is_ok();
    let identity = Identity { at: task::now(), tid, tgid, watched: watched.into(), padding: 0 };
    // An element of an array always exists.
    let _ = IDENTITY.set(0, identity, 0);
    0
}

/// Whether the running task belongs to the process that has called `identify`.
#[inline(always)]
pub(crate) fn is_current_process() -> bool {
    IDENTITY.get(0).is_some_and(|identity| identity.tgid == task::ids().1)
}
