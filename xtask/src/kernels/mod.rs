//! Finds and fetches guest kernels. Folders of local kernels come first, then kernels that were built here, then the
//! cache, then apt.

pub(crate) mod build;
mod builds;
mod extract;
mod flavour;
pub(crate) mod modinfo;
pub(crate) mod outdated;
mod select;
pub(crate) mod table;
pub(crate) mod version;

use std::{
    env,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context as _, Result, bail};

use self::{
    builds::{Build, Choice},
    table::Offer,
};
use crate::{
    arch::Arch,
    debian::{self, AptRoot, Package, Suite, Unavailable, Wanted, Workspace},
    paths,
};

/// Environment variable with the default of `--kernels`.
pub(crate) const FOLDER_VARIABLE: &str = "OBSERVER_KERNELS";

/// A file in the folder of a kernel that was taken for one that has left the index: its release.
const REPLACES: &str = "replaces";

/// A kernel on this machine, ready to boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kernel {
    pub(crate) arch: Arch,
    /// Upstream release, and the variant if it has one: "5.10.223", "7.3.4-rt".
    pub(crate) release: String,
    /// Holds vmlinuz, config and modules/.
    pub(crate) dir: PathBuf,
}

impl Kernel {
    /// The kernel in a folder with its release as name.
    fn in_folder(arch: Arch, dir: PathBuf) -> Self {
        let release = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Self { arch, release, dir }
    }

    pub(crate) fn image(&self) -> PathBuf {
        self.dir.join("vmlinuz")
    }

    /// The folder of uncompressed modules.
    pub(crate) fn modules(&self) -> PathBuf {
        self.dir.join("modules")
    }
}

