//! `cargo xtask test`: what CI runs, in two parts.

use std::{collections::BTreeMap, fs, path::PathBuf, process::Command, time::Instant};

use anyhow::{Context as _, Result, bail};

use super::KERNELS_HELP;
use crate::{
    arch::Arch,
    build, dist, exports, jobs,
    kernels::{Kernel, Sources, Unavailable, version},
    paths,
    process::{Purpose, show},
    setup::{self, BUILD, GUESTS, Verbosity, ensure},
    trials::{
        self, Programs, Verdict, dashboard,
        scope::{self, Scope},
        steps::{Era, Step},
    },
    vm::Failure,
};

/// Format, lints, unit tests, and guests with an unfixed and a fixed kernel: what shows that the main job works. `rest` is
/// all else that CI runs.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which tests.
    #[arg(value_enum, default_value = "main")]
    which: Which,
    /// Only guests with this kernel: a full release, or its start.
    #[arg(long, value_name = "V")]
    kernel: Option<String>,
    /// Only these steps of a guest, by name; may be given several times.
    #[arg(long, value_name = "NAME", requires = "kernel", conflicts_with = "matrix")]
    step: Vec<String>,
    #[arg(long, value_name = "DIR", help = KERNELS_HELP)]
    kernels: Option<PathBuf>,
    /// Guests: every kernel of the matrix, of both families, on every backend that it offers, with a short programme each.
    #[arg(long)]
    matrix: bool,
    /// With --matrix: only kernels of this family.
    #[arg(long, value_enum, requires = "matrix")]
    arch: Option<Arch>,
    /// With --matrix: write what was seen into the README's table.
    #[arg(long, requires = "matrix")]
    readme: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Which {
    /// Format, lints, unit tests; the main steps of an unfixed and a fixed kernel.
    Main,
    /// What `main` leaves out: the longest walks of the model, exports, the package, all other steps and kernels, the
    /// dashboard.
    Rest,
    /// Format, lints and unit tests.
    Unit,
    /// What is exported, read with programs that others wrote.
    Exports,
    /// The package for this machine's family, opened again.
    Dist,
    /// Guests, those with the dashboard included.
    Guest,
    /// Guests with the dashboard in a pseudo-terminal, and nothing else.
    Dashboard,
    /// All of it: `main` and `rest`.
    All,
}

/// Runs the tests.
///
/// # Errors
/// When something could not be run at all; a test that fails is told and makes the exit code 1.
pub fn run(args: &Args) -> Result<u8> {
    ensure(BUILD, Verbosity::Changes)?;
    if matches!(args.which, Which::Unit | Which::Main | Which::All) {
        unit()?;
    }
    if matches!(args.which, Which::Rest | Which::All) {
        let walks = ["test", "--package", "observer-engine", "--quiet", "--", "--ignored"];
        cargo("running the longest walks of the model", &walks, "mend what the tests say")?;
    }
    if matches!(args.which, Which::Exports | Which::Rest | Which::All) {
        exports::check(&build::observer_static(Arch::X86_64)?)?;
    }
    if matches!(args.which, Which::Dist | Which::Rest | Which::All) {
        eprintln!("making the package");
        dist::make(&[Arch::of_this_machine()?])?;
    }
    if matches!(args.which, Which::Unit | Which::Exports | Which::Dist) {
        return Ok(0);
    }
    if args.matrix {
        return matrix(args);
    }
    ensure(GUESTS, Verbosity::Changes)?;
    guests(args)
}

fn unit() -> Result<()> {
    cargo("checking the format", &["fmt", "--all", "--check"], "run `cargo fmt --all`")?;
    let lints = ["clippy", "--workspace", "--all-targets", "--quiet", "--", "--deny", "warnings"];
    cargo("checking the lints", &lints, "mend what clippy says")?;
    programs_lints()?;
    cargo("running the unit tests", &["test", "--workspace", "--quiet"], "mend what the tests say")
}

/// The eBPF programs exist for their own target only, where the workspace's clippy does not look.
fn programs_lints() -> Result<()> {
    let what = "checking the lints of the eBPF programs";
    eprintln!("{what}");
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .args(["clippy", "--quiet", "--package", "observer-ebpf", "--bins", "--features", "programs"])
        .args(["--target", "bpfel-unknown-none", "-Z", "build-std=core"])
        .arg("--target-dir")
        .arg(paths::target().join("ebpf-clippy"))
        .args(["--", "--deny", "warnings"])
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTFLAGS", "--cfg=bpf_target_arch=\"x86_64\"")
        .current_dir(paths::workspace());
    show(&mut command, Purpose { what, by_hand: "mend what clippy says" })
}

fn cargo(what: &str, arguments: &[&str], by_hand: &str) -> Result<()> {
    eprintln!("{what}");
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(paths::workspace());
    show(&mut command, Purpose { what, by_hand })
}

/// What one guest is for.
struct Job {
    name: String,
    keep: PathBuf,
    kernel: Kernel,
    era: Era,
    play: Play,
}

