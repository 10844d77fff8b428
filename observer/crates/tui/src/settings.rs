//! What a user may set. The values come from a configuration file and the command line, which this crate does not read.

use std::time::Duration;

use crate::{
    app::{Tab, alarm::Signal, columns::Columns, keymap::Keymap},
    theme::Palette,
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Shortest time between two frames that new data causes. A key is answered at once.
    pub refresh: Duration,
    /// The view at the start.
    pub view: Tab,
    pub palette: Palette,
    /// The palette was asked for just now, which `NO_COLOR` of the environment does not overrule.
    pub colours_despite_no_color: bool,
    /// Only ASCII characters, whatever the locale.
    pub ascii: bool,
    /// Whether the dashboard gets the mouse. Without it the terminal selects text.
    pub mouse: bool,
    pub data_loss: Signal,
    pub columns: Columns,
    pub keys: Keymap,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            refresh: SHORTEST_REFRESH,
            view: Tab::default(),
            palette: Palette::default(),
            colours_despite_no_color: false,
            ascii: false,
            mouse: true,
            data_loss: Signal::default(),
            columns: Columns::default(),
            keys: Keymap::default(),
        }
    }
}

/// Frames that no terminal and no eye can follow are not drawn.
pub const SHORTEST_REFRESH: Duration = Duration::from_millis(100);
/// A screen that is older than this would look stopped.
pub const LONGEST_REFRESH: Duration = Duration::from_mins(1);

/// Whether a frame is due. `by_key`: a key or a click has changed the screen; otherwise new data has.
pub fn is_frame_due(since_last: Duration, by_key: bool, refresh: Duration) -> bool {
    // Slightly less, because ticks jitter.
    const JITTER: Duration = Duration::from_millis(10);
    since_last + JITTER >= if by_key { SHORTEST_REFRESH } else { refresh }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_answered_before_new_data_is_shown() {
        let due = |ms, by_key| is_frame_due(Duration::from_millis(ms), by_key, Duration::from_secs(2));
        assert_eq!([due(80, true), due(90, true), due(1_980, false), due(1_990, false)], [false, true, false, true]);
    }
}
