//! The answer that an observation gives, and what to do about it.

use crate::{
    summary::{
        Source, Summary,
        headline::{Code, Doubt, Evidence, Headline, Reader},
    },
    units::{counted, duration, time_of_day},
};
use observer_engine::verdict::Verdict;
use observer_observation::DropCause;
use observer_text::{Name, joined};

/// Most processes and devices that are named; the others are counted.
const NAMED: usize = 2;

/// Before the sentence, and in the dashboard.
pub const fn label(code: Code) -> &'static str {
    match code {
        Code::DataLoss => "DATA LOSS",
        Code::PossibleWindows => "POSSIBLE WINDOWS",
        Code::WaitsOnly => "WAITS ONLY",
        Code::NothingSeen => "NOTHING SEEN",
        Code::Inconclusive => "INCONCLUSIVE",
    }
}

/// The answer of the whole observations, whatever is selected, in one sentence.
pub(crate) fn answer(summary: &Summary) -> String {
    let summary = summary.whole();
    let Headline { code, doubts, evidence } = &summary.headline;
    let counts = &summary.verdicts.counts;
    let place = evidence.as_ref().map(place).unwrap_or_default();
    let text = match code {
        Code::DataLoss => {
            let missed: Vec<_> = doubts.iter().filter(|doubt| doubt.hides_events()).map(reason).collect();
            let more =
                if missed.is_empty() { String::new() } else { format!("; {}, so there may be more", all(&missed)) };
            format!("{} over newer data{place}{more}", counted(counts.stale_install, "stale install"))
        }
        Code::PossibleWindows => {
            format!("no data was lost, but {}{place}; none of them installed a stale page", windows(summary))
        }
        Code::WaitsOnly => format!("no data was lost; {}", waits(summary)),
        Code::NothingSeen => nothing(summary),
        Code::Inconclusive => {
            let reasons: Vec<_> = doubts.iter().map(reason).collect();
            let windows =
                if counts.window + counts.reuse > 0 { format!("; {}{place}", windows(summary)) } else { String::new() };
            let swap_ins = counted(summary.swapins.seen, "swap-in");
            format!("no data loss was seen in {swap_ins}, but {}{windows}", all(&reasons))
        }
    };
    format!("{}: {text}.", label(*code))
}

/// What to do now; `None`: nothing.
pub(crate) fn advice(summary: &Summary) -> Option<String> {
    let summary = summary.whole();
    let Headline { code, doubts, evidence } = &summary.headline;
    match code {
        Code::DataLoss => Some(after_data_loss(summary, evidence.as_ref())),
        Code::PossibleWindows if summary.kernel.state.may_be_vulnerable() => Some(format!(
            "The same race loses data if such an entry is reallocated and the reader then installs its page: {FIX}."
        )),
        Code::WaitsOnly => summary.remarks.first().map(|remark| format!("{}.", capital(&super::remark(remark)))),
        Code::NothingSeen if summary.swapins.seen == 0 => Some(
            "Observe for longer, or while the host swaps; `observer doctor` shows which swap areas are in use."
                .to_owned(),
        ),
        Code::PossibleWindows | Code::NothingSeen => None,
        Code::Inconclusive => Some(doubts.iter().map(|doubt| remedy(summary, doubt)).collect::<Vec<_>>().join(" ")),
    }
}

/// When an observation was made: `2026-12-01T17:03:10.000Z to 2026-12-01T17:04:03.600Z, 53.6 s`. The recordings of the
/// first versions have no wall clock.
pub(crate) fn time_span(source: &Source) -> String {
    let (start, length) = (source.wall_clock.start(), duration(source.elapsed_ns));
    if start.realtime_ns == 0 {
        return format!("unknown, for {length}");
    }
    let end = source.wall_clock.realtime(start.monotonic_ns.saturating_add(source.elapsed_ns));
    format!("{} to {}, {length}", time_of_day(start.realtime_ns), time_of_day(end))
}

pub(super) const FIX: &str =
    "install a kernel with the fix of CVE-2024-26759, or swap to a device that is not read synchronously";

fn after_data_loss(summary: &Summary, evidence: Option<&Evidence>) -> String {
    let devices = evidence.map(|evidence| evidence.devices.as_slice()).unwrap_or_default();
    let is_typed_as_printed = !devices.is_empty() && devices.iter().all(is_plain);
    let swapoff =
        if is_typed_as_printed { format!("swapoff {}", joined(devices, " ")) } else { "swapoff -a".to_owned() };
    let then = super::contradiction(&summary.race, summary.kernel.state).unwrap_or_else(|| format!("then {FIX}"));
    format!(
        "Each further swap-in can lose more: `{swapoff}` stops it. Do not trust what these processes hold or have \
         written since; restart them. {}.",
        capital(&then)
    )
}

/// Whether a shell takes a path as it is printed: a reader will paste the command.
fn is_plain(path: &Name) -> bool {
    path.as_bytes().iter().all(|byte| byte.is_ascii_alphanumeric() || b"/._-".contains(byte))
}

/// ` in walker (pid 104) on /dev/zram0, from .. to ..`.
fn place(evidence: &Evidence) -> String {
    let with_host = evidence.hosts.len() > 1;
    let reader = |reader: &Reader| {
        let host = if with_host { format!(" on {}", reader.host) } else { String::new() };
        if reader.pid == 0 {
            format!("{}{host}", reader.comm)
        } else {
            format!("{} (pid {}){host}", reader.comm, reader.pid)
        }
    };
    let readers = named(evidence.readers.iter().map(reader), "process", "processes");
    let devices = named(evidence.devices.iter().map(ToString::to_string), "device", "devices");
    let devices = if devices.is_empty() { String::new() } else { format!(" on {devices}") };
    format!(" in {readers}{devices}{}", times(evidence))
}

