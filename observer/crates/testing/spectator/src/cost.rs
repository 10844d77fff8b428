//! The CPU time of observer's process while a command runs: with the dashboard in a terminal, or for a recording.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;

use super::{Terminal, observer};

/// Interval at which observer's descriptors are counted.
const POLL: Duration = Duration::from_millis(100);
/// All hooks are attached once the number of descriptors has stayed the same this many times. One hook attaches faster.
const SETTLED: u32 = 30;
/// With maps and programs observer has more descriptors than this.
const LOADED: usize = 20;

/// Runs `command` while `observer` runs with these arguments, and passes its output on. Then prints a line of JSON: the
/// elapsed time, and the CPU time of observer and of this program, which emulates the terminal; nanoseconds.
pub(crate) fn measure(arguments: &[&str], command: &[&str]) {
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
    terminal.shows("overhead ");
}

fn wait_until_attached(terminal: &Terminal) {
    let (mut before, mut same) = (0, 0);
    while same < SETTLED {
        thread::sleep(POLL);
        let now = fs::read_dir(format!("/proc/{}/fd", terminal.pid())).map_or(0, Iterator::count);
        same = if now == before && now >= LOADED { same + 1 } else { 0 };
        before = now;
    }
}

/// CPU time of all threads that a process has, as the scheduler counts it.
fn cpu_ns(pid: &str) -> u64 {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let of_thread = |path: PathBuf| {
        let text = fs::read_to_string(path.join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    };
    threads.filter_map(|thread| of_thread(thread.ok()?.path())).sum()
}
