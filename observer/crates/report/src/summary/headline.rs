//! The answer that an observation gives. Every format begins with it, and the dashboard shows the same.

use std::cmp::Reverse;

use observer_engine::{
    event::Nanos,
    verdict::{Finding, Verdict},
};
use observer_observation::Known;
use observer_text::Name;
use serde::Serialize;

use super::{CommandSummary, Summary, place::Placed};

/// The answer. Codes are part of the JSON, the metrics and the scripts that read them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// A stale page was installed.
    DataLoss,
    /// Entries were freed under readers, but no stale page was installed.
    PossibleWindows,
    /// Tasks waited for each other's pages, and nothing worse happened.
    WaitsOnly,
    NothingSeen,
    /// No data loss was seen, but one may have been missed.
    #[default]
    Inconclusive,
}

impl Code {
    pub const ALL: [Self; 5] =
        [Self::DataLoss, Self::PossibleWindows, Self::WaitsOnly, Self::NothingSeen, Self::Inconclusive];

    /// The name in JSON and the metrics.
    pub const fn code(self) -> &'static str {
        match self {
            Self::DataLoss => "data_loss",
            Self::PossibleWindows => "possible_windows",
            Self::WaitsOnly => "waits_only",
            Self::NothingSeen => "nothing_seen",
            Self::Inconclusive => "inconclusive",
        }
    }

    /// A stale install is proof, whatever else was missed. Of anything less, a doubt leaves open that there was one.
    pub const fn of(seen: Seen, in_doubt: bool) -> Self {
        let Seen { stale_installs, windows, waits } = seen;
        if stale_installs > 0 {
            Self::DataLoss
        } else if in_doubt {
            Self::Inconclusive
        } else if windows > 0 {
            Self::PossibleWindows
        } else if waits > 0 {
            Self::WaitsOnly
        } else {
            Self::NothingSeen
        }
    }
}

/// What the answer depends on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    pub stale_installs: u64,
    /// Windows, reuses included.
    pub windows: u64,
    /// Waits for pins and folio locks.
    pub waits: u64,
}

/// Why something may have been missed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "cause", rename_all = "snake_case")]
pub enum Doubt {
    DroppedEvents {
        events: u64,
    },
    /// The hooks may miss these.
    NotObservable {
        verdicts: Vec<Verdict>,
    },
    /// Devices of a filter that were not observed all the time.
    DevicesUnobserved {
        notes: usize,
    },
    /// The command may not have done what was to be observed.
    CommandFailed {
        code: Option<i32>,
    },
}

impl Doubt {
    /// Whether something may have happened that was not observed; of a failed command, what happened was observed.
    pub(crate) const fn hides_events(&self) -> bool {
        !matches!(self, Self::CommandFailed { .. })
    }

    /// Of one observation, also while it runs.
    pub fn of(known: &Known<'_>) -> Vec<Self> {
        Self::list(
            known.dropped().values().sum(),
            known.context.kernel.not_observable().keys().copied().collect(),
            known.all_notes().iter().filter(|note| note.leaves_gap()).count(),
            CommandSummary::of(known).as_ref(),
        )
    }

    fn all(summary: &Summary) -> Vec<Self> {
        let verdicts = summary.verdicts.not_observable.keys().copied().collect();
        Self::list(summary.dropped_events(), verdicts, summary.gaps(), summary.command.as_ref())
    }

