//! The loop behind the dashboard: keys in, samples in, frames out. Live it is an observer of the session; in a replay
//! it runs the player.

mod events;
mod export;
mod live;
mod replay;
pub mod terminal;

use std::{
    io,
    time::{Duration, Instant},
};

use ratatui::layout::Size;
use tokio::signal::unix::SignalKind;

use self::{events::Events, terminal::Screen};
pub use self::{live::Live, replay::replay};
use crate::signals::Heard;
use observer_record::player::Move;
use observer_tui::{
    app::{App, Effect, Hit, Tab, table::TableRow as _},
    layout,
    model::{EntryRow, FindingRow, GroupRow, Model},
    settings::{SHORTEST_REFRESH, Settings, is_frame_due},
    theme::{Environment, Theme},
    view,
};

/// Shortest time between two frames.
const FRAME: Duration = SHORTEST_REFRESH;

/// What an input asks of the session or the player.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Request {
    Quit,
    ClearTally,
    SwitchDelayInjection(bool),
    Transport(Move),
}

/// The variables and settings that the theme is chosen by.
fn environment(settings: &Settings) -> Environment {
    let environment = terminal::environment(settings.ascii);
    let no_color = environment.no_color && !settings.colours_despite_no_color;
    Environment { no_color, palette: settings.palette, ..environment }
}

/// An open dashboard.
struct Dashboard {
    screen: Screen,
    app: App,
    theme: Theme,
    size: Size,
    events: Events,
    stopped: Heard,
    continued: Heard,
    drawn: Instant,
    /// Shortest time between two frames that new data causes.
    refresh: Duration,
    /// New data changes the screen.
    stale: bool,
    /// A key, a click or the window has changed the screen.
    dirty: bool,
}

impl Dashboard {
    fn open(settings: Settings) -> io::Result<Self> {
        let size = terminal::query_size()?;
        let mut dashboard = Self {
            stopped: Heard::new(SignalKind::from_raw(libc::SIGTSTP))?,
            continued: Heard::new(SignalKind::from_raw(libc::SIGCONT))?,
            screen: Screen::open(size, settings.mouse)?,
            theme: Theme::choose(&environment(&settings)),
            refresh: settings.refresh,
            app: App::new(settings),
            size,
            events: Events::new(),
            drawn: Instant::now(),
            stale: false,
            dirty: true,
        };
        dashboard.fit();
        Ok(dashboard)
    }

    /// Passes the size of the screen on to the state.
    fn fit(&mut self) {
        let (rows, lines) = view::pages(self.size, self.app.tab);
        self.app.resize(rows, lines);
        self.dirty = true;
    }

    fn resize(&mut self, size: Size) {
        if size != self.size && size.width > 0 && size.height > 0 {
            self.size = size;
            self.screen.resize(size);
            self.fit();
        }
    }

    fn update(&mut self, model: Model) {
        self.stale |= self.app.update(model);
        if let Some(signal) = self.app.take_signal() {
            let term = terminal::environment(false).term;
            self.screen.signal(signal.permitted(terminal::has_control_strings(&term)));
        }
        self.draw_if_due();
    }

    /// Draws if something has changed, the last frame is written, and it is old enough.
    fn draw_if_due(&mut self) {
        let due = |by_key| is_frame_due(self.drawn.elapsed(), by_key, self.refresh);
        if ((self.dirty && due(true)) || (self.stale && due(false))) && self.screen.is_ready() {
            self.draw();
        }
    }

    fn draw(&mut self) {
        let (app, theme) = (&self.app, self.theme);
        // After an error the next change draws again.
        let drawn = self.screen.draw(|buffer| view::draw(app, theme, buffer));
        self.dirty = drawn.is_err();
        self.stale = false;
        self.drawn = Instant::now();
    }

