//! Signals to listen to. One that was ignored when this program was started stays ignored: SIGHUP below nohup, SIGINT of
//! a background job of a shell without job control.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

use observer_workload::signals::is_ignored;

/// A signal, unless it was ignored at the start.
pub(crate) struct Heard(Option<Signal>);

impl Heard {
    pub(crate) fn new(kind: SignalKind) -> io::Result<Self> {
        Ok(Self(if is_ignored(kind.as_raw_value())? { None } else { Some(signal(kind)?) }))
    }

    pub(crate) const fn is_ignored(&self) -> bool {
        self.0.is_none()
    }

    /// Never completes for an ignored signal.
    pub(crate) async fn recv(&mut self) {
        match &mut self.0 {
            Some(signal) => {
                signal.recv().await;
            }
            None => std::future::pending().await,
        }
    }
}

/// The signals that end an observation or a replay. From its creation on, none is missed.
pub(crate) struct StopSignals {
    int: Heard,
    term: Heard,
    hup: Heard,
}

impl StopSignals {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            int: Heard::new(SignalKind::interrupt())?,
            term: Heard::new(SignalKind::terminate())?,
            hup: Heard::new(SignalKind::hangup())?,
        })
    }

    pub(crate) async fn any(&mut self) {
        tokio::select! {
            () = self.int.recv() => {}
            () = self.term.recv() => {}
            () = self.hup.recv() => {}
        }
    }
}

/// Undoes an inherited `SIG_IGN` of SIGCHLD, with which the kernel discards the exit status of every child. The command
/// and the workload get the default as well.
pub(crate) fn keep_exit_status_of_children() {
    // SAFETY: SIG_DFL installs no handler.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
}
