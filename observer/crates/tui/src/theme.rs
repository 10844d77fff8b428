//! Colours and characters. The colours are from Okabe and Ito's palette, which people with colour blindness can
//! distinguish, in shades that are readable on light and dark backgrounds. Text has the terminal's own colour, and
//! colour never carries information that the text does not.

use ratatui::{
    style::{Color, Modifier, Style},
    symbols::bar,
    text::Span,
};

use observer_engine::verdict::Verdict;
use observer_report::picture::{
    parts::{Fill, Mark},
    text::{Charset, Ink},
};
use observer_text::line;

/// How many colours the terminal has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colours {
    None,
    /// 16.
    Few,
    /// 256.
    Many,
    /// White on black and colours that stand out from it, among 16.
    FewContrasting,
    /// The same, among 256.
    ManyContrasting,
}

/// Colours that a user chooses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Palette {
    /// Those of Okabe and Ito, on the background of the terminal.
    #[default]
    ColourBlind,
    /// White on black, whatever the colours of the terminal.
    HighContrast,
    /// No colours; bold, dim and reversed text remain.
    None,
}

impl Palette {
    pub const ALL: [Self; 3] = [Self::ColourBlind, Self::HighContrast, Self::None];

    /// The name in the configuration file and on the command line.
    pub const fn code(self) -> &'static str {
        match self {
            Self::ColourBlind => "colour-blind",
            Self::HighContrast => "high-contrast",
            Self::None => "none",
        }
    }
}

/// The role of a piece of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Plain,
    Dim,
    Strong,
    Good,
    /// Costs time.
    Caution,
    /// Data loss, or dropped events.
    Bad,
    /// Keys, tabs, bars.
    Accent,
    /// The selected tab or row.
    Selected,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Theme {
    pub colours: Colours,
    pub charset: Charset,
}

/// The environment variables and options that describe the terminal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// `TERM`.
    pub term: String,
    /// `COLORTERM`.
    pub colorterm: String,
    /// `NO_COLOR` is set and not empty.
    pub no_color: bool,
    /// The first of `LC_ALL`, `LC_CTYPE`, `LANG` that is set.
    pub locale: String,
    /// `--ascii`.
    pub ascii: bool,
    pub palette: Palette,
}

impl Environment {
    /// Whether the locale is one with UTF-8.
    pub fn is_utf8(&self) -> bool {
        let locale = self.locale.to_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    }
}

/// In the colour cube, which a terminal's colour scheme does not change.
const BLACK: u8 = 16;
const WHITE: u8 = 231;

/// A colour of the palette of 256, as light as black behind it needs.
const fn lighter(colour: u8) -> u8 {
    match colour {
        32 => 117,
        36 => 49,
        74 => 159,
        172 => 226,
        175 => 219,
        _ => WHITE,
    }
}

const fn bright(colour: Color) -> Color {
    match colour {
        Color::Blue | Color::Cyan => Color::LightCyan,
        Color::Green => Color::LightGreen,
        Color::Yellow => Color::LightYellow,
        Color::Magenta => Color::LightMagenta,
        _ => Color::White,
    }
}

impl Theme {
    /// Chooses by environment.
    pub fn choose(environment: &Environment) -> Self {
        let term = environment.term.as_str();
        let plain = matches!(term, "" | "dumb") || term.starts_with("vt");
        let many = term.contains("256color") || term.contains("direct") || !environment.colorterm.is_empty();
        let colours = match environment.palette {
            _ if environment.no_color || plain => Colours::None,
            Palette::None => Colours::None,
            Palette::ColourBlind if many => Colours::Many,
            Palette::ColourBlind => Colours::Few,
            Palette::HighContrast if many => Colours::ManyContrasting,
            Palette::HighContrast => Colours::FewContrasting,
        };
        // The Linux console (TERM=linux) has line-drawing characters but lacks most block elements.
        let charset = if environment.is_utf8() && !environment.ascii && !plain && term != "linux" {
            Charset::Unicode
        } else {
            Charset::Ascii
        };
        Self { colours, charset }
    }

    /// One of two characters.
    pub const fn pick(self, unicode: char, ascii: char) -> char {
        match self.charset {
            Charset::Unicode => unicode,
            Charset::Ascii => ascii,
        }
    }

