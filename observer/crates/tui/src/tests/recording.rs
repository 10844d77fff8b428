//! One fixed recording: made-up events on an unfixed kernel, the same every time, written and read as any other.

use std::{
    path::PathBuf,
    sync::{Arc, OnceLock},
};

use super::screens::THEME;
use crate::{
    app::{App, keys::Key},
    model::{DelayInjection, Model},
    model_builder::{ModelBuilder, Source, Spent},
    view,
};
use observer_observation::{Overhead, ProgramRun, ProgramStats, RingUse, Sample};
use observer_record::player::Player;
use observer_recordings::{synthetic, unfixed};

/// Seconds of it.
const LENGTH: u64 = 20;
const SECOND: u64 = 1_000_000_000;

/// A recording in a file, removed with this value.
pub(crate) struct Recording {
    pub(crate) path: PathBuf,
}

impl Drop for Recording {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Writes it, again for each test: they run side by side.
pub(crate) fn recording() -> Recording {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::SeqCst);
    let path = std::env::temp_dir().join(format!("observer-tui-{}-{number}", std::process::id()));
    unfixed::record(&path, LENGTH, 1_000).unwrap();
    Recording { path }
}

/// A dashboard of some size over the whole recording, paused at its end, and every sample on the way.
pub(crate) fn app(width: u16, height: u16) -> App {
    static APP: OnceLock<App> = OnceLock::new();
    let played = || {
        let mut app = App::default();
        for model in samples() {
            app.sample(model);
        }
        app
    };
    let mut app = APP.get_or_init(played).clone();
    fit(&mut app, width, height);
    app
}

/// As the run loop does after each change of view.
pub(crate) fn fit(app: &mut App, width: u16, height: u16) {
    let (rows, lines) = view::pages(width, height, app.tab);
    app.resize(rows, lines);
    app.limit_scroll(view::scrollable(app, THEME, width, height));
}

/// Presses keys, and fits after each.
pub(crate) fn press(app: &mut App, size: (u16, u16), keys: &str) {
    for ch in keys.chars() {
        let key = match ch {
            '\n' => Key::Enter,
            '\t' => Key::Tab,
            '\u{1b}' => Key::Esc,
            ch => Key::Char(ch),
        };
        app.key(key);
        fit(app, size.0, size.1);
    }
}

fn samples() -> Vec<Model> {
    let recording = recording();
    let mut player = Player::open(&recording.path).unwrap();
    let mut model_builder = ModelBuilder::new(player.context(), "made-up.obsrec");
    let mut samples = Vec::new();
    for _ in 0..LENGTH * 10 - 5 {
        player.tick(SECOND / 10, || true);
        let mut transport = player.transport();
        // How soon the length is known is a matter of luck.
        transport.length_ns = LENGTH * SECOND;
        let source = Source {
            engine: player.engine(),
            sample: player.sample(),
            now: player.now(),
            devices: None,
            spent: None,
            transport: Some(transport),
            widening: None,
        };
        samples.push(model_builder.gather(source, &mut ()));
    }
    samples
}

/// A sample with nothing in it, of a live observation.
pub(crate) fn quiet() -> Model {
    let mut model_builder = ModelBuilder::new(&unfixed::context(), "");
    let mut engine = observer_engine::Engine::default();
    engine.start_tally();
    let (sample, now) = (Sample::default(), synthetic::START + 75 * SECOND);
    let run = ProgramRun { name: "fault_start_fentry".to_owned(), runs: 1_000, run_ns: SECOND / 500 };
    let own = Overhead {
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
        sample: &sample,
        now,
        devices: None,
        spent: Some(Spent { cpu_ns: 4_000_000, clock_ns: SECOND, own: &own }),
        transport: None,
        widening: None,
    };
    model_builder.gather(source, &mut ())
}

/// With dropped.
pub(crate) fn lossy() -> Model {
    let mut model = quiet();
    model.dropped.insert("ring_full_fault", 1_234);
    model.dropped.insert("event_too_late", 2);
    model.findings = Arc::default();
    model
}

/// With a delay_injection.
pub(crate) fn widened(on: bool) -> Model {
    let mut model = quiet();
    model.delay_injection = DelayInjection::Attached { on, ns: 5_000_000, delays: 1_234 };
    model
}
