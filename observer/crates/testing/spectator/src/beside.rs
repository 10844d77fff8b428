//! What observer's own process takes while a command runs beside it: the dashboard in a terminal, or a recording.

use std::{
    fs,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;

use super::{Terminal, observer};

/// Between two looks at whether observer still opens descriptors.
const LOOK: Duration = Duration::from_millis(100);
/// So many looks without a new one: all hooks are attached. Each takes a while, but never that long.
const SETTLED: u32 = 30;
/// Descriptors of an observer that has maps and programs; before, it has fewer.
const LOADED: usize = 20;

/// `observer` with these arguments, and `command` beside it, whose output is passed on. Then a line of JSON: how long that
/// took, and the CPU time of observer and of this program, which emulates the terminal, meanwhile; nanoseconds.
pub(crate) fn all(arguments: &[&str], command: &[&str]) {
    let mut terminal = observer(arguments);
    wait_until_attached(&terminal);
    let (own, observer) = (cpu_ns("self"), cpu_ns(&terminal.pid().to_string()));
    let start = Instant::now();
    let status = Command::new(command[0]).args(&command[1..]).stdin(Stdio::null()).status().unwrap();
    let elapsed = start.elapsed();
    let (own, observer) = (cpu_ns("self") - own, cpu_ns(&terminal.pid().to_string()) - observer);
    assert!(status.success(), "{command:?}: {status}");
    println!(r#"{{"elapsed_ns":{},"observer_ns":{observer},"own_ns":{own}}}"#, elapsed.as_nanos());
    terminal.signal(Signal::TERM);
    terminal.end();
    terminal.shows("swap-ins");
}

fn wait_until_attached(terminal: &Terminal) {
    let (mut before, mut same) = (0, 0);
    while same < SETTLED {
        thread::sleep(LOOK);
        let now = fs::read_dir(format!("/proc/{}/fd", terminal.pid())).map_or(0, Iterator::count);
        same = if now == before && now >= LOADED { same + 1 } else { 0 };
        before = now;
    }
}

/// CPU time of all threads of a process that are there, as the scheduler has it.
fn cpu_ns(pid: &str) -> u64 {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let of_thread = |path: std::path::PathBuf| {
        let text = fs::read_to_string(path.join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    };
    threads.filter_map(|thread| of_thread(thread.ok()?.path())).sum()
}
