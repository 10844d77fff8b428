//! What every key does, without a terminal.

use super::recording::{app, fit, lossy, press, quiet};
use crate::{
    app::{
        App, Effect, Grouping, Overlay, Tab,
        keys::{Action, BINDINGS, Key, Place},
    },
    layout::Hit,
    model::{DelayInjection, Series},
};
use observer_engine::verdict::Verdict;
use observer_record::player::Move;

const SIZE: (u16, u16) = (80, 24);

fn start(keys: &str) -> App {
    let mut app = app(SIZE.0, SIZE.1);
    press(&mut app, SIZE, keys);
    app
}

#[test]
fn views_are_reached_by_number_tab_and_arrows() {
    let mut app = start("");
    for (key, tab) in [
        (Key::Char('3'), Tab::Tasks),
        (Key::Tab, Tab::Findings),
        (Key::Tab, Tab::Overview),
        (Key::BackTab, Tab::Findings),
        (Key::Left, Tab::Tasks),
        (Key::Char('h'), Tab::Entries),
        (Key::Right, Tab::Tasks),
        (Key::Char('l'), Tab::Findings),
        (Key::Char('1'), Tab::Overview),
        (Key::Char('2'), Tab::Entries),
        (Key::Char('4'), Tab::Findings),
    ] {
        assert_eq!(app.key(key), None);
        assert_eq!(app.tab, tab, "{key:?}");
    }
}

#[test]
fn rows_are_walked_by_arrows_letters_and_pages() {
    let mut app = start("2");
    let rows = app.entries.order.len();
    assert!(rows > 60, "the recording is too small for this test");
    for (key, place) in [
        (Key::Down, 1),
        (Key::Char('j'), 2),
        (Key::Up, 1),
        (Key::Char('k'), 0),
        (Key::Up, 0),
        (Key::PageDown, 18),
        (Key::Ctrl('f'), 36),
        (Key::PageUp, 18),
        (Key::Ctrl('b'), 0),
        (Key::End, rows - 1),
        (Key::Down, rows - 1),
        (Key::Home, 0),
        (Key::Char('G'), rows - 1),
        (Key::Char('g'), 0),
    ] {
        app.key(key);
        assert_eq!(app.entries.cursor, place, "{key:?}");
    }
}

#[test]
fn sorting_goes_round_the_columns_and_turns() {
    let mut app = start("2");
    let before = app.entries.sort;
    app.key(Key::Char('s'));
    assert_eq!((app.entries.sort, app.entries.reversed), (0, false), "after the last column comes the first");
    app.key(Key::Char('S'));
    assert!(app.entries.reversed && app.entries.sort != before);
    let first = app.shown().model.entries[app.entries.order[0]].entry;
    app.key(Key::Char('S'));
    let last = app.shown().model.entries[*app.entries.order.last().unwrap()].entry;
    assert_eq!(first, last);
}

#[test]
fn the_filter_works_as_it_is_typed() {
    let mut app = start("2");
    let all = app.entries.order.len();
    press(&mut app, SIZE, "/java");
    assert!(app.typing && app.entries.order.len() < all);
    press(&mut app, SIZE, "q");
    assert_eq!(app.entries.filter, "javaq", "letters are text while typing");
    assert!(app.entries.order.is_empty());
    app.key(Key::Backspace);
    assert!(!app.entries.order.is_empty());
    app.key(Key::Enter);
    assert!(!app.typing && app.entries.filter == "java");
    app.key(Key::Esc);
    assert_eq!((app.entries.filter.as_str(), app.entries.order.len()), ("", all));
    press(&mut app, SIZE, "/x\u{1b}");
    assert!(!app.typing && app.entries.filter.is_empty());
    press(&mut app, SIZE, "/xy");
    app.key(Key::Ctrl('u'));
    assert_eq!((app.filter(), app.typing), ("", true));
    assert_eq!(app.key(Key::Ctrl('c')), Some(Effect::Quit));
}

#[test]
fn tasks_are_grouped_three_ways() {
    let mut app = start("3");
    let sizes: Vec<(Grouping, bool)> = (0..4)
        .map(|_| {
            let now = (app.grouping, app.parties.is_empty());
            app.key(Key::Char('t'));
            now
        })
        .collect();
    let (process, command, cgroup) = (Grouping::Process, Grouping::Command, Grouping::Cgroup);
    assert_eq!(sizes, [(process, false), (command, false), (cgroup, false), (process, false)]);
}

