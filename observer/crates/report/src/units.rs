//! Numbers with their units, and text in columns.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, UNIX_EPOCH},
};

use observer_text::{columns, line as line_of};

/// Whether [`micro`] has the micro sign. A property of the process, as its locale is.
static MICRO_SIGN: AtomicBool = AtomicBool::new(false);

/// Chooses how microseconds are written from now on: `µs` where everything that reads the text knows UTF-8, otherwise
/// `us`, which is the default.
pub fn choose_micro(is_utf8: bool) {
    MICRO_SIGN.store(is_utf8, Ordering::Relaxed);
}

/// The unit of microseconds.
pub fn micro() -> &'static str {
    micro_of(MICRO_SIGN.load(Ordering::Relaxed))
}

const fn micro_of(is_utf8: bool) -> &'static str {
    if is_utf8 { "\u{b5}s" } else { "us" }
}

/// A duration in the largest unit that leaves a whole part, three digits.
pub fn duration(ns: u64) -> String {
    for (size, unit) in [(1_000_000_000, "s"), (1_000_000, "ms"), (1_000, micro())] {
        if ns >= size {
            let value = ns as f64 / size as f64;
            let digits = if value >= 100.0 {
                0
            } else if value >= 10.0 {
                1
            } else {
                2
            };
            return format!("{value:.digits$} {unit}");
        }
    }
    format!("{ns} ns")
}

/// A difference of durations, nanoseconds.
pub(crate) fn signed_duration(ns: f64) -> String {
    let whole = Duration::try_from_secs_f64(ns.abs() / 1e9).unwrap_or(Duration::MAX).as_nanos();
    let text = duration(u64::try_from(whole).unwrap_or(u64::MAX));
    if ns < 0.0 && whole > 0 { format!("-{text}") } else { text }
}

/// A time of `CLOCK_MONOTONIC` in seconds, to the nanosecond.
pub(crate) fn seconds(ns: u64) -> String {
    format!("{}.{:09} s", ns / 1_000_000_000, ns % 1_000_000_000)
}

/// A time in nanoseconds since 1970, UTC.
pub(crate) fn time_of_day(unix_ns: u64) -> String {
    humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_nanos(unix_ns)).to_string()
}

/// The time of day alone: `17:03:11Z`.
pub fn clock_time(unix_ns: u64) -> String {
    let text = time_of_day(unix_ns);
    format!("{}Z", text.get(11..19).unwrap_or_default())
}

/// An offset from a reference time: `+4.192 ms`, `-9.000 us`, `0`.
pub(crate) fn offset(ns: i64) -> String {
    let sign = if ns < 0 { '-' } else { '+' };
    let ns = ns.unsigned_abs();
    match ns {
        0 => "0".to_owned(),
        1..1_000 => format!("{sign}{ns} ns"),
        1_000..1_000_000 => format!("{sign}{}.{:03} {}", ns / 1_000, ns % 1_000, micro()),
        1_000_000..1_000_000_000 => format!("{sign}{}.{:03} ms", ns / 1_000_000, ns / 1_000 % 1_000),
        _ => format!("{sign}{}.{:03} s", ns / 1_000_000_000, ns / 1_000_000 % 1_000),
    }
}

/// The offset of one time of `CLOCK_MONOTONIC` from another.
pub(crate) fn offset_between(from_ns: u64, to_ns: u64) -> String {
    offset(to_ns.wrapping_sub(from_ns).cast_signed())
}

/// A percentage. A share that is not 0 is never shown as 0.
pub fn percent(percent: f64) -> String {
    match percent {
        0.0 => "0%".to_owned(),
        small if small < 0.05 => "<0.1%".to_owned(),
        other => format!("{other:.1}%"),
    }
}

/// A size. One that is not 0 is never shown as 0.
pub fn bytes(bytes: u64) -> String {
    match bytes {
        0..1_024 => format!("{bytes} bytes"),
        1_024..1_048_576 => format!("{:.1} KiB", bytes as f64 / 1_024.0),
        1_048_576..1_073_741_824 => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
        _ => format!("{:.1} GiB", bytes as f64 / 1_073_741_824.0),
    }
}

/// A count, its digits in groups of three from five digits on: `9999`, `10,000`, `1,234,567`.
pub fn number(count: u64) -> String {
    grouped(&count.to_string())
}

/// A rate with one digit after the point, grouped as a [`number`].
pub(crate) fn rate(rate: f64) -> String {
    let text = format!("{rate:.1}");
    match text.split_once('.') {
        Some((whole, digit)) => format!("{}.{digit}", grouped(whole)),
        None => text,
    }
}

