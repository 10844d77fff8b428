//! Starts the command given with `--`. It runs only after its tasks are observed.
//!
//! The child is this program again. It waits at a gate (a pipe) and then executes the command, so that its thread ID is
//! known, and in the map of watched tasks, before the first instruction of the command.

use std::{
    ffi::OsString,
    io,
    os::{
        fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
        unix::process::CommandExt as _,
    },
    process::{ExitCode, Stdio},
};

use observer_observation::command;
use rustix::{
    io::{FdFlags, fcntl_setfd},
    pipe::{PipeFlags, pipe, pipe_with},
};
use tokio::process::{Child, Command};

/// Name of the hidden subcommand that waits at the gate.
pub(crate) const SUBCOMMAND: &str = "__launch";

/// Exit code of a shell for a command that cannot be executed.
const CANNOT_EXECUTE: u8 = 127;

/// A child that waits at the gate.
pub(crate) struct Launched {
    child: Child,
    /// Does not change when the child executes the command.
    pub(crate) tid: u32,
    gate: OwnedFd,
}

/// A command to start.
#[derive(Clone, Debug)]
pub(crate) struct Launch {
    /// Program and arguments.
    pub(crate) command: Vec<OsString>,
    /// Redirects its standard output to standard error: standard output carries one JSON object, or the dashboard.
    pub(crate) stdout_to_stderr: bool,
    /// Closes its standard input: the keys belong to the dashboard.
    pub(crate) no_stdin: bool,
}

impl Launch {
    /// Starts the child, which waits at the gate. It inherits `inherit`.
    ///
    /// # Errors
    /// When there are no more descriptors or processes.
    pub(crate) fn spawn(&self, inherit: Option<&OwnedFd>) -> io::Result<Launched> {
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
        let tid = child.id().ok_or_else(|| io::Error::other("the command ended before it was started"))?;
        Ok(Launched { child, tid, gate })
    }
}

impl Launched {
    /// Opens the gate.
    ///
    /// # Errors
    /// When the child has ended.
    pub(crate) fn start(self) -> io::Result<Child> {
        rustix::io::write(&self.gate, b"\n")?;
        Ok(self.child)
    }
}

/// A pipe whose ends are closed in children, except the one passed to [`Launch::spawn`].
///
/// # Errors
/// When there are no more descriptors.
pub(crate) fn message_pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(pipe_with(PipeFlags::CLOEXEC)?)
}

/// The child: waits at the gate, a descriptor, and executes the command. On failure prints the error and returns the
/// exit code of a shell.
pub(crate) fn execute(gate: i32, command: &[OsString]) -> ExitCode {
    let error = wait_and_exec(gate, command);
    eprintln!("observer: cannot run `{}`: {error}", command::typed(command));
    ExitCode::from(CANNOT_EXECUTE)
}

/// Returns only on failure.
fn wait_and_exec(gate: i32, command: &[OsString]) -> io::Error {
    // SAFETY: the parent created this descriptor for the child and passed its number; no other value in this process
    // owns it.
    let gate = unsafe { OwnedFd::from_raw_fd(gate) };
    let mut byte = [0u8; 1];
    match rustix::io::read(&gate, &mut byte) {
        Ok(1) => {}
        Ok(_) => return io::Error::other("observer ended before the command was started"),
        Err(error) => return error.into(),
    }
    drop(gate);
    let Some((program, arguments)) = command.split_first() else {
        return io::Error::new(io::ErrorKind::InvalidInput, "no command");
    };
    std::process::Command::new(program).args(arguments).exec()
}
