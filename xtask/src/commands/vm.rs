//! `cargo xtask vm`.

use std::{
    io::{self, IsTerminal as _},
    path::PathBuf,
    time::Duration,
};

use anyhow::{Result, bail};

use super::{KERNEL_HELP, KERNELS_HELP};
use crate::{
    arch::Arch,
    build,
    kernels::Sources,
    setup::{BUILD, Verbosity, ensure, guests},
    vm::{Accel, Guest, GuestFile, Output},
};

const DEFAULT_TIMEOUT_SECONDS: u64 = 600;

/// Run a command as root in a guest and exit with its exit code
///
/// Other exit codes: 124 time limit, 125 the guest died, 130 interrupted.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[arg(long, value_name = "V", default_value = "5.10", help = KERNEL_HELP)]
    kernel: String,
    #[arg(long, value_name = "DIR", help = KERNELS_HELP)]
    kernels: Option<PathBuf>,
    /// Processor family of the guest
    #[arg(long, value_enum, default_value_t)]
    arch: Arch,
    /// Number of vCPUs [default: 2; with --icount: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    smp: Option<u32>,
    /// Memory in MiB
    #[arg(long, value_name = "M", default_value_t = 1024, value_parser = clap::value_parser!(u32).range(128..))]
    mem: u32,
    /// Count instructions: one guest nanosecond each, on one vCPU, the same in every run
    #[arg(long)]
    icount: bool,
    /// How the guest's instructions are executed
    #[arg(long, value_enum, default_value = "auto", conflicts_with = "icount")]
    accel: Accel,
    /// Appended to the kernel command line
    #[arg(long, value_name = "STR", default_value = "", allow_hyphen_values = true)]
    append: String,
    /// Time limit in seconds; 0: none [default: 600; with --tty: none]
    #[arg(long, value_name = "SECS")]
    timeout: Option<u64>,
    /// Copy a file into the guest; DST is /NAME by default
    #[arg(long, value_name = "SRC[:DST]")]
    file: Vec<GuestFile>,
    /// Copy the guest's /out to this folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Give this terminal to the command (Ctrl-] three times in a row ends the guest)
    #[arg(long)]
    tty: bool,
    /// Neither build observer nor copy it into the guest
    #[arg(long)]
    no_observer: bool,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<String>,
}

pub(crate) fn run(args: &Args) -> Result<u8> {
    check(args)?;
    ensure(guests(args.arch), Verbosity::Changes)?;
    // Before the build, which takes longer.
    let kernel = Sources::new(args.arch, args.kernels.clone())?.obtain(&args.kernel)?;
    let guest = Guest {
        smp: args.smp.unwrap_or(2),
        mem: args.mem,
        icount: args.icount,
        accel: args.accel,
        append: args.append.clone(),
        files: args.file.clone(),
        observer: observer(args)?,
        out: args.out.clone(),
        timeout: limit(args.timeout, args.tty),
        output: if args.tty { Output::Terminal } else { Output::Inherit },
        ..Guest::new(kernel)
    };
    Ok(guest.run(&args.command)?.code)
}

fn check(args: &Args) -> Result<()> {
    if args.arch == Arch::Arm64 && args.accel == Accel::Kvm && std::env::consts::ARCH != "aarch64" {
        bail!("KVM cannot run an arm64 guest on this machine; leave --accel out");
    }
    if args.tty && !(io::stdin().is_terminal() && io::stdout().is_terminal()) {
        bail!("--tty needs a terminal on standard input and output; leave --tty out, or run it in a terminal");
    }
    if args.icount && args.smp.is_some_and(|smp| smp != 1) {
        bail!("--icount needs exactly one vCPU; leave out --smp or --icount");
    }
    Ok(())
}

fn observer(args: &Args) -> Result<Option<PathBuf>> {
    if args.no_observer {
        return Ok(None);
    }
    ensure(BUILD, Verbosity::Changes)?;
    build::observer_static(args.arch).map(Some)
}

/// With a terminal the user ends the guest.
fn limit(seconds: Option<u64>, tty: bool) -> Option<Duration> {
    let default = if tty { 0 } else { DEFAULT_TIMEOUT_SECONDS };
    Some(seconds.unwrap_or(default)).filter(|seconds| *seconds > 0).map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Cli {
        #[command(flatten)]
        args: Args,
    }

    fn parse(words: &[&str]) -> Args {
        Cli::try_parse_from([&["vm"], words].concat()).unwrap().args
    }

    #[test]
    fn arm64_has_two_names_and_cannot_use_kvm_on_other_machines() {
        for name in ["arm64", "aarch64"] {
            let args = parse(&["--arch", name, "--accel", "kvm", "--", "true"]);
            assert_eq!(args.arch, Arch::Arm64);
            assert_eq!(check(&args).is_err(), std::env::consts::ARCH != "aarch64");
        }
        assert!(check(&parse(&["--", "true"])).is_ok());
    }

    #[test]
    fn counting_instructions_needs_one_cpu() {
        assert!(check(&parse(&["--icount", "--smp", "2", "--", "true"])).is_err());
        assert!(check(&parse(&["--icount", "--smp", "1", "--", "true"])).is_ok());
        assert!(check(&parse(&["--icount", "--", "true"])).is_ok());
    }

    #[test]
    fn the_default_limit_is_ten_minutes_or_none_with_a_terminal() {
        assert_eq!(limit(None, false), Some(Duration::from_mins(10)));
        assert_eq!(limit(None, true), None);
        assert_eq!(limit(Some(5), true), Some(Duration::from_secs(5)));
        assert_eq!(limit(Some(0), false), None);
    }

    #[test]
    fn options_of_the_command_are_not_parsed() {
        assert_eq!(
            parse(&["--file", "a:/b", "--", "sh", "-c", "x", "--", "--tty"]).command,
            ["sh", "-c", "x", "--", "--tty"]
        );
    }
}
