//! The engine's memory depends on what is in progress, not on the length of the run.

use observer_engine::{Engine, HOLD_BACK, Held, event::Event};
use observer_event_streams::stream;
use stream::{STEP, Stream};

/// Most of each held at the end of any batch.
fn most_held(events: impl Iterator<Item = Event>) -> (Held, Engine) {
    let mut engine = Engine::default();
    let mut most = Held::default();
    let mut now = 0;
    for (number, event) in events.enumerate() {
        now = now.max(event.at());
        engine.feed(event);
        if number % 10_000 == 0 {
            engine.advance(now);
            let held = engine.held();
            most = Held {
                events: most.events.max(held.events),
                faults: most.faults.max(held.faults),
                changes: most.changes.max(held.changes),
                drains: most.drains.max(held.drains),
                waits: most.waits.max(held.waits),
            };
        }
    }
    engine.finish();
    (most, engine)
}

/// What the engine may hold: the events held back, and those of some tens of milliseconds more (a batch included).
fn assert_small(held: Held) {
    let per_ms = usize::try_from(1_000_000 / STEP).unwrap_or(usize::MAX);
    let hold_back = usize::try_from(HOLD_BACK / 1_000_000).unwrap_or(usize::MAX);
    assert!(held.events <= per_ms * (hold_back + 10), "{held:?}");
    for count in [held.faults, held.changes, held.drains, held.waits] {
        assert!(count <= per_ms * 60, "{held:?}");
    }
}

#[test]
fn a_million_events_leave_nothing_behind() {
    let (most, engine) = most_held(Stream::default().take(1_000_000));
    assert_small(most);
    assert_eq!(engine.held(), Held::default());
    let report = engine.report();
    assert_eq!(report.events, 1_000_000);
    assert!(report.verdicts.stale_install > 80_000 && report.verdicts.pin_wait > 80_000, "{:?}", report.verdicts);
    assert!(report.findings.len() + report.overlaps.len() + report.waits.len() <= 30_000);
}

/// Every second or so a fault's end is lost, and with it the record that would say "none open".
#[test]
fn lost_ends_do_not_pile_up() {
    let lossy =
        Stream::default().enumerate().filter(|(number, event)| !(matches!(event, Event::Ended(_)) && number % 7 < 4));
    let (most, engine) = most_held(lossy.map(|(_, event)| event).take(1_000_000));
    assert!(most.changes <= 262_144 && most.faults <= 65_536 + 2_000, "{most:?}");
    assert_eq!(engine.held(), Held::default());
    let dropped = engine.report().dropped;
    assert!(dropped.faults_without_end > 0 && dropped.total() > 0, "{dropped:?}");
}
