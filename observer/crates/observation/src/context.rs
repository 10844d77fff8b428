//! What is known before the first event.

use std::collections::BTreeMap;

use observer_engine::event::{Entry, Nanos};
use observer_text::Name;
use serde::{Deserialize, Serialize};

use crate::{areas::TypeChange, clock::Clocks, kernel::Kernel, recording::Note};
use observer_kernel::{
    cgroups::CgroupMode,
    swaps::{SwapArea, Synchronous},
};

/// What is known before the first event: everything needed to judge what follows. Also the header of a recording, so
/// names are kept, and what an older file lacks is empty.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Context {
    /// Version of the tool that observed.
    pub tool: String,
    /// The host's name.
    pub host: Name,
    pub kernel: Kernel,
    /// The hierarchies of control groups on the host.
    #[serde(skip_serializing_if = "CgroupMode::is_unknown")]
    pub cgroups: CgroupMode,
    /// The swap areas in use at the start; of an outcome, and of the later parts of a recording: all so far.
    pub swaps: Vec<Swap>,
    /// The filters applied in the kernel, by option; empty: everything was observed.
    pub filters: BTreeMap<String, Name>,
    /// The paths of the areas of the filter by device.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<Name>,
    /// The command given with `--`, as typed; only its tasks were observed. Empty: none.
    pub command: Name,
    /// The delay of delay injection; `None`: there was no delay injection.
    pub widen_ns: Option<u64>,
    /// One in this many of the reads that qualify was delayed.
    pub widen_one_in: Option<u32>,
    /// The longest acceptable wait.
    pub budget_ns: Option<u64>,
    /// One in this many of all entries was observed; 0 (older recordings) and 1: every one.
    pub sample_one_in: u32,
    /// Size of the ring buffer.
    pub ring_bytes: u64,
    /// The clocks at the start.
    pub clocks: Clocks,
}

impl Context {
    /// What a reader of the results must know from the start.
    pub fn notes(&self) -> impl Iterator<Item = Note> {
        let coarse = self.cgroups.is_coarse().then_some(Note::CgroupV1 { mode: self.cgroups });
        self.kernel.timing_note().into_iter().chain(coarse)
    }

    /// A note for each device of the filter that was switched on or off, or of which that is unknown. `areas`: all so
    /// far.
    pub fn device_notes(&self, areas: &[Swap]) -> impl Iterator<Item = Note> {
        let changed = self.devices.iter().filter(|path| Swap::came_or_went(areas, path));
        changed.map(|path| Note::DeviceChanged { device: path.clone() })
    }
}

/// A swap area.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Swap {
    /// The `type` of its entries.
    pub kind: u32,
    /// Whether the kernel reported `kind`; else it follows from the order in `/proc/swaps`, which skips holes.
    pub kind_seen: bool,
    /// The path it was switched on with.
    pub path: Name,
    pub size_kib: u64,
    pub synchronous: Synchronous,
    /// Since when it is known to have had its type, on the clock of the events; 0: since the start of the observation.
    #[serde(skip_serializing_if = "is_zero")]
    pub from_ns: Nanos,
    /// Until when it is known to have had its type; `None`: it still has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until_ns: Option<Nanos>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_zero(ns: &Nanos) -> bool {
    *ns == 0
}

impl From<&SwapArea> for Swap {
    fn from(area: &SwapArea) -> Self {
        Self {
            kind: area.ordinal,
            kind_seen: false,
            path: area.line.path.clone(),
            size_kib: area.line.size_kib,
            synchronous: area.synchronous,
            from_ns: 0,
            until_ns: None,
        }
    }
}

impl Swap {
    /// One bit for each swap type that the kernel reported for an area in use with one of these paths.
    pub fn types_of(areas: &[Self], paths: &[Name]) -> u32 {
        let selected = |area: &&Self| area.until_ns.is_none() && area.kind_seen && paths.contains(&area.path);
        areas.iter().filter(selected).filter_map(|area| 1u32.checked_shl(area.kind)).fold(0, |types, bit| types | bit)
    }