#[test]
fn findings_are_newest_first_and_open_as_a_picture() {
    let mut app = start("4");
    let numbers: Vec<u64> = app.findings.order.iter().map(|index| app.shown().model.findings[*index].number).collect();
    assert!(numbers.len() > 5 && numbers.windows(2).all(|pair| pair[0] > pair[1]));
    press(&mut app, SIZE, "j\n");
    let open = |app: &App| match &app.overlay {
        Some(Overlay::Picture { row, scroll }) => Some((row.number, *scroll)),
        _ => None,
    };
    assert_eq!(open(&app), Some((numbers[1], 0)));
    app.key(Key::Down);
    app.key(Key::Char('j'));
    app.key(Key::Up);
    assert_eq!(open(&app), Some((numbers[1], 1)));
    app.key(Key::Right);
    assert_eq!(open(&app), Some((numbers[2], 0)));
    app.key(Key::Char('h'));
    assert_eq!(open(&app), Some((numbers[1], 0)));
    assert!(matches!(app.key(Key::Char('e')), Some(Effect::ExportPicture(row)) if row.number == numbers[1]));
    assert_eq!(app.key(Key::Char('q')), None, "q closes the picture, not the program");
    assert_eq!(open(&app), None);
    assert_eq!(app.key(Key::Char('q')), Some(Effect::Quit));
}

#[test]
fn enter_opens_nothing_where_there_is_no_picture() {
    let mut app = start("2");
    app.key(Key::Enter);
    assert_eq!(app.overlay, None);
    let mut app = App::default();
    app.sample(quiet());
    press(&mut app, SIZE, "4\n");
    assert_eq!(app.overlay, None);
}

#[test]
fn frozen_the_view_stands_while_collecting_goes_on() {
    let mut app = start("2");
    let before = app.shown().clone();
    app.key(Key::Char('p'));
    assert!(app.is_frozen());
    let mut model = before.model.clone();
    model.at_ns += 1_000_000_000;
    model.counts[Series::Direct as usize] += 500;
    assert!(!app.sample(model.clone()), "nothing to draw");
    assert_eq!(app.shown(), &before);
    app.key(Key::Char('p'));
    assert_eq!(app.shown().model, model);
    assert_eq!(app.shown().rates.total(Series::Direct), before.rates.total(Series::Direct) + 500);
}

#[test]
fn clearing_counts_from_here_and_says_so() {
    let mut app = start("1p");
    assert!(app.shown().rates.total(Series::Overlaps) > 0);
    assert_eq!(app.key(Key::Char('c')), Some(Effect::Clear));
    assert_eq!(app.shown().rates.total(Series::Overlaps), 0);
    assert!(!app.is_frozen() && app.message.is_some());
}

#[test]
fn restarting_keeps_totals() {
    let mut app = start("1");
    let total = app.shown().rates.total(Series::Overlaps);
    app.key(Key::Char('r'));
    assert_eq!(app.shown().rates.total(Series::Overlaps), total);
    assert!(app.shown().rates.last_seconds(Series::Overlaps, 99).is_empty());
}

#[test]
fn the_widener_is_switched_or_says_why_not() {
    let press = |delay_injection| {
        let mut app = App::default();
        app.sample(crate::model::Model { delay_injection, ..quiet() });
        let effect = app.key(Key::Char('w'));
        (effect, app.message.unwrap().text)
    };
    for (delay_injection, words) in [(DelayInjection::NotAsked, "--widen"), (DelayInjection::Recorded, "recording")] {
        let (effect, text) = press(delay_injection);
        assert_eq!(effect, None);
        assert!(text.contains(words), "{text}");
    }
    for on in [true, false] {
        let (effect, text) = press(DelayInjection::Attached { on, ns: 5_000_000, delays: 3 });
        assert_eq!(effect, Some(Effect::Widen(!on)));
        assert!(text.ends_with(if on { "off" } else { "on" }), "{text}");
    }
}

#[test]
fn the_end_of_the_command_is_told_and_stays() {
    let mut app = App::default();
    app.sample(quiet());
    app.command_ended("was killed by signal 9".to_owned());
    assert_eq!(app.message.as_ref().unwrap().text, "the command was killed by signal 9; q for the summary");
    for _ in 0..60 {
        app.sample(quiet());
    }
    assert_eq!((app.message, app.command_ended.as_deref()), (None, Some("was killed by signal 9")));
}

#[test]
fn messages_go_away() {
    let mut app = App::default();
    app.say("wrote x".to_owned(), false);
    let shown = (0..60).filter(|_| {
        app.sample(quiet());
        app.message.is_some()
    });
    assert_eq!(shown.count(), 49);
}

#[test]
fn help_scrolls_and_any_other_key_closes_it() {
    let mut app = start("?");
    for key in [Key::Down, Key::Char('j'), Key::PageDown, Key::PageUp, Key::Up, Key::Char('k')] {
        app.key(key);
        assert!(matches!(app.overlay, Some(Overlay::Help { .. })), "{key:?}");
    }
    app.key(Key::Char('x'));
    assert_eq!(app.overlay, None);
    press(&mut app, SIZE, "?");
    assert_eq!(app.key(Key::Ctrl('c')), Some(Effect::Quit));
}

