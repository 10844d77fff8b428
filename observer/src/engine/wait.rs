//! What a flight that lost the pin pays: one wait per task and page, over all its refaults.

use std::{
    borrow::Borrow,
    collections::{BTreeMap, BTreeSet},
};

use serde::Serialize;

use super::event::{Change, ChangeKind, Entry, Flight, Nanos, Pin, PinResult, Task};
use super::hash::NumberMap;

/// A task that has not come back to its page after this time has found it there, brought in by somebody else: the
/// refault follows at once. Nanoseconds.
const REFAULT_WITHIN: Nanos = 50_000_000;

/// One wait that is over.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PinWait {
    /// The entry.
    pub entry: Entry,
    /// Who waited.
    pub task: Task,
    /// For which page.
    pub address: u64,
    /// When the first pin try failed.
    pub from_ns: Nanos,
    /// When the task got on.
    pub to_ns: Nanos,
    /// Pin tries that failed.
    pub retries: u32,
    /// Of these: tries that found the entry gone (`-ENOENT`), the other task having finished.
    pub gone: u32,
    /// Who held the pin at the first failure, where it was seen.
    pub holder: Option<Hold>,
    /// How long the task went on waiting after the pin was dropped.
    pub oversleep_ns: Option<Nanos>,
}

impl PinWait {
    /// Length in nanoseconds.
    pub fn duration(&self) -> Nanos {
        self.to_ns.saturating_sub(self.from_ns)
    }
}

/// A pin held.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Hold {
    /// Who.
    pub task: Task,
    /// When it was taken.
    pub taken_ns: Nanos,
    /// When it was dropped.
    pub dropped_ns: Nanos,
}

/// Waits that are not over yet, by thread.
#[derive(Debug, Default)]
pub struct Waits {
    open: NumberMap<u32, Open>,
    /// The entries that they are about.
    open_on: BTreeSet<(Entry, u32)>,
    /// Over, but who held the pin may still have to be told: the holder's flight ends after its pin.
    over: BTreeMap<(Entry, Nanos, u32), PinWait>,
}

/// A wait under way.
#[derive(Debug)]
struct Open {
    wait: PinWait,
    mm: u64,
    /// The slot's content changes at the end of the last flight. If more have come by the next flight, the page has been
    /// in memory and out again in between: that flight is another story, even on the same page and entry.
    changes: u32,
    /// The entry was handed out again before the last flight had even returned: no flight goes on with this wait.
    over: bool,
}

impl Open {
    /// Whether a flight is the refault that this wait goes on with.
    fn goes_on_with(&self, flight: &Flight, around: Around) -> bool {
        !self.over
            && self.mm == flight.mm
            && self.wait.address >> 12 == flight.address >> 12
            && self.wait.entry == flight.base
            && self.changes == around.changes_at_begin
            && flight.begin <= self.wait.to_ns + REFAULT_WITHIN
    }
}

/// What the slot's changes tell about a flight's place in a wait.
#[derive(Clone, Copy, Debug, Default)]
pub struct Around {
    /// The slot's content changes when the flight began. The flight itself tells those at its read only.
    changes_at_begin: u32,
    /// The entry was handed out again under the flight: the page that it came for has been in memory meanwhile.
    over: bool,
}

impl Around {
    /// From the changes of the flight's slot. While the flight was open every change was told; one that was lost can only
    /// cut a wait in two.
    pub fn of<'a>(flight: &Flight, changes: Option<impl IntoIterator<Item = &'a Change>>) -> Self {
        let at_read = flight.changes.at_read;
        let mut around = Self { changes_at_begin: at_read, over: false };
        for change in changes.into_iter().flatten().filter(|change| change.kind != ChangeKind::Freed) {
            let before_read = at_read.wrapping_sub(change.seq) < u32::MAX / 2;
            around.changes_at_begin =
                around.changes_at_begin.wrapping_sub(u32::from(before_read && change.at >= flight.begin));
            around.over |= change.kind == ChangeKind::HandedOut
                && change.entry == flight.entry
                && (flight.begin..=flight.end).contains(&change.at);
        }
        around
    }
}

