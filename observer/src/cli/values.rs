//! Values of options.

use std::{
    net::{Ipv4Addr, SocketAddr},
    os::unix::ffi::OsStrExt as _,
    path::PathBuf,
    time::Duration,
};

use clap::builder::{OsStringValueParser, PathBufValueParser, TypedValueParser};
use observer_engine::{event::Entry, verdict::Verdict};
use observer_kernel::plan::{Backends, HookSet};
use observer_record::player::SPEEDS;
use observer_report::{
    formats::Format,
    selection::{Moment, parse},
    words,
};
use observer_text::{Name, unescaped};
use observer_tui::theme::Palette;

use crate::reactions::{CommandLine, StopOn};

/// `--backend`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum BackendChoice {
    /// as cheapest, but kprobes where the kernel would skip programs because it can preempt tasks in them
    #[default]
    Auto,
    /// fentry/fexit where supported, kprobes otherwise
    Cheapest,
    /// kprobes and kretprobes only
    Kprobe,
    /// fentry and fexit only
    Fentry,
}

impl From<BackendChoice> for Backends {
    fn from(choice: BackendChoice) -> Self {
        match choice {
            BackendChoice::Auto => Self::Auto,
            BackendChoice::Cheapest => Self::Cheapest,
            BackendChoice::Kprobe => Self::Kprobe,
            BackendChoice::Fentry => Self::Fentry,
        }
    }
}

/// `--hooks`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum HookChoice {
    /// all hooks that add information
    #[default]
    Full,
    /// only the hooks that verdicts need: less overhead, but no pin holds and pin errors
    Lean,
}

impl From<HookChoice> for HookSet {
    fn from(choice: HookChoice) -> Self {
        match choice {
            HookChoice::Full => Self::Full,
            HookChoice::Lean => Self::Lean,
        }
    }
}

/// `--format`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum FormatChoice {
    /// for a terminal or a log
    #[default]
    Text,
    /// one object: the merged summary
    Json,
    /// one finding per line, as JSON
    Ndjson,
    /// one finding per line, as CSV
    Csv,
    #[value(help = "distributions as an HdrHistogram V2 interval log, one tag for each")]
    Hlog,
    /// Prometheus/OpenMetrics text format
    Openmetrics,
    /// Chrome trace events, for ui.perfetto.dev
    Perfetto,
    /// one self-contained page
    Html,
}

impl FormatChoice {
    /// The format that is made from summaries; `None`: the trace, which is made from the events.
    pub(crate) const fn of_summaries(self) -> Option<Format> {
        match self {
            Self::Text => Some(Format::Text),
            Self::Json => Some(Format::Json),
            Self::Ndjson => Some(Format::Ndjson),
            Self::Csv => Some(Format::Csv),
            Self::Hlog => Some(Format::Hlog),
            Self::Openmetrics => Some(Format::Openmetrics),
            Self::Perfetto => None,
            Self::Html => Some(Format::Html),
        }
    }
}

/// `--color`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ColorChoice {
    #[default]
    #[value(help = "on a terminal, unless NO_COLOR is set")]
    Auto,
    /// also in a file or a pipe
    Always,
    /// no colours
    Never,
}

/// `--theme`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ThemeChoice {
    /// colours that people with colour blindness can distinguish, on the background of the terminal
    ColourBlind,
    /// white on black, whatever the colours of the terminal
    HighContrast,
    /// no colours
    None,
}

impl From<ThemeChoice> for Palette {
    fn from(choice: ThemeChoice) -> Self {
        match choice {
            ThemeChoice::ColourBlind => Self::ColourBlind,
            ThemeChoice::HighContrast => Self::HighContrast,
            ThemeChoice::None => Self::None,
        }
    }
}

/// `--mouse`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum MouseChoice {
    /// the dashboard: it opens views, selects, sorts, scrolls
    On,
    /// the terminal: it selects text
    Off,
}

impl From<MouseChoice> for bool {
    fn from(choice: MouseChoice) -> Self {
        choice == MouseChoice::On
    }
}

/// `--verdict`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum VerdictChoice {
    /// several faults on one entry at once
    Overlap,
    /// a wait for the page's lock
    #[value(alias = "lock_wait")]
    LockWait,
    /// a wait for the pin
    #[value(alias = "pin_wait")]
    PinWait,
    /// the entry was freed under a reader
    Window,
    /// it was also reallocated
    Reuse,
    /// and the reader installed its page
    #[value(alias = "stale_install")]
    StaleInstall,
}

