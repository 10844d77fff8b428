//! Starts the command given with `--`. It runs only after its tasks are observed.
//!
//! The child is this program again. It runs a program of the kernel that adds it to the map of watched tasks, waits at a
//! gate (a pipe), and then executes the command. So its tasks are watched from the first instruction of the command, by
//! the ids that the kernel uses: in a PID namespace this process knows others.

use std::{
    ffi::OsString,
    fs::File,
    io::{self, Read},
    os::{
        fd::{AsFd as _, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd},
        unix::process::CommandExt as _,
    },
    process::{ExitCode, Stdio},
};

use observer_observation::command;
use observer_probe::identify;
use rustix::{
    io::{FdFlags, fcntl_setfd},
    pipe::{PipeFlags, pipe, pipe_with},
};
use tokio::process::{Child, Command};

use crate::signals::pass_on_ignored;

/// Name of the hidden subcommand that waits at the gate.
pub(crate) const SUBCOMMAND: &str = "__launch";

/// Exit code of a shell for a command that cannot be executed.
const CANNOT_EXECUTE: u8 = 127;

/// A child that waits at the gate.
pub(crate) struct Launched {
    child: Child,
    gate: OwnedFd,
}

/// Why no child waits at the gate.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LaunchError {
    #[error("there are no more descriptors or processes")]
    Spawn(#[from] io::Error),
    #[error("its process ended too early")]
    Ended,
    #[error("the kernel does not let its process run the eBPF program that watches it")]
    Identify(#[source] io::Error),
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
    /// Starts the child, which runs the program `identifier` and then waits at the gate. It inherits `inherit`.
    pub(crate) fn spawn(&self, inherit: Option<&OwnedFd>, identifier: BorrowedFd<'_>) -> Result<Launched, LaunchError> {
        let (wait, gate) = pipe().map_err(io::Error::from)?;
        let (answer, identified) = pipe().map_err(io::Error::from)?;
        for end in [&gate, &answer] {
            fcntl_setfd(end, FdFlags::CLOEXEC).map_err(io::Error::from)?;
        }
        let identifier = rustix::io::dup(identifier).map_err(io::Error::from)?;
        let mut command = Command::new("/proc/self/exe");
        command.arg(SUBCOMMAND);
        command.args([&wait, &identifier, &identified].map(|fd| fd.as_raw_fd().to_string()));
        command.arg("--").args(&self.command);
        if self.stdout_to_stderr {
            command.stdout(Stdio::from(rustix::io::dup(rustix::stdio::stderr()).map_err(io::Error::from)?));
        }
        if self.no_stdin {
            command.stdin(Stdio::null());
        }
        pass_on_ignored(command.as_std_mut());
        if let Some(fd) = inherit {
            fcntl_setfd(fd, FdFlags::empty()).map_err(io::Error::from)?;
        }
        let child = command.kill_on_drop(true).spawn()?;
        if let Some(fd) = inherit {
            fcntl_setfd(fd, FdFlags::CLOEXEC).map_err(io::Error::from)?;
        }
        // Without these copies the pipe ends with the child.
        drop((wait, identifier, identified));
        read_answer(File::from(answer))?;
        Ok(Launched { child, gate })
    }
}

/// The child's answer: 0, or the number of the error with which the kernel refused the program.
fn read_answer(mut answer: impl Read) -> Result<(), LaunchError> {
    let mut number = [0; 4];
    match answer.read_exact(&mut number) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(LaunchError::Ended),
        Err(error) => return Err(error.into()),
    }
    match i32::from_ne_bytes(number) {
        0 => Ok(()),
        number => Err(LaunchError::Identify(io::Error::from_raw_os_error(number))),
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

/// Descriptors that the child inherits for itself.
pub(crate) struct Inherited {
    /// The end of a pipe; it is read.
    gate: OwnedFd,
    /// The program that adds the child to the watched tasks.
    identifier: OwnedFd,
    /// The end of a pipe for the answer.
    identified: OwnedFd,
}

impl Inherited {
    /// # Safety
    /// The parent created these descriptors for this process, and nothing in it owns them.
    pub(crate) unsafe fn new([gate, identifier, identified]: [i32; 3]) -> Self {
        // SAFETY: the caller promises that nothing owns the descriptor.
        let own = |fd| unsafe { OwnedFd::from_raw_fd(fd) };
        Self { gate: own(gate), identifier: own(identifier), identified: own(identified) }
    }
}

/// The child: has itself watched, waits at the gate, and executes the command. On failure prints the error and returns
/// the exit code of a shell.
pub(crate) fn execute(inherited: Inherited, command: &[OsString]) -> ExitCode {
    let error = wait_and_exec(inherited, command);
    eprintln!("observer: cannot run `{}`: {error}", command::typed(command));
    ExitCode::from(CANNOT_EXECUTE)
}

/// Returns only on failure.
fn wait_and_exec(inherited: Inherited, command: &[OsString]) -> io::Error {
    let Inherited { gate, identifier, identified } = inherited;
    let refused = identify(identifier.as_fd()).err();
    let number = refused.as_ref().map_or(0, |error| error.raw_os_error().unwrap_or(libc::EIO));
    if let Err(error) = rustix::io::write(&identified, &number.to_ne_bytes()) {
        return error.into();
    }
    drop((identifier, identified));
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
    let mut command = std::process::Command::new(program);
    pass_on_ignored(&mut command);
    command.args(arguments).exec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_child_that_answers_0_is_watched() {
        assert!(matches!(read_answer(&[0, 0, 0, 0][..]), Ok(())));
        assert!(matches!(read_answer(&[][..]), Err(LaunchError::Ended)));
        let denied = read_answer(&1i32.to_ne_bytes()[..]);
        let Err(LaunchError::Identify(error)) = denied else { panic!("{denied:?}") };
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
    }
}
