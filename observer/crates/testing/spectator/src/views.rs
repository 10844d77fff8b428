//! Every view of a dashboard over a storm, and the keys that open them.

use std::{env, fs, path::Path};

use super::{SIZE, Terminal, observer, passed};

/// `text`: what the screen must say about the kernel; `loss`: the storm must lose data.
pub(crate) fn check(text: &str, loss: bool) {
    let folder = tempfile::tempdir().unwrap();
    env::set_current_dir(&folder).unwrap();
    let mut terminal = observer(&["stress", "storm", "--dashboard", "--duration", "10m"]);
    let terminal = &mut terminal;
    overview(terminal, text);
    tables(terminal);
    overlays(terminal);
    if loss {
        finding(terminal, folder.path());
    }
    delay_injection(terminal);
    window(terminal);
    terminal.keys("q");
    let code = terminal.end().code();
    terminal.shows("overhead ");
    terminal.assert_restored();
    // A preemptible kernel skips programs under a storm, which makes the result inconclusive.
    let expected = if loss { &[10][..] } else { &[0, 20] };
    assert!(code.is_some_and(|code| expected.contains(&code)), "{code:?}\n{}", terminal.text());
    passed("quit, with the summary");
    // The folder is removed at the end.
    env::set_current_dir("/").unwrap();
}

/// The overview alone. `text`: what the screen must say about the kernel.
pub(crate) fn check_overview(text: &str) {
    let mut terminal = observer(&["stress", "storm", "--dashboard", "--duration", "10m"]);
    overview(&mut terminal, text);
    terminal.keys("q");
    let code = terminal.end().code();
    terminal.shows("overhead ");
    terminal.assert_restored();
    assert!(code.is_some_and(|code| [0, 10, 20].contains(&code)), "{code:?}\n{}", terminal.text());
    passed("quit, with the summary");
}

/// The total in the overview's row of this name, as text.
fn total(text: &str, name: &str) -> Option<String> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().nth(4).map(str::to_owned)
}

/// The totals of swap-ins by either path.
fn swap_ins(text: &str) -> [Option<String>; 2] {
    ["direct swap-ins", "cached swap-ins"].map(|name| total(text, name))
}

/// Waits for more swap-ins.
fn wait_for_swap_ins(terminal: &mut Terminal) {
    let before = swap_ins(&terminal.text());
    terminal.becomes("rising counters", |text| {
        let now = swap_ins(text);
        now.iter().all(Option::is_some) && now != before
    });
}

fn overview(terminal: &mut Terminal, text: &str) {
    terminal.shows(text);
    terminal.shows("zram");
    terminal.shows("live 00:0");
    wait_for_swap_ins(terminal);
    wait_for_swap_ins(terminal);
    terminal.becomes("overlaps", |text| total(text, "overlaps").is_some_and(|total| total != "0"));
    passed("overview: state of the kernel, rising counters");
}

fn tables(terminal: &mut Terminal) {
    terminal.keys("2");
    terminal.shows("deepest");
    terminal.shows("walker");
    for key in ["s", "S"] {
        let before = head(&terminal.text());
        terminal.keys(key);
        terminal.becomes("another order", |text| head(text).is_some_and(|now| Some(now) != before));
    }
    terminal.keys("/absent");
    terminal.shows("no row passes the filter");
    terminal.keys("\r");
    terminal.shows("filter: absent");
    terminal.keys("\x1b");
    terminal.shows("walker");
    terminal.keys("\t");
    terminal.shows("by process");
    terminal.keys("t");
    terminal.shows("by command");
    terminal.keys("\x1b[Z");
    terminal.becomes("the entries again", |text| head(text).is_some_and(|head| head.starts_with("entry")));
    passed("tables: sorted in both directions, filtered, grouped");
}

/// The head of the table.
fn head(text: &str) -> Option<String> {
    text.lines().find(|line| line.contains("deepest")).map(str::to_owned)
}

