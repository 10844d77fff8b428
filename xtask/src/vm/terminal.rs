//! Gives this terminal to a guest.

use std::{
    env,
    fs::{File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::{fs::OpenOptionsExt as _, net::UnixStream},
};

use anyhow::{Context as _, Result, bail};
use rustix::{
    fs::OFlags,
    termios::{self, OptionalActions, Termios},
};
use tokio::{
    io::{Interest, unix::AsyncFd},
    signal::unix::{SignalKind, signal},
};

/// Ctrl-]. All other keys, Ctrl-C included, go to the guest.
const ESCAPE: u8 = 0x1d;
const ESCAPES_TO_END: usize = 3;

/// Leaves the alternate screen, shows the cursor, wraps lines, resets mouse reports, bracketed paste and colours: a
/// guest that died may have changed any of these.
const RESET: &[u8] =
    b"\x1b[?1049l\x1b[?25h\x1b[?7h\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1015l\x1b[?2004l\x1b[0m";

/// Size and type of a terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) rows: u16,
    pub(super) columns: u16,
    /// The value of `TERM`.
    pub(super) term: String,
}

impl Window {
    /// 24 by 80 if the terminal does not report a size.
    pub(super) fn of_this_terminal() -> Result<Self> {
        if !termios::isatty(io::stdin()) || !termios::isatty(io::stdout()) {
            bail!("--tty needs a terminal on standard input and output; leave --tty out, or run it in a terminal");
        }
        let size = termios::tcgetwinsize(io::stdout()).context("cannot get the size of the terminal")?;
        let or = |value, default| if value == 0 { default } else { value };
        let term = env::var("TERM").unwrap_or_else(|_| "vt100".to_owned());
        Ok(Self { rows: or(size.ws_row, 24), columns: or(size.ws_col, 80), term })
    }
}

/// Raw mode, until dropped.
pub(super) struct RawTerminal {
    saved: Termios,
    /// Whether the screen is reset as well.
    resets_screen: bool,
}

impl RawTerminal {
    pub(super) fn enter() -> Result<Self> {
        let saved = termios::tcgetattr(io::stdin()).context("cannot read the terminal's mode")?;
        let mut raw = saved.clone();
        raw.make_raw();
        termios::tcsetattr(io::stdin(), OptionalActions::Flush, &raw)
            .context("cannot switch the terminal to raw mode")?;
        Ok(Self { saved, resets_screen: true })
    }

    /// For a command that ended by itself: its output stays on the screen.
    pub(super) fn keep_screen(&mut self) {
        self.resets_screen = false;
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        // An error could only be shown on this terminal.
        if self.resets_screen {
            let _ = io::stdout().write_all(RESET).and_then(|()| io::stdout().flush());
        }
        let _ = termios::tcsetattr(io::stdin(), OptionalActions::Flush, &self.saved);
    }
}

/// Sends typed keys to the guest's `console` until Ctrl-] is typed three times in a row, or the terminal is closed.
pub(super) async fn forward_keys(mut console: &UnixStream) -> Result<()> {
    let keyboard = reopen()?;
    // SAFETY: a `File` keeps its one descriptor open until it is dropped, and the `AsyncFd` owns it until then.
    let keyboard = unsafe { AsyncFd::register_with_interest(keyboard, Interest::READABLE) }
        .context("cannot wait for the keyboard")?;
    let mut typed = [0; 1024];
    let mut escapes = 0;
    loop {
        let mut ready = keyboard.readable().await.context("cannot wait for the keyboard")?;
        let Ok(read) = ready.try_io(|file| file.get_ref().read(&mut typed)) else { continue };
        let bytes = typed.get(..read.context("cannot read the keyboard")?).unwrap_or_default();
        escapes = count_escapes(escapes, bytes);
        if bytes.is_empty() || escapes >= ESCAPES_TO_END {
            return Ok(());
        }
        // If the guest does not read its input, keys are dropped and this loop continues.
        let _ = console.write_all(bytes);
    }
}

/// Number of consecutive escape keys at the end of the input, `bytes` included.
fn count_escapes(before: usize, bytes: &[u8]) -> usize {
    let last = bytes.iter().rev().take_while(|byte| **byte == ESCAPE).count();
    if last == bytes.len() { before + last } else { last }
}

/// Sends the window's size to the guest's port whenever it changes. Never returns.
pub(super) async fn forward_window(mut port: &UnixStream) -> Result<()> {
    let mut changes = signal(SignalKind::window_change()).context("cannot listen for changes of the window size")?;
    loop {
        changes.recv().await;
        if let Ok(window) = Window::of_this_terminal() {
            let _ = port.write_all(format!("{} {}\n", window.rows, window.columns).as_bytes());
        }
    }
}

/// Opens the terminal again: non-blocking mode belongs to the open file, and that of standard input is shared with the
/// shell.
fn reopen() -> Result<File> {
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits();
    let flags = i32::try_from(flags).context("open flags do not fit")?;
    OpenOptions::new().read(true).custom_flags(flags).open("/dev/tty").context("cannot open /dev/tty, this terminal")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consecutive_escape_keys_are_counted_across_reads() {
        assert_eq!(count_escapes(0, &[ESCAPE; 3]), 3);
        assert_eq!(count_escapes(2, &[ESCAPE]), 3);
        assert_eq!(count_escapes(2, b"a"), 0);
        assert_eq!(count_escapes(2, &[b'a', ESCAPE]), 1);
        assert_eq!(count_escapes(2, &[ESCAPE, b'a']), 0);
    }
}
