//! Draws the state. Nothing here changes it: every function takes what it shows by reference and fills cells.

mod findings;
mod footer;
mod glance;
mod header;
mod help;
mod numbers;
mod overview;
mod pen;
mod picture;
mod strip;
mod table;
mod tabs;

use ratatui::buffer::Buffer;

pub use self::tabs::labels;
use self::{footer::footer, header::header, pen::Pen};
use super::{
    app::{App, Overlay, Tab},
    layout::{self, Area, SMALLEST},
    theme::{Theme, Tone},
};

/// Draws the whole screen.
pub fn draw(app: &App, theme: Theme, buffer: &mut Buffer) {
    let (width, height) = (buffer.area.width, buffer.area.height);
    let mut pen = Pen::new(buffer, theme);
    let Some(screen) = layout::screen(width, height) else {
        too_small(&mut pen, width, height);
        return;
    };
    let shown = app.shown();
    header(&mut pen, &shown.model, screen.header, screen.header_size);
    tabs::tabs(&mut pen, app, screen.tabs);
    match &app.overlay {
        Some(Overlay::Help { scroll }) => help::help(&mut pen, screen.body, *scroll),
        Some(Overlay::Picture { row, scroll }) => picture::page(&mut pen, &shown.model, row, screen.body, *scroll),
        None => view(&mut pen, app, screen.body),
    }
    footer(&mut pen, app, screen.footer);
}

fn view(pen: &mut Pen<'_>, app: &App, body: Area) {
    let shown = app.shown();
    match app.tab {
        Tab::Overview => overview::overview(pen, shown, body),
        Tab::Entries => {
            let areas = layout::table(body, app.tab);
            let none = "no entry was swapped in by two tasks at once";
            table::table(pen, &app.entries, &shown.model.entries, &areas, &table::empty(&shown.model, none));
        }
        Tab::Tasks => {
            let areas = layout::table(body, app.tab);
            let none = "no task met another on an entry";
            table::table(pen, &app.tasks, &app.parties, &areas, &table::empty(&shown.model, none));
        }
        Tab::Findings => findings::findings(pen, app, body),
    }
}

/// Rows of a table that fit on a screen, and lines of a picture.
pub fn pages(width: u16, height: u16, tab: Tab) -> (usize, usize) {
    let Some(screen) = layout::screen(width, height) else { return (1, 1) };
    (usize::from(layout::table(screen.body, tab).rows.height), usize::from(screen.body.height))
}

/// Lines of what lies over the view that are out of sight.
pub fn scrollable(app: &App, theme: Theme, width: u16, height: u16) -> usize {
    let Some(screen) = layout::screen(width, height) else { return 0 };
    let lines = match &app.overlay {
        Some(Overlay::Help { .. }) => help::lines().len(),
        Some(Overlay::Picture { row, .. }) => picture::lines(&app.shown().model, row, screen.body, theme.charset),
        None => 0,
    };
    lines.saturating_sub(usize::from(screen.body.height))
}

/// A sentence, on however little room there is.
fn too_small(pen: &mut Pen<'_>, width: u16, height: u16) {
    let sentence = format!(
        "observer needs at least {}x{} characters; this terminal has {width}x{height}. Please make it larger, or press q.",
        SMALLEST.0, SMALLEST.1
    );
    for (row, line) in (0..height).zip(observer_report::units::wrap(&sentence, usize::from(width))) {
        pen.put(Area { x: 0, y: row, width, height: 1 }, &line, Tone::Plain);
    }
}
