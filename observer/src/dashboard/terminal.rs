//! The terminal: entered once, and restored exactly once, whichever way the program ends.

mod output;
mod stderr;

use std::{
    fs::File,
    io,
    sync::{
        Once,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use crossterm::{
    cursor, event, execute, queue, style,
    terminal::{
        Clear, ClearType, DisableLineWrap, EnableLineWrap, EnterAlternateScreen, LeaveAlternateScreen,
        disable_raw_mode, enable_raw_mode,
    },
};
use ratatui::{
    backend::{Backend as _, CrosstermBackend},
    buffer::Buffer,
    layout::{Rect, Size},
};
use rustix::termios::{isatty, tcgetwinsize};

use self::output::{Output, Progress};
use observer_tui::{app::alarm::Signal, theme::Environment};

/// Whether the dashboard has the terminal. The thread that changes it from true to false restores the terminal.
static ENTERED: AtomicBool = AtomicBool::new(false);

/// Whether the title of the window is that of the first data loss. Restored with the terminal.
static TITLED: AtomicBool = AtomicBool::new(false);

/// Saves the title, and restores it (XTWINOPS). Terminals that cannot do so ignore both.
const SAVE_TITLE: &str = "\x1b[22;0t";
const TITLE: &str = "\x1b]0;DATA LOSS - observer\x07";
const RESTORE_TITLE: &str = "\x1b[23;0t";

/// Longest wait for the last frame before the terminal is restored.
const PATIENCE: Duration = Duration::from_millis(500);

/// The size where nothing reports one.
const DEFAULT_SIZE: Size = Size { width: 80, height: 24 };

/// The terminal. Restored on drop.
pub(crate) struct Screen {
    backend: CrosstermBackend<Output>,
    progress: Progress,
    shown: Buffer,
    next: Buffer,
    /// Whether the dashboard gets the mouse.
    mouse: bool,
}

/// Whether the dashboard can be shown: standard output is a terminal, and there is one to read keys from. That is
/// standard input, or the controlling terminal, which a service or a process after `setsid` does not have.
pub(crate) fn is_there() -> bool {
    let has_keys = || isatty(rustix::stdio::stdin()) || File::options().read(true).write(true).open("/dev/tty").is_ok();
    isatty(rustix::stdio::stdout()) && has_keys()
}

impl Screen {
    /// Enters the terminal. `mouse`: the dashboard gets the mouse; otherwise the terminal selects text with it.
    ///
    /// # Errors
    /// When it cannot be switched to raw mode; then it is unchanged.
    pub(crate) fn open(size: Size, mouse: bool) -> io::Result<Self> {
        restore_on_panic();
        enter(mouse)?;
        let output = Output::start(&ENTERED)?;
        let progress = output.progress();
        // The first frame draws everything.
        let (shown, next) = (Buffer::empty(Rect::default()), Buffer::empty(Rect::from(size)));
        Ok(Self { backend: CrosstermBackend::new(output), progress, shown, next, mouse })
    }

    /// Whether the dashboard still has the terminal. A panic on any thread restores it.
    pub(crate) fn is_entered() -> bool {
        ENTERED.load(Ordering::SeqCst)
    }

    /// Whether the last frame has been written. Until then more frames would only queue up.
    pub(crate) fn is_ready(&self) -> bool {
        self.progress.is_idle()
    }

    pub(crate) fn resize(&mut self, size: Size) {
        self.next.resize(Rect::from(size));
        self.invalidate();
    }

    /// Makes the next frame draw every cell.
    pub(crate) fn invalidate(&mut self) {
        self.shown = Buffer::empty(Rect::default());
    }

    /// Draws a frame: writes the cells that differ from the last one.
    ///
    /// # Errors
    /// When the frame cannot be encoded; a separate thread writes it.
    pub(crate) fn draw(&mut self, paint: impl FnOnce(&mut Buffer)) -> io::Result<()> {
        if !Self::is_entered() {
            return Ok(());
        }
        self.next.reset();
        paint(&mut self.next);
        if self.shown.area != self.next.area {
            queue!(self.backend, style::ResetColor, Clear(ClearType::All))?;
            self.shown = Buffer::empty(self.next.area);
        }
        self.backend.draw(self.shown.diff(&self.next).into_iter())?;
        io::Write::flush(&mut self.backend)?;
        std::mem::swap(&mut self.shown, &mut self.next);
        Ok(())
    }

    /// Takes the mouse, or leaves it to the terminal, which selects text with it.
    pub(crate) fn capture_mouse(&mut self, on: bool) {
        self.mouse = on;
        // Through the thread that writes frames: in between two of them.
        let queued = if on {
            queue!(self.backend, event::EnableMouseCapture)
        } else {
            queue!(self.backend, event::DisableMouseCapture)
        };
        // Writing into memory does not fail.
        let _ = queued.and_then(|()| io::Write::flush(&mut self.backend));
    }

    /// Rings the bell, and changes the title of the window until the terminal is restored.
    pub(crate) fn signal(&mut self, signal: Signal) {
        let mut text = String::new();
        if signal.bell {
            text.push('\x07');
        }
        if signal.title {
            let save = if TITLED.swap(true, Ordering::SeqCst) { "" } else { SAVE_TITLE };
            text.push_str(save);
            text.push_str(TITLE);
        }
        self.control(&text);
    }

    /// Sends control characters in between two frames.
    fn control(&mut self, text: &str) {
        // Writing into memory does not fail.
        let _ =
            io::Write::write_all(&mut self.backend, text.as_bytes()).and_then(|()| io::Write::flush(&mut self.backend));
    }

    /// Asks the terminal to put a text into its clipboard (OSC 52). A terminal that does not permit it does not answer.
    pub(crate) fn copy(&mut self, text: &str) {
        let encoded = BASE64_STANDARD.encode(text);
        self.control(&format!("\x1b]52;c;{encoded}\x07"));
    }

    /// Stops the process as Ctrl-Z in a shell does, with the terminal restored until it continues.
    ///
    /// # Errors
    /// When the terminal cannot be entered again.
    pub(crate) fn suspend(&mut self) -> io::Result<()> {
        self.progress.wait(PATIENCE);
        leave();
        stop_here();
        enter(self.mouse)?;
        self.invalidate();
        Ok(())
    }

    /// Sets all modes again: a shell that continues a stopped job may have changed them.
    ///
    /// # Errors
    /// When the terminal cannot be switched to raw mode.
    pub(crate) fn enter_again(&mut self) -> io::Result<()> {
        // Crossterm does nothing while it believes that raw mode is on.
        disable_raw_mode()?;
        enable_raw_mode()?;
        enter_screen(self.mouse)?;
        self.invalidate();
        Ok(())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.progress.wait(PATIENCE);
        leave();
    }
}

fn enter(mouse: bool) -> io::Result<()> {
    enable_raw_mode()?;
    stderr::hold();
    ENTERED.store(true, Ordering::SeqCst);
    enter_screen(mouse).inspect_err(|_| leave())
}

fn enter_screen(mouse: bool) -> io::Result<()> {
    execute!(io::stdout(), EnterAlternateScreen, DisableLineWrap, cursor::Hide)?;
    if mouse { execute!(io::stdout(), event::EnableMouseCapture) } else { Ok(()) }
}

/// Restores the terminal, if the dashboard has it. Errors are ignored: only the terminal could show them.
fn leave() {
    if ENTERED.swap(false, Ordering::SeqCst) {
        let _ = execute!(
            io::stdout(),
            event::DisableMouseCapture,
            style::ResetColor,
            EnableLineWrap,
            cursor::Show,
            LeaveAlternateScreen
        );
        if TITLED.swap(false, Ordering::SeqCst) {
            let _ = execute!(io::stdout(), style::Print(RESTORE_TITLE));
        }
        let _ = disable_raw_mode();
        stderr::release();
    }
}

/// Restores the terminal before the message of a panic is printed.
fn restore_on_panic() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            leave();
            before(info);
        }));
    });
}

