//! The end of a guest's output. A serial port loses what it has not sent when the guest is switched off, and the kernel
//! waits for it only by the guest's clock, which does not wait for a busy host when instructions are counted. So the guest
//! marks the end of its streams and stays on until this process has read all marks.

use std::{convert::Infallible, future, io::Write as _, os::unix::net::UnixStream};

use tokio::sync::mpsc::UnboundedReceiver;

/// What ends the output of the command on each of its two ports (EOT).
const MARK: u8 = 4;
/// What ends the report.
const DONE: &[u8] = b"done\n";
/// What the guest waits for on the port of its report.
const CONFIRMATION: &[u8] = b"\n";

/// The streams that have a marked end: the command's output, its errors, and the report.
const STREAMS: usize = 3;

/// Recognizes the end of a stream.
#[derive(Debug)]
pub(super) enum Ending {
    /// The stream ends with the guest.
    None,
    /// [`MARK`], which is no part of the output. `held`: it was the last byte so far.
    Mark { held: bool },
    /// [`DONE`], which is a part of the report. `last`: as many last bytes so far.
    Done { last: Vec<u8> },
}

impl Ending {
    /// The end of the output of a command.
    pub(super) const fn of_output() -> Self {
        Self::Mark { held: false }
    }

    pub(super) const fn of_report() -> Self {
        Self::Done { last: Vec::new() }
    }

    /// Passes on what belongs to the stream, and returns whether it is at its end. A mark is held back until something
    /// follows it, which makes it a byte of the output.
    pub(super) fn pass(&mut self, bytes: &[u8], mut write: impl FnMut(&[u8])) -> bool {
        match self {
            Self::None => {
                write(bytes);
                false
            }
            Self::Mark { held } => {
                if *held {
                    write(&[MARK]);
                }
                let rest = bytes.strip_suffix(&[MARK]);
                *held = rest.is_some();
                write(rest.unwrap_or(bytes));
                *held
            }
            Self::Done { last } => {
                last.extend_from_slice(bytes);
                last.drain(..last.len().saturating_sub(DONE.len()));
                write(bytes);
                last.as_slice() == DONE
            }
        }
    }
}

/// Confirms to the guest that all its output has arrived, as soon as each of [`STREAMS`] has sent its end to `ends`. Then it
/// waits for ever: what ends the session is the end of the guest.
pub(super) async fn confirm(mut ends: UnboundedReceiver<()>, mut report: UnixStream) -> Infallible {
    for _ in 0..STREAMS {
        if ends.recv().await.is_none() {
            return future::pending().await;
        }
    }
    // A guest that is gone by now needs no confirmation.
    let _ = report.write_all(CONFIRMATION);
    future::pending().await
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is passed on of `chunks`, and after which of them the stream was at its end.
    fn passed(mut ending: Ending, chunks: &[&[u8]]) -> (Vec<u8>, Vec<bool>) {
        let mut all = Vec::new();
        let ends = chunks.iter().map(|chunk| ending.pass(chunk, |part| all.extend_from_slice(part))).collect();
        (all, ends)
    }

    #[test]
    fn the_mark_at_the_end_is_no_part_of_the_output() {
        assert_eq!(passed(Ending::of_output(), &[b"ab", b"c\x04"]), (b"abc".to_vec(), vec![false, true]));
        assert_eq!(passed(Ending::of_output(), &[b"abc", b"\x04"]), (b"abc".to_vec(), vec![false, true]));
        assert_eq!(passed(Ending::of_output(), &[b"\x04"]), (Vec::new(), vec![true]));
        assert_eq!(passed(Ending::of_output(), &[b"abc"]), (b"abc".to_vec(), vec![false]));
    }

    #[test]
    fn marks_within_the_output_are_passed_on() {
        let chunks: [&[u8]; 3] = [b"a\x04b", b"c\x04", b"\x04"];
        assert_eq!(passed(Ending::of_output(), &chunks), (b"a\x04bc\x04".to_vec(), vec![false, true, true]));
    }

    #[test]
    fn the_report_ends_with_its_last_line_however_it_arrives() {
        let chunks: [&[u8]; 4] = [b"exit 0\nno", b"ne\nd", b"on", b"e\n"];
        assert_eq!(
            passed(Ending::of_report(), &chunks),
            (b"exit 0\nnone\ndone\n".to_vec(), vec![false, false, false, true])
        );
    }
}