/// The flight's last pin try, if it failed.
fn lost(flight: &Flight) -> Option<Pin> {
    flight.pin.filter(|pin| pin.result != PinResult::Taken)
}

impl Waits {
    /// Waits that [`Waits::advance`] has not given out yet.
    pub fn len(&self) -> usize {
        self.open.len() + self.over.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether a flight begins, prolongs or ends a wait.
    pub fn concerns(&self, flight: &Flight) -> bool {
        lost(flight).is_some() || self.open.contains_key(&flight.task.tid)
    }

    /// A flight has ended: begins, prolongs or ends its task's wait.
    pub fn flight(&mut self, flight: &Flight, around: Around) {
        let tid = flight.task.tid;
        let failed = lost(flight);
        let Some(open) = self.open.get_mut(&tid).filter(|open| open.goes_on_with(flight, around)) else {
            self.end(tid);
            if let Some(pin) = failed {
                self.open_on.insert((flight.base, tid));
                self.open.insert(tid, Open { over: around.over, ..begin(flight, pin) });
            }
            return;
        };
        let Some(pin) = failed else {
            // It got on: by a pin of its own, or with the page that somebody else brought in.
            open.wait.to_ns = flight.pin.map_or(flight.begin, |pin| pin.tried);
            self.end(tid);
            return;
        };
        open.wait.retries += 1;
        open.wait.gone += u32::from(pin.result == PinResult::Gone);
        open.wait.to_ns = flight.end;
        open.changes = flight.changes.at_end;
        open.over = around.over;
    }

    /// Tells waits who held the pin they lost: `flights` hang together and have all ended.
    pub fn holders(&mut self, flights: &[impl Borrow<Flight>]) {
        let flights = flights.iter().map(Borrow::borrow);
        for (flight, hold) in flights.filter_map(|flight: &Flight| Some((flight, hold(flight)?))) {
            let (first, last) = (flight.base, Entry(flight.base.0.saturating_add(flight.nr.into()).saturating_sub(1)));
            let hold = |wait: &mut PinWait| {
                if wait.holder.is_none() && (hold.taken_ns..=hold.dropped_ns).contains(&wait.from_ns) {
                    wait.holder = Some(hold.clone());
                }
            };
            self.over.range_mut((first, 0, 0)..=(last, Nanos::MAX, u32::MAX)).for_each(|(_, wait)| hold(wait));
            for (_, tid) in self.open_on.range((first, 0)..=(last, u32::MAX)) {
                self.open.entry(*tid).and_modify(|open| hold(&mut open.wait));
            }
        }
    }

    /// Gives out the waits that are over and cannot learn more: their task has not come back for a while. Oldest first.
    pub fn advance(&mut self, now: Nanos) -> Vec<PinWait> {
        let quiet = |wait: &PinWait| wait.to_ns.saturating_add(REFAULT_WITHIN) < now;
        let ended: Vec<u32> = self.open.iter().filter(|(_, open)| quiet(&open.wait)).map(|(tid, _)| *tid).collect();
        for tid in ended {
            self.end(tid);
        }
        let mut told: Vec<PinWait> = self.over.extract_if(.., |_, wait| quiet(wait)).map(|(_, wait)| wait).collect();
        for wait in &mut told {
            wait.oversleep_ns =
                wait.holder.as_ref().map(|hold| wait.to_ns.saturating_sub(hold.dropped_ns.max(wait.from_ns)));
        }
        told.sort_unstable_by_key(|wait| (wait.to_ns, wait.task.tid));
        told
    }

    fn end(&mut self, tid: u32) {
        if let Some(Open { wait, .. }) = self.open.remove(&tid) {
            self.open_on.remove(&(wait.entry, tid));
            self.over.insert((wait.entry, wait.from_ns, tid), wait);
        }
    }
}

fn begin(flight: &Flight, pin: Pin) -> Open {
    let wait = PinWait {
        entry: flight.base,
        task: flight.task.clone(),
        address: flight.address,
        from_ns: pin.tried,
        to_ns: flight.end,
        retries: 1,
        gone: u32::from(pin.result == PinResult::Gone),
        holder: None,
        oversleep_ns: None,
    };
    Open { wait, mm: flight.mm, changes: flight.changes.at_end, over: false }
}

/// The pin that a flight held from its try to its drop.
pub fn hold(flight: &Flight) -> Option<Hold> {
    let pin = flight.pin.filter(|pin| pin.result == PinResult::Taken)?;
    Some(Hold { task: flight.task.clone(), taken_ns: pin.tried, dropped_ns: pin.dropped? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::event::Seen;

    const PAGE: u64 = 0x7000;

    fn flight(tid: u32, begin: Nanos, end: Nanos, pin: Option<(Nanos, PinResult)>) -> Flight {
        Flight {
            task: Task { tid, pid: 1, comm: format!("t{tid}").into() },
            address: PAGE,
            nr: 1,
            begin,
            end,
            pin: pin.map(|(tried, result)| Pin { tried, result, fails: 0, dropped: (tried != end).then_some(end - 1) }),
            ..Flight::default()
        }
    }

    /// A flight ends on a slot that is quiet.
    fn ended(waits: &mut Waits, flight: &Flight) {
        waits.flight(flight, Around::of(flight, None::<&Vec<Change>>));
    }

    const LATER: Nanos = 1_000_000_000;

    #[test]
    fn refaults_of_one_page_are_one_wait_with_its_holder() {
        let mut waits = Waits::default();
        let holder = flight(9, 0, 50, Some((5, PinResult::Taken)));
        let lost = [flight(1, 10, 30, Some((12, PinResult::Held))), flight(1, 31, 60, Some((33, PinResult::Held)))];
        for flight in &lost {
            ended(&mut waits, flight);
        }
        waits.holders(&[holder, lost[0].clone(), lost[1].clone()]);
        let [wait] = waits.advance(LATER).try_into().unwrap();
        assert_eq!((wait.from_ns, wait.to_ns, wait.retries), (12, 60, 2));
        assert_eq!(wait.holder.map(|hold| (hold.task.tid, hold.dropped_ns)), Some((9, 49)));
        assert_eq!(wait.oversleep_ns, Some(11));
    }

    #[test]
    fn a_holder_that_is_told_after_the_next_fault_still_counts() {
        let mut waits = Waits::default();
        ended(&mut waits, &flight(1, 10, 60, Some((12, PinResult::Held))));
        ended(&mut waits, &Flight { address: PAGE + 4096, ..flight(1, 70, 80, None) });
        waits.holders(&[flight(9, 0, 50, Some((5, PinResult::Taken)))]);
        let [wait] = waits.advance(LATER).try_into().unwrap();
        assert_eq!(wait.oversleep_ns, Some(11));
    }

    #[test]
    fn a_task_that_takes_the_pin_itself_has_got_on() {
        let mut waits = Waits::default();
        ended(&mut waits, &flight(1, 10, 30, Some((12, PinResult::Gone))));
        ended(&mut waits, &flight(1, 31, 90, Some((40, PinResult::Taken))));
        let [wait] = waits.advance(LATER).try_into().unwrap();
        assert_eq!((wait.duration(), wait.retries, wait.gone, wait.oversleep_ns), (28, 1, 1, None));
        assert!(waits.is_empty());
    }

    #[test]
    fn the_same_page_and_entry_after_a_hand_out_is_another_wait() {
        let mut waits = Waits::default();
        ended(&mut waits, &flight(1, 10, 30, Some((12, PinResult::Held))));
        let changes = Seen { at_read: 2, at_end: 2 };
        ended(&mut waits, &Flight { changes, ..flight(1, 20_000, 30_000, Some((20_001, PinResult::Held))) });
        let told: Vec<_> = waits.advance(LATER).iter().map(|wait| (wait.duration(), wait.retries)).collect();
        assert_eq!(told, [(18, 1), (9_999, 1)]);
    }

    #[test]
    fn another_page_is_another_wait() {
        let mut waits = Waits::default();
        ended(&mut waits, &flight(1, 10, 30, Some((12, PinResult::Held))));
        ended(&mut waits, &Flight { address: PAGE + 4096, ..flight(1, 40, 60, Some((45, PinResult::Held))) });
        assert_eq!(waits.advance(LATER).len(), 2);
    }
}
