//! What is wrong with a recording, and what else a reader of it must know.

use observer_kernel::{cgroups::CgroupMode, codes};
use observer_text::Name;
use serde::{Deserialize, Serialize};

/// What of a recording is missing: dropped events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum Damage {
    PartMissing {
        part: u32,
    },
    /// The part says that the observation ended in it, but there are more parts.
    PartsAfterEnd {
        part: u32,
    },
    /// A part ends early; no number: the only or last one.
    File {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        part: Option<u32>,
        damage: FileDamage,
    },
    #[serde(other)]
    Unknown,
}

/// Why a file ends early.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum FileDamage {
    /// It stops in the middle of a frame, or after a whole one without a footer.
    #[error("the file was cut after {bytes} bytes (the recorder was killed, or the disk was full)")]
    Cut { bytes: u64 },
    /// It makes no sense after this offset, where the last whole frame ends.
    #[error("the file is damaged after byte {offset_bytes} ({})", .defect.code())]
    Broken { offset_bytes: u64, defect: Defect },
    /// The system could not read on after this offset, where the last whole frame ends.
    #[error("the file cannot be read after byte {offset_bytes}: {detail}")]
    Unreadable { offset_bytes: u64, detail: String },
}

codes! {
    /// What is wrong with a frame of a recording.
    pub enum Defect {
        NotAFrame = "not_a_frame",
        ImpossibleLength = "impossible_length",
        Checksum = "checksum",
        /// The content does not decompress to its length.
        Decompression = "decompression",
        UnknownCodec = "unknown_codec",
        Header = "header",
        SecondHeader = "second_header",
        Event = "event",
        Sample = "sample",
        Footer = "footer",
        /// A list of swap areas cannot be decoded.
        Areas = "areas",
        Cgroup = "cgroup",
        /// The footer counts more events than there are.
        EventsMissing = "events_missing",
    } else {
        Unknown = "unknown"
    }
}

/// What a reader of an observation must know; no event that was to be observed was dropped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum Note {
    /// Counts start with this part: those before were not given.
    StartsWithPart { part: u32 },
    /// The observation continues in a part that was not given.
    Continues,
    /// One fault in this many, chosen at random, was timed; all are counted.
    FaultsTimed { one_in: u32 },
    /// `--device` is a swap type to the programs, which are given the device's new type shortly after a change. Swap on
    /// this device was switched on or off meanwhile: what happened on it shortly after that is missing, and what happened
    /// on an area that got its type was counted until then.
    DeviceChanged { device: Name },
    /// Control groups of v1 are in use, which programs do not see: "by control group" puts tasks of several groups
    /// together.
    CgroupV1 { mode: CgroupMode },
    /// `CLOCK_REALTIME` was stepped so often; the furthest step, and what the clock showed after it. Times since 1970 are
    /// as the clock was set when it happened.
    ClockStepped { times: u64, by_ns: i64, to_unix_ns: u64 },
    /// The machine was suspended so often, for so long in all. Durations and rates leave that time out. The longest
    /// suspension ended before the clock showed `until_unix_ns`.
    Suspended { times: u64, for_ns: u64, until_unix_ns: u64 },
    /// The number of commands of `--on-finding` that failed.
    CommandsFailed { failed: u64 },
    /// The number of findings that no command of `--on-finding` was run for.
    CommandsNotRun { not_run: u64 },
    #[serde(other)]
    Unknown,
}

impl Note {
    /// Whether something that was asked for may not have been observed.
    pub const fn leaves_gap(&self) -> bool {
        matches!(self, Self::DeviceChanged { .. })
    }
}
