//! Starts the command given with `--`, but lets it run only once it is watched.
//!
//! The child is this program again, which waits at a gate (a pipe) and then becomes the command: so its thread id is
//! known, and in the table of watched tasks, before the command's first instruction.

use std::{
    ffi::OsString,
    io,
    os::{
        fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
        unix::process::CommandExt as _,
    },
    process::Stdio,
};

use rustix::{
    io::{FdFlags, fcntl_setfd},
    pipe::{PipeFlags, pipe, pipe_with},
};
use tokio::process::{Child, Command};

/// Name of the hidden subcommand that waits at the gate.
pub(crate) const SUBCOMMAND: &str = "__launch";

/// A child that waits at the gate.
pub(crate) struct Launched {
    /// The child.
    pub(crate) child: Child,
    /// Its thread id, which it keeps when it becomes the command.
    pub(crate) tid: u32,
    gate: OwnedFd,
}

/// What to start.
#[derive(Clone, Debug)]
pub(crate) struct Launch {
    /// Program and arguments.
    pub(crate) command: Vec<OsString>,
    /// Send its standard output to standard error: ours carries one JSON object, or the dashboard, and nothing else.
    pub(crate) stdout_to_stderr: bool,
    /// Give it nothing to read: the keys belong to the dashboard.
    pub(crate) no_stdin: bool,
}

impl Launch {
    /// Starts the child up to the gate. `inherit` stays open in it (a pipe for its messages, say).
    ///
    /// # Errors
    /// When there are no more descriptors or processes to be had.
    pub(crate) fn start(&self, inherit: Option<&OwnedFd>) -> io::Result<Launched> {
        let (wait, gate) = pipe()?;
        fcntl_setfd(&gate, FdFlags::CLOEXEC)?;
        let mut command = Command::new("/proc/self/exe");
        command.arg(SUBCOMMAND).arg(wait.as_raw_fd().to_string()).arg("--").args(&self.command);
        if self.stdout_to_stderr {
            command.stdout(Stdio::from(rustix::io::dup(rustix::stdio::stderr())?));
        }
        if self.no_stdin {
            command.stdin(Stdio::null());
        }
        if let Some(fd) = inherit {
            fcntl_setfd(fd, FdFlags::empty())?;
        }
        let child = command.kill_on_drop(true).spawn()?;
        if let Some(fd) = inherit {
            fcntl_setfd(fd, FdFlags::CLOEXEC)?;
        }
        let tid = child.id().ok_or_else(|| io::Error::other("the command ended before it started"))?;
        Ok(Launched { child, tid, gate })
    }
}

impl Launched {
    /// Opens the gate.
    ///
    /// # Errors
    /// When the child is gone.
    pub(crate) fn go(self) -> io::Result<Child> {
        rustix::io::write(&self.gate, b"\n")?;
        Ok(self.child)
    }
}

/// A pipe whose ends are closed in children unless [`Launch::start`] is told to hand one down.
///
/// # Errors
/// When there are no more descriptors to be had.
pub(crate) fn message_pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(pipe_with(PipeFlags::CLOEXEC)?)
}

/// The child's side: waits at the gate `fd`, then becomes the command. Returns only on failure.
pub(crate) fn wait_and_exec(fd: i32, command: &[OsString]) -> io::Error {
    // SAFETY: the parent made this descriptor for us and told its number; nobody else in this process knows it.
    let gate = unsafe { OwnedFd::from_raw_fd(fd) };
    let mut byte = [0u8; 1];
    match rustix::io::read(&gate, &mut byte) {
        Ok(1) => {}
        Ok(_) => return io::Error::other("observer went away before the command could start"),
        Err(error) => return error.into(),
    }
    drop(gate);
    let Some((program, arguments)) = command.split_first() else {
        return io::Error::new(io::ErrorKind::InvalidInput, "no command");
    };
    std::process::Command::new(program).args(arguments).exec()
}
