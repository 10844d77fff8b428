//! SIGTERM, SIGINT and SIGHUP end the rounds, so that the swap device is removed.

use std::sync::atomic::{AtomicI32, Ordering};

use crate::failure::{Failure, Result};

/// 0: none.
static CAUGHT: AtomicI32 = AtomicI32::new(0);

extern "C" fn on_signal(signal: libc::c_int) {
    CAUGHT.store(signal, Ordering::Relaxed);
}

pub(crate) fn catch() -> Result<()> {
    for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP] {
        let handler = on_signal as extern "C" fn(libc::c_int);
        // SAFETY: the handler only stores to an atomic, which is async-signal-safe.
        if unsafe { libc::signal(signal, handler as libc::sighandler_t) } == libc::SIG_ERR {
            return Err(Failure::last_os("installing signal handlers", "report it"));
        }
    }
    Ok(())
}

pub(crate) fn caught() -> Option<i32> {
    Some(CAUGHT.load(Ordering::Relaxed)).filter(|signal| *signal != 0)
}

/// Whether a signal was caught. Loops check it and end.
pub(crate) fn stopped() -> bool {
    caught().is_some()
}
