//! A second reference to each swapped-out page: a process that does nothing but hold it.

use crate::stress::{Result, StressError};

/// A child made by fork, which shares every entry that is swapped out by then: the kernels up to 6.19 skip the swap cache
/// only for an entry with one reference. It sleeps until this value is dropped, and ends with this process at the latest.
#[derive(Debug)]
pub(super) struct SecondReference {
    child: libc::pid_t,
}

impl SecondReference {
    /// Forks. The memory that the child is to hold must be swapped out already.
    pub(super) fn take() -> Result<Self> {
        let parent = std::process::id();
        // SAFETY: the child calls nothing that is not async-signal-safe.
        let child = unsafe { libc::fork() };
        match child {
            0 => hold(parent),
            -1 => Err(StressError::io("fork a process that holds the pages", std::io::Error::last_os_error())),
            child => Ok(Self { child }),
        }
    }
}

impl Drop for SecondReference {
    fn drop(&mut self) {
        // SAFETY: the child has not been waited for, so the number is still its own.
        unsafe { libc::kill(self.child, libc::SIGKILL) };
        loop {
            // SAFETY: a null status pointer is allowed.
            let waited = unsafe { libc::waitpid(self.child, std::ptr::null_mut(), 0) };
            // A signal to this process cuts the wait short, and is looked at elsewhere.
            if waited != -1 || std::io::Error::last_os_error().raw_os_error() != Some(libc::EINTR) {
                return;
            }
        }
    }
}

/// The child's life: it touches nothing.
fn hold(parent: u32) -> ! {
    // SAFETY: a plain system call on numbers, async-signal-safe.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    // SAFETY: likewise.
    let still_there = unsafe { libc::getppid() };
    // Gone before it could be watched.
    if u32::try_from(still_there) != Ok(parent) {
        // SAFETY: likewise; it runs nothing of this program's any more.
        unsafe { libc::_exit(0) };
    }
    loop {
        // SAFETY: likewise.
        unsafe { libc::pause() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_child_is_there_until_it_is_let_go_and_leaves_nothing() {
        let held = SecondReference::take().unwrap();
        let path = format!("/proc/{}/stat", held.child);
        assert!(std::path::Path::new(&path).exists());
        drop(held);
        assert!(!std::path::Path::new(&path).exists(), "a zombie is left");
    }
}
