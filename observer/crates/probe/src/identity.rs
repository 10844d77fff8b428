//! Learns in the kernel how the programs see a task: its ids, and the time. Inside a PID or time namespace, those of
//! user space differ. Elsewhere the program is loaded only to add tasks to the watched ones.
//!
//! The program `identify` is attached to nothing. The system call that runs a program for a test runs it in the calling
//! task, on every kernel from 5.10 on (`bpf_prog_test_run_raw_tp`).

use std::{
    io,
    os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd},
    process,
};

use aya::{
    Ebpf,
    maps::{Array, MapData, MapError},
    programs::{ProgramError, RawTracePoint},
    sys::SyscallError,
};
use observer_ebpf::{self as abi, identity::Identity};
use observer_kernel::{
    namespaces::{Namespace, monotonic_offset, shows_kernel_ids},
    tree::Tree,
};
use observer_observation::clock::{self, Reading};

use crate::{
    error::LoadError,
    object::{OBJECT, small_loader},
};

/// The program that records the task that runs it.
const PROGRAM: &str = "identify";
/// Readings of the two clocks. The best one is that during which nothing else ran.
const READINGS: usize = 16;
/// `BPF_PROG_TEST_RUN`.
const TEST_RUN: libc::c_int = 10;

/// The first members of `union bpf_attr` for `BPF_PROG_TEST_RUN`; the kernel takes those that follow as 0.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct TestRunAttr {
    program: u32,
    return_value: u32,
    data_sizes: [u32; 2],
    data: [u64; 2],
    repeat: u32,
    duration: u32,
    context_sizes: [u32; 2],
    context: [u64; 2],
    flags: u32,
    cpu: u32,
}

/// Runs the program behind the descriptor in the calling task.
///
/// # Errors
/// When the kernel refuses it.
pub fn identify(program: BorrowedFd<'_>) -> io::Result<()> {
    let program = u32::try_from(program.as_raw_fd()).map_err(io::Error::other)?;
    let attr = TestRunAttr { program, ..TestRunAttr::default() };
    // SAFETY: the attributes live until the call returns, and their size is passed; they have no pointers.
    let done = unsafe { libc::syscall(libc::SYS_bpf, TEST_RUN, &raw const attr, size_of::<TestRunAttr>()) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// The loaded program and its map.
pub(crate) struct Identifier {
    program: OwnedFd,
    map: Array<MapData, Identity>,
}

impl Identifier {
    pub(crate) fn load(ebpf: &mut Ebpf) -> Result<Self, LoadError> {
        let refused = |error: ProgramError| LoadError::TestRun { name: PROGRAM, source: error.into() };
        let program: &mut RawTracePoint = ebpf
            .program_mut(PROGRAM)
            .and_then(|program| program.try_into().ok())
            .ok_or(LoadError::Missing { kind: "program", name: PROGRAM })?;
        program.load().map_err(refused)?;
        let program = program.fd().and_then(|fd| Ok(fd.as_fd().try_clone_to_owned()?)).map_err(refused)?;
        Ok(Self { program, map: identity(ebpf)? })
    }

    /// For [`identify`] in another process.
    pub(crate) fn program(&self) -> BorrowedFd<'_> {
        self.program.as_fd()
    }

    /// The calling thread.
    pub(crate) fn of_this_thread(&self) -> Result<Identity, LoadError> {
        identify(self.program()).map_err(|io_error| LoadError::TestRun {
            name: PROGRAM,
            source: SyscallError { call: "bpf_prog_test_run", io_error }.into(),
        })?;
        self.last()
    }

    /// The task that ran the program last; all 0: none did.
    pub(crate) fn last(&self) -> Result<Identity, LoadError> {
        self.map.get(&0, 0).map_err(map_failed)
    }

    fn clock_offset(&self) -> Result<i64, LoadError> {
        let read = |_| {
            let before = clock::own();
            let at = self.of_this_thread()?.at;
            Ok(Reading { before, at, after: clock::own() })
        };
        let readings = (0..READINGS).map(read).collect::<Result<Vec<_>, LoadError>>()?;
        Ok(clock::offset(&readings, monotonic_offset(&Tree::system())))
    }
}

/// How far the clock of the programs is ahead of this process's `CLOCK_MONOTONIC`, nanoseconds. `time`: the time
/// namespace of this process. In the initial one both are the same clock, and nothing is loaded.
pub(crate) fn clock_ahead_ns(time: Namespace) -> Result<i64, LoadError> {
    if time == Namespace::Initial {
        return Ok(0);
    }
    let mut ebpf = small_loader().load(OBJECT).map_err(|error| LoadError::Object(error.into()))?;
    Identifier::load(&mut ebpf)?.clock_offset()
}

/// Makes this process the one that the programs take for the last to have run `identify`. It runs it only where the
/// kernel has another process id for it.
pub(crate) fn record_this_process(ebpf: &mut Ebpf) -> Result<(), LoadError> {
    if !shows_kernel_ids(&Tree::system()) {
        return Identifier::load(ebpf)?.of_this_thread().map(drop);
    }
    let own = Identity { tgid: process::id(), ..Identity::default() };
    identity(ebpf)?.set(0, own, 0).map_err(map_failed)
}

fn identity(ebpf: &mut Ebpf) -> Result<Array<MapData, Identity>, LoadError> {
    let name = abi::MAP_IDENTITY;
    let map = ebpf.take_map(name).ok_or(LoadError::Missing { kind: "map", name })?;
    map.try_into().map_err(map_failed)
}

/// Which map could not be used.
fn map_failed(error: MapError) -> LoadError {
    LoadError::Map { name: abi::MAP_IDENTITY, source: error.into() }
}

const _: () = assert!(size_of::<TestRunAttr>() == 72);