fn times(evidence: &Evidence) -> String {
    let Evidence { first_unix_ns, last_unix_ns, .. } = *evidence;
    let (first, last) = (time_of_day(first_unix_ns), time_of_day(last_unix_ns));
    match (first_unix_ns, last_unix_ns) {
        // Recordings of the first versions have no wall clock.
        (0, _) => String::new(),
        _ if first == last => format!(", at {last}"),
        _ => format!(", from {first} to {last}"),
    }
}

/// `a, b and 3 more processes`.
fn named(names: impl ExactSizeIterator<Item = String>, singular: &str, plural: &str) -> String {
    let more = names.len().saturating_sub(NAMED);
    let names = names.take(NAMED).collect::<Vec<_>>().join(", ");
    match more {
        0 => names,
        1 => format!("{names} and 1 more {singular}"),
        _ => format!("{names} and {more} more {plural}"),
    }
}

/// `5 readers had their entry freed under the read (2 reallocated as well)`.
fn windows(summary: &Summary) -> String {
    let counts = &summary.verdicts.counts;
    let readers = counted(counts.window + counts.reuse, "reader");
    let reused = if counts.reuse > 0 { format!(" ({} reallocated as well)", counts.reuse) } else { String::new() };
    format!("{readers} had their entry freed under the read{reused}")
}

fn waits(summary: &Summary) -> String {
    let (pin, lock) = (&summary.wait_cost.pin, &summary.wait_cost.folio_lock);
    let waited_ns = pin.sums.waited_ns + lock.sums.waited_ns;
    let longest = if pin.sums.longest_ns >= lock.sums.longest_ns { pin } else { lock };
    let ticks = longest.rates.max_ticks.map_or_else(String::new, |ticks| format!(", {ticks:.2} ticks"));
    let budget = summary.budget.map_or_else(String::new, |budget| match budget.over + summary.stalled.over_budget {
        0 => format!("; all within the budget of {}", duration(budget.ns)),
        over => format!("; {over} exceeded the budget of {}", duration(budget.ns)),
    });
    // Counted in the kernel, while their cost is that of the waits that have ended.
    let counts = &summary.verdicts.counts;
    format!(
        "{} cost {} in all, the longest {}{ticks}{budget}",
        counted(counts.pin_wait + counts.lock_wait, "wait"),
        duration(waited_ns),
        duration(longest.sums.longest_ns)
    )
}

fn nothing(summary: &Summary) -> String {
    let part = if summary.filters.is_empty() { "" } else { " that the filters select" };
    match (summary.swapins.seen, summary.verdicts.counts.overlap) {
        (0, _) => format!("no page{part} was swapped in, so nothing could be seen"),
        (swap_ins, overlaps) => {
            let overlaps = if overlaps == 0 {
                "no two tasks met at an entry".to_owned()
            } else {
                format!("{} did no harm", counted(overlaps, "overlap"))
            };
            format!("in {}{part}, {overlaps}", counted(swap_ins, "swap-in"))
        }
    }
}

fn all(reasons: &[String]) -> String {
    reasons.join(", and ")
}

fn reason(doubt: &Doubt) -> String {
    match doubt {
        Doubt::DroppedEvents { events: 1 } => "1 event was dropped".to_owned(),
        Doubt::DroppedEvents { events } => format!("{events} events were dropped"),
        Doubt::NotObservable { verdicts } => {
            let verdicts: Vec<_> = verdicts.iter().map(Verdict::to_string).collect();
            format!("the hooks may miss {}", verdicts.join(", "))
        }
        Doubt::DevicesUnobserved { .. } => "the chosen devices were not observed all the time".to_owned(),
        Doubt::CommandFailed { code: Some(code) } => format!("the command failed with exit code {code}"),
        Doubt::CommandFailed { code: None } => "the command failed".to_owned(),
    }
}

fn remedy(summary: &Summary, doubt: &Doubt) -> String {
    match doubt {
        Doubt::DroppedEvents { .. } => most_dropped(summary)
            .map(|cause| format!("Most were dropped as {}: {}.", cause.code(), super::cause(cause)))
            .unwrap_or_default(),
        Doubt::NotObservable { .. } => {
            "`observer doctor` says which hooks this host does not allow, and why.".to_owned()
        }
        Doubt::DevicesUnobserved { .. } => {
            "Keep the devices of --device switched on, or observe without it.".to_owned()
        }
        Doubt::CommandFailed { .. } => {
            "Run the command again so that it succeeds: it may not have caused the expected load.".to_owned()
        }
    }
}

fn most_dropped(summary: &Summary) -> Option<DropCause> {
    summary.dropped.iter().filter(|(_, count)| **count > 0).max_by_key(|(_, count)| **count).map(|(cause, _)| *cause)
}

/// With a capital letter.
fn capital(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|first| first.to_uppercase().collect::<String>()).unwrap_or_default();
    format!("{first}{}", chars.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_a_shell_would_take_apart_is_not_part_of_a_command() {
        for plain in ["/dev/zram0", "/var/swap-1.img", "/dev/disk_a"] {
            assert!(is_plain(&plain.into()), "{plain}");
        }
        for odd in ["/swap file", "/a;reboot", "/$(x)", "/`x`", "/a'", "/\u{1b}[2J", "/\u{fc}"] {
            assert!(!is_plain(&odd.into()), "{odd:?}");
        }
    }
}
