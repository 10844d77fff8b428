//! Attaches programs by plan.

use super::{LoadError, Options, trial};
use aya::{
    Btf, Ebpf,
    maps::MapError,
    programs::{BtfTracePoint, FEntry, FExit, KProbe, Program, ProgramError, RawTracePoint},
};
use observer_ebpf as abi;
use observer_kernel::plan::{Backend, Hook, Meaning, Plan, State};

/// Attaches everything. When it returns, every hook is live.
pub(super) fn all(ebpf: &mut Ebpf, plan: &Plan, options: &Options) -> Result<(), LoadError> {
    // Types from a file stand in for offsets, but not for what a trampoline is checked against.
    let btf = Btf::from_sys_fs().ok();
    let btf = btf.as_ref();
    let delay_injection = if options.widen.is_some() { Some(delay_injection(plan)?) } else { None };
    // Trampolines first: of two programs at one place the one attached last runs first, and a read starts and ends
    // before the delay. Kprobes run in the order in which they were attached.
    let late = |delay_injection: &&DelayInjection<'_>| delay_injection.backend == Backend::Kprobe;
    if let Some(DelayInjection { program, backend, symbol }) =
        delay_injection.as_ref().filter(|delay_injection| !late(delay_injection))
    {
        attach(ebpf, btf, program, *backend, symbol)?;
    }
    for hook in in_order(plan) {
        match attach(ebpf, btf, hook.program, hook.backend, &hook.symbol) {
            // What it would tell is counted with what cannot be told.
            Err(error) if !plan.rests_on(hook) => log::warn!("{error}"),
            attached => attached?,
        }
    }
    if let Some(DelayInjection { program, backend, symbol }) = delay_injection.as_ref().filter(late) {
        attach(ebpf, btf, program, *backend, symbol)?;
    }
    if options.watch {
        attach_tracepoint(ebpf, btf, ["watch_fork", "watch_fork_raw"], "sched_process_fork")?;
        attach_tracepoint(ebpf, btf, ["watch_exit", "watch_exit_raw"], "sched_process_exit")?;
    }
    Ok(())
}

/// The order in which hooks go live: a fault's start last and its end right before it, so that a fault that is seen to
/// start is seen to the end.
fn in_order(plan: &Plan) -> Vec<&Hook> {
    let mut hooks: Vec<&Hook> = plan.hooks.iter().collect();
    hooks.sort_by_key(|hook| match hook.meaning {
        Meaning::FaultStart => 2,
        Meaning::FaultEnd => 1,
        _ => 0,
    });
    hooks
}

/// Detaches what sees faults start; everything else stays.
pub(super) fn stop_starts(ebpf: &mut Ebpf) -> Result<(), LoadError> {
    for (name, program) in ebpf.programs_mut().filter(|(name, _)| name.starts_with("fault_start")) {
        let (backend, stopped) = match program {
            Program::FEntry(program) if program.fd().is_ok() => (Backend::Fentry, program.unload()),
            Program::KProbe(program) if program.fd().is_ok() => (Backend::Kprobe, program.unload()),
            _ => continue,
        };
        stopped.map_err(|error| LoadError::Program {
            program: name.to_owned(),
            backend: backend.name(),
            symbol: "do_swap_page".to_owned(),
            reason: trial::chain(&error),
        })?;
    }
    Ok(())
}

fn attach(ebpf: &mut Ebpf, btf: Option<&Btf>, name: &str, backend: Backend, symbol: &str) -> Result<(), LoadError> {
    let program =
        ebpf.program_mut(name).ok_or_else(|| LoadError::Object(format!("the eBPF object has no program {name}")))?;
    let start = std::time::Instant::now();
    let (program_name, backend_name) = (name.to_owned(), backend.name());
    match attach_program(program, btf, backend, symbol) {
        None => Err(LoadError::Btf { program: program_name, backend: backend_name, symbol: symbol.to_owned() }),
        Some(Err(error)) => Err(LoadError::Program {
            program: program_name,
            backend: backend_name,
            symbol: symbol.to_owned(),
            reason: refusal(&error),
        }),
        Some(Ok(())) => {
            log::debug!("{name} on {symbol} ({backend_name}): attached in {:?}", start.elapsed());
            Ok(())
        }
    }
}

