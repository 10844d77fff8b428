//! The swap types that are observed, which change with the swap areas.

use aya::{
    Ebpf,
    maps::{Array, MapData, MapError},
};
use observer_ebpf as abi;

use crate::error::LoadError;

pub(crate) struct TypeFilter(Array<MapData, u32>);

impl TypeFilter {
    /// Before the programs are attached: without this, no type is observed.
    pub(crate) fn take(ebpf: &mut Ebpf, types: u32) -> Result<Self, LoadError> {
        let map = ebpf.take_map(abi::MAP_FILTER_TYPES);
        let map = map.ok_or(LoadError::Missing { kind: "map", name: abi::MAP_FILTER_TYPES })?;
        let mut filter = Self(map.try_into().map_err(failed)?);
        filter.set(types)?;
        Ok(filter)
    }

    pub(crate) fn set(&mut self, types: u32) -> Result<(), LoadError> {
        self.0.set(0, types, 0).map_err(failed)
    }
}

fn failed(error: MapError) -> LoadError {
    LoadError::Map { name: abi::MAP_FILTER_TYPES, source: error.into() }
}
