//! What every view looks like: one snapshot for each view and size, the text first and its styles below. After an
//! intended change: `INSTA_UPDATE=always cargo test -p observer-tui`, then read the difference.

use std::{fmt::Write as _, sync::Arc};

use ratatui::{
    buffer::{Buffer, Cell},
    layout::{Rect, Size},
    style::{Color, Modifier},
};

use super::model::{SMALL, live, not_observable, press, quiet, replayed, with_delay_injection, with_dropped_events};
use crate::{
    app::{App, CommandEnd, Tab, table::TableRow as _},
    model::{EntryRow, FindingRow, GroupRow, Model},
    theme::{Colours, Theme},
    view,
};
use observer_kernel::{cgroups::CgroupMode, plan::State, swaps::Synchronous};
use observer_observation::WallClock;
use observer_report::picture::text::Charset;

const LARGE: Size = Size { width: 120, height: 40 };
const SIZES: [Size; 4] = [Size { width: 40, height: 10 }, SMALL, LARGE, Size { width: 200, height: 50 }];

pub(super) const THEME: Theme = Theme { colours: Colours::Many, charset: Charset::Unicode };

/// Views and overlays, with the keys that open them.
const VIEWS: [(&str, &str); 17] = [
    ("overview", "1"),
    ("entries", "2"),
    ("entries-filtered", "2/java\nsS"),
    ("entries-typing", "2/re"),
    ("tasks", "3"),
    ("tasks-by-command", "3t"),
    ("findings", "4jj"),
    ("picture", "4\n"),
    ("columns", "2ojj jhjjj "),
    ("help", "?"),
    ("glossary", "??"),
    ("row-of-findings", "4jji"),
    ("row-of-entries", "2i"),
    ("row-of-tasks", "3i"),
    ("find", "4fverdict:reuse comm:ja"),
    ("find-unknown", "2fverdict:stale\n"),
    ("jump-unknown", "1@25:00\n"),
];

fn draw(app: &App, theme: Theme, size: Size) -> Buffer {
    let mut buffer = Buffer::empty(Rect::from(size));
    view::draw(app, theme, &mut buffer);
    buffer
}

/// The lines of a screen.
fn text(buffer: &Buffer) -> String {
    lines(buffer, |cell| cell.symbol().to_owned())
}

fn lines(buffer: &Buffer, cell: impl Fn(&Cell) -> String) -> String {
    let mut lines = String::new();
    for row in buffer.area.rows() {
        let line: String = row.positions().map(|position| cell(&buffer[position])).collect();
        writeln!(lines, "{}", line.trim_end()).unwrap();
    }
    lines
}

/// The text, and below it the styles, one letter for each cell.
fn capture(buffer: &Buffer) -> String {
    let legend = "styles: B bad, C caution, G good, A accent, S strong, R reversed, d dim, others by number";
    format!("{}--- {legend}\n{}", text(buffer), lines(buffer, |cell| letter(cell).to_string()))
}

fn letter(cell: &Cell) -> char {
    let style = cell.style();
    match (style.fg, style.add_modifier) {
        (_, modifier) if modifier.contains(Modifier::REVERSED) => 'R',
        _ if cell.symbol() == " " => ' ',
        (Some(Color::Indexed(166)), _) => 'B',
        (Some(Color::Indexed(172)), _) => 'C',
        (Some(Color::Indexed(36)), _) => 'G',
        (Some(Color::Indexed(32)), _) => 'A',
        (Some(Color::Indexed(74)), _) => '7',
        (Some(Color::Indexed(175)), _) => '5',
        (_, modifier) if modifier.contains(Modifier::BOLD) => 'S',
        (_, modifier) if modifier.contains(Modifier::DIM) => 'd',
        _ => ' ',
    }
}

fn assert_screen(name: &str, app: &App, theme: Theme, size: Size) {
    let capture = capture(&draw(app, theme, size));
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(format!("{name}-{size}"), capture);
    });
}

/// A live dashboard.
pub(super) fn lines_of(model: Model) -> String {
    text(&draw(&live(model), THEME, SMALL))
}

/// The overview of the recording, for the documentation.
pub(super) fn overview() -> String {
    text(&draw(&replayed(SMALL), THEME, SMALL))
}

#[test]
fn every_view_at_every_size() {
    for size in SIZES {
        for (name, keys) in VIEWS {
            let mut app = replayed(size);
            press(&mut app, size, keys);
            assert_screen(name, &app, THEME, size);
        }
    }
}

#[test]
fn live_views_without_events() {
    let mut app = live(quiet());
    assert_screen("quiet", &app, THEME, SMALL);
    press(&mut app, SMALL, "4");
    assert_screen("no-findings", &app, THEME, SMALL);
    let app = live(with_dropped_events());
    assert_screen("dropped-events", &app, THEME, SMALL);
    assert_screen("dropped-events", &app, THEME, SIZES[0]);
    assert_screen("not-observable", &live(not_observable()), THEME, SMALL);
    assert_screen("too-small", &app, THEME, Size { width: 30, height: 6 });
}

