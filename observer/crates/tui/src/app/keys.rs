//! The table of key bindings. Dispatch, the help page and `docs/dashboard.md` are made from it.

use std::fmt::Write as _;

use super::Tab;

/// A key, independent of the terminal library.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Key {
    Char(char),
    /// A character typed with Control.
    Ctrl(char),
    Up,
    Down,
    Left,
    Right,
    PageUp,
    PageDown,
    Home,
    End,
    Enter,
    Esc,
    Tab,
    /// Shift-Tab.
    BackTab,
    Backspace,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    Quit,
    Help,
    NextView,
    PreviousView,
    Go(Tab),
    Up,
    Down,
    PageUp,
    PageDown,
    First,
    Last,
    Open,
    Explain,
    Back,
    Filter,
    Find,
    FindNext,
    FindPrevious,
    Sort,
    Reverse,
    Group,
    Freeze,
    Clear,
    ResetRates,
    Export,
    SwitchDelayInjection,
    SwitchMouse,
    Copy,
    PickColumns,
    /// Shows or hides a column.
    ToggleColumn,
    MoveColumnLeft,
    MoveColumnRight,
    DefaultColumns,
    Suspend,
    Redraw,
    PlayPause,
    Faster,
    Slower,
    PlayToFinding,
    BackToFinding,
    JumpToTime,
    Backward,
    Forward,
    ToStart,
    PreviousFinding,
    NextFinding,
}

/// Where a key works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    Everywhere,
    /// In the views with a table.
    Tables,
    /// In the picture of a finding.
    Picture,
    /// In the list of columns.
    Columns,
    Replay,
}

impl Place {
    /// In the order of the help page.
    pub const ALL: [Self; 5] = [Self::Everywhere, Self::Tables, Self::Picture, Self::Columns, Self::Replay];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Everywhere => "everywhere",
            Self::Tables => "in tables",
            Self::Picture => "in a picture",
            Self::Columns => "in the columns",
            Self::Replay => "in a replay",
        }
    }

    pub fn bindings(self) -> impl Iterator<Item = &'static Binding> {
        BINDINGS.iter().filter(move |binding| binding.place == self)
    }
}

#[derive(Clone, Copy, Debug)]
pub struct Binding {
    pub place: Place,
    /// Any of these keys triggers the action.
    pub keys: &'static [Key],
    /// The keys as the help page shows them, separated by spaces.
    pub label: &'static str,
    pub action: Action,
    pub help: &'static str,
}

const fn bind(place: Place, keys: &'static [Key], label: &'static str, action: Action, help: &'static str) -> Binding {
    Binding { place, keys, label, action, help }
}

