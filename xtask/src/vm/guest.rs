//! One guest: a kernel, an initramfs and QEMU. It runs one command and ends.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};

use super::{
    accel::{self, Accel},
    failure::{Evidence, Failure},
    file::GuestFile,
    initramfs::{self, Contents},
    pump::Sink,
    qemu::{self, Engine, Machine},
    report::{self, Out, Report},
    scratch::Scratch,
    session::{self, End, Plan},
    streams::Streams,
    terminal::{RawTerminal, Window},
};
use crate::kernels::Kernel;

/// Where the command's output goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Output {
    /// To standard output and standard error of this process.
    #[default]
    Inherit,
    /// Into the [`Outcome`].
    Capture,
    /// To this terminal, which the command gets in raw mode.
    Terminal,
}

/// The settings of a guest. Start from [`Guest::new`].
#[derive(Clone, Debug)]
pub(crate) struct Guest {
    pub(crate) kernel: Kernel,
    /// Number of vCPUs; 1 if `icount` is set.
    pub(crate) smp: u32,
    /// Memory in MiB.
    pub(crate) mem: u32,
    /// One guest nanosecond per instruction: times are the same in every run.
    pub(crate) icount: bool,
    pub(crate) accel: Accel,
    /// Appended to the kernel command line.
    pub(crate) append: String,
    pub(crate) files: Vec<GuestFile>,
    /// Copied to /bin/observer.
    pub(crate) observer: Option<PathBuf>,
    /// Folder to which the guest's /out is copied.
    pub(crate) out: Option<PathBuf>,
    /// None: no limit.
    pub(crate) timeout: Option<Duration>,
    pub(crate) output: Output,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Exit code of the command; 128 plus the signal's number if it was killed.
    pub(crate) code: u8,
    /// Empty unless captured.
    pub(crate) stdout: Vec<u8>,
    /// Empty unless captured.
    pub(crate) stderr: Vec<u8>,
}

impl Guest {
    /// A guest with two vCPUs, 1 GiB of memory, a time limit of 10 minutes, busybox and the kernel's modules.
    pub(crate) fn new(kernel: Kernel) -> Self {
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

    /// Runs `command` as root in the guest and returns when QEMU has ended.
    ///
    /// # Errors
    /// A [`Failure`] if the guest was started and ended without an exit code.
    pub(crate) fn run(&self, command: &[String]) -> Result<Outcome> {
        if command.is_empty() {
            bail!("no command for the guest");
        }
        let engine = self.engine()?;
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
        let mut raw = window.is_some().then(RawTerminal::enter).transpose()?;
        let (end, streams) = session::run(plan)?;
        let reported = streams.as_ref().is_some_and(|streams| Report::parse(&streams.report).is_some());
        if let Some(raw) = raw.as_mut().filter(|_| reported) {
            raw.keep_screen();
        }
        drop(raw);
        self.conclude(end, streams.as_ref(), &scratch)
    }

    fn engine(&self) -> Result<Engine> {
        if self.icount {
            return Ok(Engine::Icount);
        }
        accel::choose(self.accel, &self.kernel, || self.boots_with_kvm())
    }

    /// Whether a guest with the same kernel runs to its end with KVM within [`accel::PROBE_LIMIT`].
    fn boots_with_kvm(&self) -> Result<bool> {
        let mut probe = Self::new(self.kernel.clone());
        probe.accel = Accel::Kvm;
        probe.output = Output::Capture;
        probe.timeout = Some(accel::PROBE_LIMIT);
        match probe.run(&["true".to_owned()]) {
            Ok(outcome) => Ok(outcome.code == 0),
            Err(error) if matches!(error.downcast_ref(), Some(Failure::Interrupted)) => Err(error),
            Err(_) => Ok(false),
        }
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

    fn conclude(&self, end: End, streams: Option<&Streams<Vec<u8>>>, scratch: &Scratch) -> Result<Outcome> {
        let report = streams.and_then(|streams| Report::parse(&streams.report));
        let (Some(streams), Some(report), End::Finished) = (streams, report, end) else {
            let evidence = Evidence::collect(&self.kernel.release, &scratch.log, streams);
            return Err(match end {
                End::Finished => Failure::Died(evidence),
                End::TimedOut => Failure::TimedOut { limit: self.timeout.unwrap_or_default(), evidence },
                End::Interrupted => Failure::Interrupted,
            }
            .into());
        };
        if let Some(dir) = &self.out {
            match report.out {
                Out::None => {}
                Out::Serial(tar) => report::unpack(tar, dir)?,
                Out::Disk => report::unpack(File::open(&scratch.disk).context("cannot open the guest's disk")?, dir)?,
            }
        }
        let (stdout, stderr) = (streams.stdout.clone(), streams.stderr.clone());
        Ok(Outcome { code: report.code, stdout, stderr })
    }
}
