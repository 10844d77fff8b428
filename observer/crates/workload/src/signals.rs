//! Signals that stop a workload: a handler stores the signal, and the workload checks for it between its steps. So it
//! cleans up on every way out.

use std::{
    io,
    mem::zeroed,
    ptr::{null, null_mut},
    sync::atomic::{AtomicI32, Ordering},
};

use rustix::process::{Signal, set_parent_process_death_signal};

use crate::{Result, WorkloadError};

/// The last signal that asked the workload to stop; 0: none.
static STOP: AtomicI32 = AtomicI32::new(0);

const SIGNALS: [i32; 3] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP];

extern "C" fn store(signal: i32) {
    STOP.store(signal, Ordering::Relaxed);
}

/// Installs the handler of SIGINT, SIGTERM and SIGHUP. A signal that is ignored, as SIGHUP is below nohup, stays
/// ignored.
pub fn watch() -> Result<()> {
    for signal in SIGNALS {
        if is_ignored(signal).map_err(|e| WorkloadError::io(format!("query signal {signal}"), e))? {
            continue;
        }
        install(signal).map_err(|e| WorkloadError::io(format!("handle signal {signal}"), e))?;
    }
    Ok(())
}

/// Asks for SIGTERM when the thread that started this process dies.
///
/// A parent that is already gone is detected at the first message, whose pipe has no reader then.
pub(crate) fn watch_parent() -> Result<()> {
    set_parent_process_death_signal(Some(Signal::TERM)).map_err(|e| WorkloadError::io("watch the parent process", e))
}

/// [`WorkloadError::Interrupted`] once a signal has arrived.
pub fn check() -> Result<()> {
    match STOP.load(Ordering::Relaxed) {
        0 => Ok(()),
        signal => Err(WorkloadError::Interrupted { signal }),
    }
}

/// Whether this process ignores the signal.
///
/// # Errors
/// When there is no such signal.
pub fn is_ignored(signal: i32) -> io::Result<bool> {
    // SAFETY: all fields of sigaction are integers, pointers and sets for which zeroes are valid.
    let mut action: libc::sigaction = unsafe { zeroed() };
    // SAFETY: without a new action nothing is changed; `action` is valid for the call.
    let outcome = unsafe { libc::sigaction(signal, null(), &raw mut action) };
    if outcome == 0 { Ok(action.sa_sigaction == libc::SIG_IGN) } else { Err(io::Error::last_os_error()) }
}

fn install(signal: i32) -> io::Result<()> {
    // SAFETY: all fields of sigaction are integers, pointers and sets for which zeroes are valid: no flags, an empty
    // mask. Without SA_RESTART a blocked write returns, so that the signal is checked for.
    let mut action: libc::sigaction = unsafe { zeroed() };
    action.sa_sigaction = store as extern "C" fn(i32) as usize;
    // SAFETY: the handler only stores to an atomic, which is async-signal-safe; `action` is valid for the call.
    let outcome = unsafe { libc::sigaction(signal, &raw const action, null_mut()) };
    if outcome == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ignored_signal_stays_ignored() {
        // SAFETY: SIG_IGN installs no handler.
        unsafe { libc::signal(libc::SIGHUP, libc::SIG_IGN) };
        watch().unwrap();
        let ignored = SIGNALS.map(|signal| is_ignored(signal).unwrap());
        // SAFETY: SIG_DFL installs no handler.
        unsafe { libc::signal(libc::SIGHUP, libc::SIG_DFL) };
        assert_eq!(ignored, [false, false, true]);
        assert!(is_ignored(0).is_err());
    }

    #[test]
    fn a_stored_signal_is_an_error_from_then_on() {
        assert!(check().is_ok());
        store(libc::SIGTERM);
        let error = check().unwrap_err();
        STOP.store(0, Ordering::Relaxed);
        assert!(matches!(error, WorkloadError::Interrupted { signal: libc::SIGTERM }));
    }
}
