//! Puts events in order of time. CPUs reserve room in the ring buffer slightly after they read the clock, so records of
//! different CPUs can arrive out of order.

use std::{
    cmp::{Ordering, Reverse},
    collections::{BinaryHeap, VecDeque},
};

use crate::event::{Event, Nanos};

#[derive(Debug, Default)]
pub(crate) struct ReorderBuffer {
    /// Events that arrived in order: nearly all.
    in_order: VecDeque<Queued>,
    /// Events that arrived after a later one.
    out_of_order: BinaryHeap<Reverse<Queued>>,
    arrivals: u64,
    released: Nanos,
    late: u64,
}

#[derive(Debug)]
struct Queued {
    at: Nanos,
    arrival: u64,
    event: Event,
}

impl Queued {
    fn key(&self) -> (Nanos, u64) {
        (self.at, self.arrival)
    }
}

impl PartialEq for Queued {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Queued {}

impl PartialOrd for Queued {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Queued {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl ReorderBuffer {
    /// Adds an event. One that is older than the events already released is counted as late and released next.
    pub(crate) fn push(&mut self, event: Event) {
        let at = event.at();
        if at < self.released {
            self.late += 1;
        }
        self.arrivals += 1;
        let queued = Queued { at, arrival: self.arrivals, event };
        if self.in_order.back().is_none_or(|last| last.at <= at) {
            self.in_order.push_back(queued);
        } else {
            self.out_of_order.push(Reverse(queued));
        }
    }

    /// Removes the oldest event, if it happened by `until`.
    pub(crate) fn pop(&mut self, until: Nanos) -> Option<Event> {
        self.released = self.released.max(until);
        let oldest = self.out_of_order.peek().map(|Reverse(queued)| queued.key());
        let next = self.in_order.front().map(Queued::key);
        if oldest.is_some_and(|oldest| next.is_none_or(|next| oldest < next)) {
            let due = oldest.is_some_and(|(at, _)| at <= until);
            return due.then(|| self.out_of_order.pop()).flatten().map(|Reverse(queued)| queued.event);
        }
        self.in_order.pop_front_if(|queued| queued.at <= until).map(|queued| queued.event)
    }

    /// Events that arrived too late to be put in order.
    pub(crate) fn late(&self) -> u64 {
        self.late
    }

    pub(crate) fn len(&self) -> usize {
        self.in_order.len() + self.out_of_order.len()
    }
}

#[cfg(test)]
mod tests {
    use std::iter;

    use super::*;
    use crate::event::{Change, ChangeKind, Entry, SlotCount, Task};

    fn event(at: Nanos) -> Event {
        let (entry, by, slot) = (Entry::default(), Task::default(), SlotCount::default());
        Event::Changed(Change { kind: ChangeKind::Freed, entry, at, seq: 0, by, slot })
    }

    #[test]
    fn events_are_released_in_order_of_time() {
        let mut buffer = ReorderBuffer::default();
        for at in [30, 10, 20, 50] {
            buffer.push(event(at));
        }
        let released: Vec<_> = iter::from_fn(|| buffer.pop(40)).map(|event| event.at()).collect();
        assert_eq!(released, [10, 20, 30]);
        assert_eq!((buffer.len(), buffer.late()), (1, 0));
    }

    #[test]
    fn a_late_event_is_counted_and_released() {
        let mut buffer = ReorderBuffer::default();
        assert!(buffer.pop(40).is_none());
        buffer.push(event(39));
        assert_eq!(buffer.late(), 1);
        assert_eq!(buffer.pop(40).map(|event| event.at()), Some(39));
    }
}
