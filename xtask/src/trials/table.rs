//! The table of the matrix in docs/kernels.md. It is between two markers, and it is read back so that a run with one
//! kernel keeps the rows of the others.

use std::fmt::Write as _;

use anyhow::{Context as _, Result};

use crate::{arch::Arch, kernels::version};

/// The page with the table, relative to the workspace.
pub(super) const PAGE: &str = "docs/kernels.md";

const START: &str = "<!-- matrix: written by `cargo xtask test guest --matrix --docs` -->";
const END: &str = "<!-- matrix: end -->";
const HEADER: &str = "| kernel | family | state | hooks | self-test | counts | reproduced race |\n\
                      |---|---|---|---|---|---|---|\n";

/// One kernel on one backend.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) release: String,
    pub(super) arch: Arch,
    pub(super) state: String,
    /// The value of `--backend`, and the hooks by kind.
    pub(super) hooks: String,
    pub(super) self_test: String,
    pub(super) counts: String,
    /// `stress targeted`.
    pub(super) race: String,
}

impl Row {
    fn render(&self) -> String {
        let Self { release, arch, state, hooks, self_test, counts, race } = self;
        format!("| {release} | {arch} | {state} | {hooks} | {self_test} | {counts} | {race} |\n")
    }

    fn parse(line: &str) -> Option<Self> {
        let cells: Vec<&str> = line.strip_prefix('|')?.strip_suffix('|')?.split('|').map(str::trim).collect();
        let [release, family, state, hooks, self_test, counts, race] = cells.as_slice() else { return None };
        let arch = Arch::ALL.into_iter().find(|arch| arch.name() == *family)?;
        let text = |cell: &&str| (*cell).to_owned();
        Some(Self {
            release: text(release),
            arch,
            state: text(state),
            hooks: text(hooks),
            self_test: text(self_test),
            counts: text(counts),
            race: text(race),
        })
    }
}

/// `page` with the rows `new` in its table, which replace those of the same kernels.
///
/// # Errors
/// When the page has no markers.
pub(super) fn merge(page: &str, new: &[Row]) -> Result<String> {
    let (before, table, after) = split(page)?;
    let is_new = |row: &Row| new.iter().any(|other| (other.arch, &other.release) == (row.arch, &row.release));
    let mut rows: Vec<Row> = rows(table).into_iter().filter(|row| !is_new(row)).collect();
    rows.extend_from_slice(new);
    // A stable sort keeps the order of a kernel's backends.
    rows.sort_by(|left, right| order(left).cmp(&order(right)));
    Ok(format!("{before}{}{after}", render(&rows)))
}

/// x86-64 first, then by release.
fn order(row: &Row) -> impl Ord {
    (row.arch != Arch::X86_64, version::order(&row.release))
}

fn render(rows: &[Row]) -> String {
    let mut text = format!("{START}\n{HEADER}");
    for row in rows {
        text.push_str(&row.render());
    }
    // Writing into a String cannot fail.
    let _ = write!(text, "{END}");
    text
}

fn rows(table: &str) -> Vec<Row> {
    table.lines().filter_map(Row::parse).collect()
}

/// The text before the table, the table with its markers, and the text after it.
fn split(page: &str) -> Result<(&str, &str, &str)> {
    let missing = || format!("{PAGE} has no markers around its table");
    let (before, rest) = page.split_once(START).with_context(missing)?;
    let (inner, after) = rest.split_once(END).with_context(missing)?;
    let end = before.len() + START.len() + inner.len() + END.len();
    let table = page.get(before.len()..end).with_context(missing)?;
    Ok((before, table, after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{kernels::table, paths};

    fn row(release: &str, arch: Arch, hooks: &str) -> Row {
        Row { release: release.to_owned(), arch, hooks: hooks.to_owned(), ..Row::default() }
    }

    #[test]
    fn new_rows_replace_rows_of_the_same_kernel() {
        let empty = format!("a\n{}\nb", render(&[]));
        let old = [row("7.3.4", Arch::Arm64, "x"), row("6.1.192", Arch::X86_64, "y"), row("6.12.1", Arch::X86_64, "z")];
        let first = merge(&empty, &old).unwrap();
        let again =
            merge(&first, &[row("6.1.192", Arch::X86_64, "new"), row("6.1.192", Arch::X86_64, "newer")]).unwrap();
        let (before, table, after) = split(&again).unwrap();
        assert_eq!((before, after), ("a\n", "\nb"));
        let hooks: Vec<_> = rows(table).into_iter().map(|row| row.hooks).collect();
        assert_eq!(hooks, ["new", "newer", "z", "x"], "x86-64 first, by release");
        assert!(merge("no markers", &old).is_err());
    }

    #[test]
    fn the_table_in_the_docs_has_every_kernel_and_the_current_format() {
        let page = std::fs::read_to_string(paths::workspace().join(PAGE)).unwrap();
        assert_eq!(merge(&page, &[]).unwrap(), page, "write it with `cargo xtask test guest --matrix --docs`");
        let rows = rows(split(&page).unwrap().1);
        for arch in Arch::ALL {
            for offer in table::of(arch) {
                assert!(rows.iter().any(|row| row.arch == arch && row.release == offer.release), "{arch} {offer:?}");
            }
        }
    }
}
