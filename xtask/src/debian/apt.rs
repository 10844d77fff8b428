//! Downloads packages of any Debian suite without touching the machine's package lists. Each suite has a separate apt
//! root, so a suite that left the mirror does not stop downloads from the others.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use anyhow::{Context, Result};

use super::{
    Suite, Unavailable,
    index::{self, Package},
    mirror::Mirrors,
};
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

    /// Downloads one package with all its dependencies, as apt resolves them where nothing is installed. Package lists
    /// are fetched only when they are missing, or too old to have the packages.
    pub(crate) fn download_with_dependencies(&self, what: &str, package: &str, into: &Path) -> Result<()> {
        let partial = into.join("partial");
        fs::create_dir_all(&partial).with_context(|| format!("cannot make {}", partial.display()))?;
        let install = || {
            let mut command = self.apt_get("install");
            command.args(["--yes", "--download-only", "--no-install-recommends", package]);
            command.arg("-o").arg(format!("Dir::Cache::archives={}", into.display()));
            command
        };
        let packages = [package.to_owned()];
        let old = self.has_lists();
        if !old {
            self.update(what, DO_WITHOUT)?;
        }
        let Some(mut refused) = self.attempt(install(), DO_WITHOUT)? else { return Ok(()) };
        if old {
            self.update(what, DO_WITHOUT)?;
            let Some(again) = self.attempt(install(), DO_WITHOUT)? else { return Ok(()) };
            refused = again;
        }
        Err(self.refused(what, &packages, &refused, DO_WITHOUT))
    }

    /// Downloads one package without its dependencies.
    pub(crate) fn download(&self, what: &str, package: &str, into: &Path) -> Result<()> {
        let wanted = |_: &[Package]| Ok(Wanted { packages: vec![package.to_owned()], exactly: true, value: () });
        self.download_chosen(what, &wanted, into)
    }

    /// Downloads the packages that `choose` takes from the index, which make up `what`, into `into`; what was chosen.
    /// The index on this machine is used if it has what is wanted, so that no network is needed; an index that is old
    /// is updated before a choice that is not [`Wanted::Exactly`] is made.
    ///
    /// # Errors
    /// [`Unavailable`] when nothing is chosen, or the packages cannot be downloaded.
    pub(crate) fn download_chosen<T>(&self, what: &str, choose: &Choose<'_, T>, into: &Path) -> Result<T> {
        let mut is_new = !self.has_lists();
        if is_new {
            self.update(what, USE_A_FOLDER)?;
        }
        loop {
            let choice = choose(&self.kernel_packages()?);
            match choice {
                Ok(Wanted { packages, exactly, value }) if exactly || is_new => {
                    let mut command = self.apt_get("download");
                    command.args(&packages).current_dir(into);
                    match self.attempt(command, USE_A_FOLDER)? {
                        None => return Ok(value),
                        Some(refused) if is_new => {
                            return Err(self.refused(what, &packages, &refused, USE_A_FOLDER));
                        }
                        Some(_) => {}
                    }
                }
                Err(reason) if is_new => return Err(unavailable(what, reason, USE_A_FOLDER)),
                _ => {}
            }
            self.update(what, USE_A_FOLDER)?;
            is_new = true;
        }
    }

    /// The kernel packages of the index on this machine, which is fetched if there is none, for `what`.
    pub(crate) fn index(&self, what: &str) -> Result<Vec<Package>> {
        if !self.has_lists() {
            self.update(what, DO_WITHOUT)?;
        }
        self.kernel_packages()
    }

    /// The kernel packages of the updated index.
    ///
    /// # Errors
    /// [`Unavailable`] when the index cannot be fetched.
    pub(crate) fn updated_index(&self) -> Result<Vec<Package>> {
        self.update(&format!("the index of {}", self.suite.name()), DO_WITHOUT)?;
        self.kernel_packages()
    }

    /// The packages in the lists whose names start with "linux-".
    fn kernel_packages(&self) -> Result<Vec<Package>> {
        let purpose = Purpose { what: "reading the package index", by_hand: USE_A_FOLDER };
        let mut command = Command::new("apt-cache");
        command.arg("dumpavail");
        self.configure(&mut command);
        Ok(index::parse(&process::read(&mut command, purpose)?, "linux-"))
    }

    fn refused(&self, what: &str, packages: &[String], refused: &str, remedy: &str) -> anyhow::Error {
        let named = missing(packages, refused).join(" ");
        unavailable(what, format!("apt cannot fetch {named} from {}: {refused}", self.suite.name()), remedy)
    }

    /// A suite that has left the mirror is no reason to stop what can do without it.
    fn update(&self, what: &str, remedy: &str) -> Result<()> {
        let suite = self.suite.name();
        eprintln!("updating the package lists of {suite}");
        let purpose = Purpose { what: "fetching package lists", by_hand: remedy };
        self.prepare(&Mirrors::of_this_machine()?)?;
        // By default apt uses an old list without an error where it cannot fetch a new one.
        let output = process::run(self.apt_get("update").args(["-o", "APT::Update::Error-Mode=any"]), purpose)?;
        if output.status.success() && self.has_lists() {
            return Ok(());
        }
        let reason = format!("apt-get update for {suite} ended with {}: {}", output.status, self.errors(&output));
        Err(unavailable(what, reason, remedy))
    }

    /// None if everything was downloaded, else the reason why not.
    fn attempt(&self, mut command: Command, by_hand: &str) -> Result<Option<String>> {
        let purpose = Purpose { what: "downloading packages", by_hand };
        let output = process::run(&mut command, purpose)?;
        Ok((!output.status.success()).then(|| self.errors(&output)))
    }

    /// The error lines of apt, joined, without the address of the mirror.
    fn errors(&self, output: &Output) -> String {
        let sources = fs::read_to_string(self.sources()).unwrap_or_default();
        without_mirror(&errors(output), &sources)
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
        command.arg("--quiet").arg(verb);
        self.configure(&mut command);
        command
    }

    /// Makes `command`, of apt, use this root only.
    fn configure(&self, command: &mut Command) {
        command.env("LC_ALL", "C");
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

/// What is downloaded.
pub(crate) struct Wanted<T> {
    pub(crate) packages: Vec<String>,
    /// False if a newer index may have something better.
    pub(crate) exactly: bool,
    /// Returned after the download.
    pub(crate) value: T,
}

/// Takes packages from an index, or gives the reason why not.
type Choose<'a, T> = dyn Fn(&[Package]) -> Result<Wanted<T>, String> + 'a;

fn unavailable(what: &str, reason: String, remedy: &str) -> anyhow::Error {
    Unavailable { what: what.to_owned(), reason, remedy: remedy.to_owned() }.into()
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

/// `text` without the addresses in `sources`, the text of a sources list: they say where a machine is.
fn without_mirror(text: &str, sources: &str) -> String {
    let addresses = sources.split_whitespace().filter(|word| word.contains("://"));
    addresses.fold(text.to_owned(), |text, address| {
        let host = address.split("://").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or(address);
        let name = host.rsplit('@').next().unwrap_or(host).split(':').next().unwrap_or(host);
        [address, host, name]
            .iter()
            .filter(|part| !part.is_empty())
            .fold(text, |text, part| text.replace(part, "MIRROR"))
    })
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
    fn errors_do_not_show_the_mirror() {
        let sources = "deb [arch=amd64] http://me:pw@a.example:3142/debian trixie main\n";
        let text = "E: Failed to fetch http://me:pw@a.example:3142/debian/dists/x 404; Could not resolve 'a.example'; \
                    a.example:3142 (b.example)";
        let shown = without_mirror(text, sources);
        assert_eq!(shown, "E: Failed to fetch MIRROR/dists/x 404; Could not resolve 'MIRROR'; MIRROR:3142 (b.example)");
        assert_eq!(without_mirror("as it is", ""), "as it is");
    }

    #[test]
    fn packages_named_in_the_error_are_missing() {
        let packages = ["linux-binary-x", "linux-modules-x"].map(String::from);
        assert_eq!(missing(&packages, "E: Unable to locate package linux-modules-x"), ["linux-modules-x"]);
        assert_eq!(missing(&packages, "E: no network"), packages);
    }
}
