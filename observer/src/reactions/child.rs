//! Runs one command: starts it, writes a finding to its standard input, and waits for its end.

use std::{
    convert::Infallible,
    ffi::OsString,
    fs::{self, File},
    future::pending,
    io,
    os::{fd::RawFd, unix::process::ExitStatusExt as _},
    path::PathBuf,
    process::{ExitStatus, Stdio},
    sync::Arc,
    time::Duration,
};

use observer_observation::CommandFailure;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    io::AsyncWriteExt as _,
    process::{Child, ChildStdin, Command},
    task::spawn_blocking,
    time::timeout,
};

/// How long a command may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// From its start to its end.
    pub(super) run: Duration,
    /// From SIGTERM to SIGKILL.
    pub(super) terminate: Duration,
}

/// What is executed.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) path: PathBuf,
    /// The name of the program as it was given, and its arguments.
    pub(super) words: Vec<OsString>,
}

/// What a command is given.
#[derive(Debug)]
pub(super) struct Task {
    /// For its standard input: a line of JSON.
    pub(super) finding: io::Result<String>,
    /// The recording that has the finding; it is made durable first.
    pub(super) recording: Option<Arc<File>>,
}

/// How a command failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum ChildError {
    #[error("cannot be started: {0}")]
    NotStarted(#[from] io::Error),
    #[error("ended with exit code {0}")]
    ExitCode(i32),
    #[error("was ended by signal {0}")]
    Signal(i32),
    #[error("took longer than {0:?} and was ended")]
    TimedOut(Duration),
}

impl ChildError {
    pub(super) const fn cause(&self) -> CommandFailure {
        match self {
            Self::NotStarted(_) => CommandFailure::NotStarted,
            Self::ExitCode(_) => CommandFailure::ExitCode,
            Self::Signal(_) => CommandFailure::Signal,
            Self::TimedOut(_) => CommandFailure::TimedOut,
        }
    }
}

/// A process group, which is killed on drop.
#[derive(Debug)]
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

impl Group {
    fn of(child: &Child) -> Self {
        let leader = child.id().and_then(|pid| i32::try_from(pid).ok());
        Self(leader.and_then(Pid::from_raw))
    }

    /// Fails only if there is no such group any more.
    fn signal(&self, signal: Signal) {
        if let Some(group) = self.0 {
            let _ = kill_process_group(group, signal);
        }
    }

    /// The leader has ended and its number is free: what it leaves behind goes on.
    fn release(mut self) {
        self.0 = None;
    }
}

/// Dropped before it is done, it kills the command with the processes that it has started.
pub(super) async fn run(program: Arc<Program>, task: Task, limits: Limits) -> Result<(), ChildError> {
    let Task { finding, recording } = task;
    let finding = finding?;
    // Neither a slow disk nor a program on a file system that hangs may delay the observation.
    let start = spawn_blocking(move || {
        if let Some(error) = recording.and_then(|recording| recording.sync_data().err()) {
            log::warn!("cannot make the recording durable before the command runs: {error}");
        }
        command(&program).spawn()
    });
    let mut child = start.await.map_err(io::Error::other)??;
    let group = Group::of(&child);
    let stdin = child.stdin.take();
    if let Ok(status) = timeout(limits.run, ended(&mut child, stdin, &finding)).await {
        group.release();
        return check(status?);
    }
    group.signal(Signal::TERM);
    if timeout(limits.terminate, child.wait()).await.is_err() {
        group.signal(Signal::KILL);
        child.wait().await?;
    }
    group.release();
    Err(ChildError::TimedOut(limits.run))
}

/// Waits for the end of the command and feeds it meanwhile; it need not read.
async fn ended(child: &mut Child, stdin: Option<ChildStdin>, finding: &str) -> io::Result<ExitStatus> {
    let feed = async {
        if let Some(mut stdin) = stdin {
            // Fails if the command has closed its standard input: it does not want the finding.
            let _ = stdin.write_all(finding.as_bytes()).await;
        }
        pending::<Infallible>().await
    };
    tokio::select! {
        status = child.wait() => status,
        never = feed => match never {},
    }
}

fn check(status: ExitStatus) -> Result<(), ChildError> {
    match (status.code(), status.signal()) {
        (Some(0), _) => Ok(()),
        (Some(code), _) => Err(ChildError::ExitCode(code)),
        (None, signal) => Err(ChildError::Signal(signal.unwrap_or_default())),
    }
}

