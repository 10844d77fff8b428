//! The swap area on which something happened: that which had the type of the entry at that time.

use std::ops::Deref;

use observer_engine::{
    areas::{Area, AreaEntry},
    entries::EntryStats,
    event::{Entry, Nanos},
    overlap::Overlap,
    verdict::Finding,
    wait::Wait,
};
use observer_observation::Swap;
use observer_text::Name;
use serde::Serialize;

/// Something that happened on a swap area.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OnDevice<T> {
    #[serde(flatten)]
    pub what: T,
    /// The path of the area; `None`: unknown.
    pub device: Option<Name>,
}

impl<T> Deref for OnDevice<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.what
    }
}

/// What has an entry and a time.
pub trait OnEntry {
    fn place(&self) -> (Entry, Nanos);
}

impl OnEntry for Finding {
    fn place(&self) -> (Entry, Nanos) {
        (self.entry, self.start_ns)
    }
}

impl OnEntry for Overlap {
    fn place(&self) -> (Entry, Nanos) {
        (self.entry, self.from_ns)
    }
}

impl OnEntry for Wait {
    fn place(&self) -> (Entry, Nanos) {
        (self.entry, self.from_ns)
    }
}

impl OnEntry for EntryStats {
    fn place(&self) -> (Entry, Nanos) {
        let AreaEntry { entry, since_ns } = self.of;
        (entry, since_ns)
    }
}

impl<T: OnEntry> OnDevice<T> {
    pub(crate) fn new(what: T, swaps: &[Swap]) -> Self {
        let (entry, at) = what.place();
        Self { device: device(swaps, entry, at), what }
    }

    pub(crate) fn all<'a>(all: impl IntoIterator<Item = &'a T>, swaps: &[Swap]) -> Vec<Self>
    where
        T: Clone + 'a,
    {
        all.into_iter().map(|what| Self::new(what.clone(), swaps)).collect()
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
