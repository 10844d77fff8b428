//! The dashboard over a live observation.

use std::{io, ops::ControlFlow, os::unix::process::ExitStatusExt as _, process::ExitStatus, time::Instant};

use super::{Dashboard, Request, terminal};
use crate::{
    session::{Observer, View},
    signals::StopSignals,
};
use observer_kernel::{
    host::Release,
    swaps::{self, SwapArea},
    tree::Tree,
};
use observer_observation::{Context, EndReason, Engine, FinalState, Known, Outcome, Overhead, command};
use observer_probe::CpuTime;
use observer_tui::{
    app::CommandEnd,
    model::SwapDevice,
    model_builder::{ModelBuilder, Source, Spent, driver},
    settings::Settings,
};

/// Samples between two readings of the swap devices and the size of the window.
const SLOW_SAMPLES: u32 = 10;

/// Ticks between two readings of the counters.
const COUNTER_TICKS: u32 = 2;

pub struct Live {
    dashboard: Dashboard,
    builder: ModelBuilder,
    release: Release,
    /// Handled from before the terminal is entered: a signal that arrives while the programs are attached, which may
    /// take seconds, must not end the process without restoring the terminal.
    stops: StopSignals,
    samples: u32,
    clear: bool,
    /// Exit code of the command, once it has ended.
    command: Option<i32>,
    delay_injection: Option<bool>,
    quit: bool,
    start: (CpuTime, Instant),
}

impl Live {
    /// Opens the dashboard. `note` is shown until the first events may arrive.
    ///
    /// # Errors
    /// When the terminal cannot be entered.
    pub fn open(context: &Context, settings: Settings, note: &str) -> io::Result<Self> {
        let stops = StopSignals::new()?;
        let mut live = Self {
            stops,
            dashboard: Dashboard::open(settings)?,
            builder: ModelBuilder::live(context),
            release: Release::parse(&context.kernel.release),
            samples: 0,
            clear: false,
            command: None,
            delay_injection: None,
            quit: false,
            start: (CpuTime::now(), Instant::now()),
        };
        live.dashboard.app.notify(note.to_owned());
        let outcome = Outcome::unfinished(context.clone());
        let source = Source {
            engine: &outcome.engine,
            known: Known::from(&outcome),
            now: context.clocks.monotonic_ns,
            devices: None,
            spent: None,
            transport: None,
            delay_injection: None,
        };
        let model = live.builder.build(source);
        live.dashboard.app.update(model);
        live.dashboard.draw();
        Ok(live)
    }

    /// What observing has cost since the start.
    fn spent<'a>(&self, overhead: &'a Overhead) -> Spent<'a> {
        let (then, now) = (self.start.0, CpuTime::now());
        let cpu_ns = (now.user_ns + now.system_ns).saturating_sub(then.user_ns + then.system_ns);
        let elapsed_ns = u64::try_from(self.start.1.elapsed().as_nanos()).unwrap_or(u64::MAX);
        Spent { cpu_ns, elapsed_ns, overhead }
    }

    fn devices(&self) -> Option<Vec<SwapDevice>> {
        let due = self.samples.is_multiple_of(SLOW_SAMPLES);
        let areas = due.then(|| swaps::gather(&Tree::system(), &self.release).ok()).flatten()?;
        Some(areas.iter().map(device).collect())
    }
}

/// The final state if the observation ended now, after its command.
fn ended(ending: &FinalState, code: i32) -> FinalState {
    FinalState { command: Some(code), ended: EndReason::Command, ..ending.clone() }
}

fn device(area: &SwapArea) -> SwapDevice {
    let of_path = || swaps::device_name(&area.line.path).to_string();
    let (name, driver) = match (&area.device, area.line.kind) {
        (Some(device), swaps::AreaKind::Partition) => (device.name.clone(), driver(&device.disk)),
        (_, swaps::AreaKind::File) => (of_path(), "file"),
        (None, swaps::AreaKind::Partition) => (of_path(), driver(&of_path())),
    };
    SwapDevice {
        name,
        driver,
        size_kib: area.line.size_kib,
        used_kib: Some(area.line.used_kib),
        synchronous: area.synchronous,
    }
}

impl Observer for Live {
    fn prepare(&mut self, engine: &mut Engine) {
        engine.start_tally();
        if std::mem::take(&mut self.clear) {
            engine.clear_tally();
            self.builder.reset();
        }
    }

    fn widening(&mut self) -> Option<bool> {
        self.delay_injection.take()
    }

    fn sample_ticks(&self) -> u32 {
        COUNTER_TICKS
    }

    fn tick(&mut self, view: &View<'_>) -> ControlFlow<()> {
        if self.quit || Dashboard::is_over() {
            return ControlFlow::Break(());
        }
        let ended = self.command.map(|code| ended(view.ending, code));
        let known = Known::from(view);
        let source = Source {
            engine: view.engine,
            known: Known { ending: ended.as_ref().unwrap_or(known.ending), ..known },
            now: view.now,
            devices: self.devices(),
            spent: Some(self.spent(&view.ending.overhead)),
            transport: None,
            delay_injection: view.widening,
        };
        let model = self.builder.build(source);
        if self.samples.is_multiple_of(SLOW_SAMPLES) {
            self.dashboard.resize(terminal::current_size(self.dashboard.size));
        }
        self.samples = self.samples.wrapping_add(1);
        self.dashboard.update(model);
        ControlFlow::Continue(())
    }

    fn command_ended(&mut self, status: ExitStatus) -> ControlFlow<()> {
        let end = status.signal().map_or(CommandEnd::Exited(status.code().unwrap_or(1)), CommandEnd::Signalled);
        self.command = Some(command::code(status));
        self.dashboard.app.command_ended(end);
        self.dashboard.dirty = true;
        ControlFlow::Continue(())
    }

    async fn stop_requested(&mut self) {
        while !self.quit {
            let request = tokio::select! {
                () = self.stops.any() => Some(Request::Quit),
                request = self.dashboard.input() => request,
            };
            match request {
                Some(Request::Quit) => self.quit = true,
                Some(Request::ClearTally) => self.clear = true,
                Some(Request::SwitchDelayInjection(on)) => self.delay_injection = Some(on),
                None | Some(Request::Transport(_)) => {}
            }
        }
    }
}
