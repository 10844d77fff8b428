//! The one table of keys: what is pressed, where, and what it does. Dispatch, the help page and the README are made of it.

use std::fmt::Write as _;

use super::Tab;

/// A key, whatever the terminal library calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Key {
    /// A character.
    Char(char),
    /// With Control.
    Ctrl(char),
    /// Arrow.
    Up,
    /// Arrow.
    Down,
    /// Arrow.
    Left,
    /// Arrow.
    Right,
    /// A page up.
    PageUp,
    /// A page down.
    PageDown,
    /// To the start.
    Home,
    /// To the end.
    End,
    /// Enter.
    Enter,
    /// Escape.
    Esc,
    /// Tab.
    Tab,
    /// Shift and Tab.
    BackTab,
    /// Backspace.
    Backspace,
}

/// What a key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the table below says what each does")]
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
    Back,
    Filter,
    Sort,
    Reverse,
    Group,
    Freeze,
    Clear,
    Export,
    Widen,
    Restart,
    Suspend,
    Redraw,
    PlayPause,
    Faster,
    Slower,
    StepToFinding,
    Backward,
    Forward,
    ToStart,
    PreviousFinding,
    NextFinding,
}

/// Where a key works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// In every view.
    Everywhere,
    /// In the views with a table.
    Tables,
    /// In the picture of a finding.
    Picture,
    /// In a replay.
    Replay,
}

impl Place {
    /// All, in the order of the help page.
    pub const ALL: [Self; 4] = [Self::Everywhere, Self::Tables, Self::Picture, Self::Replay];

    /// Heading of the help page.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Everywhere => "everywhere",
            Self::Tables => "in tables",
            Self::Picture => "in a picture",
            Self::Replay => "in a replay",
        }
    }
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Binding {
    /// Where it works.
    pub place: Place,
    /// What is pressed: any of these.
    pub keys: &'static [Key],
    /// How that is written.
    pub shown: &'static str,
    /// What it does.
    pub action: Action,
    /// In words.
    pub help: &'static str,
}

const fn bind(place: Place, keys: &'static [Key], shown: &'static str, action: Action, help: &'static str) -> Binding {
    Binding { place, keys, shown, action, help }
}