    /// The characters of a bar, by height.
    pub const fn bars(self) -> bar::Set<'static> {
        match self.charset {
            Charset::Unicode => bar::NINE_LEVELS,
            Charset::Ascii => bar::Set {
                empty: " ",
                one_eighth: ".",
                one_quarter: ":",
                three_eighths: "-",
                half: "=",
                five_eighths: "+",
                three_quarters: "*",
                seven_eighths: "%",
                full: "#",
            },
        }
    }

    /// A character that this terminal can show.
    pub(crate) const fn glyph(self, ch: char) -> char {
        match (self.charset, ch) {
            (Charset::Ascii, '\u{b5}') => 'u',
            (Charset::Ascii, ch) if !ch.is_ascii() => '?',
            (_, ch) => ch,
        }
    }

    /// Text that this terminal can show.
    pub fn span(self, text: &str, tone: Tone) -> Span<'static> {
        let text: String = line(text).chars().map(|ch| self.glyph(ch)).collect();
        Span::styled(text, self.tone(tone))
    }

    fn colour(self, few: Color, many: u8) -> Style {
        match self.colours {
            Colours::None => Style::new(),
            Colours::Few => Style::new().fg(few),
            Colours::Many => Style::new().fg(Color::Indexed(many)),
            Colours::FewContrasting => Style::new().fg(bright(few)),
            Colours::ManyContrasting => Style::new().fg(Color::Indexed(lighter(many))),
        }
    }

    /// The style of a cell before anything is drawn in it.
    pub const fn base(self) -> Style {
        match self.colours {
            Colours::None | Colours::Few | Colours::Many => Style::new(),
            Colours::FewContrasting => Style::new().fg(Color::White).bg(Color::Black),
            Colours::ManyContrasting => Style::new().fg(Color::Indexed(WHITE)).bg(Color::Indexed(BLACK)),
        }
    }

    const fn is_contrasting(self) -> bool {
        matches!(self.colours, Colours::FewContrasting | Colours::ManyContrasting)
    }

    pub fn tone(self, tone: Tone) -> Style {
        match tone {
            // Dim text is what is hard to read.
            Tone::Dim if self.is_contrasting() => Style::new(),
            // A block of colour: not only the hue differs from a caution.
            Tone::Bad if self.is_contrasting() => {
                self.colour(Color::Yellow, 172).add_modifier(Modifier::BOLD | Modifier::REVERSED)
            }
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

    pub const fn of_verdict(verdict: Verdict) -> Tone {
        match verdict {
            Verdict::Overlap => Tone::Plain,
            Verdict::LockWait | Verdict::PinWait | Verdict::Window => Tone::Caution,
            Verdict::Reuse | Verdict::StaleInstall => Tone::Bad,
        }
    }

    /// The style of a part of a finding's picture.
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
                Mark::PinTaken | Mark::PinFailed | Mark::PinReleased => {
                    self.colour(Color::Green, 36).add_modifier(Modifier::BOLD)
                }
                Mark::StaleInstalled | Mark::UncertainInstalled => self.tone(Tone::Bad),
                Mark::Freed | Mark::Allocated | Mark::Written | Mark::Installed | Mark::Discarded => {
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
    fn the_theme_follows_term_and_locale() {
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
    fn no_color_and_ascii_override_the_terminal() {
        let overridden = Environment { no_color: true, ascii: true, ..environment("xterm-256color", "C.UTF-8") };
        assert_eq!(Theme::choose(&overridden), Theme { colours: Colours::None, charset: Charset::Ascii });
    }

    #[test]
    fn a_terminal_without_unicode_gets_another_letter_for_the_micro_sign() {
        let shown = |charset| Theme { colours: Colours::None, charset }.span("1 \u{b5}s \u{e9}", Tone::Plain).content;
        assert_eq!((shown(Charset::Ascii), shown(Charset::Unicode)), ("1 us ?".into(), "1 \u{b5}s \u{e9}".into()));
    }

    #[test]
    fn a_theme_without_colours_sets_none() {
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
            assert_eq!(style.bg, None, "{tone:?}");
            assert!(!matches!(style.fg, Some(Color::Black | Color::White | Color::Gray)), "{tone:?}");
        }
    }

    #[test]
    fn no_color_overrides_the_theme_and_the_theme_the_terminal() {
        let choose = |palette, no_color| {
            let environment = Environment { no_color, palette, ..environment("xterm-256color", "C.UTF-8") };
            Theme::choose(&environment).colours
        };
        let chosen = Palette::ALL.map(|palette| choose(palette, false));
        assert_eq!(chosen, [Colours::Many, Colours::ManyContrasting, Colours::None]);
        assert_eq!(Palette::ALL.map(|palette| choose(palette, true)), [Colours::None; 3]);
        let few = Environment { palette: Palette::HighContrast, ..environment("xterm", "C.UTF-8") };
        assert_eq!(Theme::choose(&few).colours, Colours::FewContrasting);
    }

    /// Relative luminance of a colour of the cube, as WCAG 2 defines it.
    fn luminance(colour: Color) -> f64 {
        let Color::Indexed(index @ 16..=231) = colour else { panic!("{colour:?} is not in the cube") };
        let level = |step: u8| match step {
            0 => 0.0,
            step => f64::from(55 + 40 * u32::from(step)) / 255.0,
        };
        let linear = |value: f64| if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) };
        let [red, green, blue] =
            [(index - 16) / 36, (index - 16) / 6 % 6, (index - 16) % 6].map(|step| linear(level(step)));
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    #[test]
    fn every_colour_of_the_high_contrast_theme_has_the_contrast_of_wcag_aaa() {
        let theme = Theme { colours: Colours::ManyContrasting, charset: Charset::Unicode };
        let base = theme.base();
        let tones =
            [Tone::Plain, Tone::Dim, Tone::Strong, Tone::Good, Tone::Caution, Tone::Bad, Tone::Accent, Tone::Selected]
                .map(|tone| theme.tone(tone));
        let fills =
            [Fill::Fault, Fill::Free, Fill::Read, Fill::Pin, Fill::Danger, Fill::Old, Fill::Allocated, Fill::New]
                .map(|fill| theme.ink(Ink::Fill(fill)));
        for style in tones.into_iter().chain(fills).map(|style| base.patch(style)) {
            let ratio = (luminance(style.fg.unwrap()) + 0.05) / (luminance(style.bg.unwrap()) + 0.05);
            assert!(ratio >= 7.0, "{style:?}: {ratio}");
            assert!(!style.add_modifier.contains(Modifier::DIM), "{style:?}");
        }
        assert_ne!(theme.tone(Tone::Bad), theme.tone(Tone::Caution));
    }
}
