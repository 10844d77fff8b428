//! What keys and the mouse do.

use std::sync::Arc;

use super::model::{SMALL, fit, key_of, live, press, quiet, replayed, with_dropped_events};
use crate::{
    app::{
        App, CommandEnd, Effect, Grouping, HelpPage, Hit, Overlay, SelectedRow, Tab,
        alarm::Signal,
        keys::{Action, BINDINGS, Key, Place},
    },
    model::{DelayInjection, Model, Series},
    settings::Settings,
};
use observer_engine::verdict::Verdict;
use observer_observation::WallClock;
use observer_record::player::{Move, Target, Transport};

/// A dashboard over the recording, after these keys.
fn start(keys: &str) -> App {
    let mut app = replayed(SMALL);
    press(&mut app, SMALL, keys);
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
fn rows_are_selected_by_arrows_letters_and_pages() {
    let mut app = start("2");
    let rows = app.entries.order.len();
    assert!(rows > 60, "the recording has too few entries for this test");
    for (key, position) in [
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
        assert_eq!(app.entries.cursor, position, "{key:?}");
    }
}

#[test]
fn sorting_goes_through_the_columns_and_can_be_reversed() {
    let mut app = start("2");
    let before = app.entries.sort;
    app.key(Key::Char('s'));
    assert_eq!((app.entries.sort, app.entries.reversed), (0, false), "after the last column comes the first");
    app.key(Key::Char('S'));
    assert!(app.entries.reversed);
    assert_ne!(app.entries.sort, before);
    let first = app.shown().model.entries[app.entries.order[0]].entry;
    app.key(Key::Char('S'));
    let last = app.shown().model.entries[*app.entries.order.last().unwrap()].entry;
    assert_eq!(first, last);
}

#[test]
fn the_filter_applies_while_it_is_typed() {
    let mut app = start("2");
    let all = app.entries.order.len();
    press(&mut app, SMALL, "/java");
    assert!(app.typing);
    assert!(app.entries.order.len() < all);
    press(&mut app, SMALL, "q");
    assert_eq!(app.entries.filter, "javaq", "letters are text while typing");
    assert!(app.entries.order.is_empty());
    app.key(Key::Backspace);
    assert!(!app.entries.order.is_empty());
    app.key(Key::Enter);
    assert_eq!((app.typing, app.entries.filter.as_str()), (false, "java"));
    app.key(Key::Esc);
    assert_eq!((app.entries.filter.as_str(), app.entries.order.len()), ("", all));
    press(&mut app, SMALL, "/x\u{1b}");
    assert_eq!((app.typing, app.entries.filter.as_str()), (false, ""));
    press(&mut app, SMALL, "/xy");
    app.key(Key::Ctrl('u'));
    assert_eq!((app.filter(), app.typing), ("", true));
    assert_eq!(app.key(Key::Ctrl('c')), Some(Effect::Quit));
}

#[test]
fn tasks_are_grouped_by_process_command_and_control_group() {
    let mut app = start("3");
    let groupings: Vec<(Grouping, bool)> = (0..4)
        .map(|_| {
            let now = (app.grouping, app.groups.is_empty());
            app.key(Key::Char('t'));
            now
        })
        .collect();
    let (process, command, cgroup) = (Grouping::Process, Grouping::Command, Grouping::Cgroup);
    assert_eq!(groupings, [(process, false), (command, false), (cgroup, false), (process, false)]);
}

#[test]
fn findings_are_newest_first_and_open_as_a_picture() {
    let mut app = start("4");
    let numbers: Vec<u64> = app.findings.order.iter().map(|index| app.shown().model.findings[*index].number).collect();
    assert!(numbers.len() > 5, "{numbers:?}");
    assert!(numbers.is_sorted_by(|a, b| a > b), "{numbers:?}");
    press(&mut app, SMALL, "j\n");
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
    assert_eq!(app.key(Key::Char('q')), None, "q closes the picture and does not quit");
    assert_eq!(open(&app), None);
    assert_eq!(app.key(Key::Char('q')), Some(Effect::Quit));
}

#[test]
fn enter_without_a_finding_opens_nothing() {
    let mut app = start("2");
    app.key(Key::Enter);
    assert_eq!(app.overlay, None);
    let mut app = live(quiet());
    press(&mut app, SMALL, "4\n");
    assert_eq!(app.overlay, None);
}

#[test]
fn a_frozen_view_does_not_change_while_samples_arrive() {
    let mut app = start("2");
    let before = app.shown().clone();
    app.key(Key::Char('p'));
    assert!(app.is_frozen());
    let mut model = before.model.clone();
    model.at_ns += 1_000_000_000;
    model.counts[Series::Direct as usize] += 500;
    assert!(!app.update(model.clone()), "nothing to draw");
    assert_eq!(app.shown(), &before);
    app.key(Key::Char('p'));
    assert_eq!(app.shown().model, model);
    assert_eq!(app.shown().rates.total(Series::Direct), before.rates.total(Series::Direct) + 500);
}

#[test]
fn clearing_resets_counts_and_shows_a_message() {
    let mut app = start("1p");
    assert!(app.shown().rates.total(Series::Overlaps) > 0);
    assert_eq!(app.key(Key::Char('c')), Some(Effect::Clear));
    assert_eq!(app.shown().rates.total(Series::Overlaps), 0);
    assert!(!app.is_frozen());
    assert!(app.message.is_some());
}

#[test]
fn resetting_the_rates_keeps_totals() {
    let mut app = start("1");
    let total = app.shown().rates.total(Series::Overlaps);
    app.key(Key::Char('r'));
    assert_eq!(app.shown().rates.total(Series::Overlaps), total);
    assert!(app.shown().rates.last_seconds(Series::Overlaps, 99).is_empty());
}

#[test]
fn delay_injection_is_switched_where_it_is_loaded() {
    let press = |delay_injection| {
        let mut app = live(Model { delay_injection, ..quiet() });
        (app.key(Key::Char('w')), app.message.unwrap().text)
    };
    for (delay_injection, part) in [(DelayInjection::NotLoaded, "--widen"), (DelayInjection::Recorded, "recording")] {
        let (effect, text) = press(delay_injection);
        assert_eq!(effect, None);
        assert!(text.contains(part), "{text}");
    }
    for (on, message) in [(true, "delay injection off"), (false, "delay injection on")] {
        let (effect, text) = press(DelayInjection::Attached { on, ns: 5_000_000, delays: 3 });
        assert_eq!(effect, Some(Effect::SwitchDelayInjection(!on)));
        assert_eq!(text, message);
    }
}

#[test]
fn the_end_of_the_command_is_kept_after_its_message() {
    let mut app = live(quiet());
    app.command_ended(CommandEnd::Signalled(9));
    assert_eq!(app.message.as_ref().unwrap().text, "the command was killed by signal 9; q for the summary");
    for _ in 0..60 {
        app.update(quiet());
    }
    assert_eq!((app.message, app.command_end), (None, Some(CommandEnd::Signalled(9))));
}

#[test]
fn messages_disappear_after_five_seconds() {
    let mut app = App::default();
    app.notify("wrote x".to_owned());
    let shown = (0..60).filter(|_| {
        app.update(quiet());
        app.message.is_some()
    });
    assert_eq!(shown.count(), 49);
}

#[test]
fn help_scrolls_and_any_other_key_closes_it() {
    let mut app = start("?");
    for key in [Key::Down, Key::Char('j'), Key::PageDown, Key::PageUp, Key::Up, Key::Char('k')] {
        app.key(key);
        assert!(matches!(app.overlay, Some(Overlay::Help { page: HelpPage::Keys, .. })), "{key:?}");
    }
    app.key(Key::Char('x'));
    assert_eq!(app.overlay, None);
    press(&mut app, SMALL, "?");
    assert_eq!(app.key(Key::Ctrl('c')), Some(Effect::Quit));
}

#[test]
fn a_second_question_mark_opens_the_glossary_and_a_third_closes_it() {
    let mut app = start("?jj?");
    assert_eq!(app.overlay, Some(Overlay::Help { page: HelpPage::Glossary, scroll: 0 }));
    app.key(Key::Char('?'));
    assert_eq!(app.overlay, None);
}

#[test]
fn overlays_do_not_scroll_past_their_end() {
    for keys in ["?", "??", "4\n", "4i"] {
        let mut app = start(keys);
        press(&mut app, SMALL, &"j".repeat(200));
        let text = |app: &App| format!("{:?}", app.overlay);
        let end = text(&app);
        press(&mut app, SMALL, "j");
        assert_eq!(text(&app), end);
        press(&mut app, SMALL, "k");
        assert_ne!(text(&app), end);
        press(&mut app, SMALL, "j");
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
        (Key::Char('N'), Move::PreviousFinding),
    ] {
        assert_eq!(app.key(key), Some(Effect::Transport(order)), "{key:?}");
    }
    assert_eq!(live(quiet()).key(Key::Char(' ')), None, "a live dashboard has nothing to play");
}

#[test]
fn playing_to_the_next_finding_selects_it() {
    let mut app = start("4jjj");
    let mut model = app.shown().model.clone();
    let mut findings = model.findings.as_ref().clone();
    let newest = findings.pop().unwrap();
    model.findings = Arc::new(findings.clone());
    app.update(model.clone());
    let kept = app.findings.selected;
    findings.push(newest.clone());
    model.findings = Arc::new(findings.clone());
    app.key(Key::Char('n'));
    app.update(model.clone());
    assert_eq!((app.findings.selected, app.findings.cursor), (Some(newest.number), 0));
    assert_ne!(app.findings.selected, kept);
}

#[test]
fn the_row_that_is_explained_stays_while_data_changes() {
    let mut app = start("4ji");
    let explained = |app: &App| match &app.overlay {
        Some(Overlay::Row { row, .. }) => Some(row.clone()),
        _ => None,
    };
    let row = explained(&app).unwrap();
    assert!(matches!(&*row, SelectedRow::Finding(row) if Some(row.number) == app.findings.selected));
    let model = Model { findings: Arc::default(), ..app.shown().model.clone() };
    app.update(model);
    assert_eq!(explained(&app), Some(row));
    app.key(Key::Char('?'));
    assert_eq!(app.overlay, Some(Overlay::Help { page: HelpPage::Glossary, scroll: 0 }));
    let mut empty = live(quiet());
    press(&mut empty, SMALL, "4i");
    assert_eq!(empty.overlay, None, "there is no row");
}

#[test]
fn rows_are_found_by_words_and_fields_one_after_the_other() {
    let mut app = start("4");
    let verdicts = |app: &App| app.selected_finding().map(|row| (row.number, row.finding.verdict)).unwrap();
    let all = app.findings.order.len();
    press(&mut app, SMALL, "fverdict:reuse\n");
    assert_eq!(app.prompt, None);
    let (first, verdict) = verdicts(&app);
    assert_eq!((verdict, app.findings.order.len()), (Verdict::Reuse, all), "the other rows stay");
    let text = app.message.as_ref().unwrap().text.clone();
    let count: usize = text.split_whitespace().nth(3).unwrap().trim_end_matches(':').parse().unwrap();
    assert!(text.starts_with("match 1 of ") && count > 5, "{text}");
    let mut seen = vec![first];
    for _ in 1..count {
        press(&mut app, SMALL, ">");
        assert_eq!(verdicts(&app).1, Verdict::Reuse);
        seen.push(verdicts(&app).0);
    }
    assert!(seen.is_sorted_by(|a, b| a > b), "each once, downwards: {seen:?}");
    press(&mut app, SMALL, ">");
    assert_eq!(verdicts(&app).0, first);
    assert!(app.message.as_ref().unwrap().text.ends_with("from the top again"));
    press(&mut app, SMALL, "<");
    assert_eq!(verdicts(&app).0, *seen.last().unwrap());
    press(&mut app, SMALL, "f\n");
    assert_eq!(app.prompt, None, "an empty text is the last query");
    press(&mut app, SMALL, "fcomm:other\n");
    assert!(app.message.as_ref().unwrap().is_error);
    assert_eq!(verdicts(&app).0, *seen.last().unwrap(), "the selection stays");
}

#[test]
fn a_query_that_cannot_be_used_is_explained_and_stays() {
    let mut app = start("3");
    press(&mut app, SMALL, ">");
    assert!(app.message.take().unwrap().is_error, "nothing was sought yet");
    for (typed, part) in [
        ("foo:1", "no field"),
        ("verdict:stale", "stale-install"),
        ("entry:0:1", "have no entry; they have verdict, pid, comm, cgroup"),
        ("", "nothing to find"),
    ] {
        press(&mut app, SMALL, "f");
        press(&mut app, SMALL, typed);
        app.key(Key::Enter);
        let prompt = app.prompt.clone().unwrap();
        assert!(prompt.text == typed && prompt.error.as_ref().unwrap().contains(part), "{prompt:?}");
        app.key(Key::Esc);
    }
    press(&mut app, SMALL, "4fsince:3s\n3>");
    assert!(app.message.unwrap().text.contains("have no since"), "the query is of another view");
}

#[test]
fn a_replay_jumps_to_the_time_that_is_typed() {
    let mut app = start("1");
    for (typed, target) in [
        ("@53ms\n", Target::Offset(53_000_000)),
        ("@00:00:07\n", Target::Unix(1_767_225_607_000_000_000)),
        ("@01:00:07+01:00\n", Target::Unix(1_767_225_607_000_000_000)),
        ("@2026-01-01T00:00:09Z\n", Target::Unix(1_767_225_609_000_000_000)),
    ] {
        let effects: Vec<_> = typed.chars().filter_map(|ch| app.key(key_of(ch))).collect();
        assert_eq!(effects, [Effect::Transport(Move::To(target))], "{typed}");
        assert_eq!(app.prompt, None);
    }
}

#[test]
fn a_time_that_cannot_be_used_is_explained_and_stays() {
    let mut app = start("1");
    for (typed, part) in [("25:00", "17:03:11"), ("2026-01-01T00:00", "which zone?"), ("9min", "ends 20.0 s after")] {
        press(&mut app, SMALL, "@");
        press(&mut app, SMALL, typed);
        assert_eq!(app.key(Key::Enter), None);
        let prompt = app.prompt.clone().unwrap();
        assert_eq!(prompt.text, typed, "nothing is lost");
        assert!(prompt.error.as_ref().unwrap().contains(part), "{prompt:?}");
        app.key(Key::Backspace);
        let prompt = app.prompt.clone().unwrap();
        assert_eq!((prompt.text.len(), prompt.error), (typed.len() - 1, None));
        assert_eq!(app.key(Key::Char('q')), None, "letters are text");
        app.key(Key::Esc);
        assert_eq!(app.prompt, None);
    }
    let mut old = app.shown().model.clone();
    old.wall_clock = WallClock::default();
    app.update(Model { at_ns: old.at_ns + 1, ..old });
    press(&mut app, SMALL, "@17:03\n");
    assert!(app.prompt.unwrap().error.unwrap().contains("no wall clock"));
}

#[test]
fn what_is_not_in_the_recording_is_named_at_its_end() {
    let at = |seeking, ended| Some(Transport { seeking, ended, length_ns: 20_000_000_000, ..Transport::default() });
    let mut app = start("1");
    let model = Model { transport: at(true, false), ..app.shown().model.clone() };
    press(&mut app, SMALL, "@00:59\n");
    app.update(model.clone());
    assert_eq!(app.message, None);
    app.update(Model { transport: at(false, true), ..model.clone() });
    assert!(app.message.take().unwrap().text.ends_with("nothing at 00:59"));
    press(&mut app, SMALL, "n");
    app.update(Model { transport: at(true, false), ..model.clone() });
    assert_eq!(app.message, None);
    app.update(Model { transport: at(false, true), ..model });
    assert!(app.message.unwrap().text.contains("no further finding"));
}

#[test]
fn some_keys_are_effects_for_the_run_loop() {
    let mut app = start("1");
    assert_eq!(app.key(Key::Ctrl('z')), Some(Effect::Suspend));
    assert_eq!(app.key(Key::Ctrl('l')), Some(Effect::Redraw));
    assert_eq!(app.key(Key::Char('e')), Some(Effect::ExportSummary));
    assert_eq!(app.key(Key::Ctrl('c')), Some(Effect::Quit));
    assert_eq!(app.key(Key::Char('~')), None);
}

#[test]
fn every_binding_has_an_effect_or_changes_the_state() {
    for binding in BINDINGS {
        for key in binding.keys {
            let mut app = match binding.place {
                Place::Everywhere | Place::Replay => start("1"),
                Place::Tables => start("4"),
                Place::Picture => start("4\n"),
                Place::Columns => start("4o j"),
            };
            assert!(app.places().contains(&binding.place));
            let before = format!("{app:?}");
            let effect = app.key(*key);
            let idle = matches!(
                binding.action,
                // Already at the top, already grouped, or nothing to close.
                Action::Up | Action::First | Action::PageUp | Action::PreviousFinding | Action::Back | Action::Group
            ) || binding.action == Action::Go(Tab::Overview);
            assert!(effect.is_some() || idle || format!("{app:?}") != before, "{}: {}", binding.label, binding.help);
        }
    }
}

#[test]
fn the_mouse_selects_opens_sorts_and_scrolls() {
    let mut app = start("1");
    app.hit(Hit::Tab(Tab::Findings));
    fit(&mut app, SMALL);
    app.hit(Hit::Row(3));
    assert_eq!((app.findings.cursor, &app.overlay), (3, &None));
    app.hit(Hit::WheelDown);
    assert_eq!(app.findings.cursor, 4);
    app.hit(Hit::WheelUp);
    app.hit(Hit::Row(3));
    assert!(matches!(app.overlay, Some(Overlay::Picture { .. })), "a click on the selected row opens its picture");
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
fn the_mouse_is_switched_from_what_the_settings_say() {
    for mouse in [true, false] {
        let mut app = App::new(Settings { mouse, ..Settings::default() });
        assert_eq!(app.key(Key::Char('m')), Some(Effect::CaptureMouse(!mouse)));
        assert!(app.message.as_ref().unwrap().text.contains(if mouse { "off" } else { "on" }));
        assert_eq!(app.key(Key::Char('m')), Some(Effect::CaptureMouse(mouse)));
    }
}

#[test]
fn columns_are_chosen_in_a_list_and_kept() {
    let mut app = start("3o");
    let all = app.columns.of(Tab::Tasks).to_vec();
    press(&mut app, SMALL, "j ");
    assert_eq!(app.columns.of(Tab::Tasks), [&all[..1], &all[2..]].concat());
    press(&mut app, SMALL, "jh");
    assert_eq!(app.columns.of(Tab::Tasks)[..3], [0, 2, 3], "moved past the hidden one");
    press(&mut app, SMALL, "hq");
    assert_eq!((&app.overlay, &app.columns.of(Tab::Tasks)[..3]), (&None, &[2, 0, 3][..]));
    press(&mut app, SMALL, "2o");
    assert_eq!(app.columns.of(Tab::Entries).len(), 11, "each table has its own");
    press(&mut app, SMALL, "q3");
    assert_eq!(app.columns.of(Tab::Tasks)[0], 2);
    press(&mut app, SMALL, "od");
    assert_eq!(app.columns.of(Tab::Tasks), all);
}

#[test]
fn the_last_column_cannot_be_hidden() {
    let mut app = start("3o");
    for _ in 0..20 {
        press(&mut app, SMALL, " j");
    }
    assert_eq!(app.columns.of(Tab::Tasks).len(), 1);
    assert!(app.message.as_ref().is_some_and(|message| message.text.contains("at least one column")));
    assert_eq!(start("1o").overlay, None, "the overview has no columns");
}

#[test]
fn a_finding_is_copied_with_its_evidence_from_the_list_and_the_picture() {
    let (mut list, mut picture) = (start("4j"), start("4j\n"));
    let number = list.selected_finding().unwrap().number;
    let Some(Effect::Copy(text)) = list.key(Key::Char('y')) else { panic!("nothing copied") };
    assert_eq!(picture.key(Key::Char('y')), Some(Effect::Copy(text.clone())));
    assert!(text.contains("of entry") && text.contains("its read starts") && text.contains("kernel 5.10"), "{text}");
    let message = list.message.as_ref().unwrap();
    assert!(message.text.contains(&format!("{number} ({} bytes)", text.len())), "{message:?}");
    assert!(message.text.contains("OSC 52"), "{message:?}");
    let mut columns = start("3oj ");
    let Some(Effect::Copy(text)) = columns.key(Key::Char('y')) else { panic!("nothing copied") };
    assert!(text.starts_with("[columns]\ntasks = [\"name\", \"deepest\""), "{text}");
}

#[test]
fn a_copied_finding_has_no_control_characters() {
    let mut app = start("4");
    let mut model = app.shown().model.clone();
    let mut findings = model.findings.as_ref().clone();
    for row in &mut findings {
        Arc::make_mut(&mut row.finding).reader.comm = "\u{1b}]52;c;eA\u{7}\n\r".into();
        row.device = Some("z\u{1b}[2J".to_owned());
    }
    model.findings = Arc::new(findings);
    app.update(model);
    let Some(Effect::Copy(text)) = app.key(Key::Char('y')) else { panic!("nothing copied") };
    assert!(!text.contains(|ch: char| ch.is_control() && ch != '\n'), "{text:?}");
    assert!(text.contains(r"\x1b]52"), "{text}");
}

#[test]
fn without_a_finding_nothing_is_copied() {
    let mut app = live(quiet());
    for keys in ["1", "2", "3"] {
        press(&mut app, SMALL, keys);
        assert_eq!(app.key(Key::Char('y')), None);
        assert!(app.message.take().is_some_and(|message| message.text.contains("select a finding")), "{keys}");
    }
    press(&mut app, SMALL, "4");
    assert_eq!((app.key(Key::Char('y')), &app.message), (None, &None), "no finding");
}

#[test]
fn the_first_data_loss_is_signalled_once() {
    let lost = |count, transport| {
        let mut model = quiet();
        model.counts[Series::StaleInstalls as usize] = count;
        model.transport = transport;
        model
    };
    let mut app = live(quiet());
    assert_eq!(app.take_signal(), None);
    app.key(Key::Char('p'));
    app.update(lost(1, None));
    app.update(lost(1, None));
    assert_eq!(app.take_signal(), Some(Signal::default()), "in a frozen view as well");
    app.update(lost(2, None));
    app.key(Key::Char('c'));
    app.update(lost(3, None));
    assert_eq!(app.take_signal(), None, "once");
    let replayed = start("").shown().model.transport;
    assert!(replayed.is_some());
    for in_replay in [false, true] {
        let data_loss = Signal { in_replay, title: true, ..Signal::default() };
        let mut app = App::new(Settings { data_loss, ..Settings::default() });
        app.update(lost(1, replayed));
        assert_eq!(app.take_signal(), in_replay.then_some(data_loss));
        assert_eq!(data_loss.permitted(true), data_loss);
        assert_eq!(data_loss.permitted(false), Signal { title: false, ..data_loss }, "a console rings as well");
    }
}

#[test]
fn an_unchanged_screen_is_not_drawn_again() {
    let mut app = App::default();
    assert!(app.update(quiet()));
    let model = app.shown().model.clone();
    assert!(!app.update(model.clone()));
    let mut later = model.clone();
    later.at_ns += 1_000_000_000;
    assert!(app.update(later), "the clock changed");
    assert!(app.update(with_dropped_events()));
}
