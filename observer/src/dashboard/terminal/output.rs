//! Writes frames to the terminal on a separate thread: a slow serial line, or a terminal stopped with Ctrl-S, must not
//! delay events.

use std::{
    io::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc::{Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

/// Collects a frame, and passes it to the thread when it is flushed.
pub(super) struct Output {
    frame: Vec<u8>,
    frames: Sender<Vec<u8>>,
    progress: Progress,
}

/// The number of frames that have not been written yet.
#[derive(Clone, Default)]
pub(super) struct Progress(Arc<AtomicUsize>);

impl Progress {
    /// Whether all frames have been written.
    pub(super) fn is_idle(&self) -> bool {
        self.0.load(Ordering::SeqCst) == 0
    }

    /// Waits until they have, at most for `patience`.
    pub(super) fn wait(&self, patience: Duration) {
        let start = Instant::now();
        while !self.is_idle() && start.elapsed() < patience {
            thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Output {
    /// Starts the thread, which ends when this value is dropped. While `may_write` is false it discards frames: a panic
    /// on another thread has restored the terminal.
    pub(super) fn start(may_write: &'static AtomicBool) -> io::Result<Self> {
        let (frames, received) = channel::<Vec<u8>>();
        let progress = Progress::default();
        let done = progress.clone();
        thread::Builder::new().name("screen".to_owned()).spawn(move || {
            for frame in received {
                // Locked before the check: the thread that restores the terminal waits for a frame in progress.
                let mut out = io::stdout().lock();
                if may_write.load(Ordering::SeqCst) {
                    // A closed terminal is noticed by SIGHUP, or by the end of the keys.
                    let _ = out.write_all(&frame).and_then(|()| out.flush());
                }
                drop(out);
                done.0.fetch_sub(1, Ordering::SeqCst);
            }
        })?;
        Ok(Self { frame: Vec::new(), frames, progress })
    }

    pub(super) fn progress(&self) -> Progress {
        self.progress.clone()
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.frame.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.frame.is_empty() {
            self.progress.0.fetch_add(1, Ordering::SeqCst);
            if self.frames.send(std::mem::take(&mut self.frame)).is_err() {
                self.progress.0.fetch_sub(1, Ordering::SeqCst);
            }
        }
        Ok(())
    }
}
