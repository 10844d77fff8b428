//! Every view of a dashboard over a storm, and every key that leads there.

use std::{env, fs, path::Path};

use super::{SIZE, Terminal, observer, seen};

/// Goes through all of it. `words`: what it must say of the kernel; `loss`: pages must get lost.
pub(crate) fn all(words: &str, loss: bool) {
    let folder = env::temp_dir().join(format!("spectator-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    env::set_current_dir(&folder).unwrap();
    let mut terminal = observer(&["stress", "storm", "--dashboard", "--duration", "10m"]);
    let terminal = &mut terminal;
    overview(terminal, words);
    tables(terminal);
    overlays(terminal);
    if loss {
        finding(terminal, &folder);
    }
    delay_injection(terminal);
    window(terminal, words);
    terminal.keys("q");
    let code = terminal.end().code();
    terminal.shows("truth ");
    terminal.is_restored();
    // A preemptible kernel skips programs under a crowd: then nothing is conclusive.
    assert!(if loss { code == Some(10) } else { matches!(code, Some(0 | 20)) }, "{code:?}\n{}", terminal.text());
    seen("quit, with the summary");
    env::set_current_dir("/").unwrap();
    let _ = fs::remove_dir_all(folder);
}

/// The total in the rates' line of this name, as it is written.
fn total(text: &str, name: &str) -> Option<String> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().nth(4).map(str::to_owned)
}

/// All swap-ins, by either path.
fn swap_ins(text: &str) -> [Option<String>; 2] {
    ["direct swap-ins", "cached swap-ins"].map(|name| total(text, name))
}

/// Waits until more was swapped in.
fn moves(terminal: &mut Terminal) {
    let before = swap_ins(&terminal.text());
    terminal.becomes("counters that move", |text| {
        let now = swap_ins(text);
        now.iter().all(Option::is_some) && now != before
    });
}

fn overview(terminal: &mut Terminal, words: &str) {
    terminal.shows(words);
    terminal.shows("zram");
    terminal.shows("live 00:0");
    moves(terminal);
    moves(terminal);
    terminal.becomes("overlaps", |text| total(text, "overlaps").is_some_and(|total| total != "0"));
    seen("the overview: the kernel's state, counters that move");
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
    terminal.keys("/nobody");
    terminal.shows("no row passes the filter");
    terminal.keys("\r");
    terminal.shows("filter: nobody");
    terminal.keys("\x1b");
    terminal.shows("walker");
    terminal.keys("\t");
    terminal.shows("by process");
    terminal.keys("t");
    terminal.shows("by command");
    terminal.keys("\x1b[Z");
    terminal.becomes("the entries again", |text| head(text).is_some_and(|head| head.starts_with("entry")));
    seen("tables: sorted both ways, filtered, grouped");
}

/// The head of the table.
fn head(text: &str) -> Option<String> {
    text.lines().find(|line| line.contains("deepest")).map(str::to_owned)
}

fn overlays(terminal: &mut Terminal) {
    terminal.keys("1");
    moves(terminal);
    terminal.keys("p");
    terminal.shows("FROZEN");
    // Nothing must move, however slow this machine is: that the help page comes and goes shows that it draws.
    let before = swap_ins(&terminal.text());
    for _ in 0..3 {
        terminal.keys("?");
        terminal.shows("quit; the summary follows");
        terminal.keys("x");
        terminal.hides("quit; the summary follows");
        assert_eq!(swap_ins(&terminal.text()), before, "frozen, and it moves");
    }
    terminal.keys("p");
    terminal.hides("FROZEN");
    moves(terminal);
    terminal.keys("e");
    terminal.shows("wrote observer-");
    seen("frozen and thawed, the page of keys, an export");
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
    terminal.becomes("how it ended, without scrolling", |text| {
        let words = words(text);
        let told = |any: &[&str]| any.iter().any(|some| words.contains(some));
        // A read in the middle of a write is told in other words.
        told(&["stale-install of swap entry"])
            && told(&["was still busy", "in the middle of a write"])
            && told(&["is lost.", "may be lost."])
    });
    // However many lanes there are, they fit on this.
    terminal.resize(120, 40);
    terminal.becomes("its lanes", |text| {
        ["walker", "entry", "dangerous"].into_iter().all(|name| text.lines().any(|line| line.starts_with(name)))
    });
    // Page by page to the end, which lists every moment.
    terminal.keys_until("\x1b[6~", "what the lanes' letters mean", |text| text.contains("PTE unchanged: installs"));
    terminal.resize(SIZE.0, SIZE.1);
    terminal.keys("e");
    terminal.becomes("the written picture", |text| text.contains("wrote observer-") && text.contains(".svg"));
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let svg = files.into_iter().find(|path| path.extension().is_some_and(|ending| ending == "svg")).unwrap();
    let svg = fs::read_to_string(svg).unwrap();
    assert!(svg.contains("<svg ") && svg.trim_end().ends_with("</svg>") && svg.contains("walker"), "{svg}");
    terminal.keys("q");
    terminal.shows("overtaken by");
    // Alone: with a key right behind it, it would be read as Alt.
    terminal.keys("\x1b");
    terminal.hides("filter: ");
    seen("a stale install in the table, its picture, and that as SVG");
}

/// What the header says of delays.
fn delays(text: &str) -> Option<String> {
    let line = text.lines().find(|line| line.contains("delay_injection"))?;
    line.split_once("delay_injection")
        .map(|(_, rest)| rest.split_whitespace().rev().nth(1).unwrap_or_default().to_owned())
}

fn delay_injection(terminal: &mut Terminal) {
    terminal.keys("1");
    terminal.shows("delay_injection 5.00 ms");
    terminal.keys("w");
    terminal.shows("delay_injection off");
    // What was counted before has arrived when the counters have moved.
    moves(terminal);
    moves(terminal);
    let before = delays(&terminal.text());
    for _ in 0..5 {
        moves(terminal);
    }
    assert_eq!(delays(&terminal.text()), before, "switched off, and it delays");
    terminal.keys("w");
    terminal.shows("delay_injection 5.00 ms");
    terminal.becomes("more delays", |text| delays(text).is_some_and(|now| Some(now) != before));
    seen("delay injection, off and on again");
}

fn window(terminal: &mut Terminal, words: &str) {
    terminal.resize(120, 40);
    terminal.shows("hooks ");
    terminal.resize(40, 10);
    terminal
        .becomes("a small screen", |text| text.lines().count() <= 10 && text.contains(&words[..words.len().min(20)]));
    terminal.resize(30, 6);
    terminal.shows("observer needs");
    terminal.resize(SIZE.0, SIZE.1);
    moves(terminal);
    seen("windows of four sizes");
}
