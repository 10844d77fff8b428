//! What observing adds to a swap-in, in instructions.

use std::path::Path;

use anyhow::{Context as _, Result};

use super::{counted::Counted, figures::Overhead, hooks, pages, peers, screen, sets};
use crate::kernels::Kernel;

/// The kept figures, relative to the workspace.
pub(crate) const KEPT: &str = "docs/bench/overhead.json";

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Part {
    /// Each set of hooks
    Sets,
    /// Full and lean hooks over pages with different contents
    Pages,
    /// Each hook of the full set, with an empty program and with its own
    Hooks,
    /// The dashboard on a terminal, and a recording without one
    Screen,
    /// Other tools: the nearest equivalent in bpftrace, and funclatency
    Peers,
}

impl Part {
    /// In the order of the tables.
    pub(crate) const ALL: [Self; 5] = [Self::Sets, Self::Pages, Self::Hooks, Self::Screen, Self::Peers];

    const fn name(self) -> &'static str {
        match self {
            Self::Sets => "sets of hooks",
            Self::Pages => "pages",
            Self::Hooks => "hooks",
            Self::Screen => "screen",
            Self::Peers => "peers",
        }
    }
}

/// Paths of static programs for guests.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Programs<'a> {
    pub(crate) observer: &'a Path,
    /// Only for [`Part::Screen`].
    pub(crate) spectator: Option<&'a Path>,
}

/// Measures each part in a separate guest.
///
/// # Errors
/// When a guest does not run to its end, or its output cannot be read.
pub(crate) fn measure(kernel: &Kernel, programs: Programs<'_>, parts: &[Part]) -> Result<Overhead> {
    let mut figures = Overhead { kernel: kernel.release.clone(), ..Overhead::default() };
    for part in parts {
        eprintln!("{}: measuring {}", kernel.release, part.name());
        let guest = Counted::new(kernel, programs.observer);
        match part {
            Part::Sets => (figures.compressor, figures.rows) = sets::measure(&guest)?,
            Part::Pages => figures.pages = pages::measure(&guest)?,
            Part::Hooks => figures.hooks = Some(hooks::measure(&guest)?),
            Part::Screen => {
                let spectator = programs.spectator.context("the spectator was not built")?;
                figures.screen = screen::measure(&guest, spectator)?;
            }
            Part::Peers => figures.peers = peers::measure(&guest)?,
        }
    }
    Ok(figures)
}

/// `kept` with the figures of `measured`. They replace those of the same kernel and part; parts that were not measured
/// are kept.
pub(crate) fn merged(mut kept: Vec<Overhead>, measured: &[Overhead]) -> Vec<Overhead> {
    for figures in measured {
        match kept.iter_mut().find(|kept| kept.kernel == figures.kernel) {
            Some(kept) => replace(kept, figures.clone()),
            None => kept.push(figures.clone()),
        }
    }
    kept
}

fn replace(kept: &mut Overhead, Overhead { kernel: _, compressor, rows, pages, hooks, screen, peers }: Overhead) {
    if !rows.is_empty() {
        (kept.compressor, kept.rows) = (compressor, rows);
    }
    if !pages.is_empty() {
        kept.pages = pages;
    }
    if hooks.is_some() {
        kept.hooks = hooks;
    }
    if !screen.is_empty() {
        kept.screen = screen;
    }
    if !peers.is_empty() {
        kept.peers = peers;
    }
}

/// A line for each figure that is worse than `kept` allows.
pub(crate) fn regressions(kept: &[Overhead], measured: &[Overhead]) -> Vec<String> {
    sets::regressions(kept, measured)
}

/// A Markdown table for each part that was measured.
pub(crate) fn tables(all: &[Overhead]) -> String {
    let tables = [sets::tables(all), pages::tables(all), hooks::tables(all), screen::tables(all), peers::tables(all)];
    tables.into_iter().filter(|table| !table.is_empty()).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        bench::figures::{PagesRows, Row},
        paths,
    };

    const PAGE: &str = "docs/overhead.md";

    #[test]
    fn the_page_has_the_tables_of_the_kept_figures() {
        let read = |path| std::fs::read_to_string(paths::workspace().join(path)).unwrap();
        let (page, kept): (_, Vec<Overhead>) = (read(PAGE), serde_json::from_str(&read(KEPT)).unwrap());
        for table in [sets::tables, pages::tables, hooks::tables, screen::tables, peers::tables] {
            let table = table(&kept);
            assert!(page.contains(&table), "{PAGE} lacks this table:\n{table}");
        }
    }

    fn row(observed: f64) -> Row {
        Row { name: "full".into(), untraced: 1.0, observed, spread: 0.1 }
    }

    #[test]
    fn figures_of_other_kernels_are_kept() {
        let of = |kernel: &str, observed| Overhead {
            kernel: kernel.into(),
            rows: vec![row(observed)],
            ..Overhead::default()
        };
        let merged = merged(vec![of("a", 2.0), of("b", 2.0)], &[of("b", 3.0), of("c", 3.0)]);
        assert_eq!(merged, [of("a", 2.0), of("b", 3.0), of("c", 3.0)]);
    }

    #[test]
    fn parts_that_were_not_measured_are_kept() {
        let pages = |contents: &str| PagesRows { contents: contents.into(), compressor: "lz4".into(), rows: vec![] };
        let kept = Overhead {
            kernel: "a".into(),
            compressor: "lz4".into(),
            rows: vec![row(2.0)],
            pages: vec![pages("fast")],
            ..Overhead::default()
        };
        let rows =
            Overhead { kernel: "a".into(), compressor: "zstd".into(), rows: vec![row(3.0)], ..Overhead::default() };
        let expected = Overhead { pages: vec![pages("fast")], ..rows.clone() };
        assert_eq!(merged(vec![kept.clone()], &[rows]), [expected]);
        let other = Overhead { kernel: "a".into(), pages: vec![pages("slow")], ..Overhead::default() };
        assert_eq!(merged(vec![kept.clone()], &[other]), [Overhead { pages: vec![pages("slow")], ..kept }]);
    }

    #[test]
    fn a_part_that_was_not_measured_has_no_table() {
        let figures = Overhead { kernel: "x".into(), rows: vec![row(2.0)], ..Overhead::default() };
        assert_eq!(tables(&[figures]).matches("|---|").count(), 1);
    }
}
