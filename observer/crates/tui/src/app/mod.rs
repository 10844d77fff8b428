//! The state of the dashboard: keys and samples in, effects out. Pure: no terminal, no clock, no files.

mod actions;
pub mod alarm;
mod clipboard;
pub mod columns;
pub mod keymap;
pub mod keys;
pub mod prompt;
pub mod rates;
pub mod rows;
mod search;
pub mod table;
mod views;

use std::sync::Arc;

pub use self::views::{Grouping, HelpPage, Hit, Overlay, SelectedRow, Tab};
use self::{
    alarm::{Alarm, Signal},
    columns::Columns,
    keymap::Keymap,
    keys::{Action, Key, Place},
    prompt::Prompt,
    rates::Rates,
    table::{Table, TableRow as _},
};
use super::{
    model::{EntryRow, FindingRow, GroupRow, Model},
    settings::Settings,
};
use observer_engine::{
    areas::AreaEntry,
    tally::TaskGroup,
    verdict::{Finding, Verdict},
};
use observer_record::player::Move;

/// A request to the run loop.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    Quit,
    /// Stop the process as Ctrl-Z in a shell does.
    Suspend,
    /// Draw every cell again.
    Redraw,
    /// Reset the tally.
    Clear,
    ExportSummary,
    ExportPicture(Box<FindingRow>),
    SwitchDelayInjection(bool),
    /// Whether the dashboard gets the mouse.
    CaptureMouse(bool),
    /// Text for the clipboard of the terminal, without control characters.
    Copy(String),
    Transport(Move),
}

/// The text in the last line of the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub text: String,
    pub is_error: bool,
    samples_left: u32,
}

/// Samples for which a message is shown: five seconds.
const MESSAGE_SAMPLES: u32 = 50;

/// How the command given with `--` ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandEnd {
    Exited(i32),
    Signalled(i32),
}

/// A model, and the rates up to it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shown {
    pub model: Model,
    pub rates: Rates,
}

#[derive(Clone, Debug)]
pub struct App {
    pub tab: Tab,
    pub overlay: Option<Overlay>,
    pub entries: Table<AreaEntry>,
    pub tasks: Table<TaskGroup>,
    pub grouping: Grouping,
    /// The rows of `tasks`: the groups of this grouping.
    pub groups: Vec<GroupRow>,
    pub findings: Table<u64>,
    /// Whether keys go into the filter.
    pub typing: bool,
    /// A line that is being typed.
    pub prompt: Option<Prompt>,
    pub message: Option<Message>,
    /// Set once the command has ended: no more events will come.
    pub command_end: Option<CommandEnd>,
    /// The keys in force.
    pub keys: Keymap,
    pub columns: Columns,
    /// Whether the dashboard gets the mouse.
    pub mouse: bool,
    alarm: Alarm,
    /// Not yet given by the run loop.
    signal: Option<Signal>,
    live: Shown,
    frozen: Option<Box<Shown>>,
    table_rows: usize,
    overlay_rows: usize,
    /// The replay runs to the next finding, which is selected when it comes.
    select_next_finding: bool,
    /// What was searched for last.
    sought: String,
    /// The time that the replay seeks, as it was typed.
    jumping: Option<String>,
}

impl Default for App {
    fn default() -> Self {
        Self::new(Settings::default())
    }
}

impl App {
    pub fn new(settings: Settings) -> Self {
        // The last column is the worst verdict.
        let worst = |columns: usize| columns - 1;
        Self {
            tab: settings.view,
            overlay: None,
            entries: Table::new(worst(EntryRow::COLUMNS.len())),
            tasks: Table::new(worst(GroupRow::COLUMNS.len())),
            grouping: Grouping::default(),
            groups: Vec::new(),
            findings: Table::new(0),
            typing: false,
            prompt: None,
            message: None,
            command_end: None,
            keys: settings.keys,
            columns: settings.columns,
            mouse: settings.mouse,
            alarm: Alarm::new(settings.data_loss),
            signal: None,
            live: Shown::default(),
            frozen: None,
            table_rows: 1,
            overlay_rows: 1,
            select_next_finding: false,
            sought: String::new(),
            jumping: None,
        }
    }

    /// What is on the screen: the latest sample, or the one at which the view was frozen.
    pub fn shown(&self) -> &Shown {
        self.frozen.as_deref().unwrap_or(&self.live)
    }

    pub fn is_frozen(&self) -> bool {
        self.frozen.is_some()
    }

