//! Reads the type of each swap area from the kernel: a program sees every area that is printed into `/proc/swaps`.

use std::{fs, io};

use aya::{
    Btf, Ebpf,
    maps::{Array, MapError},
};

use crate::{
    attach::attach_program,
    error::{LoadError, Place, Target},
    identity,
    object::{OBJECT, set_globals, small_loader},
    types,
};
use observer_ebpf::{self as abi, globals::Globals};
use observer_kernel::{
    plan::{Backend, Plan},
    swaps::SWAPS,
};

/// The function that prints a line of `/proc/swaps`.
const PRINTS: &str = "swap_show";

/// Why the types of the swap areas are unknown.
#[derive(Debug, thiserror::Error)]
pub enum SwapTypesError {
    #[error("programs may not copy kernel memory, or the layout of struct swap_info_struct is unknown")]
    NoCopy,
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error("cannot read {SWAPS}")]
    Read(#[from] io::Error),
}

/// The types of the swap areas, in the order of `/proc/swaps`. Nothing stays attached.
pub fn types_of_areas(plan: &Plan) -> Result<Vec<u32>, SwapTypesError> {
    if !plan.offsets.copy || plan.offsets.si_type == 0 {
        return Err(SwapTypesError::NoCopy);
    }
    let btf = types::of_kernel().ok();
    // A fresh object each time: lines that the first program has counted would count twice.
    let mut ebpf = load(plan)?;
    if attach(&mut ebpf, btf.as_ref(), "area_shown_fentry", Backend::Fentry).is_err() {
        ebpf = load(plan)?;
        attach(&mut ebpf, btf.as_ref(), "area_shown_kprobe", Backend::Kprobe)?;
    }
    // Only what this process prints is recorded.
    identity::record_this_process(&mut ebpf)?;
    fs::read(SWAPS)?;
    Ok(types_seen(&mut ebpf)?)
}

fn load(plan: &Plan) -> Result<Ebpf, LoadError> {
    let globals = Globals { si_type: plan.offsets.si_type, can_copy: plan.offsets.copy.into(), ..Globals::default() };
    let mut loader = small_loader();
    set_globals(&mut loader, &globals);
    loader.load(OBJECT).map_err(|error| LoadError::Object(error.into()))
}

fn attach(ebpf: &mut Ebpf, btf: Option<&Btf>, name: &'static str, backend: Backend) -> Result<(), LoadError> {
    let program = ebpf.program_mut(name).ok_or(LoadError::Missing { kind: "program", name })?;
    let target = Target { program: name, place: Place::Function(backend), symbol: PRINTS.to_owned() };
    match attach_program(program, btf, backend, PRINTS) {
        None => Err(LoadError::NoTypes { target }),
        Some(Err(error)) => Err(LoadError::Program { target, source: error.into() }),
        Some(Ok(())) => Ok(()),
    }
}

/// The first element of the map is the number of areas seen; their types follow.
fn types_seen(ebpf: &mut Ebpf) -> Result<Vec<u32>, LoadError> {
    let name = abi::MAP_SWAP_TYPES;
    let failed = |error: MapError| LoadError::Map { name, source: error.into() };
    let map = ebpf.map_mut(name).ok_or(LoadError::Missing { kind: "map", name })?;
    let seen: Array<_, u32> = Array::try_from(map).map_err(failed)?;
    let areas = seen.get(&0, 0).map_err(failed)?;
    (1..=areas).map(|area| seen.get(&area, 0).map_err(failed)).collect()
}
