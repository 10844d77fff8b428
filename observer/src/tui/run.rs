//! The dashboard at work: keys in, samples in, frames out. Live it looks on at a session; in a replay it runs the player.

mod events;
mod export;
mod names;

use std::{
    io,
    ops::ControlFlow,
    path::Path,
    time::{Duration, Instant},
};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::{MissedTickBehavior, interval},
};

use self::{events::Events, names::Proc};
use super::{
    app::{App, Effect, Move, Tab, table::Row as _},
    gather::{Gatherer, Source, form},
    layout,
    model::{DeviceLine, EntryRow, FindingRow, Model, PartyRow},
    player::Player,
    terminal::{self, Screen},
    theme::{Environment, Theme},
    view,
};
use crate::{
    engine::Engine,
    kernel::{
        host::Release,
        swaps::{self, SwapArea},
        tree::Tree,
    },
    outcome::Context,
    probe::UserTime,
    session::{Onlooker, View},
};

/// Between two frames at least.
const FRAME: Duration = Duration::from_millis(100);

/// Samples between two looks at the swap devices and the window's size.
const SLOW_SAMPLES: u32 = 10;

/// Ticks between two readings of the counters.
const COUNTER_TICKS: u32 = 2;

/// What came of an input.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Asked {
    /// Nothing to do for others.
    Nothing,
    /// End.
    Quit,
    /// Start the tally anew.
    Clear,
    /// Control the replay.
    Transport(Move),
}

/// An open dashboard.
struct Dashboard {
    screen: Screen,
    app: App,
    theme: Theme,
    size: (u16, u16),
    events: Events,
    stopped: Signal,
    continued: Signal,
    drawn: Instant,
    dirty: bool,
}

impl Dashboard {
    fn open(ascii: bool) -> io::Result<Self> {
        let theme = Theme::choose(&Environment::of_process(ascii));
        let size = terminal::ask_size()?;
        let mut dashboard = Self {
            stopped: signal(SignalKind::from_raw(libc::SIGTSTP))?,
            continued: signal(SignalKind::from_raw(libc::SIGCONT))?,
            screen: Screen::open(size)?,
            app: App::default(),
            theme,
            size,
            events: Events::new(),
            drawn: Instant::now(),
            dirty: true,
        };
        dashboard.fit();
        Ok(dashboard)
    }

    /// Tells the state how much fits on the screen.
    fn fit(&mut self) {
        let (rows, lines) = view::pages(self.size.0, self.size.1, self.app.tab);
        self.app.resize(rows, lines);
        self.dirty = true;
    }

    fn resize(&mut self, size: (u16, u16)) {
        if size != self.size && size.0 > 0 && size.1 > 0 {
            self.size = size;
            self.screen.resize(size);
            self.fit();
        }
    }

    fn sample(&mut self, model: Model) {
        self.dirty |= self.app.sample(model);
        self.draw_if_due();
    }

    /// Draws if something has changed, the last frame is out, and not too soon after it.
    fn draw_if_due(&mut self) {
        // A little less than a frame: ticks are never quite even.
        let due = self.drawn.elapsed() + Duration::from_millis(10) >= FRAME;
        if self.dirty && due && self.screen.is_ready() {
            self.draw();
        }
    }

    fn draw(&mut self) {
        let (app, theme) = (&self.app, self.theme);
        // What cannot be drawn now is drawn with the next change.
        let drawn = self.screen.draw(|buffer| view::draw(app, theme, buffer));
        self.dirty = drawn.is_err();
        self.drawn = Instant::now();
    }

    /// Waits for the next key, click, or change of the window, and deals with it. May be dropped at any time.
    async fn input(&mut self) -> Asked {
        let input = tokio::select! {
            input = self.events.next() => input,
            _ = self.stopped.recv() => return self.suspend(),
            _ = self.continued.recv() => {
                self.dirty |= self.screen.take_again().is_ok();
                self.draw_if_due();
                return Asked::Nothing;
            }
        };
        let tab = self.app.tab;
        let effect = match input {
            events::Input::Key(key) => self.app.key(key),
            events::Input::Mouse(column, row, what) => {
                let hit = self.hit(column, row, what);
                hit.and_then(|hit| self.app.hit(hit))
            }
            events::Input::Resize(columns, rows) => {
                self.resize((columns, rows));
                None
            }
            events::Input::Nothing => return Asked::Nothing,
            // The terminal is gone.
            events::Input::Gone => return Asked::Quit,
        };
        self.dirty = true;
        if self.app.tab != tab {
            self.fit();
        }
        let asked = effect.map_or(Asked::Nothing, |effect| self.perform(effect));
        self.draw_if_due();
        asked
    }