/// Where a kernel is taken from, in order of preference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Local(PathBuf),
    /// Made by `cargo xtask kernels build`.
    Built(PathBuf),
    /// The kernel, or the one that was taken for it.
    Cached(PathBuf),
    /// To be downloaded from this suite.
    Apt(&'static str),
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Local(dir) => write!(f, "local folder  {}", dir.display()),
            Self::Built(dir) => write!(f, "built here    {}", dir.display()),
            Self::Cached(dir) => write!(f, "cached        {}", dir.display()),
            Self::Apt(suite) => write!(f, "apt           {suite}"),
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Sources {
    arch: Arch,
    local: Vec<PathBuf>,
    built: PathBuf,
    cache: PathBuf,
}

impl Sources {
    /// The folders of local kernels are `local`, or else the value of `OBSERVER_KERNELS`, separated by colons. A missing
    /// folder is an error: silently falling back to apt would boot another build of the kernel. Kernels of other
    /// families than x86-64 are in a subfolder with the family's name.
    pub(crate) fn new(arch: Arch, local: Option<PathBuf>) -> Result<Self> {
        let local = local.map(PathBuf::into_os_string).or_else(|| env::var_os(FOLDER_VARIABLE)).unwrap_or_default();
        let local: Vec<PathBuf> = env::split_paths(&local).filter(|dir| !dir.as_os_str().is_empty()).collect();
        if let Some(dir) = local.iter().find(|dir| !dir.is_dir()) {
            bail!(
                "the folder of local kernels {} does not exist; correct --kernels or {FOLDER_VARIABLE}, or leave both out",
                dir.display()
            );
        }
        let within = |dir: PathBuf| arch.folder().map_or(dir.clone(), |folder| dir.join(folder));
        let local = local.into_iter().map(within).collect();
        Ok(Self { arch, local, built: within(paths::built_kernels()), cache: within(paths::kernels()) })
    }

    /// Every known kernel, oldest first, with the place that it would be taken from. A kernel in the cache that replaces
    /// another one is listed as that one.
    pub(crate) fn list(&self) -> Vec<(String, Place)> {
        let mut releases: Vec<String> = table::of(self.arch).iter().map(|offer| offer.release.to_owned()).collect();
        releases.extend(self.local.iter().chain([&self.built]).flat_map(|dir| releases_in(dir)));
        let replacements = |release: &String| {
            replaced_by(&self.cache.join(release)).is_none_or(|old| table::find(self.arch, &old).is_none())
        };
        releases.extend(releases_in(&self.cache).into_iter().filter(replacements));
        version::sort(&mut releases);
        releases.dedup();
        releases.into_iter().filter_map(|release| self.place(&release).map(|place| (release, place))).collect()
    }

    /// The release with this version, which may be given in full or by its start.
    pub(crate) fn resolve(&self, version: &str) -> Result<String> {
        if self.present(version).is_some() {
            return Ok(version.to_owned());
        }
        let known = self.list();
        let releases: Vec<String> = known.iter().map(|(release, _)| release.clone()).collect();
        version::pick(version, &releases).map_err(|mismatch| {
            let mut text = format!("{mismatch}\nknown kernels:");
            for (release, place) in &known {
                // Writing into a String cannot fail.
                let _ = write!(text, "\n  {release:<16} {place}");
            }
            anyhow::anyhow!(
                "{text}\nother kernels can be given by path: --kernels DIR, with DIR/RELEASE/{{vmlinuz,config,modules/*.ko}}"
            )
        })
    }

    /// The kernel with this version, fetched if necessary. If neither it nor another build of its series can be had, a
    /// vulnerable kernel is replaced by one that was built here.
    pub(crate) fn obtain(&self, version: &str) -> Result<Kernel> {
        let release = self.resolve(version)?;
        if let Some(Place::Local(dir) | Place::Built(dir) | Place::Cached(dir)) = self.place(&release) {
            let kernel = Kernel::in_folder(self.arch, dir);
            if kernel.release != release {
                eprintln!("kernel {} takes the place of {release}, which has left the index", kernel.release);
            }
            return Ok(kernel);
        }
        let offer = table::find(self.arch, &release)
            .with_context(|| format!("kernel {release} disappeared while it was looked up; try again"))?;
        self.fetch(offer).or_else(|error| self.instead(offer, error))
    }

    /// The newest kernel with this variant in a folder of local kernels, or among those that were built here.
    pub(crate) fn newest_built(&self, variant: &str) -> Option<Kernel> {
        let newest = |dir: &PathBuf| {
            let mut releases = releases_in(dir);
            releases.retain(|release| version::variant(release) == variant);
            version::sort(&mut releases);
            releases.pop().map(|release| Kernel::in_folder(self.arch, dir.join(release)))
        };
        self.local.iter().chain([&self.built]).find_map(newest)
    }

    /// The built kernel that replaces `offer`, which is not available because of `error`.
    fn instead(&self, offer: &Offer, error: anyhow::Error) -> Result<Kernel> {
        let Some(variant) = offer.own_build().filter(|_| self.arch == Arch::X86_64 && error.is::<Unavailable>()) else {
            return Err(error);
        };
        match (self.newest_built(variant), error.downcast::<Unavailable>()) {
            (Some(kernel), _) => {
                eprintln!("kernel {} is not available; taking {}, which was built here", offer.release, kernel.release);
                Ok(kernel)
            }
            (None, Ok(unavailable)) => {
                let remedy = format!("{}; or build one with `cargo xtask kernels build {variant}`", unavailable.remedy);
                Err(Unavailable { remedy, ..unavailable }.into())
            }
            (None, Err(error)) => Err(error),
        }
    }

    fn place(&self, release: &str) -> Option<Place> {
        let replaced = || {
            let mut releases = releases_in(&self.cache);
            releases.retain(|other| replaced_by(&self.cache.join(other)).is_some_and(|old| old == release));
            version::sort(&mut releases);
            releases.pop().map(|newest| Place::Cached(self.cache.join(newest)))
        };
        let apt = || table::find(self.arch, release).map(|offer| Place::Apt(offer.suite.name()));
        self.present(release).or_else(replaced).or_else(apt)
    }

    /// The place of the kernel itself, if that is on this machine.
    fn present(&self, release: &str) -> Option<Place> {
        let within = |dir: &PathBuf| Some(dir.join(release)).filter(|dir| !release.is_empty() && is_kernel(dir));
        let local = || self.local.iter().find_map(within).map(Place::Local);
        let built = || within(&self.built).map(Place::Built);
        let cached = || within(&self.cache).map(Place::Cached);
        local().or_else(built).or_else(cached)
    }

    /// Fetches into a work folder and renames it at the end, so the cache never has an incomplete kernel.
    fn fetch(&self, offer: &Offer) -> Result<Kernel> {
        let started = Instant::now();
        let _lock = debian::lock(&self.cache)?;
        if let Some(Place::Cached(dir)) = self.place(offer.release) {
            // Another process fetched it while this one waited for the lock.
            return Ok(Kernel::in_folder(self.arch, dir));
        }
        let what = format!("kernel {}{}", offer.release, self.arch.suffix());
        eprintln!("fetching {what} from {}", offer.suite.name());
        let work = Workspace::new(&self.cache)?;
        let (packages, tree, complete) = (work.folder("packages")?, work.folder("tree")?, work.folder("kernel")?);
        let root = AptRoot::new(&self.cache.join("apt"), self.arch, offer.suite);
        let newest = root.download_chosen(&what, &|index| wanted(offer, self.arch, index), &packages)?;
        debian::unpack(&packages, &tree)?;
        extract::pick(&tree, &complete)?;
        let mut release = offer.release;
        if let Some(build) = &newest {
            eprintln!("{}", builds::explain(offer, build));
            release = &build.release;
            let marker = complete.join(REPLACES);
            fs::write(&marker, offer.release).with_context(|| format!("cannot write {}", marker.display()))?;
        }
        let kernel = Kernel { arch: self.arch, release: release.to_owned(), dir: self.cache.join(release) };
        keep(&complete, &kernel.dir)?;
        eprintln!("fetched kernel {release} in {:.1} s", started.elapsed().as_secs_f64());
        Ok(kernel)
    }
}

/// The kernel packages in the updated index of a suite.
///
/// # Errors
/// [`Unavailable`] when the index cannot be fetched.
pub(crate) fn updated_index(arch: Arch, suite: Suite) -> Result<Vec<Package>> {
    let cache = Sources::new(arch, None)?.cache;
    let _lock = debian::lock(&cache)?;
    AptRoot::new(&cache.join("apt"), arch, suite).updated_index()
}

/// The packages of `offer`, or of the build that is taken for it.
///
/// # Errors
/// When the index has neither; the reason.
fn wanted(offer: &Offer, arch: Arch, index: &[Package]) -> Result<Wanted<Option<Build>>, String> {
    match builds::choose(offer, arch, index) {
        Choice::Pinned => Ok(Wanted { packages: offer.packages(), exactly: true, value: None }),
        Choice::Newest(build) => Ok(Wanted { packages: build.packages.clone(), exactly: false, value: Some(build) }),
        Choice::Gone => Err(format!(
            "the index of {} has no complete build of {} for {}",
            offer.suite.name(),
            offer.series(),
            offer.flavour.debian(arch)
        )),
    }
}

/// Moves a complete kernel to its place. Another kernel may be there: one that was pinned earlier, or a build of the same
/// release with another Debian revision.
fn keep(complete: &Path, dir: &Path) -> Result<()> {
    if dir.exists() {
        fs::remove_dir_all(dir).with_context(|| format!("cannot remove {}", dir.display()))?;
    }
    fs::rename(complete, dir).with_context(|| format!("cannot move the kernel to {}", dir.display()))
}

/// The release that the kernel in `dir` takes the place of.
fn replaced_by(dir: &Path) -> Option<String> {
    fs::read_to_string(dir.join(REPLACES)).ok().map(|release| release.trim().to_owned())
}

fn is_kernel(dir: &Path) -> bool {
    dir.join("vmlinuz").is_file() && dir.join("modules").is_dir()
}

/// Releases in a folder of kernels; hidden folders are work folders.
fn releases_in(dir: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let names = entries
        .flatten()
        .filter(|entry| is_kernel(&entry.path()))
        .filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| !name.starts_with('.')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder_with(releases: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for release in releases {
            fs::create_dir_all(dir.path().join(release).join("modules")).unwrap();
            fs::write(dir.path().join(release).join("vmlinuz"), "").unwrap();
        }
        dir
    }

    fn sources(local: &[&tempfile::TempDir], built: &tempfile::TempDir, cache: &tempfile::TempDir) -> Sources {
        let path = |dir: &tempfile::TempDir| dir.path().to_owned();
        let local = local.iter().map(|dir| path(dir)).collect();
        Sources { arch: Arch::X86_64, local, built: path(built), cache: path(cache) }
    }

    fn unavailable() -> anyhow::Error {
        let text = |text: &str| text.to_owned();
        Unavailable { what: text("kernel 5.10.223"), reason: text("gone"), remedy: text("give a folder") }.into()
    }

    #[test]
    fn local_kernels_are_preferred_to_built_and_cached_ones_and_apt() {
        let (local, other) = (folder_with(&["5.10.223"]), folder_with(&["5.10.223", "6.2.1"]));
        let (built, cache) = (folder_with(&["6.1.192-fixed"]), folder_with(&["5.10.223", "6.1.192", "5.4.1"]));
        let sources = sources(&[&local, &other], &built, &cache);
        let place = |release: &str| sources.place(release);
        let within = |dir: &tempfile::TempDir, release: &str| dir.path().join(release);
        assert_eq!(place("5.10.223"), Some(Place::Local(within(&local, "5.10.223"))));
        assert_eq!(place("6.2.1"), Some(Place::Local(within(&other, "6.2.1"))));
        assert_eq!(place("6.1.192-fixed"), Some(Place::Built(within(&built, "6.1.192-fixed"))));
        assert_eq!(place("6.1.192"), Some(Place::Cached(within(&cache, "6.1.192"))));
        assert_eq!(place("7.3.4"), Some(Place::Apt("trixie-backports")));
        assert_eq!(place("4.19.1"), None);
        assert_eq!(place(""), None);
        assert_eq!(sources.list().len(), table::of(Arch::X86_64).len() + 3);
        assert_eq!(sources.obtain("5.4").unwrap().dir, within(&cache, "5.4.1"));
        assert_eq!(sources.resolve("6.1").unwrap(), "6.1.192", "a built kernel does not make it ambiguous");
    }

    #[test]
    fn a_kernel_in_the_cache_takes_the_place_of_the_one_that_it_replaces() {
        let (none, cache) = (folder_with(&[]), folder_with(&["6.12.118", "6.12.120", "6.1.195", "6.16.13"]));
        for (release, old) in [("6.12.118", "6.12.117"), ("6.12.120", "6.12.117\n"), ("6.1.195", "6.1.190")] {
            fs::write(cache.path().join(release).join(REPLACES), old).unwrap();
        }
        let sources = sources(&[], &none, &cache);
        let kernel = sources.obtain("6.12.117").unwrap();
        assert_eq!((kernel.release.as_str(), kernel.dir), ("6.12.120", cache.path().join("6.12.120")));
        assert_eq!(sources.resolve("6.12").unwrap(), "6.12.117", "it is listed as the other one");
        assert_eq!(sources.obtain("6.12.118").unwrap().release, "6.12.118", "its own name is right as well");
        assert_eq!(sources.place("6.1.192"), Some(Place::Apt("bookworm-security")), "6.1.195 replaces another one");
        assert!(sources.list().iter().any(|(release, _)| release == "6.1.195"));
        let pinned = folder_with(&["6.12.117"]);
        let sources = self::sources(&[&pinned], &none, &cache);
        assert_eq!(sources.obtain("6.12.117").unwrap().release, "6.12.117", "the pinned one is preferred");
    }

    #[test]
    fn a_kernel_that_is_fetched_again_replaces_the_old_one() {
        let (cache, complete) = (folder_with(&["6.12.120"]), folder_with(&["kernel"]));
        fs::write(cache.path().join("6.12.120/config"), "old").unwrap();
        let complete = complete.path().join("kernel");
        fs::write(complete.join(REPLACES), "6.12.117").unwrap();
        keep(&complete, &cache.path().join("6.12.120")).unwrap();
        assert!(!cache.path().join("6.12.120/config").exists());
        assert_eq!(replaced_by(&cache.path().join("6.12.120")).as_deref(), Some("6.12.117"));
        assert!(!complete.exists());
    }

    #[test]
    fn a_vulnerable_kernel_is_replaced_by_a_built_one_only_if_apt_has_none() {
        let (none, built) = (folder_with(&[]), folder_with(&["6.1.190-unfixed", "6.1.192-unfixed", "6.1.195-fixed"]));
        let offer = |release| table::find(Arch::X86_64, release).unwrap();
        let with_builds = sources(&[], &built, &none);
        assert_eq!(with_builds.instead(offer("5.10.223"), unavailable()).unwrap().release, "6.1.192-unfixed");
        assert!(with_builds.instead(offer("6.12.117"), unavailable()).unwrap_err().is::<Unavailable>());
        let other = with_builds.instead(offer("5.10.223"), anyhow::anyhow!("disk full")).unwrap_err();
        assert_eq!(other.to_string(), "disk full");
        assert_eq!(with_builds.place("5.10.223"), Some(Place::Apt("bullseye")), "the package comes first");
        let without = sources(&[], &none, &none).instead(offer("5.10.223"), unavailable()).unwrap_err();
        assert!(without.is::<Unavailable>(), "it is skipped by name");
        assert!(without.to_string().contains("cargo xtask kernels build unfixed"), "{without}");
    }

    #[test]
    fn an_index_without_the_series_is_a_reason() {
        let offer = table::find(Arch::X86_64, "6.12.117-rt").unwrap();
        let index = builds::example::index();
        let newest = wanted(offer, Arch::X86_64, &index).unwrap();
        assert!(!newest.exactly, "a newer index may have a newer one");
        assert_eq!(newest.value.unwrap().release, "6.12.120-rt");
        let reason = wanted(offer, Arch::X86_64, &[]).err().unwrap();
        assert_eq!(reason, "the index of trixie has no complete build of 6.12 for rt-amd64");
    }

    #[test]
    fn an_unknown_version_lists_the_known_kernels() {
        let sources = Sources {
            arch: Arch::X86_64,
            local: Vec::new(),
            built: PathBuf::from("/nonexistent"),
            cache: PathBuf::from("/nonexistent"),
        };
        let text = sources.resolve("4.19").unwrap_err().to_string();
        for part in ["\"4.19\"", "5.10.223", "bullseye", "7.3.4", "trixie-backports", "--kernels DIR"] {
            assert!(text.contains(part), "{part} is missing from {text}");
        }
    }

    #[test]
    fn a_missing_local_folder_is_an_error() {
        assert!(Sources::new(Arch::X86_64, Some(PathBuf::from("/nonexistent"))).is_err());
    }
}
