//! The page of keys.

use super::pen::Pen;
use crate::{
    app::keys::{BINDINGS, Place},
    layout::{self, Area},
    theme::Tone,
};

/// Columns that the page wants.
const WIDE: u16 = 84;
const KEYS: u16 = 18;

/// A line of the page.
pub(super) enum Line {
    Heading(&'static str),
    Binding(&'static str, &'static str),
    Blank,
}

pub(super) fn lines() -> Vec<Line> {
    let mut lines = Vec::new();
    for place in [Place::Everywhere, Place::Tables, Place::Picture, Place::Replay] {
        if !lines.is_empty() {
            lines.push(Line::Blank);
        }
        lines.push(Line::Heading(place.name()));
        let bindings = BINDINGS.iter().filter(|binding| binding.place == place);
        lines.extend(bindings.map(|binding| Line::Binding(binding.shown, binding.help)));
    }
    lines
}

pub(super) fn help(pen: &mut Pen<'_>, body: Area, scroll: usize) {
    let lines = lines();
    let mut area = layout::overlay(body, WIDE);
    let most = lines.len().saturating_sub(usize::from(area.height));
    for line in lines.iter().skip(scroll.min(most)) {
        let mut row = area.cut_top(1);
        match line {
            Line::Blank => {}
            Line::Heading(name) => {
                pen.put(row, name, Tone::Strong);
            }
            Line::Binding(keys, help) => {
                row.cut_left(2);
                let keys_area = row.cut_left(KEYS.min(row.width / 2));
                pen.put(keys_area, keys, Tone::Accent);
                pen.put(row, help, Tone::Plain);
            }
        }
        if area.is_empty() {
            return;
        }
    }
}
