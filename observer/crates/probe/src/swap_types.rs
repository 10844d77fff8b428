//! Asks the kernel which type each swap area has: reads `/proc/swaps` while a program looks at what is printed.

use std::fs;

use super::{OBJECT, attach::attach_program, error::chain, object::set_globals, trial};
use aya::{Btf, Ebpf, maps::Array};
use observer_ebpf::{self as abi, globals::Globals};
use observer_kernel::{
    plan::{Backend, Plan},
    swaps,
};

/// The function that prints a line of `/proc/swaps`.
const PRINTS: &str = "swap_show";

/// The types of the swap areas, in the order of `/proc/swaps`. Nothing stays attached.
///
/// # Errors
/// Why they are not to be had, in words: nothing else depends on them.
pub fn types_of_areas(plan: &Plan) -> Result<Vec<u32>, String> {
    if !plan.offsets.copy || plan.offsets.si_type == 0 {
        return Err("this kernel does not let programs copy kernel memory, or does not show where it lies".to_owned());
    }
    let btf = Btf::from_sys_fs().ok();
    let ways = [("area_shown_fentry", Backend::Fentry), ("area_shown_kprobe", Backend::Kprobe)];
    let mut refused = String::new();
    for (program, backend) in ways {
        // A fresh object each time: lines that an earlier way has noted would be counted twice.
        let mut ebpf = load(plan)?;
        let Some(found) = ebpf.program_mut(program) else { continue };
        match attach_program(found, btf.as_ref(), backend, PRINTS) {
            None => {}
            Some(Ok(())) => return read(&mut ebpf),
            Some(Err(error)) => refused = format!("{} on {PRINTS}: {}", backend.code(), chain(&error)),
        }
    }
    Err(refused)
}

fn load(plan: &Plan) -> Result<Ebpf, String> {
    let globals = Globals {
        filter_pid: std::process::id(),
        si_type: plan.offsets.si_type,
        can_copy: plan.offsets.copy.into(),
        ..Globals::default()
    };
    let mut loader = trial::small_loader();
    set_globals(&mut loader, &globals);
    loader.load(OBJECT).map_err(|error| chain(&error))
}

/// Reads the file, then what was noted meanwhile.
fn read(ebpf: &mut Ebpf) -> Result<Vec<u32>, String> {
    fs::read(swaps::SWAPS).map_err(|error| error.to_string())?;
    let map = ebpf.map_mut(abi::MAP_SWAP_TYPES).ok_or("the eBPF object lacks a map")?;
    let shown: Array<_, u32> = Array::try_from(map).map_err(|error| chain(&error))?;
    let lines = shown.get(&0, 0).map_err(|error| chain(&error))?;
    (1..=lines).map(|line| shown.get(&line, 0).map_err(|error| chain(&error))).collect()
}
