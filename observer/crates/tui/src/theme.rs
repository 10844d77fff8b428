//! Colours and characters. The colours are from Okabe and Ito's palette, which the colour-blind can tell apart, in shades
//! that stand out from light and dark grounds alike; text is always in the terminal's own colour. Nothing is told by colour
//! alone.

use ratatui::style::{Color, Modifier, Style};

use observer_engine::verdict::Verdict;
use observer_report::picture::{
    parts::{Fill, Mark},
    text::{Charset, Ink},
};

/// How many colours the terminal has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colours {
    /// None, or the user wants none.
    None,
    /// The sixteen.
    Few,
    /// 256.
    Many,
}

/// What a piece of text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Text.
    Plain,
    /// Less important.
    Dim,
    /// More important.
    Strong,
    /// All is well.
    Good,
    /// Costs time.
    Caution,
    /// Loses data, or was lost.
    Bad,
    /// Headings, keys, what can be chosen.
    Accent,
    /// The selected row.
    Selected,
}

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Theme {
    /// Colours.
    pub colours: Colours,
    /// Characters.
    pub charset: Charset,
}

/// What the environment says of the terminal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// `TERM`.
    pub term: String,
    /// `COLORTERM`.
    pub colorterm: String,
    /// `NO_COLOR`, if set and not empty.
    pub no_color: bool,
    /// The first that is set of `LC_ALL`, `LC_CTYPE`, `LANG`.
    pub locale: String,
    /// `--ascii`.
    pub ascii: bool,
}

impl Environment {
    /// Of this process.
    pub fn of_process(ascii: bool) -> Self {
        let get = |name: &str| std::env::var(name).unwrap_or_default();
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].map(get).into_iter().find(|value| !value.is_empty());
        Self {
            term: get("TERM"),
            colorterm: get("COLORTERM"),
            no_color: !get("NO_COLOR").is_empty(),
            locale: locale.unwrap_or_default(),
            ascii,
        }
    }
}

impl Theme {
    /// Chooses by environment. Pure.
    pub fn choose(environment: &Environment) -> Self {
        let term = environment.term.as_str();
        let plain = matches!(term, "" | "dumb") || term.starts_with("vt");
        let colours = if environment.no_color || plain {
            Colours::None
        } else if term.contains("256color") || term.contains("direct") || !environment.colorterm.is_empty() {
            Colours::Many
        } else {
            Colours::Few
        };
        let locale = environment.locale.to_lowercase();
        let unicode = locale.contains("utf-8") || locale.contains("utf8");
        // The kernel's own console draws lines, but lacks most block elements.
        let charset =
            if unicode && !environment.ascii && !plain && term != "linux" { Charset::Unicode } else { Charset::Ascii };
        Self { colours, charset }
    }

    /// One of two characters.
    pub const fn pick(self, unicode: char, ascii: char) -> char {
        match self.charset {
            Charset::Unicode => unicode,
            Charset::Ascii => ascii,
        }
    }

