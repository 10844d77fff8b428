//! The switch of delay injection while it is attached.

use aya::{
    Ebpf,
    maps::{Array, MapData, MapError},
};
use observer_ebpf as abi;

use crate::error::LoadError;

/// The switch, and how it stands.
pub(super) struct Switch {
    off: Array<MapData, u32>,
    on: bool,
}

impl Switch {
    /// Of a delay_injection that has just been attached: it is on.
    pub(super) fn take(ebpf: &mut Ebpf) -> Result<Self, LoadError> {
        let map = ebpf.take_map(abi::MAP_DELAY_OFF);
        let map = map.ok_or(LoadError::Missing { kind: "map", name: abi::MAP_DELAY_OFF })?;
        Ok(Self { off: map.try_into().map_err(failed)?, on: true })
    }

    /// Whether it is on.
    pub(super) fn is_on(&self) -> bool {
        self.on
    }

    /// Turns it. A delay that is in progress runs to its end.
    pub(super) fn turn(&mut self, on: bool) -> Result<(), LoadError> {
        self.off.set(0, u32::from(!on), 0).map_err(failed)?;
        self.on = on;
        Ok(())
    }
}

fn failed(error: MapError) -> LoadError {
    LoadError::Map { name: abi::MAP_DELAY_OFF, source: error.into() }
}