impl From<VerdictChoice> for Verdict {
    fn from(choice: VerdictChoice) -> Self {
        match choice {
            VerdictChoice::Overlap => Self::Overlap,
            VerdictChoice::LockWait => Self::LockWait,
            VerdictChoice::PinWait => Self::PinWait,
            VerdictChoice::Window => Self::Window,
            VerdictChoice::Reuse => Self::Reuse,
            VerdictChoice::StaleInstall => Self::StaleInstall,
        }
    }
}

/// The verdicts of findings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum FindingChoice {
    /// the entry was freed under a reader
    #[default]
    Window,
    /// and reallocated
    Reuse,
    /// and that reader then installed its page
    #[value(alias = "stale_install")]
    StaleInstall,
}

impl From<FindingChoice> for Verdict {
    fn from(choice: FindingChoice) -> Self {
        match choice {
            FindingChoice::Window => Self::Window,
            FindingChoice::Reuse => Self::Reuse,
            FindingChoice::StaleInstall => Self::StaleInstall,
        }
    }
}

/// `VERDICT` or `VERDICT:N`.
pub(super) fn stop_on(text: &str) -> Result<StopOn, String> {
    let (verdict, count) = text.split_once(':').unwrap_or((text, "1"));
    let verdict = <FindingChoice as clap::ValueEnum>::from_str(verdict, false)
        .map_err(|_| "not the verdict of a finding: window, reuse or stale-install; e.g. stale-install:3".to_owned())?;
    let count: u64 = count.parse().map_err(|error| format!("{error}; e.g. stale-install:3"))?;
    if count == 0 { Err("at least 1".to_owned()) } else { Ok(StopOn { verdict: verdict.into(), count }) }
}

pub(super) fn command_line() -> impl TypedValueParser<Value = CommandLine> {
    OsStringValueParser::new().try_map(|text| CommandLine::parse(&text))
}

/// Shortest observation: a shorter one ends before the command's first fault.
const MIN_DURATION: Duration = Duration::from_millis(1);
/// Longest duration: its sum with the time of any clock does not overflow, nor does its number of nanoseconds.
pub(super) const MAX_DURATION: Duration = Duration::from_hours(87_660);

/// A duration up to [`MAX_DURATION`]. `example`: for the message.
fn duration(text: &str, example: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text).map_err(|error| format!("{error}; e.g. {example}"))?;
    if duration > MAX_DURATION { Err("at most 10y".to_owned()) } else { Ok(duration) }
}

/// The duration of an observation or of a workload.
pub(super) fn run_time(text: &str) -> Result<Duration, String> {
    let duration = duration(text, "30s")?;
    if duration < MIN_DURATION { Err("at least 1ms".to_owned()) } else { Ok(duration) }
}

/// The longest wait that is not reported; 0s: every wait is reported.
pub(super) fn budget(text: &str) -> Result<Duration, String> {
    duration(text, "1ms")
}

/// A swap entry as it is printed.
pub(super) fn entry(text: &str) -> Result<Entry, String> {
    parse::entry(text).map_err(|wrong| words::wrong_value(&wrong))
}

/// A time of a recording.
pub(super) fn moment(text: &str) -> Result<Moment, String> {
    parse::moment(text).map_err(|wrong| words::wrong_value(&wrong))
}

/// The speed of a replay.
pub(super) fn speed(text: &str) -> Result<f64, String> {
    let (least, most) = SPEEDS;
    let speed = text.parse().ok().filter(|speed| (least..=most).contains(speed));
    speed.ok_or_else(|| format!("from {least} to {most}, e.g. 0.5 or 16"))
}

/// A file that must be one: it is read more than once, or renamed when it is complete.
pub(super) fn file() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(|path| {
        if path.as_os_str() == STANDARD_STREAM {
            return Err("standard input and output cannot be used here, give a file; one called - is ./-");
        }
        Ok(path)
    })
}

/// The name of standard input and standard output.
pub(crate) const STANDARD_STREAM: &str = "-";

/// Delay injection runs with preemption disabled.
const MAX_DELAY: Duration = Duration::from_millis(100);

pub(super) fn widening(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text).map_err(|error| format!("{error}; e.g. 20ms"))?;
    if duration > MAX_DELAY {
        return Err("at most 100ms: the delayed task occupies its CPU".to_owned());
    }
    Ok(duration)
}

