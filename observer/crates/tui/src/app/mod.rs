//! The state of the dashboard: keys and samples come in, effects go out. Pure: no terminal, no clock, no files.

mod actions;
pub mod keys;
mod parts;
pub mod rates;
pub mod rows;
pub mod table;

use std::sync::Arc;

pub use self::parts::{Effect, Grouping, Message, Overlay, Shown, Tab};
use self::{
    keys::{Action, Key, Place},
    parts::MESSAGE_SAMPLES,
    table::{Row as _, Table},
};
use super::{
    layout::Hit,
    model::{EntryRow, FindingRow, Model, PartyRow},
};
use observer_engine::{
    event::Entry,
    tally::Party,
    verdict::{Finding, Verdict},
};

/// See the module.
#[derive(Clone, Debug)]
pub struct App {
    /// The view.
    pub tab: Tab,
    /// What lies over it.
    pub overlay: Option<Overlay>,
    /// The entries table.
    pub entries: Table<Entry>,
    /// The tasks table.
    pub tasks: Table<Party>,
    /// How it is grouped.
    pub grouping: Grouping,
    /// Its rows, of that grouping only.
    pub parties: Vec<PartyRow>,
    /// The list of findings.
    pub findings: Table<u64>,
    /// Whether the filter is being typed.
    pub typing: bool,
    /// The line at the bottom.
    pub message: Option<Message>,
    /// How the watched command ended, in words; nothing new will come.
    pub command_ended: Option<String>,
    live: Shown,
    frozen: Option<Box<Shown>>,
    page: usize,
    pictures: usize,
    /// The replay runs to the next finding: select it.
    follow: bool,
}

impl Default for App {
    fn default() -> Self {
        // Worst first, newest first.
        let worst = |columns: usize| columns - 1;
        Self {
            tab: Tab::default(),
            overlay: None,
            entries: Table::new(worst(EntryRow::COLUMNS.len())),
            tasks: Table::new(worst(PartyRow::COLUMNS.len())),
            grouping: Grouping::default(),
            parties: Vec::new(),
            findings: Table::new(0),
            typing: false,
            message: None,
            command_ended: None,
            live: Shown::default(),
            frozen: None,
            page: 1,
            pictures: 1,
            follow: false,
        }
    }
}

impl App {
    /// What to show.
    pub fn shown(&self) -> &Shown {
        self.frozen.as_deref().unwrap_or(&self.live)
    }

    /// Whether the view is frozen.
    pub fn is_frozen(&self) -> bool {
        self.frozen.is_some()
    }

    /// The filter of the view's table.
    pub fn filter(&self) -> &str {
        match self.tab {
            Tab::Overview => "",
            Tab::Entries => &self.entries.filter,
            Tab::Tasks => &self.tasks.filter,
            Tab::Findings => &self.findings.filter,
        }
    }

    /// Rows of a table, and lines of a picture, that fit on the screen.
    pub fn resize(&mut self, table_rows: usize, picture_rows: usize) {
        self.page = table_rows.max(1);
        self.pictures = picture_rows.max(1);
        self.arrange();
    }

    /// So many lines of what lies over the view can be scrolled away, no more: else the way back would start with keys that
    /// do nothing.
    pub fn limit_scroll(&mut self, most: usize) {
        if let Some(Overlay::Help { scroll } | Overlay::Picture { scroll, .. }) = &mut self.overlay {
            *scroll = (*scroll).min(most);
        }
    }

    /// Takes in a sample. True: what is shown has changed.
    pub fn sample(&mut self, model: Model) -> bool {
        self.live.rates.set_replayed(model.transport.is_some());
        self.live.rates.sample(model.at_ns, model.counts);
        let changed = !same_picture(&self.live.model, &model) && self.frozen.is_none();
        let found = model.findings.last().map(|row| row.number) > self.live.model.findings.last().map(|row| row.number);
        self.live.model = model;
        if found && std::mem::take(&mut self.follow) {
            self.findings.pinned = false;
        }
        if changed {
            self.arrange();
        }
        let talked = self.message.is_some();
        if let Some(message) = &mut self.message {
            message.left -= 1;
        }
        self.message.take_if(|message| message.left == 0);
        changed || (talked && self.message.is_none())
    }

    /// Says something at the bottom.
    pub fn say(&mut self, text: String, failed: bool) {
        self.message = Some(Message { text, failed, left: MESSAGE_SAMPLES });
    }

    /// The watched command has ended, so: what it did can be looked at until somebody quits.
    pub fn command_ended(&mut self, how: String) {
        self.say(format!("the command {how}; q for the summary"), false);
        self.command_ended = Some(how);
    }

