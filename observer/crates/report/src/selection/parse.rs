//! Values of a selection as text: on the command line, and in the dashboard.

use std::time::{Duration, UNIX_EPOCH};

use observer_engine::{
    event::{Comm, Entry},
    verdict::Verdict,
};
use observer_text::Name;

use super::Moment;

/// Why a text is no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrong {
    Verdict,
    Pid,
    Entry,
    EmptyComm,
    CommWithZero,
    /// The kernel keeps this of it.
    LongComm {
        kept: Name,
    },
    Moment,
    /// A date.
    WithoutZone {
        given: String,
    },
}

/// The longest offset.
const MAX_OFFSET: Duration = Duration::from_hours(87_660);

const DAY_NS: u64 = 86_400_000_000_000;

const VERDICTS: [Verdict; 6] =
    [Verdict::Overlap, Verdict::LockWait, Verdict::PinWait, Verdict::Window, Verdict::Reuse, Verdict::StaleInstall];

/// # Errors
/// [`Wrong::Verdict`].
pub fn verdict(text: &str) -> Result<Verdict, Wrong> {
    VERDICTS.into_iter().find(|verdict| verdict.to_string() == text).ok_or(Wrong::Verdict)
}

/// # Errors
/// [`Wrong::Pid`].
pub fn pid(text: &str) -> Result<u32, Wrong> {
    text.parse().ok().filter(|pid| *pid > 0).ok_or(Wrong::Pid)
}

/// A swap entry as it is printed.
///
/// # Errors
/// [`Wrong::Entry`].
pub fn entry(text: &str) -> Result<Entry, Wrong> {
    let entry: Entry = text.parse().map_err(|_| Wrong::Entry)?;
    // What does not fit into an entry would be another one.
    let numbers = text.split_once(':').and_then(|(kind, offset)| Some((kind.parse().ok()?, offset.parse().ok()?)));
    let fits = numbers == Some((entry.swap_type(), entry.offset())) && entry.swap_type() < 64;
    fits.then_some(entry).ok_or(Wrong::Entry)
}

/// # Errors
/// When no task can have the name.
pub fn comm(name: &Name) -> Result<Comm, Wrong> {
    match name.as_bytes() {
        [] => Err(Wrong::EmptyComm),
        bytes if bytes.contains(&0) => Err(Wrong::CommWithZero),
        bytes if bytes.len() <= 15 => Ok(Comm::from_bytes(bytes)),
        bytes => Err(Wrong::LongComm { kept: Name::from(bytes.get(..15).unwrap_or(bytes)) }),
    }
}

/// # Errors
/// [`Wrong::Moment`], [`Wrong::WithoutZone`].
pub fn moment(text: &str) -> Result<Moment, Wrong> {
    if !text.contains(':') {
        let offset = humantime::parse_duration(text).ok().filter(|offset| *offset <= MAX_OFFSET);
        let offset = offset.ok_or(Wrong::Moment)?;
        return Ok(Moment::Offset(u64::try_from(offset.as_nanos()).unwrap_or(u64::MAX)));
    }
    let Some((date, time)) = text.split_once(['T', 't', ' ']) else {
        let (time, zone) = with_zone(text).ok_or(Wrong::Moment)?;
        let local = unix_ns("1970-01-02", &time).ok_or(Wrong::Moment)?;
        return Ok(Moment::TimeOfDay(local.saturating_add_signed(-zone.unwrap_or(0)) % DAY_NS));
    };
    let (time, zone) = with_zone(time).ok_or(Wrong::Moment)?;
    let zone = zone.ok_or_else(|| Wrong::WithoutZone { given: text.to_owned() })?;
    Ok(Moment::Unix(unix_ns(date, &time).ok_or(Wrong::Moment)?.saturating_add_signed(-zone)))
}

/// A time of day with seconds, and how far its zone is ahead of UTC, nanoseconds; `None`: it has no zone.
fn with_zone(time: &str) -> Option<(String, Option<i64>)> {
    let (time, zone) = match time.find(['+', '-', 'Z', 'z']) {
        Some(at) => (time.get(..at)?, Some(zone(time.get(at..)?)?)),
        None => (time, None),
    };
    let seconds = if time.matches(':').count() == 1 { ":00" } else { "" };
    Some((format!("{time}{seconds}"), zone))
}

