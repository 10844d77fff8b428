//! The terminal library's events in the dashboard's own words.

use std::{future::poll_fn, pin::Pin};

use crossterm::event::{
    Event, EventStream, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEventKind,
};
use futures_core::Stream as _;

use observer_tui::app::keys::Key;

/// What the mouse did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mouse {
    Click,
    WheelUp,
    WheelDown,
}

/// What came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Input {
    Key(Key),
    /// Column, row and what.
    Mouse(u16, u16, Mouse),
    /// Columns and rows.
    Resize(u16, u16),
    /// Of no interest.
    Nothing,
    /// There will be no more.
    Gone,
}

/// The keyboard and the mouse.
pub(super) struct Events(EventStream);

impl Events {
    pub(super) fn new() -> Self {
        Self(EventStream::new())
    }

    /// Waits for the next one. Nothing is lost when this is dropped before it is ready.
    pub(super) async fn next(&mut self) -> Input {
        match poll_fn(|context| Pin::new(&mut self.0).poll_next(context)).await {
            Some(Ok(event)) => translate(&event),
            Some(Err(_)) | None => Input::Gone,
        }
    }
}

fn translate(event: &Event) -> Input {
    match event {
        Event::Key(event) if event.kind != KeyEventKind::Release => key(*event).map_or(Input::Nothing, Input::Key),
        Event::Mouse(event) => match event.kind {
            MouseEventKind::Down(MouseButton::Left) => Input::Mouse(event.column, event.row, Mouse::Click),
            MouseEventKind::ScrollUp => Input::Mouse(event.column, event.row, Mouse::WheelUp),
            MouseEventKind::ScrollDown => Input::Mouse(event.column, event.row, Mouse::WheelDown),
            _ => Input::Nothing,
        },
        Event::Resize(columns, rows) => Input::Resize(*columns, *rows),
        _ => Input::Nothing,
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
    fn keys_are_understood() {
        let pressed = |code, modifiers| translate(&Event::Key(KeyEvent::new(code, modifiers)));
        assert_eq!(pressed(KeyCode::Char('S'), KeyModifiers::SHIFT), Input::Key(Key::Char('S')));
        assert_eq!(pressed(KeyCode::Char('c'), KeyModifiers::CONTROL), Input::Key(Key::Ctrl('c')));
        assert_eq!(pressed(KeyCode::BackTab, KeyModifiers::SHIFT), Input::Key(Key::BackTab));
        assert_eq!(pressed(KeyCode::F(5), KeyModifiers::NONE), Input::Nothing);
        assert_eq!(translate(&Event::Resize(80, 24)), Input::Resize(80, 24));
        assert_eq!(translate(&Event::FocusGained), Input::Nothing);
    }
}
