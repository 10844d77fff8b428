//! The programs' counters by name, so that a counter added later does not break older files.

use std::collections::BTreeMap;

use observer_ebpf::counters::Counters;

pub(crate) type Named = BTreeMap<String, u64>;

pub(crate) fn named(counters: &Counters) -> Named {
    counters.iter().map(|(name, count)| (name.to_owned(), count)).collect()
}

/// Counters that the file lacks are 0, because they were not counted then; unknown names are ignored.
pub(crate) fn counters(named: &Named) -> Counters {
    Counters::from_values(|name| named.get(name).copied().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_restored_by_name() {
        let mut count = 0;
        let all = Counters::from_values(|_| {
            count += 1;
            count
        });
        let mut named = named(&all);
        assert_eq!(counters(&named), all);
        named.insert("of_a_later_version".to_owned(), 7);
        named.remove("special");
        assert_eq!(counters(&named), Counters { special: 0, ..all });
    }
}
