//! Times the two functions that take and drop the pin, and one that does nothing: the last is what timing costs itself.
//! Programs of their own, for the benchmark alone.

use super::{LoadError, error::Target};
use aya::{
    Btf, Ebpf, EbpfError, EbpfLoader,
    maps::{MapData, MapError, PerCpuArray},
    programs::{FExit, Program, ProgramError, TestRun},
};
use observer_ebpf::pin_timing::{DROP, EMPTY, MAP_TIMINGS, TAKE, Timing};
use observer_kernel::plan::{Meaning, Plan};

static PROGRAMS: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/pin-timing"));

/// A function of the kernel's own tests that adds one, called by each test run of a tracing program.
const NOTHING: &str = "bpf_fentry_test1";

/// Calls of one function, timed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timed {
    /// Calls.
    pub calls: u64,
    /// All of them together, what timing costs included, nanoseconds.
    pub ns: u64,
    /// Calls that could not be timed.
    pub cut: u64,
}

impl Timed {
    /// What was timed since.
    #[must_use]
    pub const fn since(self, before: Self) -> Self {
        Self {
            calls: self.calls.saturating_sub(before.calls),
            ns: self.ns.saturating_sub(before.ns),
            cut: self.cut.saturating_sub(before.cut),
        }
    }

    /// Nanoseconds a call; `None`: nothing was called.
    pub fn mean(self) -> Option<f64> {
        (self.calls > 0).then(|| self.ns as f64 / self.calls as f64)
    }
}

/// The programs, attached. Dropping it detaches them.
pub struct PinPrice {
    ebpf: Ebpf,
    pairs: PerCpuArray<MapData, Timing>,
}

impl PinPrice {
    /// The functions that take and drop the pin on this kernel; `None`: it does not pin.
    pub fn functions(plan: &Plan) -> Option<[&str; 2]> {
        let of = |meaning| plan.of(meaning).next().map(|hook| hook.symbol.as_str());
        Some([of(Meaning::PinTry)?, of(Meaning::PinDrop)?])
    }

    /// Loads and attaches.
    ///
    /// # Errors
    /// When the kernel takes no trampoline on these functions.
    pub fn attach([take, drop]: [&str; 2]) -> Result<Self, LoadError> {
        let failed = |error: EbpfError| LoadError::Object(error.into());
        let btf = Btf::from_sys_fs().map_err(|error| failed(error.into()))?;
        let mut ebpf = EbpfLoader::new().load(PROGRAMS).map_err(failed)?;
        for (start, end, function) in
            [("take_start", "take_end", take), ("drop_start", "drop_end", drop), ("empty_start", "empty_end", NOTHING)]
        {
            // The end first: a start without one is then never seen.
            for (program, backend) in [(end, "fexit"), (start, "fentry")] {
                let found = ebpf.program_mut(program).ok_or(LoadError::Missing { kind: "program", name: program })?;
                attach(found, &btf, function).map_err(|error| LoadError::Program {
                    target: Target { program, backend, symbol: function.to_owned() },
                    source: error.into(),
                })?;
            }
        }
        let map = ebpf.take_map(MAP_TIMINGS).ok_or(LoadError::Missing { kind: "map", name: MAP_TIMINGS })?;
        let pairs = map.try_into().map_err(map_failed)?;
        Ok(Self { ebpf, pairs })
    }

    /// Calls the function that does nothing so many times.
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

    /// What was timed so far: taking the pin, dropping it, and doing nothing.
    ///
    /// # Errors
    /// When the kernel refuses to read the map.
    pub fn timed(&self) -> Result<[Timed; 3], LoadError> {
        let mut all = [Timed::default(); 3];
        for (timed, pair) in all.iter_mut().zip([TAKE, DROP, EMPTY]) {
            for cpu in self.pairs.get(&pair, 0).map_err(map_failed)?.iter() {
                timed.calls += cpu.calls;
                timed.ns += cpu.ns;
                timed.cut += cpu.cut;
            }
        }
        Ok(all)
    }
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
    fn a_mean_is_of_calls_since() {
        let (before, after) = (Timed { calls: 2, ns: 10, cut: 0 }, Timed { calls: 6, ns: 50, cut: 1 });
        assert_eq!(after.since(before), Timed { calls: 4, ns: 40, cut: 1 });
        assert_eq!((after.since(before).mean(), Timed::default().mean()), (Some(10.0), None));
    }
}