    /// Heights of a bar, from nothing to full.
    pub const fn levels(self) -> [char; 9] {
        match self.charset {
            Charset::Unicode => [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'],
            Charset::Ascii => [' ', '.', ':', '-', '=', '+', '*', '%', '#'],
        }
    }

    fn colour(self, few: Color, many: u8) -> Style {
        match self.colours {
            Colours::None => Style::new(),
            Colours::Few => Style::new().fg(few),
            Colours::Many => Style::new().fg(Color::Indexed(many)),
        }
    }

    /// The style of a tone.
    pub fn tone(self, tone: Tone) -> Style {
        match tone {
            Tone::Plain => Style::new(),
            Tone::Dim => Style::new().add_modifier(Modifier::DIM),
            Tone::Strong => Style::new().add_modifier(Modifier::BOLD),
            Tone::Good => self.colour(Color::Green, 36),
            Tone::Caution => self.colour(Color::Yellow, 172),
            Tone::Bad => self.colour(Color::Red, 166).add_modifier(Modifier::BOLD),
            Tone::Accent => self.colour(Color::Blue, 32).add_modifier(Modifier::BOLD),
            Tone::Selected => Style::new().add_modifier(Modifier::REVERSED),
        }
    }

    /// The tone of a verdict.
    pub const fn of_verdict(verdict: Verdict) -> Tone {
        match verdict {
            Verdict::Overlap => Tone::Plain,
            Verdict::LockWait | Verdict::PinWait | Verdict::Window => Tone::Caution,
            Verdict::Reuse | Verdict::StaleInstall => Tone::Bad,
        }
    }

    /// The style of a part of a picture.
    pub fn ink(self, ink: Ink) -> Style {
        match ink {
            Ink::Plain => self.tone(Tone::Plain),
            Ink::Dim => self.tone(Tone::Dim),
            Ink::Title => self.tone(Tone::Strong),
            Ink::Fill(fill) => match fill {
                Fill::Fault | Fill::Free => self.tone(Tone::Dim),
                Fill::Read => self.colour(Color::Blue, 32),
                Fill::Pin => self.colour(Color::Green, 36),
                Fill::Danger => self.tone(Tone::Bad),
                Fill::Old => self.colour(Color::Cyan, 74),
                Fill::Allocated => self.colour(Color::Yellow, 172),
                Fill::New => self.colour(Color::Magenta, 175),
            },
            Ink::Mark(mark) => match mark {
                Mark::ReadStart | Mark::ReadEnd => self.tone(Tone::Accent),
                Mark::PinTaken | Mark::PinLost | Mark::PinDropped => {
                    self.colour(Color::Green, 36).add_modifier(Modifier::BOLD)
                }
                Mark::StaleInstalled | Mark::MixedInstalled => self.tone(Tone::Bad),
                Mark::Freed | Mark::Allocated | Mark::Written | Mark::Installed | Mark::GaveUp => {
                    self.tone(Tone::Strong)
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(term: &str, locale: &str) -> Environment {
        Environment { term: term.to_owned(), locale: locale.to_owned(), ..Environment::default() }
    }

    #[test]
    fn chosen_by_what_the_terminal_says() {
        let choose = |term, locale| {
            let theme = Theme::choose(&environment(term, locale));
            (theme.colours, theme.charset)
        };
        assert_eq!(choose("xterm-256color", "en_US.UTF-8"), (Colours::Many, Charset::Unicode));
        assert_eq!(choose("xterm", "C.utf8"), (Colours::Few, Charset::Unicode));
        assert_eq!(choose("xterm", "C"), (Colours::Few, Charset::Ascii));
        assert_eq!(choose("linux", "C.UTF-8"), (Colours::Few, Charset::Ascii));
        assert_eq!(choose("vt100", "C.UTF-8"), (Colours::None, Charset::Ascii));
        assert_eq!(choose("", ""), (Colours::None, Charset::Ascii));
    }

    #[test]
    fn the_user_has_the_last_word() {
        let wish = Environment { no_color: true, ascii: true, ..environment("xterm-256color", "C.UTF-8") };
        assert_eq!(Theme::choose(&wish), Theme { colours: Colours::None, charset: Charset::Ascii });
    }

    #[test]
    fn without_colours_there_are_none() {
        let theme = Theme { colours: Colours::None, charset: Charset::Ascii };
        for tone in [Tone::Good, Tone::Caution, Tone::Bad, Tone::Accent] {
            assert_eq!(theme.tone(tone).fg, None);
        }
    }

    #[test]
    fn no_style_sets_black_or_white() {
        let theme = Theme { colours: Colours::Few, charset: Charset::Ascii };
        for tone in [Tone::Plain, Tone::Dim, Tone::Strong, Tone::Good, Tone::Caution, Tone::Bad, Tone::Accent] {
            let style = theme.tone(tone);
            assert!(style.bg.is_none() && !matches!(style.fg, Some(Color::Black | Color::White | Color::Gray)));
        }
    }
}