/// `None`: it takes types, and there are none.
pub(super) fn attach_program(
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

/// With types, or without.
fn attach_tracepoint(
    ebpf: &mut Ebpf,
    btf: Option<&Btf>,
    [typed, raw]: [&str; 2],
    tracepoint: &str,
) -> Result<(), LoadError> {
    let (name, backend) = if btf.is_some() { (typed, "tp_btf") } else { (raw, "raw_tp") };
    let program =
        ebpf.program_mut(name).ok_or_else(|| LoadError::Object(format!("the eBPF object has no program {name}")))?;
    let mut attached = || -> Result<(), ProgramError> {
        if let Some(btf) = btf {
            let program: &mut BtfTracePoint = program.try_into()?;
            program.load(tracepoint, btf)?;
            program.attach()?;
        } else {
            let program: &mut RawTracePoint = program.try_into()?;
            program.load()?;
            program.attach(tracepoint)?;
        }
        Ok(())
    };
    attached().map_err(|error| LoadError::Program {
        program: name.to_owned(),
        backend,
        symbol: tracepoint.to_owned(),
        reason: refusal(&error),
    })
}

/// Where delay injection goes.
struct DelayInjection<'a> {
    program: &'static str,
    backend: Backend,
    symbol: &'a str,
}

/// Delay injection goes on the return of the read that the plan hooks; without the bypass on its start, while the page is
/// locked.
fn delay_injection(plan: &Plan) -> Result<DelayInjection<'_>, LoadError> {
    let Some(read) = plan.read_hook() else {
        return Err(LoadError::Object("no read hook on this kernel, so nothing to widen".to_owned()));
    };
    let trampoline = matches!(read.backend, Backend::Fentry | Backend::Fexit);
    let (program, backend) = match (plan.state == State::NoBypass, trampoline) {
        (false, true) => ("widen_fexit", Backend::Fexit),
        (false, false) => ("widen_kretprobe", Backend::Kretprobe),
        (true, true) => ("widen_fentry", Backend::Fentry),
        (true, false) => ("widen_kprobe", Backend::Kprobe),
    };
    Ok(DelayInjection { program, backend, symbol: &read.symbol })
}

pub(super) fn delay_injection_failed(error: &MapError) -> LoadError {
    LoadError::Map { name: abi::MAP_WIDEN_OFF, reason: trial::chain(error) }
}

fn refusal(error: &ProgramError) -> String {
    if let ProgramError::LoadError { io_error, verifier_log } = error {
        log::debug!("verifier: {verifier_log}");
        return format!("{}: {}", trial::errno_name(io_error), verdict(&verifier_log.to_string()));
    }
    trial::chain(error)
}

/// The line of a verifier's log that says why: the last one before the figures. What they look like differs by kernel
/// (7.3 tells of each subprogram), and means nothing to whoever reads the message.
fn verdict(log: &str) -> &str {
    const FIGURES: [&str; 5] = ["processed ", "verification time", "stack depth", "subprog ", "insns_"];
    let says_why = |line: &&str| !line.is_empty() && !FIGURES.iter().any(|figures| line.starts_with(figures));
    log.lines().map(str::trim).rev().find(says_why).unwrap_or("no verifier log")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verifier_s_reason_is_told_and_not_its_figures() {
        let old = "0: R1=ctx\narg0 accesses a struct\nprocessed 9 insns (limit 1000000) max_states_per_insn 0\n";
        assert_eq!(verdict(old), "arg0 accesses a struct");
        let new = "last insn is not an exit or jmp\nverification time 296 usec\nstack depth max 0\n\
            subprog 0 (<unknown>) main insns_self 0 insns_total 0 stack 0\nprocessed 0 insns (limit 1000000)\n\n";
        assert_eq!(verdict(new), "last insn is not an exit or jmp", "as 7.3 words it");
        assert_eq!(verdict(""), "no verifier log");
    }
}
