//! Times the two functions that take and drop the pin, the one by which a fault gives up its reference to the entry, and
//! one that does nothing, which gives the cost of timing. For the benchmark of the pin, with separate programs.

use crate::{
    error::{LoadError, Place, Target, chain},
    types,
};
use aya::{
    Btf, Ebpf, EbpfError, EbpfLoader,
    maps::{MapData, MapError, PerCpuArray},
    programs::{FExit, Program, ProgramError, TestRun},
};
use observer_ebpf::pin_timing::{DROP, EMPTY, MAP_TIMINGS, REFERENCE, TAKE, Timing};
use observer_kernel::plan::{Backend, Meaning, Plan};

static PROGRAMS: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/pin-timing"));

/// A function for the kernel's own tests that adds one; each test run of a tracing program calls it.
const NOTHING: &str = "bpf_fentry_test1";

/// The functions by which a fault gives up its reference to the entry; a kernel has one of them.
const REFERENCES: [&str; 2] = ["swap_free_nr", "swap_free"];

/// Timed calls of one function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timed {
    pub calls: u64,
    /// Sum over the calls, with the cost of timing.
    pub ns: u64,
    /// Calls that could not be timed.
    pub cut: u64,
}

impl Timed {
    #[must_use]
    pub const fn since(self, before: Self) -> Self {
        Self {
            calls: self.calls.saturating_sub(before.calls),
            ns: self.ns.saturating_sub(before.ns),
            cut: self.cut.saturating_sub(before.cut),
        }
    }

    /// Nanoseconds per call; `None`: no call.
    pub fn mean(self) -> Option<f64> {
        (self.calls > 0).then(|| self.ns as f64 / self.calls as f64)
    }
}

/// What was timed, for each function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PinTimes {
    /// Taking the pin.
    pub take: Timed,
    /// Dropping it, which frees the entry if it has no reference any more.
    pub drop: Timed,
    /// Giving up the reference to the entry. No calls: the function is not known on this kernel.
    pub reference: Timed,
    /// A function that does nothing: the cost of timing.
    pub nothing: Timed,
}

impl PinTimes {
    #[must_use]
    pub const fn since(self, before: Self) -> Self {
        Self {
            take: self.take.since(before.take),
            drop: self.drop.since(before.drop),
            reference: self.reference.since(before.reference),
            nothing: self.nothing.since(before.nothing),
        }
    }
}

/// The attached programs. Dropping it detaches them.
pub struct PinTimer {
    ebpf: Ebpf,
    pairs: PerCpuArray<MapData, Timing>,
}

impl PinTimer {
    /// The functions that take and drop the pin on this kernel; `None`: it does not pin.
    pub fn functions(plan: &Plan) -> Option<[&str; 2]> {
        let of = |meaning| plan.of(meaning).next().map(|hook| hook.symbol.as_str());
        Some([of(Meaning::PinTry)?, of(Meaning::PinDrop)?])
    }

    /// # Errors
    /// When the kernel accepts no trampoline on these functions.
    pub fn attach([take, drop]: [&str; 2]) -> Result<Self, LoadError> {
        let failed = |error: EbpfError| LoadError::Object(error.into());
        let btf = types::of_kernel().map_err(|error| {
            log::info!("{}", chain(&error));
            let target =
                Target { program: "take_start", place: Place::Function(Backend::Fentry), symbol: take.to_owned() };
            LoadError::NoTypes { target }
        })?;
        let mut ebpf = EbpfLoader::new().load(PROGRAMS).map_err(failed)?;
        for (programs, function) in [(TAKING, take), (DROPPING, drop), (DOING_NOTHING, NOTHING)] {
            time(&mut ebpf, &btf, programs, function)?;
        }
        for function in REFERENCES {
            match time(&mut ebpf, &btf, GIVING_UP, function) {
                Ok(()) => break,
                Err(error) => log::info!("{function} is not timed: {}", chain(&error)),
            }
        }
        let map = ebpf.take_map(MAP_TIMINGS).ok_or(LoadError::Missing { kind: "map", name: MAP_TIMINGS })?;
        let pairs = map.try_into().map_err(map_failed)?;
        Ok(Self { ebpf, pairs })
    }

    /// Calls the function that does nothing.
    ///
    /// # Errors
    /// When the kernel does not run programs for a test.
    pub fn call_nothing(&self, times: u32) -> Result<(), LoadError> {
        let name = "empty_end";
        let program = self.ebpf.program(name).and_then(|program| <&FExit>::try_from(program).ok());
        let program = program.ok_or(LoadError::Missing { kind: "program", name })?;
        for _ in 0..times {
            program.test_run(()).map_err(|error| LoadError::TestRun { name, source: error.into() })?;
        }
        Ok(())
    }

    /// What was timed so far.
    ///
    /// # Errors
    /// When the kernel refuses to read the map.
    pub fn timed(&self) -> Result<PinTimes, LoadError> {
        let of = |function| {
            let mut timed = Timed::default();
            for cpu in self.pairs.get(&function, 0).map_err(map_failed)?.iter() {
                timed.calls += cpu.calls;
                timed.ns += cpu.ns;
                timed.cut += cpu.cut;
            }
            Ok(timed)
        };
        Ok(PinTimes { take: of(TAKE)?, drop: of(DROP)?, reference: of(REFERENCE)?, nothing: of(EMPTY)? })
    }
}

/// The programs on the entry and on the return of a function.
type Pair = [&'static str; 2];

const TAKING: Pair = ["take_start", "take_end"];
const DROPPING: Pair = ["drop_start", "drop_end"];
const GIVING_UP: Pair = ["reference_start", "reference_end"];
const DOING_NOTHING: Pair = ["empty_start", "empty_end"];

/// Attaches both programs to a function.
fn time(ebpf: &mut Ebpf, btf: &Btf, [start, end]: Pair, function: &str) -> Result<(), LoadError> {
    // The end first, so that no start without its end is timed.
    for (program, backend) in [(end, Backend::Fexit), (start, Backend::Fentry)] {
        let found = ebpf.program_mut(program).ok_or(LoadError::Missing { kind: "program", name: program })?;
        attach(found, btf, function).map_err(|error| LoadError::Program {
            target: Target { program, place: Place::Function(backend), symbol: function.to_owned() },
            source: error.into(),
        })?;
    }
    Ok(())
}

fn map_failed(error: MapError) -> LoadError {
    LoadError::Map { name: MAP_TIMINGS, source: error.into() }
}

fn attach(program: &mut Program, btf: &Btf, function: &str) -> Result<(), ProgramError> {
    match program {
        Program::FEntry(program) => {
            program.load(function, btf)?;
            program.attach()?;
        }
        Program::FExit(program) => {
            program.load(function, btf)?;
            program.attach()?;
        }
        _ => return Err(ProgramError::UnexpectedProgramType),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_is_that_of_the_calls_since_a_reading() {
        let (before, after) = (Timed { calls: 2, ns: 10, cut: 0 }, Timed { calls: 6, ns: 50, cut: 1 });
        assert_eq!(after.since(before), Timed { calls: 4, ns: 40, cut: 1 });
        assert_eq!((after.since(before).mean(), Timed::default().mean()), (Some(10.0), None));
    }
}
