//! Runs the tests in guests: several guests at a time, with one line for each result.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context as _, Result, bail};

use super::{
    dashboard,
    guest::{self, Programs, Verdict},
    matrix,
    programme::{self, Scope},
    reactions::STOP_ON,
    step::{Era, Step},
    table::{self, Row},
    tally::Tally,
};
use crate::{
    arch::Arch,
    build, jobs,
    kernels::{Kernel, Place, Sources, version},
    paths,
    setup::{self, GUESTS, Verbosity, ensure},
    vm::Accel,
};

/// Which tests in guests run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The main steps on a vulnerable and on a fixed kernel.
    Main,
    /// All others, and the dashboard.
    Rest,
    All,
    /// Only the dashboard.
    Dashboard,
}

/// Which guests and steps run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Selection<'a> {
    pub(crate) part: Part,
    /// Only this kernel, which then runs all its steps.
    pub(crate) kernel: Option<&'a str>,
    /// Only these steps; empty: all.
    pub(crate) steps: &'a [String],
    /// The folder of local kernels.
    pub(crate) kernels: Option<&'a Path>,
}

/// Runs the steps of all selected guests; the exit code.
///
/// # Errors
/// When a kernel or step is unknown, a program cannot be built, or a guest is interrupted. A failing test is not an
/// error.
pub(crate) fn run(selection: Selection<'_>) -> Result<u8> {
    ensure(GUESTS, Verbosity::Changes)?;
    refuse_unknown_steps(selection.steps)?;
    let mut tally = Tally::default();
    let sources = Sources::new(Arch::X86_64, selection.kernels.map(Path::to_owned))?;
    let release = selection.kernel.map(|version| sources.resolve(version)).transpose()?;
    let mut guests = Vec::new();
    if selection.part != Part::Dashboard {
        guests.extend(step_guests(selection, &sources, release.as_deref(), &mut tally)?);
    }
    if selection.steps.is_empty() && selection.part != Part::Main {
        guests.extend(dashboard_guests(&sources, release.as_deref(), &mut tally)?);
    }
    let built = Built {
        programs: Programs {
            observer: build::observer_static(Arch::X86_64)?,
            witness: build::witness_static(Arch::X86_64)?,
        },
        spectator: build::spectator_static(Arch::X86_64)?,
        kernels: selection.kernels,
    };
    jobs::run(
        guests,
        jobs::guests_at_once(),
        |guest| built.run(guest),
        |_, (name, result)| {
            for verdict in tally.guest_result(result, &name)?.unwrap_or_default() {
                tally.add(&verdict);
            }
            Ok(())
        },
    )?;
    Ok(tally.finish())
}

/// A guest and its purpose.
struct Planned {
    name: String,
    keep: PathBuf,
    kernel: Kernel,
    era: Era,
    purpose: Purpose,
}

enum Purpose {
    Steps(Vec<Step>, Accel),
    Dashboard,
    /// The dashboard through `cargo xtask vm --tty`.
    VmTerminal,
}

struct Built<'a> {
    programs: Programs,
    spectator: PathBuf,
    kernels: Option<&'a Path>,
}

impl Built<'_> {
    /// The name of the guest, and the verdicts of its steps.
    fn run(&self, planned: Planned) -> (String, Result<Vec<Verdict>>) {
        let started = Instant::now();
        let Planned { name, keep, kernel, era, purpose } = planned;
        let Programs { observer, .. } = &self.programs;
        let result = match purpose {
            Purpose::Steps(steps, accel) => {
                guest::run(kernel, era, accel, &steps, observer, guest::witness(&self.programs), &keep)
            }
            Purpose::Dashboard => dashboard::run(kernel, era, &self.programs, &self.spectator, &keep),
            Purpose::VmTerminal => {
                dashboard::through_vm(&kernel.release, self.kernels, &self.spectator).map(|verdict| vec![verdict])
            }
        };
        show_time(&name, started, &keep);
        (name, result)
    }
}

pub(super) fn show_time(name: &str, started: Instant, keep: &Path) {
    eprintln!("{name}: {:.0} s; output in {}", started.elapsed().as_secs_f64(), keep.display());
}

/// The folder for the output of a guest.
pub(super) fn kept(name: &str) -> PathBuf {
    paths::target().join("trials").join(name)
}

fn step_guests(
    selection: Selection<'_>,
    sources: &Sources,
    release: Option<&str>,
    tally: &mut Tally,
) -> Result<Vec<Planned>> {
    let is_selected = |other: &str| release.is_none_or(|release| release == other);
    let all = programme::guests(Scope::Whole);
    if !all.iter().any(|(release, ..)| is_selected(release)) {
        let known: Vec<_> = all.iter().map(|(release, ..)| *release).collect();
        bail!("no test in a guest has kernel {}; there are {}", release.unwrap_or_default(), known.join(", "));
    }
    let guests = match selection.part {
        Part::Main => programme::guests(Scope::Main),
        Part::Rest => programme::guests(Scope::Rest),
        Part::All | Part::Dashboard => all,
    };
    let mut planned = Vec::new();
    for (release, era, scope) in guests.iter().filter(|(release, ..)| is_selected(release)) {
        let scope = if selection.kernel.is_some() { Scope::Whole } else { *scope };
        let mut steps = programme::steps(*era, scope);
        steps.retain(|step| selection.steps.is_empty() || selection.steps.iter().any(|name| name == step.name));
        if steps.is_empty() {
            continue;
        }
        let Some(kernel) = tally.obtain(sources, release)? else { continue };
        let (timed, others) = steps.into_iter().partition(|step| step.name == STOP_ON.name);
        for (steps, accel, suffix) in [(others, Accel::Auto, ""), (timed, Accel::TcgMulti, "-threads")] {
            let steps: Vec<Step> = steps;
            if !steps.is_empty() {
                planned.push(Planned {
                    name: format!("{}{}{suffix}", kernel.release, era.suffix()),
                    keep: kept(&format!("{release}-{era:?}{suffix}")),
                    kernel: kernel.clone(),
                    era: *era,
                    purpose: Purpose::Steps(steps, accel),
                });
            }
        }
    }
    Ok(planned)
}

