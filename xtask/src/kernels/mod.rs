//! Finds and fetches guest kernels. A folder of local kernels comes first, then the cache, then apt.

mod extract;
pub(crate) mod modinfo;
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

use self::table::Offer;
use crate::{
    arch::Arch,
    debian::{self, AptRoot, Workspace},
    paths,
};

/// Environment variable with the default of `--kernels`.
pub(crate) const FOLDER_VARIABLE: &str = "OBSERVER_KERNELS";

/// A kernel on this machine, ready to boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kernel {
    pub(crate) arch: Arch,
    /// Upstream release: "5.10.223".
    pub(crate) release: String,
    /// Holds vmlinuz, config and modules/.
    pub(crate) dir: PathBuf,
}

impl Kernel {
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
    Cached(PathBuf),
    /// To be downloaded from this suite.
    Apt(&'static str),
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Local(dir) => write!(f, "local folder  {}", dir.display()),
            Self::Cached(dir) => write!(f, "cached        {}", dir.display()),
            Self::Apt(suite) => write!(f, "apt           {suite}"),
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Sources {
    arch: Arch,
    local: Option<PathBuf>,
    cache: PathBuf,
}

impl Sources {
    /// The folder of local kernels is `local`, or else the value of `OBSERVER_KERNELS`. A missing folder is an error:
    /// silently falling back to apt would boot another build of the kernel. Kernels of other families than x86-64 are
    /// in a subfolder with the family's name.
    pub(crate) fn new(arch: Arch, local: Option<PathBuf>) -> Result<Self> {
        let local = local.or_else(|| env::var_os(FOLDER_VARIABLE).filter(|dir| !dir.is_empty()).map(PathBuf::from));
        if let Some(dir) = local.as_deref().filter(|dir| !dir.is_dir()) {
            bail!(
                "the folder of local kernels {} does not exist; correct --kernels or {FOLDER_VARIABLE}, or leave both out",
                dir.display()
            );
        }
        let within = |dir: PathBuf| arch.folder().map_or(dir.clone(), |folder| dir.join(folder));
        Ok(Self { arch, local: local.map(within), cache: within(paths::kernels()) })
    }

    /// Every known kernel, oldest first, with the place that it would be taken from.
    pub(crate) fn list(&self) -> Vec<(String, Place)> {
        let mut releases: Vec<String> = table::of(self.arch).iter().map(|offer| offer.release.to_owned()).collect();
        releases.extend(self.local.iter().chain([&self.cache]).flat_map(|dir| releases_in(dir)));
        version::sort(&mut releases);
        releases.dedup();
        releases.into_iter().filter_map(|release| self.place(&release).map(|place| (release, place))).collect()
    }

    /// The release with this version, which may be given in full or by its start.
    pub(crate) fn resolve(&self, version: &str) -> Result<String> {
        let known = self.list();
        let releases: Vec<String> = known.iter().map(|(release, _)| release.clone()).collect();
        version::pick(version, &releases).map_err(|mismatch| {
            let mut text = format!("{mismatch}\nknown kernels:");
            for (release, place) in &known {
                // Writing into a String cannot fail.
                let _ = write!(text, "\n  {release:<10} {place}");
            }
            anyhow::anyhow!(
                "{text}\nother kernels can be given by path: --kernels DIR, with DIR/RELEASE/{{vmlinuz,config,modules/*.ko}}"
            )
        })
    }

    /// The kernel with this version, fetched if necessary.
    pub(crate) fn obtain(&self, version: &str) -> Result<Kernel> {
        let release = self.resolve(version)?;
        match self.place(&release) {
            Some(Place::Local(dir) | Place::Cached(dir)) => Ok(Kernel { arch: self.arch, release, dir }),
            _ => self.fetch(
                table::find(self.arch, &release)
                    .with_context(|| format!("kernel {release} disappeared while it was looked up; try again"))?,
            ),
        }
    }

    /// A kernel of [`table::REAL_TIME`]. They have a separate cache, so that their releases are not listed with others.
    pub(crate) fn obtain_real_time(&self, offer: &Offer) -> Result<Kernel> {
        let (arch, release) = (self.arch, offer.release.to_owned());
        let sources = Self { cache: self.cache.join("rt"), ..self.clone() };
        match sources.place(offer.release) {
            Some(Place::Local(dir) | Place::Cached(dir)) => Ok(Kernel { arch, release, dir }),
            _ => sources.fetch(offer),
        }
    }

    fn place(&self, release: &str) -> Option<Place> {
        let local = self.local.as_ref().map(|dir| dir.join(release)).filter(|dir| is_kernel(dir)).map(Place::Local);
        let cached = || Some(self.cache.join(release)).filter(|dir| is_kernel(dir)).map(Place::Cached);
        local.or_else(cached).or_else(|| table::find(self.arch, release).map(|offer| Place::Apt(offer.suite.name())))
    }

    /// Fetches into a work folder and renames it at the end, so the cache never has an incomplete kernel.
    fn fetch(&self, offer: &Offer) -> Result<Kernel> {
        let started = Instant::now();
        let kernel = Kernel { arch: self.arch, release: offer.release.to_owned(), dir: self.cache.join(offer.release) };
        let _lock = debian::lock(&self.cache)?;
        if is_kernel(&kernel.dir) {
            // Another process fetched it while this one waited for the lock.
            return Ok(kernel);
        }
        let what = format!("kernel {}{}", offer.release, self.arch.suffix());
        eprintln!("fetching {what} from {}", offer.suite.name());
        let work = Workspace::new(&self.cache)?;
        let (packages, tree, complete) = (work.folder("packages")?, work.folder("tree")?, work.folder("kernel")?);
        AptRoot::new(&self.cache.join("apt"), self.arch, offer.suite).download(&what, &offer.packages(), &packages)?;
        debian::unpack(&packages, &tree)?;
        extract::pick(&tree, &complete)?;
        fs::rename(&complete, &kernel.dir)
            .with_context(|| format!("cannot move the kernel to {}", kernel.dir.display()))?;
        eprintln!("fetched kernel {} in {:.1} s", offer.release, started.elapsed().as_secs_f64());
        Ok(kernel)
    }
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

    #[test]
    fn local_kernels_are_preferred_to_cached_ones_and_apt() {
        let (local_dir, cache_dir) = (folder_with(&["5.10.223"]), folder_with(&["5.10.223", "6.1.192", "5.4.1"]));
        let (local, cache) = (local_dir.path().to_owned(), cache_dir.path().to_owned());
        let sources = Sources { arch: Arch::X86_64, local: Some(local.clone()), cache: cache.clone() };
        let place = |release: &str| sources.place(release);
        assert_eq!(place("5.10.223"), Some(Place::Local(local.join("5.10.223"))));
        assert_eq!(place("6.1.192"), Some(Place::Cached(cache.join("6.1.192"))));
        assert_eq!(place("7.3.4"), Some(Place::Apt("trixie-backports")));
        assert_eq!(place("4.19.1"), None);
        assert_eq!(sources.list().len(), table::of(Arch::X86_64).len() + 1);
        assert_eq!(sources.obtain("5.4").unwrap().dir, cache.join("5.4.1"));
    }

    #[test]
    fn an_unknown_version_lists_the_known_kernels() {
        let sources = Sources { arch: Arch::X86_64, local: None, cache: PathBuf::from("/nonexistent") };
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
