//! Runs the command of `--on-finding`, a few at a time, beside the observation.

use std::{collections::BTreeSet, fs::File, future::pending, sync::Arc, time::Duration};

use observer_engine::{event::Nanos, verdict::Verdict};
use observer_observation::{CommandFailure, OnFinding};
use tokio::{
    task::{JoinError, JoinSet},
    time::{Instant, sleep, sleep_until},
};

use super::{
    child::{self, ChildError, Limits, Program, Task},
    command_line::{CommandLine, ProgramError},
    queue::Queue,
};
use crate::{messages, signals::StopSignals};
use observer_observation::clock;

/// Time limits of a command.
const LIMITS: Limits = Limits { run: Duration::from_secs(30), terminate: Duration::from_secs(2) };
/// How long the end of the observer waits for commands: one that has just been started may use its time.
const END_LIMIT: Duration = Duration::from_secs(33);
/// Waiting for so long at the end is reported.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often the queue is looked at while the end waits.
const POLL: Duration = Duration::from_millis(50);

pub(super) struct Commands {
    program: Arc<Program>,
    queue: Queue<Task>,
    running: JoinSet<Result<(), ChildError>>,
    /// Causes of which a failure was printed.
    printed: BTreeSet<CommandFailure>,
    limits: Limits,
    end_limit: Duration,
}

impl Commands {
    /// # Errors
    /// When the program does not exist or cannot be executed.
    pub(super) fn new(line: &CommandLine, least: Verdict) -> Result<Self, ProgramError> {
        let program = Program { path: line.program()?, words: line.words.clone() };
        Ok(Self {
            program: Arc::new(program),
            queue: Queue::new(line.text.clone(), least),
            running: JoinSet::new(),
            printed: BTreeSet::new(),
            limits: LIMITS,
            end_limit: END_LIMIT,
        })
    }

    pub(super) fn takes(&self, verdict: Verdict) -> bool {
        self.queue.takes(verdict)
    }

    /// Adds a finding. `json` is its line, `recording` the file that has it.
    pub(super) fn add(
        &mut self,
        verdict: Verdict,
        json: impl FnOnce() -> std::io::Result<String>,
        recording: Option<&Arc<File>>,
    ) {
        self.queue.add(verdict, || Task { finding: json(), recording: recording.cloned() });
    }

    /// Takes note of the commands that have ended, and starts those that may start. Does not wait. Must be called on a
    /// runtime.
    pub(super) fn update(&mut self, now: Nanos) {
        while let Some(result) = self.running.try_join_next() {
            self.note(result);
        }
        while let Some(task) = self.queue.next(now) {
            self.running.spawn(child::run(Arc::clone(&self.program), task, self.limits));
        }
    }

    fn note(&mut self, result: Result<Result<(), ChildError>, JoinError>) {
        let result = match result {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                if self.printed.insert(error.cause()) {
                    let command = &self.queue.counts().command;
                    messages::print(&format!(
                        "observer: --on-finding: `{command}` {error}; further failures of this kind are only counted"
                    ));
                }
                Err(error.cause())
            }
            Err(error) if error.is_cancelled() => Err(CommandFailure::CutShort),
            Err(error) => {
                messages::print(&format!("observer: --on-finding: {error}"));
                Err(CommandFailure::NotStarted)
            }
        };
        self.queue.ended(result);
    }

    /// Hands over what waits, and waits for the commands; not longer than the limit, and not after another signal.
    /// Commands that still run then are killed.
    pub(super) async fn finish(&mut self) -> OnFinding {
        // Without it, a signal is ignored or ends the process.
        let mut stops = StopSignals::new().ok();
        let start = Instant::now();
        let mut reported = false;
        loop {
            self.update(clock::now());
            if self.queue.is_idle() {
                break;
            }
            if start.elapsed() >= PATIENCE && !std::mem::replace(&mut reported, true) {
                let (running, limit) = (self.queue.running(), self.end_limit.as_secs());
                messages::print(&format!(
                    "observer: waiting for {running} commands of --on-finding, at most {limit} s; Ctrl-C ends them"
                ));
            }
            tokio::select! {
                Some(result) = self.running.join_next() => self.note(result),
                () = sleep(POLL) => {}
                () = sleep_until(start + self.end_limit) => break,
                () = stop(&mut stops) => break,
            }
        }
        self.queue.close();
        self.running.abort_all();
        while let Some(result) = self.running.join_next().await {
            self.note(result);
        }
        self.queue.counts().clone()
    }
}