    /// The filter of the current table.
    pub fn filter(&self) -> &str {
        match self.tab {
            Tab::Overview => "",
            Tab::Entries => &self.entries.filter,
            Tab::Tasks => &self.tasks.filter,
            Tab::Findings => &self.findings.filter,
        }
    }

    /// Sets how many rows of a table, and lines of an overlay, fit on the screen.
    pub fn resize(&mut self, table_rows: usize, overlay_rows: usize) {
        self.table_rows = table_rows.max(1);
        self.overlay_rows = overlay_rows.max(1);
        self.arrange();
    }

    /// Limits how far the overlay is scrolled. Without a limit the first keys back up would seem to do nothing.
    pub fn limit_scroll(&mut self, most: usize) {
        if let Some(Overlay::Help { scroll, .. } | Overlay::Row { scroll, .. } | Overlay::Picture { scroll, .. }) =
            &mut self.overlay
        {
            *scroll = (*scroll).min(most);
        }
    }

    /// Takes in the next sample. Returns whether the screen changes.
    pub fn update(&mut self, model: Model) -> bool {
        self.live.rates.set_replayed(model.transport.is_some());
        self.live.rates.sample(model.at_ns, model.counts);
        self.signal = self.alarm.of(&model).or(self.signal);
        let changed = !looks_the_same(&self.live.model, &model) && self.frozen.is_none();
        let newest = |model: &Model| model.findings.last().map(|row| row.number);
        let found = newest(&model) > newest(&self.live.model);
        self.live.model = model;
        if found && std::mem::take(&mut self.select_next_finding) {
            self.findings.user_selected = false;
        }
        if changed {
            self.arrange();
        }
        self.explain_end();
        let had_message = self.message.is_some();
        if let Some(message) = &mut self.message {
            message.samples_left -= 1;
        }
        self.message.take_if(|message| message.samples_left == 0);
        changed || (had_message && self.message.is_none())
    }

    /// Names what was sought and is not in the recording.
    fn explain_end(&mut self) {
        let Some(transport) = self.live.model.transport.filter(|transport| !transport.seeking) else { return };
        let jumping = self.jumping.take();
        if !transport.ended {
            return;
        }
        if let Some(time) = jumping {
            self.notify_error(format!("this is the end of the recording: it has nothing at {time}"));
        } else if std::mem::take(&mut self.select_next_finding) {
            self.notify("no further finding until the end of the recording".to_owned());
        }
    }

    /// What the terminal is to do about the first data loss; once.
    pub fn take_signal(&mut self) -> Option<Signal> {
        self.signal.take()
    }

    /// Shows a message for five seconds.
    pub fn notify(&mut self, text: String) {
        self.message = Some(Message { text, is_error: false, samples_left: MESSAGE_SAMPLES });
    }

    /// Shows an error for five seconds.
    pub fn notify_error(&mut self, text: String) {
        self.message = Some(Message { text, is_error: true, samples_left: MESSAGE_SAMPLES });
    }

    /// The command has ended. The dashboard stays open until the user quits.
    pub fn command_ended(&mut self, end: CommandEnd) {
        let how = match end {
            CommandEnd::Exited(0) => "succeeded".to_owned(),
            CommandEnd::Exited(code) => format!("exited with {code}"),
            CommandEnd::Signalled(signal) => format!("was killed by signal {signal}"),
        };
        self.notify(format!("the command {how}; q for the summary"));
        self.command_end = Some(end);
    }

    pub fn key(&mut self, key: Key) -> Option<Effect> {
        if self.typing {
            return self.type_filter(key);
        }
        if self.prompt.is_some() {
            return self.type_prompt(key);
        }
        if let Some(Overlay::Help { page, scroll }) = &mut self.overlay {
            match key {
                Key::Up | Key::Char('k') => *scroll = scroll.saturating_sub(1),
                Key::Down | Key::Char('j') => *scroll += 1,
                Key::PageUp => *scroll = scroll.saturating_sub(self.overlay_rows),
                Key::PageDown => *scroll += self.overlay_rows,
                key if *page == HelpPage::Keys && self.keys.action(key, &[Place::Everywhere]) == Some(Action::Help) => {
                    self.overlay = Some(Overlay::Help { page: HelpPage::Glossary, scroll: 0 });
                }
                Key::Ctrl('c') => return Some(Effect::Quit),
                _ => self.overlay = None,
            }
            return None;
        }
        if let Some(Overlay::Row { scroll, .. }) = &mut self.overlay {
            match key {
                Key::Up | Key::Char('k') => *scroll = scroll.saturating_sub(1),
                Key::Down | Key::Char('j') => *scroll += 1,
                Key::PageUp => *scroll = scroll.saturating_sub(self.overlay_rows),
                Key::PageDown => *scroll += self.overlay_rows,
                Key::Char('?') => self.overlay = Some(Overlay::Help { page: HelpPage::Glossary, scroll: 0 }),
                Key::Ctrl('c') => return Some(Effect::Quit),
                _ => self.overlay = None,
            }
            return None;
        }
        self.keys.action(key, &self.places()).and_then(|action| self.act(action))
    }

