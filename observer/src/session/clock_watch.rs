//! Learns at once that the wall clock was changed.

use std::{future::pending, io, os::fd::OwnedFd};

use rustix::{
    io::Errno,
    time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime},
};
use tokio::io::unix::AsyncFd;

use super::readable;

/// A timer of `CLOCK_REALTIME` that never expires, and that the kernel cancels when the clock is stepped and when the
/// machine resumes. `None`: the timer is refused (a seccomp filter), and changes are found when a sample is taken.
pub(super) struct ClockWatch(Option<AsyncFd<OwnedFd>>);

impl ClockWatch {
    /// Must be called on a runtime.
    pub(super) fn new() -> Self {
        let timer =
            timer().inspect_err(|error| log::info!("changes of the wall clock are found with samples: {error}"));
        Self(timer.ok())
    }

    /// Completes after the wall clock was stepped or the machine has resumed; several changes may be one completion.
    /// No change gets lost when it is dropped.
    pub(super) async fn changed(&self) {
        let Some(timer) = &self.0 else { return pending().await };
        loop {
            let Ok(mut ready) = timer.readable().await else { return pending().await };
            let read = ready.try_io(|timer| Ok(rustix::io::read(timer, &mut [0; 8])?));
            match read {
                Ok(Err(error)) if error.raw_os_error() == Some(Errno::CANCELED.raw_os_error()) => return,
                Ok(_) => ready.clear_ready(),
                Err(_would_block) => {}
            }
        }
    }
}

fn timer() -> io::Result<AsyncFd<OwnedFd>> {
    let timer = timerfd_create(TimerfdClockId::Realtime, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
    let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
    let never = Itimerspec { it_interval: zero, it_value: Timespec { tv_sec: i64::MAX, ..zero } };
    timerfd_settime(&timer, TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET, &never)?;
    readable(timer)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    /// That a step completes it is shown in a guest: the clock of this machine is not to be set.
    #[test]
    fn a_clock_that_is_not_set_does_not_change() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            for watch in [ClockWatch::new(), ClockWatch(None)] {
                assert!(timeout(Duration::from_millis(50), watch.changed()).await.is_err());
            }
            assert!(timer().is_ok());
        });
    }
}
