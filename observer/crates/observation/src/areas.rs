//! Which swap area had a swap type, and when: areas are switched on and off during an observation.

use observer_engine::event::Nanos;
use serde::{Deserialize, Serialize};

use crate::context::Swap;

/// Most areas that are kept, those in use at the start included. What happens on later ones is attributed to no area.
pub const MAX_AREAS: usize = 512;

/// The swap areas in use, read because they may have changed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AreaReading {
    /// Until then the areas were those of the previous reading. In between, some came or went.
    pub before_ns: Nanos,
    /// From then on they are these.
    pub at_ns: Nanos,
    /// `None`: they could not be read, and are unknown.
    pub swaps: Option<Vec<Swap>>,
}

/// A time at which the entries of a swap type start to belong to another area, or to no known one.
pub type TypeChange = (u8, Nanos);

/// The areas in use since the start of the observation, in the order in which they were first seen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AreaHistory {
    areas: Vec<Swap>,
}

impl AreaHistory {
    /// `areas`: those in use at the start, or the history up to it.
    pub fn new(areas: &[Swap]) -> Self {
        Self { areas: areas.to_vec() }
    }

    pub fn areas(&self) -> &[Swap] {
        &self.areas
    }

    /// The areas in use at the last reading.
    pub fn in_use(&self) -> impl Iterator<Item = &Swap> {
        self.areas.iter().filter(|area| area.until_ns.is_none())
    }

    /// Whether a reading of these areas would change nothing.
    pub fn is_current(&self, reading: &AreaReading) -> bool {
        let swaps = reading.swaps.as_deref().unwrap_or_default();
        let is_known = |swap: &Swap| {
            self.in_use().any(|area| {
                let mut refreshed = area.clone();
                refreshed.refresh(swap);
                area.is_same(swap) && refreshed == *area
            })
        };
        self.in_use().count() == swaps.len() && swaps.iter().all(is_known)
    }

    /// All changes of types so far.
    pub fn changes(&self) -> impl Iterator<Item = TypeChange> {
        self.areas.iter().flat_map(Swap::changes)
    }

