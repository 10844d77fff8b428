//! `observer record`: no dashboard; writes a recording if requested, and prints a summary at the end.

use std::{error::Error, ops::ControlFlow};

use super::{notices::Notices, output, page, prepared::Prepared};
use crate::{
    cli::RecordArgs,
    messages,
    session::{Observer, View},
};
use observer_observation::{FinalState, Input, exit::Exit};
use observer_record::{Creation, Recorder, Rotation, Target};
use observer_report::{formats::text, summary::Summary};
use observer_text::{Name, lines};

/// # Errors
/// [`Refusal`](observer_kernel::survey::Refusal) when this host does not allow it; otherwise an I/O error.
pub(crate) fn run(args: &RecordArgs) -> anyhow::Result<Exit> {
    let prepared = Prepared::new(&args.observe, args.json)?;
    let context = prepared.context();
    let recorder = target(args).map(|target| Recorder::create(target, &context)).transpose()?;
    let has_command = !context.command.is_empty();
    let notices = Notices::new(args.quiet, has_command);
    notices.attaching(prepared.ready.plan.hooks.len());
    let sink = RecordingSink { recorder, has_command, reported: false };
    let mut observer = RecordObserver { sink, notices };
    let outcome = prepared.run(&context, None, &mut observer)?;
    let RecordObserver { sink, mut notices } = observer;
    notices.clear();
    let recorded = sink.finish(&outcome.ending);
    if let Ok(recorded) = &recorded {
        notices.end(&outcome, recorded.as_deref());
    }
    let summary = Summary::new(&outcome);
    if args.json {
        output::print_json(&summary)?;
    } else {
        output::print_own(text::painted(&summary, page::paint(args.color.color)).as_bytes())?;
    }
    Ok(if recorded.is_ok() { summary.exit() } else { Exit::Failed })
}

fn target(args: &RecordArgs) -> Option<Target> {
    Some(Target {
        path: args.output.clone()?,
        creation: if args.force { Creation::Replace } else { Creation::New },
        rotation: Rotation { size: args.rotate_size, every: args.rotate_every, keep: args.keep },
    })
}

/// Records, and reports progress.
struct RecordObserver {
    sink: RecordingSink,
    notices: Notices,
}

impl Observer for RecordObserver {
    fn input(&mut self, input: &Input) {
        if let Some(recorder) = &mut self.sink.recorder {
            recorder.input(input);
        }
    }

    fn tick(&mut self, view: &View<'_>) -> ControlFlow<()> {
        self.notices.tick(view, self.sink.recorder.as_ref().map(Recorder::bytes));
        self.sink.check()
    }
}

/// Writes the inputs of the engine to the recording.
struct RecordingSink {
    recorder: Option<Recorder>,
    has_command: bool,
    /// Whether the error of the recorder was printed.
    reported: bool,
}

impl RecordingSink {
    /// A recording that failed ends the observation, unless a command is running.
    fn check(&mut self) -> ControlFlow<()> {
        let failed = self.recorder.as_ref().and_then(Recorder::error);
        let Some(error) = failed.filter(|_| !self.reported) else { return ControlFlow::Continue(()) };
        messages::print(&format!("observer: cannot continue the recording: {}", with_sources(error)));
        self.reported = true;
        if self.has_command { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }

    /// Ends the recording. Returns its size and path, if one was written; the error was printed.
    fn finish(self, ending: &FinalState) -> Result<Option<String>, Incomplete> {
        let Some(recorder) = self.recorder else { return Ok(None) };
        let partial = Name::from(recorder.partial()).to_string();
        let written = recorder.finish(ending).map_err(|error| {
            let error = with_sources(&error);
            messages::print(&format!(
                "observer: the recording is incomplete: {error}; `observer report {partial}` reads what was written"
            ));
            Incomplete
        })?;
        let path = Name::from(&written.path);
        let files = if written.files > 1 { format!(" in {} files, the last", written.files) } else { String::new() };
        Ok(Some(format!("recorded   {} events, {} bytes{files}: {path}", written.events, written.bytes)))
    }
}

/// The recording is incomplete.
struct Incomplete;

fn with_sources(error: &(dyn Error + 'static)) -> String {
    anyhow::Chain::new(error).map(|error| lines(&error.to_string()).into_owned()).collect::<Vec<_>>().join(": ")
}
