//! The dashboard over a live observation, which it looks on at.

use std::{io, ops::ControlFlow, process::ExitStatus, time::Instant};

use super::{Asked, Dashboard, names::Proc};
use crate::{
    dashboard::terminal,
    session::{SessionObserver, Stops, View},
};
use observer_engine::Engine;
use observer_kernel::{
    host::Release,
    swaps::{self, SwapArea},
    tree::Tree,
};
use observer_observation::{Context, Overhead, command};
use observer_probe::UserTime;
use observer_tui::{
    model::DeviceLine,
    model_builder::{ModelBuilder, Source, Spent, form},
};

/// Samples between two looks at the swap devices and the window's size.
const SLOW_SAMPLES: u32 = 10;

/// Ticks between two readings of the counters.
const COUNTER_TICKS: u32 = 2;

/// The dashboard over a live observation.
pub struct Live {
    dashboard: Dashboard,
    model_builder: ModelBuilder,
    names: Proc,
    release: Release,
    /// From before the screen was taken: attaching takes its time, and a signal that comes meanwhile must not end the
    /// process with the terminal as it is then.
    stops: Stops,
    samples: u32,
    clear: bool,
    widen: Option<bool>,
    quit: bool,
    start: (UserTime, Instant),
}

impl Live {
    /// Opens it. `note` is said until the first events may come.
    ///
    /// # Errors
    /// When the terminal cannot be taken over.
    pub fn open(context: &Context, ascii: bool, note: &str) -> io::Result<Self> {
        let stops = Stops::new()?;
        let mut live = Self {
            stops,
            dashboard: Dashboard::open(ascii)?,
            model_builder: ModelBuilder::new(context, ""),
            names: Proc,
            release: Release::parse(&context.kernel.release),
            samples: 0,
            clear: false,
            widen: None,
            quit: false,
            start: (UserTime::now(), Instant::now()),
        };
        live.dashboard.app.say(note.to_owned(), false);
        let (engine, sample) = (Engine::default(), observer_observation::Sample::default());
        let now = context.clocks.monotonic_ns;
        let source = Source {
            engine: &engine,
            sample: &sample,
            now,
            devices: None,
            spent: None,
            transport: None,
            widening: None,
        };
        let model = live.model_builder.gather(source, &mut ());
        live.dashboard.app.sample(model);
        live.dashboard.draw();
        Ok(live)
    }

    /// What observing has cost since the start.
    fn spent<'a>(&self, own: &'a Overhead) -> Spent<'a> {
        let (then, now) = (self.start.0, UserTime::now());
        let cpu_ns = (now.user_ns + now.system_ns).saturating_sub(then.user_ns + then.system_ns);
        Spent { cpu_ns, clock_ns: u64::try_from(self.start.1.elapsed().as_nanos()).unwrap_or(u64::MAX), own }
    }

    fn devices(&self) -> Option<Vec<DeviceLine>> {
        let due = self.samples.is_multiple_of(SLOW_SAMPLES);
        let areas = due.then(|| swaps::gather(&Tree::system(), &self.release).ok()).flatten()?;
        Some(areas.iter().map(device).collect())
    }
}

/// A swap area as the dashboard shows it.
fn device(area: &SwapArea) -> DeviceLine {
    let of_path = || area.line.path.rsplit('/').next().unwrap_or_default().to_owned();
    let (name, driver) = match (&area.device, area.line.kind) {
        (Some(device), swaps::AreaKind::Partition) => (device.name.clone(), form(&device.disk)),
        (_, swaps::AreaKind::File) => (of_path(), "file".to_owned()),
        (None, swaps::AreaKind::Partition) => (of_path(), form(&of_path())),
    };
    DeviceLine {
        name,
        kind: area.ordinal,
        form: driver,
        size_kib: area.line.size_kib,
        used_kib: Some(area.line.used_kib),
        synchronous: area.synchronous,
    }
}

impl SessionObserver for Live {
    fn prepare(&mut self, engine: &mut Engine) {
        engine.start_tally();
        if std::mem::take(&mut self.clear) {
            engine.clear_tally();
            self.model_builder.forget();
        }
    }

    fn widening(&mut self) -> Option<bool> {
        self.widen.take()
    }

    fn sample_ticks(&self) -> u32 {
        COUNTER_TICKS
    }

    fn tick(&mut self, view: &View<'_>) -> ControlFlow<()> {
        if self.quit || self.dashboard.is_over() {
            return ControlFlow::Break(());
        }
        let source = Source {
            engine: view.engine,
            sample: view.sample,
            now: view.now,
            devices: self.devices(),
            spent: Some(self.spent(&view.ending.cost)),
            transport: None,
            widening: view.widening,
        };
        let model = self.model_builder.gather(source, &mut self.names);
        if self.samples.is_multiple_of(SLOW_SAMPLES) {
            self.dashboard.resize(terminal::size_now(self.dashboard.size));
        }
        self.samples = self.samples.wrapping_add(1);
        self.dashboard.sample(model);
        ControlFlow::Continue(())
    }

    fn command_ended(&mut self, status: ExitStatus) -> ControlFlow<()> {
        self.dashboard.app.command_ended(command::describe(status).0);
        self.dashboard.dirty = true;
        ControlFlow::Continue(())
    }

    async fn asked(&mut self) {
        while !self.quit {
            let asked = tokio::select! {
                () = self.stops.any() => Asked::Quit,
                asked = self.dashboard.input() => asked,
            };
            match asked {
                Asked::Quit => self.quit = true,
                Asked::Clear => self.clear = true,
                Asked::Widen(on) => self.widen = Some(on),
                Asked::Nothing | Asked::Transport(_) => {}
            }
        }
    }
}
