//! What each action does to the state, or requests of the run loop.

use super::{
    App, Effect, HelpPage, Overlay, Tab, clipboard,
    columns::{ColumnPicker, Columns, as_configuration},
    keys::{Action, Key},
    prompt::{Asked, edit},
    search::From,
    table::Table,
};
use crate::model::{DelayInjection, FindingRow};
use observer_record::player::Move;

/// Longest filter, characters.
const LONGEST_FILTER: usize = 64;

/// How far one key moves a replay, as a share of its length.
const JUMP: f64 = 0.05;

impl App {
    pub(super) fn act(&mut self, action: Action) -> Option<Effect> {
        match action {
            Action::Quit => return Some(Effect::Quit),
            Action::Suspend => return Some(Effect::Suspend),
            Action::Redraw => return Some(Effect::Redraw),
            Action::Help => self.overlay = Some(Overlay::Help { page: HelpPage::Keys, scroll: 0 }),
            Action::NextView => self.show(self.tab.after(1)),
            Action::PreviousView => self.show(self.tab.after(Tab::ALL.len() - 1)),
            Action::Go(tab) => self.show(tab),
            Action::Up => self.step(-1),
            Action::Down => self.step(1),
            Action::PageUp => self.step(-self.page()),
            Action::PageDown => self.step(self.page()),
            Action::First => self.select(0),
            Action::Last => self.select(usize::MAX),
            Action::Open => self.open(),
            Action::Explain => {
                if let Some(row) = self.selected_row() {
                    self.overlay = Some(Overlay::Row { row: Box::new(row), scroll: 0 });
                }
            }
            Action::Back => self.back(),
            Action::Filter => self.typing = true,
            Action::Find => self.ask(Asked::Rows),
            Action::FindNext => self.find_again(From::Below),
            Action::FindPrevious => self.find_again(From::Above),
            Action::Sort | Action::Reverse => self.sort(action),
            Action::Group => self.group(),
            Action::Freeze => self.freeze(),
            Action::Clear => return Some(self.clear()),
            Action::ResetRates => {
                self.live.rates.restart();
                self.notify("rates reset".to_owned());
            }
            Action::Export => return Some(self.export()),
            Action::SwitchDelayInjection => return self.switch_delay_injection(),
            Action::PickColumns => {
                let (shown, all) = (self.columns.of(self.tab), self.tab.columns());
                self.overlay = Some(Overlay::Columns(ColumnPicker::new(shown, all.len())));
            }
            Action::ToggleColumn | Action::MoveColumnLeft | Action::MoveColumnRight | Action::DefaultColumns => {
                self.change_columns(action);
            }
            Action::Copy => return self.copy(),
            Action::SwitchMouse => return Some(self.switch_mouse()),
            Action::PreviousFinding => self.open_neighbour(-1),
            Action::NextFinding => self.open_neighbour(1),
            Action::PlayPause => return Some(Effect::Transport(Move::PlayPause)),
            Action::Faster => return Some(Effect::Transport(Move::Speed(2.0))),
            Action::Slower => return Some(Effect::Transport(Move::Speed(0.5))),
            Action::PlayToFinding => {
                self.select_next_finding = true;
                return Some(Effect::Transport(Move::NextFinding));
            }
            Action::BackToFinding => {
                self.findings.user_selected = false;
                return Some(Effect::Transport(Move::PreviousFinding));
            }
            Action::JumpToTime => self.ask(Asked::Time),
            Action::Backward => return Some(Effect::Transport(Move::By(-JUMP))),
            Action::Forward => return Some(Effect::Transport(Move::By(JUMP))),
            Action::ToStart => return Some(Effect::Transport(Move::ToStart)),
        }
        None
    }

    /// Rows of the table, or lines of the overlay, that fit on the screen.
    fn page(&self) -> isize {
        let lines = if self.overlay.is_some() { self.overlay_rows } else { self.table_rows };
        isize::try_from(lines).unwrap_or(1)
    }

    fn show(&mut self, tab: Tab) {
        self.tab = tab;
        self.overlay = None;
        self.arrange();
    }

