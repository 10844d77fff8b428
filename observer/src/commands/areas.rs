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
}

impl HostAreas {
    pub(super) fn new(ready: &Ready) -> Self {
        Self { release: ready.host.release.clone(), plan: ready.plan.clone() }
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
            log::info!("the types of swap areas are taken from their order: {}", probe::chain(error));
        });
        Some(Swap::all(&areas, types.ok().as_deref()))
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
