//! `observer record`: no dashboard; writes a recording if requested, and prints a summary at the end.

use std::{error::Error, ops::ControlFlow};

use super::{output, page, prepared::Prepared};
use crate::{
    cli::RecordArgs,
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
    let mut sink = RecordingSink { recorder, has_command, announced: has_command, reported: false };
    let outcome = prepared.run(&context, None, &mut sink)?;
    let recorded = sink.finish(&outcome.ending);
    let summary = Summary::new(&outcome);
    if args.json {
        output::print_json(&summary)?;
    } else {
        output::print_own(text::painted(&summary, page::paint(args.color.color)).as_bytes())?;
    }
    Ok(if recorded { summary.exit() } else { Exit::Failed })
}

fn target(args: &RecordArgs) -> Option<Target> {
    Some(Target {
        path: args.output.clone()?,
        creation: if args.force { Creation::Replace } else { Creation::New },
        rotation: Rotation { size: args.rotate_size, every: args.rotate_every, keep: args.keep },
    })
}

/// Writes the inputs of the engine to the recording.
struct RecordingSink {
    recorder: Option<Recorder>,
    has_command: bool,
    /// Whether the start was printed. That of a command is seen by what it does.
    announced: bool,
    /// Whether the error of the recorder was printed.
    reported: bool,
}

impl Observer for RecordingSink {
    fn input(&mut self, input: &Input) {
        if let Some(recorder) = &mut self.recorder {
            recorder.input(input);
        }
    }

    /// A recording that failed ends the observation, unless a command is running.
    fn tick(&mut self, view: &View<'_>) -> ControlFlow<()> {
        if !std::mem::replace(&mut self.announced, true) {
            eprintln!("observing  {} hooks are attached; Ctrl-C or SIGTERM ends it", view.context.kernel.hooks.len());
        }
        let failed = self.recorder.as_ref().and_then(Recorder::error);
        let Some(error) = failed.filter(|_| !self.reported) else { return ControlFlow::Continue(()) };
        eprintln!("observer: cannot continue the recording: {}", with_sources(error));
        self.reported = true;
        if self.has_command { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }
}

impl RecordingSink {
    /// Ends the recording and prints its path. False: it is incomplete.
    fn finish(self, ending: &FinalState) -> bool {
        let Some(recorder) = self.recorder else { return true };
        let partial = Name::from(recorder.partial()).to_string();
        match recorder.finish(ending) {
            Ok(written) => {
                let path = Name::from(&written.path);
                let files =
                    if written.files > 1 { format!(" in {} files, the last", written.files) } else { String::new() };
                eprintln!("recorded   {} events, {} bytes{files}: {path}", written.events, written.bytes);
                true
            }
            Err(error) => {
                let error = with_sources(&error);
                eprintln!(
                    "observer: the recording is incomplete: {error}; `observer report {partial}` reads what was written"
                );
                false
            }
        }
    }
}

fn with_sources(error: &(dyn Error + 'static)) -> String {
    anyhow::Chain::new(error).map(|error| lines(&error.to_string()).into_owned()).collect::<Vec<_>>().join(": ")
}
