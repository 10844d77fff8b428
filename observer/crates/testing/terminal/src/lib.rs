//! A real pseudo-terminal with a program in it and an emulator behind it: what is on the screen, and how the terminal is
//! left behind. Every wait is for something to show, never for a time; what does not come is told with the screen.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{Read as _, Write as _},
    num::NonZeroU16,
    os::{fd::OwnedFd, unix::process::CommandExt as _},
    path::PathBuf,
    process::{Child, Command, ExitStatus},
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

/// Longest wait for anything to show. An emulated machine is slow.
const PATIENCE: Duration = Duration::from_mins(1);

/// What a program that has ended has written is there after this.
const SETTLES: Duration = Duration::from_secs(2);

/// Between two looks.
const LOOK: Duration = Duration::from_millis(20);

/// Private modes that the emulator does not know, as they were set last.
#[derive(Debug, Default)]
pub struct Modes(BTreeMap<u16, bool>);

impl vt100::Callbacks for Modes {
    fn unhandled_csi(
        &mut self,
        _: &mut vt100::Screen,
        first: Option<u8>,
        _: Option<u8>,
        parameters: &[&[u16]],
        last: char,
    ) {
        if first == Some(b'?') && matches!(last, 'h' | 'l') {
            self.0.extend(parameters.iter().copied().flatten().map(|mode| (*mode, last == 'h')));
        }
    }
}

/// Lines wrap in a terminal as it was; every other private mode is off.
const WRAPS: u16 = 7;

type Screen = Arc<Mutex<vt100::Parser<Modes>>>;

/// A terminal with a program in it.
pub struct Terminal {
    /// None: unplugged.
    keyboard: Option<File>,
    line: OwnedFd,
    before: Termios,
    screen: Screen,
    unplugged: Arc<AtomicBool>,
    listener: Option<JoinHandle<()>>,
    child: Child,
}

