//! Numbers in few characters.

use observer_engine::event::Nanos;

/// A rate: `-` for 0, so that activity stands out; else at most five characters.
pub(crate) fn rate(rate: f64) -> String {
    if rate <= 0.0 { "-".to_owned() } else { short(rate) }
}

/// At most five characters: `0.05`, `12.3`, `1234`, `12.3k`, `1.20M`.
pub(crate) fn short(value: f64) -> String {
    const LARGE: [(f64, &str); 4] = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (9_999.5, "k")];
    let large = LARGE.into_iter().find(|(from, _)| value >= *from);
    let (value, unit) = large.map_or((value, ""), |(from, unit)| (value / if unit == "k" { 1e3 } else { from }, unit));
    let digits = match value {
        0.0..10.0 => 2,
        10.0..100.0 => 1,
        _ => 0,
    };
    format!("{value:.digits$}{unit}")
}

/// A count: all digits up to seven.
pub(crate) fn count(count: u64) -> String {
    if count < 10_000_000 { count.to_string() } else { short(count as f64) }
}

/// A count of observed events. A plain 0 only if none were dropped.
pub(crate) fn seen(seen: u64, dropped: u64) -> String {
    if seen == 0 && dropped > 0 { "0 seen".to_owned() } else { count(seen) }
}

/// A count in a table. A 0 of what the hooks may miss is no result.
pub(crate) fn total(total: u64, dropped: u64, observable: bool) -> String {
    if total == 0 && !observable { "unknown".to_owned() } else { seen(total, dropped) }
}

/// `00:12:41`, with days in front if there are any.
pub(crate) fn clock(ns: Nanos) -> String {
    let seconds = ns / 1_000_000_000;
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let days = if days > 0 { format!("{days}d ") } else { String::new() };
    format!("{days}{:02}:{:02}:{:02}", rest / 3_600, rest / 60 % 60, rest % 60)
}

/// Seconds with two digits: `12.34 s`.
pub(crate) fn seconds(ns: Nanos) -> String {
    format!("{}.{:02} s", ns / 1_000_000_000, ns / 10_000_000 % 100)
}

/// The size of a device, from KiB.
pub(crate) fn kib(kib: u64) -> String {
    match kib {
        0..10_240 => format!("{kib} KiB"),
        10_240..10_485_760 => format!("{} MiB", kib / 1_024),
        _ => format!("{:.1} GiB", kib as f64 / 1_048_576.0),
    }
}

/// `1 window`, `3 windows`.
pub(crate) fn plural(count: u64, noun: &str) -> String {
    format!("{} {noun}{}", self::count(count), if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_at_most_five_characters() {
        let shown = [0.046, 9.5, 12.34, 345.6, 9_999.0, 12_345.0, 1_204_000.0, 9.9e12].map(short);
        assert_eq!(shown, ["0.05", "9.50", "12.3", "346", "9999", "12.3k", "1.20M", "9.90T"]);
        assert!((0..60).map(|n| short(1.7f64.powi(n))).all(|text| text.len() <= 5));
        assert_eq!((rate(0.0), count(9_999_999), count(10_000_000)), ("-".into(), "9999999".into(), "10.0M".into()));
    }

    #[test]
    fn a_zero_is_plain_only_if_no_events_were_dropped() {
        assert_eq!((seen(0, 0), seen(0, 4), seen(3, 4)), ("0".to_owned(), "0 seen".to_owned(), "3".to_owned()));
        assert_eq!([(0, 0, true), (0, 4, true), (3, 0, false)].map(|(n, d, o)| total(n, d, o)), ["0", "0 seen", "3"]);
        assert_eq!([total(0, 0, false), total(0, 4, false)], ["unknown", "unknown"]);
    }

    #[test]
    fn times_sizes_and_plurals() {
        assert_eq!(clock(761_000_000_000), "00:12:41");
        assert_eq!(clock(90_061_000_000_000), "1d 01:01:01");
        assert_eq!(seconds(12_345_678_901), "12.34 s");
        assert_eq!([512, 524_288, 33_554_432].map(kib), ["512 KiB", "512 MiB", "32.0 GiB"]);
        assert_eq!((plural(1, "window"), plural(2, "window")), ("1 window".to_owned(), "2 windows".to_owned()));
    }
}
