//! Runs a program with the privileges that `packaging/observer.service` gives it: an unprivileged user with two
//! capabilities, who cannot get others.

use std::{convert::Infallible, ffi::OsString, os::unix::process::CommandExt as _, process::Command};

use observer_text::Name;

use crate::failure::{Failure, Result};

/// `CAP_PERFMON` and `CAP_BPF`, from linux/capability.h.
const KEPT: [libc::c_ulong; 2] = [38, 39];
/// More than `CAP_LAST_CAP` of any kernel.
const CAPABILITIES: libc::c_ulong = 64;
/// The unprivileged user.
const USER: libc::uid_t = 65_534;
/// `_LINUX_CAPABILITY_VERSION_3`.
const VERSION: u32 = 0x2008_0522;

/// `struct __user_cap_header_struct`.
#[repr(C)]
struct Header {
    version: u32,
    pid: i32,
}

/// `struct __user_cap_data_struct`; two of them hold 64 bits.
#[repr(C)]
#[derive(Clone, Copy)]
struct Data {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    program: OsString,
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

/// Returns only if something fails.
pub(crate) fn exec(options: &Options) -> Result<Infallible> {
    let Options { program, arguments } = options;
    let unlimited = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: `unlimited` is an rlimit that outlives the call.
    done("LimitMEMLOCK", unsafe { libc::setrlimit(libc::RLIMIT_MEMLOCK, &raw const unlimited) })?;
    for capability in (0..CAPABILITIES).filter(|capability| !KEPT.contains(capability)) {
        // Capabilities that this kernel does not have are refused, and need not be dropped.
        // SAFETY: this prctl takes only numbers.
        let _ = unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) };
    }
    // SAFETY: this prctl takes only numbers.
    done("PR_SET_KEEPCAPS", unsafe { libc::prctl(libc::PR_SET_KEEPCAPS, 1, 0, 0, 0) })?;
    // SAFETY: a list of length 0 is not read.
    done("setgroups", unsafe { libc::setgroups(0, std::ptr::null()) })?;
    // SAFETY: the call takes a number.
    done("setgid", unsafe { libc::setgid(USER) })?;
    // SAFETY: the call takes a number.
    done("setuid", unsafe { libc::setuid(USER) })?;
    set_capabilities()?;
    for capability in KEPT {
        let (what, raise) = ("PR_CAP_AMBIENT", libc::PR_CAP_AMBIENT_RAISE);
        // SAFETY: this prctl takes only numbers.
        done(what, unsafe { libc::prctl(libc::PR_CAP_AMBIENT, raise, capability, 0, 0) })?;
    }
    // SAFETY: this prctl takes only numbers.
    done("NoNewPrivileges", unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) })?;
    let error = Command::new(program).args(arguments).exec();
    Err(Failure::new(format!("running {}", Name::from(program.as_os_str())), error, "give the path of a program"))
}

fn set_capabilities() -> Result<()> {
    let high = KEPT.iter().fold(0, |bits, capability| bits | 1 << (capability - 32));
    let header = Header { version: VERSION, pid: 0 };
    let data = [
        Data { effective: 0, permitted: 0, inheritable: 0 },
        Data { effective: high, permitted: high, inheritable: high },
    ];
    // SAFETY: `header` and `data` have the layout of the kernel's structs and outlive the call.
    let error = unsafe { libc::syscall(libc::SYS_capset, &raw const header, data.as_ptr()) };
    done("capset", i32::from(error != 0))
}

fn done(what: &str, result: libc::c_int) -> Result<()> {
    if result == 0 { Ok(()) } else { Err(Failure::last_os(what, "run as root")) }
}
