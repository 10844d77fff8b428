//! `observer record`: no display, a summary at the end, and a recording if one is wanted.

use std::{
    io::{self, Write as _},
    ops::ControlFlow,
};

use super::{Planned, printed};
use crate::{
    cli::RecordArgs,
    session::{SessionObserver, View},
};
use observer_observation::{FinalState, Outcome, exit::Exit, input::Input};
use observer_probe::setup;
use observer_record::{Creation, Recorder, Rotation, Target};
use observer_report::{
    formats::{json, text},
    summary::Summary,
};

/// Observes, then prints the summary.
///
/// # Errors
/// [`Refusal`] when this host does not allow it; else I/O errors.
pub(crate) fn run(args: &RecordArgs) -> anyhow::Result<Exit> {
    let planned = Planned::new(setup::prepare(&args.observe.options())?, &args.observe, args.json)?;
    let context = planned.context();
    let recorder = target(args).map(|target| Recorder::create(target, &context)).transpose()?;
    let mut sink = RecordingSink { recorder, has_command: !context.command.is_empty(), told: false };
    let outcome = planned.run(&context, None, &mut sink)?;
    let recorded = sink.finish(&outcome.ending);
    let exit = report(&outcome, args.json)?;
    Ok(if recorded { exit } else { Exit::Failed })
}

fn target(args: &RecordArgs) -> Option<Target> {
    Some(Target {
        path: args.output.clone()?,
        creation: if args.force { Creation::Replace } else { Creation::New },
        rotation: Rotation { size: args.rotate_size, every: args.rotate_every, keep: args.keep },
    })
}

fn report(outcome: &Outcome, as_json: bool) -> anyhow::Result<Exit> {
    let summary = Summary::new(outcome);
    let exit = summary.exit();
    let result =
        if as_json { json::print(&summary) } else { io::stdout().lock().write_all(text::summary(&summary).as_bytes()) };
    printed(result, exit)
}

/// Writes down what the engine is fed with.
struct RecordingSink {
    recorder: Option<Recorder>,
    has_command: bool,
    told: bool,
}

impl SessionObserver for RecordingSink {
    fn input(&mut self, input: &Input) {
        if let Some(recorder) = &mut self.recorder {
            recorder.input(input);
        }
    }

    /// A recording that cannot go on ends the observation, but not a command that runs under it.
    fn tick(&mut self, _view: &View<'_>) -> ControlFlow<()> {
        let failed = self.recorder.as_ref().and_then(Recorder::failed);
        let Some(error) = failed.filter(|_| !self.told) else { return ControlFlow::Continue(()) };
        eprintln!("observer: the recording stops: {error}");
        self.told = true;
        if self.has_command { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }
}

impl RecordingSink {
    /// Ends the recording, if there is one, and says where it is. False: it is not whole.
    fn finish(self, ending: &FinalState) -> bool {
        let Some(recorder) = self.recorder else { return true };
        let partial = recorder.partial().display().to_string();
        match recorder.finish(ending) {
            Ok(written) => {
                let path = written.path.display();
                let files =
                    if written.files > 1 { format!(" in {} files, the last", written.files) } else { String::new() };
                eprintln!("recorded   {} events, {} bytes{files}: {path}", written.events, written.bytes);
                true
            }
            Err(error) => {
                eprintln!("observer: the recording is not whole: {error}; what there is: observer report {partial}");
                false
            }
        }
    }
}
