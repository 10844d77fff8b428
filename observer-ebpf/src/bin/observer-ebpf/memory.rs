//! Two ways to read kernel memory, one for each backend.

use aya_ebpf::helpers::bpf_probe_read_kernel;

use crate::{count::count, globals};

/// Reads a value of kernel memory at `base + offset`; 0 if that faults.
pub(crate) trait KernelMemory {
    /// Whether hooks on the return of a function no longer get its arguments.
    const LOSES_ARGS_AT_RETURN: bool;

    /// # Safety
    /// `base` points to a kernel object that has a `T` at `offset`.
    unsafe fn read<T: Copy + Default>(base: *const u8, offset: u32) -> T;
}

/// fentry and fexit: the verifier knows the type of the pointer, so a load is enough. Works under lockdown.
pub(crate) struct TypedLoad;

/// kprobe and kretprobe: to the verifier the pointer is a number, so a helper copies.
pub(crate) struct HelperCopy;

impl KernelMemory for TypedLoad {
    const LOSES_ARGS_AT_RETURN: bool = false;

    #[inline(always)]
    unsafe fn read<T: Copy + Default>(base: *const u8, offset: u32) -> T {
        // SAFETY: the caller promises a `T` there; if the load faults all the same, the kernel makes it 0.
        unsafe { core::ptr::read_volatile(base.wrapping_add(offset as usize).cast()) }
    }
}

impl KernelMemory for HelperCopy {
    const LOSES_ARGS_AT_RETURN: bool = true;

    #[inline(always)]
    unsafe fn read<T: Copy + Default>(base: *const u8, offset: u32) -> T {
        if globals::can_copy.load() == 0 {
            return T::default();
        }
        // SAFETY: the helper checks the address and returns an error if it cannot be read.
        let copied = unsafe { bpf_probe_read_kernel(base.wrapping_add(offset as usize).cast()) };
        copied.unwrap_or_else(|_| {
            count!(kernel_read_failed);
            T::default()
        })
    }
}