    fn step(&mut self, by: isize) {
        match &mut self.overlay {
            Some(Overlay::Help { scroll, .. } | Overlay::Row { scroll, .. } | Overlay::Picture { scroll, .. }) => {
                *scroll = scroll.saturating_add_signed(by);
            }
            Some(Overlay::Columns(picker)) => picker.step(by),
            None => {
                if let Some(cursor) = self.cursor() {
                    self.select(cursor.saturating_add_signed(by));
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

    /// Opens the picture of the finding `by` rows below.
    fn open_neighbour(&mut self, by: isize) {
        self.select(self.findings.cursor.saturating_add_signed(by));
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
        match key {
            Key::Enter => self.typing = false,
            Key::Esc => {
                self.typing = false;
                self.set_filter(String::clear);
            }
            Key::Ctrl('c') => return Some(Effect::Quit),
            Key::Up => self.step(-1),
            Key::Down => self.step(1),
            key => self.set_filter(|filter| {
                edit(filter, key, LONGEST_FILTER);
            }),
        }
        None
    }

    fn sort(&mut self, action: Action) {
        fn sort<K: Clone + Ord>(table: &mut Table<K>, columns: &Columns, tab: Tab, action: Action) {
            if action == Action::Sort {
                table.sort_in_its_direction(columns.after(tab, table.sort));
            } else {
                table.reversed = !table.reversed;
            }
        }
        let (columns, tab) = (&self.columns, self.tab);
        match self.tab {
            Tab::Overview => {}
            Tab::Entries => sort(&mut self.entries, columns, tab, action),
            Tab::Tasks => sort(&mut self.tasks, columns, tab, action),
            Tab::Findings => sort(&mut self.findings, columns, tab, action),
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
        self.notify("counts reset; the summary at the end still covers everything".to_owned());
        Effect::Clear
    }

    fn export(&self) -> Effect {
        match &self.overlay {
            Some(Overlay::Picture { row, .. }) => Effect::ExportPicture(row.clone()),
            _ => Effect::ExportSummary,
        }
    }

    /// Changes the columns in the list, and with them the table below it.
    fn change_columns(&mut self, action: Action) {
        let Some(Overlay::Columns(picker)) = &mut self.overlay else { return };
        let mut is_last = false;
        match action {
            Action::ToggleColumn => is_last = !picker.toggle(),
            Action::DefaultColumns => {
                let all = Columns::default();
                *picker = ColumnPicker::new(all.of(self.tab), self.tab.columns().len());
            }
            other => picker.shift(other == Action::MoveColumnRight),
        }
        self.columns.set(self.tab, picker.shown());
        if is_last {
            self.notify("a table has at least one column".to_owned());
        }
    }

    /// Copies the finding of the picture or the selected one, or the lines for the configuration file.
    fn copy(&mut self) -> Option<Effect> {
        let (what, text) = match &self.overlay {
            Some(Overlay::Columns(picker)) => {
                ("the lines for the configuration".to_owned(), as_configuration(self.tab, &picker.shown()))
            }
            Some(Overlay::Picture { row, .. }) => self.copied(row),
            _ if self.tab == Tab::Findings => {
                let row = self.selected_finding()?;
                self.copied(row)
            }
            _ => {
                self.notify("nothing to copy here: select a finding in view 4".to_owned());
                return None;
            }
        };
        let bytes = text.len();
        self.notify(format!("copied {what} ({bytes} bytes), if the terminal permits OSC 52"));
        Some(Effect::Copy(text))
    }

    fn copied(&self, row: &FindingRow) -> (String, String) {
        let what = format!("{} {}", row.finding.verdict, row.number);
        (what, clipboard::finding(row, &self.shown().model))
    }

    fn switch_mouse(&mut self) -> Effect {
        self.mouse = !self.mouse;
        let text = if self.mouse {
            "mouse on: it opens views, selects, sorts and scrolls"
        } else {
            "mouse off: the terminal selects text with it"
        };
        self.notify(text.to_owned());
        Effect::CaptureMouse(self.mouse)
    }

    /// Switches delay injection, or shows why that is impossible.
    fn switch_delay_injection(&mut self) -> Option<Effect> {
        let (text, effect) = match self.live.model.delay_injection {
            DelayInjection::NotLoaded => {
                ("delay injection is not loaded: start observer with --widen D and a command after --", None)
            }
            DelayInjection::Recorded => ("delay injection cannot be switched in a recording", None),
            DelayInjection::Attached { on: true, .. } => {
                ("delay injection off", Some(Effect::SwitchDelayInjection(false)))
            }
            DelayInjection::Attached { on: false, .. } => {
                ("delay injection on", Some(Effect::SwitchDelayInjection(true)))
            }
        };
        self.notify(text.to_owned());
        effect
    }
}