/// In a separate process group, so that Ctrl-C in the terminal ends the observation and not the command, and so that a
/// command can be ended with all that it has started. Its output goes to standard error: standard output is that of the
/// report.
fn command(program: &Program) -> Command {
    let mut command = Command::new(&program.path);
    let (name, arguments) = program.words.split_first().map_or((None, &[][..]), |(name, rest)| (Some(name), rest));
    if let Some(name) = name {
        command.arg0(name);
    }
    command.args(arguments).stdin(Stdio::piped()).process_group(0).kill_on_drop(true);
    if let Ok(stderr) = rustix::io::dup(rustix::stdio::stderr()) {
        command.stdout(Stdio::from(stderr));
    }
    let inherited = inherited();
    let isolate = move || {
        for fd in &inherited {
            // SAFETY: the call takes only numbers. A descriptor that was closed meanwhile is an error that does no harm.
            unsafe { libc::fcntl(*fd, libc::F_SETFD, libc::FD_CLOEXEC) };
        }
        unblock_signals()
    };
    // SAFETY: between fork and exec the closure reads a vector and makes system calls; it allocates nothing.
    unsafe { command.pre_exec(isolate) };
    command
}

/// Descriptors from 3 on that an executed program inherits: those that this process was started with.
fn inherited() -> Vec<RawFd> {
    let open = fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    let numbers = open.filter_map(|fd| fd.file_name().to_str()?.parse::<RawFd>().ok());
    // SAFETY: the call takes only numbers.
    let flags = |fd: RawFd| unsafe { libc::fcntl(fd, libc::F_GETFD) };
    numbers.filter(|fd| *fd > 2 && flags(*fd) & libc::FD_CLOEXEC == 0).collect()
}

