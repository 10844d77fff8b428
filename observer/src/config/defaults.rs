//! The default file with comments, made from the defaults and the tables that describe the dashboard.

use std::fmt::Write as _;

use observer_tui::{
    app::{
        Tab,
        columns::Columns,
        keymap::{Bound, Keymap},
        keys::{Key, Place},
        table::Column,
    },
    settings::{LONGEST_REFRESH, SHORTEST_REFRESH, Settings},
    theme::Palette,
};

/// The file that has no effect, as `observer config` prints it.
pub(crate) fn defaults() -> String {
    let Settings { refresh, view, palette, ascii, mouse, data_loss, columns, keys, .. } = Settings::default();
    let [refresh, least, most] =
        [refresh, SHORTEST_REFRESH, LONGEST_REFRESH].map(|duration| humantime::format_duration(duration).to_string());
    let views = Tab::ALL.map(Tab::code).join(", ");
    let themes = Palette::ALL.map(Palette::code).join(", ");
    let mut text = format!(
        "# Configuration of the dashboard (observer live, observer replay), in TOML. These are the defaults: a line that
# is left out has this value. observer config --path prints where the file is read. Options of the command line
# win over the file.

# Shortest time between two frames that new data causes, from {least} to {most}. A key is answered at once.
refresh = \"{refresh}\"

# The view at the start: {views}.
view = \"{}\"

# Colours: {themes}. high-contrast is white on black, whatever the colours of the
# terminal. NO_COLOR wins over this line.
theme = \"{}\"

# Only ASCII characters. Otherwise the locale decides.
ascii = {ascii}

# The mouse opens views and selects, sorts and scrolls. false: the terminal selects text. A key switches it.
mouse = {mouse}

[data_loss]
# What the terminal does at the first data loss, once: ring, and change the title of the window until the dashboard is
# closed. In a replay only if that is asked for.
bell = {}
title = {}
in_replay = {}

[columns]
# The columns of each table, in this order. Those that do not fit the screen are left out.
{}
# A key is a character, Ctrl- and a letter, Space, Up, Down, Left, Right, PgUp, PgDn, Home, End, Enter, Esc, Tab,
# Shift-Tab or Backspace. [] is no key. A key that two actions would have is refused. Ctrl-C always quits.
",
        view.code(),
        palette.code(),
        data_loss.bell,
        data_loss.title,
        data_loss.in_replay,
        column_lists(&columns),
    );
    text.push_str(&key_lists(&keys));
    text
}

/// A list in one line, as in the file.
fn list(items: impl IntoIterator<Item = String>) -> String {
    // A basic string of TOML escapes as JSON does.
    let items: Vec<String> = items.into_iter().map(|item| serde_json::Value::from(item).to_string()).collect();
    format!("[{}]", items.join(", "))
}

/// One line for each table.
fn column_lists(columns: &Columns) -> String {
    let tables = Tab::ALL.into_iter().filter(|tab| !tab.columns().is_empty());
    let lines = tables.map(|tab| format!("{} = {}\n", tab.code(), list(codes(tab, columns.of(tab)))));
    lines.collect::<Vec<_>>().concat()
}

fn codes(tab: Tab, shown: &[usize]) -> Vec<String> {
    shown.iter().filter_map(|index| tab.columns().get(*index)).map(Column::code).collect()
}

fn key_lists(keys: &Keymap) -> String {
    let mut text = String::new();
    for place in Place::ALL {
        // Writing to a String cannot fail.
        let _ = write!(text, "\n[keys.{}]\n", place.code());
        for Bound { action, keys, help, .. } in keys.bindings(place) {
            let keys = list(keys.iter().map(Key::to_string));
            let _ = writeln!(text, "# {help}\n{} = {keys}", action.code());
        }
    }
    text
}
