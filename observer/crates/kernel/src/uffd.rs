//! The features of the kernel's userfaultfd.

use rustix::{
    fd::OwnedFd,
    ioctl::{Opcode, Updater, ioctl, opcode},
    mm::{UserfaultfdFlags, userfaultfd},
};

/// `struct uffdio_api` of `linux/userfaultfd.h`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
struct UffdioApi {
    api: u64,
    features: u64,
    ioctls: u64,
}

/// `UFFD_API`.
const API: u64 = 0xaa;
/// `UFFDIO_API`: `_IOWR(0xaa, 0x3f, struct uffdio_api)`.
const UFFDIO_API: Opcode = opcode::read_write::<UffdioApi>(0xaa, 0x3f);
/// `UFFD_FEATURE_PAGEFAULT_FLAG_WP`.
const WRITE_PROTECTS: u64 = 1;
/// `UFFD_USER_MODE_ONLY` (5.11): needs no privilege.
const USER_MODE_ONLY: u32 = 1;

/// Whether pages can be write-protected; `None`: there is no userfaultfd, or this process may not use it.
pub(super) fn write_protects() -> Option<bool> {
    let flags = |bits| UserfaultfdFlags::CLOEXEC | UserfaultfdFlags::from_bits_retain(bits);
    // SAFETY: no memory is registered with the descriptor, so no fault is ever sent to it.
    let open = |bits| unsafe { userfaultfd(flags(bits)) };
    let fd: OwnedFd = open(USER_MODE_ONLY).or_else(|_| open(0)).ok()?;
    let mut asked = UffdioApi { api: API, ..UffdioApi::default() };
    // SAFETY: the request fills a `struct uffdio_api`, which this is, and keeps nothing of it.
    let request = unsafe { Updater::<UFFDIO_API, _>::new(&mut asked) };
    // SAFETY: the kernel writes to the struct that `request` borrows, and keeps no pointer to it.
    unsafe { ioctl(&fd, request) }.ok()?;
    Some(asked.features & WRITE_PROTECTS != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_has_the_number_of_the_kernel_s_header() {
        assert_eq!(UFFDIO_API, 0xc018_aa3f);
    }
}
