//! Signals that were ignored when the program was started, as nohup, shells without job control and service managers
//! do it, stay ignored, and are ignored by the command that is observed.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, helpers included")]

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    os::unix::process::{CommandExt as _, ExitStatusExt as _},
    process::{Child, Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use observer_recordings::vulnerable;
use observer_terminal::{Terminal, with_default_signals};

/// Those that end an observation.
const STOPS: [Signal; 3] = [Signal::HUP, Signal::INT, Signal::TERM];

/// Whether the process with this `/proc/PID/status` ignores the signal.
fn is_ignored(status: &str, signal: Signal) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
    u64::from_str_radix(mask.trim(), 16).unwrap() >> (signal.as_raw() - 1) & 1 == 1
}

fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    vulnerable::record(&folder.path().join("r"), 30, 1_000).unwrap();
    folder
}

/// A server that was started with ignored signals.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(folder: &TempDir, ignored: &'static [Signal]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_observer"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--replay", "r"]).current_dir(folder).stderr(Stdio::piped());
        with_default_signals(&mut command);
        let ignore = move || {
            for signal in ignored {
                // SAFETY: SIG_IGN installs no handler.
                unsafe { libc::signal(signal.as_raw(), libc::SIG_IGN) };
            }
            Ok(())
        };
        // SAFETY: between fork and exec the closure only makes system calls.
        unsafe { command.pre_exec(ignore) };
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("serving http://").and_then(|url| url.strip_suffix("/metrics"));
        let server = Self { child, address: address.unwrap().to_owned() };
        // The signals are listened to after the address is printed, and before the first request is answered.
        assert!(server.answers());
        server
    }

    fn answers(&self) -> bool {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).is_ok() && answer.starts_with("HTTP/1.1 200")
    }

    /// Whether the kernel discards the signal.
    fn ignores(&self, signal: Signal) -> bool {
        is_ignored(&fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap(), signal)
    }

    fn send(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_signal_that_was_ignored_at_the_start_stays_ignored_and_the_others_end_it() {
    let folder = folder();
    let ignored: [&'static [Signal]; 4] =
        [&[], &[Signal::HUP], &[Signal::INT, Signal::QUIT], &[Signal::HUP, Signal::TERM]];
    for ignored in ignored {
        let mut server = Server::start(&folder, ignored);
        for signal in STOPS {
            assert_eq!(server.ignores(signal), ignored.contains(&signal), "{signal:?} of {ignored:?}");
        }
        for signal in ignored {
            server.send(*signal);
            assert!(server.answers(), "{signal:?} of {ignored:?}");
        }
        server.send(*STOPS.iter().find(|signal| !ignored.contains(signal)).unwrap());
        let status = server.child.wait().unwrap();
        assert_eq!((status.code(), status.signal()), (Some(0), None), "{ignored:?}");
    }
}

/// The process that waits at the gate, as it executes the command. That the program passes on to it what it ignores
/// itself is tested in a guest.
#[test]
fn the_command_ignores_what_was_ignored_at_the_start() {
    const GATE: &str = "echo | \"$0\" __launch 3 4 5 -- cat /proc/self/status 3<&0 4</dev/null 5>/dev/null";
    let cases: [(&str, &[Signal]); 4] = [
        ("", &[]),
        ("trap '' PIPE;", &[Signal::PIPE]),
        ("trap '' CHLD;", &[Signal::CHILD]),
        ("trap '' HUP INT PIPE CHLD;", &[Signal::HUP, Signal::INT, Signal::PIPE, Signal::CHILD]),
    ];
    for (trap, ignored) in cases {
        let script = format!("{trap} {GATE}");
        // Other shells do not ignore SIGCHLD.
        let mut shell = Command::new("bash");
        with_default_signals(&mut shell);
        let output = shell.args(["-c", &script, env!("CARGO_BIN_EXE_observer")]).output().unwrap();
        let status = String::from_utf8(output.stdout).unwrap();
        for signal in [Signal::HUP, Signal::INT, Signal::PIPE, Signal::CHILD, Signal::TERM] {
            assert_eq!(is_ignored(&status, signal), ignored.contains(&signal), "{signal:?} after {trap:?}");
        }
    }
}

#[test]
fn the_exit_status_of_children_is_kept_although_sigchld_was_ignored_at_the_start() {
    let folder = folder();
    assert!(!Server::start(&folder, &[Signal::CHILD]).ignores(Signal::CHILD));
}

#[test]
fn a_dashboard_below_nohup_outlives_sighup() {
    let folder = folder();
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' HUP TSTP; exec \"$0\" replay r", env!("CARGO_BIN_EXE_observer")]).current_dir(&folder);
    command.env("TERM", "xterm-256color").env("LANG", "C.UTF-8").env_remove("LC_ALL").env_remove("NO_COLOR");
    let mut terminal = Terminal::start(command, (80, 24), (80, 24));
    terminal.shows("stale installs");
    terminal.signal(Signal::HUP);
    terminal.keys("\x1a");
    terminal.shows("cannot suspend");
    terminal.keys("q");
    assert!(terminal.end().code().is_some());
    terminal.assert_restored();
}
