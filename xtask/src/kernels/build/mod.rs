//! Builds guest kernels from Debian's source package: without the fix, with it, and for special purposes.

mod config;
mod edit;
pub(crate) mod recipe;
mod steps;

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context as _, Result, bail};

use self::{
    recipe::Recipe,
    steps::{Made, Progress, Step},
};
use super::{Kernel, is_kernel};
use crate::{
    arch::Arch,
    debian::{self, AptRoot, Package, Suite, Workspace, files_below, upstream},
    paths,
    process::{self, Purpose},
};

/// The package with the source.
const SOURCE: &str = "linux-source-6.1";
const SUITE: Suite = Suite::Bookworm;

/// Builds the kernel `recipe` with `jobs` compilers at a time, unless it is there. An interrupted build is continued.
pub(crate) fn build(recipe: &'static Recipe, jobs: usize) -> Result<Kernel> {
    let work = paths::kernel_builds();
    let _lock = debian::lock(&work)?;
    let root = AptRoot::new(&work.join("apt"), Arch::X86_64, SUITE);
    let build = Build::new(recipe, &version(&root.index(SOURCE)?)?, &work, &paths::built_kernels(), jobs);
    let started = Instant::now();
    let steps = steps::remaining(&build.made());
    for (number, step) in (1..).zip(&steps) {
        eprintln!("[{number}/{}] {}: {}", steps.len(), build.release, step.text());
        build.run(*step, &root)?;
    }
    if !steps.is_empty() {
        eprintln!("built kernel {} in {:.0} s", build.release, started.elapsed().as_secs_f64());
    }
    Ok(Kernel { arch: Arch::X86_64, release: build.release, dir: build.kernel })
}

/// The Debian version of the source in the index.
fn version(index: &[Package]) -> Result<String> {
    let source = index.iter().find(|package| package.name == SOURCE);
    let source = source.with_context(|| {
        format!(
            "the index of {} has no {SOURCE}; name the source of a newer kernel in xtask/src/kernels/build",
            SUITE.name()
        )
    })?;
    Ok(source.version.clone())
}

/// The build of one kernel, and its files.
struct Build {
    recipe: &'static Recipe,
    release: String,
    work: PathBuf,
    packages: PathBuf,
    source: PathBuf,
    objects: PathBuf,
    log: PathBuf,
    kernel: PathBuf,
    jobs: usize,
}

impl Build {
    /// `version` is the Debian version of the source.
    fn new(recipe: &'static Recipe, version: &str, work: &Path, built: &Path, jobs: usize) -> Self {
        let release = format!("{}-{}", upstream(version), recipe.name);
        Self {
            recipe,
            packages: work.join(format!("package-{version}")),
            source: work.join(format!("source-{version}-{}", recipe.source())),
            objects: work.join(format!("objects-{version}-{}", recipe.name)),
            log: work.join(format!("{release}.log")),
            kernel: built.join(&release),
            work: work.to_owned(),
            release,
            jobs,
        }
    }

    /// The text that the configuration was made from.
    fn wanted(&self) -> PathBuf {
        self.objects.join("wanted.config")
    }

    fn made(&self) -> Vec<Made> {
        let configured = fs::read_to_string(self.wanted()).is_ok_and(|text| text == config::wanted(self.recipe));
        let made = [
            (Made::Package, self.packages.is_dir()),
            (Made::Source, self.source.is_dir()),
            (Made::Configuration, configured && self.objects.join(".config").is_file()),
            (Made::Kernel, is_kernel(&self.kernel)),
        ];
        made.into_iter().filter(|(_, is_made)| *is_made).map(|(made, _)| made).collect()
    }

    fn run(&self, step: Step, root: &AptRoot) -> Result<()> {
        match step {
            Step::Download => self.download(root),
            Step::Unpack => self.unpack(),
            Step::Configure => self.configure(),
            Step::Compile => self.compile(),
            Step::Collect => self.collect(),
        }
    }

    fn download(&self, root: &AptRoot) -> Result<()> {
        let work = Workspace::new(&self.work)?;
        let packages = work.folder("packages")?;
        root.download(&format!("the source of kernel {}", self.release), SOURCE, &packages)?;
        rename(&packages, &self.packages)
    }

