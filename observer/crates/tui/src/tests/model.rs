//! Models for the tests: one fixed recording of synthetic events on a vulnerable kernel, and live models made by hand.

use std::sync::{Arc, OnceLock};

use ratatui::layout::Size;

use super::screens::THEME;
use crate::{
    app::{App, keys::Key},
    model::{DelayInjection, Model},
    model_builder::{ModelBuilder, Source, Spent},
    view,
};
use observer_kernel::plan::{Consequence, Meaning, MissingReason};
use observer_observation::{Degraded, DropCause, Known, Outcome, Overhead, ProgramRun, ProgramStats, RingUse};
use observer_record::player::Player;
use observer_recordings::{synthetic, vulnerable};
use observer_report::summary::headline::Doubt;

/// Seconds.
const LENGTH: u64 = 20;
const SECOND: u64 = 1_000_000_000;

pub(super) const SMALL: Size = Size { width: 80, height: 24 };

/// A dashboard over the whole recording, paused at its end.
pub(super) fn replayed(size: Size) -> App {
    static APP: OnceLock<App> = OnceLock::new();
    let played = || {
        let mut app = App::default();
        for model in replay() {
            app.update(model);
        }
        app
    };
    let mut app = APP.get_or_init(played).clone();
    fit(&mut app, size);
    app
}

/// A live dashboard with one sample.
pub(super) fn live(model: Model) -> App {
    let mut app = App::default();
    app.update(model);
    app
}

/// As the run loop does after each change of view.
pub(super) fn fit(app: &mut App, size: Size) {
    let (rows, lines) = view::pages(size, app.tab);
    app.resize(rows, lines);
    app.limit_scroll(view::scrollable(app, THEME, size));
}

pub(super) fn press(app: &mut App, size: Size, keys: &str) {
    for ch in keys.chars() {
        app.key(key_of(ch));
        fit(app, size);
    }
}

pub(super) const fn key_of(ch: char) -> Key {
    match ch {
        '\n' => Key::Enter,
        '\t' => Key::Tab,
        '\u{1b}' => Key::Esc,
        ch => Key::Char(ch),
    }
}

fn replay() -> Vec<Model> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("synthetic.obs");
    vulnerable::record(&path, LENGTH, 1_000).unwrap();
    let mut player = Player::open(&path).unwrap();
    let mut builder = ModelBuilder::replay(player.context());
    let mut models = Vec::new();
    for _ in 0..LENGTH * 10 - 5 {
        player.tick(SECOND / 10, || true).unwrap();
        let mut transport = player.transport();
        // A thread finds the length out, at an unpredictable time.
        transport.length_ns = LENGTH * SECOND;
        let source = Source {
            engine: player.engine(),
            known: player.known(),
            now: player.now(),
            devices: None,
            spent: None,
            transport: Some(transport),
            delay_injection: None,
        };
        models.push(builder.build(source));
    }
    models
}

/// A live observation without events.
pub(super) fn quiet() -> Model {
    let mut builder = ModelBuilder::live(&vulnerable::context());
    let mut engine = observer_observation::Engine::default();
    engine.start_tally();
    let outcome = Outcome::unfinished(vulnerable::context());
    let now = synthetic::START + 75 * SECOND;
    let run = ProgramRun { name: "fault_start_fentry".to_owned(), runs: 1_000, run_ns: SECOND / 500 };
    let overhead = Overhead {
        elapsed_ns: SECOND,
        resident_bytes: Some(9 << 20),
        max_resident_bytes: 10 << 20,
        kernel_bytes: 11 << 20,
        ring: Some(RingUse { size_bytes: 4 << 20, waiting_bytes: 1_840, highest_bytes: 1 << 20 }),
        program_stats: Some(ProgramStats::Counted(vec![run])),
        ..Overhead::default()
    };
    let source = Source {
        engine: &engine,
        known: Known { swaps: &[], report: engine.report(), ..Known::from(&outcome) },
        now,
        devices: None,
        spent: Some(Spent { cpu_ns: 4_000_000, elapsed_ns: SECOND, overhead: &overhead }),
        transport: None,
        delay_injection: None,
    };
    builder.build(source)
}

pub(super) fn with_dropped_events() -> Model {
    let mut model = quiet();
    model.dropped.insert(DropCause::RingFullFault, 1_234);
    model.dropped.insert(DropCause::EventTooLate, 2);
    model.doubts.push(Doubt::DroppedEvents { events: model.dropped_events() });
    model.findings = Arc::default();
    model
}

/// A vulnerable kernel on which allocations cannot be hooked.
pub(super) fn not_observable() -> Model {
    let mut model = quiet();
    let gap = Degraded {
        meaning: Meaning::Allocated,
        reason: MissingReason::Unknown,
        consequence: Consequence::of(Meaning::Allocated),
        partial: false,
    };
    let kernel = &mut Arc::make_mut(&mut model.about).kernel;
    kernel.degraded.push(gap);
    let verdicts = kernel.not_observable().into_keys().collect();
    model.doubts.push(Doubt::NotObservable { verdicts });
    model
}

pub(super) fn with_delay_injection(on: bool) -> Model {
    let mut model = quiet();
    model.delay_injection = DelayInjection::Attached { on, ns: 5_000_000, delays: 1_234 };
    model
}
