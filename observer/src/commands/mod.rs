//! The subcommands: put the parts together, print, and choose the exit code.

pub(crate) mod bench;
pub(crate) mod diff;
pub(crate) mod doctor;
pub(crate) mod filters;
pub(crate) mod live;
pub(crate) mod manual;
pub(crate) mod record;
pub(crate) mod replay;
pub(crate) mod report;
pub(crate) mod serve;
pub(crate) mod stress;

use std::{collections::BTreeMap, ffi::OsString, io, process::ExitCode, time::Duration};

use anyhow::Context as _;

use self::filters::FilterError;
use crate::{
    cli::ObserveArgs,
    launch::{Launch, Launched},
    session::{self, SessionObserver},
};
use observer_kernel::{survey::Ready, swaps, tree::Tree};
use observer_observation::{Clocks, Context, Kernel, Outcome, Swap, command, exit::Exit};
use observer_probe::{self as probe, Notes, Options, Probes, Widen, setup::at_attach};

/// An observation that is ready to start.
pub(crate) struct Planned {
    /// The host and its plan.
    pub(crate) ready: Ready,
    /// The command, and where its output goes.
    pub(crate) launch: Option<Launch>,
    /// How to observe.
    pub(crate) options: Options,
    /// When to stop.
    pub(crate) duration: Option<Duration>,
    /// The longest wait that is put up with, nanoseconds.
    pub(crate) budget_ns: Option<u64>,
    /// The swap areas in use.
    pub(crate) swaps: Vec<Swap>,
    /// The filters, by option.
    pub(crate) filters: BTreeMap<String, String>,
}

impl Planned {
    /// From the command line.
    ///
    /// # Errors
    /// When a filter fits nothing on this host.
    pub(crate) fn new(ready: Ready, args: &ObserveArgs, stdout_to_stderr: bool) -> Result<Self, FilterError> {
        let swaps = swaps_in_use(&ready);
        let launch =
            (!args.cmd.is_empty()).then(|| Launch { command: args.cmd.clone(), stdout_to_stderr, no_stdin: false });
        let options = Options {
            ring_bytes: args.ring_size << 10,
            watch: launch.is_some(),
            watched_tasks: args.watched_tasks,
            only: filters::resolve(&args.filters, &swaps, &Tree::system())?,
            sample_one_in: args.sample,
            fault_seats: args.fault_seats,
            widen: args
                .widen
                .filter(|delay| !delay.is_zero())
                .map(|delay| widen(delay, args.widen_comm.as_deref(), args.widen_one_in)),
            program_stats: args.program_stats,
            notes: Notes::Asked,
            log: log::log_enabled!(log::Level::Debug),
        };
        let budget_ns = args.budget.map(|budget| u64::try_from(budget.as_nanos()).unwrap_or(u64::MAX));
        let filters = filters::named(&args.filters);
        Ok(Self { ready, launch, options, duration: args.duration, budget_ns, swaps, filters })
    }

    /// What is known before the first event.
    pub(crate) fn context(&self) -> Context {
        let Ready { host, plan, .. } = &self.ready;
        Context {
            tool: env!("CARGO_PKG_VERSION").to_owned(),
            host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            kernel: Kernel::new(&host.release.text, &host.arch, host.tick_ns, plan),
            swaps: self.swaps.clone(),
            filters: self.filters.clone(),
            command: self.launch.as_ref().map(|launch| command::typed(&launch.command)).unwrap_or_default(),
            widen_ns: self.options.widen.map(|widen| widen.ns),
            widen_one_in: self.options.widen.map(|widen| widen.one_in),
            budget_ns: self.budget_ns,
            sample_one_in: self.options.sample_one_in.max(1),
            ring_bytes: self.options.ring_bytes.into(),
            clocks: Clocks::now(),
        }
    }

    /// As [`Planned::observe`], on a runtime of its own.
    pub(crate) fn run(
        &self,
        context: &Context,
        inherit: Option<&std::os::fd::OwnedFd>,
        session_observer: &mut impl SessionObserver,
    ) -> anyhow::Result<Outcome> {
        runtime()?.block_on(self.observe(context, inherit, session_observer))
    }

    /// The same, inside a runtime.
    pub(crate) async fn observe(
        &self,
        context: &Context,
        inherit: Option<&std::os::fd::OwnedFd>,
        session_observer: &mut impl SessionObserver,
    ) -> anyhow::Result<Outcome> {
        let mut probes = Probes::attach(&self.ready.plan, &self.options).map_err(at_attach)?;
        let launched = self.launch(&mut probes, inherit)?;
        let start = || launched.map(Launched::go).transpose();
        Ok(session::observe(probes, context, self.duration, start, session_observer).await?)
    }

    fn launch(&self, probes: &mut Probes, inherit: Option<&std::os::fd::OwnedFd>) -> anyhow::Result<Option<Launched>> {
        let Some(launch) = &self.launch else { return Ok(None) };
        let launched = launch.start(inherit).context("cannot start the command")?;
        probes.watch(launched.tid)?;
        Ok(Some(launched))
    }
}

/// One thread does everything.
pub(crate) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start the runtime")
}

/// The swap areas in use, with the types of their entries as far as the kernel tells.
pub(crate) fn swaps_in_use(ready: &Ready) -> Vec<Swap> {
    let areas = swaps::gather(&Tree::system(), &ready.host.release).unwrap_or_default();
    if areas.is_empty() {
        return Vec::new();
    }
    let types = probe::types_of_areas(&ready.plan)
        .inspect_err(|reason| log::info!("types of swap areas are taken from their order: {reason}"));
    Swap::all(&areas, types.ok().as_deref())
}

/// Delay injection's settings.
pub(crate) fn widen(delay: Duration, comm: Option<&str>, one_in: u32) -> Widen {
    Widen { ns: u64::try_from(delay.as_nanos()).unwrap_or(u64::MAX), comm: comm_bytes(comm), one_in }
}

/// A task's name as the kernel keeps it: 15 bytes at most, zero-padded. None: all zero, which stands for any name.
pub(crate) fn comm_bytes(comm: Option<&str>) -> [u8; 16] {
    let mut bytes = [0; 16];
    for (to, from) in bytes.iter_mut().zip(comm.unwrap_or_default().bytes().take(15)) {
        *to = from;
    }
    bytes
}

/// The gate of `-- CMD`: becomes the command, or says why it cannot, and ends as a shell would.
pub(crate) fn launch(gate: i32, command: &[OsString]) -> ExitCode {
    let error = crate::launch::wait_and_exec(gate, command);
    eprintln!("observer: cannot run `{}`: {error}", command::shown(command));
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
