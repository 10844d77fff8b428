//! Builds what users install: a static binary with documentation, as a folder and as a Debian package.

mod control;
mod linked;
mod tree;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};

use self::tree::{Content, Item};
use crate::{
    arch::Arch,
    build, paths,
    process::{Purpose, read},
};

/// Shells, with the path where each looks for completions.
const COMPLETIONS: &[(&str, &str)] = &[
    ("bash", "usr/share/bash-completion/completions/observer"),
    ("zsh", "usr/share/zsh/vendor-completions/_observer"),
    ("fish", "usr/share/fish/vendor_completions.d/observer.fish"),
];

/// Makes a folder and a package for each family; the paths of the packages and of their checksums.
///
/// # Errors
/// When something cannot be built or packed, or a package is incomplete.
pub(crate) fn make(families: &[Arch]) -> Result<Vec<PathBuf>> {
    let dist = paths::target().join("dist");
    let documents = Documents::collect(&dist)?;
    let mut made = Vec::new();
    for arch in families {
        let binary = stripped(&build::observer_static(*arch)?, &dist, *arch)?;
        let root = dist.join(format!("observer-{}-{}", documents.version, arch.debian()));
        let items = documents.items(&binary);
        tree::lay_out(&root, &items)?;
        made.push(pack(&dist, &root, &items, *arch, &documents.version)?);
    }
    made.push(checksums(&dist, &made)?);
    Ok(made)
}

/// The files that do not depend on the family.
struct Documents {
    version: String,
    /// File name and text of each manual page.
    manual: Vec<(String, String)>,
    completions: Vec<(String, &'static str)>,
    changelog: String,
    copyright: String,
}

/// Options of the service; an administrator's changes survive upgrades.
const DEFAULTS: &str = "etc/default/observer";

impl Documents {
    /// The program writes its manual pages and prints its completions.
    fn collect(dist: &Path) -> Result<Self> {
        let program = build::observer_static(Arch::of_this_machine()?)?;
        let output = |words: &[&str]| {
            let purpose =
                Purpose { what: "making the manual and completions", by_hand: "run target/*/release/observer man" };
            read(Command::new(&program).args(words), purpose)
        };
        let version = output(&["--version"])?;
        let version = version.split_whitespace().last().context("`observer --version` printed nothing")?.to_owned();
        let completions = COMPLETIONS
            .iter()
            .map(|(shell, path)| Ok((output(&["completions", shell])?, *path)))
            .collect::<Result<_>>()?;
        let folder = dist.join("man");
        fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        output(&["man", "--dir", &folder.to_string_lossy()])?;
        let manual = pages(&folder)?;
        fs::remove_dir_all(&folder).with_context(|| format!("removing {}", folder.display()))?;
        let changelog = control::changelog(&version, &control::maintainer(), &last_commit("%cD")?);
        Ok(Self { version, manual, completions, changelog, copyright: control::copyright(&linked::crates()?)? })
    }

    fn items(&self, binary: &Path) -> Vec<Item> {
        let root = paths::workspace();
        let mut items = vec![
            Item::new("usr/bin/observer", Content::File(binary.to_owned())).executable(),
            Item::new(
                "usr/lib/systemd/system/observer.service",
                Content::File(root.join("packaging/observer.service")),
            ),
            Item::new(DEFAULTS, Content::File(root.join("packaging/debian/default"))),
            Item::new("usr/share/doc/observer/changelog.gz", Content::Gzip(self.changelog.clone())),
            Item::new("usr/share/doc/observer/copyright", Content::Text(self.copyright.clone())),
        ];
        for (from, to) in [
            ("README.md", "README.md"),
            ("docs/CHANGELOG.md", "CHANGELOG.md"),
            ("docs/fleet.md", "fleet.md"),
            ("docs/containers.md", "containers.md"),
            ("docs/recording.md", "recording.md"),
            ("docs/schema/finding-2.json", "finding-2.json"),
            ("packaging/prometheus/rules.yml", "examples/prometheus/rules.yml"),
            ("packaging/grafana/observer.json", "examples/grafana/observer.json"),
            ("packaging/containers/Containerfile", "examples/containers/Containerfile"),
            ("packaging/containers/compose.yaml", "examples/containers/compose.yaml"),
            ("packaging/containers/daemonset.yaml", "examples/containers/daemonset.yaml"),
        ] {
            items.push(Item::new(&format!("usr/share/doc/observer/{to}"), Content::File(root.join(from))));
        }
        for (file, text) in &self.manual {
            items.push(Item::new(&format!("usr/share/man/man8/{file}.gz"), Content::Gzip(text.clone())));
        }
        for (text, path) in &self.completions {
            items.push(Item::new(path, Content::Text(text.clone())));
        }
        items
    }
}

/// A copy of a program without symbols, which Debian wants in no package. The tool comes with rustc and knows all families.
fn stripped(program: &Path, dist: &Path, arch: Arch) -> Result<PathBuf> {
    let purpose = Purpose { what: "removing symbols", by_hand: "install the rustc component of the toolchain again" };
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let print = |what: &str| read(Command::new(&rustc).args(["--print", what]), purpose);
    let (folder, root) = (print("target-libdir")?, print("sysroot")?);
    let tool = Path::new(folder.trim()).with_file_name("bin").join("rust-objcopy");
    let copy = dist.join(format!("observer-{}", arch.debian()));
    let mut strip = Command::new(tool);
    // The tool has no path to its library.
    strip.env("LD_LIBRARY_PATH", Path::new(root.trim()).join("lib"));
    read(strip.arg("--strip-all").arg(program).arg(&copy), purpose)?;
    Ok(copy)
}

/// The manual pages in a folder, by name: that of the program, and others of subcommands.
fn pages(folder: &Path) -> Result<Vec<(String, String)>> {
    let mut pages = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let path = entry?.path();
        let name = path.file_name().context("a manual page has no name")?.to_string_lossy().into_owned();
        pages.push((name, fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?));
    }
    pages.sort();
    ensure!(pages.iter().any(|(name, _)| name == "observer.8"), "{} has no observer.8", folder.display());
    ensure!(pages.len() > 10, "{} has only {} manual pages", folder.display(), pages.len());
    Ok(pages)
}

