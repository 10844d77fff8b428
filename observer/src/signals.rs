//! Signals to listen to. One that was ignored when this program was started stays ignored, here and in the command that
//! is observed: SIGHUP below nohup, SIGINT of a background job of a shell without job control.

use std::{
    io,
    os::unix::process::CommandExt as _,
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
};

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

/// Undoes an inherited `SIG_IGN` of SIGCHLD, with which the kernel discards the exit status of every child.
pub(crate) fn keep_exit_status_of_children() {
    // SAFETY: SIG_DFL installs no handler.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
}

/// Signals that this program does not leave as it found them: the standard library ignores SIGPIPE before `main`, and
/// gives every command the default; [`keep_exit_status_of_children`] changes SIGCHLD.
const CHANGED: [libc::c_int; 2] = [libc::SIGPIPE, libc::SIGCHLD];

/// Whether each of [`CHANGED`] was ignored when this program was started.
static IGNORED_AT_START: [AtomicBool; 2] = [AtomicBool::new(false), AtomicBool::new(false)];

/// Runs before the standard library is set up.
// SAFETY: the C library calls each pointer in this section once; the function only makes system calls and stores.
#[used]
#[unsafe(link_section = ".init_array")]
static AT_START: extern "C" fn() = note_ignored;

extern "C" fn note_ignored() {
    for (signal, ignored) in CHANGED.into_iter().zip(&IGNORED_AT_START) {
        ignored.store(is_ignored(signal).unwrap_or(false), Ordering::Relaxed);
    }
}

/// Lets the command ignore what this program was started to ignore.
pub(crate) fn pass_on_ignored(command: &mut Command) {
    let started = CHANGED.into_iter().zip(&IGNORED_AT_START);
    for (signal, _) in started.filter(|(_, ignored)| ignored.load(Ordering::Relaxed)) {
        let ignore = move || {
            // SAFETY: SIG_IGN installs no handler.
            let before = unsafe { libc::signal(signal, libc::SIG_IGN) };
            if before == libc::SIG_ERR { Err(io::Error::last_os_error()) } else { Ok(()) }
        };
        // SAFETY: between fork and exec the closure only makes a system call.
        unsafe { command.pre_exec(ignore) };
    }
}
