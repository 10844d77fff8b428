//! Recordings: what they lack, and what to know about them.

use super::host::coarse_groups;
use crate::units::{counted, duration, offset, time_of_day};
use observer_observation::{Damage, Defect, FileDamage, Note};

/// What a recording lacks.
pub(super) fn damage(damage: &Damage) -> String {
    match damage {
        Damage::PartMissing { part } => format!("part {part} is missing"),
        Damage::PartsAfterEnd { part } => format!("the observation ended in part {part}, but there are more parts"),
        Damage::File { part: Some(part), damage } => format!("part {part}: {}", file_damage(damage)),
        Damage::File { part: None, damage } => file_damage(damage),
        Damage::Unknown => "unknown damage, recorded by a newer version".to_owned(),
    }
}

fn file_damage(damage: &FileDamage) -> String {
    match damage {
        FileDamage::Cut { bytes } => {
            format!("the file was cut after {bytes} bytes (the recorder was killed, or the disk was full)")
        }
        FileDamage::Broken { offset_bytes, defect } => {
            format!("the file is damaged after byte {offset_bytes} ({})", self::defect(*defect))
        }
        FileDamage::Unreadable { offset_bytes, detail } => {
            format!("the file cannot be read after byte {offset_bytes}: {detail}")
        }
    }
}

const fn defect(defect: Defect) -> &'static str {
    match defect {
        Defect::NotAFrame => "no frame starts there",
        Defect::ImpossibleLength => "a frame has an impossible length",
        Defect::Checksum => "a checksum does not match",
        Defect::Decompression => "a frame does not decompress to its length",
        Defect::UnknownCodec => "a frame uses a codec that this version does not know",
        Defect::Header => "the header cannot be decoded",
        Defect::SecondHeader => "there is a second header",
        Defect::Event => "an event cannot be decoded",
        Defect::Sample => "a sample cannot be decoded",
        Defect::Footer => "the footer cannot be decoded",
        Defect::Areas => "a list of swap areas cannot be decoded",
        Defect::Cgroup => "the path of a control group cannot be decoded",
        Defect::EventsMissing => "the footer counts more events than there are",
        Defect::Unknown => "a defect that this version does not know",
    }
}

/// What to know about an observation. No events were dropped.
pub(super) fn note(note: &Note) -> String {
    match note {
        Note::StartsWithPart { part } => format!("starts with part {part}: earlier parts are not counted"),
        Note::Continues => "the observation continues in a part that was not given".to_owned(),
        Note::FaultsTimed { one_in } => {
            format!("one fault in {one_in}, chosen at random, was timed; all faults are counted")
        }
        Note::DeviceChanged { device } => format!(
            "swap on {device} was switched off or on: it is observed again with its new type from a fraction of a second \
             later on, and until then an area that got its old type is observed"
        ),
        Note::CgroupV1 { mode } => format!("by control group: {}", coarse_groups(*mode)),
        Note::ClockStepped { times, by_ns, to_unix_ns } => stepped(*times, *by_ns, *to_unix_ns),
        Note::Suspended { times, for_ns, until_unix_ns } => suspended(*times, *for_ns, *until_unix_ns),
        Note::CommandsFailed { failed } => {
            format!(
                "{} of --on-finding failed: the findings are in this report all the same",
                counted(*failed, "command")
            )
        }
        Note::CommandsNotRun { not_run } => format!(
            "{} not handed to --on-finding: commands are limited in number, and end with the observer",
            were(*not_run)
        ),
        Note::Unknown => "an unknown note, recorded by a newer version".to_owned(),
    }
}

fn were(findings: u64) -> String {
    format!("{} {}", counted(findings, "finding"), if findings == 1 { "was" } else { "were" })
}

fn stepped(times: u64, by_ns: i64, to_unix_ns: u64) -> String {
    let from = time_of_day(to_unix_ns.saturating_sub_signed(by_ns));
    let (by, to) = (offset(by_ns), time_of_day(to_unix_ns));
    let often = if times == 1 { format!("by {by}") } else { format!("{times} times, at most by {by}") };
    format!(
        "the wall clock was stepped {often}, from {from} to {to}: findings have the time that it showed when \
         they happened, and durations are not affected"
    )
}

fn suspended(times: u64, for_ns: u64, until_unix_ns: u64) -> String {
    let (length, until) = (duration(for_ns), time_of_day(until_unix_ns));
    let often = if times == 1 {
        format!("for {length}, until {until}")
    } else {
        format!("{times} times, for {length} in all, the longest until {until}")
    };
    format!("the machine was suspended {often}: durations, rates and --duration leave that time out")
}
