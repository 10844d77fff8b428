//! The engine's memory depends on what is in progress, not on the length of the run.

use observer_engine::{Engine, Footprint, event::Event, limits::REORDER_DELAY};
use observer_event_streams::{EventStream, STEP};

/// The largest number of each item at the end of any batch, and the finished engine.
fn run(events: impl Iterator<Item = Event>) -> (Footprint, Engine<()>) {
    let mut engine = Engine::<()>::default();
    let mut largest = Footprint::default();
    let mut now = 0;
    for (number, event) in events.enumerate() {
        now = now.max(event.at());
        engine.feed(event);
        if number % 10_000 == 0 {
            engine.advance(now);
            let footprint = engine.footprint();
            largest = Footprint {
                events: largest.events.max(footprint.events),
                faults: largest.faults.max(footprint.faults),
                changes: largest.changes.max(footprint.changes),
                idle_slots: largest.idle_slots.max(footprint.idle_slots),
                waits: largest.waits.max(footprint.waits),
            };
        }
    }
    engine.finish();
    (largest, engine)
}

#[test]
fn a_million_events_leave_nothing_behind() {
    let (largest, engine) = run(EventStream::default().take(1_000_000));
    let per_ms = usize::try_from(1_000_000 / STEP).unwrap();
    let reorder_ms = usize::try_from(REORDER_DELAY / 1_000_000).unwrap();
    // The events of the reorder delay, and the other items of some tens of milliseconds; both with a batch in addition.
    assert!(largest.events <= per_ms * (reorder_ms + 10), "{largest:?}");
    for count in [largest.faults, largest.changes, largest.idle_slots, largest.waits] {
        assert!(count <= per_ms * 60, "{largest:?}");
    }
    assert_eq!(engine.footprint(), Footprint::default());
    let report = engine.report();
    assert_eq!(report.events, 1_000_000);
    assert!(report.verdicts.stale_install > 80_000, "{:?}", report.verdicts);
    assert!(report.verdicts.pin_wait > 80_000, "{:?}", report.verdicts);
    assert!(report.findings.len() + report.overlaps.len() + report.waits.len() <= 30_000);
}

/// About half of the ends are dropped, and with them the records that report an idle slot.
#[test]
fn dropped_ends_do_not_accumulate() {
    let events = EventStream::default()
        .enumerate()
        .filter(|(number, event)| !(matches!(event, Event::Ended(_)) && number % 7 < 4))
        .map(|(_, event)| event);
    let (largest, engine) = run(events.take(1_000_000));
    assert!(largest.changes <= 262_144, "{largest:?}");
    assert!(largest.faults <= 65_536 + 2_000, "{largest:?}");
    assert_eq!(engine.footprint(), Footprint::default());
    assert!(engine.report().dropped.faults_without_end > 0, "{:?}", engine.report().dropped);
}
