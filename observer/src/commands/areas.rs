//! The swap areas of this host.

use crate::session::Areas;
use observer_kernel::{
    host::Release,
    plan::Plan,
    survey::Ready,
    swaps::{self, SwapArea},
    tree::Tree,
};
use observer_observation::Swap;
use observer_probe as probe;

/// Reads the areas of this host.
pub(super) struct HostAreas {
    release: Release,
    plan: Plan,
    /// Whether types that follow from the order of the areas are as good as none: they were reported before.
    needs_types: bool,
}

impl HostAreas {
    /// For the first reading, or later ones after `known`.
    pub(super) fn new(ready: &Ready, known: &[Swap]) -> Self {
        let needs_types = known.iter().any(|swap| swap.kind_seen);
        Self { release: ready.host.release.clone(), plan: ready.plan.clone(), needs_types }
    }

    fn gather(&self) -> Option<Vec<SwapArea>> {
        let found = swaps::gather(&Tree::system(), &self.release);
        found.inspect_err(|error| log::info!("the swap areas are unknown: {}", probe::chain(error))).ok()
    }
}

impl Areas for HostAreas {
    /// With the types of their entries if the kernel reports them.
    fn in_use(&self) -> Option<Vec<Swap>> {
        let areas = self.gather()?;
        if areas.is_empty() {
            return Some(Vec::new());
        }
        let types = probe::types_of_areas(&self.plan).inspect_err(|error| {
            log::info!("the types of swap areas are not reported: {}", probe::chain(error));
        });
        let areas = Swap::all(&areas, types.ok().as_deref());
        (!self.needs_types || areas.iter().all(|swap| swap.kind_seen)).then_some(areas)
    }

    fn described(&self, areas: &[Swap]) -> Vec<Swap> {
        let now = self.gather().unwrap_or_default();
        let described = |area: &Swap| {
            let found = now.iter().find(|found| found.line.path == area.path);
            Swap { synchronous: found.map_or(area.synchronous, |found| found.synchronous), ..area.clone() }
        };
        areas.iter().map(described).collect()
    }
}