    fn unpack(&self) -> Result<()> {
        let work = Workspace::new(&self.work)?;
        let (tree, source) = (work.folder("tree")?, work.folder("source")?);
        debian::unpack(&self.packages, &tree)?;
        let archive = tree.join("usr/src").join(format!("{SOURCE}.tar.xz"));
        let purpose = Purpose { what: "unpacking the source", by_hand: "check the free disk space, then try again" };
        let mut tar = Command::new("tar");
        tar.arg("--extract").arg("--file").arg(&archive).arg("--directory").arg(&source).arg("--strip-components=1");
        process::read(&mut tar, purpose)?;
        for (file, change) in self.recipe.edit.map_or(&[][..], edit::Edit::files) {
            let path = source.join(file);
            let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            let text = change(&text).with_context(|| {
                format!("{file} of {SOURCE} has changed; correct the edit in xtask/src/kernels/build/edit.rs")
            })?;
            fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        }
        rename(&source, &self.source)
    }

    fn configure(&self) -> Result<()> {
        fs::create_dir_all(&self.objects).with_context(|| format!("cannot make {}", self.objects.display()))?;
        let (path, text) = (self.wanted(), config::wanted(self.recipe));
        let complete = path.with_extension("new");
        fs::write(&complete, &text).with_context(|| format!("cannot write {}", complete.display()))?;
        let purpose = Purpose { what: "configuring the kernel", by_hand: "read its output above" };
        let mut make = self.make();
        make.arg("allnoconfig").env("KCONFIG_ALLCONFIG", &complete);
        process::read(&mut make, purpose)?;
        let config = self.objects.join(".config");
        let config = fs::read_to_string(&config).with_context(|| format!("cannot read {}", config.display()))?;
        let refused = config::refused(&text, &config);
        if !refused.is_empty() {
            bail!(
                "the configuration of {} lacks {}; an option that they depend on is off or was renamed, see \
                 xtask/src/kernels/build/config.fragment",
                self.release,
                refused.join(", ")
            );
        }
        rename(&complete, &path)
    }

    fn compile(&self) -> Result<()> {
        let log = File::create(&self.log).with_context(|| format!("cannot make {}", self.log.display()))?;
        eprintln!("the output is in {}", self.log.display());
        let by_hand = format!("read {}; the build continues where it ended", self.log.display());
        let purpose = Purpose { what: "compiling the kernel", by_hand: &by_hand };
        let errors = log.try_clone().with_context(|| format!("cannot write {}", self.log.display()))?;
        let mut make = self.make();
        make.args(["bzImage", "modules", &format!("-j{}", self.jobs)]);
        make.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(errors);
        let mut child = make.spawn().map_err(|error| purpose.failed(format!("make did not start: {error}")))?;
        self.follow(child.stdout.take(), log)?;
        let status = child.wait().context("cannot wait for make")?;
        if status.success() {
            return Ok(());
        }
        let text = fs::read(&self.log).unwrap_or_default();
        Err(purpose.failed(format!("make ended with {status}: {}", process::last_lines(&text, 6).join("\n  | "))))
    }

    /// Writes the output of `make` to the log, and its progress to the terminal.
    fn follow(&self, output: Option<impl std::io::Read>, mut log: File) -> Result<()> {
        let (started, mut progress) = (Instant::now(), Progress::default());
        for line in output.into_iter().flat_map(|output| BufReader::new(output).split(b'\n')) {
            let line = line.context("cannot read the output of make")?;
            let line = String::from_utf8_lossy(&line);
            writeln!(log, "{line}").with_context(|| format!("cannot write {}", self.log.display()))?;
            if let Some(text) = progress.line(&line, started.elapsed()) {
                eprintln!("{text}");
            }
        }
        Ok(())
    }

    fn collect(&self) -> Result<()> {
        let built = self.kernel.parent().unwrap_or(&self.work);
        fs::create_dir_all(built).with_context(|| format!("cannot make {}", built.display()))?;
        let work = Workspace::new(built)?;
        let complete = work.folder("kernel")?;
        let modules = complete.join("modules");
        fs::create_dir_all(&modules).with_context(|| format!("cannot make {}", modules.display()))?;
        copy(&self.objects.join("arch/x86/boot/bzImage"), &complete.join("vmlinuz"))?;
        copy(&self.objects.join(".config"), &complete.join("config"))?;
        for file in files_below(&self.objects)?.iter().filter(|file| file.extension().is_some_and(|end| end == "ko")) {
            let stripped = modules.join(file.file_name().unwrap_or_default());
            let purpose = Purpose { what: "removing debug info from a module", by_hand: "install binutils" };
            let mut objcopy = Command::new("objcopy");
            process::read(objcopy.arg("--strip-debug").arg(file).arg(&stripped), purpose)?;
        }
        rename(&complete, &self.kernel)
    }

