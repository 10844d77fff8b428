//! Overlaps: spans of time in which two or more flights on intersecting ranges are open.

use std::{borrow::Borrow, collections::BTreeMap, sync::Arc};

use serde::Serialize;

use super::event::{Entry, Flight, Nanos, Task};

/// One overlap.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Overlap {
    /// First entry concerned.
    pub entry: Entry,
    /// Number of entries concerned.
    pub nr: u32,
    /// When the second flight began.
    pub from_ns: Nanos,
    /// When all but one had ended.
    pub to_ns: Nanos,
    /// Most flights open at once.
    pub depth: u32,
    /// The tasks, at most [`TASKS_LISTED`], in order of their begin.
    pub tasks: Vec<Task>,
    /// Address spaces concerned.
    pub spaces: u32,
}

impl Overlap {
    /// Length in nanoseconds.
    pub fn duration(&self) -> Nanos {
        self.to_ns.saturating_sub(self.from_ns)
    }
}

/// Tasks listed with an overlap at most.
pub const TASKS_LISTED: usize = 16;

/// Longest range: an entry's range can begin at most this far before it.
const LONGEST_RANGE: u64 = 512;

/// Ended flights whose overlaps are still to be told, ordered by range.
#[derive(Debug, Default)]
pub struct Overlaps {
    flights: BTreeMap<(u64, Nanos, u32), Arc<Flight>>,
    /// How many of them are on more than one entry.
    wide: usize,
}

impl Overlaps {
    /// Flights held.
    pub fn len(&self) -> usize {
        self.flights.len()
    }

    /// Whether none is held.
    pub fn is_empty(&self) -> bool {
        self.flights.is_empty()
    }

    /// Whether this flight is held already.
    pub fn contains(&self, flight: &Flight) -> bool {
        self.flights.contains_key(&(flight.base.0, flight.begin, flight.task.tid))
    }

    /// Keeps a flight that has ended.
    pub fn insert(&mut self, flight: Arc<Flight>) {
        self.wide += usize::from(flight.nr > 1);
        let replaced = self.flights.insert((flight.base.0, flight.begin, flight.task.tid), flight);
        self.wide -= usize::from(replaced.is_some_and(|flight| flight.nr > 1));
    }

    /// How far below an entry a flight may begin that holds it. On a busy device there are hundreds of flights that near,
    /// nearly always of one entry each: they are looked through only where one of them may reach.
    const fn reach(&self) -> u64 {
        if self.wide == 0 { 0 } else { LONGEST_RANGE }
    }

    /// Takes out the flights that had begun by `begun_by` and hang together with `entry` by intersecting ranges.
    pub fn take(&mut self, entry: Entry, begun_by: Nanos) -> Vec<Arc<Flight>> {
        let mut low = entry.0;
        let mut high = entry.0 + 1;
        // Grow the range to a fixed point: a large folio's range can tie neighbours in.
        loop {
            let hanging = self.flights.range((low.saturating_sub(self.reach()), 0, 0)..(high, 0, 0));
            let (mut new_low, mut new_high) = (low, high);
            for ((base, ..), flight) in hanging.filter(|((_, begin, _), _)| *begin <= begun_by) {
                let end = base + u64::from(flight.nr);
                if end > low {
                    new_low = new_low.min(*base);
                    new_high = new_high.max(end);
                }
            }
            if (new_low, new_high) == (low, high) {
                break;
            }
            (low, high) = (new_low, new_high);
        }
        let hanging = (low, 0, 0)..(high, 0, 0);
        let taken: Vec<Arc<Flight>> =
            self.flights.extract_if(hanging, |(_, begin, _), _| *begin <= begun_by).map(|(_, flight)| flight).collect();
        self.wide -= taken.iter().filter(|flight| flight.nr > 1).count();
        taken
    }

    /// The flights held that conflict with this one and were under way at the same time, itself left out.
    pub fn beside<'a>(&'a self, flight: &'a Flight) -> impl Iterator<Item = &'a Flight> {
        let low = flight.base.0.saturating_sub(self.reach());
        let high = flight.base.0 + u64::from(flight.nr);
        let near = self.flights.range((low, 0, 0)..(high, 0, 0)).map(|(_, other)| &**other);
        near.filter(|other| other.conflicts(flight) && other.begin < flight.end && flight.begin < other.end)
            .filter(|other| (other.task.tid, other.begin) != (flight.task.tid, flight.begin))
    }

    /// Takes out all flights, in groups that hang together.
    pub fn take_all(&mut self) -> Vec<Vec<Arc<Flight>>> {
        let mut groups = Vec::new();
        while let Some(flight) = self.flights.values().next() {
            let base = flight.base;
            groups.push(self.take(base, Nanos::MAX));
        }
        groups
    }
}