impl Terminal {
    /// Of this size, as the line knows it; `real` is what a question to the terminal itself is answered with.
    pub fn start(mut command: Command, (columns, rows): (u16, u16), real: (u16, u16)) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = PathBuf::from(ptsname(&master, Vec::new()).unwrap().into_string().unwrap());
        let open = || File::options().read(true).write(true).open(&name).unwrap();
        let line = OwnedFd::from(open());
        tcsetwinsize(&line, winsize(columns, rows)).unwrap();
        let before = tcgetattr(&line).unwrap();
        let screen =
            Arc::new(Mutex::new(vt100::Parser::new_with_callbacks(cells(real.1), cells(real.0), 0, Modes::default())));
        command.stdin(open()).stdout(open()).stderr(open());
        // SAFETY: both calls are single system calls, fit to be made between fork and exec.
        unsafe {
            command.pre_exec(|| {
                rustix::process::setsid()?;
                rustix::process::ioctl_tiocsctty(rustix::stdio::stdin())?;
                Ok(())
            });
        }
        let child = command.spawn().unwrap();
        // The command holds openings of the line as well.
        drop(command);
        let keyboard = File::from(master);
        let unplugged = Arc::new(AtomicBool::new(false));
        let ears = Ears { line: keyboard.try_clone().unwrap(), screen: Arc::clone(&screen), real };
        let plug = Arc::clone(&unplugged);
        let listener = Some(thread::spawn(move || ears.listen(&plug)));
        Self { keyboard: Some(keyboard), line, before, screen, unplugged, listener, child }
    }

    /// Types.
    pub fn keys(&mut self, keys: &str) {
        self.keyboard.as_mut().unwrap().write_all(keys.as_bytes()).unwrap();
    }

    /// Types the same again and again, as somebody would who looks for something, until the screen is as it should be.
    pub fn keys_until(&mut self, keys: &str, what: &str, right: impl Fn(&str) -> bool) {
        let start = Instant::now();
        while !right(&self.text()) {
            assert!(start.elapsed() < PATIENCE, "not on the screen: {what}\n{}", self.text());
            self.keys(keys);
            thread::sleep(SETTLES);
        }
    }

    /// What is on the screen.
    pub fn text(&self) -> String {
        self.screen.lock().unwrap().screen().contents()
    }

    /// Waits until the screen is as it should be.
    pub fn becomes(&mut self, what: &str, right: impl Fn(&str) -> bool) {
        let start = Instant::now();
        let mut over = None;
        loop {
            let text = self.text();
            if right(&text) {
                return;
            }
            assert!(start.elapsed() < PATIENCE, "not on the screen: {what}\n{text}");
            if let Some(status) = self.child.try_wait().unwrap() {
                // What it wrote last may still be on its way.
                let since: &Instant = over.get_or_insert_with(Instant::now);
                assert!(since.elapsed() < SETTLES, "not on the screen: {what}; it has ended ({status}):\n{text}");
            }
            thread::sleep(LOOK);
        }
    }

    /// Waits until something is on the screen.
    pub fn shows(&mut self, what: &str) {
        self.becomes(what, |text| text.contains(what));
    }

    /// Waits until something is no longer on the screen.
    pub fn hides(&mut self, what: &str) {
        self.becomes(&format!("no {what}"), |text| !text.contains(what));
    }

    /// Gives the window another size.
    pub fn resize(&mut self, columns: u16, rows: u16) {
        self.screen.lock().unwrap().screen_mut().set_size(cells(rows), cells(columns));
        tcsetwinsize(&self.line, winsize(columns, rows)).unwrap();
    }

    /// Sends the program a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.child.id().try_into().unwrap()).unwrap(), signal).unwrap();
    }

    /// The process id of the program.
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
            assert!(start.elapsed() < PATIENCE, "it does not end:\n{}", self.text());
            thread::sleep(LOOK);
        }
    }

    /// The terminal goes away, as when a connection is lost.
    pub fn unplug(&mut self) {
        self.unplugged.store(true, Ordering::SeqCst);
        self.listener.take().map(JoinHandle::join).transpose().unwrap();
        self.keyboard = None;
    }

    /// The terminal is as it was: modes of the line, screen, cursor, mouse, keys, paste, colours, wrapping.
    pub fn is_restored(&self) {
        let start = Instant::now();
        // What was written last may still be on its way.
        while let Err(wrong) = self.as_before() {
            assert!(start.elapsed() < SETTLES, "{wrong}\n{}", self.text());
            thread::sleep(LOOK);
        }
    }

    fn as_before(&self) -> Result<(), String> {
        let after = format!("{:?}", tcgetattr(&self.line).unwrap());
        let parser = self.screen.lock().unwrap();
        let screen = parser.screen();
        let wrong = [
            ("modes of the line", after != format!("{:?}", self.before)),
            ("alternate screen", screen.alternate_screen()),
            ("hidden cursor", screen.hide_cursor()),
            ("mouse reports", screen.mouse_protocol_mode() != vt100::MouseProtocolMode::None),
            ("form of mouse reports", screen.mouse_protocol_encoding() != vt100::MouseProtocolEncoding::Default),
            ("bracketed paste", screen.bracketed_paste()),
            ("keys of applications", screen.application_cursor() || screen.application_keypad()),
            ("colours", screen.fgcolor() != vt100::Color::Default || screen.bgcolor() != vt100::Color::Default),
            ("other modes", parser.callbacks().0.iter().any(|(mode, on)| *on != (*mode == WRAPS))),
        ];
        let left: Vec<&str> = wrong.into_iter().filter_map(|(what, wrong)| wrong.then_some(what)).collect();
        if left.is_empty() { Ok(()) } else { Err(format!("left behind: {}", left.join(", "))) }
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

/// Shows what comes, and answers as a terminal does when it is asked where its cursor is.
struct Ears {
    line: File,
    screen: Screen,
    real: (u16, u16),
}

impl Ears {
    /// Until the last program has closed the line, or the terminal is unplugged.
    fn listen(mut self, unplugged: &AtomicBool) {
        let mut bytes = vec![0; 65_536];
        while !unplugged.load(Ordering::SeqCst) {
            let wait = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
            if !matches!(poll(&mut [PollFd::new(&self.line, PollFlags::IN)], Some(&wait)), Ok(1..)) {
                continue;
            }
            // Reading ends with an error when the last program has closed the line.
            let Ok(len @ 1..) = self.line.read(&mut bytes) else { return };
            let came = &bytes[..len];
            self.screen.lock().unwrap().process(came);
            if came.windows(4).any(|window| window == b"\x1b[6n") {
                let answer = format!("\x1b[{};{}R", self.real.1, self.real.0);
                let _ = self.line.write_all(answer.as_bytes());
            }
        }
    }
}

/// A size in cells; an empty screen counts as one cell.
fn cells(count: u16) -> NonZeroU16 {
    NonZeroU16::new(count).unwrap_or(NonZeroU16::MIN)
}
