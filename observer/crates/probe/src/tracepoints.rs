//! Programs on tracepoints of the kernel.
//!
//! Through perf they run with preemption off on every kernel. As `tp_btf` they need no tracefs, and from 7.0 on they can
//! be preempted, and are then skipped for the other tasks of that CPU (<https://git.kernel.org/torvalds/c/a46023d5616e>).

use std::{
    io,
    os::fd::{AsFd as _, OwnedFd},
};

use aya::{
    Btf, Ebpf,
    programs::{BtfTracePoint, Program, ProgramError, TracePoint},
};
use observer_ebpf::tracepoint::{EXEC_OLD_PID, NEW_TASK_PID};
use observer_kernel::plan::Tracepoint;

use crate::{
    error::{LoadError, Place, Target, chain},
    tracefs::Tracefs,
};

/// The programs for one tracepoint.
pub(crate) struct Programs {
    tracepoint: Tracepoint,
    /// Of type `tracepoint`, through perf.
    event: &'static str,
    typed: &'static str,
}

impl Programs {
    /// Those that follow the tasks of a watched command.
    pub(crate) const fn that_watch(tracepoint: Tracepoint) -> Self {
        let (event, typed) = match tracepoint {
            Tracepoint::New => ("watch_new_event", "watch_new"),
            Tracepoint::Exec => ("watch_exec_event", "watch_exec"),
            Tracepoint::Exit => ("watch_exit_event", "watch_exit"),
        };
        Self { tracepoint, event, typed }
    }

    /// That which removes the faults of tasks that exit.
    pub(crate) const fn that_end_faults() -> Self {
        Self { tracepoint: Tracepoint::Exit, event: "fault_exit_event", typed: "fault_exit" }
    }
}

/// Attaches programs to tracepoints. Those on events are attached as long as it lives.
#[derive(Debug, Default)]
pub(crate) struct Tracepoints {
    /// `None`: events are not wanted, or cannot be opened.
    tracefs: Option<Tracefs>,
    events: Vec<OwnedFd>,
}

impl Tracepoints {
    /// `through_perf`: no run may be skipped because a task was preempted in another one.
    pub(crate) fn new(through_perf: bool) -> Self {
        let tracefs = through_perf.then(Tracefs::find).and_then(|found| {
            found.inspect_err(|error| log::info!("no tracefs, so tracepoints have no events: {error}")).ok()
        });
        Self { tracefs, events: Vec::new() }
    }

    /// Attaches the program on the event if that is wanted and possible, else the one that needs the kernel's types.
    pub(crate) fn attach(&mut self, ebpf: &mut Ebpf, btf: Option<&Btf>, programs: &Programs) -> Result<(), LoadError> {
        let name = programs.tracepoint.code();
        let failed = |program, place| {
            let target = Target { program, place, symbol: name.to_owned() };
            move |error: ProgramError| LoadError::Program { target, source: error.into() }
        };
        let by_event = self.attach_event(program(ebpf, programs.event)?, programs.tracepoint);
        match (by_event, btf) {
            (Ok(()), _) => Ok(()),
            (Err(error), None) => Err(failed(programs.event, Place::Tracepoint)(error)),
            (Err(error), Some(btf)) => {
                log::debug!("{name} has no event: {}", chain(&error));
                attach_typed(program(ebpf, programs.typed)?, btf, name)
                    .map_err(failed(programs.typed, Place::TypedTracepoint))
            }
        }
    }

    fn attach_event(&mut self, program: &mut Program, tracepoint: Tracepoint) -> Result<(), ProgramError> {
        let tracefs = self.tracefs.as_ref().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        let event = format!("{}/{}", group(tracepoint), tracepoint.code());
        has_field(tracepoint, &tracefs.read(&format!("events/{event}/format"))?)?;
        let program: &mut TracePoint = program.try_into()?;
        program.load()?;
        self.events.push(crate::perf::attach(tracefs.event_id(&event)?, program.fd()?.as_fd())?);
        Ok(())
    }
}

fn program<'a>(ebpf: &'a mut Ebpf, name: &'static str) -> Result<&'a mut Program, LoadError> {
    ebpf.program_mut(name).ok_or(LoadError::Missing { kind: "program", name })
}

fn attach_typed(program: &mut Program, btf: &Btf, name: &str) -> Result<(), ProgramError> {
    let program: &mut BtfTracePoint = program.try_into()?;
    program.load(name, btf)?;
    program.attach()?;
    Ok(())
}

/// The folder of its event.
const fn group(tracepoint: Tracepoint) -> &'static str {
    match tracepoint {
        Tracepoint::New => "task",
        Tracepoint::Exec | Tracepoint::Exit => "sched",
    }
}

/// Whether the record of an event has the field that the program reads, where it reads it.
fn has_field(tracepoint: Tracepoint, format: &str) -> io::Result<()> {
    let (field, offset) = match tracepoint {
        Tracepoint::New => ("pid", NEW_TASK_PID),
        Tracepoint::Exec => ("old_pid", EXEC_OLD_PID),
        Tracepoint::Exit => return Ok(()),
    };
    let wanted = format!("field:pid_t {field};\toffset:{offset};\tsize:4;");
    if format.lines().any(|line| line.trim_start().starts_with(&wanted)) {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::Unsupported, format!("no field {field} at offset {offset}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_field_must_be_where_the_program_reads_it() {
        // As 6.12.117 shows them.
        let new = "name: task_newtask\nID: 123\nformat:\n\tfield:pid_t pid;\toffset:8;\tsize:4;\tsigned:1;\n";
        let exec = "\tfield:pid_t pid;\toffset:12;\tsize:4;\tsigned:1;\n\
                    \tfield:pid_t old_pid;\toffset:16;\tsize:4;\tsigned:1;\n";
        assert!(has_field(Tracepoint::New, new).is_ok());
        assert!(has_field(Tracepoint::Exec, exec).is_ok());
        assert!(has_field(Tracepoint::New, exec).is_err());
        assert!(has_field(Tracepoint::Exec, new).is_err());
        assert!(has_field(Tracepoint::Exit, "").is_ok(), "it reads none");
    }
}
