//! Colours of text. Colour never carries information that the text does not.

/// Whether text has colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Paint {
    #[default]
    Plain,
    /// The 16 colours of ECMA-48, in the terminal's own shades.
    Colours,
}

/// The role of a piece of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Plain,
    /// Labels.
    Dim,
    Good,
    /// Costs time, or makes a result incomplete.
    Caution,
    /// Data loss, or what makes it possible.
    Bad,
}

impl Tone {
    /// Parameters of `SGR` (select graphic rendition).
    const fn parameters(self) -> &'static str {
        match self {
            Self::Plain => "0",
            Self::Dim => "2",
            Self::Good => "32",
            Self::Caution => "33",
            Self::Bad => "1;31",
        }
    }
}

impl Paint {
    /// `text` must be escaped already ([`observer_text::line`]): afterwards the colours would be.
    pub fn tone(self, tone: Tone, text: &str) -> String {
        match (self, tone) {
            (Self::Plain, _) | (_, Tone::Plain) => text.to_owned(),
            _ if text.is_empty() => String::new(),
            (Self::Colours, tone) => format!("\u{1b}[{}m{text}\u{1b}[0m", tone.parameters()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_has_a_tone_is_coloured() {
        assert_eq!(Paint::Colours.tone(Tone::Bad, "x"), "\u{1b}[1;31mx\u{1b}[0m");
        assert_eq!(Paint::Colours.tone(Tone::Plain, "x"), "x");
        assert_eq!(Paint::Colours.tone(Tone::Dim, ""), "");
        assert_eq!(Paint::Plain.tone(Tone::Bad, "x"), "x");
    }
}