/// Raises SIGTSTP with its default action, and returns when the process continues. SIGSTOP would be wrong: in a process
/// group without a shell that could continue it (an orphaned one) the kernel ignores SIGTSTP only.
fn stop_here() {
    // SAFETY: `sigaction` is plain data for which all zeroes are valid: SIG_DFL, an empty mask, no flags.
    let default: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: all zeroes are a valid `sigaction`; the call below overwrites them with the action in force.
    let mut before: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: `default` and `before` are local `sigaction` values that outlive the call.
    if unsafe { libc::sigaction(libc::SIGTSTP, &raw const default, &raw mut before) } != 0 {
        return;
    }
    // SAFETY: `raise` has no preconditions on memory.
    unsafe { libc::raise(libc::SIGTSTP) };
    // SAFETY: `before` is a local value that the first call filled; a null pointer for the old action is allowed.
    unsafe { libc::sigaction(libc::SIGTSTP, &raw const before, std::ptr::null_mut()) };
}

/// Whether a terminal of this `TERM` recognizes control strings (OSC), and does not print them.
pub(crate) fn has_control_strings(term: &str) -> bool {
    !matches!(term, "" | "dumb" | "linux") && !term.starts_with("vt")
}

/// The variables and options that the theme is chosen by.
pub(crate) fn environment(ascii: bool) -> Environment {
    let get = |name: &str| std::env::var(name).unwrap_or_default();
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].map(get).into_iter().find(|value| !value.is_empty());
    Environment {
        term: get("TERM"),
        colorterm: get("COLORTERM"),
        no_color: !get("NO_COLOR").is_empty(),
        locale: locale.unwrap_or_default(),
        ascii,
        ..Environment::default()
    }
}

