//! Translates the terminal library's events.

use std::{future::poll_fn, pin::Pin};

use crossterm::event::{
    Event, EventStream, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEventKind,
};
use futures_core::Stream as _;
use ratatui::layout::Size;

use observer_tui::app::keys::Key;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mouse {
    Click,
    WheelUp,
    WheelDown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Input {
    Key(Key),
    Mouse {
        column: u16,
        row: u16,
        action: Mouse,
    },
    Resize(Size),
    /// An event that nothing is bound to.
    Ignored,
    /// The terminal is closed: there will be no more events.
    Closed,
}

/// Keyboard, mouse and window.
pub(super) struct Events(EventStream);

impl Events {
    pub(super) fn new() -> Self {
        Self(EventStream::new())
    }

    /// Waits for the next event. If it is dropped before it is ready, no event is lost.
    pub(super) async fn next(&mut self) -> Input {
        match poll_fn(|context| Pin::new(&mut self.0).poll_next(context)).await {
            Some(Ok(event)) => translate(&event),
            Some(Err(_)) | None => Input::Closed,
        }
    }
}

fn translate(event: &Event) -> Input {
    match event {
        Event::Key(event) if event.kind != KeyEventKind::Release => key(*event).map_or(Input::Ignored, Input::Key),
        Event::Mouse(event) => {
            let mouse = |action| Input::Mouse { column: event.column, row: event.row, action };
            match event.kind {
                MouseEventKind::Down(MouseButton::Left) => mouse(Mouse::Click),
                MouseEventKind::ScrollUp => mouse(Mouse::WheelUp),
                MouseEventKind::ScrollDown => mouse(Mouse::WheelDown),
                _ => Input::Ignored,
            }
        }
        Event::Resize(width, height) => Input::Resize(Size { width: *width, height: *height }),
        _ => Input::Ignored,
    }
}

fn key(event: KeyEvent) -> Option<Key> {
    let control = event.modifiers.contains(KeyModifiers::CONTROL);
    Some(match event.code {
        KeyCode::Char(ch) if control => Key::Ctrl(ch.to_ascii_lowercase()),
        KeyCode::Char(ch) => Key::Char(ch),
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        KeyCode::Left => Key::Left,
        KeyCode::Right => Key::Right,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        KeyCode::Home => Key::Home,
        KeyCode::End => Key::End,
        KeyCode::Enter => Key::Enter,
        KeyCode::Esc => Key::Esc,
        KeyCode::Tab => Key::Tab,
        KeyCode::BackTab => Key::BackTab,
        KeyCode::Backspace => Key::Backspace,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_translated() {
        let pressed = |code, modifiers| translate(&Event::Key(KeyEvent::new(code, modifiers)));
        assert_eq!(pressed(KeyCode::Char('S'), KeyModifiers::SHIFT), Input::Key(Key::Char('S')));
        assert_eq!(pressed(KeyCode::Char('c'), KeyModifiers::CONTROL), Input::Key(Key::Ctrl('c')));
        assert_eq!(pressed(KeyCode::BackTab, KeyModifiers::SHIFT), Input::Key(Key::BackTab));
        assert_eq!(pressed(KeyCode::F(5), KeyModifiers::NONE), Input::Ignored);
        assert_eq!(translate(&Event::Resize(80, 24)), Input::Resize(Size { width: 80, height: 24 }));
        assert_eq!(translate(&Event::FocusGained), Input::Ignored);
    }
}