#[test]
fn what_is_scrolled_to_the_end_comes_back_at_once() {
    for keys in ["?", "4\n"] {
        let mut app = start(keys);
        press(&mut app, SIZE, &"j".repeat(200));
        let text = |app: &App| format!("{:?}", app.overlay);
        let end = text(&app);
        press(&mut app, SIZE, "j");
        assert_eq!(text(&app), end);
        press(&mut app, SIZE, "k");
        assert_ne!(text(&app), end);
        press(&mut app, SIZE, "j");
        assert_eq!(text(&app), end);
    }
}

#[test]
fn a_replay_is_controlled_by_keys() {
    let mut app = start("1");
    for (key, order) in [
        (Key::Char(' '), Move::PlayPause),
        (Key::Char('+'), Move::Speed(2.0)),
        (Key::Char('='), Move::Speed(2.0)),
        (Key::Char('-'), Move::Speed(0.5)),
        (Key::Char('n'), Move::NextFinding),
        (Key::Char('['), Move::By(-0.05)),
        (Key::Char(']'), Move::By(0.05)),
        (Key::Char('0'), Move::ToStart),
    ] {
        assert_eq!(app.key(key), Some(Effect::Transport(order)), "{key:?}");
    }
    let mut live = App::default();
    live.sample(quiet());
    assert_eq!(live.key(Key::Char(' ')), None, "live there is nothing to play");
}

#[test]
fn stepping_to_the_next_finding_selects_it() {
    let mut app = start("4jjj");
    let mut model = app.shown().model.clone();
    let mut findings = model.findings.as_ref().clone();
    let newest = findings.pop().unwrap();
    model.findings = std::sync::Arc::new(findings.clone());
    app.sample(model.clone());
    let kept = app.findings.selected;
    findings.push(newest.clone());
    model.findings = std::sync::Arc::new(findings.clone());
    app.key(Key::Char('n'));
    app.sample(model.clone());
    assert_eq!((app.findings.selected, app.findings.cursor), (Some(newest.number), 0));
    assert_ne!(app.findings.selected, kept);
}

#[test]
fn the_rest_goes_outside() {
    let mut app = start("1");
    assert_eq!(app.key(Key::Ctrl('z')), Some(Effect::Suspend));
    assert_eq!(app.key(Key::Ctrl('l')), Some(Effect::Redraw));
    assert_eq!(app.key(Key::Char('e')), Some(Effect::ExportSummary));
    assert_eq!(app.key(Key::Ctrl('c')), Some(Effect::Quit));
    assert_eq!(app.key(Key::Char('~')), None);
}

/// No key of the table is without effect, and each has a test above: this one fails when a binding is added without.
#[test]
fn every_binding_is_dispatched() {
    for binding in BINDINGS {
        for key in binding.keys {
            let mut app = match binding.place {
                Place::Everywhere | Place::Replay => start("1"),
                Place::Tables => start("4"),
                Place::Picture => start("4\n"),
            };
            assert!(app.places().contains(&binding.place));
            let before = format!("{app:?}");
            let effect = app.key(*key);
            let idle = matches!(
                binding.action,
                // Already at the edge, already there, or nothing to close.
                Action::Up | Action::First | Action::PageUp | Action::PreviousFinding | Action::Back | Action::Group
            ) || binding.action == Action::Go(Tab::Overview);
            assert!(effect.is_some() || idle || format!("{app:?}") != before, "{}: {}", binding.shown, binding.help);
        }
    }
}

#[test]
fn the_mouse_selects_opens_sorts_and_turns() {
    let mut app = start("1");
    app.hit(Hit::Tab(Tab::Findings));
    fit(&mut app, SIZE.0, SIZE.1);
    app.hit(Hit::Row(3));
    assert_eq!((app.findings.cursor, &app.overlay), (3, &None));
    app.hit(Hit::WheelDown);
    assert_eq!(app.findings.cursor, 4);
    app.hit(Hit::WheelUp);
    app.hit(Hit::Row(3));
    assert!(matches!(app.overlay, Some(Overlay::Picture { .. })), "a click on the selected row opens it");
    app.hit(Hit::WheelDown);
    assert!(matches!(app.overlay, Some(Overlay::Picture { scroll: 1, .. })));
    app.key(Key::Esc);
    app.hit(Hit::Head(2));
    assert_eq!(app.findings.sort, 2);
    let first = &app.shown().model.findings[app.findings.order[0]];
    assert_eq!(first.finding.verdict, Verdict::StaleInstall);
    app.hit(Hit::Row(999));
    assert_eq!(app.findings.cursor, app.findings.order.len() - 1);
}

#[test]
fn what_looks_the_same_is_not_drawn_again() {
    let mut app = App::default();
    assert!(app.sample(quiet()));
    let model = app.shown().model.clone();
    assert!(!app.sample(model.clone()));
    let mut later = model.clone();
    later.at_ns += 1_000_000_000;
    assert!(app.sample(later), "the clock has moved");
    assert!(app.sample(lossy()));
}
