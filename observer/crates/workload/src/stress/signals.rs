//! Being asked to stop: signals are noted, and looked at between steps, so that every way out tidies up.

use std::io;
use std::mem::zeroed;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicI32, Ordering};

use rustix::process::{Signal, set_parent_process_death_signal};

use super::{Result, StressError};

/// The last signal that asked to stop; 0 while there was none.
static STOP: AtomicI32 = AtomicI32::new(0);

/// The signals that mean "stop and tidy up".
const SIGNALS: [i32; 3] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP];

extern "C" fn note(signal: i32) {
    STOP.store(signal, Ordering::Relaxed);
}

/// Has SIGINT, SIGTERM and SIGHUP noted from now on.
pub fn watch() -> Result<()> {
    for signal in SIGNALS {
        install(signal).map_err(|e| StressError::io(format!("watch signal {signal}"), e))?;
    }
    Ok(())
}

/// Has SIGTERM sent when the thread that started this process dies.
///
/// A parent that is gone already is found at the first message, which then has no reader.
pub(super) fn watch_parent() -> Result<()> {
    set_parent_process_death_signal(Some(Signal::TERM)).map_err(|e| StressError::io("watch the parent process", e))
}

/// An error when a signal has asked to stop.
pub fn check() -> Result<()> {
    match STOP.load(Ordering::Relaxed) {
        0 => Ok(()),
        signal => Err(StressError::Interrupted { signal }),
    }
}

fn install(signal: i32) -> io::Result<()> {
    // SAFETY: all fields of sigaction are integers, pointers and sets for which zeroes are valid: no flags, an empty
    // mask. Without SA_RESTART a blocked write returns, and the signal is looked at.
    let mut action: libc::sigaction = unsafe { zeroed() };
    action.sa_sigaction = note as extern "C" fn(i32) as usize;
    // SAFETY: the handler only stores to an atomic, which is async-signal-safe; `action` is valid for the call.
    let outcome = unsafe { libc::sigaction(signal, &raw const action, null_mut()) };
    if outcome == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_noted_signal_is_an_error_from_then_on() {
        assert!(check().is_ok());
        note(libc::SIGTERM);
        let error = check().unwrap_err();
        STOP.store(0, Ordering::Relaxed);
        assert!(matches!(error, StressError::Interrupted { signal: libc::SIGTERM }));
    }
}
