//! Becomes a program as `packaging/observer.service` starts it, as far as the kernel is concerned: a user of no privilege
//! with two capabilities, and nothing that could bring others back.

use std::{convert::Infallible, ffi::OsString, os::unix::process::CommandExt as _, process::Command};

use crate::{Failure, Result};

/// `CAP_PERFMON` and `CAP_BPF`, from linux/capability.h.
const KEPT: [libc::c_ulong; 2] = [38, 39];
/// `CAP_LAST_CAP` of any kernel is below.
const CAPABILITIES: libc::c_ulong = 64;
/// nobody.
const USER: libc::uid_t = 65_534;
/// `_LINUX_CAPABILITY_VERSION_3`.
const VERSION: u32 = 0x2008_0522;

/// `struct __user_cap_header_struct`.
#[repr(C)]
struct Header {
    version: u32,
    pid: i32,
}

/// `struct __user_cap_data_struct`; two make up 64 bits.
#[repr(C)]
#[derive(Clone, Copy)]
struct Data {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// Does not return unless something fails.
pub(crate) fn become_service(command: &[OsString]) -> Result<Infallible> {
    let Some((program, args)) = command.split_first() else {
        return Err(Failure::new("becoming a service", "no command", "give one after `service`"));
    };
    let unlimited = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: the struct is whole and outlives the call.
    done("LimitMEMLOCK", unsafe { libc::setrlimit(libc::RLIMIT_MEMLOCK, &raw const unlimited) })?;
    for capability in (0..CAPABILITIES).filter(|capability| !KEPT.contains(capability)) {
        // Those that this kernel does not know are refused, and need not be dropped.
        // SAFETY: a plain system call on numbers, as are those below.
        let _ = unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) };
    }
    // SAFETY: as above.
    done("PR_SET_KEEPCAPS", unsafe { libc::prctl(libc::PR_SET_KEEPCAPS, 1, 0, 0, 0) })?;
    // SAFETY: an empty list of groups.
    done("setgroups", unsafe { libc::setgroups(0, std::ptr::null()) })?;
    // SAFETY: as above.
    done("setgid", unsafe { libc::setgid(USER) })?;
    // SAFETY: as above.
    done("setuid", unsafe { libc::setuid(USER) })?;
    set_capabilities()?;
    for capability in KEPT {
        let (what, raise) = ("PR_CAP_AMBIENT", libc::PR_CAP_AMBIENT_RAISE);
        // SAFETY: as above.
        done(what, unsafe { libc::prctl(libc::PR_CAP_AMBIENT, raise, capability, 0, 0) })?;
    }
    // SAFETY: as above.
    done("NoNewPrivileges", unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) })?;
    let error = Command::new(program).args(args).exec();
    Err(Failure::new(format!("running {}", program.display()), error, "give a program that there is"))
}

fn set_capabilities() -> Result<()> {
    let high = KEPT.iter().fold(0, |bits, capability| bits | 1 << (capability - 32));
    let header = Header { version: VERSION, pid: 0 };
    let data = [
        Data { effective: 0, permitted: 0, inheritable: 0 },
        Data { effective: high, permitted: high, inheritable: high },
    ];
    // SAFETY: both are laid out as the kernel's, and outlive the call.
    let error = unsafe { libc::syscall(libc::SYS_capset, &raw const header, data.as_ptr()) };
    done("capset", i32::from(error != 0))
}

fn done(what: &str, result: libc::c_int) -> Result<()> {
    if result == 0 { Ok(()) } else { Err(Failure::last_os(what, "run as root")) }
}
