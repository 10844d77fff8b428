//! A second reference to each swapped-out page, held by a forked process that does nothing else.

use std::io;

use crate::{Result, WorkloadError};

/// A forked child, which shares every entry that is swapped out at that time: kernels up to 6.19 skip the swap cache
/// only for an entry with a single reference. It sleeps until this value is dropped, and never outlives this process.
#[derive(Debug)]
pub(super) struct ExtraReference {
    child: libc::pid_t,
}

impl ExtraReference {
    /// Forks. The memory that the child shares must be swapped out before.
    pub(super) fn take() -> Result<Self> {
        let parent = std::process::id();
        // SAFETY: after fork the child only runs `hold`, which calls nothing that is not async-signal-safe.
        let child = unsafe { libc::fork() };
        match child {
            0 => hold(parent),
            -1 => Err(WorkloadError::io("fork a process that shares the pages", io::Error::last_os_error())),
            child => Ok(Self { child }),
        }
    }
}

impl Drop for ExtraReference {
    fn drop(&mut self) {
        // SAFETY: the child has not been reaped, so its process ID has not been reused.
        unsafe { libc::kill(self.child, libc::SIGKILL) };
        loop {
            // SAFETY: waitpid accepts a null status pointer.
            let waited = unsafe { libc::waitpid(self.child, std::ptr::null_mut(), 0) };
            // A signal to this process interrupts the wait; `signals::check` reports it later.
            if waited != -1 || io::Error::last_os_error().raw_os_error() != Some(libc::EINTR) {
                return;
            }
        }
    }
}

/// The child: touches no memory of the parent.
fn hold(parent: u32) -> ! {
    // SAFETY: prctl is a plain system call here; its arguments are numbers, and it is async-signal-safe.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    // SAFETY: getppid takes no arguments and is async-signal-safe.
    let current_parent = unsafe { libc::getppid() };
    // The parent died before its death was watched.
    if u32::try_from(current_parent) != Ok(parent) {
        // SAFETY: _exit is async-signal-safe and runs no handlers of this process.
        unsafe { libc::_exit(0) };
    }
    loop {
        // SAFETY: pause takes no arguments and is async-signal-safe.
        unsafe { libc::pause() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_child_exists_until_it_is_dropped_and_is_reaped() {
        let reference = ExtraReference::take().unwrap();
        let path = format!("/proc/{}/stat", reference.child);
        assert!(std::path::Path::new(&path).exists());
        drop(reference);
        assert!(!std::path::Path::new(&path).exists(), "a zombie is left");
    }
}
