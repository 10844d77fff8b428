//! The start of a fault.

use aya_log_ebpf::warn;
use observer_ebpf::{
    record::{F_FREED_OWN, FAULT_STARTED},
    seat::Fault,
    slot,
};

use crate::{
    count::count,
    disturbance,
    emit::{self, FaultEvent},
    fault_table::{self, Claim},
    filters, globals,
    memory::KernelMemory,
    pte,
    slots::SlotRef,
    task,
};

/// `do_swap_page` is entered.
#[inline(always)]
pub(crate) fn start<M: KernelMemory>(vmf: *const u8) {
    // SAFETY: the hook's argument is a `struct vm_fault`. `orig_pte` must be read here: a fault that succeeds
    // overwrites it.
    let pte: u64 = unsafe { M::read(vmf, globals::vmf_orig_pte.load()) };
    let entry = pte::entry(pte);
    if !pte::is_in_swap_area(entry) {
        count!(special);
        return;
    }
    let (tid, tgid) = task::ids();
    if filters::any() && !(filters::entry(entry) && filters::fault::<M>(tid, tgid, vmf)) {
        return;
    }
    let index = slot::index(entry);
    let Some(slot) = SlotRef::at(index) else { return };
    let fault = match fault_table::claim(tid) {
        Claim::New(fault) => fault,
        Claim::Unended(fault) => {
            end_missed(fault, tid);
            fault
        }
        Claim::TableFull => return table_full(tid),
    };
    // An uncontended fault writes nothing but these fields; the rest of its seat is left over from an earlier one.
    fault.flags = 0;
    fault.entry = entry;
    if M::LOSES_ARGS_AT_RETURN {
        fault.vmf = vmf as u64;
    }
    let now = task::now();
    fault.start = now;
    slot.add_fault();
    // Read after the fault was added: a task that changes something later finds this fault. `in_progress` is read last:
    // a fault that starts earlier is found there, one that starts later raises `starts`, which the end of this fault
    // compares.
    fault.known = slot.changes();
    fault.slot_starts = slot.starts();
    if slot.in_progress() > 1 {
        // Before this fault reads or tries to pin, so that from here on the other one records its free and its pin
        // drop.
        disturbance::add(fault.slot());
        // SAFETY: the hook's argument is a `struct vm_fault`, which has `address`.
        let address = unsafe { M::read(vmf, globals::vmf_address.load()) };
        fault.mm = space::<M>(vmf);
        let event = FaultEvent { kind: FAULT_STARTED, ts: now, address, fault_ret: 0 };
        let changes = fault.known;
        emit::fault(fault, event, slot, changes);
    }
}

/// The table of faults is full, which the table has counted. Not inlined, as all rare cases: its stack would be its
/// caller's, and kernels allow 512 bytes for a whole call chain.
#[inline(never)]
fn table_full(tid: u32) {
    warn!(&(), "no room for the fault of task {}", tid);
}

/// The `mm_struct` of a fault. Only looked up for faults that are streamed: on kprobes it takes two helper calls.
///
/// It must not be looked up after the fault has dropped the lock of its address space in order to wait for the page's
/// lock, because its VMA may be gone then. Such a fault stores its `mm_struct` before it waits
/// ([`crate::folio_lock::wait_started`]). (6.4 and 6.5 also drop the lock at once if a fault has only the lock of its
/// VMA; only a concurrent unmap changes the result then.)
#[inline(always)]
pub(crate) fn space<M: KernelMemory>(vmf: *const u8) -> u64 {
    // SAFETY: callers pass a `struct vm_fault`, which has `vma`.
    let vma: u64 = unsafe { M::read(vmf, globals::vmf_vma.load()) };
    // SAFETY: `vma` of a `struct vm_fault` points to a `struct vm_area_struct`, which has `vm_mm`.
    unsafe { M::read(vma as *const u8, globals::vma_mm.load()) }
}

/// The end of the task's last fault was not seen. Removes it from its slot, where it would stay in progress forever.
#[inline(never)]
pub(crate) fn end_missed(fault: &Fault, tid: u32) {
    count!(fault_end_missed);
    if fault.flags & F_FREED_OWN != 0 {
        count!(freed, fault.own_frees.into());
    }
    warn!(&(), "the end of the last fault of task {} was missed", tid);
    if let Some(slot) = SlotRef::at(fault.slot()) {
        slot.remove_fault();
        disturbance::clear(fault.slot());
    }
}