/// A key may be bound in several places; the most specific one wins.
pub const BINDINGS: &[Binding] = &{
    use Key::{BackTab, Char, Ctrl, Down, End, Enter, Esc, Home, Left, PageDown, PageUp, Right, Tab as TabKey, Up};
    use Place::{Columns, Everywhere, Picture, Replay, Tables};
    [
        bind(Picture, &[Up, Char('k')], "Up k", Action::Up, "scroll up"),
        bind(Picture, &[Down, Char('j')], "Down j", Action::Down, "scroll down"),
        bind(Picture, &[PageUp, Ctrl('b')], "PgUp", Action::PageUp, "scroll up one page"),
        bind(Picture, &[PageDown, Ctrl('f')], "PgDn", Action::PageDown, "scroll down one page"),
        bind(Picture, &[Left, Char('h')], "Left h", Action::PreviousFinding, "the finding above in the list"),
        bind(Picture, &[Right, Char('l')], "Right l", Action::NextFinding, "the finding below in the list"),
        bind(Picture, &[Char('e')], "e", Action::Export, "export the picture as SVG and as text"),
        bind(Picture, &[Esc, Enter, Char('q')], "Esc Enter q", Action::Back, "close the picture"),
        bind(Tables, &[Up, Char('k')], "Up k", Action::Up, "one row up"),
        bind(Tables, &[Down, Char('j')], "Down j", Action::Down, "one row down"),
        bind(Tables, &[PageUp, Ctrl('b')], "PgUp", Action::PageUp, "one page up"),
        bind(Tables, &[PageDown, Ctrl('f')], "PgDn", Action::PageDown, "one page down"),
        bind(Tables, &[Home, Char('g')], "Home g", Action::First, "first row"),
        bind(Tables, &[End, Char('G')], "End G", Action::Last, "last row"),
        bind(Tables, &[Enter], "Enter", Action::Open, "open the picture of a finding"),
        bind(Tables, &[Char('i')], "i", Action::Explain, "what the selected row means, and what to do"),
        bind(Tables, &[Char('/')], "/", Action::Filter, "filter as you type; Enter keeps the filter, Esc clears it"),
        bind(
            Tables,
            &[Char('f')],
            "f",
            Action::Find,
            "find rows by words and fields: verdict:stale-install comm:redis",
        ),
        bind(Tables, &[Char('>')], ">", Action::FindNext, "next row found"),
        bind(Tables, &[Char('<')], "<", Action::FindPrevious, "previous row found"),
        bind(Tables, &[Char('s')], "s", Action::Sort, "sort by the next column"),
        bind(Tables, &[Char('S')], "S", Action::Reverse, "reverse the sort order"),
        bind(Tables, &[Char('t')], "t", Action::Group, "group tasks by process, command or control group"),
        bind(Tables, &[Char('o')], "o", Action::PickColumns, "choose the columns"),
        bind(Columns, &[Up, Char('k')], "Up k", Action::Up, "one column up"),
        bind(Columns, &[Down, Char('j')], "Down j", Action::Down, "one column down"),
        bind(Columns, &[Char(' ')], "Space", Action::ToggleColumn, "show or hide the column"),
        bind(Columns, &[Left, Char('h')], "Left h", Action::MoveColumnLeft, "move the column to the left"),
        bind(Columns, &[Right, Char('l')], "Right l", Action::MoveColumnRight, "move the column to the right"),
        bind(Columns, &[Char('d')], "d", Action::DefaultColumns, "all columns in their default order"),
        bind(Columns, &[Esc, Enter, Char('o'), Char('q')], "Esc Enter o q", Action::Back, "close the list"),
        bind(Replay, &[Char(' ')], "Space", Action::PlayPause, "play or pause"),
        bind(Replay, &[Char('+'), Char('=')], "+", Action::Faster, "double the speed"),
        bind(Replay, &[Char('-')], "-", Action::Slower, "halve the speed"),
        bind(Replay, &[Char('n')], "n", Action::PlayToFinding, "play to the next finding and pause there"),
        bind(Replay, &[Char('N')], "N", Action::BackToFinding, "go back to the finding before and pause there"),
        bind(Replay, &[Char('@')], "@", Action::JumpToTime, "jump to a time: 53s, 17:03:11, 17:03:11+02:00"),
        bind(Replay, &[Char('[')], "[", Action::Backward, "jump back by 5%"),
        bind(Replay, &[Char(']')], "]", Action::Forward, "jump forward by 5%"),
        bind(Replay, &[Char('0')], "0", Action::ToStart, "jump to start"),
        bind(Everywhere, &[Char('q'), Ctrl('c')], "q Ctrl-C", Action::Quit, "quit and print the summary"),
        bind(Everywhere, &[Char('?')], "?", Action::Help, "keys; again: glossary"),
        bind(Everywhere, &[TabKey, Right, Char('l')], "Tab Right l", Action::NextView, "next view"),
        bind(Everywhere, &[BackTab, Left, Char('h')], "Shift-Tab Left h", Action::PreviousView, "previous view"),
        bind(Everywhere, &[Char('1')], "1", Action::Go(Tab::Overview), "overview"),
        bind(Everywhere, &[Char('2')], "2", Action::Go(Tab::Entries), "entries"),
        bind(Everywhere, &[Char('3')], "3", Action::Go(Tab::Tasks), "tasks"),
        bind(Everywhere, &[Char('4')], "4", Action::Go(Tab::Findings), "findings"),
        bind(Everywhere, &[Char('p')], "p", Action::Freeze, "freeze the view; events are still collected"),
        bind(Everywhere, &[Char('c')], "c", Action::Clear, "reset counts: totals, tables, distributions, findings"),
        bind(Everywhere, &[Char('r')], "r", Action::ResetRates, "reset the rates of the last 1, 10 and 60 seconds"),
        bind(Everywhere, &[Char('e')], "e", Action::Export, "export what is on the screen to a JSON file"),
        bind(Everywhere, &[Char('w')], "w", Action::SwitchDelayInjection, "delay injection on or off (with --widen)"),
        bind(
            Everywhere,
            &[Char('y')],
            "y",
            Action::Copy,
            "copy the selected finding, or the lines for the configuration",
        ),
        bind(Everywhere, &[Char('m')], "m", Action::SwitchMouse, "mouse off, so that the terminal selects text, or on"),
        bind(Everywhere, &[Esc], "Esc", Action::Back, "close; clear the filter"),
        bind(Everywhere, &[Ctrl('l')], "Ctrl-L", Action::Redraw, "redraw the screen"),
        bind(Everywhere, &[Ctrl('z')], "Ctrl-Z", Action::Suspend, "suspend; fg resumes"),
    ]
};

/// What the mouse does, for the help page.
pub const MOUSE: [(&str, &str); 4] = [
    ("click: tab", "open the view"),
    ("click: head", "sort by the column; again: in reverse"),
    ("click: row", "select it; again: open the picture of a finding"),
    ("wheel", "scroll"),
];

/// The table in Markdown, for `docs/dashboard.md`.
pub fn markdown() -> String {
    let mut text = "| where | key | action |\n|---|---|---|\n".to_owned();
    for binding in Place::ALL.into_iter().flat_map(Place::bindings) {
        let keys: Vec<String> = binding.label.split(' ').map(|key| format!("`{key}`")).collect();
        // Writing to a String cannot fail.
        let _ = writeln!(text, "| {} | {} | {} |", binding.place.name(), keys.join(" "), binding.help);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_is_bound_twice_in_one_place() {
        for place in Place::ALL {
            let keys: Vec<Key> = place.bindings().flat_map(|binding| binding.keys.iter().copied()).collect();
            let unique: std::collections::HashSet<Key> = keys.iter().copied().collect();
            assert_eq!(unique.len(), keys.len(), "{place:?}");
        }
    }
}
