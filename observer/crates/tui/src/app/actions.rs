//! What each action does to the state, or asks of those outside.

use super::{
    App,
    keys::{Action, Key},
    parts::{Effect, Overlay, Tab},
    table::{Row, Table},
};
use crate::model::{DelayInjection, EntryRow, FindingRow, PartyRow};
use observer_record::player::Move;

impl App {
    pub(super) fn act(&mut self, action: Action) -> Option<Effect> {
        match action {
            Action::Quit => return Some(Effect::Quit),
            Action::Suspend => return Some(Effect::Suspend),
            Action::Redraw => return Some(Effect::Redraw),
            Action::Help => self.overlay = Some(Overlay::Help { scroll: 0 }),
            Action::NextView => self.turn(1),
            Action::PreviousView => self.turn(Tab::ALL.len() - 1),
            Action::Go(tab) => self.show(tab),
            Action::Up => self.step(-1),
            Action::Down => self.step(1),
            Action::PageUp => self.step(-self.screenful()),
            Action::PageDown => self.step(self.screenful()),
            Action::First => self.go(0),
            Action::Last => self.go(usize::MAX),
            Action::Open => self.open(),
            Action::Back => self.back(),
            Action::Filter => self.typing = true,
            Action::Sort | Action::Reverse => self.sort(action),
            Action::Group => self.group(),
            Action::Freeze => self.freeze(),
            Action::Clear => return Some(self.clear()),
            Action::Restart => {
                self.live.rates.restart();
                self.say("rates start again".to_owned(), false);
            }
            Action::Export => return Some(self.export()),
            Action::Widen => return self.widen(),
            Action::PreviousFinding => self.turn_page(-1),
            Action::NextFinding => self.turn_page(1),
            Action::PlayPause => return Some(Effect::Transport(Move::PlayPause)),
            Action::Faster => return Some(Effect::Transport(Move::Speed(2.0))),
            Action::Slower => return Some(Effect::Transport(Move::Speed(0.5))),
            Action::StepToFinding => {
                self.follow = true;
                return Some(Effect::Transport(Move::NextFinding));
            }
            Action::Backward => return Some(Effect::Transport(Move::By(-0.05))),
            Action::Forward => return Some(Effect::Transport(Move::By(0.05))),
            Action::ToStart => return Some(Effect::Transport(Move::ToStart)),
        }
        None
    }

    /// Rows, or lines of a picture, that fit on the screen.
    fn screenful(&self) -> isize {
        let lines = if self.overlay.is_some() { self.pictures } else { self.page };
        isize::try_from(lines).unwrap_or(1)
    }

    fn turn(&mut self, by: usize) {
        let place = Tab::ALL.iter().position(|tab| *tab == self.tab).unwrap_or(0);
        let next = Tab::ALL.get((place + by) % Tab::ALL.len()).copied().unwrap_or_default();
        self.show(next);
    }

    fn show(&mut self, tab: Tab) {
        self.tab = tab;
        self.overlay = None;
        self.arrange();
    }

    fn step(&mut self, by: isize) {
        match &mut self.overlay {
            Some(Overlay::Help { scroll } | Overlay::Picture { scroll, .. }) => {
                *scroll = scroll.saturating_add_signed(by);
            }
            None => {
                if let Some(cursor) = self.cursor() {
                    self.go(cursor.saturating_add_signed(by));
                }
            }
        }
    }

    fn open(&mut self) {
        if self.tab == Tab::Findings
            && let Some(row) = self.selected_finding().cloned()
        {
            self.overlay = Some(Overlay::Picture { row: Box::new(row), scroll: 0 });
        }
    }

    /// The picture of the finding above or below in the list.
    fn turn_page(&mut self, by: isize) {
        self.go(self.findings.cursor.saturating_add_signed(by));
        self.open();
    }

    fn back(&mut self) {
        if self.overlay.take().is_none() {
            self.set_filter(String::clear);
        }
    }

    fn set_filter(&mut self, change: impl FnOnce(&mut String)) {
        match self.tab {
            Tab::Overview => {}
            Tab::Entries => change(&mut self.entries.filter),
            Tab::Tasks => change(&mut self.tasks.filter),
            Tab::Findings => change(&mut self.findings.filter),
        }
        self.arrange();
    }

    pub(super) fn type_filter(&mut self, key: Key) -> Option<Effect> {
        /// Longest filter.
        const LONGEST: usize = 64;
        match key {
            Key::Enter => self.typing = false,
            Key::Esc => {
                self.typing = false;
                self.set_filter(String::clear);
            }
            Key::Ctrl('c') => return Some(Effect::Quit),
            Key::Ctrl('u') => self.set_filter(String::clear),
            Key::Backspace => self.set_filter(|filter| {
                filter.pop();
            }),
            Key::Char(ch) if self.filter().chars().count() < LONGEST => self.set_filter(|filter| filter.push(ch)),
            Key::Up => self.step(-1),
            Key::Down => self.step(1),
            _ => {}
        }
        None
    }

    fn sort(&mut self, action: Action) {
        fn sort<K: Clone + Ord>(table: &mut Table<K>, columns: usize, action: Action) {
            if action == Action::Sort { table.next_sort(columns) } else { table.reversed = !table.reversed }
        }
        match self.tab {
            Tab::Overview => {}
            Tab::Entries => sort(&mut self.entries, EntryRow::COLUMNS.len(), action),
            Tab::Tasks => sort(&mut self.tasks, PartyRow::COLUMNS.len(), action),
            Tab::Findings => sort(&mut self.findings, FindingRow::COLUMNS.len(), action),
        }
        self.arrange();
    }

    fn group(&mut self) {
        if self.tab == Tab::Tasks {
            self.grouping = self.grouping.next();
            self.arrange();
        }
    }

    fn freeze(&mut self) {
        self.frozen = match self.frozen.take() {
            None => Some(Box::new(self.live.clone())),
            Some(_) => None,
        };
        self.arrange();
    }

    fn clear(&mut self) -> Effect {
        self.frozen = None;
        self.live.rates.clear();
        self.say("counting from here; the summary at the end still covers everything".to_owned(), false);
        Effect::Clear
    }

    fn export(&self) -> Effect {
        match &self.overlay {
            Some(Overlay::Picture { row, .. }) => Effect::ExportPicture(row.clone()),
            _ => Effect::ExportSummary,
        }
    }

    /// Switches delay injection, or says why that cannot be.
    fn widen(&mut self) -> Option<Effect> {
        let (text, effect) = match self.live.model.delay_injection {
            DelayInjection::NotAsked => {
                ("there is no delay_injection: it needs --widen D and a command after --", None)
            }
            DelayInjection::Recorded => ("this is a recording: what was not widened then cannot be now", None),
            DelayInjection::Attached { on: true, .. } => {
                ("delay injection is switched off", Some(Effect::Widen(false)))
            }
            DelayInjection::Attached { on: false, .. } => ("delay injection is switched on", Some(Effect::Widen(true))),
        };
        self.say(text.to_owned(), false);
        effect
    }
}
