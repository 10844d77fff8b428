//! The switch of delay injection while it is attached.

use aya::{
    Ebpf,
    maps::{Array, MapData, MapError},
};
use observer_ebpf as abi;

/// The switch, and how it stands.
pub(super) struct Switch {
    off: Array<MapData, u32>,
    on: bool,
}

impl Switch {
    /// Of a delay_injection that has just been attached: it is on.
    pub(super) fn take(ebpf: &mut Ebpf) -> Result<Self, MapError> {
        let map = ebpf.take_map(abi::MAP_WIDEN_OFF);
        let map = map.ok_or_else(|| MapError::InvalidName { name: abi::MAP_WIDEN_OFF.to_owned() })?;
        Ok(Self { off: map.try_into()?, on: true })
    }

    /// Whether it is on.
    pub(super) fn is_on(&self) -> bool {
        self.on
    }

    /// Turns it. A delay that is in progress runs to its end.
    pub(super) fn turn(&mut self, on: bool) -> Result<(), MapError> {
        self.off.set(0, u32::from(!on), 0)?;
        self.on = on;
        Ok(())
    }
}
