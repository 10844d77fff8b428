//! A pseudo-terminal with a program in it and an emulator behind it: what is on the screen, and in which state the
//! program leaves the terminal. Tests wait for text on the screen, never for a fixed time; a failed wait prints the
//! screen.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot drive its terminal has failed")]

use std::{
    collections::BTreeMap,
    fs::File,
    io::{Read as _, Write as _},
    num::NonZeroU16,
    os::{fd::OwnedFd, unix::process::CommandExt as _},
    path::PathBuf,
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, Signal, kill_process},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Termios, Winsize, tcgetattr, tcsetwinsize},
};

/// Longest wait for anything. An emulated machine is slow.
const PATIENCE: Duration = Duration::from_mins(1);

/// Longest time until the emulator has processed the output of a program that has ended.
const SETTLES: Duration = Duration::from_secs(2);

/// Interval of polling.
const POLL: Duration = Duration::from_millis(20);

/// Private modes that the emulator does not handle, as set last.
#[derive(Debug, Default)]
pub struct Modes {
    set: BTreeMap<u16, bool>,
    /// What was last put into the clipboard, as base64.
    clipboard: Vec<u8>,
    bells: usize,
    title: Vec<u8>,
    /// Titles saved and not restored.
    titles: Vec<Vec<u8>>,
}

impl vt100::Callbacks for Modes {
    fn audible_bell(&mut self, _: &mut vt100::Screen) {
        self.bells += 1;
    }

    fn set_window_title(&mut self, _: &mut vt100::Screen, title: &[u8]) {
        self.title = title.to_vec();
    }

    fn copy_to_clipboard(&mut self, _: &mut vt100::Screen, _: &[u8], data: &[u8]) {
        self.clipboard = data.to_vec();
    }

    fn unhandled_csi(
        &mut self,
        _: &mut vt100::Screen,
        first: Option<u8>,
        _: Option<u8>,
        parameters: &[&[u16]],
        last: char,
    ) {
        match (first, parameters.first(), last) {
            (None, Some([22]), 't') => self.titles.push(self.title.clone()),
            (None, Some([23]), 't') => self.title = self.titles.pop().unwrap_or_default(),
            _ => {}
        }
        if first == Some(b'?') && matches!(last, 'h' | 'l') {
            self.set.extend(parameters.iter().copied().flatten().map(|mode| (*mode, last == 'h')));
        }
    }
}

/// The private mode for wrapping lines. It is on by default, and all others are off.
const WRAP: u16 = 7;

/// Lets the program ignore none of the signals that end or stop one: a shell that starts a test in the background makes it
/// ignore some.
pub fn with_default_signals(command: &mut Command) {
    let reset = || {
        for signal in [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM, libc::SIGTSTP, libc::SIGPIPE] {
            // SAFETY: SIG_DFL installs no handler.
            unsafe { libc::signal(signal, libc::SIG_DFL) };
        }
        Ok(())
    };
    // SAFETY: between fork and exec the closure only makes system calls.
    unsafe { command.pre_exec(reset) };
}

/// A pseudo-terminal, and the name of its line.
fn open_pair() -> (OwnedFd, PathBuf) {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = PathBuf::from(ptsname(&master, Vec::new()).unwrap().into_string().unwrap());
    (master, name)
}

/// Runs a command with a terminal on standard output that it cannot read keys from: it has no controlling terminal, and
/// nothing on standard input.
pub fn run_without_keys(mut command: Command) -> Output {
    let (_master, name) = open_pair();
    command.stdin(Stdio::null()).stdout(File::options().write(true).open(name).unwrap()).stderr(Stdio::piped());
    // SAFETY: between fork and exec the closure makes one system call.
    unsafe {
        command.pre_exec(|| {
            rustix::process::setsid()?;
            Ok(())
        });
    }
    command.spawn().unwrap().wait_with_output().unwrap()
}

/// What a command writes to a terminal, ends of lines as the terminal makes them.
pub fn output_on(mut command: Command) -> Vec<u8> {
    let (master, name) = open_pair();
    let line = File::options().write(true).open(name).unwrap();
    command.stdin(Stdio::null()).stdout(line).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    // The command has the line open, which the end of the output is found by.
    drop(command);
    let (mut output, mut part) = (Vec::new(), [0; 4096]);
    let mut master = File::from(master);
    // An error: nothing has the line open any more.
    while let Ok(length @ 1..) = master.read(&mut part) {
        output.extend_from_slice(&part[..length]);
    }
    child.wait().unwrap();
    output
}

