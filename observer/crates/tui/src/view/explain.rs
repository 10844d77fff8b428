//! What a row means: its verdict and what to do, what may not have been observed, and its columns.

use ratatui::text::Line;

use super::help::Page;
use crate::{
    app::{
        SelectedRow,
        table::{Meaning, TableRow},
    },
    model::Model,
    numbers::count,
    theme::Theme,
};
use observer_engine::verdict::Verdict;
use observer_report::{glossary, words};

type Row = (String, String);

/// The lines on a screen of this width.
pub(super) fn lines(theme: Theme, model: &Model, row: &SelectedRow, width: u16) -> Vec<Line<'static>> {
    let (verdict, columns) = match row {
        SelectedRow::Entry(row) => (row.contention.worst, columns(row)),
        SelectedRow::Group(row) => (row.contention.worst, columns(row)),
        SelectedRow::Finding(row) => (row.finding.verdict, columns(row)),
    };
    let mut page = Page::new(theme, width, true);
    for (title, rows) in [
        (verdict.to_string(), verdict_rows(model, row, verdict)),
        ("what may be missing".to_owned(), missing(model)),
        ("this row".to_owned(), columns),
    ] {
        page.section(&title, rows.iter().map(|(term, text)| (term.as_str(), text.as_str())));
    }
    page.lines
}

fn verdict_rows(model: &Model, row: &SelectedRow, verdict: Verdict) -> Vec<Row> {
    let meaning = glossary::meaning(&verdict.to_string()).unwrap_or_default().to_owned();
    let here = match row {
        SelectedRow::Finding(row) => Some(("here".to_owned(), words::what_happened(&row.finding))),
        SelectedRow::Entry(row) if verdict >= Verdict::Window => {
            let entry = row.entry.entry;
            Some(("here".to_owned(), format!("The findings on this entry: 4, then f and entry:{entry} and Enter.")))
        }
        SelectedRow::Entry(_) | SelectedRow::Group(_) => None,
    };
    let to_do = words::what_to_do(verdict, model.about.kernel.state);
    [Some(("meaning".to_owned(), meaning)), here, Some(("what to do".to_owned(), to_do))]
        .into_iter()
        .flatten()
        .collect()
}

/// Each column with its value and what that means.
fn columns<R: TableRow>(row: &R) -> Vec<Row> {
    let meaning = |meaning: &Meaning| match meaning {
        Meaning::Term(term) => glossary::meaning(term).unwrap_or_default(),
        Meaning::Text(text) => text,
    };
    let columns = R::COLUMNS.iter().zip(row.cells()).zip(R::MEANINGS);
    columns.map(|((column, value), means)| (format!("{} {value}", column.name), meaning(means).to_owned())).collect()
}

/// What the hooks do not see, and what was dropped.
fn missing(model: &Model) -> Vec<Row> {
    let hooks = model.about.kernel.degraded.iter().map(|gap| ("hook".to_owned(), words::missing_hook(gap)));
    let causes = model.dropped.iter().filter(|(_, count)| **count > 0);
    let dropped = causes.map(|(cause, dropped)| {
        ("dropped".to_owned(), format!("{} events: {}", count(*dropped), words::cause(*cause)))
    });
    let effect = (model.dropped_events() > 0).then_some("Counts and verdicts may be too low.");
    let effect = effect.map(|effect| (String::new(), effect.to_owned()));
    let all: Vec<Row> = hooks.chain(dropped).chain(effect).collect();
    if all.is_empty() {
        let text = "No event was dropped, and no hook is missing that a verdict needs.";
        return vec![("nothing".to_owned(), text.to_owned())];
    }
    all
}
