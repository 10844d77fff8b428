//! The terminal: taken over once, and given back exactly once, whichever way the program ends.

mod output;
mod stderr;

use std::{
    io,
    sync::{
        Once,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

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
    layout::Rect,
};
use rustix::termios::{isatty, tcgetwinsize};

use self::output::{Output, Progress};

/// Whether the terminal is ours. Whoever changes it from true to false gives it back.
static OURS: AtomicBool = AtomicBool::new(false);

/// How long the last frame may take to reach a terminal that we want to give back.
const PATIENCE: Duration = Duration::from_millis(500);

/// The terminal, until dropped.
pub(crate) struct Screen {
    backend: CrosstermBackend<Output>,
    progress: Progress,
    shown: Buffer,
    next: Buffer,
}

/// Whether there is somebody to look at a dashboard.
pub(crate) fn is_there() -> bool {
    isatty(rustix::stdio::stdout())
}

impl Screen {
    /// Takes the terminal over.
    ///
    /// # Errors
    /// When it cannot be switched to raw mode; then it is as it was.
    pub(crate) fn open(size: (u16, u16)) -> io::Result<Self> {
        restore_on_panic();
        enter()?;
        let area = Rect::new(0, 0, size.0, size.1);
        let output = Output::start(&OURS)?;
        let progress = output.progress();
        // The first frame draws everything.
        let (shown, next) = (Buffer::empty(Rect::default()), Buffer::empty(area));
        Ok(Self { backend: CrosstermBackend::new(output), progress, shown, next })
    }

    /// Whether the terminal is still ours: a panic anywhere gives it back.
    pub(crate) fn is_ours(&self) -> bool {
        OURS.load(Ordering::SeqCst)
    }

    /// Whether the last frame has reached the terminal. While it has not, drawing would only pile frames up.
    pub(crate) fn is_ready(&self) -> bool {
        self.progress.is_idle()
    }

    /// The terminal has another size now.
    pub(crate) fn resize(&mut self, size: (u16, u16)) {
        let area = Rect::new(0, 0, size.0, size.1);
        self.next.resize(area);
        self.forget();
    }

    /// What the terminal shows is not known any more: the next frame draws everything.
    pub(crate) fn forget(&mut self) {
        self.shown = Buffer::empty(Rect::default());
    }

    /// Draws a frame: sends what differs from the last one.
    ///
    /// # Errors
    /// Never in practice: the frame is handed to the thread that writes.
    pub(crate) fn draw(&mut self, paint: impl FnOnce(&mut Buffer)) -> io::Result<()> {
        if !self.is_ours() {
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

    /// Stops the process as Ctrl-Z in a shell does, with the terminal given back meanwhile.
    ///
    /// # Errors
    /// When the terminal cannot be taken over again.
    pub(crate) fn suspend(&mut self) -> io::Result<()> {
        self.progress.wait(PATIENCE);
        leave();
        stop_here();
        enter()?;
        self.forget();
        Ok(())
    }

    /// Somebody else may have changed the terminal, as a shell does when it brings a stopped job back.
    ///
    /// # Errors
    /// When the terminal cannot be switched to raw mode.
    pub(crate) fn take_again(&mut self) -> io::Result<()> {
        // Crossterm remembers that it is in raw mode and would do nothing.
        disable_raw_mode()?;
        enable_raw_mode()?;
        enter_screen()?;
        self.forget();
        Ok(())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.progress.wait(PATIENCE);
        leave();
    }
}

fn enter() -> io::Result<()> {
    enable_raw_mode()?;
    stderr::hold();
    OURS.store(true, Ordering::SeqCst);
    enter_screen().inspect_err(|_| leave())
}

fn enter_screen() -> io::Result<()> {
    execute!(io::stdout(), EnterAlternateScreen, DisableLineWrap, cursor::Hide, event::EnableMouseCapture)
}

/// Gives the terminal back, if it is ours. There is nobody to tell of an error: the terminal is what would show it.
fn leave() {
    if OURS.swap(false, Ordering::SeqCst) {
        let _ = execute!(
            io::stdout(),
            event::DisableMouseCapture,
            style::ResetColor,
            EnableLineWrap,
            cursor::Show,
            LeaveAlternateScreen
        );
        let _ = disable_raw_mode();
        stderr::release();
    }
}

/// A panic's message is printed on the terminal as it was before.
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

/// Raises SIGTSTP with its default action, and returns when the process goes on. Where no shell could bring the process
/// back (an orphaned process group) the kernel ignores the signal, and so it must be this one, not SIGSTOP.
fn stop_here() {
    // SAFETY: all zero is a valid sigaction: the default action, an empty mask, no flags.
    let default: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: as above; it is filled with the action in force.
    let mut before: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are to live values of the right type.
    if unsafe { libc::sigaction(libc::SIGTSTP, &raw const default, &raw mut before) } != 0 {
        return;
    }
    // SAFETY: raising a signal has no preconditions.
    unsafe { libc::raise(libc::SIGTSTP) };
    // SAFETY: the action is the one that was in force.
    unsafe { libc::sigaction(libc::SIGTSTP, &raw const before, std::ptr::null_mut()) };
}

/// The terminal's size in columns and rows. A serial line does not know it: then what the environment says counts, then
/// what the terminal itself says, then 80x24.
pub(crate) fn size() -> (u16, u16) {
    let known = |(columns, rows): (u16, u16)| columns > 0 && rows > 0;
    asked_kernel().filter(|size| known(*size)).or_else(from_environment).unwrap_or((80, 24))
}

fn asked_kernel() -> Option<(u16, u16)> {
    let size = tcgetwinsize(rustix::stdio::stdout()).ok()?;
    Some((size.ws_col, size.ws_row))
}

fn from_environment() -> Option<(u16, u16)> {
    let number = |name: &str| std::env::var(name).ok()?.trim().parse::<u16>().ok().filter(|number| *number > 0);
    Some((number("COLUMNS")?, number("LINES")?))
}

/// The size now, of a terminal whose size was found out before by whatever means.
pub(crate) fn size_now(before: (u16, u16)) -> (u16, u16) {
    asked_kernel().filter(|(columns, rows)| *columns > 0 && *rows > 0).unwrap_or(before)
}

/// As [`size`], but asks a terminal of unknown size where its cursor goes when sent far away. Only before anybody else
/// reads keys.
///
/// # Errors
/// When raw mode, which the question needs, cannot be had.
pub(crate) fn ask_size() -> io::Result<(u16, u16)> {
    let known = asked_kernel().filter(|(columns, rows)| *columns > 0 && *rows > 0).or_else(from_environment);
    if let Some(size) = known {
        return Ok(size);
    }
    enable_raw_mode()?;
    let answer =
        execute!(io::stdout(), cursor::SavePosition, cursor::MoveTo(998, 998)).and_then(|()| cursor::position());
    let _ = execute!(io::stdout(), cursor::RestorePosition);
    disable_raw_mode()?;
    Ok(answer.map_or((80, 24), |(column, row)| (column.saturating_add(1), row.saturating_add(1))))
}
