//! Guest kernels: which there are, and how to get one. A folder of local kernels comes first, then the cache, then apt.

mod apt;
pub mod busybox;
mod extract;
mod mirror;
mod select;
pub mod table;
pub mod tools;
pub mod version;

use std::{
    env,
    fmt::Write as _,
    fs::{self, File},
    path::{Path, PathBuf},
    process,
    time::Instant,
};

use anyhow::{Context, Result, bail};
use thiserror::Error;

use self::{apt::AptRoot, table::Offer};
use crate::{arch::Arch, paths};

/// Names a folder of local kernels, as `--kernels` does.
pub const FOLDER_VARIABLE: &str = "OBSERVER_KERNELS";

/// Something from Debian that cannot be had here, such as a kernel of the matrix: a test may skip it, by name.
#[derive(Debug, Error)]
#[error("{what} is not available: {reason}\n  what to do: {remedy}")]
pub struct Unavailable {
    /// What: "kernel 5.10.223".
    pub what: String,
    /// Why it cannot be had.
    pub reason: String,
    /// How to get it by hand.
    pub remedy: String,
}

/// A kernel on this machine, ready to boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kernel {
    /// Its processor family.
    pub arch: Arch,
    /// Upstream release: "5.10.223".
    pub release: String,
    /// Holds vmlinuz, config and modules/.
    pub dir: PathBuf,
}

impl Kernel {
    /// The bootable image.
    pub fn image(&self) -> PathBuf {
        self.dir.join("vmlinuz")
    }

    /// The kernel's configuration.
    pub fn config(&self) -> PathBuf {
        self.dir.join("config")
    }

    /// The folder of uncompressed modules.
    pub fn modules(&self) -> PathBuf {
        self.dir.join("modules")
    }
}

/// Where a kernel can come from, best first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the folder of local kernels.
    Local(PathBuf),
    /// Fetched before.
    Cached(PathBuf),
    /// To be fetched from this suite.
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

/// The places where kernels are looked for.
#[derive(Clone, Debug)]
pub struct Sources {
    arch: Arch,
    local: Option<PathBuf>,
    cache: PathBuf,
}

impl Sources {
    /// Looks in `local` first, or in the folder that `OBSERVER_KERNELS` names. A folder that is named but missing is an
    /// error: falling back to apt silently would boot another build of the kernel. Kernels of other families than x86-64
    /// lie in a subfolder named after theirs.
    pub fn new(arch: Arch, local: Option<PathBuf>) -> Result<Self> {
        let local = local.or_else(|| env::var_os(FOLDER_VARIABLE).filter(|dir| !dir.is_empty()).map(PathBuf::from));
        if let Some(dir) = local.as_deref().filter(|dir| !dir.is_dir()) {
            bail!(
                "the folder of local kernels {} is missing; correct --kernels or {FOLDER_VARIABLE}, or leave both out",
                dir.display()
            );
        }
        let within = |dir: PathBuf| arch.folder().map_or(dir.clone(), |folder| dir.join(folder));
        Ok(Self { arch, local: local.map(within), cache: within(paths::kernels()) })
    }

    /// Every known kernel, oldest first, with the place it would be taken from.
    pub fn list(&self) -> Vec<(String, Place)> {
        let mut releases: Vec<String> = table::of(self.arch).iter().map(|offer| offer.release.to_owned()).collect();
        releases.extend(self.local.iter().chain([&self.cache]).flat_map(|dir| releases_in(dir)));
        version::sort(&mut releases);
        releases.dedup();
        releases.into_iter().filter_map(|release| self.place(&release).map(|place| (release, place))).collect()
    }

    /// The release that `version` means, whole or by its start.
    pub fn resolve(&self, version: &str) -> Result<String> {
        let known = self.list();
        let releases: Vec<String> = known.iter().map(|(release, _)| release.clone()).collect();
        version::pick(version, &releases).map_err(|mismatch| {
            let mut text = format!("{mismatch}\nknown kernels:");
            for (release, place) in &known {
                // Writing into a String cannot fail.
                let _ = write!(text, "\n  {release:<10} {place}");
            }
            anyhow::anyhow!(
                "{text}\nothers can be given by path: --kernels DIR, with DIR/RELEASE/{{vmlinuz,config,modules/*.ko}}"
            )
        })
    }

    /// The kernel that `version` means, fetched if need be.
    pub fn obtain(&self, version: &str) -> Result<Kernel> {
        let release = self.resolve(version)?;
        match self.place(&release) {
            Some(Place::Local(dir) | Place::Cached(dir)) => Ok(Kernel { arch: self.arch, release, dir }),
            _ => self.fetch(
                table::find(self.arch, &release)
                    .with_context(|| format!("kernel {release} has just disappeared; try again"))?,
            ),
        }
    }

