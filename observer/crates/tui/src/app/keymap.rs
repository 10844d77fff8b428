//! The keys in force: the table of [`keys`](super::keys), with keys of the user where there are any. Pure.

use std::{fmt, str::FromStr};

use super::{
    Tab,
    keys::{Action, BINDINGS, Key, Place},
};

/// Always quits, so that no configuration can lock the user in.
const QUITS: Key = Key::Ctrl('c');

/// A row of the table with the keys in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    pub place: Place,
    pub action: Action,
    /// Any of these keys triggers the action; empty: none does.
    pub keys: Vec<Key>,
    /// The keys as the help page shows them, separated by spaces.
    pub label: String,
    pub help: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keymap(Vec<Bound>);

impl Default for Keymap {
    fn default() -> Self {
        let bound = |binding: &super::keys::Binding| Bound {
            place: binding.place,
            action: binding.action,
            keys: binding.keys.to_vec(),
            label: binding.label.to_owned(),
            help: binding.help,
        };
        Self(BINDINGS.iter().map(bound).collect())
    }
}

/// Keys of the user for one action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rebinding {
    pub place: Place,
    pub action: Action,
    pub keys: Vec<Key>,
}

/// Why keys of the user cannot be in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conflict {
    /// Ctrl-C always quits.
    Reserved { place: Place, action: Action },
    /// Another action has the key as well, in this place or in one that is active at the same time.
    Taken { key: Key, place: Place, action: Action, other_place: Place, other: Action },
}

impl Keymap {
    /// The default keys with those of the user in their place.
    ///
    /// # Errors
    /// When a key would trigger two actions. Where the default keys do so, the most specific place wins, which is
    /// intended.
    pub fn with(changes: &[Rebinding]) -> Result<Self, Conflict> {
        let mut map = Self::default();
        for change in changes {
            let Rebinding { place, action, keys } = change;
            let is_changed = |bound: &&mut Bound| bound.place == *place && bound.action == *action;
            let Some(bound) = map.0.iter_mut().find(is_changed) else { continue };
            if *action != Action::Quit && keys.contains(&QUITS) {
                return Err(Conflict::Reserved { place: *place, action: *action });
            }
            bound.keys.clone_from(keys);
            if *action == Action::Quit && !keys.contains(&QUITS) {
                bound.keys.push(QUITS);
            }
            if !is_default(bound) {
                bound.label = bound.keys.iter().map(Key::to_string).collect::<Vec<_>>().join(" ");
            }
        }
        map.conflict().map_or(Ok(map), Err)
    }

    fn conflict(&self) -> Option<Conflict> {
        self.0.iter().find_map(|bound| {
            let default = default_keys(bound);
            bound.keys.iter().find_map(|key| {
                let chosen = !default.contains(key);
                let clashes = |other: &&Bound| {
                    let same_place = other.place == bound.place;
                    (other.place, other.action) != (bound.place, bound.action)
                        && other.keys.contains(key)
                        && (same_place || (chosen && together(bound.place, other.place)))
                };
                let other = self.0.iter().find(clashes)?;
                let (place, action) = (bound.place, bound.action);
                Some(Conflict::Taken { key: *key, place, action, other_place: other.place, other: other.action })
            })
        })
    }

    pub fn bindings(&self, place: Place) -> impl Iterator<Item = &Bound> {
        self.0.iter().filter(move |bound| bound.place == place)
    }

    /// The action of a key, from the first place that binds it.
    pub fn action(&self, key: Key, places: &[Place]) -> Option<Action> {
        places
            .iter()
            .find_map(|place| self.bindings(*place).find(|bound| bound.keys.contains(&key)).map(|bound| bound.action))
    }
}

fn default_keys(bound: &Bound) -> &'static [Key] {
    let same = BINDINGS.iter().find(|binding| binding.place == bound.place && binding.action == bound.action);
    same.map_or(&[], |binding| binding.keys)
}

fn is_default(bound: &Bound) -> bool {
    bound.keys == default_keys(bound)
}

/// Whether keys of both places can be active at the same time.
const fn together(a: Place, b: Place) -> bool {
    const fn has_the_body(place: Place) -> bool {
        matches!(place, Place::Tables | Place::Picture | Place::Columns)
    }
    !(has_the_body(a) && has_the_body(b))
}

impl Place {
    /// The name in the configuration file.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Everywhere => "everywhere",
            Self::Tables => "tables",
            Self::Picture => "picture",
            Self::Columns => "columns",
            Self::Replay => "replay",
        }
    }
}