type Screen = Arc<Mutex<vt100::Parser<Modes>>>;

/// A terminal with a program in it.
pub struct Terminal {
    /// `None`: closed.
    keyboard: Option<File>,
    line: OwnedFd,
    before: Termios,
    screen: Screen,
    closed: Arc<AtomicBool>,
    emulator: Option<JoinHandle<()>>,
    child: Child,
}

impl Terminal {
    /// Starts a command in a terminal. `(columns, rows)` is the size that the line reports; `real` the one that the
    /// terminal itself answers when asked.
    pub fn start(mut command: Command, (columns, rows): (u16, u16), real: (u16, u16)) -> Self {
        let (master, name) = open_pair();
        let open = || File::options().read(true).write(true).open(&name).unwrap();
        let line = OwnedFd::from(open());
        tcsetwinsize(&line, winsize(columns, rows)).unwrap();
        let before = tcgetattr(&line).unwrap();
        let screen =
            Arc::new(Mutex::new(vt100::Parser::new_with_callbacks(cells(real.1), cells(real.0), 0, Modes::default())));
        command.stdin(open()).stdout(open()).stderr(open());
        with_default_signals(&mut command);
        // SAFETY: between fork and exec the closure makes two system calls, allocates nothing and takes no lock.
        unsafe {
            command.pre_exec(|| {
                rustix::process::setsid()?;
                rustix::process::ioctl_tiocsctty(rustix::stdio::stdin())?;
                Ok(())
            });
        }
        let child = command.spawn().unwrap();
        // The command has open files of the line, which would keep it open.
        drop(command);
        let keyboard = File::from(master);
        let closed = Arc::new(AtomicBool::new(false));
        let emulator = Emulator { line: keyboard.try_clone().unwrap(), screen: Arc::clone(&screen), real };
        let stop = Arc::clone(&closed);
        let emulator = Some(thread::spawn(move || emulator.run(&stop)));
        Self { keyboard: Some(keyboard), line, before, screen, closed, emulator, child }
    }

    pub fn keys(&mut self, keys: &str) {
        self.keyboard.as_mut().unwrap().write_all(keys.as_bytes()).unwrap();
    }

    /// Types the same keys until the screen matches.
    pub fn keys_until(&mut self, keys: &str, what: &str, matches: impl Fn(&str) -> bool) {
        let start = Instant::now();
        while !matches(&self.text()) {
            assert!(start.elapsed() < PATIENCE, "not on the screen: {what}\n{}", self.text());
            self.keys(keys);
            thread::sleep(SETTLES);
        }
    }

    /// The text on the screen.
    pub fn text(&self) -> String {
        self.screen.lock().unwrap().screen().contents()
    }

    /// Waits until the screen matches.
    pub fn becomes(&mut self, what: &str, matches: impl Fn(&str) -> bool) {
        let start = Instant::now();
        let mut ended = None;
        loop {
            let text = self.text();
            if matches(&text) {
                return;
            }
            assert!(start.elapsed() < PATIENCE, "not on the screen: {what}\n{text}");
            if let Some(status) = self.child.try_wait().unwrap() {
                // The emulator may not have processed its last output yet.
                let since: &Instant = ended.get_or_insert_with(Instant::now);
                assert!(since.elapsed() < SETTLES, "not on the screen: {what}; the program ended ({status}):\n{text}");
            }
            thread::sleep(POLL);
        }
    }

    /// Waits until a text is on the screen.
    pub fn shows(&mut self, what: &str) {
        self.becomes(what, |text| text.contains(what));
    }

    /// Waits until a text is no longer on the screen.
    pub fn hides(&mut self, what: &str) {
        self.becomes(&format!("no {what}"), |text| !text.contains(what));
    }

    /// Waits until the program gets the mouse, or does not.
    pub fn has_mouse(&self, expected: bool) {
        let start = Instant::now();
        let captured = || self.screen.lock().unwrap().screen().mouse_protocol_mode() != vt100::MouseProtocolMode::None;
        while captured() != expected {
            assert!(start.elapsed() < PATIENCE, "the mouse is not captured as expected: {expected}\n{}", self.text());
            thread::sleep(POLL);
        }
    }

    /// How often the bell has rung.
    pub fn bells(&self) -> usize {
        self.screen.lock().unwrap().callbacks().bells
    }

