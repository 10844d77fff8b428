//! The views, and what is shown over them.

use super::columns::ColumnPicker;
use crate::model::{EntryRow, FindingRow, GroupRow};
use observer_engine::tally::TaskGroup;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Tab {
    /// Rates and distributions.
    #[default]
    Overview,
    /// Contended entries.
    Entries,
    /// Contending tasks, grouped.
    Tasks,
    /// Windows, reuses, stale installs.
    Findings,
}

impl Tab {
    pub const ALL: [Self; 4] = [Self::Overview, Self::Entries, Self::Tasks, Self::Findings];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Entries => "Entries",
            Self::Tasks => "Tasks",
            Self::Findings => "Findings",
        }
    }

    /// The tab `by` places to the right, from the last one on to the first.
    pub(super) fn after(self, by: usize) -> Self {
        let position = Self::ALL.iter().position(|tab| *tab == self).unwrap_or(0);
        Self::ALL.get((position + by) % Self::ALL.len()).copied().unwrap_or_default()
    }
}

/// How tasks are grouped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Grouping {
    #[default]
    Process,
    Command,
    Cgroup,
}

impl Grouping {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Process => "by process",
            Self::Command => "by command",
            Self::Cgroup => "by control group",
        }
    }

    pub(super) const fn next(self) -> Self {
        match self {
            Self::Process => Self::Command,
            Self::Command => Self::Cgroup,
            Self::Cgroup => Self::Process,
        }
    }

    pub(super) const fn includes(self, group: &TaskGroup) -> bool {
        matches!(
            (self, group),
            (Self::Process, TaskGroup::Process(_))
                | (Self::Command, TaskGroup::Command(_))
                | (Self::Cgroup, TaskGroup::Cgroup(_))
        )
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HelpPage {
    Keys,
    Glossary,
}

/// A row of a table, as it was when its meaning was asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum SelectedRow {
    Entry(EntryRow),
    Group(GroupRow),
    Finding(FindingRow),
}

/// What is shown over the view. `scroll`: lines scrolled off the top.
#[derive(Clone, Debug, PartialEq)]
pub enum Overlay {
    Help {
        page: HelpPage,
        scroll: usize,
    },
    /// What a row means.
    Row {
        row: Box<SelectedRow>,
        scroll: usize,
    },
    /// The picture of a finding.
    Picture {
        row: Box<FindingRow>,
        scroll: usize,
    },
    /// The list of columns.
    Columns(ColumnPicker),
}

/// What the mouse was used on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hit {
    Tab(Tab),
    /// A row of the table, counted from the top of the screen.
    Row(usize),
    /// The head of a column.
    Head(usize),
    WheelUp,
    WheelDown,
}
