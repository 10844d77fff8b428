//! The eBPF programs. Those in [`fentry`] and [`kprobe`] only take their arguments; the logic in the other modules is
//! the same for both backends. No program knows the kernel's version: offsets and switches are globals that are set at
//! load ([`globals`]).
#![no_std]
#![no_main]
// `core` has no atomic read-modify-write for this target (no compare-and-swap before 5.12), but the atomic add exists.
#![feature(core_intrinsics)]
#![expect(internal_features, reason = "atomic_xadd, see atomic")]
#![expect(clippy::inline_always, reason = "a call on the hot path costs more than most bodies")]
#![expect(clippy::needless_pass_by_value, reason = "the hook macros pass contexts by value")]
#![expect(clippy::cast_possible_truncation, reason = "kernel registers and ids: the low half is the value")]

mod addition;
mod atomic;
mod count;
mod delay;
mod disturbance;
mod emit;
mod entry;
mod exit;
mod fault_end;
mod fault_start;
mod fault_table;
mod fentry;
mod filters;
mod folio_lock;
mod globals;
mod identity;
mod kprobe;
mod maps;
mod memory;
mod page;
mod pin;
mod pin_path;
mod pte;
mod read;
mod slots;
mod swap_types;
mod task;
mod watch;

observer_ebpf::object!();