    /// Waits for the next key, click, or change of the window, and handles it. May be dropped at any time.
    async fn input(&mut self) -> Option<Request> {
        let input = tokio::select! {
            input = self.events.next() => input,
            () = self.stopped.recv() => return self.suspend(),
            () = self.continued.recv() => {
                self.dirty |= self.screen.enter_again().is_ok();
                self.draw_if_due();
                return None;
            }
        };
        let tab = self.app.tab;
        let effect = match input {
            events::Input::Key(key) => self.app.key(key),
            events::Input::Mouse { column, row, action } => {
                self.hit(column, row, action).and_then(|hit| self.app.hit(hit))
            }
            events::Input::Resize(size) => {
                self.resize(size);
                None
            }
            events::Input::Ignored => return None,
            events::Input::Closed => return Some(Request::Quit),
        };
        self.dirty = true;
        if self.app.tab != tab {
            self.fit();
        }
        self.app.limit_scroll(view::scrollable(&self.app, self.theme, self.size));
        let request = effect.and_then(|effect| self.perform(effect));
        self.draw_if_due();
        request
    }

    fn hit(&self, column: u16, row: u16, action: events::Mouse) -> Option<Hit> {
        match action {
            events::Mouse::WheelUp => return Some(Hit::WheelUp),
            events::Mouse::WheelDown => return Some(Hit::WheelDown),
            events::Mouse::Click => {}
        }
        let screen = layout::screen(self.size)?;
        let app = &self.app;
        let heads = match app.tab {
            Tab::Overview => Vec::new(),
            Tab::Entries => layout::sorted(EntryRow::COLUMNS, app.entries.sort),
            Tab::Tasks => layout::sorted(GroupRow::COLUMNS, app.tasks.sort),
            Tab::Findings => layout::sorted(FindingRow::COLUMNS, app.findings.sort),
        };
        layout::hit(&screen, app.tab, &view::labels(app, self.size.width), &heads, app.columns.of(app.tab), column, row)
    }

    fn perform(&mut self, effect: Effect) -> Option<Request> {
        match effect {
            Effect::Quit => return Some(Request::Quit),
            Effect::Clear => return Some(Request::ClearTally),
            Effect::Transport(command) => return Some(Request::Transport(command)),
            Effect::SwitchDelayInjection(on) => return Some(Request::SwitchDelayInjection(on)),
            Effect::Copy(text) => self.copy(&text),
            Effect::CaptureMouse(on) => self.screen.capture_mouse(on),
            Effect::Suspend => return self.suspend(),
            Effect::Redraw => self.screen.invalidate(),
            Effect::ExportSummary => {
                let written = export::summary(self.app.shown());
                self.notify_written(written);
            }
            Effect::ExportPicture(row) => {
                let setting = self.app.shown().model.setting(row.device.as_deref());
                let written = export::picture(&row, &setting);
                self.notify_written(written);
            }
        }
        None
    }

    fn copy(&mut self, text: &str) {
        if terminal::has_control_strings(&terminal::environment(false).term) {
            self.screen.copy(text);
        } else {
            self.app.notify_error("cannot copy: this terminal has no clipboard; e writes a file".to_owned());
        }
    }

    fn notify_written(&mut self, written: io::Result<String>) {
        match written {
            Ok(names) => self.app.notify(format!("wrote {names}")),
            Err(error) => {
                self.app.notify_error(format!("cannot write here: {error}; start observer in another folder"));
            }
        }
    }

    fn suspend(&mut self) -> Option<Request> {
        if self.stopped.is_ignored() {
            self.app.notify_error("cannot suspend: SIGTSTP was ignored when observer was started".to_owned());
            return None;
        }
        // An error means that the terminal is closed.
        if self.screen.suspend().is_err() {
            return Some(Request::Quit);
        }
        self.resize(terminal::size());
        self.dirty = true;
        self.draw();
        None
    }

    /// Whether a panic on another thread has restored the terminal: then nothing may be drawn any more.
    fn is_over() -> bool {
        !Screen::is_entered()
    }
}
