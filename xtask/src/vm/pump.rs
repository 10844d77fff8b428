//! Copies the output streams of a guest.

use std::{
    fs::File,
    io::{self, Read, Write as _},
};

use super::handshake::Ending;

#[derive(Debug)]
pub(super) enum Sink {
    /// Into memory.
    Keep(Vec<u8>),
    /// To standard output.
    Stdout,
    /// To standard error.
    Stderr,
    /// To a file.
    Log(File),
    /// To a file and to standard output.
    LogAndStdout(File),
    /// Discarded, because an earlier write failed.
    Gone,
}

impl Sink {
    /// The bytes of a [`Sink::Keep`]; empty for the others.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        if let Self::Keep(bytes) = self { bytes } else { Vec::new() }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Keep(kept) => kept.extend_from_slice(bytes),
            Self::Stdout => show(bytes)?,
            Self::Stderr => io::stderr().write_all(bytes)?,
            Self::Log(file) => file.write_all(bytes)?,
            Self::LogAndStdout(file) => {
                file.write_all(bytes)?;
                show(bytes)?;
            }
            Self::Gone => {}
        }
        Ok(())
    }
}

fn show(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}

/// Copies `from` into `sink` to its end and returns the sink. `ending` recognizes where the guest's part ends, which is
/// not copied; `ended` is called there, once. If a write fails (a closed pipe), the rest is read and discarded: a guest whose
/// output is not read blocks.
pub(super) fn pump(mut from: impl Read, mut sink: Sink, mut ending: Ending, ended: impl FnOnce()) -> Sink {
    let mut buffer = vec![0; 64 * 1024];
    let mut ended = Some(ended);
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return sink,
            Ok(count) => {
                let bytes = buffer.get(..count).unwrap_or_default();
                let is_at_end = ending.pass(bytes, |part| {
                    if sink.write(part).is_err() {
                        sink = Sink::Gone;
                    }
                });
                if is_at_end && let Some(ended) = ended.take() {
                    ended();
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return sink,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_bytes_are_copied() {
        let bytes: Vec<u8> = (0..200_000_u32).map(|number| number.to_le_bytes()[0]).collect();
        assert_eq!(pump(bytes.as_slice(), Sink::Keep(Vec::new()), Ending::None, || ()).into_bytes(), bytes);
    }

    #[test]
    fn reading_continues_after_a_failed_write() {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let bytes = vec![1; 100_000];
        let mut from = bytes.as_slice();
        assert!(matches!(pump(&mut from, Sink::Log(full), Ending::None, || ()), Sink::Gone));
        assert!(from.is_empty());
    }
}
