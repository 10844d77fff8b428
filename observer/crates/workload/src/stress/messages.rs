//! Messages from the workload's process to its parent: one JSON object per line, on a pipe.
//!
//! The order is `claimed`, `targeted_ready` or `storm_ready`, any number of `round` or `pass`, then `done` or `failed`.
//! `done` and `failed` are sent after the device was removed. A stream that ends without either means that the process
//! was killed: the parent then removes the claimed device with
//! [`SwapDevice::remove_leftover`](crate::swap_device::SwapDevice::remove_leftover).
//!
//! Times are nanoseconds of `CLOCK_MONOTONIC`, as `bpf_ktime_get_ns`.

use std::io::{self, Write};

use serde::{Deserialize, Serialize};

use crate::{Failure, Result, SwapEntry, WorkloadError, signals, swap_device::Claim};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Message {
    /// The swap device exists.
    Claimed(Claim),
    TargetedReady(TargetedReady),
    Round(RoundTruth),
    StormReady(StormReady),
    Pass(PassTruth),
    /// The workload has ended, also by a signal, and the device was removed.
    Done(Done),
    /// The workload, or the removal of the device, failed.
    Failed(Failure),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetedReady {
    /// Path of the swap device.
    pub device: String,
    /// Usable slots of the swap device.
    pub slots: u32,
    pub rounds: u32,
}

/// The ground truth of a round.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoundTruth {
    /// From 1.
    pub round: u32,
    /// Thread group ID of the workload: its own, until the parent sets that of the initial PID namespace.
    pub pid: u32,
    /// Address of the page.
    pub address: u64,
    /// Thread ID in the PID namespace of the workload.
    pub victim_tid: u32,
    /// The page's entry when the victim faulted on it; `None`: it could not be paged out.
    pub entry_before: Option<SwapEntry>,
    /// The page's entry after the write; `None`: it could not be paged out again.
    pub entry_after: Option<SwapEntry>,
    pub same_entry: bool,
    /// Data loss: the page does not hold the new value at the end of the round.
    pub lost: bool,
    pub started_ns: u64,
    pub ended_ns: u64,
    /// Duration of the victim's access; 0: it did not start.
    pub victim_ns: u64,
    /// From the start of the write until the page was paged out again; 0: it was not written.
    pub change_ns: u64,
    /// What differed from the intended course.
    pub note: Option<RoundNote>,
    /// The first word of the page in hexadecimal, if it was neither the old value nor the new one nor 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unexpected_word: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoundNote {
    /// The page could not be paged out before the victim's access.
    NotPagedOut,
    /// The written page could not be paged out.
    NotPagedOutAgain,
    /// The written page was paged out to another entry.
    OtherEntry,
    /// The victim's access ended before the page was paged out again.
    VictimTooEarly,
    /// The victim's read was not counted by the device.
    ReadNotSeen,
    /// Data loss: the page holds zeroes, because it was read while its entry was free.
    ReadZeroes,
    /// Data loss: the page holds a value that was not written in this round.
    UnexpectedContent,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StormReady {
    /// Path of the swap device.
    pub device: String,
    /// Usable slots of the swap device.
    pub slots: u32,
    /// Slots that the ballast leaves free.
    pub free: u32,
    pub threads: u32,
    pub pages: u32,
}

/// The ground truth of a pass, in which each walker increments each page once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassTruth {
    /// From 1.
    pub pass: u64,
    /// Thread group ID of the workload: its own, until the parent sets that of the initial PID namespace.
    pub pid: u32,
    /// Before the first walker started.
    pub started_ns: u64,
    /// After the last walker finished.
    pub ended_ns: u64,
    /// Pages whose count is wrong.
    pub wrong: Vec<WrongPage>,
    /// Every increment of the pass.
    pub increments: Vec<Increment>,
}

/// A page whose value is not its former value plus the increments of the pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrongPage {
    pub address: u64,
    /// Lost increments; negative: the page holds more than the increments add up to.
    pub missing: i64,
}

/// An increment of a page that happened between two moments. In JSON: `[address, after_ns, by_ns]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "(u64, u64, u64)", from = "(u64, u64, u64)")]
pub struct Increment {
    pub address: u64,
    pub after_ns: u64,
    pub by_ns: u64,
}

impl From<Increment> for (u64, u64, u64) {
    fn from(increment: Increment) -> Self {
        (increment.address, increment.after_ns, increment.by_ns)
    }
}