/// Bytes, or with K, M or G (powers of 1024).
fn size(text: &str) -> Result<u64, String> {
    let (digits, shift) = match text.to_ascii_uppercase().trim_end_matches("IB").trim_end_matches('B') {
        number if number.ends_with('K') => (number.trim_end_matches('K').to_owned(), 10),
        number if number.ends_with('M') => (number.trim_end_matches('M').to_owned(), 20),
        number if number.ends_with('G') => (number.trim_end_matches('G').to_owned(), 30),
        number => (number.to_owned(), 0),
    };
    let number: u64 = digits.parse().map_err(|error| format!("{error}; e.g. 16M"))?;
    number.checked_mul(1 << shift).ok_or_else(|| "too large".to_owned())
}

pub(super) fn bench_size(text: &str) -> Result<u64, String> {
    use observer_workload::bench::swapin::{MAX_BYTES, MIN_BYTES};
    let bytes = size(text)?;
    if (MIN_BYTES..=MAX_BYTES).contains(&bytes) { Ok(bytes) } else { Err("from 1M to 64G".to_owned()) }
}

/// A name of any bytes, as it is or as it is printed.
pub(super) fn name() -> impl TypedValueParser<Value = Name> {
    OsStringValueParser::new().map(|name| Name::from(unescaped(name.as_bytes())))
}

pub(super) fn comm() -> impl TypedValueParser<Value = Name> {
    name().try_map(of_task)
}

fn of_task(name: Name) -> Result<Name, String> {
    parse::comm(&name).map(|_| name).map_err(|wrong| words::wrong_value(&wrong))
}

/// The size at which a recording is rotated.
pub(super) fn file_size(text: &str) -> Result<u64, String> {
    const MIN: u64 = 64 << 10;
    let bytes = size(text)?;
    if bytes < MIN { Err("at least 64K".to_owned()) } else { Ok(bytes) }
}

pub(super) fn rotation_time(text: &str) -> Result<Duration, String> {
    let duration = duration(text, "1h")?;
    if duration < Duration::from_secs(1) { Err("at least 1s".to_owned()) } else { Ok(duration) }
}

/// The size of the ring buffer in KiB, from a size or from a number of KiB.
pub(super) fn ring_size(text: &str) -> Result<u32, String> {
    let wrong = || "a power of two from 4K to 1G, e.g. 16M".to_owned();
    let is_bare = text.bytes().all(|byte| byte.is_ascii_digit());
    let kib = if is_bare { text.parse().map_err(|_| wrong())? } else { size(text)? / 1024 };
    let is_whole = is_bare || size(text).is_ok_and(|bytes| bytes.is_multiple_of(1024));
    let kib = u32::try_from(kib).map_err(|_| wrong())?;
    if is_whole && kib.is_power_of_two() && (4..=1 << 20).contains(&kib) { Ok(kib) } else { Err(wrong()) }
}

/// An address with a port. The only name is `localhost`: others could be resolved to an address of another host.
pub(super) fn listen_address(text: &str) -> Result<SocketAddr, String> {
    let wrong = || "an address and a port are needed, e.g. 127.0.0.1:9842, [::1]:9842 or localhost:9842".to_owned();
    match text.strip_prefix("localhost:") {
        Some(port) => Ok((Ipv4Addr::LOCALHOST, port.parse().map_err(|_| wrong())?).into()),
        None => text.parse().map_err(|_| wrong()),
    }
}

/// N of `1/N`.
pub(super) fn sample(text: &str) -> Result<u32, String> {
    let wrong = || "from 1/1 to 1/65536, e.g. 1/16".to_owned();
    let (one, of) = text.split_once('/').ok_or_else(wrong)?;
    let of: u32 = of.trim().parse().map_err(|_| wrong())?;
    if one.trim() == "1" && (1..=65_536).contains(&of) { Ok(of) } else { Err(wrong()) }
}