async fn stop(signals: &mut Option<StopSignals>) {
    match signals {
        Some(signals) => signals.any().await,
        None => pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{ffi::OsStr, fs};

    use observer_observation::NotRun;

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
    }

    fn commands(script: &str) -> Commands {
        let line = CommandLine::parse(OsStr::new(&format!("sh -c '{script}'"))).unwrap();
        Commands::new(&line, Verdict::Window).unwrap()
    }

    fn add(commands: &mut Commands, findings: u64) {
        for finding in 0..findings {
            commands.add(Verdict::StaleInstall, || Ok(format!("{finding}\n")), None);
        }
    }

    #[test]
    fn each_finding_is_given_to_one_command() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        let counts = block_on(async {
            let mut commands = commands(&format!("cat >>{}", out.to_str().unwrap()));
            add(&mut commands, 9);
            commands.finish().await
        });
        let given = fs::read_to_string(out).unwrap();
        let mut given: Vec<&str> = given.lines().collect();
        given.sort_unstable();
        assert_eq!(given, ["0", "1", "2", "3", "4", "5", "6", "7", "8"]);
        assert_eq!((counts.findings, counts.succeeded), (9, 9));
        assert!(counts.failed.is_empty() && counts.not_run.is_empty(), "{counts:?}");
    }

    #[test]
    fn a_start_takes_no_time_of_the_observation() {
        block_on(async {
            let mut commands = commands("sleep 1000");
            add(&mut commands, 9);
            let start = Instant::now();
            commands.update(clock::now());
            // Each of the four would take a thousand seconds.
            assert!(start.elapsed() < Duration::from_secs(1));
            assert_eq!(commands.queue.running(), 4);
        });
    }

    #[test]
    fn the_end_waits_no_longer_than_its_limit_and_counts_the_rest() {
        let counts = block_on(async {
            let mut commands = Commands { end_limit: Duration::from_millis(200), ..commands("sleep 1000") };
            add(&mut commands, 6);
            commands.finish().await
        });
        assert_eq!((counts.findings, counts.succeeded), (6, 0));
        assert_eq!(counts.failed.into_iter().collect::<Vec<_>>(), [(CommandFailure::CutShort, 4)]);
        assert_eq!(counts.not_run.into_iter().collect::<Vec<_>>(), [(NotRun::AtEnd, 2)]);
    }

    #[test]
    fn failures_are_counted_by_cause_and_printed_once() {
        block_on(async {
            let mut commands = commands("read n; [ $n = 0 ] && kill -9 $$; exit 3");
            add(&mut commands, 4);
            let counts = commands.finish().await;
            let failed: Vec<_> = counts.failed.into_iter().collect();
            assert_eq!(failed, [(CommandFailure::ExitCode, 3), (CommandFailure::Signal, 1)]);
            assert_eq!(commands.printed.len(), 2);
        });
    }

    #[test]
    fn a_recording_is_synced_and_the_command_runs_although_that_fails() {
        let counts = block_on(async {
            let mut commands = commands("exit 0");
            // A character device cannot be synced.
            let file = Arc::new(File::open("/dev/null").unwrap());
            assert!(file.sync_data().is_err());
            commands.add(Verdict::Window, || Ok("x\n".to_owned()), Some(&file));
            commands.finish().await
        });
        assert_eq!(counts.succeeded, 1);
    }
}
