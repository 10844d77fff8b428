//! Return probes with room for thousands of tasks (docs/decisions/backend.md).
//!
//! A return probe needs an instance for each task that is inside its function. One that `perf_event_open` makes has as
//! many as the kernel's default, ten to twice the number of CPUs, and misses the other returns. The number can be chosen
//! only for events in tracefs, so the event is made there, and the program is attached to it through perf.
//!
//! An event stays if the process that made it is killed. Its name therefore has that process, and the next observer
//! removes those of processes that are gone. Such an event has no program and does not run.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
    sync::Arc,
    thread,
    time::Duration,
};

use aya::programs::{KProbe, ProgramError};
use observer_kernel::tree::read_text;

use crate::{
    perf,
    tracefs::{EVENTS, Tracefs},
};

/// The most instances that the kernel allows (`KRETPROBE_MAXACTIVE_MAX`).
const INSTANCES: u32 = 4_096;
/// The folder of the events, and what their names start with.
const GROUP: &str = "observer";
/// Removing an event fails while it is in use, which ends a moment after its descriptor is closed.
const REMOVE_ATTEMPTS: u32 = 20;
const REMOVE_PAUSE: Duration = Duration::from_millis(10);

/// All events of an observation. Dropping it detaches their programs and removes them.
#[derive(Debug, Default)]
pub(crate) struct ReturnEvents {
    /// `None`: no events can be made here.
    tracefs: Option<Arc<Tracefs>>,
    events: Vec<ReturnEvent>,
}

impl ReturnEvents {
    /// Without events so far. Removes those of observers that were killed.
    pub(crate) fn new() -> Self {
        let tracefs = Tracefs::for_events().inspect_err(|reason| {
            log::info!("return probes get few instances: no events in tracefs ({})", reason.code());
        });
        let tracefs = tracefs.ok().map(Arc::new);
        if let Some(tracefs) = &tracefs {
            remove_stale(tracefs);
        }
        Self { tracefs, events: Vec::new() }
    }

    /// Attaches a program to the return of a function: to an event if possible, else to a probe with few instances.
    pub(crate) fn attach(&mut self, program: &mut KProbe, symbol: &str) -> Result<(), ProgramError> {
        program.load()?;
        if let Some(tracefs) = &self.tracefs {
            let name = Owner::this_process()?.event(self.events.len());
            match ReturnEvent::attach(Arc::clone(tracefs), program.fd()?.as_fd(), name, symbol) {
                Ok(event) => {
                    self.events.push(event);
                    return Ok(());
                }
                Err(error) => log::warn!("the return probe on {symbol} gets few instances: {error}"),
            }
        }
        program.attach(symbol, 0)?;
        Ok(())
    }

    /// Returns that the kernel reports as missed, by function; without those that it does not count.
    pub(crate) fn missed(&self) -> impl Iterator<Item = (&str, u64)> {
        self.events.iter().filter_map(|event| Some((event.symbol.as_str(), event.missed()?)))
    }
}

/// An event on the return of a function, with a program.
#[derive(Debug)]
struct ReturnEvent {
    tracefs: Arc<Tracefs>,
    name: String,
    symbol: String,
    /// The program runs while it is open.
    perf: Option<OwnedFd>,
}

impl ReturnEvent {
    fn attach(tracefs: Arc<Tracefs>, program: BorrowedFd<'_>, name: String, symbol: &str) -> io::Result<Self> {
        tracefs.write_event(&format!("r{INSTANCES}:{GROUP}/{name} {symbol}"))?;
        // From here on the event is removed also after an error.
        let mut event = Self { tracefs, name, symbol: symbol.to_owned(), perf: None };
        event.perf = Some(perf::attach(event.tracefs.event_id(&format!("{GROUP}/{}", event.name))?, program)?);
        Ok(event)
    }

    fn missed(&self) -> Option<u64> {
        missed_in(&self.tracefs.read("kprobe_profile").ok()?, &self.name)
    }
}

impl Drop for ReturnEvent {
    fn drop(&mut self) {
        self.perf = None;
        if let Err(error) = remove(&self.tracefs, &self.name) {
            log::warn!("cannot remove the event {GROUP}/{}: {error}", self.name);
        }
    }
}