fn dashboard_guests(sources: &Sources, release: Option<&str>, tally: &mut Tally) -> Result<Vec<Planned>> {
    let is_selected = |other: &str| release.is_none_or(|release| release == other);
    let mut planned = Vec::new();
    for (release, era) in dashboard::KERNELS.iter().filter(|(release, _)| is_selected(release)) {
        let Some(kernel) = tally.obtain(sources, release)? else { continue };
        let guest = |what: &str, purpose| Planned {
            name: format!("{} {what}", kernel.release),
            keep: kept(&format!("{release}-{what}")),
            kernel: kernel.clone(),
            era: *era,
            purpose,
        };
        planned.push(guest("dashboard", Purpose::Dashboard));
        if *era == Era::Unfixed {
            planned.push(guest("vm-terminal", Purpose::VmTerminal));
        }
    }
    Ok(planned)
}

fn refuse_unknown_steps(names: &[String]) -> Result<()> {
    let mut known = Vec::new();
    for step in [Era::Pinned, Era::Unfixed, Era::NoBypass, Era::LockedDown, Era::Integrity]
        .into_iter()
        .flat_map(|era| programme::steps(era, Scope::Whole))
    {
        if !known.contains(&step.name) {
            known.push(step.name);
        }
    }
    match names.iter().find(|name| !known.contains(&name.as_str())) {
        None => Ok(()),
        Some(unknown) => bail!("unknown step {unknown}; there are {}", known.join(", ")),
    }
}

/// What a run of the matrix is limited to, and where its table is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Matrix<'a> {
    pub(crate) arch: Option<Arch>,
    /// A version, or its start.
    pub(crate) kernel: Option<&'a str>,
    pub(crate) kernels: Option<&'a Path>,
    /// Whether the table in docs/kernels.md is updated.
    pub(crate) writes_docs: bool,
}

/// Runs every available kernel, on every backend that it supports; the exit code.
///
/// # Errors
/// When a program cannot be built, a guest is interrupted, or the table cannot be written.
pub(crate) fn run_matrix(selection: Matrix<'_>) -> Result<u8> {
    let started = Instant::now();
    let mut tally = Tally::default();
    let mut rows = Vec::new();
    for arch in Arch::ALL.into_iter().filter(|arch| selection.arch.is_none_or(|selected| selected == *arch)) {
        rows.extend(matrix_rows(selection, arch, &mut tally)?);
    }
    if selection.writes_docs {
        let page = paths::workspace().join(table::PAGE);
        let text = fs::read_to_string(&page).with_context(|| format!("cannot read {}", page.display()))?;
        fs::write(&page, table::merge(&text, &rows)?).with_context(|| format!("cannot write {}", page.display()))?;
    }
    eprintln!("matrix: {:.0} s", started.elapsed().as_secs_f64());
    Ok(tally.finish())
}

/// Kernels that were built here have special purposes and options: they run only if their variant is asked for.
fn is_in_matrix(release: &str, place: &Place, wanted: Option<&str>) -> bool {
    match place {
        Place::Built(_) => wanted.is_some_and(|wanted| version::starts(release, wanted)),
        _ => wanted.is_none_or(|wanted| version::is_selected(release, wanted)),
    }
}

/// In the order of the kernels.
fn matrix_rows(selection: Matrix<'_>, arch: Arch, tally: &mut Tally) -> Result<Vec<Row>> {
    ensure(setup::guests(arch), Verbosity::Changes)?;
    let sources = Sources::new(arch, selection.kernels.map(Path::to_owned))?;
    let programs = Programs { observer: build::observer_static(arch)?, witness: build::witness_static(arch)? };
    let mut kernels = Vec::new();
    for (release, place) in sources.list() {
        if is_in_matrix(&release, &place, selection.kernel) {
            kernels.extend(tally.obtain(&sources, &release)?);
        }
    }
    let run = |kernel: Kernel| {
        let started = Instant::now();
        let name = format!("{}{}", kernel.release, arch.suffix());
        let keep = kept("matrix").join(format!("{}-{}", kernel.release, arch.debian()));
        let result = matrix::run(kernel, &programs, &keep);
        show_time(&name, started, &keep);
        (name, result)
    };
    let mut rows = BTreeMap::new();
    jobs::run(kernels, jobs::guests_at_once(), run, |index, (name, result)| {
        if let Some((more, verdicts)) = tally.guest_result(result, &name)? {
            for verdict in &verdicts {
                tally.add(verdict);
            }
            rows.insert(index, more);
        }
        Ok(())
    })?;
    Ok(rows.into_values().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_kernels_are_in_the_matrix_only_by_name() {
        let (built, apt) = (Place::Built(PathBuf::new()), Place::Apt("trixie"));
        assert!(!is_in_matrix("6.1.192-unfixed-debug", &built, None));
        assert!(!is_in_matrix("6.1.192-unfixed-debug", &built, Some("6.1")));
        assert!(is_in_matrix("6.1.192-unfixed-debug", &built, Some("6.1-unfixed-debug")));
        assert!(is_in_matrix("6.12.117-rt", &apt, None));
        assert!(is_in_matrix("6.12.117-rt", &apt, Some("6.12")));
        assert!(!is_in_matrix("6.12.117-rt", &apt, Some("6.1")));
    }
}
