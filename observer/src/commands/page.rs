//! What text on standard output is laid out for: colours and width.

use rustix::{stdio, termios::isatty};

use crate::{cli::ColorChoice, dashboard::terminal};
use observer_report::{doctor::Layout, paint::Paint};

/// Widest page: longer lines are hard to read.
const WIDEST: usize = 120;
/// Narrowest page.
const NARROWEST: usize = 20;

/// What decides whether text has colours.
#[derive(Clone, Copy, Debug)]
struct Output {
    is_terminal: bool,
    /// `NO_COLOR` is set and not empty.
    no_color: bool,
    /// `TERM` is not set, or `dumb`.
    is_dumb: bool,
}

impl Output {
    fn standard() -> Self {
        let get = |name: &str| std::env::var(name).unwrap_or_default();
        Self {
            is_terminal: isatty(stdio::stdout()),
            no_color: !get("NO_COLOR").is_empty(),
            is_dumb: matches!(get("TERM").as_str(), "" | "dumb"),
        }
    }

    const fn paint(self, choice: ColorChoice) -> Paint {
        match choice {
            ColorChoice::Always => Paint::Colours,
            ColorChoice::Auto if self.is_terminal && !self.no_color && !self.is_dumb => Paint::Colours,
            ColorChoice::Auto | ColorChoice::Never => Paint::Plain,
        }
    }
}

/// Colours on standard output.
pub(super) fn paint(choice: ColorChoice) -> Paint {
    Output::standard().paint(choice)
}

/// Colours in a file, which is no terminal.
pub(super) fn paint_of_file(choice: ColorChoice) -> Paint {
    Output { is_terminal: false, ..Output::standard() }.paint(choice)
}

/// As wide as the terminal; 80 columns in a file or a pipe.
pub(super) fn layout(choice: ColorChoice) -> Layout {
    let output = Output::standard();
    let width = if output.is_terminal { width_of(terminal::size().width.into()) } else { Layout::default().width };
    Layout { width, paint: output.paint(choice) }
}

fn width_of(terminal: usize) -> usize {
    terminal.clamp(NARROWEST, WIDEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMINAL: Output = Output { is_terminal: true, no_color: false, is_dumb: false };

    #[test]
    fn only_a_terminal_with_colours_gets_them_unless_they_are_asked_for() {
        let auto = |output: Output| output.paint(ColorChoice::Auto);
        assert_eq!(auto(TERMINAL), Paint::Colours);
        let plain = [
            Output { is_terminal: false, ..TERMINAL },
            Output { no_color: true, ..TERMINAL },
            Output { is_dumb: true, ..TERMINAL },
        ];
        for output in plain {
            assert_eq!(auto(output), Paint::Plain, "{output:?}");
            assert_eq!(output.paint(ColorChoice::Always), Paint::Colours, "{output:?}");
        }
        assert_eq!(TERMINAL.paint(ColorChoice::Never), Paint::Plain);
    }

    #[test]
    fn a_page_is_as_wide_as_the_terminal_within_limits() {
        assert_eq!([0, 50, 80, 400].map(width_of), [20, 50, 80, 120]);
    }
}