    fn hit(&self, column: u16, row: u16, what: events::Mouse) -> Option<layout::Hit> {
        match what {
            events::Mouse::WheelUp => return Some(layout::Hit::WheelUp),
            events::Mouse::WheelDown => return Some(layout::Hit::WheelDown),
            events::Mouse::Click => {}
        }
        let screen = layout::screen(self.size.0, self.size.1)?;
        let heads = match self.app.tab {
            Tab::Overview => &[],
            Tab::Entries => EntryRow::COLUMNS,
            Tab::Tasks => PartyRow::COLUMNS,
            Tab::Findings => FindingRow::COLUMNS,
        };
        layout::hit(&screen, self.app.tab, &view::labels(&self.app, self.size.0), heads, column, row)
    }

    fn perform(&mut self, effect: Effect) -> Asked {
        match effect {
            Effect::Quit => return Asked::Quit,
            Effect::Clear => return Asked::Clear,
            Effect::Transport(order) => return Asked::Transport(order),
            Effect::Suspend => return self.suspend(),
            Effect::Redraw => self.screen.forget(),
            Effect::ExportSummary => {
                let written = export::summary(self.app.shown());
                self.tell(written);
            }
            Effect::ExportPicture(row) => {
                let setting = self.app.shown().model.setting(&row.device);
                let written = export::picture(&row, &setting);
                self.tell(written);
            }
        }
        Asked::Nothing
    }

    fn tell(&mut self, written: io::Result<String>) {
        match written {
            Ok(names) => self.app.say(format!("wrote {names}"), false),
            Err(error) => self.app.say(format!("cannot write here: {error}; start observer in another folder"), true),
        }
    }

    fn suspend(&mut self) -> Asked {
        // A terminal that cannot be had again is gone.
        if self.screen.suspend().is_err() {
            return Asked::Quit;
        }
        self.resize(terminal::size());
        self.dirty = true;
        self.draw();
        Asked::Nothing
    }

    /// A panic on another thread has given the terminal back: then this must not go on drawing.
    fn is_over(&self) -> bool {
        !self.screen.is_ours()
    }
}

/// The dashboard over a live observation.
pub struct Live {
    dashboard: Dashboard,
    gatherer: Gatherer,
    names: Proc,
    release: Release,
    samples: u32,
    clear: bool,
    quit: bool,
    begin: (UserTime, Instant),
}

impl Live {
    /// Opens it. `note` is said until the first events may come.
    ///
    /// # Errors
    /// When the terminal cannot be taken over.
    pub fn open(context: &Context, ascii: bool, note: &str) -> io::Result<Self> {
        let mut live = Self {
            dashboard: Dashboard::open(ascii)?,
            gatherer: Gatherer::new(context, ""),
            names: Proc,
            release: Release::parse(&context.kernel.release),
            samples: 0,
            clear: false,
            quit: false,
            begin: (UserTime::now(), Instant::now()),
        };
        live.dashboard.app.say(note.to_owned(), false);
        let (engine, sample) = (Engine::default(), crate::outcome::Sample::default());
        let now = context.clocks.monotonic_ns;
        let source = Source { engine: &engine, sample: &sample, now, devices: None, cpu: None, transport: None };
        let model = live.gatherer.gather(source, &mut ());
        live.dashboard.app.sample(model);
        live.dashboard.draw();
        Ok(live)
    }

