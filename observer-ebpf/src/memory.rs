//! Two ways to read kernel memory, one for each backend.

use aya_ebpf::helpers::bpf_probe_read_kernel;

use crate::{count::count, globals};

/// Reads a word of kernel memory at `base + offset`; 0 where that faults.
pub(crate) trait Memory {
    /// Whether a hook on a function's return does not get the arguments any more.
    const LOSES_ARGS_AT_RETURN: bool;

    /// # Safety
    /// `base` points to a kernel object that has `T` at `offset`.
    unsafe fn read<T: Copy + Default>(base: *const u8, offset: u32) -> T;
}

/// fentry/fexit: the verifier knows the type behind the pointer, a load that faults gives 0. Works under lockdown.
pub(crate) struct Direct;

/// kprobe/kretprobe: the pointer is just a number.
pub(crate) struct Copied;

impl Memory for Direct {
    const LOSES_ARGS_AT_RETURN: bool = false;

    #[inline(always)]
    unsafe fn read<T: Copy + Default>(base: *const u8, offset: u32) -> T {
        // SAFETY: by the caller's promise; the kernel turns a fault into 0.
        unsafe { core::ptr::read_volatile(base.wrapping_add(offset as usize).cast()) }
    }
}

impl Memory for Copied {
    const LOSES_ARGS_AT_RETURN: bool = true;

    #[inline(always)]
    unsafe fn read<T: Copy + Default>(base: *const u8, offset: u32) -> T {
        if globals::CAN_COPY.load() == 0 {
            return T::default();
        }
        // SAFETY: the helper checks the address itself.
        let copied = unsafe { bpf_probe_read_kernel(base.wrapping_add(offset as usize).cast()) };
        copied.unwrap_or_else(|_| {
            count!(dropped_copy);
            T::default()
        })
    }
}
