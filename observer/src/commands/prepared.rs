//! From the command line and this host to an observation that is ready to start.

use std::{
    collections::BTreeMap,
    os::fd::OwnedFd,
    sync::{Arc, OnceLock},
    time::Duration,
};

use anyhow::Context as _;

use super::{areas::HostAreas, cgroups, filters, runtime::runtime, types};
use crate::{
    cli::ObserveArgs,
    dashboard,
    launch::{Launch, Launched},
    session::{self, AreaList, AreaWatch, Areas as _, CgroupWatch, FindCgroup, Observer},
};
use observer_kernel::{survey::Ready, tree::Tree};
use observer_observation::{Clocks, Context, Kernel, Outcome, Swap, command};
use observer_probe::{Delay, Detail, Options, Probes, at_attach, setup};
use observer_text::Name;
use observer_tui::settings::Settings;

/// An observation that is ready to start.
pub(super) struct Prepared {
    pub(super) ready: Ready,
    /// The command to observe.
    pub(super) launch: Option<Launch>,
    pub(super) options: Options,
    pub(super) duration: Option<Duration>,
    /// Maximum acceptable wait.
    pub(super) budget_ns: Option<u64>,
    /// Open since before `swaps` were read; `None`: it cannot be opened, so changes are not noticed.
    pub(super) area_list: Option<AreaList>,
    /// Swap areas in use.
    pub(super) swaps: Vec<Swap>,
    /// The paths of those of `--device`.
    pub(super) devices: Vec<Name>,
    /// Filters, by option.
    pub(super) filters: BTreeMap<String, Name>,
    /// Set before the command starts: its process id in the initial PID namespace, as in all events.
    pub(super) command_pid: Arc<OnceLock<u32>>,
}

impl Prepared {
    /// Surveys the host and resolves the options. `stdout_to_stderr`: where the command's output goes.
    ///
    /// # Errors
    /// [`Refusal`](observer_kernel::survey::Refusal) when this host does not allow it;
    /// [`FilterError`](filters::FilterError) when a filter matches nothing on this host.
    pub(super) fn new(args: &ObserveArgs, stdout_to_stderr: bool) -> anyhow::Result<Self> {
        let options = args.setup();
        types::check(&options)?;
        let ready = setup::prepare(&options)?;
        let area_list = AreaList::open();
        let swaps = HostAreas::new(&ready, &[]).in_use().unwrap_or_default();
        let launch =
            (!args.cmd.is_empty()).then(|| Launch { command: args.cmd.clone(), stdout_to_stderr, no_stdin: false });
        let options = Options {
            ring_bytes: args.ring_size << 10,
            watch: launch.is_some(),
            watched_tasks: args.watched_tasks,
            filter: filters::resolve(&args.filters, &swaps, &Tree::system())?,
            sample_one_in: args.sample,
            fault_seats: args.fault_seats,
            delay: args
                .widen
                .filter(|delay| !delay.is_zero())
                .map(|delay| widen(delay, args.widen_comm.as_ref(), args.widen_one_in)),
            program_stats: args.program_stats,
            detail: Detail::Needed,
            log: log::log_enabled!(log::Level::Debug),
        };
        let devices = filters::devices(&args.filters, &swaps)?;
        let area_list = match area_list {
            Err(error) if !devices.is_empty() => Err(error).context("--device: cannot watch the list of swap areas")?,
            other => other.ok(),
        };
        let budget_ns = args.budget.map(|budget| u64::try_from(budget.as_nanos()).unwrap_or(u64::MAX));
        let filters = filters::by_option(&args.filters);
        Ok(Self {
            ready,
            launch,
            options,
            duration: args.duration,
            budget_ns,
            area_list,
            swaps,
            devices,
            filters,
            command_pid: Arc::default(),
        })
    }

