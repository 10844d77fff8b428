//! Downloads packages of any Debian suite without touching the machine's package lists. Each suite has a separate apt
//! root, so a suite that left the mirror does not stop downloads from the others.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use anyhow::{Context, Result};

use super::{Suite, Unavailable, mirror::Mirrors};
use crate::{
    arch::Arch,
    process::{self, Purpose},
};

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

const USE_A_FOLDER: &str =
    "give the kernel by path: `--kernels DIR` or OBSERVER_KERNELS, with DIR/RELEASE/{vmlinuz,config,modules/*.ko}";

const DO_WITHOUT: &str = "run it on a machine with network access, or leave out what needs this package";

/// The apt root of one suite.
#[derive(Debug)]
pub(crate) struct AptRoot {
    dir: PathBuf,
    arch: Arch,
    suite: Suite,
}

impl AptRoot {
    /// The root for `suite` under `parent`; its folders are made by the first download.
    pub(crate) fn new(parent: &Path, arch: Arch, suite: Suite) -> Self {
        Self { dir: parent.join(suite.name()), arch, suite }
    }

    /// Downloads `packages`, which make up `what`, into `into`. Package lists are fetched only when they are missing,
    /// or too old to have the packages.
    pub(crate) fn download(&self, what: &str, packages: &[String], into: &Path) -> Result<()> {
        self.fetch(what, packages, USE_A_FOLDER, &|| {
            let mut command = self.apt_get("download");
            command.args(packages).current_dir(into);
            command
        })
    }

    /// Downloads one package with all its dependencies, as apt resolves them where nothing is installed.
    pub(crate) fn download_with_dependencies(&self, what: &str, package: &str, into: &Path) -> Result<()> {
        let partial = into.join("partial");
        fs::create_dir_all(&partial).with_context(|| format!("cannot make {}", partial.display()))?;
        self.fetch(what, &[package.to_owned()], DO_WITHOUT, &|| {
            let mut command = self.apt_get("install");
            command.args(["--yes", "--download-only", "--no-install-recommends", package]);
            command.arg("-o").arg(format!("Dir::Cache::archives={}", into.display()));
            command
        })
    }

    fn fetch(
        &self,
        what: &str,
        packages: &[String],
        remedy: &'static str,
        command: &dyn Fn() -> Command,
    ) -> Result<()> {
        let no_lists = !self.has_lists();
        let update = || self.update().with_context(|| format!("cannot fetch {}", packages.join(", ")));
        if no_lists {
            update()?;
        }
        let Some(mut refused) = attempt(command(), remedy)? else { return Ok(()) };
        if !no_lists {
            update()?;
            let Some(again) = attempt(command(), remedy)? else { return Ok(()) };
            refused = again;
        }
        Err(Unavailable {
            what: what.to_owned(),
            reason: format!(
                "apt cannot fetch {} from {}: {refused}",
                missing(packages, &refused).join(" "),
                self.suite.name()
            ),
            remedy: remedy.to_owned(),
        }
        .into())
    }

    fn update(&self) -> Result<()> {
        eprintln!("updating the package lists of {}", self.suite.name());
        let purpose = Purpose { what: "fetching package lists", by_hand: USE_A_FOLDER };
        self.prepare(&Mirrors::of_this_machine()?)?;
        let output = process::run(&mut self.apt_get("update"), purpose)?;
        if output.status.success() && self.has_lists() {
            return Ok(());
        }
        Err(purpose.failed(format!(
            "apt-get update for {} ended with {}: {}",
            self.suite.name(),
            output.status,
            errors(&output)
        )))
    }

    fn prepare(&self, mirrors: &Mirrors) -> Result<()> {
        for dir in [self.lists().join("partial"), self.dir.join("cache/archives/partial")] {
            fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        }
        let sources = self.sources();
        fs::write(&sources, source_line(mirrors.serving(self.suite), self.arch, self.suite))
            .with_context(|| format!("cannot write {}", sources.display()))
    }

    fn apt_get(&self, verb: &str) -> Command {
        let mut command = Command::new("apt-get");
        command.arg("--quiet").arg(verb).env("LC_ALL", "C");
        for (option, value) in [
            ("Dir::Etc::sourcelist", self.sources().as_path()),
            ("Dir::Etc::sourceparts", Path::new("-")),
            ("Dir::Etc::preferences", Path::new("/dev/null")),
            ("Dir::Etc::preferencesparts", Path::new("/dev/null")),
            // Packages installed on this machine must not influence the candidates.
            ("Dir::State::status", Path::new("/dev/null")),
            ("Dir::State::Lists", &self.lists()),
            ("Dir::Cache", &self.dir.join("cache")),
            // The sandbox user may not be allowed to read a target folder in a home directory.
            ("APT::Sandbox::User", Path::new("root")),
            ("APT::Architecture", Path::new(self.arch.debian())),
            ("APT::Architectures", Path::new(self.arch.debian())),
        ] {
            command.arg("-o").arg(format!("{option}={}", value.display()));
        }
        command
    }

    fn sources(&self) -> PathBuf {
        self.dir.join("sources.list")
    }

    fn lists(&self) -> PathBuf {
        self.dir.join("lists")
    }

    fn has_lists(&self) -> bool {
        let Ok(entries) = fs::read_dir(self.lists()) else { return false };
        self.sources().is_file()
            && entries.flatten().any(|entry| entry.file_name().to_string_lossy().contains("_Packages"))
    }
}

/// None if everything was downloaded, else the reason why not.
fn attempt(mut command: Command, by_hand: &str) -> Result<Option<String>> {
    let purpose = Purpose { what: "downloading packages", by_hand };
    let output = process::run(&mut command, purpose)?;
    Ok((!output.status.success()).then(|| errors(&output)))
}

/// One line of a sources list, limited to the index that lists packages: the others are ten times its size.
fn source_line(site: &str, arch: Arch, suite: Suite) -> String {
    format!("deb [arch={} lang=none target=Packages signed-by={KEYRING}] {site} {} main\n", arch.debian(), suite.name())
}

/// The error lines of apt, joined.
fn errors(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("E:") || line.starts_with("Err:")).collect();
    if lines.is_empty() { process::last_lines(&output.stderr, 4).join("; ") } else { lines.join("; ") }
}

/// The packages that the error names, or all if it names none.
fn missing(packages: &[String], error: &str) -> Vec<String> {
    let named: Vec<String> = packages.iter().filter(|package| error.contains(package.as_str())).cloned().collect();
    if named.is_empty() { packages.to_vec() } else { named }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_line_is_signed_and_limited_to_packages() {
        let line = source_line("http://a.example/debian", Arch::Arm64, Suite::Trixie);
        assert!(line.starts_with("deb [arch=arm64 "), "{line}");
        assert!(line.ends_with("] http://a.example/debian trixie main\n"), "{line}");
        assert!(line.contains(KEYRING), "{line}");
        assert!(line.contains("target=Packages"), "{line}");
    }

    #[test]
    fn packages_named_in_the_error_are_missing() {
        let packages = ["linux-binary-x", "linux-modules-x"].map(String::from);
        assert_eq!(missing(&packages, "E: Unable to locate package linux-modules-x"), ["linux-modules-x"]);
        assert_eq!(missing(&packages, "E: no network"), packages);
    }
}