    /// The title of the window.
    pub fn title(&self) -> String {
        String::from_utf8_lossy(&self.screen.lock().unwrap().callbacks().title).into_owned()
    }

    /// Waits until something is in the clipboard, and returns it as base64.
    pub fn clipboard(&self) -> Vec<u8> {
        let start = Instant::now();
        loop {
            let clipboard = self.screen.lock().unwrap().callbacks().clipboard.clone();
            if !clipboard.is_empty() {
                return clipboard;
            }
            assert!(start.elapsed() < PATIENCE, "nothing was copied\n{}", self.text());
            thread::sleep(POLL);
        }
    }

    pub fn resize(&mut self, columns: u16, rows: u16) {
        self.screen.lock().unwrap().screen_mut().set_size(cells(rows), cells(columns));
        tcsetwinsize(&self.line, winsize(columns, rows)).unwrap();
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.child.id().try_into().unwrap()).unwrap(), signal).unwrap();
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until the program has ended.
    pub fn end(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(start.elapsed() < PATIENCE, "the program does not end:\n{}", self.text());
            thread::sleep(POLL);
        }
    }

    /// Closes the terminal, as when a connection is lost.
    pub fn close(&mut self) {
        self.closed.store(true, Ordering::SeqCst);
        self.emulator.take().map(JoinHandle::join).transpose().unwrap();
        self.keyboard = None;
    }

    /// Waits until the terminal is as before the program: modes of the line, screen, cursor, mouse, keys, paste,
    /// colours, wrapping.
    pub fn assert_restored(&self) {
        let start = Instant::now();
        loop {
            let changed = self.changes();
            if changed.is_empty() {
                return;
            }
            assert!(start.elapsed() < SETTLES, "not restored: {}\n{}", changed.join(", "), self.text());
            thread::sleep(POLL);
        }
    }

    /// What differs from the terminal before the program.
    fn changes(&self) -> Vec<&'static str> {
        let after = format!("{:?}", tcgetattr(&self.line).unwrap());
        let parser = self.screen.lock().unwrap();
        let screen = parser.screen();
        let changes = [
            ("modes of the line", after != format!("{:?}", self.before)),
            ("alternate screen", screen.alternate_screen()),
            ("hidden cursor", screen.hide_cursor()),
            ("mouse reports", screen.mouse_protocol_mode() != vt100::MouseProtocolMode::None),
            ("encoding of mouse reports", screen.mouse_protocol_encoding() != vt100::MouseProtocolEncoding::Default),
            ("bracketed paste", screen.bracketed_paste()),
            ("application keys", screen.application_cursor() || screen.application_keypad()),
            ("colours", screen.fgcolor() != vt100::Color::Default || screen.bgcolor() != vt100::Color::Default),
            ("title", !parser.callbacks().title.is_empty() || !parser.callbacks().titles.is_empty()),
            ("other modes", parser.callbacks().set.iter().any(|(mode, on)| *on != (*mode == WRAP))),
        ];
        changes.into_iter().filter_map(|(what, changed)| changed.then_some(what)).collect()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn winsize(columns: u16, rows: u16) -> Winsize {
    Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }
}

/// Processes output, and answers when it is asked for the position of the cursor.
struct Emulator {
    line: File,
    screen: Screen,
    real: (u16, u16),
}

impl Emulator {
    /// Runs until the last program has closed the line, or the terminal is closed.
    fn run(mut self, closed: &AtomicBool) {
        let mut bytes = vec![0; 65_536];
        while !closed.load(Ordering::SeqCst) {
            let wait = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
            if !matches!(poll(&mut [PollFd::new(&self.line, PollFlags::IN)], Some(&wait)), Ok(1..)) {
                continue;
            }
            // A read fails once the last program has closed the line.
            let Ok(len @ 1..) = self.line.read(&mut bytes) else { return };
            let output = &bytes[..len];
            self.screen.lock().unwrap().process(output);
            if output.windows(4).any(|window| window == b"\x1b[6n") {
                let answer = format!("\x1b[{};{}R", self.real.1, self.real.0);
                let _ = self.line.write_all(answer.as_bytes());
            }
        }
    }
}

/// An empty screen counts as one cell.
fn cells(count: u16) -> NonZeroU16 {
    NonZeroU16::new(count).unwrap_or(NonZeroU16::MIN)
}
