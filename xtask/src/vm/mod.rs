//! Guests: a kernel, an initramfs made on the spot, and QEMU around them. One guest runs one command and is gone.

mod accel;
pub mod failure;
mod initramfs;
pub mod modinfo;
mod modules;
mod newc;
mod pump;
mod qemu;
mod quote;
mod report;
mod scratch;
mod session;
mod terminal;

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    str::FromStr,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

pub use self::{failure::Failure, initramfs::static_busybox};
use self::{
    initramfs::Contents,
    pump::Sink,
    qemu::Machine,
    report::{Out, Report},
    scratch::Scratch,
    session::{End, Plan, Streams},
    terminal::{RawTerminal, Window},
};
use crate::kernels::Kernel;

/// A file for the guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuestFile {
    /// On this machine.
    pub source: PathBuf,
    /// Absolute path in the guest.
    pub target: String,
}

impl FromStr for GuestFile {
    type Err = anyhow::Error;

    /// Reads `SRC[:DST]`; DST is `/` and SRC's name by default. A source whose own name holds a colon needs a DST.
    fn from_str(text: &str) -> Result<Self> {
        let (source, target) = match text.rsplit_once(':') {
            Some((source, target)) => (PathBuf::from(source), format!("/{}", target.trim_start_matches('/'))),
            None => {
                (PathBuf::from(text), format!("/{}", Path::new(text).file_name().unwrap_or_default().to_string_lossy()))
            }
        };
        if source.as_os_str().is_empty() || target == "/" || target.split('/').any(|part| part == "..") {
            bail!("{text:?} names no file for the guest; write SRC or SRC:/PATH/IN/GUEST");
        }
        Ok(Self { source, target })
    }
}

/// Who executes the guest's instructions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Accel {
    /// KVM where a probe boot shows that it works, else emulation.
    #[default]
    Auto,
    /// Emulation.
    Tcg,
    /// KVM, without asking.
    Kvm,
}

/// What becomes of the command's output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Output {
    /// Copied to this process' own standard output and error, as it comes.
    #[default]
    Inherit,
    /// Kept for the [`Outcome`].
    Capture,
    /// The command gets this terminal, in raw mode; there is nothing to keep.
    Terminal,
}

/// A guest to be run. Start from [`Guest::new`].
#[derive(Clone, Debug)]
pub struct Guest {
    /// What it boots.
    pub kernel: Kernel,
    /// vCPUs; 1 if `icount` is set.
    pub smp: u32,
    /// Memory in MiB.
    pub mem: u32,
    /// One guest nanosecond per instruction, the same in every run.
    pub icount: bool,
    /// Who executes.
    pub accel: Accel,
    /// Appended to the kernel command line.
    pub append: String,
    /// Copied into it.
    pub files: Vec<GuestFile>,
    /// The static observer, which becomes /bin/observer.
    pub observer: Option<PathBuf>,
    /// Gets the guest's /out.
    pub out: Option<PathBuf>,
    /// After this the guest is stopped; None: never.
    pub timeout: Option<Duration>,
    /// What becomes of the command's output.
    pub output: Output,
}

/// What a guest's command left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Its exit code; 128 and the signal's number if it was killed.
    pub code: u8,
    /// Its standard output, if captured.
    pub stdout: Vec<u8>,
    /// Its standard error, if captured.
    pub stderr: Vec<u8>,
    /// The guest's console log.
    pub log: PathBuf,
    /// From QEMU's start to its end.
    pub elapsed: Duration,
}

impl Guest {
    /// A guest with two vCPUs, 1 GiB, a limit of 10 minutes, and nothing besides busybox and the kernel's modules.
    pub fn new(kernel: Kernel) -> Self {
        Self {
            kernel,
            smp: 2,
            mem: 1024,
            icount: false,
            accel: Accel::default(),
            append: String::new(),
            files: Vec::new(),
            observer: None,
            out: None,
            timeout: Some(Duration::from_mins(10)),
            output: Output::default(),
        }
    }

    /// Runs `command` as root in the guest, and returns when the guest is gone. An error that is a [`Failure`] means that
    /// the guest was started and has no exit code to give. A guest that dies while it boots is started once more.
    pub fn run(&self, command: &[String]) -> Result<Outcome> {
        match self.run_once(command) {
            Err(error) if self.may_try_again() && error.downcast_ref().is_some_and(Failure::is_of_boot) => {
                eprintln!("the guest with kernel {} died while it booted; once more", self.kernel.release);
                self.run_once(command)
            }
            other => other,
        }
    }