fn remove(tracefs: &Tracefs, name: &str) -> io::Result<()> {
    let mut result = Ok(());
    for _ in 0..REMOVE_ATTEMPTS {
        result = tracefs.write_event(&format!("-:{GROUP}/{name}"));
        match &result {
            Err(error) if error.raw_os_error() == Some(libc::EBUSY) => thread::sleep(REMOVE_PAUSE),
            _ => break,
        }
    }
    result
}

/// Removes the events of processes that are gone. Those of a process in another PID namespace may look like that too;
/// the kernel does not remove them while they are in use.
fn remove_stale(tracefs: &Tracefs) {
    let events = tracefs.read(EVENTS).unwrap_or_default();
    for (name, owner) in events_in(&events) {
        if owner.is_gone() {
            let removed = tracefs.write_event(&format!("-:{GROUP}/{name}"));
            log::info!("removing the event {GROUP}/{name} of an observer that was killed: {removed:?}");
        }
    }
}

/// The names of observers' events, and their owners, from the text of [`EVENTS`].
fn events_in(text: &str) -> impl Iterator<Item = (&str, Owner)> {
    text.lines().filter_map(|line| {
        let (_, event) = line.split_once(':')?;
        let name = event.split_whitespace().next()?.strip_prefix(GROUP)?.strip_prefix('/')?;
        Some((name, Owner::of_event(name)?))
    })
}

/// The misses of the event in the text of `kprobe_profile`: name, hits, misses. Before 5.10.94 those for want of an
/// instance are not among them (<https://git.kernel.org/torvalds/c/dfea08a2116f>).
fn missed_in(profile: &str, name: &str) -> Option<u64> {
    let mut fields = profile.lines().map(str::split_whitespace).find(|fields| fields.clone().next() == Some(name))?;
    fields.nth(2)?.parse().ok()
}

/// The process that made an event. The time of its start distinguishes it from a later process with the same
/// number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Owner {
    pid: u32,
    /// In clock ticks since boot.
    started: u64,
}

impl Owner {
    fn this_process() -> io::Result<Self> {
        let pid = std::process::id();
        let started = start_of(pid).ok_or_else(|| io::Error::other("cannot read /proc/self/stat"))?;
        Ok(Self { pid, started })
    }

    /// The name of its event number `index`.
    fn event(self, index: usize) -> String {
        format!("return_{}_{}_{index}", self.pid, self.started)
    }

    fn of_event(name: &str) -> Option<Self> {
        let mut fields = name.strip_prefix("return_")?.split('_');
        Some(Self { pid: fields.next()?.parse().ok()?, started: fields.next()?.parse().ok()? })
    }

    fn is_gone(self) -> bool {
        start_of(self.pid) != Some(self.started)
    }
}

/// When a process was started; `None`: there is none of this number.
fn start_of(pid: u32) -> Option<u64> {
    parse_start(&read_text(Path::new(&format!("/proc/{pid}/stat"))).ok()?)
}

/// Field 22 of `pid (comm) state ...`; the name may contain parentheses and spaces.
fn parse_start(stat: &str) -> Option<u64> {
    stat.rsplit_once(") ")?.1.split_whitespace().nth(22 - 3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owner_of_an_event_is_in_its_name() {
        let owner = Owner { pid: 12, started: 3_456 };
        assert_eq!(owner.event(1), "return_12_3456_1");
        assert_eq!(Owner::of_event(&owner.event(1)), Some(owner));
        let text = "p:kprobes/return_1_2_3 do_exit\nr4096:observer/return_12_3456_1 do_swap_page\nr:observer/other f\n";
        assert_eq!(events_in(text).collect::<Vec<_>>(), [("return_12_3456_1", owner)]);
    }

    #[test]
    fn only_events_of_processes_that_are_gone_are_stale() {
        let own = Owner::this_process().unwrap();
        assert!(!own.is_gone());
        assert!(Owner { started: own.started + 1, ..own }.is_gone(), "an earlier process with the same number");
        assert!(Owner { pid: u32::MAX >> 2, ..own }.is_gone());
        assert_eq!(parse_start("7 (a ) S (b) S 1 7 7 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 3456 1"), Some(3_456));
    }

    #[test]
    fn misses_are_those_of_the_event() {
        let profile = "  return_1_2_0                 10   3\n  return_1_2_01    11               4\n";
        assert_eq!(missed_in(profile, "return_1_2_01"), Some(4));
        assert_eq!(missed_in(profile, "return_1_2_0"), Some(3));
        assert_eq!(missed_in(profile, "return_1"), None);
    }
}