enum Play {
    Steps(Vec<Step>),
    /// The dashboard.
    Dashboard,
    /// The dashboard through the terminal that a guest is lent.
    Lent,
}

/// What is built for guests.
struct Built {
    programs: Programs,
    spectator: PathBuf,
    kernels: Option<PathBuf>,
}

fn guests(args: &Args) -> Result<u8> {
    unknown_steps(args)?;
    let mut tally = Tally::default();
    let sources = Sources::new(Arch::X86_64, args.kernels.clone())?;
    let wanted = args.kernel.as_deref().map(|version| sources.resolve(version)).transpose()?;
    let mut jobs = Vec::new();
    if args.which != Which::Dashboard {
        jobs.extend(step_jobs(args, &sources, wanted.as_deref(), &mut tally)?);
    }
    if args.step.is_empty() && args.which != Which::Main {
        jobs.extend(dashboard_jobs(&sources, wanted.as_deref(), &mut tally)?);
    }
    let built = Built {
        programs: Programs {
            observer: build::observer_static(Arch::X86_64)?,
            witness: build::witness_static(Arch::X86_64)?,
        },
        spectator: build::spectator_static(Arch::X86_64)?,
        kernels: args.kernels.clone(),
    };
    jobs::run(
        jobs,
        jobs::guests_at_once(),
        |job| built.play(job),
        |_, (name, ran)| {
            for verdict in tally.guest_ran(ran, || name)?.unwrap_or_default() {
                tally.take(verdict);
            }
            Ok(())
        },
    )?;
    Ok(tally.tell())
}

fn step_jobs(args: &Args, sources: &Sources, wanted: Option<&str>, tally: &mut Tally) -> Result<Vec<Job>> {
    let is_wanted = |release: &str| wanted.is_none_or(|wanted| wanted == release);
    let all = scope::guests(Scope::Whole);
    if !all.iter().any(|(release, ..)| is_wanted(release)) {
        let known: Vec<_> = all.iter().map(|(release, ..)| *release).collect();
        bail!("no guest test for kernel {}; there are some for {}", wanted.unwrap_or_default(), known.join(", "));
    }
    let mut jobs = Vec::new();
    let guests = match args.which {
        Which::Main => scope::guests(Scope::Main),
        Which::Rest => scope::guests(Scope::Rest),
        _ => scope::guests(Scope::Whole),
    };
    for (release, era, scope) in guests.iter().filter(|(release, ..)| is_wanted(release)) {
        // Asked for by name, a kernel gets everything.
        let scope = if wanted.is_some() { Scope::Whole } else { *scope };
        let steps = steps_of(*era, scope, &args.step);
        if steps.is_empty() {
            continue;
        }
        let Some(kernel) = tally.obtain(sources, release)? else { continue };
        let name = format!("{release}{}", era.suffix());
        jobs.push(Job { name, keep: kept(&format!("{release}-{era:?}")), kernel, era: *era, play: Play::Steps(steps) });
    }
    Ok(jobs)
}

/// The dashboard in guests, and on the unfixed kernel once through the terminal that a guest is lent.
fn dashboard_jobs(sources: &Sources, wanted: Option<&str>, tally: &mut Tally) -> Result<Vec<Job>> {
    let mut jobs = Vec::new();
    for (release, era) in
        dashboard::KERNELS.iter().filter(|(release, _)| wanted.is_none_or(|wanted| wanted == *release))
    {
        let Some(kernel) = tally.obtain(sources, release)? else { continue };
        let job = |what: &str, play| Job {
            name: format!("{release} {what}"),
            keep: kept(&format!("{release}-{what}")),
            kernel: kernel.clone(),
            era: *era,
            play,
        };
        jobs.push(job("dashboard", Play::Dashboard));
        if *era == Era::Unfixed {
            jobs.push(job("lent-terminal", Play::Lent));
        }
    }
    Ok(jobs)
}

/// Where a guest's output stays.
fn kept(name: &str) -> PathBuf {
    paths::target().join("trials").join(name)
}

impl Built {
    /// Runs a guest; its name, and how its steps came out.
    fn play(&self, job: Job) -> (String, Result<Vec<Verdict>>) {
        let started = Instant::now();
        let Job { name, keep, kernel, era, play } = job;
        let Programs { observer, .. } = &self.programs;
        let ran = match play {
            Play::Steps(steps) => trials::run(kernel, era, &steps, &self.programs, &keep),
            Play::Dashboard => dashboard::run(kernel, era, observer, &self.spectator, &keep),
            Play::Lent => {
                dashboard::lent(&kernel.release, self.kernels.as_deref(), &self.spectator).map(|verdict| vec![verdict])
            }
        };
        eprintln!("{name}: {:.0} s; output in {}", started.elapsed().as_secs_f64(), keep.display());
        (name, ran)
    }
}

