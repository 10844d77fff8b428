//! A [`Sample`] in a file: JSON by name. A counter or bucket that has not changed since the previous sample of the same
//! file is left out.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::counters::{self, Named};
use observer_engine::event::Nanos;
use observer_kernel::vmstat::Vmstat;
use observer_observation::{Clocks, FaultTimes, Sample, Skipped, Snapshot, Stalls};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Stored {
    at_ns: Nanos,
    counters: Named,
    /// Invocations that the kernel skipped: of all programs, and of the program that counts reads.
    skipped: Option<(u64, u64)>,
    /// Faults whose end was missed; 0 until the observation ends.
    ends_missed: u64,
    undecodable: u64,
    /// Absent in files of minor versions up to 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    clocks: Option<Clocks>,
    vmstat: Option<Vmstat>,
    fault_times: Option<Times>,
    /// Absent in a sample that did not look, and in files of minor versions up to 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    stalls: Option<Stalls>,
}

/// Durations of faults by path, nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Times {
    direct: Distribution,
    cached: Distribution,
    none: Distribution,
}

/// Count of each value.
#[derive(Clone, Debug, Default, PartialEq)]
struct Distribution(BTreeMap<u64, u64>);

/// A flat list of pairs: difference to the previous value, count.
impl Serialize for Distribution {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut last = 0;
        serializer.collect_seq(self.0.iter().flat_map(|(value, count)| {
            let step = value - std::mem::replace(&mut last, *value);
            [step, *count]
        }))
    }
}

impl<'de> Deserialize<'de> for Distribution {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let flat = Vec::<u64>::deserialize(deserializer)?;
        let mut last = 0u64;
        let pairs = flat.chunks_exact(2).filter_map(|pair| {
            let [step, count] = pair else { return None };
            last = last.saturating_add(*step);
            Some((last, *count))
        });
        Ok(Self(pairs.collect()))
    }
}

impl Stored {
    /// What has changed since `before`, for [`Stored::update`].
    pub(crate) fn since(&self, before: &Self) -> Self {
        Self {
            counters: changed(&self.counters, &before.counters),
            fault_times: self.fault_times.as_ref().map(|times| match &before.fault_times {
                None => times.clone(),
                Some(before) => Times {
                    direct: Distribution(changed(&times.direct.0, &before.direct.0)),
                    cached: Distribution(changed(&times.cached.0, &before.cached.0)),
                    none: Distribution(changed(&times.none.0, &before.none.0)),
                },
            }),
            ..self.clone()
        }
    }

    pub(crate) fn update(&mut self, later: Self) {
        let mut counters = std::mem::take(&mut self.counters);
        extend(&mut counters, later.counters);
        let fault_times = match (self.fault_times.take(), later.fault_times) {
            (Some(mut times), Some(later)) => {
                extend(&mut times.direct.0, later.direct.0);
                extend(&mut times.cached.0, later.cached.0);
                extend(&mut times.none.0, later.none.0);
                Some(times)
            }
            (before, later) => later.or(before),
        };
        let stalls = later.stalls.or_else(|| self.stalls.take());
        *self = Self { counters, fault_times, stalls, ..later };
    }

    /// The sample; with durations of faults only if `with_times`.
    pub(crate) fn sample(&self, with_times: bool) -> Sample {
        Sample {
            at: self.at_ns,
            snapshot: Snapshot {
                counters: counters::counters(&self.counters),
                skipped: self.skipped.map(|(all, reads)| Skipped { all, reads }),
                ends_missed: self.ends_missed,
            },
            undecodable: self.undecodable,
            clocks: self.clocks,
            vmstat: self.vmstat,
            fault_times: self.fault_times.as_ref().filter(|_| with_times).map(fault_times),
            stalls: self.stalls.clone(),
        }
    }

    pub(crate) const fn at(&self) -> Nanos {
        self.at_ns
    }

    pub(crate) fn has_times(&self) -> bool {
        self.fault_times.is_some()
    }
}

/// More names or values than any version writes. A larger file is malicious and must not exhaust memory.
const MAX_ENTRIES: usize = 200_000;

fn extend<K: Ord>(all: &mut BTreeMap<K, u64>, more: BTreeMap<K, u64>) {
    all.extend(more);
    while all.len() > MAX_ENTRIES {
        all.pop_last();
    }
}

/// The entries of `now` that differ from `before`.
fn changed<K: Ord + Clone>(now: &BTreeMap<K, u64>, before: &BTreeMap<K, u64>) -> BTreeMap<K, u64> {
    let new = now.iter().filter(|(key, count)| before.get(key) != Some(count));
    new.map(|(key, count)| (key.clone(), *count)).collect()
}

fn fault_times(times: &Times) -> FaultTimes {
    let mut all = FaultTimes::default();
    for (histogram, values) in all.by_path.iter_mut().zip([&times.direct, &times.cached, &times.none]) {
        for (value, count) in &values.0 {
            histogram.saturating_record_n(*value, *count);
        }
    }
    all
}

impl From<&Sample> for Stored {
    fn from(sample: &Sample) -> Self {
        Self {
            at_ns: sample.at,
            counters: counters::named(&sample.snapshot.counters),
            skipped: sample.snapshot.skipped.map(|skipped| (skipped.all, skipped.reads)),
            ends_missed: sample.snapshot.ends_missed,
            undecodable: sample.undecodable,
            clocks: sample.clocks,
            vmstat: sample.vmstat,
            stalls: sample.stalls.clone(),
            fault_times: sample.fault_times.as_ref().map(|times| {
                let [direct, cached, none] = times.by_path.each_ref().map(|histogram| {
                    let values = histogram.iter_recorded();
                    Distribution(values.map(|value| (value.value_iterated_to(), value.count_at_value())).collect())
                });
                Times { direct, cached, none }
            }),
        }
    }
}
