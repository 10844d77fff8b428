//! Counts by verdict, and the verdicts that the hooks may miss.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer, ser::SerializeMap as _};

use super::counts::{Count as _, by_verdict};
use observer_engine::{report::VerdictCounts, verdict::Verdict};
use observer_observation::NotObservable;

/// In JSON two keys of the summary: `verdicts`, where `null` stands for a count of 0 of what the hooks may miss, and
/// `not_observable`, which lists by verdict what is not seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdicts {
    pub counts: VerdictCounts,
    pub not_observable: NotObservable,
}

impl Verdicts {
    /// The count of each verdict, the lowest verdict first, and whether every case of it is seen.
    pub(crate) fn all(&self) -> impl Iterator<Item = (Verdict, u64, bool)> {
        let of = |(verdict, count)| (verdict, count, !self.not_observable.contains_key(&verdict));
        by_verdict(&self.counts).into_iter().map(of)
    }

    /// The count of each verdict; `None`: none was seen, which proves nothing.
    pub(crate) fn known(&self) -> impl Iterator<Item = (Verdict, Option<u64>)> {
        self.all().map(|(verdict, count, observable)| (verdict, (observable || count > 0).then_some(count)))
    }

    /// Adds those of another observation: what one of them may have missed, both together may have.
    pub(crate) fn add(&mut self, other: &Self) {
        self.counts.add(&other.counts);
        for (verdict, consequences) in &other.not_observable {
            let all = self.not_observable.entry(*verdict).or_default();
            for consequence in consequences {
                if !all.contains(consequence) {
                    all.push(*consequence);
                }
            }
        }
    }
}

impl Serialize for Verdicts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("verdicts", &self.known().collect::<BTreeMap<_, _>>())?;
        map.serialize_entry("not_observable", &self.not_observable)?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use observer_kernel::plan::Consequence;

    fn hidden(stale_install: u64, consequence: Consequence) -> Verdicts {
        let counts = VerdictCounts { overlap: 3, stale_install, ..VerdictCounts::default() };
        Verdicts { counts, not_observable: [(Verdict::StaleInstall, vec![consequence])].into() }
    }

    #[test]
    fn a_zero_that_proves_nothing_is_null_in_json() {
        let json = serde_json::to_value(hidden(0, Consequence::SomeReuseMissed)).unwrap();
        assert_eq!(json["verdicts"]["stale_install"], serde_json::Value::Null);
        assert_eq!((&json["verdicts"]["overlap"], &json["verdicts"]["reuse"]), (&3.into(), &0.into()));
        assert_eq!(json["not_observable"]["stale_install"][0], "some_reuse_missed");
        let json = serde_json::to_value(hidden(2, Consequence::SomeReuseMissed)).unwrap();
        assert_eq!(json["verdicts"]["stale_install"], 2);
    }

    #[test]
    fn what_one_observation_may_miss_the_sum_may_miss() {
        let mut all =
            Verdicts { counts: VerdictCounts { stale_install: 1, ..VerdictCounts::default() }, ..Verdicts::default() };
        for consequence in [Consequence::SomeReuseMissed, Consequence::ReadsUnknown, Consequence::ReadsUnknown] {
            all.add(&hidden(1, consequence));
        }
        assert_eq!((all.counts.overlap, all.counts.stale_install), (9, 4));
        let expected = [Consequence::SomeReuseMissed, Consequence::ReadsUnknown];
        assert_eq!(all.not_observable[&Verdict::StaleInstall], expected);
    }
}
