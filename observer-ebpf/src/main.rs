//! observer's eBPF programs. Thin per hook; the logic is in [`fault`], [`end`], [`entry`], [`pin`] and [`lock`], the same for both
//! backends. Which kernel this is, no program knows: offsets and switches are globals set at load ([`globals`]).
#![no_std]
#![no_main]
// `core` has no atomic read-modify-write for this target (no compare-and-swap before 5.12); the add exists all the same.
#![feature(core_intrinsics)]
#![expect(internal_features, reason = "atomic_xadd, see count")]
#![expect(clippy::inline_always, reason = "a call on the hot path costs more than most bodies")]
#![expect(clippy::needless_pass_by_value, reason = "the hook macros hand contexts over")]
#![expect(clippy::cast_possible_truncation, reason = "kernel registers and ids: the low half is what is meant")]

mod count;
mod emit;
mod end;
mod entry;
mod fault;
mod faults;
mod fentry;
mod filter;
mod globals;
mod kprobe;
mod lock;
mod maps;
mod memory;
mod path;
mod pin;
mod swap_types;
mod task;
mod wanted;
mod watch;
mod widen;

observer_ebpf::object!();
