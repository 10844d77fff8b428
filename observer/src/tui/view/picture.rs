//! The swim-lane picture of a finding, in the colours of the terminal.

use super::pen::Pen;
use crate::{
    picture::{story::story, text},
    tui::{
        layout::Area,
        model::{FindingRow, Model},
    },
};

/// The picture over the view.
pub(super) fn page(pen: &mut Pen<'_>, model: &Model, row: &FindingRow, body: Area, scroll: usize) {
    picture(pen, model, row, body, scroll);
}

/// From one of its lines on; never scrolled away altogether.
pub(super) fn picture(pen: &mut Pen<'_>, model: &Model, row: &FindingRow, area: Area, scroll: usize) {
    let story = story(&row.finding, &model.setting(&row.device));
    let canvas = text::draw(&story, usize::from(area.width), pen.theme.charset);
    let most = canvas.height().saturating_sub(usize::from(area.height));
    pen.canvas(area, &canvas, scroll.min(most));
}