/// The size of the terminal. A serial line has none: then that of `COLUMNS` and `LINES`, else 80x24.
pub(crate) fn size() -> Size {
    line_size().or_else(environment_size).unwrap_or(DEFAULT_SIZE)
}

/// The size that the kernel has for the line.
fn line_size() -> Option<Size> {
    let size = tcgetwinsize(rustix::stdio::stdout()).ok()?;
    let size = Size { width: size.ws_col, height: size.ws_row };
    (size.width > 0 && size.height > 0).then_some(size)
}

fn environment_size() -> Option<Size> {
    let number = |name: &str| std::env::var(name).ok()?.trim().parse::<u16>().ok().filter(|number| *number > 0);
    Some(Size { width: number("COLUMNS")?, height: number("LINES")? })
}

/// The size now; on a line without a size, the size `before`.
pub(crate) fn current_size(before: Size) -> Size {
    line_size().unwrap_or(before)
}

/// As [`size`], but a terminal of unknown size is asked where its cursor ends up when it is sent far away. Must be
/// called before anything else reads keys.
///
/// # Errors
/// When the terminal cannot be switched to raw mode, which the question needs.
pub(crate) fn query_size() -> io::Result<Size> {
    if let Some(size) = line_size().or_else(environment_size) {
        return Ok(size);
    }
    enable_raw_mode()?;
    let position =
        execute!(io::stdout(), cursor::SavePosition, cursor::MoveTo(998, 998)).and_then(|()| cursor::position());
    let _ = execute!(io::stdout(), cursor::RestorePosition);
    disable_raw_mode()?;
    let size = |(column, row): (u16, u16)| Size { width: column.saturating_add(1), height: row.saturating_add(1) };
    Ok(position.map_or(DEFAULT_SIZE, size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consoles_that_print_control_strings_get_none() {
        let terms = ["xterm-256color", "tmux-256color", "screen", "linux", "vt220", "dumb", ""];
        assert_eq!(terms.map(has_control_strings), [true, true, true, false, false, false, false]);
    }
}