#[test]
fn delay_injection_and_the_end_of_the_command() {
    for (name, on) in [("delay-injection", true), ("delay-injection-off", false)] {
        let mut app = live(with_delay_injection(on));
        app.command_ended(CommandEnd::Signalled(9));
        assert_screen(name, &app, THEME, SMALL);
        assert_screen(name, &app, THEME, LARGE);
    }
}

#[test]
fn what_may_be_missing_of_a_row_is_explained() {
    let mut app = replayed(LARGE);
    let mut model = app.shown().model.clone();
    let hooks = not_observable();
    Arc::make_mut(&mut model.about).kernel.degraded = hooks.about.kernel.degraded.clone();
    model.dropped = with_dropped_events().dropped;
    app.update(model);
    press(&mut app, LARGE, "4i");
    let screen = text(&draw(&app, THEME, LARGE));
    let body = screen.split("what may be missing").nth(1).unwrap();
    assert!(body.contains("hook") && body.contains("doctor` has") && body.contains("1234 events"), "{screen}");
    press(&mut app, LARGE, "x");
    assert_eq!(app.overlay, None);
}

#[test]
fn filters_are_shown() {
    let mut model = quiet();
    let about = Arc::make_mut(&mut model.about);
    about.filters = [("cgroup", "/user.slice"), ("device", "zram0")].map(|(k, v)| (k.to_owned(), v.into())).into();
    assert_screen("filters", &live(model), THEME, SMALL);
}

#[test]
fn a_selection_is_shown_in_every_header() {
    let mut model = quiet();
    Arc::make_mut(&mut model.about).selection = Some("--pid 1006 --since 53s".to_owned());
    let mut app = live(model);
    for size in SIZES {
        let screen = text(&draw(&app, THEME, size));
        assert!(screen.contains("selection"), "{screen}");
    }
    assert_screen("selection", &app, THEME, SMALL);
    press(&mut app, SMALL, "4");
    assert_screen("selection-empty", &app, THEME, SMALL);
}

#[test]
fn after_a_reset_every_header_has_the_time_of_it() {
    for size in SIZES {
        for charset in [Charset::Unicode, Charset::Ascii] {
            let mut app = replayed(size);
            let lines = |app: &App| text(&draw(app, Theme { charset, ..THEME }, size));
            assert!(!lines(&app).contains("since"));
            press(&mut app, size, "c");
            let header = lines(&app);
            assert!(header.lines().next().unwrap().contains("since 00:00:19Z"), "{header}");
        }
    }
    let mut app = replayed(SMALL);
    press(&mut app, SMALL, "c");
    app.message = None;
    assert_screen("reset", &app, THEME, SMALL);
    let mut old = live(Model { wall_clock: WallClock::default(), ..quiet() });
    press(&mut old, SMALL, "c");
    assert!(text(&draw(&old, THEME, SMALL)).contains("since 00:01:15 "), "no wall clock is known");
}

#[test]
fn a_long_message_takes_as_many_lines_as_it_needs() {
    let path = format!("/{}/observer-20260101-000019.json", "a-long-folder/with spaces/".repeat(4));
    for size in SIZES {
        let mut app = replayed(size);
        app.notify(format!("wrote {path}"));
        let screen = text(&draw(&app, THEME, size));
        let joined: String = screen.split_whitespace().collect();
        assert!(joined.ends_with(&path.replace(' ', "")), "{screen}");
    }
}

#[test]
fn groups_of_a_host_with_cgroup_v1_are_marked() {
    for (mode, marked) in [(CgroupMode::V1, true), (CgroupMode::Hybrid, true), (CgroupMode::V2, false)] {
        let mut model = quiet();
        Arc::make_mut(&mut model.about).cgroups = mode;
        let mut app = live(model);
        press(&mut app, SMALL, "3tt");
        let text = text(&draw(&app, THEME, SMALL));
        assert!(text.contains("by control group"), "{text}");
        assert_eq!(text.contains("(of v2, not of v1)"), marked, "{mode:?}\n{text}");
        press(&mut app, SMALL, "t");
        assert!(!self::text(&draw(&app, THEME, SMALL)).contains("not of v1"), "another grouping");
    }
}

/// The header and the first answer, on every kind of kernel, with and without a synchronous swap device.
#[test]
fn every_state_of_a_kernel() {
    let mut text = String::new();
    for state in State::ALL.into_iter().chain([State::Unknown]) {
        for synchronous in [Synchronous::Yes, Synchronous::No, Synchronous::Unknown] {
            let mut model = quiet();
            Arc::make_mut(&mut model.about).kernel.state = state;
            for device in model.devices.iter_mut().flatten() {
                device.synchronous = synchronous;
            }
            let lines = self::text(&draw(&live(model), THEME, SMALL));
            let shown = lines.lines().enumerate().filter(|(row, _)| matches!(row, 0 | 4 | 6)).map(|(_, line)| line);
            writeln!(text, "{} {synchronous:?}\n{}\n", state.code(), shown.collect::<Vec<_>>().join("\n")).unwrap();
        }
    }
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("states", text);
    });
}