    /// Takes a reading in, and returns the changes of types.
    ///
    /// Between the two times of a reading the list is unknown. A type that only one area had, before or after, was that
    /// area's; a type that went from one area to another was of neither. From a reading that failed no type is known.
    pub fn update(&mut self, reading: &AreaReading) -> Vec<TypeChange> {
        let AreaReading { before_ns, at_ns, swaps } = reading;
        let is_unknown = swaps.is_none();
        let swaps = swaps.as_deref().unwrap_or_default();
        let mut new: Vec<&Swap> = Vec::new();
        for swap in swaps {
            match self.areas.iter_mut().find(|area| area.until_ns.is_none() && area.is_same(swap)) {
                Some(area) => area.refresh(swap),
                None => new.push(swap),
            }
        }
        let is_full = self.areas.len() + new.len() > MAX_AREAS;
        let mut changes = Vec::new();
        let mut ended = Vec::new();
        for area in self.areas.iter_mut().filter(|area| area.until_ns.is_none()) {
            let continues = swaps.iter().any(|swap| area.is_same(swap));
            if continues && !is_full {
                continue;
            }
            let is_replaced = is_full || is_unknown || new.iter().any(|swap| swap.kind == area.kind);
            area.until_ns = Some(if is_replaced { *before_ns } else { *at_ns });
            ended.push(area.kind);
            changes.extend(area.changes());
        }
        if !is_full {
            for swap in new {
                let from = if ended.contains(&swap.kind) { *at_ns } else { *before_ns };
                let area = Swap { from_ns: from, until_ns: None, ..swap.clone() };
                changes.extend(area.changes());
                self.areas.push(area);
            }
        }
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use observer_kernel::swaps::Synchronous;

    fn swap(kind: u32, path: &str) -> Swap {
        Swap { kind, kind_seen: true, path: path.into(), ..Swap::default() }
    }

    fn reading(before_ns: Nanos, at_ns: Nanos, swaps: &[Swap]) -> AreaReading {
        AreaReading { before_ns, at_ns, swaps: Some(swaps.to_vec()) }
    }

    /// The paths of the areas that had type 1 at these times; empty: unknown.
    fn paths<const N: usize>(history: &AreaHistory, times: [Nanos; N]) -> [String; N] {
        times.map(|at| Swap::of(history.areas(), 1, at).map_or_else(String::new, |swap| swap.path.to_string()))
    }

    #[test]
    fn a_type_that_is_free_in_between_is_of_the_only_area_that_had_it() {
        let mut history = AreaHistory::new(&[swap(0, "/a"), swap(1, "/b")]);
        assert_eq!(history.update(&reading(100, 120, &[swap(0, "/a")])), [(1, 120)]);
        assert_eq!(history.update(&reading(200, 220, &[swap(0, "/a"), swap(1, "/c")])), [(1, 200)]);
        assert_eq!(paths(&history, [0, 100, 119, 120, 199, 200, 999]), ["/b", "/b", "/b", "", "", "/c", "/c"]);
        assert_eq!(Swap::of(history.areas(), 0, 999).unwrap().path, "/a");
    }

    #[test]
    fn a_type_that_went_to_another_area_is_unknown_between_two_readings() {
        let mut history = AreaHistory::new(&[swap(1, "/b")]);
        assert_eq!(history.update(&reading(100, 120, &[swap(1, "/c")])), [(1, 100), (1, 120)]);
        assert_eq!(paths(&history, [99, 100, 119, 120]), ["/b", "", "", "/c"]);
        let all: Vec<_> = history.changes().collect();
        assert_eq!(all, [(1, 100), (1, 120)], "the start of the first area is no change");
    }

    #[test]
    fn the_same_area_can_come_again_also_with_another_type() {
        let mut history = AreaHistory::new(&[swap(0, "/a"), swap(1, "/b")]);
        history.update(&reading(10, 20, &[]));
        history.update(&reading(30, 40, &[swap(0, "/b"), swap(1, "/a")]));
        assert_eq!(paths(&history, [5, 25, 45]), ["/b", "", "/a"]);
        assert_eq!(history.areas().len(), 4);
    }

    #[test]
    fn an_unchanged_list_changes_nothing_and_a_device_that_appears_later_is_described() {
        let mut history = AreaHistory::new(&[swap(1, "/b")]);
        let described = Swap { synchronous: Synchronous::Yes, size_kib: 9, ..swap(1, "/b") };
        assert_eq!(history.update(&reading(10, 20, std::slice::from_ref(&described))), []);
        assert_eq!(history.areas(), [described]);
        assert!(history.is_current(&reading(0, 0, &[swap(1, "/b")])));
        for other in [&[][..], &[swap(0, "/b")], &[swap(1, "/c")], &[swap(1, "/b"), swap(2, "/c")]] {
            assert!(!history.is_current(&reading(0, 0, other)), "{other:?}");
        }
        assert!(!history.is_current(&reading(0, 0, &[Swap { size_kib: 8, ..swap(1, "/b") }])));
        history.update(&reading(30, 40, &[swap(1, "/b")]));
        assert_eq!(history.areas()[0].synchronous, Synchronous::Yes, "a device that has gone");
    }

    #[test]
    fn after_a_reading_that_failed_no_area_is_known_until_the_next() {
        let mut history = AreaHistory::new(&[swap(1, "/b")]);
        let failed = AreaReading { before_ns: 100, at_ns: 120, swaps: None };
        assert!(!history.is_current(&failed));
        assert_eq!(history.update(&failed), [(1, 100)]);
        assert!(history.is_current(&failed));
        assert_eq!(history.update(&reading(200, 220, &[swap(1, "/b")])), [(1, 200)]);
        assert_eq!(paths(&history, [99, 100, 199, 200]), ["/b", "", "", "/b"]);
        assert!(Swap::came_or_went(history.areas(), &"/b".into()));
    }

    #[test]
    fn a_full_history_attributes_nothing_to_a_wrong_area() {
        let mut history = AreaHistory::new(&[swap(0, "/a")]);
        let areas = |round: u64| [swap(0, "/a"), swap(1, &format!("/{round}"))];
        for round in 1..2_000u64 {
            history.update(&reading(100 * round, 100 * round + 50, &areas(round)));
        }
        assert_eq!(history.areas().len(), MAX_AREAS);
        let full = 100 * MAX_AREAS as u64;
        let of = |kind, at| Swap::of(history.areas(), kind, at).map(|swap| swap.path.to_string());
        assert_eq!((of(1, full - 1), of(0, full - 1)), (Some("/511".to_owned()), Some("/a".to_owned())));
        assert_eq!((of(1, full), of(1, u64::MAX), of(0, full)), (None, None, None));
    }
}