impl Action {
    /// The name in the configuration file.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Quit => "quit",
            Self::Help => "help",
            Self::NextView => "next_view",
            Self::PreviousView => "previous_view",
            Self::Go(tab) => tab.code(),
            Self::Up => "up",
            Self::Down => "down",
            Self::PageUp => "page_up",
            Self::PageDown => "page_down",
            Self::First => "first",
            Self::Last => "last",
            Self::Open => "open",
            Self::Explain => "explain",
            Self::Back => "back",
            Self::Filter => "filter",
            Self::Find => "find",
            Self::FindNext => "find_next",
            Self::FindPrevious => "find_previous",
            Self::Sort => "sort",
            Self::Reverse => "reverse",
            Self::Group => "group",
            Self::Freeze => "freeze",
            Self::Clear => "clear",
            Self::ResetRates => "reset_rates",
            Self::Export => "export",
            Self::SwitchDelayInjection => "delay_injection",
            Self::SwitchMouse => "mouse",
            Self::Copy => "copy",
            Self::PickColumns => "columns",
            Self::ToggleColumn => "toggle",
            Self::MoveColumnLeft => "move_left",
            Self::MoveColumnRight => "move_right",
            Self::DefaultColumns => "default",
            Self::Suspend => "suspend",
            Self::Redraw => "redraw",
            Self::PlayPause => "play_pause",
            Self::Faster => "faster",
            Self::Slower => "slower",
            Self::PlayToFinding => "play_to_finding",
            Self::BackToFinding => "back_to_finding",
            Self::JumpToTime => "jump_to_time",
            Self::Backward => "backward",
            Self::Forward => "forward",
            Self::ToStart => "to_start",
            Self::PreviousFinding => "previous_finding",
            Self::NextFinding => "next_finding",
        }
    }
}

impl Tab {
    /// The name in the configuration file.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Overview => "overview",
            Self::Entries => "entries",
            Self::Tasks => "tasks",
            Self::Findings => "findings",
        }
    }
}

/// Keys that are not a character, with their names.
const NAMED: [(Key, &str); 14] = [
    (Key::Char(' '), "Space"),
    (Key::Up, "Up"),
    (Key::Down, "Down"),
    (Key::Left, "Left"),
    (Key::Right, "Right"),
    (Key::PageUp, "PgUp"),
    (Key::PageDown, "PgDn"),
    (Key::Home, "Home"),
    (Key::End, "End"),
    (Key::Enter, "Enter"),
    (Key::Esc, "Esc"),
    (Key::Tab, "Tab"),
    (Key::BackTab, "Shift-Tab"),
    (Key::Backspace, "Backspace"),
];

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (NAMED.iter().find(|(key, _)| key == self), self) {
            (Some((_, name)), _) => f.write_str(name),
            (None, Self::Char(ch)) => write!(f, "{ch}"),
            (None, Self::Ctrl(ch)) => write!(f, "Ctrl-{}", ch.to_ascii_uppercase()),
            (None, other) => write!(f, "{other:?}"),
        }
    }
}

/// A text that names no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownKey;

impl FromStr for Key {
    type Err = UnknownKey;