    /// A key was pressed.
    pub fn key(&mut self, key: Key) -> Option<Effect> {
        if self.typing {
            return self.type_filter(key);
        }
        if let Some(Overlay::Help { scroll }) = &mut self.overlay {
            match key {
                Key::Up | Key::Char('k') => *scroll = scroll.saturating_sub(1),
                Key::Down | Key::Char('j') => *scroll += 1,
                Key::PageUp => *scroll = scroll.saturating_sub(self.pictures),
                Key::PageDown => *scroll += self.pictures,
                Key::Ctrl('c') => return Some(Effect::Quit),
                _ => self.overlay = None,
            }
            return None;
        }
        keys::action(key, &self.places()).and_then(|action| self.act(action))
    }

    /// Where keys work now, the narrowest first.
    pub fn places(&self) -> Vec<Place> {
        let picture = matches!(self.overlay, Some(Overlay::Picture { .. }));
        let table = self.tab != Tab::Overview && !picture;
        let replay = self.live.model.transport.is_some();
        [(picture, Place::Picture), (table, Place::Tables), (replay, Place::Replay), (true, Place::Everywhere)]
            .into_iter()
            .filter_map(|(open, place)| open.then_some(place))
            .collect()
    }

    /// The mouse was used on something.
    pub fn hit(&mut self, hit: Hit) -> Option<Effect> {
        if self.overlay.is_some() {
            return match hit {
                Hit::WheelUp => self.act(Action::Up),
                Hit::WheelDown => self.act(Action::Down),
                _ => None,
            };
        }
        match hit {
            Hit::Tab(tab) => self.act(Action::Go(tab)),
            Hit::WheelUp => self.act(Action::Up),
            Hit::WheelDown => self.act(Action::Down),
            Hit::Row(row) => {
                let again = self.cursor() == Some(self.offset() + row);
                self.go(self.offset() + row);
                if again { self.act(Action::Open) } else { None }
            }
            Hit::Head(column) => {
                match self.tab {
                    Tab::Overview => {}
                    Tab::Entries => self.entries.sort_by(column),
                    Tab::Tasks => self.tasks.sort_by(column),
                    Tab::Findings => self.findings.sort_by(column),
                }
                self.arrange();
                None
            }
        }
    }

    /// Sorts and filters the rows of the view's table.
    fn arrange(&mut self) {
        let page = self.page;
        let model = &self.frozen.as_deref().unwrap_or(&self.live).model;
        match self.tab {
            Tab::Overview => {}
            Tab::Entries => self.entries.arrange(&model.entries, page),
            Tab::Tasks => {
                let rows = model.parties.iter().filter(|row| self.grouping.holds(&row.party));
                self.parties = rows.cloned().collect();
                self.tasks.arrange(&self.parties, page);
            }
            Tab::Findings => self.findings.arrange(&model.findings, page),
        }
    }

    fn go(&mut self, place: usize) {
        let page = self.page;
        let model = &self.frozen.as_deref().unwrap_or(&self.live).model;
        match self.tab {
            Tab::Overview => {}
            Tab::Entries => self.entries.go(place, &model.entries, page),
            Tab::Tasks => self.tasks.go(place, &self.parties, page),
            Tab::Findings => self.findings.go(place, &model.findings, page),
        }
    }

    fn cursor(&self) -> Option<usize> {
        match self.tab {
            Tab::Overview => None,
            Tab::Entries => Some(self.entries.cursor),
            Tab::Tasks => Some(self.tasks.cursor),
            Tab::Findings => Some(self.findings.cursor),
        }
    }

    fn offset(&self) -> usize {
        match self.tab {
            Tab::Overview => 0,
            Tab::Entries => self.entries.offset,
            Tab::Tasks => self.tasks.offset,
            Tab::Findings => self.findings.offset,
        }
    }

    /// The selected finding.
    pub fn selected_finding(&self) -> Option<&FindingRow> {
        let rows = &self.shown().model.findings;
        self.findings.selected.and_then(|number| rows.iter().find(|row| row.number == number))
    }
}

/// Whether two samples look the same: the clock shows seconds, and tables are the same if they are the same object.
fn same_picture(a: &Model, b: &Model) -> bool {
    const SECOND: u64 = 1_000_000_000;
    a.at_ns / SECOND == b.at_ns / SECOND
        && a.counts == b.counts
        && a.faults_in_progress == b.faults_in_progress
        && a.dropped == b.dropped
        && a.transport == b.transport
        && a.devices == b.devices
        && a.delay_injection == b.delay_injection
        && Arc::ptr_eq(&a.distributions, &b.distributions)
        && Arc::ptr_eq(&a.entries, &b.entries)
        && Arc::ptr_eq(&a.parties, &b.parties)
        && Arc::ptr_eq(&a.findings, &b.findings)
}

/// The worst finding among those shown, and the newest of these.
pub fn worst(findings: &[FindingRow]) -> Option<(Verdict, &Finding)> {
    let worst = findings.iter().map(|row| row.finding.verdict).max()?;
    let newest = findings.iter().rev().find(|row| row.finding.verdict == worst)?;
    Some((worst, &newest.finding))
}