    fn list(events: u64, verdicts: Vec<Verdict>, notes: usize, command: Option<&CommandSummary>) -> Vec<Self> {
        let failed = command.filter(|command| command.has_failed());
        [
            (events > 0).then_some(Self::DroppedEvents { events }),
            (!verdicts.is_empty()).then_some(Self::NotObservable { verdicts }),
            (notes > 0).then_some(Self::DevicesUnobserved { notes }),
            failed.map(|command| Self::CommandFailed { code: command.code }),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// The answer, and its evidence.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Headline {
    pub code: Code,
    pub doubts: Vec<Doubt>,
    /// Of the stale installs; where there are none, of all findings; `None`: there are none.
    pub evidence: Option<Evidence>,
}

/// Who, where and when.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evidence {
    /// The highest verdict.
    pub verdict: Verdict,
    /// The processes whose tasks read, in order of their first finding.
    pub readers: Vec<Reader>,
    /// The paths of the swap areas that are known.
    pub devices: Vec<Name>,
    pub hosts: Vec<Name>,
    /// The end of the first and of the last, by the wall clock, nanoseconds since 1970. Strings: they are above 2^53.
    #[serde(serialize_with = "digits")]
    pub first_unix_ns: u64,
    #[serde(serialize_with = "digits")]
    pub last_unix_ns: u64,
}

/// A process, named by its first task that read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reader {
    pub host: Name,
    /// 0: not known.
    pub pid: u32,
    pub comm: String,
    pub findings: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn digits<S: serde::Serializer>(ns: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(ns)
}

impl Evidence {
    fn of(findings: &[Placed<Finding>]) -> Option<Self> {
        let verdict = findings.iter().map(|finding| finding.verdict).max()?;
        let matter =
            || findings.iter().filter(move |found| found.verdict == verdict || verdict != Verdict::StaleInstall);
        let times = || matter().filter_map(|finding| finding.at_unix_ns);
        let mut evidence = Self {
            verdict,
            readers: Vec::new(),
            devices: Vec::new(),
            hosts: Vec::new(),
            first_unix_ns: times().min().unwrap_or(0),
            last_unix_ns: times().max().unwrap_or(0),
        };
        for finding in matter() {
            evidence.add(finding);
        }
        Some(evidence)
    }

    fn add(&mut self, finding: &Placed<Finding>) {
        if let Some(device) = finding.device.as_ref().filter(|device| !self.devices.contains(device)) {
            self.devices.push(device.clone());
        }
        if !self.hosts.contains(&finding.host) {
            self.hosts.push(finding.host.clone());
        }
        let pid = finding.reader.pid;
        match self.readers.iter_mut().find(|reader| reader.pid == pid && reader.host == finding.host) {
            Some(reader) => reader.findings += 1,
            None => self.readers.push(Reader {
                host: finding.host.clone(),
                pid,
                comm: finding.reader.comm.to_string(),
                findings: 1,
            }),
        }
    }
}

impl Headline {
    pub(super) fn new(summary: &Summary) -> Self {
        let doubts = Doubt::all(summary);
        let counts = summary.verdicts.counts;
        let seen = Seen {
            stale_installs: counts.stale_install,
            windows: counts.window + counts.reuse,
            waits: counts.pin_wait + counts.lock_wait,
        };
        let code = Code::of(seen, !doubts.is_empty());
        let evidence = Evidence::of(&summary.findings);
        Self { code, doubts, evidence }
    }
}

/// Sorts the most severe findings first, and of these the newest.
pub(crate) fn severity(finding: &Placed<Finding>) -> Reverse<(Verdict, Option<u64>, Nanos)> {
    Reverse((finding.verdict, finding.at_unix_ns, finding.end_ns))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_serious_answer_decides() {
        let seen = |stale_installs, windows, waits| Seen { stale_installs, windows, waits };
        for (seen, in_doubt, expected) in [
            (seen(1, 1, 1), true, Code::DataLoss),
            (seen(1, 0, 0), false, Code::DataLoss),
            (seen(0, 1, 1), true, Code::Inconclusive),
            (seen(0, 0, 0), true, Code::Inconclusive),
            (seen(0, 1, 1), false, Code::PossibleWindows),
            (seen(0, 0, 1), false, Code::WaitsOnly),
            (seen(0, 0, 0), false, Code::NothingSeen),
        ] {
            assert_eq!(Code::of(seen, in_doubt), expected, "{seen:?}, in doubt: {in_doubt}");
        }
    }

    #[test]
    fn codes_are_those_of_the_json() {
        for code in Code::ALL {
            assert_eq!(serde_json::to_value(code).unwrap(), code.code());
        }
    }
}