impl From<(u64, u64, u64)> for Increment {
    fn from((address, after_ns, by_ns): (u64, u64, u64)) -> Self {
        Self { address, after_ns, by_ns }
    }
}

/// The totals of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// Rounds, or passes.
    pub rounds: u32,
    /// Rounds in which the page was paged out to the same entry again.
    pub same_entry: u32,
    /// Rounds with data loss; of a storm: pages with a wrong count, in each pass.
    pub lost: u32,
    /// The signal that stopped the run.
    pub interrupted: Option<i32>,
}

impl Done {
    pub(super) fn count(&mut self, round: &RoundTruth) {
        self.rounds += 1;
        self.same_entry += u32::from(round.same_entry);
        self.lost += u32::from(round.lost);
    }
}

/// Parses one line.
pub fn parse(line: &str) -> Result<Message> {
    serde_json::from_str(line).map_err(|_| WorkloadError::format("a message of the workload", line))
}

/// The sending side.
#[derive(Debug)]
pub(super) struct MessageWriter<W> {
    out: W,
}

impl<W: Write> MessageWriter<W> {
    pub(super) const fn new(out: W) -> Self {
        Self { out }
    }

    /// Sends one message. Blocks while the pipe is full, until a signal arrives.
    pub(super) fn send(&mut self, message: &Message) -> Result<()> {
        let error = |error| WorkloadError::io("send a message to the observer", error);
        let mut line = serde_json::to_vec(message).map_err(|e| error(e.into()))?;
        line.push(b'\n');
        let mut rest = line.as_slice();
        while !rest.is_empty() {
            match self.out.write(rest) {
                Ok(0) => return Err(error(io::ErrorKind::WriteZero.into())),
                Ok(count) => rest = rest.get(count..).unwrap_or_default(),
                // `write_all` would retry after every signal.
                Err(e) if e.kind() == io::ErrorKind::Interrupted => signals::check()?,
                Err(e) => return Err(error(e)),
            }
        }
        self.out.flush().map_err(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorCode;

    fn round() -> RoundTruth {
        let entry = Some(SwapEntry { swap_type: 0, offset: 79 });
        RoundTruth { round: 3, pid: 7, entry_before: entry, entry_after: entry, same_entry: true, ..Default::default() }
    }

    #[test]
    fn a_message_is_one_line_and_is_parsed_again() {
        let failed = Message::Failed(Failure {
            code: ErrorCode::NoZram,
            message: "two\nlines".into(),
            remedy: Some("load it; or do not".into()),
        });
        for message in [Message::Round(round()), Message::Done(Done::default()), failed] {
            let mut out = Vec::new();
            MessageWriter::new(&mut out).send(&message).unwrap();
            let text = String::from_utf8(out).unwrap();
            assert_eq!(text.lines().count(), 1);
            assert_eq!(parse(&text).unwrap(), message);
        }
    }

    #[test]
    fn codes_are_snake_case() {
        let truth = RoundTruth { note: Some(RoundNote::NotPagedOutAgain), ..round() };
        let text = serde_json::to_string(&Message::Round(truth)).unwrap();
        assert!(text.starts_with(r#"{"type":"round","round":3,"#), "{text}");
        assert!(text.contains(r#""note":"not_paged_out_again""#), "{text}");
        let error = WorkloadError::NotRoot { uid: 7 };
        let text = serde_json::to_string(&Message::Failed(Failure::from(&error))).unwrap();
        assert!(text.starts_with(r#"{"type":"failed","code":"not_root","#), "{text}");
    }

    #[test]
    fn a_line_that_is_no_message_is_an_error() {
        assert!(parse("").is_err());
        assert!(parse(r#"{"type":"hello"}"#).is_err());
    }

    #[test]
    fn a_line_is_completed_after_short_writes() {
        struct Narrow(Vec<u8>);
        impl Write for Narrow {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0.extend(bytes.iter().take(1));
                Ok(1)
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut out = Narrow(Vec::new());
        MessageWriter::new(&mut out).send(&Message::Done(Done::default())).unwrap();
        assert!(out.0.ends_with(b"}\n"));
    }

    #[test]
    fn rounds_are_counted_by_outcome() {
        let mut done = Done::default();
        done.count(&round());
        done.count(&RoundTruth { lost: true, ..round() });
        done.count(&RoundTruth::default());
        assert_eq!(done, Done { rounds: 3, same_entry: 2, lost: 1, interrupted: None });
    }
}
