//! Turns attached delay injection on and off.

use aya::{
    Ebpf,
    maps::{Array, MapData, MapError},
};
use observer_ebpf as abi;

use crate::error::LoadError;

pub(crate) struct Switch {
    off: Array<MapData, u32>,
    on: bool,
}

impl Switch {
    /// Delay injection is on when it is attached.
    pub(crate) fn take(ebpf: &mut Ebpf) -> Result<Self, LoadError> {
        let map = ebpf.take_map(abi::MAP_DELAY_OFF);
        let map = map.ok_or(LoadError::Missing { kind: "map", name: abi::MAP_DELAY_OFF })?;
        Ok(Self { off: map.try_into().map_err(failed)?, on: true })
    }

    pub(crate) fn is_on(&self) -> bool {
        self.on
    }

    /// A delay in progress runs to its end.
    pub(crate) fn set(&mut self, on: bool) -> Result<(), LoadError> {
        self.off.set(0, u32::from(!on), 0).map_err(failed)?;
        self.on = on;
        Ok(())
    }
}

fn failed(error: MapError) -> LoadError {
    LoadError::Map { name: abi::MAP_DELAY_OFF, source: error.into() }
}