    /// CPU time and time since the begin, nanoseconds.
    fn cpu(&self) -> (u64, u64) {
        let (then, now) = (self.begin.0, UserTime::now());
        let cpu = (now.user_ns + now.system_ns).saturating_sub(then.user_ns + then.system_ns);
        (cpu, u64::try_from(self.begin.1.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    fn devices(&self) -> Option<Vec<DeviceLine>> {
        let due = self.samples.is_multiple_of(SLOW_SAMPLES);
        let areas = due.then(|| swaps::gather(&Tree::system(), &self.release).ok()).flatten()?;
        Some(areas.iter().map(device).collect())
    }
}

/// A swap area as the dashboard shows it.
fn device(area: &SwapArea) -> DeviceLine {
    let of_path = || area.line.path.rsplit('/').next().unwrap_or_default().to_owned();
    let (name, driver) = match (&area.device, area.line.kind) {
        (Some(device), swaps::AreaKind::Partition) => (device.name.clone(), form(&device.disk)),
        (_, swaps::AreaKind::File) => (of_path(), "file".to_owned()),
        (None, swaps::AreaKind::Partition) => (of_path(), form(&of_path())),
    };
    DeviceLine {
        name,
        kind: area.ordinal,
        form: driver,
        size_kib: area.line.size_kib,
        used_kib: Some(area.line.used_kib),
        synchronous: area.synchronous,
    }
}

impl Onlooker for Live {
    fn prepare(&mut self, engine: &mut Engine) {
        engine.start_tally();
        if std::mem::take(&mut self.clear) {
            engine.clear_tally();
            self.gatherer.forget();
        }
    }

    fn sample_ticks(&self) -> u32 {
        COUNTER_TICKS
    }

    fn tick(&mut self, view: &View<'_>) -> ControlFlow<()> {
        if self.quit || self.dashboard.is_over() {
            return ControlFlow::Break(());
        }
        let source = Source {
            engine: view.engine,
            sample: view.sample,
            now: view.now,
            devices: self.devices(),
            cpu: Some(self.cpu()),
            transport: None,
        };
        let model = self.gatherer.gather(source, &mut self.names);
        if self.samples.is_multiple_of(SLOW_SAMPLES) {
            self.dashboard.resize(terminal::size_now(self.dashboard.size));
        }
        self.samples = self.samples.wrapping_add(1);
        self.dashboard.sample(model);
        ControlFlow::Continue(())
    }

    fn command_ended(&mut self) -> ControlFlow<()> {
        // What it did can be looked at until somebody quits.
        self.dashboard.app.say("the command has ended; q for the summary".to_owned(), false);
        self.dashboard.app.command_ended = true;
        self.dashboard.dirty = true;
        ControlFlow::Continue(())
    }

    async fn asked(&mut self) {
        while !self.quit {
            match self.dashboard.input().await {
                Asked::Quit => self.quit = true,
                Asked::Clear => self.clear = true,
                Asked::Nothing | Asked::Transport(_) => {}
            }
        }
    }
}

/// Runs the dashboard over a recording until somebody quits. Gives the player back, for the last word.
///
/// # Errors
/// When the terminal or the file fails.
pub async fn replay(mut player: Player, file: &Path, ascii: bool) -> io::Result<Player> {
    let mut stops = Stops::new()?;
    let name = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy().into_owned();
    let mut gatherer = Gatherer::new(player.context(), &name);
    let mut dashboard = Dashboard::open(ascii)?;
    let mut ticks = interval(FRAME);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut last = Instant::now();
    loop {
        let asked = tokio::select! {
            biased;
            () = stops.any() => return Ok(player),
            _ = ticks.tick() => {
                let begin = Instant::now();
                let elapsed = u64::try_from((begin - last).as_nanos()).unwrap_or(u64::MAX);
                last = begin;
                // Half of the time is left for keys.
                player.tick(elapsed, || begin.elapsed() < FRAME / 2);
                let source = Source {
                    engine: player.engine(),
                    sample: player.sample(),
                    now: player.now(),
                    devices: None,
                    cpu: None,
                    transport: Some(player.transport()),
                };
                let model = gatherer.gather(source, &mut ());
                dashboard.sample(model);
                if dashboard.is_over() { Asked::Quit } else { Asked::Nothing }
            }
            asked = dashboard.input() => asked,
        };
        match asked {
            Asked::Nothing => {}
            Asked::Quit => return Ok(player),
            Asked::Clear => {
                player.engine_mut().clear_tally();
                gatherer.forget();
            }
            Asked::Transport(order) => {
                if player.order(order).map_err(io::Error::other)? {
                    gatherer.forget();
                }
            }
        }
    }
}

/// Signals that end a replay.
struct Stops([Signal; 3]);

impl Stops {
    fn new() -> io::Result<Self> {
        Ok(Self([signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?, signal(SignalKind::hangup())?]))
    }

    async fn any(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}
