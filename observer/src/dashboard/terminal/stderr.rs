//! While the dashboard is open, standard error of this process and of the observed command goes into a pipe, so that it
//! does not overwrite the screen. The last part of it is printed when the terminal is restored.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, Read as _, Write as _},
    os::fd::OwnedFd,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use rustix::{
    io::{FdFlags, fcntl_setfd},
    pipe::{PipeFlags, pipe_with},
    stdio::{dup2_stderr, stderr},
    termios::isatty,
};

/// Most bytes kept.
const KEPT: usize = 64 << 10;

/// Longest wait for the rest of the pipe.
const PATIENCE: Duration = Duration::from_millis(100);

#[derive(Default)]
struct Tail {
    bytes: VecDeque<u8>,
    dropped: u64,
}

struct Held {
    terminal: OwnedFd,
    tail: Arc<Mutex<Tail>>,
    /// To find out whether the pipe is empty.
    pipe: File,
}

static HELD: Mutex<Option<Held>> = Mutex::new(None);

/// Redirects standard error, if it is a terminal. Without a pipe messages overwrite the screen, which does no other
/// harm.
pub(super) fn hold() {
    if !isatty(stderr()) {
        return;
    }
    let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
    if held.is_none() {
        *held = start().ok();
    }
}

fn start() -> io::Result<Held> {
    let terminal = rustix::io::dup(stderr())?;
    fcntl_setfd(&terminal, FdFlags::CLOEXEC)?;
    let (read_end, write_end) = pipe_with(PipeFlags::CLOEXEC)?;
    let tail = Arc::new(Mutex::new(Tail::default()));
    let (mut from, to) = (File::from(read_end), Arc::clone(&tail));
    let pipe = from.try_clone()?;
    thread::Builder::new().name("messages".to_owned()).spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(len @ 1..) = from.read(&mut bytes) {
            keep(&to, bytes.get(..len).unwrap_or_default());
        }
    })?;
    dup2_stderr(&write_end)?;
    Ok(Held { terminal, tail, pipe })
}

fn keep(tail: &Mutex<Tail>, bytes: &[u8]) {
    let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
    tail.bytes.extend(bytes);
    let over = tail.bytes.len().saturating_sub(KEPT);
    tail.bytes.drain(..over);
    tail.dropped += over as u64;
}

/// Restores standard error, and prints what was kept.
pub(super) fn release() {
    let held = HELD.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(held) = held else { return };
    let _ = dup2_stderr(&held.terminal);
    let start = Instant::now();
    while rustix::io::ioctl_fionread(&held.pipe).is_ok_and(|waiting| waiting > 0) && start.elapsed() < PATIENCE {
        thread::sleep(Duration::from_millis(1));
    }
    let mut tail = held.tail.lock().unwrap_or_else(PoisonError::into_inner);
    let mut out = io::stderr().lock();
    if tail.dropped > 0 {
        let _ = writeln!(out, "observer: the first {} bytes of messages were discarded", tail.dropped);
    }
    let _ = out.write_all(tail.bytes.make_contiguous());
}