/// A stale install that was observed decides, whatever was inferred of the kernel and the devices.
#[test]
fn a_stale_install_overrides_every_inference() {
    let mut text = String::new();
    for state in State::ALL.into_iter().chain([State::Unknown]) {
        for synchronous in [Synchronous::Yes, Synchronous::No] {
            let mut model = quiet();
            Arc::make_mut(&mut model.about).kernel.state = state;
            for device in model.devices.iter_mut().flatten() {
                device.synchronous = synchronous;
            }
            if let Some(stale) = model.counts.last_mut() {
                *stale = 6;
            }
            let lines = self::text(&draw(&live(model), THEME, SMALL));
            let shown = lines.lines().enumerate().filter(|(row, _)| matches!(row, 0 | 4 | 5)).map(|(_, line)| line);
            writeln!(text, "{} {synchronous:?}\n{}\n", state.code(), shown.collect::<Vec<_>>().join("\n")).unwrap();
        }
    }
    assert!(!text.contains("  no: ") && !text.contains("not reachable"), "{text}");
    let seemed = text.lines().filter(|line| line.contains("seemed"));
    assert!(seemed.clone().count() == 10 && seemed.clone().all(|line| line.ends_with("please report it")), "{text}");
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("states-with-a-stale-install", text);
    });
}

#[test]
fn ascii_without_colours() {
    let theme = Theme { colours: Colours::None, charset: Charset::Ascii };
    for (name, keys) in VIEWS {
        for size in SIZES {
            let mut app = replayed(size);
            press(&mut app, size, keys);
            for cell in draw(&app, theme, size).content() {
                assert!(cell.symbol().is_ascii(), "{name}: {:?}", cell.symbol());
                assert_eq!((cell.fg, cell.bg), (Color::Reset, Color::Reset), "{name}");
            }
            if size == SMALL && matches!(name, "overview" | "picture") {
                assert_screen(&format!("{name}-ascii"), &app, theme, size);
            }
        }
    }
}

/// Every column of every table, in both directions and character sets, on narrow and wide screens; the layout has a test
/// of all widths.
#[test]
fn the_column_that_a_table_is_sorted_by_has_its_arrow() {
    let mut app = replayed(SMALL);
    for (tab, columns) in
        [(Tab::Entries, EntryRow::COLUMNS), (Tab::Tasks, GroupRow::COLUMNS), (Tab::Findings, FindingRow::COLUMNS)]
    {
        press(
            &mut app,
            SMALL,
            match tab {
                Tab::Overview => "1",
                Tab::Entries => "2",
                Tab::Tasks => "3",
                Tab::Findings => "4",
            },
        );
        for ((sort, column), reversed) in
            columns.iter().enumerate().flat_map(|column| [(column, false), (column, true)])
        {
            (app.entries.sort, app.tasks.sort, app.findings.sort) = (sort, sort, sort);
            (app.entries.reversed, app.tasks.reversed, app.findings.reversed) = (reversed, reversed, reversed);
            for charset in [Charset::Unicode, Charset::Ascii] {
                let arrow = match (charset, reversed) {
                    (Charset::Unicode, false) => "▼",
                    (Charset::Unicode, true) => "▲",
                    (Charset::Ascii, false) => " v",
                    (Charset::Ascii, true) => " ^",
                };
                for width in (40..=200).step_by(7) {
                    let size = Size { width, height: 10 };
                    let screen = text(&draw(&app, Theme { charset, ..THEME }, size));
                    let head = screen.lines().nth(2).unwrap();
                    let expected = format!("{}{arrow}", column.name);
                    assert!(
                        format!(" {head} ").contains(&format!(" {expected} ")),
                        "{width}: {expected:?} in {head:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn every_view_can_be_drawn_at_any_size() {
    let mut app = replayed(SMALL);
    for width in [1, 39, 40, 57, 64, 99, 100, 173, 300] {
        for height in [1, 9, 10, 15, 16, 27, 36, 50, 80] {
            let size = Size { width, height };
            for (_, keys) in VIEWS {
                press(&mut app, size, "\u{1b}\u{1b}");
                press(&mut app, size, keys);
                draw(&app, THEME, size);
                press(&mut app, size, "\u{1b}");
            }
        }
    }
}

#[test]
fn control_characters_in_names_are_not_drawn() {
    let mut app = replayed(SMALL);
    let mut model = app.shown().model.clone();
    let mut groups = model.groups.as_ref().clone();
    for (row, name) in groups.iter_mut().zip(["\u{1b}[31mred", "\u{7f}\u{0}", "日本語のなまえ", "e\u{301}\u{301}"])
    {
        name.clone_into(&mut row.name);
    }
    model.groups = Arc::new(groups);
    app.update(model);
    for keys in ["3", "t", "t"] {
        press(&mut app, SMALL, keys);
        let text = text(&draw(&app, THEME, SMALL));
        assert!(!text.contains(|ch: char| ch.is_control() && ch != '\n'), "{text:?}");
    }
}
