//! What a workload tells its parent: one JSON object per line, on a pipe.
//!
//! The order is `claimed`, `ready`, any number of `round`, then `done` or `failed`. `done` and `failed` come after the
//! tidying up. A stream that ends without either means that the process was killed: the parent then removes what
//! `claimed` names, with [`SwapDevice::leftover_cleanup`](super::device::SwapDevice::leftover_cleanup).

use std::io::{self, Write};

use serde::{Deserialize, Serialize};

use super::device::Claim;
use super::pagemap::SwapEntry;
use super::{Result, StressError, signals};

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "message", rename_all = "snake_case")]
pub enum Message {
    /// The swap device exists; first of all messages.
    Claimed(Claim),
    /// Everything is set up; the rounds start.
    Ready(Ready),
    /// A round is over.
    Round(RoundTruth),
    /// Everything is set up; the storm starts.
    Storm(StormReady),
    /// A pass of the storm is over.
    Pass(PassTruth),
    /// The end; everything is tidied up.
    Done(Done),
    /// The end, with an error, of the workload or of the tidying up.
    Failed {
        /// The error, with what to do about it.
        error: String,
        /// The host does not allow it, as it stands; nothing was changed.
        refusal: bool,
    },
}

/// The stage on which the rounds are played.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// Path of the swap device.
    pub device: String,
    /// Its id within zram.
    pub id: u32,
    /// Its usable slots.
    pub slots: u32,
    /// The swap area's number, as in the entries.
    pub swap_type: u8,
    /// The workload's process (thread group).
    pub pid: u32,
    /// The thread that swaps the page in, writes it and pages it out.
    pub main_tid: u32,
    /// The thread to delay; its comm is `victim`.
    pub victim_tid: u32,
    /// Address of the page that the rounds are about.
    pub address: u64,
    /// CPUs that the two threads run on, 1 or 2. With 1, nothing can happen during the victim's delay.
    pub cpus: u32,
    /// Rounds to come.
    pub rounds: u32,
}

/// What really happened in one round. Times are `CLOCK_MONOTONIC`, as `bpf_ktime_get_ns`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoundTruth {
    /// Number of the round, from 1.
    pub round: u32,
    /// The workload's process (thread group).
    pub pid: u32,
    /// Address of the page.
    pub address: u64,
    /// The delayed thread.
    pub victim_tid: u32,
    /// Where the page was swapped out to when the victim faulted on it; none if it could not be paged out.
    pub entry_before: Option<SwapEntry>,
    /// Where it was swapped out to after the change, before or after the victim was through; none if it could not be
    /// paged out again.
    pub entry_after: Option<SwapEntry>,
    /// Both are the same entry.
    pub same_entry: bool,
    /// The page does not hold the new value at the end: the change was lost. Nearly always it holds the old one.
    pub lost: bool,
    /// Start of the round, in ns.
    pub started_ns: u64,
    /// End of the round, in ns.
    pub ended_ns: u64,
    /// How long the victim's access took, in ns; 0 if it was never started.
    #[serde(default)]
    pub victim_ns: u64,
    /// From the start of the change until the page was out again, in ns; 0 if it did not come to that.
    #[serde(default)]
    pub change_ns: u64,
    /// Why the round could not be played as intended.
    pub note: Option<String>,
}

/// The stage of a storm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StormReady {
    /// Path of the swap device.
    pub device: String,
    /// Its usable slots.
    pub slots: u32,
    /// Of these: left free by the ballast.
    pub free: u32,
    /// The swap area's number, as in the entries.
    pub swap_type: u8,
    /// The workload's process (thread group).
    pub pid: u32,
    /// Threads that walk; their comm is `walker`.
    pub threads: u32,
    /// Pages that they walk over.
    pub pages: u32,
}

/// What really happened in one pass of the storm: each walker adds one to each page. Times are `CLOCK_MONOTONIC`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassTruth {
    /// Number of the pass, from 1.
    pub pass: u64,
    /// The workload's process (thread group).
    pub pid: u32,
    /// Before the first walker started, in ns.
    pub started_ns: u64,
    /// After the last one had come through, in ns.
    pub ended_ns: u64,
    /// Pages that came up short.
    pub short: Vec<ShortPage>,
    /// Every addition of the pass.
    pub adds: Vec<Add>,
}

