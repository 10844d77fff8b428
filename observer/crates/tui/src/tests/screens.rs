//! What every view and overlay looks like, compared with files under `tests/fixtures/screens`. After a change that is meant:
//! `OBSERVER_BLESS=1 cargo test -p observer screens`, and look at the difference.

use std::{fmt::Write as _, fs, path::PathBuf};

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::{Color, Modifier, Style},
};

use super::recording::{app, lossy, press, quiet, widened};
use crate::{
    app::App,
    theme::{Colours, Theme},
    view,
};
use observer_report::picture::text::Charset;

const SIZES: [(u16, u16); 4] = [(40, 10), (80, 24), (120, 40), (200, 50)];

pub(crate) const THEME: Theme = Theme { colours: Colours::Many, charset: Charset::Unicode };

/// Views and overlays by the keys that lead there.
const VIEWS: [(&str, &str); 9] = [
    ("overview", "1"),
    ("entries", "2"),
    ("entries-filtered", "2/java\nsS"),
    ("entries-typing", "2/re"),
    ("tasks", "3"),
    ("tasks-by-command", "3t"),
    ("findings", "4jj"),
    ("picture", "4\n"),
    ("help", "?"),
];

fn draw(app: &App, theme: Theme, (width, height): (u16, u16)) -> Buffer {
    let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
    view::draw(app, theme, &mut buffer);
    buffer
}

/// The text, and below it the styles, a letter for each.
fn capture(buffer: &Buffer) -> String {
    let mut text = String::new();
    let mut styles = String::new();
    for y in 0..buffer.area.height {
        let row = (0..buffer.area.width).map(|x| &buffer[(x, y)]);
        let (line, style): (String, String) = row.map(|cell| (cell.symbol().to_owned(), letter(cell.style()))).unzip();
        let _ = writeln!(text, "{}", line.trim_end());
        let _ = writeln!(styles, "{}", style.trim_end());
    }
    format!(
        "{text}--- styles: B bad, C caution, G good, A accent, S strong, R reversed, d dim, others by number\n{styles}"
    )
}

fn letter(style: Style) -> String {
    let letter = match (style.fg, style.add_modifier) {
        (_, modifier) if modifier.contains(Modifier::REVERSED) => 'R',
        (Some(Color::Indexed(166)), _) => 'B',
        (Some(Color::Indexed(172)), _) => 'C',
        (Some(Color::Indexed(36)), _) => 'G',
        (Some(Color::Indexed(32)), _) => 'A',
        (Some(Color::Indexed(74)), _) => '7',
        (Some(Color::Indexed(175)), _) => '5',
        (_, modifier) if modifier.contains(Modifier::BOLD) => 'S',
        (_, modifier) if modifier.contains(Modifier::DIM) => 'd',
        _ => ' ',
    };
    letter.to_string()
}

fn compare(name: &str, found: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/screens").join(format!("{name}.txt"));
    if std::env::var_os("OBSERVER_BLESS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, found).unwrap();
        return;
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(expected == found, "{name} is not as in {}:\n{found}", path.display());
}

#[test]
fn screens_of_every_view_at_every_size() {
    for size in SIZES {
        for (name, keys) in VIEWS {
            let mut app = app(size.0, size.1);
            press(&mut app, size, keys);
            compare(&format!("{name}-{}x{}", size.0, size.1), &capture(&draw(&app, THEME, size)));
        }
    }
}

#[test]
fn screens_of_what_is_special() {
    let size = (80, 24);
    let mut app = App::default();
    app.sample(quiet());
    press(&mut app, size, "1");
    compare("quiet-80x24", &capture(&draw(&app, THEME, size)));
    press(&mut app, size, "4");
    compare("no-findings-80x24", &capture(&draw(&app, THEME, size)));
    let mut app = App::default();
    app.sample(lossy());
    press(&mut app, size, "1");
    compare("lossy-80x24", &capture(&draw(&app, THEME, size)));
    press(&mut app, (40, 10), "1");
    compare("lossy-40x10", &capture(&draw(&app, THEME, (40, 10))));
    for (name, on) in [("widened", true), ("delay_injection-off", false)] {
        let mut app = App::default();
        app.sample(widened(on));
        app.command_ended("was killed by signal 9".to_owned());
        press(&mut app, size, "1");
        compare(&format!("{name}-80x24"), &capture(&draw(&app, THEME, size)));
        press(&mut app, (120, 40), "1");
        compare(&format!("{name}-120x40"), &capture(&draw(&app, THEME, (120, 40))));
    }
    let mut part = quiet();
    std::sync::Arc::make_mut(&mut part.about).filters = "--cgroup /user.slice --device zram0".to_owned();
    let mut app = App::default();
    app.sample(part);
    press(&mut app, size, "1");
    compare("filters-80x24", &capture(&draw(&app, THEME, size)));
    compare("too-small-30x6", &capture(&draw(&app, THEME, (30, 6))));
}

#[test]
fn without_unicode_all_is_ascii_and_without_colour_nothing_is_coloured() {
    let theme = Theme { colours: Colours::None, charset: Charset::Ascii };
    for (name, keys) in VIEWS {
        for size in SIZES {
            let mut app = app(size.0, size.1);
            press(&mut app, size, keys);
            let buffer = draw(&app, theme, size);
            for cell in buffer.content() {
                assert!(cell.symbol().is_ascii(), "{name}: {:?}", cell.symbol());
                assert!(cell.fg == Color::Reset && cell.bg == Color::Reset, "{name}");
            }
            if size == (80, 24) && matches!(name, "overview" | "picture") {
                compare(&format!("{name}-ascii-80x24"), &capture(&buffer));
            }
        }
    }
}

#[test]
fn every_size_can_be_drawn() {
    let mut app = app(80, 24);
    for (width, height) in
        (1..=300).step_by(23).flat_map(|width| (1..=80).step_by(9).map(move |height| (width, height)))
    {
        for (_, keys) in VIEWS {
            press(&mut app, (width, height), "\u{1b}\u{1b}");
            press(&mut app, (width, height), keys);
            draw(&app, THEME, (width, height));
            press(&mut app, (width, height), "\u{1b}");
        }
    }
}

#[test]
fn names_of_any_characters_do_no_harm() {
    let mut app = app(80, 24);
    let mut model = app.shown().model.clone();
    let mut parties = model.parties.as_ref().clone();
    for (row, name) in parties.iter_mut().zip(["\u{1b}[31mred", "\u{7f}\u{0}", "日本語のなまえ", "e\u{301}\u{301}"])
    {
        name.clone_into(&mut row.name);
    }
    model.parties = std::sync::Arc::new(parties);
    app.sample(model);
    press(&mut app, (80, 24), "3tt");
    press(&mut app, (80, 24), "t");
    let text = capture(&draw(&app, THEME, (80, 24)));
    assert!(!text.contains('\u{1b}') && !text.contains('\u{0}'));
}
