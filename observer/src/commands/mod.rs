//! The subcommands: put the parts together, print, and choose the exit code.

pub mod bench;
pub mod doctor;
pub mod live;
pub mod record;
pub mod stress;

use std::{ffi::OsString, io, process::ExitCode, time::Duration};

use anyhow::Context as _;

use crate::{
    cli::ObserveArgs,
    exit::Exit,
    launch::{Launch, Launched},
    probe::{Options, Probes, Widen},
    session::{self, Onlooker, Outcome},
    setup::{Ready, at_attach},
};

/// An observation that is ready to begin.
pub(crate) struct Planned {
    /// The host and its plan.
    pub(crate) ready: Ready,
    /// The command, and where its output goes.
    pub(crate) launch: Option<Launch>,
    /// How to observe.
    pub(crate) options: Options,
    /// When to stop.
    pub(crate) duration: Option<Duration>,
}

impl Planned {
    /// From the command line.
    pub(crate) fn new(ready: Ready, args: &ObserveArgs, stdout_to_stderr: bool) -> Self {
        let launch = (!args.cmd.is_empty()).then(|| Launch { command: args.cmd.clone(), stdout_to_stderr });
        let options = Options {
            ring_bytes: args.ring_size << 10,
            watch: launch.is_some(),
            flight_seats: args.flight_seats,
            widen: args
                .widen
                .filter(|delay| !delay.is_zero())
                .map(|delay| widen(delay, args.widen_comm.as_deref(), args.widen_one_in)),
            log: log::log_enabled!(log::Level::Debug),
        };
        Self { ready, launch, options, duration: args.duration }
    }

    /// Attaches, starts the command, observes until the end.
    pub(crate) fn run(
        &self,
        inherit: Option<&std::os::fd::OwnedFd>,
        onlooker: &mut impl Onlooker,
    ) -> anyhow::Result<Outcome> {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start the runtime")?;
        runtime.block_on(async {
            let mut probes = Probes::attach(&self.ready.plan, &self.options).map_err(at_attach)?;
            let launched = self.launch(&mut probes, inherit)?;
            let start = || launched.map(Launched::go).transpose();
            Ok(session::observe(probes, self.duration, start, onlooker).await?)
        })
    }

    fn launch(&self, probes: &mut Probes, inherit: Option<&std::os::fd::OwnedFd>) -> anyhow::Result<Option<Launched>> {
        let Some(launch) = &self.launch else { return Ok(None) };
        let launched = launch.start(inherit).context("cannot start the command")?;
        probes.watch(launched.tid)?;
        Ok(Some(launched))
    }
}

/// The widener's settings.
pub(crate) fn widen(delay: Duration, comm: Option<&str>, one_in: u32) -> Widen {
    let mut bytes = [0; 16];
    for (to, from) in bytes.iter_mut().zip(comm.unwrap_or_default().bytes().take(15)) {
        *to = from;
    }
    Widen { ns: u64::try_from(delay.as_nanos()).unwrap_or(u64::MAX), comm: bytes, one_in }
}

/// The gate of `-- CMD`: becomes the command, or says why it cannot, and ends as a shell would.
pub fn launch(gate: i32, command: &[OsString]) -> ExitCode {
    let error = crate::launch::wait_and_exec(gate, command);
    eprintln!("observer: cannot run `{}`: {error}", crate::launch::shown(command));
    ExitCode::from(127)
}

/// Tells the user of an I/O error on standard output, but not of a pipe that was closed on purpose.
pub(crate) fn printed(result: io::Result<()>, exit: Exit) -> anyhow::Result<Exit> {
    match result {
        Ok(()) => Ok(exit),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(exit),
        Err(error) => Err(error).context("cannot write to standard output"),
    }
}