/// The table. A key may be in several places: the narrower place comes first.
pub const BINDINGS: &[Binding] = &{
    use Key::{BackTab, Char, Ctrl, Down, End, Enter, Esc, Home, Left, PageDown, PageUp, Right, Tab as TabKey, Up};
    use Place::{Everywhere, Picture, Replay, Tables};
    [
        bind(Picture, &[Up, Char('k')], "Up k", Action::Up, "scroll up"),
        bind(Picture, &[Down, Char('j')], "Down j", Action::Down, "scroll down"),
        bind(Picture, &[PageUp, Ctrl('b')], "PgUp", Action::PageUp, "scroll a page up"),
        bind(Picture, &[PageDown, Ctrl('f')], "PgDn", Action::PageDown, "scroll a page down"),
        bind(Picture, &[Left, Char('h')], "Left h", Action::PreviousFinding, "the finding above this one"),
        bind(Picture, &[Right, Char('l')], "Right l", Action::NextFinding, "the finding below this one"),
        bind(Picture, &[Char('e')], "e", Action::Export, "write the picture as SVG and as text"),
        bind(Picture, &[Esc, Enter, Char('q')], "Esc Enter q", Action::Back, "close the picture"),
        bind(Tables, &[Up, Char('k')], "Up k", Action::Up, "one row up"),
        bind(Tables, &[Down, Char('j')], "Down j", Action::Down, "one row down"),
        bind(Tables, &[PageUp, Ctrl('b')], "PgUp", Action::PageUp, "one page up"),
        bind(Tables, &[PageDown, Ctrl('f')], "PgDn", Action::PageDown, "one page down"),
        bind(Tables, &[Home, Char('g')], "Home g", Action::First, "first row"),
        bind(Tables, &[End, Char('G')], "End G", Action::Last, "last row"),
        bind(Tables, &[Enter], "Enter", Action::Open, "open the picture of a finding"),
        bind(Tables, &[Char('/')], "/", Action::Filter, "filter as you type; Enter keeps it, Esc drops it"),
        bind(Tables, &[Char('s')], "s", Action::Sort, "sort by the next column"),
        bind(Tables, &[Char('S')], "S", Action::Reverse, "sort the other way round"),
        bind(Tables, &[Char('t')], "t", Action::Group, "tasks by process, by command, by control group"),
        bind(Replay, &[Char(' ')], "Space", Action::PlayPause, "play, pause"),
        bind(Replay, &[Char('+'), Char('=')], "+", Action::Faster, "twice as fast"),
        bind(Replay, &[Char('-')], "-", Action::Slower, "half as fast"),
        bind(Replay, &[Char('n')], "n", Action::StepToFinding, "run to the next finding and pause there"),
        bind(Replay, &[Char('[')], "[", Action::Backward, "back by a twentieth"),
        bind(Replay, &[Char(']')], "]", Action::Forward, "forward by a twentieth"),
        bind(Replay, &[Char('0')], "0", Action::ToStart, "to the start"),
        bind(Everywhere, &[Char('q'), Ctrl('c')], "q Ctrl-C", Action::Quit, "quit; the summary follows"),
        bind(Everywhere, &[Char('?')], "?", Action::Help, "this page"),
        bind(Everywhere, &[TabKey, Right, Char('l')], "Tab Right l", Action::NextView, "next view"),
        bind(Everywhere, &[BackTab, Left, Char('h')], "Shift-Tab Left h", Action::PreviousView, "previous view"),
        bind(Everywhere, &[Char('1')], "1", Action::Go(Tab::Overview), "overview"),
        bind(Everywhere, &[Char('2')], "2", Action::Go(Tab::Entries), "entries"),
        bind(Everywhere, &[Char('3')], "3", Action::Go(Tab::Tasks), "tasks"),
        bind(Everywhere, &[Char('4')], "4", Action::Go(Tab::Findings), "findings"),
        bind(Everywhere, &[Char('p')], "p", Action::Freeze, "freeze the view; collecting goes on"),
        bind(Everywhere, &[Char('c')], "c", Action::Clear, "count from here: totals, tables, distributions, findings"),
        bind(Everywhere, &[Char('r')], "r", Action::Restart, "restart the rates of the last 1, 10 and 60 seconds"),
        bind(Everywhere, &[Char('e')], "e", Action::Export, "write what is shown to a JSON file"),
        bind(Everywhere, &[Char('w')], "w", Action::Widen, "delay injection on or off, where that is allowed"),
        bind(Everywhere, &[Esc], "Esc", Action::Back, "close, drop the filter"),
        bind(Everywhere, &[Ctrl('l')], "Ctrl-L", Action::Redraw, "draw everything again"),
        bind(Everywhere, &[Ctrl('z')], "Ctrl-Z", Action::Suspend, "stop; fg brings it back"),
    ]
};

/// What a key does, where these places are open; the first of them first.
pub fn action(key: Key, places: &[Place]) -> Option<Action> {
    places.iter().find_map(|place| {
        let mut bindings = BINDINGS.iter().filter(|binding| binding.place == *place);
        bindings.find(|binding| binding.keys.contains(&key)).map(|binding| binding.action)
    })
}

/// The table in Markdown, as the README shows it.
pub fn markdown() -> String {
    let mut text = "| where | key | what it does |\n|---|---|---|\n".to_owned();
    for binding in Place::ALL.iter().flat_map(|place| BINDINGS.iter().filter(move |binding| binding.place == *place)) {
        let keys: Vec<String> = binding.shown.split(' ').map(|key| format!("`{key}`")).collect();
        // Writing to a String cannot fail.
        let _ = writeln!(text, "| {} | {} | {} |", binding.place.name(), keys.join(" "), binding.help);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_means_two_things_in_one_place() {
        for place in Place::ALL {
            let keys: Vec<Key> =
                BINDINGS.iter().filter(|b| b.place == place).flat_map(|b| b.keys.iter().copied()).collect();
            let mut unique = keys.clone();
            unique.sort_by_key(|key| format!("{key:?}"));
            unique.dedup();
            assert_eq!(unique.len(), keys.len(), "{place:?}");
        }
    }

    #[test]
    fn the_narrower_place_wins() {
        use Place::{Everywhere, Picture};
        assert_eq!(action(Key::Char('q'), &[Picture, Everywhere]), Some(Action::Back));
        assert_eq!(action(Key::Char('q'), &[Everywhere]), Some(Action::Quit));
        assert_eq!(action(Key::Char('c'), &[Picture, Everywhere]), Some(Action::Clear));
        assert_eq!(action(Key::Char('Y'), &[Picture, Everywhere]), None);
    }

    #[test]
    fn the_readme_has_this_table() {
        let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../README.md")).unwrap();
        assert!(readme.contains(&markdown()), "put this into README.md:\n{}", markdown());
    }
}
