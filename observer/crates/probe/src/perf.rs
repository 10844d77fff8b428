//! Events of perf that are tracepoints, also those that are made in tracefs.

use std::{
    io,
    os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd},
};

/// `struct perf_event_attr` of the first version, which every kernel accepts.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct PerfEventAttr {
    kind: u32,
    size: u32,
    config: u64,
    sample_period: u64,
    sample_type: u64,
    read_format: u64,
    flags: u64,
    wakeup_events: u32,
    bp_type: u32,
    bp_addr: u64,
}

/// Its size (`PERF_ATTR_SIZE_VER0`).
const ATTR_BYTES: u32 = 64;

const PERF_TYPE_TRACEPOINT: u32 = 2;
const PERF_FLAG_FD_CLOEXEC: libc::c_ulong = 8;
const PERF_EVENT_IOC_ENABLE: libc::c_ulong = 0x2400;
const PERF_EVENT_IOC_SET_BPF: libc::c_ulong = 0x4004_2408;

/// Attaches a program to the event with this number. It runs for all tasks on every CPU as long as the descriptor is
/// open, whichever CPU that is for.
///
/// # Errors
/// When the kernel refuses the event or the program.
pub(crate) fn attach(id: u64, program: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let perf = open(id)?;
    set_program(&perf, program)?;
    Ok(perf)
}

fn open(id: u64) -> io::Result<OwnedFd> {
    let attr = PerfEventAttr { kind: PERF_TYPE_TRACEPOINT, size: ATTR_BYTES, config: id, ..PerfEventAttr::default() };
    let cpu = libc::c_int::try_from(rustix::thread::sched_getcpu()).map_err(io::Error::other)?;
    let (every_task, no_group): (libc::pid_t, libc::c_int) = (-1, -1);
    // SAFETY: the attributes live until the call returns, and their size is in them; the call keeps no pointer.
    let fd = unsafe {
        libc::syscall(libc::SYS_perf_event_open, &raw const attr, every_task, cpu, no_group, PERF_FLAG_FD_CLOEXEC)
    };
    let fd = libc::c_int::try_from(fd).map_err(io::Error::other)?;
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just returned this descriptor, and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn set_program(perf: &OwnedFd, program: BorrowedFd<'_>) -> io::Result<()> {
    for (request, argument) in [(PERF_EVENT_IOC_SET_BPF, program.as_raw_fd()), (PERF_EVENT_IOC_ENABLE, 0)] {
        // SAFETY: both requests take a number as their argument, and access no memory of this process.
        if unsafe { libc::ioctl(perf.as_raw_fd(), request as _, argument) } != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

const _: () = assert!(size_of::<PerfEventAttr>() == ATTR_BYTES as usize);
