//! Attaches programs by plan.

use aya::{
    Btf, Ebpf,
    programs::{FEntry, FExit, KProbe, Program, ProgramError},
};

use crate::{
    error::{LoadError, Place, Target, chain},
    options::Options,
    return_events::ReturnEvents,
    tracepoints::{Programs, Tracepoints},
    types,
};
use observer_kernel::plan::{Backend, Hook, Meaning, Plan, State};

/// What programs are attached to beside the object's own links: they run as long as it lives.
#[derive(Debug, Default)]
pub(crate) struct Events {
    pub(crate) returns: ReturnEvents,
    _tracepoints: Tracepoints,
}

/// Attaches all hooks of the plan, and what the options need. When it returns, every hook is live.
pub(crate) fn all(ebpf: &mut Ebpf, plan: &Plan, options: &Options) -> Result<Events, LoadError> {
    // Types from a file give offsets, but the kernel checks trampolines against its own types.
    let btf = types::of_kernel().ok();
    let btf = btf.as_ref();
    let delay_injection = if options.delay.is_some() { Some(delay_injection(plan)?) } else { None };
    let delayed_at_return = delay_injection.as_ref().is_some_and(|delay| delay.backend == Backend::Kretprobe);
    let hooked_at_return = plan.hooks.iter().any(|hook| hook.backend == Backend::Kretprobe);
    let mut returns = if delayed_at_return || hooked_at_return { ReturnEvents::new() } else { ReturnEvents::default() };
    // The hooks on reads must run before the delay. Of two programs at one place, on a trampoline or a kprobe, the one
    // attached last runs first.
    if let Some(DelayInjection { program, backend, symbol }) = &delay_injection {
        attach(ebpf, btf, program, *backend, symbol, &mut returns)?;
    }
    // Seats of tasks that exit after their end was missed. Without it they are counted when the observation ends.
    let mut tracepoints = Tracepoints::new(!starts_on_trampoline(plan));
    if let Err(error) = tracepoints.attach(ebpf, btf, &Programs::that_end_faults()) {
        log::warn!("{}", chain(&error));
    }
    for hook in in_order(plan) {
        match attach(ebpf, btf, hook.program.name, hook.backend, hook.attach_to(hook.backend), &mut returns) {
            // Without it, what it reports is counted with the rest.
            Err(error) if !plan.rests_on(hook) => log::warn!("{}", chain(&error)),
            attached => attached?,
        }
    }
    if options.watch {
        for tracepoint in plan.tracepoints() {
            tracepoints.attach(ebpf, btf, &Programs::that_watch(tracepoint))?;
        }
    }
    Ok(Events { returns, _tracepoints: tracepoints })
}

fn starts_on_trampoline(plan: &Plan) -> bool {
    plan.of(Meaning::FaultStart).any(|hook| hook.backend.is_trampoline())
}

/// The order of attaching: the start of faults last and their end before it, so that a fault whose start is seen is
/// seen to the end.
fn in_order(plan: &Plan) -> Vec<&Hook> {
    let mut hooks: Vec<&Hook> = plan.hooks.iter().collect();
    hooks.sort_by_key(|hook| match hook.meaning {
        Meaning::FaultStart => 2,
        Meaning::FaultEnd => 1,
        _ => 0,
    });
    hooks
}

/// Detaches the programs on the start of faults; everything else stays.
pub(crate) fn stop_starts(ebpf: &mut Ebpf, starts: &[Hook]) -> Result<(), LoadError> {
    for hook in starts {
        let stopped = match ebpf.program_mut(hook.program.name) {
            Some(Program::FEntry(program)) => program.unload(),
            Some(Program::KProbe(program)) => program.unload(),
            _ => continue,
        };
        stopped.map_err(|error| LoadError::Program { target: target(hook), source: error.into() })?;
    }
    Ok(())
}

pub(crate) fn target(hook: &Hook) -> Target {
    Target { program: hook.program.name, place: Place::Function(hook.backend), symbol: hook.symbol.clone() }
}

fn attach(
    ebpf: &mut Ebpf,
    btf: Option<&Btf>,
    name: &'static str,
    backend: Backend,
    symbol: &str,
    returns: &mut ReturnEvents,
) -> Result<(), LoadError> {
    let program = ebpf.program_mut(name).ok_or(LoadError::Missing { kind: "program", name })?;
    let start = std::time::Instant::now();
    let target = || Target { program: name, place: Place::Function(backend), symbol: symbol.to_owned() };
    let attached = match backend {
        Backend::Kretprobe => Some(attach_return(program, symbol, returns)),
        _ => attach_program(program, btf, backend, symbol),
    };
    match attached {
        None => Err(LoadError::NoTypes { target: target() }),
        Some(Err(error)) => Err(LoadError::Program { target: target(), source: error.into() }),
        Some(Ok(())) => {
            log::debug!("{name} on {symbol} ({}): attached in {:?}", backend.code(), start.elapsed());
            Ok(())
        }
    }
}

/// `None`: it needs the kernel's types, and they cannot be read.
pub(crate) fn attach_program(
    program: &mut Program,
    btf: Option<&Btf>,
    backend: Backend,
    symbol: &str,
) -> Option<Result<(), ProgramError>> {
    match backend {
        Backend::Fentry | Backend::Fexit => Some(attach_trampoline(program, btf?, symbol)),
        Backend::Kprobe | Backend::Kretprobe => Some(attach_probe(program, symbol)),
    }
}

fn attach_trampoline(program: &mut Program, btf: &Btf, symbol: &str) -> Result<(), ProgramError> {
    if let Ok(program) = <&mut FEntry>::try_from(&mut *program) {
        program.load(symbol, btf)?;
        program.attach()?;
    } else {
        let program: &mut FExit = program.try_into()?;
        program.load(symbol, btf)?;
        program.attach()?;
    }
    Ok(())
}

fn attach_probe(program: &mut Program, symbol: &str) -> Result<(), ProgramError> {
    let program: &mut KProbe = program.try_into()?;
    program.load()?;
    program.attach(symbol, 0)?;
    Ok(())
}

fn attach_return(program: &mut Program, symbol: &str, returns: &mut ReturnEvents) -> Result<(), ProgramError> {
    returns.attach(program.try_into()?, symbol)
}

/// The program of delay injection and its function.
struct DelayInjection<'a> {
    program: &'static str,
    backend: Backend,
    symbol: &'a str,
}

/// Delay injection is attached at the return of the function that reads; on kernels without direct reads at its entry,
/// while the page is locked.
fn delay_injection(plan: &Plan) -> Result<DelayInjection<'_>, LoadError> {
    let read = plan.read_hook().ok_or(LoadError::NoRead)?;
    let (program, backend) = match (plan.state == State::NoBypass, read.backend.is_trampoline()) {
        (false, true) => ("delay_fexit", Backend::Fexit),
        (false, false) => ("delay_kretprobe", Backend::Kretprobe),
        (true, true) => ("delay_fentry", Backend::Fentry),
        (true, false) => ("delay_kprobe", Backend::Kprobe),
    };
    Ok(DelayInjection { program, backend, symbol: read.attach_to(backend) })
}