/// A page that does not hold what was added to it: updates were lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShortPage {
    /// Its address.
    pub address: u64,
    /// Additions that are missing; negative: it holds more than was ever added, which nothing explains.
    pub missing: i64,
}

/// One addition to one page, done somewhere between two moments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "(u64, u64, u64)", from = "(u64, u64, u64)")]
pub struct Add {
    /// Address of the page.
    pub address: u64,
    /// Not before, in ns.
    pub after_ns: u64,
    /// Done by then, in ns.
    pub by_ns: u64,
}

impl From<Add> for (u64, u64, u64) {
    fn from(add: Add) -> Self {
        (add.address, add.after_ns, add.by_ns)
    }
}

impl From<(u64, u64, u64)> for Add {
    fn from((address, after_ns, by_ns): (u64, u64, u64)) -> Self {
        Self { address, after_ns, by_ns }
    }
}

/// The sum of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// Rounds reported.
    pub rounds: u32,
    /// Of these, rounds in which the same entry came back.
    pub same_entry: u32,
    /// Of these, rounds in which the change was lost. Of a storm: pages that came up short, each pass for itself.
    pub lost: u32,
    /// The signal that ended the run early.
    pub interrupted: Option<i32>,
}

impl Done {
    /// Adds a round.
    pub fn count(&mut self, round: &RoundTruth) {
        self.rounds += 1;
        self.same_entry += u32::from(round.same_entry);
        self.lost += u32::from(round.lost);
    }
}

/// Reads one line.
pub fn parse(line: &str) -> Result<Message> {
    serde_json::from_str(line).map_err(|_| StressError::format("message of the workload", line))
}

/// The sending side.
#[derive(Debug)]
pub struct MessageWriter<W> {
    out: W,
}

impl<W: Write> MessageWriter<W> {
    /// Sends to `out`, each message with one write where the pipe takes it.
    pub const fn new(out: W) -> Self {
        Self { out }
    }

    /// Sends one message. Waits while the pipe is full, until a signal asks to stop. Lines are far shorter than
    /// `PIPE_BUF`, so a pipe takes one whole or not at all.
    pub fn send(&mut self, message: &Message) -> Result<()> {
        let mut line = serde_json::to_vec(message).map_err(|e| StressError::io("encode a message", e))?;
        line.push(b'\n');
        let mut rest = line.as_slice();
        while !rest.is_empty() {
            match self.out.write(rest) {
                Ok(0) => return Err(StressError::io("send a message", io::ErrorKind::WriteZero)),
                Ok(count) => rest = rest.get(count..).unwrap_or_default(),
                // `write_all` would go on whatever the signal was.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => signals::check()?,
                Err(error) => return Err(StressError::io("send a message", error)),
            }
        }
        self.out.flush().map_err(|e| StressError::io("send a message", e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round() -> RoundTruth {
        let entry = Some(SwapEntry { kind: 0, offset: 79 });
        RoundTruth { round: 3, pid: 7, entry_before: entry, entry_after: entry, same_entry: true, ..Default::default() }
    }

    #[test]
    fn each_message_is_one_line_and_comes_back_the_same() {
        let claim =
            Claim { id: 1, device: "/dev/zram1".into(), uuid: "u".into(), node_made: false, module_loaded: true };
        let failed = Message::Failed { error: "two\nlines".into(), refusal: false };
        for message in [Message::Claimed(claim), Message::Round(round()), Message::Done(Done::default()), failed] {
            let mut out = Vec::new();
            MessageWriter::new(&mut out).send(&message).unwrap();
            let text = String::from_utf8(out).unwrap();
            assert_eq!(text.lines().count(), 1);
            assert_eq!(parse(&text).unwrap(), message);
        }
    }

    #[test]
    fn the_kind_of_a_message_is_its_first_word() {
        let text = serde_json::to_string(&Message::Round(round())).unwrap();
        assert!(text.starts_with(r#"{"message":"round","round":3,"#), "{text}");
    }

    #[test]
    fn what_is_no_message_is_an_error() {
        assert!(parse("").is_err());
        assert!(parse(r#"{"message":"hello"}"#).is_err());
    }

    #[test]
    fn a_pipe_that_takes_single_bytes_gets_the_whole_line() {
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
