//! The programs' counters as named numbers: a counter that is added later does not break older files.

use std::collections::BTreeMap;

use observer_ebpf::counter::Counters;

/// By name.
pub(super) type Named = BTreeMap<String, u64>;

macro_rules! by_name {
    ($($name:ident)*) => {
        /// Gives every counter its name.
        pub(super) fn named(counters: &Counters) -> Named {
            // Taken apart without `..`: a counter that is forgotten here does not compile.
            let Counters { $($name),* } = *counters;
            Named::from([$((stringify!($name).to_owned(), $name)),*])
        }

        /// Finds the counters by name. One that the file does not have was not counted then; one that this version does
        /// not know is passed over.
        pub(super) fn counters(named: &Named) -> Counters {
            let value = |name| named.get(name).copied().unwrap_or(0);
            Counters { $($name: value(stringify!($name))),* }
        }
    };
}

by_name! {
    started ended installed direct cached none uninstalled spans_noted streamed special read_direct read_cached read_outside pins pin_eexist
    pin_enoent pin_outside pin_readahead pin_shmem pin_zswap lock_failed lock_own_read freed allocated written
    dropped_table_full dropped_fault_end unknown_end dropped_ring_fault dropped_ring_entry dropped_pin_return dropped_write_end dropped_watch_full dropped_copy
    outside_pinned outside_cached pin_contended widened widened_short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_come_back_by_name() {
        let words: [u64; size_of::<Counters>() / 8] = std::array::from_fn(|index| index as u64 + 1);
        let all: Counters = bytemuck::cast(words);
        let mut named = named(&all);
        assert_eq!(counters(&named), all);
        named.insert("of_tomorrow".to_owned(), 7);
        named.remove("special");
        assert_eq!(counters(&named), Counters { special: 0, ..all });
    }
}
