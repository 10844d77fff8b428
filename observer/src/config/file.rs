//! The shape of the file, and from its text to settings.

use std::{collections::BTreeMap, fmt::Display, ops::Range, time::Duration};

use serde::Deserialize;
use toml::Spanned;

use super::read::Wrong;
use observer_tui::{
    app::{
        Tab,
        alarm::Signal,
        columns::Columns,
        keymap::{Conflict, Keymap, Rebinding},
        keys::{Action, BINDINGS, Key, Place},
    },
    settings::{LONGEST_REFRESH, SHORTEST_REFRESH, Settings},
    theme::Palette,
};

/// Every field may be left out.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct File {
    refresh: Option<Text>,
    view: Option<Text>,
    theme: Option<Text>,
    ascii: Option<bool>,
    mouse: Option<bool>,
    data_loss: DataLoss,
    columns: ColumnLists,
    keys: KeyLists,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct DataLoss {
    bell: Option<bool>,
    title: Option<bool>,
    in_replay: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ColumnLists {
    entries: Option<Spanned<Vec<Text>>>,
    tasks: Option<Spanned<Vec<Text>>>,
    findings: Option<Spanned<Vec<Text>>>,
}

/// By place, and by action.
type KeyLists = BTreeMap<Text, BTreeMap<Text, Spanned<Vec<Text>>>>;

type Text = Spanned<String>;

/// The settings in the text of a file.
///
/// # Errors
/// At the first mistake.
pub(super) fn parse(text: &str) -> Result<Settings, Wrong> {
    let file: File = toml::from_str(text).map_err(|error| syntax(text, error))?;
    let defaults = Settings::default();
    Ok(Settings {
        refresh: file.refresh.as_ref().map_or(Ok(defaults.refresh), refresh)?,
        view: file.view.as_ref().map_or(Ok(defaults.view), |view| choice("view", view, Tab::ALL, Tab::code))?,
        palette: file
            .theme
            .as_ref()
            .map_or(Ok(defaults.palette), |theme| choice("theme", theme, Palette::ALL, Palette::code))?,
        ascii: file.ascii.unwrap_or(defaults.ascii),
        mouse: file.mouse.unwrap_or(defaults.mouse),
        data_loss: Signal {
            bell: file.data_loss.bell.unwrap_or(defaults.data_loss.bell),
            title: file.data_loss.title.unwrap_or(defaults.data_loss.title),
            in_replay: file.data_loss.in_replay.unwrap_or(defaults.data_loss.in_replay),
        },
        columns: columns(&file.columns)?,
        keys: keys(&file.keys)?,
        ..defaults
    })
}

/// A mistake that the parser found. Its message has the field, and the snippet of the file is left out: it is not for
/// a message what a file of another kind contains.
fn syntax(text: &str, mut error: toml::de::Error) -> Wrong {
    let at = error.span().map_or(text.len(), |span| span.start);
    error.set_input(None);
    Wrong { at, message: error.to_string().trim_end().replace('\n', " ") }
}

fn wrong(at: &Range<usize>, message: String) -> Wrong {
    Wrong { at: at.start, message }
}

fn refresh(given: &Text) -> Result<Duration, Wrong> {
    let range = SHORTEST_REFRESH..=LONGEST_REFRESH;
    humantime::parse_duration(given.get_ref()).ok().filter(|duration| range.contains(duration)).ok_or_else(|| {
        let [least, most] = [range.start(), range.end()].map(|limit| humantime::format_duration(*limit).to_string());
        wrong(&given.span(), format!("refresh: {:?} is no duration from {least} to {most}", given.get_ref()))
    })
}

/// One of several values, by its code.
fn choice<T: Copy>(
    field: impl Display,
    given: &Text,
    all: impl IntoIterator<Item = T>,
    code: impl Fn(T) -> &'static str,
) -> Result<T, Wrong> {
    let mut codes = Vec::new();
    for value in all {
        if code(value) == given.get_ref() {
            return Ok(value);
        }
        if !codes.contains(&code(value)) {
            codes.push(code(value));
        }
    }
    let message = format!("{field}: there is no {:?}; there is {}", given.get_ref(), codes.join(", "));
    Err(wrong(&given.span(), message))
}

fn columns(lists: &ColumnLists) -> Result<Columns, Wrong> {
    let mut columns = Columns::default();
    let lists = [(Tab::Entries, &lists.entries), (Tab::Tasks, &lists.tasks), (Tab::Findings, &lists.findings)];
    for (tab, list) in lists {
        let Some(list) = list else { continue };
        let field = format!("columns.{}", tab.code());
        if list.get_ref().is_empty() {
            return Err(wrong(&list.span(), format!("{field}: a table has at least one column")));
        }
        let mut shown = Vec::new();
        for name in list.get_ref() {
            let column = column(&field, tab, name)?;
            if shown.contains(&column) {
                return Err(wrong(&name.span(), format!("{field}: {:?} is listed twice", name.get_ref())));
            }
            shown.push(column);
        }
        columns.set(tab, shown);
    }
    Ok(columns)
}

fn column(field: &str, tab: Tab, name: &Text) -> Result<usize, Wrong> {
    let codes: Vec<String> = tab.columns().iter().map(observer_tui::app::table::Column::code).collect();
    codes.iter().position(|code| code == name.get_ref()).ok_or_else(|| {
        let message = format!("{field}: there is no column {:?}; there is {}", name.get_ref(), codes.join(", "));
        wrong(&name.span(), message)
    })
}

fn keys(lists: &KeyLists) -> Result<Keymap, Wrong> {
    let mut changes = Vec::new();
    let mut spans = Vec::new();
    for (place, actions) in lists {
        let place = choice("keys", place, Place::ALL, Place::code)?;
        for (action, keys) in actions {
            let bound = BINDINGS.iter().filter(|binding| binding.place == place).map(|binding| binding.action);
            let field = format!("keys.{}", place.code());
            let action = choice(&field, action, bound, Action::code)?;
            let field = format!("{field}.{}", action.code());
            let keys_of_action = keys.get_ref().iter().map(|text| key(&field, text)).collect::<Result<_, _>>()?;
            changes.push(Rebinding { place, action, keys: keys_of_action });
            spans.push(keys.span());
        }
    }
    Keymap::with(&changes).map_err(|conflict| {
        let (place, action) = match conflict {
            Conflict::Reserved { place, action } | Conflict::Taken { place, action, .. } => (place, action),
        };
        let change = changes.iter().position(|change| (change.place, change.action) == (place, action));
        let at = change.and_then(|index| spans.get(index)).cloned().unwrap_or_default();
        wrong(&at, format!("keys.{}.{}: {}", place.code(), action.code(), conflict_text(conflict)))
    })
}

fn conflict_text(conflict: Conflict) -> String {
    match conflict {
        Conflict::Reserved { .. } => "Ctrl-C always quits: choose another key".to_owned(),
        Conflict::Taken { key, other_place, other, .. } => {
            format!(
                "{key} is already the key of keys.{}.{}: choose another key, or give that one another",
                other_place.code(),
                other.code()
            )
        }
    }
}

fn key(field: &str, text: &Text) -> Result<Key, Wrong> {
    text.get_ref().parse().map_err(|_| {
        let message = format!(
            "{field}: there is no key {:?}; a key is a character, Ctrl- and a letter (not h, i, j, m), Space, Up, Down, \
             Left, Right, PgUp, PgDn, Home, End, Enter, Esc, Tab, Shift-Tab or Backspace",
            text.get_ref()
        );
        wrong(&text.span(), message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::defaults;

    #[test]
    fn the_printed_file_has_the_defaults() {
        assert_eq!(parse(&defaults()), Ok(Settings::default()));
        assert_eq!(parse(""), Ok(Settings::default()));
    }

    /// Each line of the printed file is in force: leaving out its value, or another one, is noticed.
    #[test]
    fn every_value_of_the_printed_file_is_read() {
        let text = defaults();
        let values = text.lines().filter(|line| line.contains(" = ") && !line.starts_with('#'));
        for line in values.clone() {
            let (name, _) = line.split_once(" = ").unwrap();
            let changed = text.replacen(&format!("\n{line}\n"), &format!("\n{name} = 7\n"), 1);
            assert_ne!(changed, text, "{line}");
            let error = parse(&changed).unwrap_err();
            assert!(error.message.contains(name), "{line}: {}", error.message);
            let line = changed.lines().position(|line| line == format!("{name} = 7")).unwrap();
            assert!(changed[..error.at].lines().count().abs_diff(line) <= 1, "{name}: {}", error.at);
        }
        assert!(values.count() > 40);
    }

    #[test]
    fn settings_are_read() {
        let text = r#"
            refresh = "2s"
            view = "findings"
            theme = "high-contrast"
            ascii = true
            mouse = false
            data_loss = { title = true, bell = false }
            [columns]
            entries = ["worst", "entry"]
            [keys.everywhere]
            freeze = ["X", "ctrl-t"]
        "#;
        let settings = parse(text).unwrap();
        assert_eq!((settings.refresh, settings.view), (Duration::from_secs(2), Tab::Findings));
        assert_eq!((settings.palette, settings.ascii, settings.mouse), (Palette::HighContrast, true, false));
        assert_eq!(settings.data_loss, Signal { bell: false, title: true, in_replay: false });
        assert_eq!(settings.columns.of(Tab::Entries), [10, 0]);
        assert_eq!(settings.columns.of(Tab::Tasks), Columns::default().of(Tab::Tasks));
        assert_eq!(settings.keys.action(Key::Ctrl('t'), &[Place::Everywhere]), Some(Action::Freeze));
    }

    #[test]
    fn a_mistake_names_its_field_its_line_and_what_there_is() {
        let cases = [
            ("mouse = true\nrefreshes = \"1s\"", 2, &["refreshes", "refresh"][..]),
            ("\n\nrefresh = 5", 3, &["refresh", "integer"]),
            ("refresh = \"1ms\"", 1, &["refresh", "100ms", "1m"]),
            ("refresh = \"soon\"", 1, &["refresh", "soon", "duration"]),
            ("view = \"entrees\"", 1, &["view", "entrees", "overview, entries, tasks, findings"]),
            ("theme = \"solarized\"", 1, &["theme", "high-contrast"]),
            ("mouse = \"off\"", 1, &["mouse", "boolean"]),
            ("[columns]\nentries = []", 2, &["columns.entries", "at least one"]),
            ("[columns]\nentries = [\n\"entry\",\n\"size\"]", 4, &["columns.entries", "size", "overslept"]),
            ("[columns]\ntasks = [\"name\", \"name\"]", 2, &["columns.tasks", "twice"]),
            ("[colour]", 1, &["colour", "columns"]),
            ("[keys.nowhere]\nquit = [\"x\"]", 1, &["keys", "nowhere", "everywhere"]),
            ("[keys.everywhere]\nquits = [\"x\"]", 2, &["keys.everywhere", "quits", "quit, help"]),
            ("[keys.everywhere]\nquit = [\"F1\"]", 2, &["keys.everywhere.quit", "F1", "Backspace"]),
            ("[keys.everywhere]\nfreeze = [\"s\"]", 2, &["keys.everywhere.freeze", "keys.tables.sort"]),
            ("[keys.tables]\nsort = [\"Ctrl-C\"]", 2, &["keys.tables.sort", "always quits"]),
            ("ascii = true\nmouse = yes", 2, &["must be quoted"]),
            ("mouse = true\nmouse = true", 2, &["duplicate"]),
        ];
        for (text, line, parts) in cases {
            let error = parse(text).unwrap_err().of(std::path::Path::new("/c.toml"), text).to_string();
            assert!(error.starts_with(&format!("/c.toml, line {line}: ")), "{text}: {error}");
            assert!(parts.iter().all(|part| error.contains(part)), "{text}: {error}");
            assert!(error.contains("observer config") && error.contains("--no-config"), "{error}");
            assert!(!error.contains('\n'), "{error}");
        }
    }
}