    /// Whether an area with this path was switched on or off since the start.
    pub fn came_or_went(areas: &[Self], path: &Name) -> bool {
        areas.iter().any(|area| area.path == *path && (area.from_ns > 0 || area.until_ns.is_some()))
    }

    /// The area that had a swap type at a time; `None`: unknown.
    pub fn of(areas: &[Self], kind: u32, at: Nanos) -> Option<&Self> {
        let had =
            |swap: &&Self| swap.kind == kind && swap.from_ns <= at && swap.until_ns.is_none_or(|until| at < until);
        areas.iter().find(had)
    }

    /// The area of an entry at a time; `None`: unknown.
    pub fn of_entry(areas: &[Self], entry: Entry, at: Nanos) -> Option<&Self> {
        Self::of(areas, entry.swap_type().into(), at)
    }

    /// The times at which its type started to be and ceased to be its own.
    pub(crate) fn changes(&self) -> impl Iterator<Item = TypeChange> + use<> {
        let kind = u8::try_from(self.kind).ok();
        let times = [(self.from_ns > 0).then_some(self.from_ns), self.until_ns];
        times.into_iter().flatten().filter_map(move |at| Some((kind?, at)))
    }

    /// Whether it is the same area with the same type.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        (self.kind, &self.path) == (other.kind, &other.path)
    }

    /// Takes over what a later reading shows of the same area. A device that has gone is described as before.
    pub(crate) fn refresh(&mut self, later: &Self) {
        if later.synchronous != Synchronous::Unknown {
            self.synchronous = later.synchronous;
        }
        if later.size_kib > 0 {
            self.size_kib = later.size_kib;
        }
        self.kind_seen |= later.kind_seen;
    }

    /// All areas, with the types that the kernel reported, if it did.
    pub fn all(areas: &[SwapArea], types: Option<&[u32]>) -> Vec<Self> {
        // An area that came or went between the two readings makes the positions useless.
        let types = types.filter(|types| types.len() == areas.len());
        let seen = |index: usize| types.and_then(|types| types.get(index).copied());
        let one = |(index, area): (usize, &SwapArea)| match seen(index) {
            Some(kind) => Self { kind, kind_seen: true, ..Self::from(area) },
            None => Self::from(area),
        };
        areas.iter().enumerate().map(one).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_with_cgroup_v1_is_noted() {
        let noted = |cgroups| Context { cgroups, ..Context::default() }.notes().collect::<Vec<_>>();
        for mode in [CgroupMode::V1, CgroupMode::Hybrid] {
            assert_eq!(noted(mode), [Note::CgroupV1 { mode }]);
        }
        for mode in [CgroupMode::V2, CgroupMode::None, CgroupMode::Unknown] {
            assert_eq!(noted(mode), []);
        }
    }

    #[test]
    fn the_types_of_devices_are_those_that_they_have_now() {
        let swap = |kind: u32, path: &str| Swap { kind, kind_seen: true, path: path.into(), ..Swap::default() };
        let gone = Swap { until_ns: Some(9), ..swap(0, "/dev/zram0") };
        let guessed = Swap { kind_seen: false, ..swap(4, "/dev/zram0") };
        let areas = [gone, swap(1, "/dev/sda2"), swap(2, "/dev/zram0"), guessed, swap(40, "/dev/zram0")];
        let types =
            |paths: &[&str]| Swap::types_of(&areas, &paths.iter().map(|path| (*path).into()).collect::<Vec<_>>());
        assert_eq!(
            (types(&["/dev/zram0"]), types(&["/dev/sda2", "/dev/zram0"]), types(&["/dev/a"])),
            (0b100, 0b110, 0)
        );
    }

    #[test]
    fn a_device_that_was_switched_on_or_off_is_noticed() {
        let swap = |path: &str, from_ns, until_ns| Swap { path: path.into(), from_ns, until_ns, ..Swap::default() };
        let areas = [swap("/a", 0, None), swap("/b", 0, Some(7)), swap("/c", 5, None)];
        let noticed = ["/a", "/b", "/c", "/d"].map(|path| Swap::came_or_went(&areas, &path.into()));
        assert_eq!(noticed, [false, true, true, false]);
    }
}