    fn from_str(text: &str) -> Result<Self, UnknownKey> {
        let mut chars = text.chars();
        if let (Some(ch), None) = (chars.next(), chars.next()) {
            return if ch.is_control() || ch == ' ' { Err(UnknownKey) } else { Ok(Self::Char(ch)) };
        }
        if let Some((key, _)) = NAMED.iter().find(|(_, name)| name.eq_ignore_ascii_case(text)) {
            return Ok(*key);
        }
        let (control, letter) = text.split_at_checked("Ctrl-".len()).ok_or(UnknownKey)?;
        let mut letters = letter.chars();
        match (letters.next(), letters.next()) {
            // These letters are Tab, Enter and Backspace on a terminal.
            (Some('h' | 'H' | 'i' | 'I' | 'j' | 'J' | 'm' | 'M'), None) => Err(UnknownKey),
            (Some(ch), None) if ch.is_ascii_alphabetic() && control.eq_ignore_ascii_case("Ctrl-") => {
                Ok(Self::Ctrl(ch.to_ascii_lowercase()))
            }
            _ => Err(UnknownKey),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn change(place: Place, action: Action, keys: &[Key]) -> Rebinding {
        Rebinding { place, action, keys: keys.to_vec() }
    }

    #[test]
    fn every_action_has_a_code_of_its_own_and_one_row_in_each_place() {
        let rows: BTreeSet<(&str, &str)> = BINDINGS.iter().map(|row| (row.place.code(), row.action.code())).collect();
        assert_eq!(rows.len(), BINDINGS.len());
        let actions: std::collections::HashSet<Action> = BINDINGS.iter().map(|row| row.action).collect();
        let codes: BTreeSet<&str> = actions.iter().map(|action| action.code()).collect();
        assert_eq!(codes.len(), actions.len());
    }

    #[test]
    fn keys_are_read_as_they_are_printed() {
        for key in BINDINGS.iter().flat_map(|row| row.keys) {
            assert_eq!(key.to_string().parse(), Ok(*key));
        }
        for row in BINDINGS {
            let first: Key = row.label.split(' ').next().unwrap().parse().unwrap();
            assert!(row.keys.contains(&first), "the label {} names keys that are bound", row.label);
        }
        assert_eq!("ctrl-x".parse(), Ok(Key::Ctrl('x')));
        assert_eq!("PGUP".parse(), Ok(Key::PageUp));
        for wrong in ["", " ", "F1", "Ctrl-", "Ctrl-ab", "Ctrl-m", "Alt-x", "\u{1b}", "é-x", "Strg-c"] {
            assert_eq!(wrong.parse::<Key>(), Err(UnknownKey), "{wrong:?}");
        }
    }

    #[test]
    fn the_most_specific_place_wins() {
        use Place::{Everywhere, Picture};
        let map = Keymap::default();
        assert_eq!(map.action(Key::Char('q'), &[Picture, Everywhere]), Some(Action::Back));
        assert_eq!(map.action(Key::Char('q'), &[Everywhere]), Some(Action::Quit));
        assert_eq!(map.action(Key::Char('c'), &[Picture, Everywhere]), Some(Action::Clear));
        assert_eq!(map.action(Key::Char('Y'), &[Picture, Everywhere]), None);
    }

    #[test]
    fn keys_of_the_user_replace_the_default_ones() {
        let x = Key::Char('X');
        let map = Keymap::with(&[change(Place::Everywhere, Action::Freeze, &[x, Key::Ctrl('t')])]).unwrap();
        assert_eq!(map.action(x, &[Place::Everywhere]), Some(Action::Freeze));
        assert_eq!(map.action(Key::Char('p'), &[Place::Everywhere]), None);
        let row = map.bindings(Place::Everywhere).find(|row| row.action == Action::Freeze).unwrap();
        assert_eq!(row.label, "X Ctrl-T");
        let none = Keymap::with(&[change(Place::Everywhere, Action::Freeze, &[])]).unwrap();
        assert_eq!(none.action(Key::Char('p'), &[Place::Everywhere]), None);
    }

    #[test]
    fn the_default_keys_are_no_change() {
        let all: Vec<_> = BINDINGS.iter().map(|row| change(row.place, row.action, row.keys)).collect();
        assert_eq!(Keymap::with(&all), Ok(Keymap::default()));
    }

    #[test]
    fn control_c_always_quits() {
        let map = Keymap::with(&[change(Place::Everywhere, Action::Quit, &[Key::Char('X')])]).unwrap();
        for key in [Key::Char('X'), QUITS] {
            assert_eq!(map.action(key, &Place::ALL), Some(Action::Quit), "{key:?}");
        }
        let taken = Keymap::with(&[change(Place::Tables, Action::Sort, &[QUITS])]);
        assert_eq!(taken, Err(Conflict::Reserved { place: Place::Tables, action: Action::Sort }));
    }

    #[test]
    fn a_key_of_the_user_triggers_one_action() {
        let s = Key::Char('s');
        let shadowed = Keymap::with(&[change(Place::Everywhere, Action::Freeze, &[s])]).unwrap_err();
        let Conflict::Taken { key, action, other_place, other, .. } = shadowed else { panic!("{shadowed:?}") };
        assert_eq!((key, action, other_place, other), (s, Action::Freeze, Place::Tables, Action::Sort));
        let twice = [change(Place::Everywhere, Action::Freeze, &[Key::Char('c')])];
        assert!(matches!(Keymap::with(&twice), Err(Conflict::Taken { key: Key::Char('c'), .. })));
        let swapped = [
            change(Place::Everywhere, Action::Freeze, &[Key::Char('c')]),
            change(Place::Everywhere, Action::Clear, &[Key::Char('p')]),
        ];
        assert!(Keymap::with(&swapped).is_ok());
        let apart = [change(Place::Picture, Action::Up, &[s])];
        assert!(Keymap::with(&apart).is_ok(), "no picture and table have the keys at once");
    }
}
