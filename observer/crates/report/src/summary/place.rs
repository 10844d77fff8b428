//! Where something happened: on which host, on the swap area that had the type of the entry at that time, and in which
//! control group; and when by the wall clock.

use std::ops::Deref;

use observer_engine::{
    areas::{Area, AreaEntry},
    entries::EntryStats,
    event::{Entry, Nanos},
    overlap::Overlap,
    verdict::Finding,
    wait::Wait,
};
use observer_observation::{Known, Swap};
use observer_text::Name;
use serde::{Serialize, Serializer};

/// Something that happened, with the names of where.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Placed<T> {
    #[serde(flatten)]
    pub what: T,
    pub host: Name,
    /// What the wall clock showed at its end, nanoseconds since 1970; `None`: it has no single end.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "digits")]
    pub at_unix_ns: Option<u64>,
    /// The path of the swap area; `None`: unknown.
    pub device: Option<Name>,
    /// The path of the task's control group; `None`: unknown, or it is not of one task.
    pub cgroup_path: Option<Name>,
}

impl<T> Deref for Placed<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.what
    }
}

/// Above 2^53, which JSON numbers do not keep everywhere.
#[expect(clippy::ref_option, reason = "serde passes a reference")]
fn digits<S: Serializer>(ns: &Option<u64>, serializer: S) -> Result<S::Ok, S::Error> {
    ns.map(|ns| ns.to_string()).serialize(serializer)
}

/// What has an entry and a time.
pub trait HasPlace {
    fn place(&self) -> (Entry, Nanos);

    /// When it ended; `None`: it has no single end.
    fn end(&self) -> Option<Nanos> {
        None
    }

    /// The id of the task's control group; 0: unknown, or it is not of one task.
    fn cgroup(&self) -> u64 {
        0
    }
}

impl HasPlace for Finding {
    fn place(&self) -> (Entry, Nanos) {
        (self.entry, self.start_ns)
    }

    fn end(&self) -> Option<Nanos> {
        Some(self.end_ns)
    }

    fn cgroup(&self) -> u64 {
        self.cgroup
    }
}

impl HasPlace for Overlap {
    fn place(&self) -> (Entry, Nanos) {
        (self.entry, self.from_ns)
    }

    fn end(&self) -> Option<Nanos> {
        Some(self.to_ns)
    }
}

impl HasPlace for Wait {
    fn place(&self) -> (Entry, Nanos) {
        (self.entry, self.from_ns)
    }

    fn end(&self) -> Option<Nanos> {
        Some(self.to_ns)
    }

    fn cgroup(&self) -> u64 {
        self.cgroup
    }
}

impl HasPlace for EntryStats {
    fn place(&self) -> (Entry, Nanos) {
        let AreaEntry { entry, since_ns } = self.of;
        (entry, since_ns)
    }
}

impl<T: HasPlace> Placed<T> {
    pub(crate) fn new(what: T, known: &Known<'_>) -> Self {
        let (entry, at) = what.place();
        let cgroup_path = known.cgroups.path(what.cgroup()).cloned();
        Self {
            host: known.context.host.clone(),
            at_unix_ns: what.end().map(|end| known.wall_clock.realtime(end)),
            device: device(known.swaps, entry, at),
            cgroup_path,
            what,
        }
    }

    pub(crate) fn all<'a>(all: impl IntoIterator<Item = &'a T>, known: &Known<'_>) -> Vec<Self>
    where
        T: Clone + 'a,
    {
        all.into_iter().map(|what| Self::new(what.clone(), known)).collect()
    }
}

/// The path of the area of an entry at a time; `None`: unknown.
pub fn device(swaps: &[Swap], entry: Entry, at: Nanos) -> Option<Name> {
    Swap::of_entry(swaps, entry, at).map(|swap| swap.path.clone())
}

/// The name of an area: its path, or its type.
pub(crate) fn area(swaps: &[Swap], area: &Area) -> String {
    let Area { swap_type, since_ns } = *area;
    let known = Swap::of(swaps, swap_type.into(), since_ns);
    known.map_or_else(|| format!("type {swap_type}"), |swap| swap.path.to_string())
}

/// An entry with its device.
pub(crate) fn entry(entry: Entry, device: Option<&Name>) -> String {
    device.map_or_else(|| entry.to_string(), |device| format!("{entry} ({device})"))
}
