//! `observer record`: no dashboard; writes a recording if requested, and prints a summary at the end.

use std::{error::Error, ops::ControlFlow};

use super::{notices::Notices, output, page, prepared::Prepared};
use crate::{
    cli::RecordArgs,
    messages,
    reactions::Reactions,
    session::{Observer, View},
};
use observer_engine::verdict::Finding;
use observer_observation::{FinalState, Input, Outcome, exit::Exit};
use observer_record::{Creation, Recorder, Rotation, Target};
use observer_report::{formats::text, summary::Summary};
use observer_text::{Name, lines};

/// # Errors
/// [`Refusal`](observer_kernel::survey::Refusal) when this host does not allow it;
/// [`ProgramError`](crate::reactions::ProgramError) when the command of `--on-finding` cannot be executed; otherwise an
/// I/O error.
pub(crate) fn run(args: &RecordArgs) -> anyhow::Result<Exit> {
    let reactions = Reactions::new(&args.observe.reactions)?;
    let prepared = Prepared::new(&args.observe, args.json)?;
    let context = prepared.context();
    let recorder = target(args).map(|target| Recorder::create(target, &context)).transpose()?;
    let has_command = !context.command.is_empty();
    let notices = Notices::new(args.quiet, has_command);
    notices.attaching(prepared.ready.plan.hooks.len());
    let sink = RecordingSink { recorder, has_command, reported: false };
    let mut observer = RecordObserver { sink, reactions, notices };
    let outcome = prepared.run(&context, None, &mut observer)?;
    let RecordObserver { sink, notices, .. } = observer;
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

/// Records, reacts to what is in the recording, and reports progress.
struct RecordObserver {
    sink: RecordingSink,
    reactions: Reactions,
    notices: Notices,
}

impl Observer for RecordObserver {
    fn input(&mut self, input: &Input) {
        if let Some(recorder) = &mut self.sink.recorder {
            recorder.input(input);
        }
    }

    fn wants_findings(&self) -> bool {
        self.reactions.wants_findings()
    }

    fn found(&mut self, findings: &[Finding], view: &View<'_>) -> ControlFlow<()> {
        let takes = self.reactions.takes(findings);
        // A command may stop the machine: it must find the finding in the file.
        let recording = self.sink.recorder.as_mut().filter(|_| takes).and_then(Recorder::write_out);
        self.reactions.react(findings, view, recording)
    }

    fn tick(&mut self, view: &View<'_>) -> ControlFlow<()> {
        let reacted = self.reactions.tick(view);
        self.notices.tick(view, self.sink.recorder.as_ref().map(Recorder::bytes));
        if reacted.is_break() { reacted } else { self.sink.check() }
    }

    async fn ended(&mut self, outcome: &mut Outcome) {
        self.notices.clear();
        self.reactions.ended(outcome).await;
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::{ffi::OsStr, fs};

    use crate::{
        cli::{FindingChoice, ReactionArgs},
        reactions::{CommandLine, StopOn},
    };
    use observer_engine::verdict::Verdict;
    use observer_observation::{EndReason, Ingest};
    use observer_record::replay;
    use observer_recordings::{synthetic::Synthetic, vulnerable};
    use observer_report::{
        formats::{Format, ndjson},
        observed::{Observed, Reported},
    };
    use serde_json::Value;

    fn observer(folder: &std::path::Path, script: &str) -> RecordObserver {
        let target = Target { path: folder.join("r"), creation: Creation::New, rotation: Rotation::default() };
        let recorder = Some(Recorder::create(target, &vulnerable::context()).unwrap());
        let script = script.replace("DIR", folder.to_str().unwrap());
        let args = ReactionArgs {
            stop_on: Some(StopOn { verdict: Verdict::StaleInstall, count: 1 }),
            on_finding: CommandLine::parse(OsStr::new(&format!("sh -c '{script}'"))).ok(),
            on_verdict: FindingChoice::StaleInstall,
        };
        RecordObserver {
            sink: RecordingSink { recorder, has_command: false, reported: false },
            reactions: Reactions::new(&args).unwrap(),
            notices: Notices::new(true, false),
        }
    }

    /// Observes synthetic events until the first stale install, and ends; without the end of the recording.
    async fn observe(observer: &mut RecordObserver) -> Outcome {
        let context = vulnerable::context();
        let mut ingest = Ingest::new(context.clocks, &context.swaps);
        ingest.engine.keep_findings();
        let mut ending = FinalState::unknown(EndReason::Running);
        for input in Synthetic::new(5, 1_000, 400) {
            observer.input(&input);
            ingest.feed(input);
            let findings = ingest.engine.take_findings();
            let view = View::new(&context, &ingest, &ending, None);
            if !findings.is_empty() && observer.found(&findings, &view).is_break() {
                break;
            }
        }
        ending.ended = EndReason::StopOn;
        let Ingest { engine, sample, wall_clock, cgroups, history, .. } = ingest;
        let (damage, notes) = (Vec::new(), Vec::new());
        let mut outcome = Outcome { context, engine, sample, wall_clock, cgroups, history, ending, damage, notes };
        observer.ended(&mut outcome).await;
        outcome
    }

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
    }

    #[test]
    fn a_command_finds_its_finding_in_the_recording_although_that_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let mut observer = observer(folder, "cat >DIR/given; cp DIR/r.partial DIR/then");
        let outcome = block_on(observe(&mut observer));
        let given: Value = serde_json::from_slice(&fs::read(folder.join("given")).unwrap()).unwrap();
        let recorded = replay(&folder.join("then")).unwrap();
        let start = |finding: &Finding| (finding.verdict, finding.start_ns);
        let recorded: Vec<_> = recorded.engine.report().findings.iter().map(start).collect();
        let given = (Verdict::StaleInstall, given["start_ns"].as_u64().unwrap());
        assert!(recorded.contains(&given), "{given:?} is not in {recorded:?}");
        let counts = outcome.ending.on_finding.unwrap();
        assert_eq!((counts.findings, counts.succeeded), (1, 1));
    }

    #[test]
    fn a_command_is_given_the_line_of_the_report() {
        let folder = tempfile::tempdir().unwrap();
        let mut observer = observer(folder.path(), "cat >>DIR/given");
        let outcome = block_on(observe(&mut observer));
        let given = fs::read_to_string(folder.path().join("given")).unwrap();
        let whole = Observed::new(&outcome);
        let mut report = Vec::new();
        Format::Ndjson.write(&Reported { parts: vec![whole.clone()], whole }, &mut report).unwrap();
        let report = String::from_utf8(report).unwrap();
        assert_eq!(report.lines().filter(|line| given.contains(line)).count(), 1, "{given}");
        assert!(given.ends_with('\n'));
        let last = outcome.engine.report().findings.last().unwrap();
        assert_eq!(ndjson::line(last, &(&outcome).into()).unwrap(), given);
    }

    #[test]
    fn the_end_and_the_failure_of_a_command_are_in_the_recording() {
        let folder = tempfile::tempdir().unwrap();
        let mut observer = observer(folder.path(), "exit 3");
        let outcome = block_on(observe(&mut observer));
        assert!(observer.sink.finish(&outcome.ending).is_ok());
        let recorded = replay(&folder.path().join("r")).unwrap();
        assert_eq!(recorded.ending.ended, EndReason::StopOn);
        assert_eq!(recorded.ending.on_finding, outcome.ending.on_finding);
        let summary = Summary::new(&recorded);
        let text = text::summary(&summary);
        assert!(text.contains("1 command of --on-finding failed"), "{text}");
        assert!(text.contains("on-finding      1 finding: 0 succeeded, 1 failed (exit code not 0): sh -c"), "{text}");
        assert_eq!(summary.exit(), Exit::StaleInstall, "the result is what was observed");
    }
}