pub(super) fn fault_seats(text: &str) -> Result<u32, String> {
    let seats: u32 = text.parse().map_err(|error| format!("{error}"))?;
    let valid = seats.is_power_of_two() && seats <= observer_ebpf::seat::FAULT_SEATS;
    if valid { Ok(seats) } else { Err("a power of two up to 16384".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum as _;
    use std::ffi::OsStr;

    #[test]
    fn every_format_of_the_command_line_is_listed_for_the_tests_of_all_formats() {
        let listed: Vec<Format> =
            FormatChoice::value_variants().iter().copied().filter_map(FormatChoice::of_summaries).collect();
        assert_eq!(listed, Format::ALL);
        assert_eq!(FormatChoice::value_variants().len(), Format::ALL.len() + 1, "the trace has no summary");
    }

    #[test]
    fn names_are_given_as_bytes_or_as_they_are_printed() {
        let parsed = |given: &[u8]| {
            let given = OsStr::from_bytes(given);
            comm().parse_ref(&clap::Command::new("x"), None, given).map(|name| name.as_bytes().to_owned()).ok()
        };
        assert_eq!(parsed(b"a\xff"), Some(b"a\xff".to_vec()));
        assert_eq!(parsed(br"a\x1b\xff"), Some(b"a\x1b\xff".to_vec()));
        assert_eq!(parsed(br"\xff\xff\xff\xff\xff"), Some(vec![0xff; 5]), "20 characters, 5 bytes");
        assert_eq!((parsed(b""), parsed(br"a\x00"), parsed(&[b'a'; 16])), (None, None, None));
    }

    #[test]
    fn sizes_are_in_powers_of_1024() {
        assert_eq!(
            ["4096", "16M", "16MiB", "16mb", "1G"].map(size),
            [Ok(4096), Ok(1 << 24), Ok(1 << 24), Ok(1 << 24), Ok(1 << 30)]
        );
        for wrong in ["", "M", "-1", "1T", "1.5G", "99999999999G"] {
            assert!(size(wrong).is_err(), "{wrong:?}");
        }
        assert!(bench_size("0").is_err());
        assert!(bench_size("4096").is_err());
        assert!(file_size("1K").is_err());
        assert!(file_size("64k").is_ok());
    }

    #[test]
    fn the_ring_buffer_has_a_size_with_a_unit_or_in_kib() {
        assert_eq!(
            ["4096", "4M", "4MiB", "4096K", "4k", "1G"].map(ring_size),
            [Ok(4096), Ok(4096), Ok(4096), Ok(4096), Ok(4), Ok(1 << 20)]
        );
        for wrong in ["", "5", "2K", "2G", "3M", "4097B", "4096.5K", "4294967296G", "99999999999999999999"] {
            assert!(ring_size(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn the_address_to_listen_on_may_be_localhost() {
        assert_eq!(listen_address("localhost:9842"), Ok(SocketAddr::from(([127, 0, 0, 1], 9842))));
        assert_eq!(listen_address("[::1]:80").map(|address| address.port()), Ok(80));
        for wrong in ["localhost", "localhost:", "example.org:80", "9842", ":9842", "127.0.0.1:99999"] {
            assert!(listen_address(wrong).is_err_and(|error| error.contains("e.g. 127.0.0.1:9842")), "{wrong}");
        }
    }

    #[test]
    fn microseconds_are_accepted_as_they_are_printed() {
        assert_eq!(budget("15\u{b5}s"), Ok(Duration::from_micros(15)));
        assert_eq!(budget("15us"), Ok(Duration::from_micros(15)));
    }

    #[test]
    fn a_verdict_to_stop_on_may_have_a_number() {
        let on = |verdict, count| Ok(StopOn { verdict, count });
        assert_eq!(stop_on("window"), on(Verdict::Window, 1));
        assert_eq!(stop_on("stale-install:3"), on(Verdict::StaleInstall, 3));
        assert_eq!(stop_on("reuse:18446744073709551615"), on(Verdict::Reuse, u64::MAX));
        for wrong in ["", "overlap", "pin-wait", "reuse:", "reuse:0", "reuse:-1", "reuse:x", "reuse:1:2", ":1"] {
            assert!(stop_on(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_replay_has_a_speed_within_limits() {
        assert_eq!(["1", "0.5", "1024"].map(speed), [Ok(1.0), Ok(0.5), Ok(1_024.0)]);
        for wrong in ["", "0", "-1", "nan", "inf", "1025", "0.01", "x2"] {
            assert!(speed(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_sample_is_a_fraction_with_numerator_one() {
        assert_eq!(["1/1", "1/4", "1/65536"].map(sample), [Ok(1), Ok(4), Ok(65_536)]);
        for wrong in ["", "4", "1/0", "2/4", "1/65537", "1/x", "0.25", "1/-1"] {
            assert!(sample(wrong).is_err(), "{wrong:?}");
        }
    }
}
