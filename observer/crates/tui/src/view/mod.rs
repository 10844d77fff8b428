//! Draws the state. Nothing here changes it.

mod answers;
mod columns;
mod explain;
mod findings;
mod footer;
mod header;
mod help;
mod histogram;
mod overview;
mod pen;
mod picture;
mod prompt;
mod table;
mod tabs;

use ratatui::{
    buffer::Buffer,
    layout::Size,
    widgets::{Paragraph, Widget as _, Wrap},
};

use self::pen::Pen;
pub use self::tabs::labels;
use super::{
    app::{App, Overlay, Tab},
    layout::{self, SMALLEST, Screen},
    model::Model,
    theme::{Theme, Tone},
};

/// Draws the whole screen.
pub fn draw(app: &App, theme: Theme, buffer: &mut Buffer) {
    buffer.set_style(buffer.area, theme.base());
    let mut pen = Pen::new(buffer, theme);
    let size = pen.buffer.area.as_size();
    let Some(screen) = layout::screen(size) else {
        too_small(&mut pen, size);
        return;
    };
    let shown = app.shown();
    header::header(&mut pen, shown, screen.header, screen.header_size);
    tabs::tabs(&mut pen, app, screen.tabs);
    match &app.overlay {
        Some(Overlay::Help { page, scroll }) => {
            help::draw(&mut pen, help::lines(theme, &app.keys, *page, screen.body.width), screen.body, *scroll);
        }
        Some(Overlay::Row { row, scroll }) => {
            let lines = explain::lines(theme, &shown.model, row, screen.body.width);
            help::draw(&mut pen, lines, screen.body, *scroll);
        }
        Some(Overlay::Picture { row, scroll }) => picture::picture(&mut pen, &shown.model, row, screen.body, *scroll),
        Some(Overlay::Columns(picker)) => columns::columns(&mut pen, app.tab, picker, screen.body),
        None => view(&mut pen, app, &screen),
    }
    match &app.prompt {
        Some(line) => prompt::prompt(&mut pen, app, line, screen.body, screen.footer),
        None => footer::footer(&mut pen, app, screen.body, screen.footer),
    }
}

fn view(pen: &mut Pen<'_>, app: &App, screen: &Screen) {
    let shown = app.shown();
    let areas = layout::table(screen.body, app.tab);
    let columns = app.columns.of(app.tab);
    match app.tab {
        Tab::Overview => overview::overview(pen, shown, screen.body),
        Tab::Entries => {
            let none = nothing(&shown.model, "no entry was swapped in by two tasks at once");
            table::table(pen, &app.entries, &shown.model.entries, columns, areas.table, &none);
        }
        Tab::Tasks => {
            let none = nothing(&shown.model, "no task met another one on an entry");
            table::table(pen, &app.tasks, &app.groups, columns, areas.table, &none);
        }
        Tab::Findings => {
            let none = nothing(&shown.model, "no reader was overtaken");
            findings::findings(pen, app, &areas, &none);
        }
    }
}

/// What an empty table shows.
fn nothing(model: &Model, sentence: &str) -> String {
    if let Some(selection) = &model.about.selection {
        return format!("nothing matches {selection} so far; the overview counts everything");
    }
    match model.dropped_events() {
        0 => format!("{sentence} so far"),
        dropped => format!("{sentence} in the events observed; {dropped} events were dropped"),
    }
}

/// Rows of a table, and lines of an overlay, that fit on a screen.
pub fn pages(size: Size, tab: Tab) -> (usize, usize) {
    let Some(screen) = layout::screen(size) else { return (1, 1) };
    (layout::table(screen.body, tab).page().into(), screen.body.height.into())
}

/// How many lines the overlay can be scrolled.
pub fn scrollable(app: &App, theme: Theme, size: Size) -> usize {
    let Some(Screen { body, .. }) = layout::screen(size) else { return 0 };
    let lines = match &app.overlay {
        Some(Overlay::Help { page, .. }) => help::lines(theme, &app.keys, *page, body.width).len(),
        Some(Overlay::Row { row, .. }) => explain::lines(theme, &app.shown().model, row, body.width).len(),
        Some(Overlay::Picture { row, .. }) => picture::canvas(&app.shown().model, row, body.width, theme).height(),
        Some(Overlay::Columns(_)) | None => 0,
    };
    lines.saturating_sub(body.height.into())
}

fn too_small(pen: &mut Pen<'_>, size: Size) {
    let sentence = format!("observer needs {SMALLEST} characters, this terminal has {size}: enlarge it, or press q.");
    let text = Paragraph::new(pen.theme.span(&sentence, Tone::Plain)).wrap(Wrap { trim: true });
    text.render(pen.buffer.area, pen.buffer);
}