/// The mask of blocked signals outlives the execution of a program.
fn unblock_signals() -> io::Result<()> {
    // SAFETY: `sigset_t` is plain data for which all zeroes are valid.
    let mut none: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: the set is a local value that the call fills.
    unsafe { libc::sigemptyset(&raw mut none) };
    // SAFETY: the set is a local value; a null pointer for the old mask is allowed.
    match unsafe { libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{os::fd::AsRawFd as _, path::Path, time::Instant};

    /// Longest wait for anything.
    const LONG: Duration = Duration::from_mins(1);
    const LIMITS: Limits = Limits { run: LONG, terminate: LONG };

    fn run_script(script: &str, finding: &str, limits: Limits) -> Result<(), ChildError> {
        let words = ["sh", "-c", script].map(OsString::from).to_vec();
        run_program(Program { path: "/bin/sh".into(), words }, finding, limits)
    }

    fn run_program(program: Program, finding: &str, limits: Limits) -> Result<(), ChildError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let task = Task { finding: Ok(finding.to_owned()), recording: None };
        runtime.block_on(run(Arc::new(program), task, limits))
    }

    /// Runs a script with the path of a file as `$OUT`, and returns what it has written there.
    fn output(script: &str, finding: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        run_script(&script.replace("$OUT", out.to_str().unwrap()), finding, LIMITS).unwrap();
        fs::read_to_string(out).unwrap()
    }

    #[test]
    fn a_command_reads_the_finding_from_its_standard_input() {
        let finding = "{\"verdict\":\"stale_install\"}\n";
        assert_eq!(output("cat >$OUT", finding), finding);
        // More than a pipe holds.
        let long = "x".repeat(1 << 20);
        assert_eq!(output("cat >$OUT", &long), long);
    }

    #[test]
    fn failures_have_their_cause() {
        let failure = |script: &str| run_script(script, "x\n", LIMITS).unwrap_err();
        assert!(matches!(failure("exit 7"), ChildError::ExitCode(7)));
        assert!(matches!(failure("kill -9 $$"), ChildError::Signal(9)));
        let missing = Program { path: "/nonexistent".into(), words: vec!["x".into()] };
        let missing = run_program(missing, "x\n", LIMITS).unwrap_err();
        assert!(matches!(missing, ChildError::NotStarted(_)), "{missing:?}");
        let unreadable = Task { finding: Err(io::ErrorKind::InvalidData.into()), recording: None };
        let program = Arc::new(Program { path: "/bin/true".into(), words: vec!["true".into()] });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        assert_eq!(runtime.block_on(run(program, unreadable, LIMITS)).unwrap_err().cause(), CommandFailure::NotStarted);
    }

    #[test]
    fn a_command_need_not_read() {
        let long = "x".repeat(1 << 20);
        assert!(run_script("exit 0", &long, LIMITS).is_ok());
        // Another process keeps the pipe open and does not read it either.
        let keeps_open = "exec 3<&0; sleep 20 <&3 >/dev/null 2>&1 & exit 0";
        assert!(run_script(keeps_open, &long, LIMITS).is_ok());
    }

    #[test]
    fn a_command_that_takes_too_long_is_ended_with_its_children() {
        let folder = tempfile::tempdir().unwrap();
        let pids = folder.path().join("pids");
        let script =
            |trap: &str| format!("{trap} sleep 1000 & echo $$ $! >{}; wait; sleep 1000", pids.to_str().unwrap());
        for trap in ["", "trap '' TERM;"] {
            let limits = Limits { run: Duration::from_secs(2), terminate: Duration::from_millis(300) };
            let started = Instant::now();
            let error = run_script(&script(trap), &"x".repeat(1 << 20), limits).unwrap_err();
            assert!(matches!(error, ChildError::TimedOut(_)), "{error:?}");
            assert!(started.elapsed() < LONG);
            for pid in fs::read_to_string(&pids).unwrap().split_whitespace() {
                // The child of the command has no parent any more that would reap it at once.
                let is_gone = || {
                    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
                    status.is_empty() || status.contains("State:\tZ")
                };
                while !is_gone() {
                    assert!(started.elapsed() < LONG, "{pid} goes on ({trap:?})");
                    std::thread::sleep(Duration::from_millis(5));
                }
            }
        }
    }

    #[test]
    fn a_command_inherits_no_descriptors_and_no_blocked_signals() {
        let file = File::open("/dev/null").unwrap();
        // SAFETY: the call takes only numbers; the file stays open until the end of the test.
        assert_eq!(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETFD, 0) }, 0);
        assert!(inherited().contains(&file.as_raw_fd()));
        // SAFETY: `sigset_t` is plain data for which all zeroes are valid.
        let mut all: libc::sigset_t = unsafe { std::mem::zeroed() };
        // SAFETY: the set is a local value that the call fills.
        unsafe { libc::sigfillset(&raw mut all) };
        // SAFETY: the set is a local value; a null pointer for the old mask is allowed. Only this thread is affected, and
        // the threads that it starts: the one that starts the command.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, std::ptr::null_mut()) };
        // Without a shell, which may unblock signals.
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        let words = ["cp", "/proc/self/status", out.to_str().unwrap()].map(OsString::from).to_vec();
        run_program(Program { path: "/bin/cp".into(), words }, "", LIMITS).unwrap();
        let seen = fs::read_to_string(out).unwrap();
        assert!(seen.contains("SigBlk:\t0000000000000000\n"), "{seen}");
        let open = output("ls /proc/self/fd >$OUT", "");
        // The last one is that of the folder which ls reads.
        assert_eq!(open.split_whitespace().collect::<Vec<_>>(), ["0", "1", "2", "3"]);
    }

    #[test]
    fn a_command_has_a_process_group_of_its_own_and_the_name_that_was_given() {
        let seen = output("cut -d' ' -f1,5 /proc/$$/stat >$OUT", "");
        let [pid, group] = seen.split_whitespace().collect::<Vec<_>>()[..] else { panic!("{seen}") };
        assert_eq!(pid, group);
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        let script = format!("echo $0 $1 >{}", out.to_str().unwrap());
        let words = ["given", "-c", &script, "a b", "c"].map(OsString::from).to_vec();
        run_program(Program { path: "/bin/sh".into(), words }, "", LIMITS).unwrap();
        assert_eq!(fs::read_to_string(&out).unwrap(), "a b c\n");
        assert!(Path::new("/bin/sh").exists());
    }

    #[test]
    fn a_command_that_is_given_up_is_killed() {
        let folder = tempfile::tempdir().unwrap();
        let pid = folder.path().join("pid");
        let words = ["sh".to_owned(), "-c".to_owned(), format!("echo $$ >{}; sleep 1000", pid.to_str().unwrap())];
        let program = Arc::new(Program { path: "/bin/sh".into(), words: words.map(OsString::from).to_vec() });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let started = Instant::now();
        runtime.block_on(async {
            let task = Task { finding: Ok(String::new()), recording: None };
            let running = tokio::spawn(run(program, task, LIMITS));
            while fs::read_to_string(&pid).unwrap_or_default().trim().is_empty() {
                assert!(started.elapsed() < LONG);
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            running.abort();
            assert!(running.await.unwrap_err().is_cancelled());
        });
        let status = format!("/proc/{}/status", fs::read_to_string(&pid).unwrap().trim());
        while fs::read_to_string(&status).is_ok_and(|status| !status.contains("State:\tZ")) {
            assert!(started.elapsed() < LONG, "it goes on");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