/// `Z`, `+02:00`, `-0330` or `+02`.
fn zone(text: &str) -> Option<i64> {
    if text.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let digits = text.get(1..)?.replace(':', "");
    let is_valid = matches!(digits.len(), 2 | 4) && digits.bytes().all(|byte| byte.is_ascii_digit());
    let (hours, minutes) = digits.split_at_checked(2).filter(|_| is_valid)?;
    let (hours, minutes): (i64, i64) = (hours.parse().ok()?, format!("0{minutes}").parse().ok()?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 60 + minutes) * 60_000_000_000)
}

/// A time in UTC, nanoseconds since 1970.
fn unix_ns(date: &str, time: &str) -> Option<u64> {
    let parsed = humantime::parse_rfc3339_weak(&format!("{date} {time}")).ok()?;
    u64::try_from(parsed.duration_since(UNIX_EPOCH).ok()?.as_nanos()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_given_as_it_is_printed() {
        assert_eq!(["0:40", "31:7"].map(entry), [Ok(Entry::new(0, 40)), Ok(Entry::new(31, 7))]);
        for wrong in ["", "40", "0:", ":4", "-1:4", "64:1", "0:x", "0:288230376151711744", "0:4:5", "1.5:3"] {
            assert!(entry(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_time_is_an_offset_a_time_of_day_or_a_date_with_a_zone() {
        const SECOND: u64 = 1_000_000_000;
        const NEW_YEAR: u64 = 1_767_225_600 * SECOND;
        let of_day = |hours: u64, minutes: u64| Moment::TimeOfDay((hours * 60 + minutes) * 60 * SECOND);
        for (text, expected) in [
            ("53s", Moment::Offset(53 * SECOND)),
            ("2min", Moment::Offset(120 * SECOND)),
            ("1h 5ms", Moment::Offset(3_600 * SECOND + 5_000_000)),
            ("17:03", of_day(17, 3)),
            ("17:03:00Z", of_day(17, 3)),
            ("17:03:00+02:00", of_day(15, 3)),
            ("01:03-0330", of_day(4, 33)),
            ("00:30+01", of_day(23, 30)),
            ("00:00:00.5", Moment::TimeOfDay(SECOND / 2)),
            ("2026-01-01T00:00:01Z", Moment::Unix(NEW_YEAR + SECOND)),
            ("2026-01-01 00:00:00.000000001z", Moment::Unix(NEW_YEAR + 1)),
            ("2026-01-01T02:00+02:00", Moment::Unix(NEW_YEAR)),
        ] {
            assert_eq!(moment(text), Ok(expected), "{text}");
        }
        for wrong in [
            "",
            "-5s",
            "53",
            "25:00:00",
            "17:60:00",
            "17:03:00+99:00",
            "17:03+",
            "17:03:00Zx",
            ":",
            "::",
            "T:",
            "2026-01-01",
            "2026-13-01T00:00:00Z",
            "1969-12-31T23:59:59Z",
            "9999-01-01T00:00:00Z",
            "17:03:00\u{fc}",
            "2026-01-01T\u{fc}:00Z",
            "20y",
        ] {
            assert!(moment(wrong).is_err(), "{wrong:?}");
        }
        let given = "2026-01-01T00:00:00".to_owned();
        assert_eq!(moment(&given), Err(Wrong::WithoutZone { given }));
    }

    #[test]
    fn verdicts_are_given_as_they_are_printed() {
        assert_eq!(verdict("stale-install"), Ok(Verdict::StaleInstall));
        assert_eq!(VERDICTS.map(|known| verdict(&known.to_string())), VERDICTS.map(Ok));
        assert_eq!(verdict("stale_install"), Err(Wrong::Verdict));
        assert_eq!(["7", "0", "-1", "x"].map(pid), [Ok(7), Err(Wrong::Pid), Err(Wrong::Pid), Err(Wrong::Pid)]);
    }
}
