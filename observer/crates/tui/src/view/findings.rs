//! The list of findings, and the picture of the selected one where there is room.

use super::{pen::Pen, picture, table};
use crate::{
    app::{App, Tab},
    layout::{self, Area},
};

pub(super) fn findings(pen: &mut Pen<'_>, app: &App, body: Area) {
    let model = &app.shown().model;
    let areas = layout::table(body, Tab::Findings);
    table::table(pen, &app.findings, &model.findings, &areas, &table::empty(model, "no reader was overtaken"));
    if areas.preview.is_empty() {
        return;
    }
    if let Some(row) = app.selected_finding() {
        let above = Area { y: areas.preview.y - 1, height: 1, ..areas.preview };
        pen.rule(above);
        picture::picture(pen, model, row, areas.preview, 0);
    }
}
