//! Runs a program as container engines do: as the first process of new namespaces, on another root file system with
//! another /proc and /sys, without debugfs, tracefs and bpffs.

use std::{
    ffi::{CString, OsString},
    fs, io,
    os::unix::{
        fs::symlink,
        process::{CommandExt as _, ExitStatusExt as _},
    },
    path::Path,
    process::{Command, ExitCode},
};

use crate::failure::{Failure, Result};

/// The root of the container, before it becomes `/`.
const ROOT: &str = "/tmp/container";
/// What the container sees of this machine.
const SHARED: [&str; 9] = ["bin", "sbin", "usr", "lib", "lib64", "out", "tmp", "witness", "spectator"];
/// Nodes of a container's /dev.
const NODES: [&str; 5] = ["null", "zero", "tty", "random", "urandom"];

/// A setting that differs from `--privileged` of Docker and Podman.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Setting {
    /// The PID namespace of this machine, as with `--pid=host` and `hostPID: true`
    HostPid,
    /// The /dev of this machine, as with `--volume /dev:/dev`
    HostDev,
    Debugfs,
    Tracefs,
    /// As without `--privileged`
    ReadOnlySys,
    MaskedKallsyms,
}

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    #[arg(long, value_enum, value_delimiter = ',', num_args = 1)]
    with: Vec<Setting>,
    /// A time namespace whose clocks are ahead by this many seconds
    #[arg(long, value_name = "SECONDS", allow_hyphen_values = true)]
    ahead: Option<i64>,
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<OsString>,
}

impl Options {
    fn has(&self, setting: Setting) -> bool {
        self.with.contains(&setting)
    }
}

/// The program's exit code, or 128 + the number of the signal that ended it.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let Some((program, arguments)) = options.command.split_first() else {
        return Err(Failure::new("starting a container", "no command", "give one"));
    };
    unshare(libc::CLONE_NEWNS | libc::CLONE_NEWUTS | libc::CLONE_NEWIPC | libc::CLONE_NEWCGROUP)?;
    if !options.has(Setting::HostPid) {
        unshare(libc::CLONE_NEWPID)?;
    }
    if let Some(seconds) = options.ahead {
        unshare(libc::CLONE_NEWTIME)?;
        // Allowed until the first process is in it.
        let offsets = format!("monotonic {seconds} 0\nboottime {seconds} 0\n");
        done("setting the offsets of the clocks", fs::write("/proc/self/timens_offsets", offsets))?;
    }
    let mut command = Command::new(program);
    command.args(arguments);
    let setup = options.clone();
    // SAFETY: this process has one thread, so the child of the fork may do what any process may.
    unsafe { command.pre_exec(move || enter(&setup).map_err(|failure| io::Error::other(failure.to_string()))) };
    // The new PID and time namespaces are those of the child.
    let status = command.status().map_err(|error| Failure::new("starting a container", error, "run as root"))?;
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)))
}

/// Gives this process its root file system. Namespaces of the parent keep theirs.
fn enter(options: &Options) -> Result<()> {
    mount("", "/", "", libc::MS_REC | libc::MS_PRIVATE, "")?;
    done(ROOT, fs::create_dir_all(ROOT))?;
    mount("tmpfs", ROOT, "tmpfs", 0, "")?;
    let inside = |path: &str| format!("{ROOT}/{path}");
    for shared in SHARED {
        let source = format!("/{shared}");
        let path = Path::new(&source);
        if path.is_dir() {
            done(shared, fs::create_dir_all(inside(shared)))?;
        } else if path.exists() {
            done(shared, fs::write(inside(shared), ""))?;
        } else {
            continue;
        }
        mount(&source, &inside(shared), "", libc::MS_BIND, "")?;
    }
    for folder in ["proc", "sys", "dev", "etc", "root"] {
        done(folder, fs::create_dir_all(inside(folder)))?;
    }
    mount("proc", &inside("proc"), "proc", 0, "")?;
    mount("sysfs", &inside("sys"), "sysfs", 0, "")?;
    mount("cgroup2", &inside("sys/fs/cgroup"), "cgroup2", 0, "")?;
    if options.has(Setting::Debugfs) {
        mount("debugfs", &inside("sys/kernel/debug"), "debugfs", 0, "")?;
    }
    if options.has(Setting::Tracefs) {
        mount("tracefs", &inside("sys/kernel/tracing"), "tracefs", 0, "")?;
    }
    if options.has(Setting::HostDev) {
        mount("/dev", &inside("dev"), "", libc::MS_BIND | libc::MS_REC, "")?;
    } else {
        own_dev(&inside("dev"))?;
    }
    if options.has(Setting::ReadOnlySys) {
        mount("", &inside("sys"), "", libc::MS_REMOUNT | libc::MS_BIND | libc::MS_RDONLY, "")?;
    }
    if options.has(Setting::MaskedKallsyms) {
        mount("/dev/null", &inside("proc/kallsyms"), "", libc::MS_BIND, "")?;
    }
    // An initramfs cannot be the old root of `pivot_root`: the new root is moved over it, as `switch_root` does.
    done("the new root", std::env::set_current_dir(ROOT))?;
    mount(ROOT, "/", "", libc::MS_MOVE, "")?;
    done("the new root", std::os::unix::fs::chroot("."))?;
    done("the new root", std::env::set_current_dir("/"))
}

/// Another /dev: devices that are added later are not in it.
fn own_dev(dev: &str) -> Result<()> {
    mount("tmpfs", dev, "tmpfs", 0, "")?;
    for node in NODES {
        let path = format!("{dev}/{node}");
        done(node, fs::write(&path, ""))?;
        mount(&format!("/dev/{node}"), &path, "", libc::MS_BIND, "")?;
    }
    for folder in ["pts", "shm"] {
        done(folder, fs::create_dir(format!("{dev}/{folder}")))?;
    }
    mount("tmpfs", &format!("{dev}/shm"), "tmpfs", 0, "")?;
    mount("devpts", &format!("{dev}/pts"), "devpts", 0, "newinstance,ptmxmode=0666")?;
    done("ptmx", symlink("pts/ptmx", format!("{dev}/ptmx")))
}

fn unshare(flags: libc::c_int) -> Result<()> {
    // SAFETY: the call takes a number; this process has one thread.
    let result = unsafe { libc::unshare(flags) };
    if result == 0 { Ok(()) } else { Err(Failure::last_os(format!("unshare {flags:#x}"), "run as root")) }
}

fn mount(source: &str, target: &str, kind: &str, flags: libc::c_ulong, options: &str) -> Result<()> {
    let text = |text: &str| CString::new(text).map_err(|error| Failure::new(text, error, "give another path"));
    let (from, to, kind, options) = (text(source)?, text(target)?, text(kind)?, text(options)?);
    // SAFETY: all four are NUL-terminated strings that outlive the call.
    let result = unsafe { libc::mount(from.as_ptr(), to.as_ptr(), kind.as_ptr(), flags, options.as_ptr().cast()) };
    if result == 0 {
        return Ok(());
    }
    Err(Failure::last_os(format!("mounting {source} on {target}"), "run as root, in a guest"))
}

fn done<T>(what: &str, result: io::Result<T>) -> Result<T> {
    result.map_err(|error| Failure::new(what, error, "run as root, in a guest"))
}