    /// Which key bindings are active, the most specific first.
    pub fn places(&self) -> Vec<Place> {
        let picture = matches!(self.overlay, Some(Overlay::Picture { .. }));
        let columns = matches!(self.overlay, Some(Overlay::Columns(_)));
        let table = self.tab != Tab::Overview && !picture && !columns;
        let replay = self.live.model.transport.is_some();
        let places = [
            (picture, Place::Picture),
            (columns, Place::Columns),
            (table, Place::Tables),
            (replay, Place::Replay),
            (true, Place::Everywhere),
        ];
        places.into_iter().filter_map(|(active, place)| active.then_some(place)).collect()
    }

    /// A click or a turn of the wheel.
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
                self.select(self.offset() + row);
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

    /// Sorts and filters the rows of the current table.
    fn arrange(&mut self) {
        let page = self.table_rows;
        let model = &self.frozen.as_deref().unwrap_or(&self.live).model;
        match self.tab {
            Tab::Overview => {}
            Tab::Entries => self.entries.arrange(&model.entries, page),
            Tab::Tasks => {
                let rows = model.groups.iter().filter(|row| self.grouping.includes(&row.group));
                self.groups = rows.cloned().collect();
                self.tasks.arrange(&self.groups, page);
            }
            Tab::Findings => self.findings.arrange(&model.findings, page),
        }
    }

    fn select(&mut self, position: usize) {
        let page = self.table_rows;
        let model = &self.frozen.as_deref().unwrap_or(&self.live).model;
        match self.tab {
            Tab::Overview => {}
            Tab::Entries => self.entries.select(position, &model.entries, page),
            Tab::Tasks => self.tasks.select(position, &self.groups, page),
            Tab::Findings => self.findings.select(position, &model.findings, page),
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

    fn selected_row(&self) -> Option<SelectedRow> {
        let model = &self.shown().model;
        let index = |order: &[usize]| order.get(self.cursor()?).copied();
        match self.tab {
            Tab::Overview => None,
            Tab::Entries => model.entries.get(index(&self.entries.order)?).cloned().map(SelectedRow::Entry),
            Tab::Tasks => self.groups.get(index(&self.tasks.order)?).cloned().map(SelectedRow::Group),
            Tab::Findings => model.findings.get(index(&self.findings.order)?).cloned().map(SelectedRow::Finding),
        }
    }

    pub fn selected_finding(&self) -> Option<&FindingRow> {
        let rows = &self.shown().model.findings;
        self.findings.selected.and_then(|number| rows.iter().find(|row| row.number == number))
    }
}

/// Whether two models give the same screen: the clock shows seconds, and unchanged tables are the same allocation.
fn looks_the_same(a: &Model, b: &Model) -> bool {
    const SECOND: u64 = 1_000_000_000;
    a.at_ns / SECOND == b.at_ns / SECOND
        && a.counts == b.counts
        && a.faults_in_progress == b.faults_in_progress
        && a.stalled == b.stalled
        && a.dropped == b.dropped
        && a.doubts == b.doubts
        && a.transport == b.transport
        && a.devices == b.devices
        && a.delay_injection == b.delay_injection
        && Arc::ptr_eq(&a.distributions, &b.distributions)
        && Arc::ptr_eq(&a.entries, &b.entries)
        && Arc::ptr_eq(&a.groups, &b.groups)
        && Arc::ptr_eq(&a.findings, &b.findings)
}

/// The newest of the findings with the worst verdict.
pub fn worst(findings: &[FindingRow]) -> Option<(Verdict, &Finding)> {
    let worst = findings.iter().map(|row| row.finding.verdict).max()?;
    let newest = findings.iter().rev().find(|row| row.finding.verdict == worst)?;
    Some((worst, &newest.finding))
}
