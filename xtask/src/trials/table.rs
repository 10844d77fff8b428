//! The README's table of the matrix: made by a run, kept between two markers, and read back so that a run of one kernel
//! leaves the others' rows.

use std::fmt::Write as _;

use anyhow::{Context as _, Result};

use crate::arch::Arch;

const START: &str = "<!-- matrix: written by `cargo xtask test guest --matrix --readme` -->";
const END: &str = "<!-- matrix: end -->";
const HEADER: &str = "| kernel | family | what it does about the race | hooks | self-test | counts | the race on purpose |\n\
                      |---|---|---|---|---|---|---|\n";

/// One kernel on one backend.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// Its release.
    pub release: String,
    /// Its family.
    pub arch: Arch,
    /// What it does about the race.
    pub state: String,
    /// The backend asked for, and the hooks that came of it.
    pub hooks: String,
    /// What the self-test showed.
    pub self_test: String,
    /// How many swap-ins were seen and counted by the kernel.
    pub counts: String,
    /// How `stress targeted` came out.
    pub race: String,
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

/// The README with these rows in its table, in place of those of the same kernels.
///
/// # Errors
/// When the markers are gone.
pub fn put(readme: &str, new: &[Row]) -> Result<String> {
    let (before, table, after) = split(readme)?;
    let is_new = |row: &Row| new.iter().any(|other| (other.arch, &other.release) == (row.arch, &row.release));
    let mut rows: Vec<Row> = rows(table).into_iter().filter(|row| !is_new(row)).collect();
    rows.extend_from_slice(new);
    let number = |release: &str| release.split('.').map(|part| part.parse::<u32>().ok()).collect::<Vec<_>>();
    // Stable: the backends of a kernel stay in their order.
    rows.sort_by_key(|row| (row.arch != Arch::X86_64, number(&row.release)));
    Ok(format!("{before}{}{after}", render(&rows)))
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

/// What is before the table, the table with its markers, and what is behind it.
fn split(readme: &str) -> Result<(&str, &str, &str)> {
    let lost = "the README has lost the markers of its table of kernels";
    let (before, rest) = readme.split_once(START).context(lost)?;
    let (inner, after) = rest.split_once(END).context(lost)?;
    let table = readme.get(before.len()..before.len() + START.len() + inner.len() + END.len()).context(lost)?;
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
    fn new_rows_replace_those_of_the_same_kernel() {
        let empty = format!("a\n{}\nb", render(&[]));
        let old = [row("7.3.4", Arch::Arm64, "x"), row("6.1.192", Arch::X86_64, "y"), row("6.12.1", Arch::X86_64, "z")];
        let first = put(&empty, &old).unwrap();
        let again = put(&first, &[row("6.1.192", Arch::X86_64, "new"), row("6.1.192", Arch::X86_64, "newer")]).unwrap();
        let (before, table, after) = split(&again).unwrap();
        assert_eq!((before, after), ("a\n", "\nb"));
        let hooks: Vec<_> = rows(table).into_iter().map(|row| row.hooks).collect();
        assert_eq!(hooks, ["new", "newer", "z", "x"], "x86-64 first, by release");
        assert!(put("no markers", &old).is_err());
    }

    /// The README's table is one that this generator writes, and has every kernel of the matrix.
    #[test]
    fn the_readme_is_in_step() {
        let readme = std::fs::read_to_string(paths::workspace().join("README.md")).unwrap();
        assert_eq!(put(&readme, &[]).unwrap(), readme, "write it with `cargo xtask test guest --matrix --readme`");
        let rows = rows(split(&readme).unwrap().1);
        for arch in Arch::ALL {
            for offer in table::of(arch) {
                assert!(rows.iter().any(|row| row.arch == arch && row.release == offer.release), "{arch} {offer:?}");
            }
        }
    }
}