/// The overlaps among flights that hang together. Pure.
pub fn overlaps(flights: &[impl Borrow<Flight>]) -> Vec<Overlap> {
    let mut order: Vec<&Flight> = flights.iter().map(Borrow::borrow).collect();
    order.sort_by_key(|flight| (flight.begin, flight.task.tid));
    let mut spans = Vec::new();
    let mut open: Vec<&Flight> = Vec::new();
    let mut span: Option<Span<'_>> = None;
    for flight in order {
        close_until(flight.begin, &mut open, &mut span, &mut spans);
        open.push(flight);
        let depth = open.iter().filter(|other| other.conflicts(flight)).count();
        if depth > 1 {
            span.get_or_insert_with(|| Span::new(flight.begin)).join(&open, flight, depth);
        }
    }
    close_until(Nanos::MAX, &mut open, &mut span, &mut spans);
    spans
}

/// Ends, in order of time, the open flights that end by `now`, and the span with the last pair of them.
fn close_until<'a>(now: Nanos, open: &mut Vec<&'a Flight>, span: &mut Option<Span<'a>>, spans: &mut Vec<Overlap>) {
    loop {
        let Some(next) = open.iter().enumerate().min_by_key(|(_, flight)| flight.end).map(|(index, _)| index) else {
            return;
        };
        if open.get(next).is_none_or(|flight| flight.end > now) {
            return;
        }
        let ended = open.swap_remove(next);
        if span.is_some() && !any_conflict(open) {
            spans.extend(span.take().map(|span| span.end(ended.end)));
        }
    }
}

/// Whether any two of the flights conflict.
fn any_conflict(open: &[&Flight]) -> bool {
    match open {
        [] | [_] => false,
        // The common case first: all on one range.
        [first, rest @ ..] => {
            rest.iter().any(|other| other.conflicts(first))
                || rest.iter().enumerate().any(|(i, a)| rest.iter().skip(i + 1).any(|b| a.conflicts(b)))
        }
    }
}

/// An overlap that is not over yet.
struct Span<'a> {
    from: Nanos,
    depth: usize,
    low: u64,
    high: u64,
    members: Vec<&'a Flight>,
}

impl<'a> Span<'a> {
    fn new(from: Nanos) -> Self {
        Self { from, depth: 0, low: u64::MAX, high: 0, members: Vec::new() }
    }

    /// A flight begins that conflicts with some of the open ones.
    fn join(&mut self, open: &[&'a Flight], flight: &'a Flight, depth: usize) {
        self.depth = self.depth.max(depth);
        for member in open.iter().filter(|other| other.conflicts(flight)) {
            self.low = self.low.min(member.base.0);
            self.high = self.high.max(member.base.0 + u64::from(member.nr));
            if !self.members.iter().any(|known| std::ptr::eq(*known, *member)) {
                self.members.push(member);
            }
        }
    }

    fn end(self, to: Nanos) -> Overlap {
        let mut spaces: Vec<u64> = self.members.iter().map(|flight| flight.mm).collect();
        spaces.sort_unstable();
        spaces.dedup();
        Overlap {
            entry: Entry(self.low),
            nr: u32::try_from(self.high.saturating_sub(self.low)).unwrap_or(u32::MAX),
            from_ns: self.from,
            to_ns: to,
            depth: u32::try_from(self.depth).unwrap_or(u32::MAX),
            tasks: self.members.iter().take(TASKS_LISTED).map(|flight| flight.task.clone()).collect(),
            spaces: u32::try_from(spaces.len()).unwrap_or(u32::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flight(tid: u32, base: u64, nr: u32, begin: Nanos, end: Nanos) -> Flight {
        let task = Task { tid, pid: 1, comm: format!("t{tid}").into() };
        Flight { entry: Entry(base), base: Entry(base), nr, task, begin, end, ..Flight::default() }
    }

    fn told(flights: &[impl Borrow<Flight>]) -> Vec<(Nanos, Nanos, u32, usize)> {
        overlaps(flights).iter().map(|o| (o.from_ns, o.to_ns, o.depth, o.tasks.len())).collect()
    }

    #[test]
    fn one_flight_after_another_is_no_overlap() {
        assert_eq!(told(&[flight(1, 5, 1, 0, 10), flight(2, 5, 1, 10, 20)]), []);
    }

    #[test]
    fn depth_and_duration() {
        let flights = [flight(1, 5, 1, 0, 30), flight(2, 5, 1, 10, 40), flight(3, 5, 1, 20, 25)];
        assert_eq!(told(&flights), [(10, 30, 3, 3)]);
    }

    #[test]
    fn two_spans_under_one_long_flight() {
        let flights = [flight(1, 5, 1, 0, 100), flight(2, 5, 1, 10, 20), flight(3, 5, 1, 50, 60)];
        assert_eq!(told(&flights), [(10, 20, 2, 2), (50, 60, 2, 2)]);
    }

    #[test]
    fn ranges_conflict_when_they_intersect_and_not_by_key() {
        let mut overlaps_of = Overlaps::default();
        for f in [flight(1, 0, 16, 0, 30), flight(2, 5, 1, 10, 40), flight(3, 16, 1, 0, 40)] {
            overlaps_of.insert(Arc::new(f));
        }
        let group = overlaps_of.take(Entry(5), 100);
        assert_eq!((group.len(), overlaps_of.len()), (2, 1));
        assert_eq!(overlaps_of.reach(), 0, "the one on sixteen entries has gone");
        assert_eq!(told(&group), [(10, 30, 2, 2)]);
    }
}
