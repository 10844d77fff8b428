//! The swim-lane picture of a finding, in the colours of the terminal.

use super::pen::Pen;
use crate::{
    layout::Area,
    model::{FindingRow, Model},
};
use observer_report::picture::{
    story::story,
    text::{self, Canvas, Charset},
};

/// The picture over the view.
pub(super) fn page(pen: &mut Pen<'_>, model: &Model, row: &FindingRow, body: Area, scroll: usize) {
    picture(pen, model, row, body, scroll);
}

/// From one of its lines on; never scrolled away altogether.
pub(super) fn picture(pen: &mut Pen<'_>, model: &Model, row: &FindingRow, area: Area, scroll: usize) {
    let canvas = canvas(model, row, area, pen.theme.charset);
    let most = canvas.height().saturating_sub(usize::from(area.height));
    pen.canvas(area, &canvas, scroll.min(most));
}

/// Its lines, in sight or not.
pub(super) fn lines(model: &Model, row: &FindingRow, area: Area, charset: Charset) -> usize {
    canvas(model, row, area, charset).height()
}

fn canvas(model: &Model, row: &FindingRow, area: Area, charset: Charset) -> Canvas {
    let story = story(&row.finding, &model.setting(&row.device));
    text::draw(&story, usize::from(area.width), charset)
}