    fn make(&self) -> Command {
        let mut make = Command::new("make");
        make.arg("-C").arg(&self.source).arg(format!("O={}", self.objects.display()));
        // They are in the kernel, and say where it was built.
        make.env("KBUILD_BUILD_USER", "observer").env("KBUILD_BUILD_HOST", "observer").env("LC_ALL", "C");
        make
    }
}

fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).with_context(|| format!("cannot move {} to {}", from.display(), to.display()))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).with_context(|| format!("cannot copy {} to {}", from.display(), to.display())).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build(name: &str, dir: &Path) -> Build {
        Build::new(recipe::find(name).unwrap(), "6.1.192-3", &dir.join("work"), &dir.join("built"), 1)
    }

    #[test]
    fn kernels_with_the_same_edit_share_their_source_and_nothing_else() {
        let dir = Path::new("/d");
        let [plain, preempt, fixed] = ["unfixed", "unfixed-preempt", "fixed"].map(|name| build(name, dir));
        assert_eq!(plain.release, "6.1.192-unfixed");
        assert_eq!(plain.source, preempt.source);
        assert_ne!(plain.source, fixed.source);
        assert_ne!(plain.objects, preempt.objects);
        assert_eq!(preempt.kernel, dir.join("built/6.1.192-unfixed-preempt"));
        let newer = Build::new(plain.recipe, "6.1.192-4", &dir.join("work"), &dir.join("built"), 1);
        assert_ne!(newer.source, plain.source, "another revision has another source");
    }

    #[test]
    fn what_is_done_is_found_in_the_folders() {
        let dir = tempfile::tempdir().unwrap();
        let build = build("fixed", dir.path());
        assert_eq!(build.made(), []);
        for made in [&build.packages, &build.source, &build.objects] {
            fs::create_dir_all(made).unwrap();
        }
        fs::write(build.objects.join(".config"), "").unwrap();
        fs::write(build.wanted(), "other").unwrap();
        assert_eq!(build.made(), [Made::Package, Made::Source], "the configuration has changed");
        fs::write(build.wanted(), config::wanted(build.recipe)).unwrap();
        assert_eq!(build.made(), [Made::Package, Made::Source, Made::Configuration]);
        fs::create_dir_all(build.kernel.join("modules")).unwrap();
        fs::write(build.kernel.join("vmlinuz"), "").unwrap();
        assert!(build.made().contains(&Made::Kernel));
    }

    #[test]
    fn a_kernel_is_collected_with_its_modules() {
        let dir = tempfile::tempdir().unwrap();
        let build = build("fixed", dir.path());
        let (boot, drivers) = (build.objects.join("arch/x86/boot"), build.objects.join("drivers/block"));
        fs::create_dir_all(&boot).unwrap();
        fs::create_dir_all(&drivers).unwrap();
        fs::write(boot.join("bzImage"), "image").unwrap();
        fs::write(build.objects.join(".config"), "options").unwrap();
        // objcopy accepts any ELF file.
        fs::copy("/bin/true", drivers.join("zram.ko")).unwrap();
        fs::write(drivers.join("zram.o"), "").unwrap();
        build.collect().unwrap();
        assert!(build.made().contains(&Made::Kernel));
        assert_eq!(fs::read_to_string(build.kernel.join("vmlinuz")).unwrap(), "image");
        assert_eq!(fs::read_to_string(build.kernel.join("config")).unwrap(), "options");
        let modules = files_below(&build.kernel.join("modules")).unwrap();
        assert_eq!(modules, [build.kernel.join("modules/zram.ko")]);
    }

    #[test]
    fn an_index_without_the_source_is_an_error() {
        let package = |name: &str| Package { name: name.to_owned(), version: "1-1".to_owned(), depends: String::new() };
        assert_eq!(version(&[package("linux-doc"), package(SOURCE)]).unwrap(), "1-1");
        assert!(version(&[package("linux-doc")]).unwrap_err().to_string().contains(SOURCE));
    }
}
