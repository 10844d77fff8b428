//! Puts events into order of time. CPUs reserve room in the ring buffer a little later than they read the clock, so
//! records of different CPUs can arrive swapped.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
};

use super::event::{Event, Nanos};

/// Holds events back until nothing older can arrive.
#[derive(Debug, Default)]
pub struct Sorter {
    /// Events that arrived in order: nearly all.
    row: VecDeque<Waiting>,
    /// Events that arrived after a younger one.
    stragglers: BinaryHeap<Reverse<Waiting>>,
    arrivals: u64,
    released: Nanos,
    late: u64,
}

#[derive(Debug)]
struct Waiting {
    at: Nanos,
    arrival: u64,
    event: Event,
}

impl Waiting {
    fn key(&self) -> (Nanos, u64) {
        (self.at, self.arrival)
    }
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Waiting {}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

impl Sorter {
    /// Takes an event in. One that is older than what was already let go is counted, and comes out next.
    pub fn push(&mut self, event: Event) {
        let at = event.at();
        if at < self.released {
            self.late += 1;
        }
        self.arrivals += 1;
        let waiting = Waiting { at, arrival: self.arrivals, event };
        if self.row.back().is_none_or(|last| last.at <= at) {
            self.row.push_back(waiting);
        } else {
            self.stragglers.push(Reverse(waiting));
        }
    }

    /// The oldest event, if it is not younger than `until`.
    pub fn pop(&mut self, until: Nanos) -> Option<Event> {
        self.released = self.released.max(until);
        let straggler = self.stragglers.peek().map(|Reverse(waiting)| waiting.key());
        let next = self.row.front().map(Waiting::key);
        if straggler.is_some_and(|straggler| next.is_none_or(|next| straggler < next)) {
            let due = straggler.is_some_and(|(at, _)| at <= until);
            return due.then(|| self.stragglers.pop()).flatten().map(|Reverse(waiting)| waiting.event);
        }
        self.row.pop_front_if(|waiting| waiting.at <= until).map(|waiting| waiting.event)
    }

    /// Events that arrived too late to be put in order.
    pub fn late(&self) -> u64 {
        self.late
    }

    /// Events held back.
    pub fn len(&self) -> usize {
        self.row.len() + self.stragglers.len()
    }

    /// Whether none is held back.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Change, ChangeKind, Entry, SlotCount, Task};

    fn event(at: Nanos) -> Event {
        let (entry, by, slot) = (Entry::default(), Task::default(), SlotCount::default());
        Event::Changed(Change { kind: ChangeKind::Freed, entry, at, seq: 0, by, slot })
    }

    #[test]
    fn comes_out_in_order_and_not_too_early() {
        let mut sorter = Sorter::default();
        for at in [30, 10, 20, 50] {
            sorter.push(event(at));
        }
        let out: Vec<_> = std::iter::from_fn(|| sorter.pop(40)).map(|e| e.at()).collect();
        assert_eq!(out, [10, 20, 30]);
        assert_eq!((sorter.len(), sorter.late()), (1, 0));
    }

    #[test]
    fn what_is_late_is_counted_and_not_dropped() {
        let mut sorter = Sorter::default();
        assert!(sorter.pop(40).is_none());
        sorter.push(event(39));
        assert_eq!(sorter.late(), 1);
        assert_eq!(sorter.pop(40).map(|e| e.at()), Some(39));
    }
}
