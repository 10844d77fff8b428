//! How a [`Sample`] is written: JSON with names, distributions as the values and counts that are not 0.

use serde::{Deserialize, Serialize};

use super::counters::{self, Named};
use crate::{
    engine::event::Nanos,
    outcome::Sample,
    probe::{FlightTimes, Skipped, Snapshot},
};

/// Values and how often each was seen.
type Distribution = Vec<(u64, u64)>;

/// A sample in a file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Stored {
    at_ns: Nanos,
    counters: Named,
    /// Invocations that the kernel skipped: of all programs, and of the one that counts reads.
    skipped: Option<(u64, u64)>,
    undecodable: u64,
    flight_times: Option<Times>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Times {
    direct: Distribution,
    cached: Distribution,
    none: Distribution,
}

impl From<&Sample> for Stored {
    fn from(sample: &Sample) -> Self {
        Self {
            at_ns: sample.at,
            counters: counters::named(&sample.snapshot.counters),
            skipped: sample.snapshot.skipped.map(|skipped| (skipped.all, skipped.reads)),
            undecodable: sample.undecodable,
            flight_times: sample.flight_times.as_ref().map(|times| {
                let [direct, cached, none] = times.by_path.each_ref().map(|histogram| {
                    histogram.iter_recorded().map(|value| (value.value_iterated_to(), value.count_at_value())).collect()
                });
                Times { direct, cached, none }
            }),
        }
    }
}

impl From<Stored> for Sample {
    fn from(stored: Stored) -> Self {
        Self {
            at: stored.at_ns,
            snapshot: Snapshot {
                counters: counters::counters(&stored.counters),
                skipped: stored.skipped.map(|(all, reads)| Skipped { all, reads }),
            },
            undecodable: stored.undecodable,
            flight_times: stored.flight_times.map(|times| {
                let mut all = FlightTimes::default();
                for (histogram, values) in all.by_path.iter_mut().zip([times.direct, times.cached, times.none]) {
                    for (value, count) in values {
                        histogram.saturating_record_n(value, count);
                    }
                }
                all
            }),
        }
    }
}
