//! `cargo xtask test`.

use std::path::PathBuf;

use anyhow::Result;

use super::KERNELS_HELP;
use crate::{
    arch::Arch,
    build, checks, dist, exports,
    setup::{BUILD, CHECKS, Verbosity, ensure},
    trials::{
        preemption,
        suite::{self, Matrix, Part, Selection},
    },
};

/// Run the tests, in two parts: main (the default) and rest
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Which tests
    #[arg(value_enum, default_value = "main")]
    which: Which,
    /// Only guests with this kernel: a release, or its start
    #[arg(long, value_name = "V")]
    kernel: Option<String>,
    /// Only these steps in guests; may be repeated
    #[arg(long, value_name = "NAME", requires = "kernel", conflicts_with = "matrix")]
    step: Vec<String>,
    #[arg(long, value_name = "DIR", help = KERNELS_HELP)]
    kernels: Option<PathBuf>,
    /// In guests: three steps on every kernel of the matrix, on every backend that it supports
    #[arg(long)]
    matrix: bool,
    /// With --matrix: only kernels of this processor family
    #[arg(long, value_enum, requires = "matrix")]
    arch: Option<Arch>,
    /// With --matrix: write the results to the table in docs/kernels.md
    #[arg(long, requires = "matrix")]
    docs: bool,
    /// In guests: what is dropped on preemptible kernels, as a table
    #[arg(long, conflicts_with_all = ["matrix", "step"])]
    preemption: bool,
    /// With --preemption: only this backend; may be repeated
    #[arg(long, value_name = "NAME", requires = "preemption", value_parser = ["auto", "fentry", "kprobe"])]
    backend: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Which {
    /// Format, lints, unit tests; the main steps in guests with a vulnerable and a fixed kernel
    Main,
    /// All other tests: dependencies, spelling, long tests of the model, exports, packages, other steps and kernels,
    /// the dashboard
    Rest,
    /// Format, lints and unit tests
    Unit,
    /// Dependencies and spelling
    Dependencies,
    /// Exports, read with third-party programs
    Exports,
    /// The package for this machine's processor family
    Dist,
    /// All guests, with the dashboard
    Guest,
    /// Guests with the dashboard in a pseudo-terminal
    Dashboard,
    /// Main and rest
    All,
}

/// # Errors
/// When a check of the sources fails, or a test cannot be run. A failing step in a guest makes the exit code 1.
pub(crate) fn run(args: &Args) -> Result<u8> {
    ensure(BUILD, Verbosity::Changes)?;
    let is_rest = matches!(args.which, Which::Rest | Which::All);
    if matches!(args.which, Which::Unit | Which::Main | Which::All) {
        checks::unit()?;
    }
    if is_rest || args.which == Which::Dependencies {
        ensure(CHECKS, Verbosity::Changes)?;
        checks::dependencies_and_spelling()?;
    }
    if is_rest {
        checks::long()?;
    }
    if is_rest || args.which == Which::Exports {
        exports::check(&build::observer_static(Arch::X86_64)?)?;
    }
    if is_rest || args.which == Which::Dist {
        eprintln!("building the package");
        dist::make(&[Arch::of_this_machine()?])?;
    }
    let part = match args.which {
        Which::Unit | Which::Dependencies | Which::Exports | Which::Dist => return Ok(0),
        Which::Main => Part::Main,
        Which::Rest => Part::Rest,
        Which::Guest | Which::All => Part::All,
        Which::Dashboard => Part::Dashboard,
    };
    let (kernel, kernels) = (args.kernel.as_deref(), args.kernels.as_deref());
    if args.preemption {
        return preemption::run(preemption::Selection { kernel, backends: &args.backend, kernels });
    }
    if args.matrix {
        return suite::run_matrix(Matrix { arch: args.arch, kernel, kernels, writes_docs: args.docs });
    }
    suite::run(Selection { part, kernel, steps: &args.step, kernels })
}