/// Packs a tree and checks the package.
fn pack(dist: &Path, root: &Path, items: &[Item], arch: Arch, version: &str) -> Result<PathBuf> {
    let control = control::control(version, &control::maintainer(), arch, tree::size_kib(root)?);
    tree::add(root, &control_items(control))?;
    let package = dist.join(format!("observer_{version}_{}.deb", arch.debian()));
    let purpose = Purpose { what: "packing", by_hand: "install dpkg-dev, which has dpkg-deb" };
    let mut command = Command::new("dpkg-deb");
    command.args(["--root-owner-group", "--build"]).arg(root).arg(&package);
    // The package depends only on the commit.
    command.env("SOURCE_DATE_EPOCH", last_commit("%ct")?);
    read(&mut command, purpose)?;
    fs::remove_dir_all(root.join("DEBIAN")).context("removing the package's control folder")?;
    check(&package, items, arch, version)?;
    Ok(package)
}

/// What dpkg reads and runs.
fn control_items(control: String) -> Vec<Item> {
    let mut items = vec![
        Item::new("DEBIAN/control", Content::Text(control)),
        Item::new("DEBIAN/conffiles", Content::Text(format!("/{DEFAULTS}\n"))),
    ];
    for script in ["postinst", "prerm", "postrm"] {
        let file = paths::workspace().join("packaging/debian").join(script);
        items.push(Item::new(&format!("DEBIAN/{script}"), Content::File(file)).executable());
    }
    items
}

/// Checks that a package has all items and, if its program runs on this machine, that it has this version.
fn check(package: &Path, items: &[Item], arch: Arch, version: &str) -> Result<()> {
    let purpose = Purpose { what: "reading the package", by_hand: "run dpkg-deb --contents on it" };
    let contents = read(Command::new("dpkg-deb").arg("--contents").arg(package), purpose)?;
    for item in items {
        ensure!(contents.contains(&format!("./{}\n", item.path())), "{} lacks {}", package.display(), item.path());
    }
    if arch == Arch::of_this_machine()? {
        let folder = package.with_extension("opened");
        read(Command::new("dpkg-deb").arg("--extract").arg(package).arg(&folder), purpose)?;
        let printed = read(Command::new(folder.join("usr/bin/observer")).arg("--version"), purpose)?;
        ensure!(
            printed.trim().ends_with(version),
            "the packaged program prints {printed:?} as its version, not {version}"
        );
        fs::remove_dir_all(&folder).with_context(|| format!("removing {}", folder.display()))?;
    }
    Ok(())
}

/// Time of the last commit, in a format of git.
fn last_commit(format: &str) -> Result<String> {
    let purpose = Purpose { what: "reading the time of the last commit", by_hand: "run it in a clone" };
    let mut git = Command::new("git");
    git.args(["log", "-1", &format!("--format={format}")]).current_dir(paths::workspace());
    Ok(read(&mut git, purpose)?.trim().to_owned())
}

/// Writes the checksums of the packages for `sha256sum --check`.
fn checksums(dist: &Path, packages: &[PathBuf]) -> Result<PathBuf> {
    let mut command = Command::new("sha256sum");
    command.args(packages.iter().filter_map(|package| package.file_name())).current_dir(dist);
    let text = read(&mut command, Purpose { what: "computing checksums", by_hand: "install coreutils" })?;
    let file = dist.join("SHA256SUMS");
    fs::write(&file, text).with_context(|| format!("writing {}", file.display()))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_manual_page_of_a_folder_is_packed_and_that_of_the_program_is_needed() {
        let folder = tempfile::tempdir().unwrap();
        let names: Vec<String> = (0..11).map(|number| format!("observer-{number:02}.8")).collect();
        for name in &names {
            fs::write(folder.path().join(name), "page").unwrap();
        }
        assert!(pages(folder.path()).is_err());
        fs::write(folder.path().join("observer.8"), "page").unwrap();
        let found: Vec<String> = pages(folder.path()).unwrap().into_iter().map(|(name, _)| name).collect();
        assert_eq!((found.len(), &found[..11]), (12, names.as_slice()));
    }
}