    /// What is known before the first event.
    pub(super) fn context(&self) -> Context {
        let Ready { host, plan, .. } = &self.ready;
        Context {
            tool: env!("CARGO_PKG_VERSION").to_owned(),
            host: rustix::system::uname().nodename().to_bytes().into(),
            kernel: Kernel::new(&host.release.text, &host.arch, host.tick_ns, plan),
            cgroups: host.cgroups.mode,
            swaps: self.swaps.clone(),
            filters: self.filters.clone(),
            devices: self.devices.clone(),
            command: self.launch.as_ref().map(|launch| command::typed(&launch.command)).unwrap_or_default(),
            widen_ns: self.options.delay.map(|delay| delay.ns),
            widen_one_in: self.options.delay.map(|delay| delay.one_in),
            budget_ns: self.budget_ns,
            sample_one_in: self.options.sample_one_in.max(1),
            ring_bytes: self.options.ring_size().into(),
            clocks: Clocks::now(),
        }
    }

    /// Attaches, starts the command and observes. The command inherits `inherit`.
    ///
    /// # Errors
    /// When the programs cannot be attached, the command cannot be started, or the session fails.
    pub(super) async fn observe(
        &self,
        context: &Context,
        inherit: Option<&OwnedFd>,
        observer: &mut impl Observer,
    ) -> anyhow::Result<Outcome> {
        let probes = Probes::attach(&self.ready.plan, &self.options).map_err(at_attach)?;
        let launched = self.launch(&probes, inherit)?;
        let start = || launched.map(Launched::start).transpose();
        let areas = || Arc::new(HostAreas::new(&self.ready, &self.swaps));
        let watch = self.area_list.as_ref().map(|list| AreaWatch::new(list, areas(), context.devices.clone()));
        let finder = cgroups::Mount::open(&Tree::system()).map(|mount| Box::new(mount) as Box<dyn FindCgroup>);
        let cgroups = CgroupWatch::new(finder);
        Ok(session::observe(probes, context, watch, cgroups, self.duration, start, observer).await?)
    }

    /// As [`Prepared::observe`], on a new runtime.
    ///
    /// # Errors
    /// As [`Prepared::observe`].
    pub(super) fn run(
        &self,
        context: &Context,
        inherit: Option<&OwnedFd>,
        observer: &mut impl Observer,
    ) -> anyhow::Result<Outcome> {
        runtime()?.block_on(async {
            let mut outcome = self.observe(context, inherit, observer).await?;
            observer.ended(&mut outcome).await;
            Ok(outcome)
        })
    }

    /// As [`Prepared::run`], with the dashboard as a second observer. The terminal belongs to the dashboard: the output
    /// of the command is shown when it is closed.
    ///
    /// # Errors
    /// As [`Prepared::observe`], or when the terminal cannot be switched to the dashboard.
    pub(super) fn run_with_dashboard(
        mut self,
        settings: Settings,
        inherit: Option<&OwnedFd>,
        observer: &mut impl Observer,
    ) -> anyhow::Result<Outcome> {
        let context = self.context();
        if let Some(launch) = &mut self.launch {
            launch.stdout_to_stderr = true;
            launch.no_stdin = true;
        }
        runtime()?.block_on(async {
            let note = format!("attaching {} programs ...", self.ready.plan.hooks.len());
            // Dropped before anything is printed, which restores the terminal.
            let mut live = dashboard::Live::open(&context, settings, &note).context("cannot open the dashboard")?;
            let observed = self.observe(&context, inherit, &mut (&mut *observer, &mut live)).await;
            drop(live);
            let mut outcome = observed?;
            observer.ended(&mut outcome).await;
            Ok(outcome)
        })
    }

    fn launch(&self, probes: &Probes, inherit: Option<&OwnedFd>) -> anyhow::Result<Option<Launched>> {
        let Some(launch) = &self.launch else { return Ok(None) };
        let launched = launch.spawn(inherit, probes.identifier()?).context("cannot start the command")?;
        let pid = probes.watched()?;
        self.command_pid.get_or_init(|| pid);
        Ok(Some(launched))
    }
}

/// Delay injection into tasks of this name; without one, into all observed tasks.
pub(super) fn widen(delay: Duration, comm: Option<&Name>, one_in: u32) -> Delay {
    Delay {
        ns: u64::try_from(delay.as_nanos()).unwrap_or(u64::MAX),
        comm: comm.map_or([0; 16], filters::comm_bytes),
        one_in,
    }
}