    /// At a terminal somebody looks on and decides; and whether KVM works is being found out.
    fn may_try_again(&self) -> bool {
        self.output != Output::Terminal && self.accel != Accel::Kvm
    }

    fn run_once(&self, command: &[String]) -> Result<Outcome> {
        if command.is_empty() {
            bail!("a guest needs a command to run");
        }
        let engine = accel::choose(self)?;
        let window = (self.output == Output::Terminal).then(Window::of_this_terminal).transpose()?;
        let scratch = Scratch::new(&self.kernel.release)?;
        fs::write(&scratch.initrd, self.initramfs(command, window.as_ref())?)
            .with_context(|| format!("cannot write {}", scratch.initrd.display()))?;
        let machine = Machine {
            arch: self.kernel.arch,
            engine,
            smp: self.smp,
            mem: self.mem,
            image: &self.kernel.image(),
            initrd: &scratch.initrd,
            disk: self.out.is_some().then(|| scratch.make_disk(self.mem)).transpose()?,
            cmdline: &qemu::cmdline(self.kernel.arch, window.is_some(), &self.append),
            ports: &[],
        };
        let plan = Plan { machine, sinks: self.sinks(&scratch.log)?, tty: window.is_some(), limit: self.timeout };
        let started = Instant::now();
        let mut raw = window.is_some().then(RawTerminal::enter).transpose()?;
        let (end, streams) = session::run(plan)?;
        let reported = streams.as_ref().is_some_and(|streams| Report::parse(&streams.report).is_some());
        if let Some(raw) = raw.as_mut().filter(|_| reported) {
            raw.leave_screen();
        }
        drop(raw);
        self.conclude(end, streams.as_ref(), &scratch, started.elapsed())
    }

    fn initramfs(&self, command: &[String], window: Option<&Window>) -> Result<Vec<u8>> {
        initramfs::build(&Contents {
            kernel: &self.kernel,
            files: &self.files,
            observer: self.observer.as_deref(),
            command,
            window,
            out: self.out.is_some(),
        })
    }

    fn sinks(&self, log: &Path) -> Result<Streams<Sink>> {
        let log = File::create(log).with_context(|| format!("cannot write the guest's log {}", log.display()))?;
        let keep = || Sink::Keep(Vec::new());
        let (console, stdout, stderr) = match self.output {
            Output::Inherit => (Sink::Log(log), Sink::Stdout, Sink::Stderr),
            Output::Capture => (Sink::Log(log), keep(), keep()),
            Output::Terminal => (Sink::LogAndStdout(log), keep(), keep()),
        };
        Ok(Streams { console, stdout, stderr, report: keep(), qemu: keep() })
    }

    /// Turns the end of a run into an outcome or a failure.
    fn conclude(
        &self,
        end: End,
        streams: Option<&Streams<Vec<u8>>>,
        scratch: &Scratch,
        elapsed: Duration,
    ) -> Result<Outcome> {
        let report = streams.and_then(|streams| Report::parse(&streams.report));
        let (Some(streams), Some(report), End::Finished) = (streams, report, end) else {
            let evidence = failure::Evidence::gather(&self.kernel.release, &scratch.log, streams);
            return Err(match end {
                End::Finished => Failure::Died(evidence),
                End::TimedOut => Failure::TimedOut { limit: elapsed, evidence },
                End::Interrupted => Failure::Interrupted,
            }
            .into());
        };
        if let Some(dir) = &self.out {
            match report.out {
                Out::None => {}
                Out::Serial(tar) => report::unpack(tar, dir)?,
                Out::Disk => report::unpack(File::open(&scratch.disk).context("the guest's disk is gone")?, dir)?,
            }
        }
        let (stdout, stderr) = (streams.stdout.clone(), streams.stderr.clone());
        Ok(Outcome { code: report.code, stdout, stderr, log: scratch.log.clone(), elapsed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Option<(String, String)> {
        text.parse::<GuestFile>().ok().map(|file| (file.source.display().to_string(), file.target))
    }

    #[test]
    fn a_file_lands_under_its_own_name_unless_told() {
        let pair = |source: &str, target: &str| Some((source.to_owned(), target.to_owned()));
        assert_eq!(parsed("./dir/prog"), pair("./dir/prog", "/prog"));
        assert_eq!(parsed("prog:/bin/p"), pair("prog", "/bin/p"));
        assert_eq!(parsed("prog:etc/p"), pair("prog", "/etc/p"));
    }

    #[test]
    fn nonsense_files_are_refused() {
        for text in ["", ":", ":/x", "x:", "x:/", "/", "x:/../y"] {
            assert_eq!(parsed(text), None, "{text:?}");
        }
    }
}
