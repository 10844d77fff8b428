//! Some of a plan's hooks, for the benchmark of hooks: with their programs, or with programs that do nothing.

use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};

use aya::{
    Btf, Ebpf, EbpfLoader,
    programs::Program,
    sys::{Stats, enable_stats},
};

use crate::{
    attach,
    error::{LoadError, Target, chain},
    object,
    options::Options,
    types,
    usage::fdinfo,
};
use observer_kernel::plan::{Backend, Hook, Plan};

static EMPTY: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/empty"));

/// Runs of a hook's program while they were counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Runs {
    pub runs: u64,
    /// Sum over the runs, with the cost of counting and without that of calling the program.
    pub run_ns: u64,
}

impl Runs {
    #[must_use]
    pub const fn since(self, before: Self) -> Self {
        Self { runs: self.runs.saturating_sub(before.runs), run_ns: self.run_ns.saturating_sub(before.run_ns) }
    }
}

/// Attached hooks. Dropping it detaches them.
pub struct HookSubset {
    hooks: Vec<Hook>,
    /// One for all real programs; one for each empty program, because a program is loaded for one function.
    objects: Vec<Ebpf>,
    _events: attach::Events,
    counting: Option<OwnedFd>,
}

impl HookSubset {
    /// Attaches these hooks of a plan with their programs. The programs get the constants of the whole plan, so they
    /// behave as if all of it were attached.
    ///
    /// # Errors
    /// See [`LoadError`].
    pub fn real(plan: &Plan, wanted: impl Fn(&Hook) -> bool) -> Result<Self, LoadError> {
        let options = Options::default();
        let mut ebpf = object::load(plan, &options)?;
        let hooks: Vec<Hook> = plan.hooks.iter().filter(|hook| wanted(hook)).cloned().collect();
        let subset = Plan { hooks, ..plan.clone() };
        let events = attach::all(&mut ebpf, &subset, &options)?;
        Ok(Self { hooks: subset.hooks, objects: vec![ebpf], _events: events, counting: None })
    }

    /// Attaches an empty program at each of these hooks of a plan, on the backend of the plan.
    ///
    /// # Errors
    /// When the kernel refuses one.
    pub fn empty(plan: &Plan, wanted: impl Fn(&Hook) -> bool) -> Result<Self, LoadError> {
        let btf = types::of_kernel().ok();
        let (mut hooks, mut objects) = (Vec::new(), Vec::new());
        for hook in plan.hooks.iter().filter(|hook| wanted(hook)) {
            match empty_at(hook, btf.as_ref()) {
                // As with the real programs.
                Err(error) if !plan.rests_on(hook) => log::warn!("{}", chain(&error)),
                attached => {
                    objects.push(attached?);
                    hooks.push(hook.clone());
                }
            }
        }
        Ok(Self { hooks, objects, _events: attach::Events::default(), counting: None })
    }

    /// Has the kernel count runs from now on.
    ///
    /// # Errors
    /// When it refuses; it needs `CAP_SYS_ADMIN`.
    pub fn count(&mut self) -> Result<(), LoadError> {
        let counting = enable_stats(Stats::RunTime).map_err(|error| LoadError::Statistics(error.into()))?;
        self.counting = Some(counting);
        Ok(())
    }

    /// The hooks, each with the runs of its program so far. `None`: the kernel does not count them.
    pub fn runs(&self) -> Option<Vec<(&Hook, Runs)>> {
        self.counting.as_ref()?;
        self.hooks.iter().enumerate().map(|(index, hook)| Some((hook, runs(self.program_of(index, hook)?)?))).collect()
    }

    fn program_of(&self, index: usize, hook: &Hook) -> Option<&Program> {
        match self.objects.as_slice() {
            [all] => all.program(hook.program.name).or_else(|| all.program(empty_name(hook.backend))),
            each => each.get(index)?.program(empty_name(hook.backend)),
        }
    }
}

fn runs(program: &Program) -> Option<Runs> {
    let fd = program.fd().ok()?.as_fd().as_raw_fd();
    Some(Runs { runs: fdinfo(fd, "run_cnt")?, run_ns: fdinfo(fd, "run_time_ns")? })
}

const fn empty_name(backend: Backend) -> &'static str {
    match backend {
        Backend::Fentry => "empty_fentry",
        Backend::Fexit => "empty_fexit",
        Backend::Kprobe => "empty_kprobe",
        Backend::Kretprobe => "empty_kretprobe",
    }
}

fn empty_at(hook: &Hook, btf: Option<&Btf>) -> Result<Ebpf, LoadError> {
    let mut ebpf = EbpfLoader::new().load(EMPTY).map_err(|error| LoadError::Object(error.into()))?;
    let (name, backend, symbol) = (empty_name(hook.backend), hook.backend, hook.attach_to(hook.backend));
    let program = ebpf.program_mut(name).ok_or(LoadError::Missing { kind: "program", name })?;
    let target = || Target { program: name, ..attach::target(hook) };
    match attach::attach_program(program, btf, backend, symbol) {
        Some(Ok(())) => Ok(ebpf),
        None => Err(LoadError::NoTypes { target: target() }),
        Some(Err(error)) => Err(LoadError::Program { target: target(), source: error.into() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_since_a_reading_are_differences() {
        let (before, after) = (Runs { runs: 2, run_ns: 100 }, Runs { runs: 5, run_ns: 400 });
        assert_eq!(after.since(before), Runs { runs: 3, run_ns: 300 });
    }

    #[test]
    fn each_backend_has_an_empty_program() {
        for backend in [Backend::Fentry, Backend::Fexit, Backend::Kprobe, Backend::Kretprobe] {
            let name = empty_name(backend);
            assert!(EMPTY.windows(name.len()).any(|bytes| bytes == name.as_bytes()), "the object has no {name}");
        }
    }
}