    fn place(&self, release: &str) -> Option<Place> {
        let local = self.local.as_ref().map(|dir| dir.join(release)).filter(|dir| is_kernel(dir)).map(Place::Local);
        let cached = || Some(self.cache.join(release)).filter(|dir| is_kernel(dir)).map(Place::Cached);
        local.or_else(cached).or_else(|| table::find(self.arch, release).map(|offer| Place::Apt(offer.suite.name())))
    }

    /// Fetches into a folder of its own and renames it at the end, so that a half-fetched kernel is never in the cache.
    fn fetch(&self, offer: &Offer) -> Result<Kernel> {
        let started = Instant::now();
        let kernel = Kernel { arch: self.arch, release: offer.release.to_owned(), dir: self.cache.join(offer.release) };
        fs::create_dir_all(&self.cache).with_context(|| format!("cannot make {}", self.cache.display()))?;
        let _one_at_a_time = lock(&self.cache.join(".lock"))?;
        if is_kernel(&kernel.dir) {
            // Another process fetched it while this one waited.
            return Ok(kernel);
        }
        eprintln!("fetching kernel {}{} from {}", offer.release, self.arch.suffix(), offer.suite.name());
        let scratch = Scratch::new(&self.cache, offer.release)?;
        let (debs, tree, made) = (scratch.folder("debs")?, scratch.folder("tree")?, scratch.folder("kernel")?);
        let what = format!("kernel {}{}", offer.release, self.arch.suffix());
        AptRoot::new(&self.cache.join("apt"), self.arch, offer.suite).download(&what, &offer.packages(), &debs)?;
        extract::unpack(&debs, &tree)?;
        extract::pick(&tree, &made)?;
        fs::rename(&made, &kernel.dir)
            .with_context(|| format!("cannot put the kernel into {}", kernel.dir.display()))?;
        eprintln!("fetched kernel {} in {:.1} s", offer.release, started.elapsed().as_secs_f64());
        Ok(kernel)
    }
}

/// A folder that is removed however the work in it ends.
struct Scratch(PathBuf);

impl Scratch {
    fn new(parent: &Path, name: &str) -> Result<Self> {
        // The caller holds the lock, so whatever else is there was left by a process that was killed.
        for left in fs::read_dir(parent).into_iter().flatten().flatten() {
            if left.path().is_dir() && left.file_name().to_string_lossy().starts_with('.') {
                let _ = fs::remove_dir_all(left.path());
            }
        }
        let dir = parent.join(format!(".{name}-{}", process::id()));
        fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        Ok(Self(dir))
    }

    fn folder(&self, name: &str) -> Result<PathBuf> {
        let dir = self.0.join(name);
        fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        Ok(dir)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left only costs space, and the reason it cannot be removed is seen by the next fetch.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Waits for, and takes, the lock that keeps two processes from using one apt root.
fn lock(path: &Path) -> Result<File> {
    let file = File::create(path).with_context(|| format!("cannot make {}", path.display()))?;
    file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
    Ok(file)
}

fn is_kernel(dir: &Path) -> bool {
    dir.join("vmlinuz").is_file() && dir.join("modules").is_dir()
}

/// Releases in a folder of kernels; hidden folders are work in progress.
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

    fn folder_with(releases: &[&str]) -> PathBuf {
        let dir = env::temp_dir().join(format!("xtask-kernels-{}-{}", process::id(), releases.join("-")));
        for release in releases {
            fs::create_dir_all(dir.join(release).join("modules")).unwrap();
            fs::write(dir.join(release).join("vmlinuz"), "").unwrap();
        }
        dir
    }

    #[test]
    fn local_kernels_come_before_cached_ones_and_apt() {
        let local = folder_with(&["5.10.223"]);
        let cache = folder_with(&["5.10.223", "6.1.192", "5.4.1"]);
        let sources = Sources { arch: Arch::X86_64, local: Some(local.clone()), cache: cache.clone() };
        let place = |release: &str| sources.place(release);
        assert_eq!(place("5.10.223"), Some(Place::Local(local.join("5.10.223"))));
        assert_eq!(place("6.1.192"), Some(Place::Cached(cache.join("6.1.192"))));
        assert_eq!(place("7.3.4"), Some(Place::Apt("trixie-backports")));
        assert_eq!(place("4.19.1"), None);
        assert_eq!(sources.list().len(), table::of(Arch::X86_64).len() + 1);
        assert_eq!(sources.obtain("5.4").unwrap().dir, cache.join("5.4.1"));
        fs::remove_dir_all(local).unwrap();
        fs::remove_dir_all(cache).unwrap();
    }

    #[test]
    fn an_unknown_version_lists_the_known_ones_and_their_places() {
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