fn grouped(digits: &str) -> String {
    const SHORT: usize = 4;
    if digits.len() <= SHORT {
        return digits.to_owned();
    }
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A count of things: `1 wait`, `2 waits`.
pub(crate) fn counted(count: u64, singular: &str) -> String {
    if count == 1 { format!("1 {singular}") } else { format!("{} {singular}s", number(count)) }
}

/// A ratio of two counts or times; `-` where there is none. One that is not 0 is never shown as 0.
pub(crate) fn ratio(ratio: Option<f64>) -> String {
    match ratio {
        None => "-".to_owned(),
        Some(0.0) => "0x".to_owned(),
        Some(tiny) if tiny < 0.0001 => "<0.0001x".to_owned(),
        Some(small) if small < 0.01 => format!("{small:.4}x"),
        Some(ratio) if ratio < 1_000.0 => format!("{ratio:.2}x"),
        Some(large) => format!("{large:.0}x"),
    }
}

/// Lines of at most `width` columns, broken at spaces; a longer word is cut into pieces. What is not printable is escaped.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in line_of(text).split_whitespace() {
        let (have, more) = (observer_text::width(&line), observer_text::width(word));
        if have > 0 && have + 1 + more > width {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        for ch in word.chars() {
            if observer_text::width(&line) + columns(ch) > width && !line.is_empty() {
                lines.push(std::mem::take(&mut line));
            }
            line.push(ch);
        }
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_three_digits_and_a_unit() {
        assert_eq!(
            [0, 999, 1_000, 12_345, 4_000_000, 2_500_000_000].map(duration),
            ["0 ns", "999 ns", "1.00 us", "12.3 us", "4.00 ms", "2.50 s"]
        );
        assert_eq!(seconds(6_260_810_150), "6.260810150 s");
    }

    #[test]
    fn differences_of_durations_have_a_sign() {
        assert_eq!([-1_500.4, 1_500.4, 0.0, -0.2].map(signed_duration), ["-1.50 us", "1.50 us", "0 ns", "0 ns"]);
    }

    #[test]
    fn the_micro_sign_needs_utf8() {
        assert_eq!([false, true].map(micro_of), ["us", "\u{b5}s"]);
    }

    #[test]
    fn a_time_of_day_has_its_date_and_milliseconds() {
        assert_eq!(time_of_day(1_767_225_600_123_456_789), "2026-01-01T00:00:00.123Z");
        assert_eq!(clock_time(1_767_225_600_123_456_789 + 61_391_000_000_000), "17:03:11Z");
        assert_eq!([0, u64::MAX].map(time_of_day), ["1970-01-01T00:00:00.000Z", "2554-07-21T23:34:33.709Z"]);
    }

    #[test]
    fn offsets_have_a_sign_and_a_unit() {
        assert_eq!(
            [0, 999, 1_500, 4_192_345, -9_000, 2_000_000_000].map(offset),
            ["0", "+999 ns", "+1.500 us", "+4.192 ms", "-9.000 us", "+2.000 s"]
        );
        assert_eq!(offset_between(5, 2), "-3 ns");
    }

    #[test]
    fn a_small_percentage_is_not_shown_as_zero() {
        assert_eq!([0.0, 0.01, 0.06, 12.34].map(percent), ["0%", "<0.1%", "0.1%", "12.3%"]);
    }

    #[test]
    fn sizes_have_a_binary_unit() {
        assert_eq!(
            [0, 184, 1_536, 5 << 20, 32 << 30].map(bytes),
            ["0 bytes", "184 bytes", "1.5 KiB", "5.0 MiB", "32.0 GiB"]
        );
    }

    #[test]
    fn long_numbers_are_in_groups_of_three() {
        assert_eq!([0, 9_999, 10_000, 123_456, 1_234_567].map(number), ["0", "9999", "10,000", "123,456", "1,234,567"]);
        assert_eq!(number(u64::MAX), "18,446,744,073,709,551,615");
        assert_eq!(counted(12_345, "wait"), "12,345 waits");
        assert_eq!([0.04, 9_999.5, 258_170.44].map(rate), ["0.0", "9999.5", "258,170.4"]);
    }

    #[test]
    fn a_ratio_that_is_not_zero_is_not_shown_as_zero() {
        let shown = [None, Some(0.0), Some(0.000_01), Some(0.0028), Some(0.25), Some(1.0), Some(12_345.6)].map(ratio);
        assert_eq!(shown, ["-", "0x", "<0.0001x", "0.0028x", "0.25x", "1.00x", "12346x"]);
    }

    #[test]
    fn only_one_thing_is_singular() {
        assert_eq!([0, 1, 2].map(|count| counted(count, "wait")), ["0 waits", "1 wait", "2 waits"]);
    }

    #[test]
    fn text_is_wrapped_at_spaces_and_long_words_are_cut() {
        assert_eq!(wrap("one two  three", 7), ["one two", "three"]);
        assert_eq!(wrap("abcdefgh ij", 4), ["abcd", "efgh", "ij"]);
        assert_eq!(wrap("", 4), [""]);
        assert_eq!(wrap("\u{65e5}\u{672c}\u{8a9e}", 5), ["\u{65e5}\u{672c}", "\u{8a9e}"], "wide characters");
        assert_eq!(wrap("\u{65e5}", 1), ["\u{65e5}"], "no line has room");
    }
}
