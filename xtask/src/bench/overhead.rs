//! What observing adds to a swap-in, in instructions: a guest that counts them says the same in every run, whatever else
//! this machine does.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use super::{
    counted::Counted,
    hooks::{self, Hooks},
    pages::{self, OfPages},
    peers::{self, Beside},
    screen::{self, Share},
    sets::{self, Row},
};
use crate::kernels::Kernel;

/// Where the figures of a release are kept, from the workspace.
pub const KEPT: &str = "docs/bench/overhead.json";

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Part {
    /// Each set of hooks
    Sets,
    /// Both sets over pages that hold other things
    Pages,
    /// Each hook of the full set, empty and with its own program
    Hooks,
    /// The dashboard on a terminal, and a recording without one
    Screen,
    /// What people use today: bpftrace's nearest equivalent, and funclatency
    Peers,
}

impl Part {
    /// All, in the order of the tables.
    pub const ALL: [Self; 5] = [Self::Sets, Self::Pages, Self::Hooks, Self::Screen, Self::Peers];
}

/// The figures of one kernel.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Overhead {
    /// As `uname -r` prints it.
    pub kernel: String,
    /// What zram compressed with.
    #[serde(default)]
    pub compressor: String,
    /// One for each set of hooks.
    pub rows: Vec<Row>,
    /// Both sets over pages that hold other things.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pages: Vec<OfPages>,
    /// Each hook of the full set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hooks: Option<Hooks>,
    /// What runs in user space beside the hooks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub screen: Vec<Share>,
    /// What people use today, and the sets of hooks in the same guest.
    #[serde(default, skip_serializing_if = "Vec::is_empty", alias = "bpftrace")]
    pub peers: Vec<Beside>,
}

/// The programs that guests run.
#[derive(Clone, Copy, Debug)]
pub struct Programs<'a> {
    /// The static observer.
    pub observer: &'a Path,
    /// The static spectator, who sits at its dashboard; wanted for [`Part::Screen`] only.
    pub spectator: Option<&'a Path>,
}

/// Measures these parts, each in a guest of its own.
///
/// # Errors
/// When a guest could not be run to its end, or gave no figures.
pub fn measure(kernel: &Kernel, programs: Programs<'_>, parts: &[Part]) -> Result<Overhead> {
    let mut figures = Overhead { kernel: kernel.release.clone(), ..Overhead::default() };
    for part in parts {
        eprintln!("{}: booting, measuring: {part:?}", kernel.release);
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

/// What is kept from now on: what was kept, with the kernels that were measured in the place of what they had, or behind.
pub fn kept_with(mut kept: Vec<Overhead>, measured: &[Overhead]) -> Vec<Overhead> {
    for figures in measured {
        match kept.iter_mut().find(|kept| kept.kernel == figures.kernel) {
            Some(kept) => figures.clone_into(kept),
            None => kept.push(figures.clone()),
        }
    }
    kept
}

/// All kernels' figures as the pages under docs/ have them: a table for each part that was measured.
pub fn tables(all: &[Overhead]) -> String {
    let tables = [sets::tables(all), pages::tables(all), hooks::tables(all), screen::tables(all), peers::tables(all)];
    tables.into_iter().filter(|table| !table.is_empty()).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_by_an_earlier_release_can_be_read() {
        let kept = r#"[{"kernel":"6.12.117","rows":[{"name":"full","untraced":1.0,"observed":2.0,"spread":0.1}]}]"#;
        let kept: Vec<Overhead> = serde_json::from_str(kept).unwrap();
        assert!(kept.len() == 1 && kept[0].hooks.is_none() && kept[0].peers.is_empty());
    }

    #[test]
    fn keeping_some_kernels_leaves_the_others() {
        let of = |kernel: &str, compressor: &str| Overhead {
            kernel: kernel.into(),
            compressor: compressor.into(),
            ..Overhead::default()
        };
        let kept = kept_with(vec![of("a", "old"), of("b", "old")], &[of("b", "new"), of("c", "new")]);
        assert_eq!(kept, [of("a", "old"), of("b", "new"), of("c", "new")]);
    }

    #[test]
    fn a_part_that_was_not_measured_has_no_table() {
        let row = Row { name: "full".into(), untraced: 1.0, observed: 2.0, spread: 0.1 };
        let figures = Overhead { kernel: "x".into(), rows: vec![row], ..Overhead::default() };
        assert_eq!(tables(&[figures]).matches("|---|").count(), 1);
    }
}
