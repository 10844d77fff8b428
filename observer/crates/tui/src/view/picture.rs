//! The swim-lane picture of a finding, in the colours of the terminal.

use ratatui::layout::Rect;

use super::pen::Pen;
use crate::{
    model::{FindingRow, Model},
    theme::Theme,
};
use observer_report::picture::{
    story::story,
    text::{self, Canvas},
};

/// Draws the lines from `scroll` on, at most so far that the last one is still visible.
pub(super) fn picture(pen: &mut Pen<'_>, model: &Model, row: &FindingRow, area: Rect, scroll: usize) {
    let canvas = canvas(model, row, area.width, pen.theme);
    let most = canvas.height().saturating_sub(area.height.into());
    pen.canvas(area, &canvas, scroll.min(most));
}

pub(super) fn canvas(model: &Model, row: &FindingRow, width: u16, theme: Theme) -> Canvas {
    let story = story(&row.finding, &model.setting(row.device.as_deref()));
    text::draw(&story, width.into(), theme.charset)
}
