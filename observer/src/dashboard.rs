//! The dashboard at work: keys in, samples in, frames out. Live it looks on at a session; in a replay it runs the player.

mod events;
mod export;
mod live;
mod names;
mod replay;
pub mod terminal;

use std::{
    io,
    time::{Duration, Instant},
};

use tokio::signal::unix::{Signal, SignalKind, signal};

use self::{events::Events, terminal::Screen};
pub use self::{live::Live, replay::replay};
use observer_record::player::Move;
use observer_tui::{
    app::{App, Effect, Tab, table::Row as _},
    layout,
    model::{EntryRow, FindingRow, Model, PartyRow},
    theme::{Environment, Theme},
    view,
};

/// Between two frames at least.
const FRAME: Duration = Duration::from_millis(100);

/// What came of an input.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Asked {
    /// Nothing to do for others.
    Nothing,
    /// End.
    Quit,
    /// Start the tally again.
    Clear,
    /// Switch delay injection on or off.
    Widen(bool),
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
        self.app.limit_scroll(view::scrollable(&self.app, self.theme, self.size.0, self.size.1));
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
            Effect::Widen(on) => return Asked::Widen(on),
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