/// The steps of a guest, or those of them that are wanted by name.
fn steps_of(era: Era, scope: Scope, wanted: &[String]) -> Vec<Step> {
    let is_wanted = |step: &Step| wanted.is_empty() || wanted.iter().any(|name| name == step.name);
    scope::of(era, scope).into_iter().filter(is_wanted).collect()
}

/// Steps that are wanted, and that no guest has.
fn unknown_steps(args: &Args) -> Result<()> {
    let mut all = scope::of(Era::Pinned, Scope::Whole);
    for step in [Era::Unfixed, Era::NoBypass].into_iter().flat_map(|era| scope::of(era, Scope::Whole)) {
        if all.iter().all(|known| known.name != step.name) {
            all.push(step);
        }
    }
    match args.step.iter().find(|name| all.iter().all(|step| step.name != name.as_str())) {
        None => Ok(()),
        Some(unknown) => {
            let known: Vec<_> = all.iter().map(|step| step.name).collect();
            bail!("no step {unknown}; there are {}", known.join(", "))
        }
    }
}

#[derive(Debug, Default)]
struct Tally {
    passed: u32,
    failed: u32,
    skipped: u32,
}

/// Every kernel of the matrix that can be had; the others are skipped by name.
fn matrix(args: &Args) -> Result<u8> {
    let started = Instant::now();
    let mut tally = Tally::default();
    let mut rows = Vec::new();
    for arch in Arch::ALL.into_iter().filter(|arch| args.arch.is_none_or(|wanted| wanted == *arch)) {
        rows.extend(of_family(args, arch, &mut tally)?);
    }
    if args.readme {
        let readme = paths::workspace().join("README.md");
        let text = fs::read_to_string(&readme).context("cannot read the README")?;
        fs::write(&readme, trials::table::put(&text, &rows)?).context("cannot write the README")?;
    }
    eprintln!("matrix: {:.0} s", started.elapsed().as_secs_f64());
    Ok(tally.tell())
}

/// The rows of one family, in the order of its kernels.
fn of_family(args: &Args, arch: Arch, tally: &mut Tally) -> Result<Vec<trials::table::Row>> {
    ensure(setup::guests(arch), Verbosity::Changes)?;
    let sources = Sources::new(arch, args.kernels.clone())?;
    let programs = Programs { observer: build::observer_static(arch)?, witness: build::witness_static(arch)? };
    let mut kernels = Vec::new();
    // Kernels in the folder of local ones are tried as well, whatever they are.
    for (release, _) in sources.list() {
        if args.kernel.as_deref().is_none_or(|wanted| version::starts(&release, wanted)) {
            kernels.extend(tally.obtain(&sources, &release)?);
        }
    }
    let play = |kernel: Kernel| {
        let started = Instant::now();
        let name = format!("{}{}", kernel.release, arch.suffix());
        let keep = kept("matrix").join(format!("{}-{}", kernel.release, arch.debian()));
        let ran = trials::matrix::run(kernel, &programs, &keep);
        eprintln!("{name}: {:.0} s; output in {}", started.elapsed().as_secs_f64(), keep.display());
        (name, ran)
    };
    let mut rows = BTreeMap::new();
    jobs::run(kernels, jobs::guests_at_once(), play, |place, (name, ran)| {
        if let Some(shown) = tally.guest_ran(ran, || name)? {
            shown.verdicts.into_iter().for_each(|verdict| tally.take(verdict));
            rows.insert(place, shown.rows);
        }
        Ok(())
    })?;
    Ok(rows.into_values().flatten().collect())
}

impl Tally {
    /// The kernel; `None`: it cannot be had, and is skipped by name.
    fn obtain(&mut self, sources: &Sources, release: &str) -> Result<Option<Kernel>> {
        match sources.obtain(release) {
            Ok(kernel) => Ok(Some(kernel)),
            Err(error) if error.is::<Unavailable>() => {
                println!("skip  {error:#}");
                self.skipped += 1;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// What a guest gave; `None`: it did not run to its end, which is a failure of its own. Ctrl-C stops the tests, not
    /// just this guest.
    fn guest_ran<T>(&mut self, ran: Result<T>, name: impl FnOnce() -> String) -> Result<Option<T>> {
        match ran {
            Ok(given) => Ok(Some(given)),
            Err(error) if matches!(error.downcast_ref(), Some(Failure::Interrupted)) => Err(error),
            Err(error) => {
                println!("FAIL  {}: {error:#}", name());
                self.failed += 1;
                Ok(None)
            }
        }
    }

    fn take(&mut self, verdict: Verdict) {
        match verdict.outcome {
            Ok(seen) => {
                println!("ok    {}: {seen}", verdict.name);
                self.passed += 1;
            }
            Err(wrong) => {
                println!("FAIL  {}: {wrong}", verdict.name);
                self.failed += 1;
            }
        }
    }

    /// Prints it; the exit code. A run in which every kernel was skipped has shown nothing.
    fn tell(&self) -> u8 {
        println!("{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped);
        u8::from(self.failed > 0 || self.passed == 0)
    }
}
