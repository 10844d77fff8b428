//! The list of findings, and the picture of the selected one if there is room.

use super::{pen::Pen, picture, table};
use crate::{
    app::{App, Tab},
    layout::TableAreas,
};

pub(super) fn findings(pen: &mut Pen<'_>, app: &App, areas: &TableAreas, none: &str) {
    let model = &app.shown().model;
    table::table(pen, &app.findings, &model.findings, app.columns.of(Tab::Findings), areas.table, none);
    if let Some(row) = app.selected_finding().filter(|_| !areas.preview.is_empty()) {
        pen.rule(areas.rule);
        picture::picture(pen, model, row, areas.preview, 0);
    }
}