fn overlays(terminal: &mut Terminal) {
    const HELP: &str = "quit and print the summary";
    terminal.keys("1");
    wait_for_swap_ins(terminal);
    terminal.keys("p");
    terminal.shows("FROZEN");
    // The help page shows that frames are still drawn, however slow this machine is.
    let before = swap_ins(&terminal.text());
    for _ in 0..3 {
        terminal.keys("?");
        terminal.shows(HELP);
        terminal.keys("x");
        terminal.hides(HELP);
        assert_eq!(swap_ins(&terminal.text()), before, "the frozen view changes");
    }
    terminal.keys("p");
    terminal.hides("FROZEN");
    wait_for_swap_ins(terminal);
    terminal.keys("??");
    terminal.shows("swap entry");
    terminal.keys("x");
    terminal.keys("e");
    terminal.shows("wrote /");
    passed("frozen view, help, glossary, export");
}

/// The picture of a stale install.
fn finding(terminal: &mut Terminal, folder: &Path) {
    terminal.keys("4");
    terminal.shows("overtaken by");
    terminal.keys("/stale-install walker\r");
    terminal.becomes("a stale install", |text| {
        text.lines().any(|line| !line.contains("filter") && line.contains("stale-install") && line.contains("walker"))
    });
    terminal.keys("\r");
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    terminal.becomes("its outcome, without scrolling", |text| {
        let words = words(text);
        // A read during a write has another description.
        words.contains("of swap entry") && (words.contains("is lost.") || words.contains("may be lost."))
    });
    // All lanes fit on this screen.
    terminal.resize(120, 40);
    terminal.becomes("its lanes", |text| {
        ["walker", "entry"].into_iter().all(|name| text.lines().any(|line| line.starts_with(name)))
    });
    // The list of steps is at the end.
    terminal.keys_until("\x1b[6~", "the steps", |text| text.contains("installs"));
    terminal.resize(SIZE.0, SIZE.1);
    terminal.keys("e");
    terminal.becomes("the exported picture", |text| text.contains("wrote /") && text.contains(".svg"));
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let svg = files.into_iter().find(|path| path.extension().is_some_and(|extension| extension == "svg")).unwrap();
    let svg = fs::read_to_string(svg).unwrap();
    assert!(svg.contains("<svg "), "{svg}");
    assert!(svg.trim_end().ends_with("</svg>"), "{svg}");
    assert!(svg.contains("walker"), "{svg}");
    terminal.keys("q");
    terminal.shows("overtaken by");
    // Alone: with a key right behind it, it would be read as Alt.
    terminal.keys("\x1b");
    terminal.hides("filter: ");
    passed("a stale install in the table, its picture, and the picture as SVG");
}

/// The number of delays in the header.
fn delays(text: &str) -> Option<String> {
    let (_, rest) = text.lines().find_map(|line| line.split_once("delay injection"))?;
    rest.split_whitespace().rev().nth(1).map(str::to_owned)
}

fn delay_injection(terminal: &mut Terminal) {
    terminal.keys("1");
    terminal.shows("delay injection 5.00 ms");
    terminal.keys("w");
    terminal.shows("delay injection off,");
    // Counters that rise twice include all earlier delays.
    wait_for_swap_ins(terminal);
    wait_for_swap_ins(terminal);
    let before = delays(&terminal.text());
    for _ in 0..5 {
        wait_for_swap_ins(terminal);
    }
    assert_eq!(delays(&terminal.text()), before, "delays although it is off");
    terminal.keys("w");
    terminal.shows("delay injection 5.00 ms");
    terminal.becomes("more delays", |text| delays(text).is_some_and(|now| Some(now) != before));
    passed("delay injection: off and on again");
}

fn window(terminal: &mut Terminal) {
    terminal.resize(120, 40);
    terminal.shows("hooks ");
    terminal.resize(40, 10);
    terminal.becomes("a small screen", |text| text.lines().count() <= 10 && text.contains("stale installs"));
    terminal.resize(30, 6);
    terminal.shows("observer needs");
    terminal.resize(SIZE.0, SIZE.1);
    wait_for_swap_ins(terminal);
    passed("windows of four sizes");
}
