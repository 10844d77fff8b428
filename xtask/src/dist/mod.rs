//! What is handed to others: a static binary with its papers, as a folder and as a Debian package.

mod control;
mod linked;
mod tree;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};

use crate::{
    arch::Arch,
    build, paths,
    process::{Purpose, read},
};
use tree::{Content, Item};

/// The shells that completions are made for, with the place where each looks for them.
const COMPLETIONS: &[(&str, &str)] = &[
    ("bash", "usr/share/bash-completion/completions/observer"),
    ("zsh", "usr/share/zsh/vendor-completions/_observer"),
    ("fish", "usr/share/fish/vendor_completions.d/observer.fish"),
];

/// Makes a folder and a package for each of `wanted`; where the packages are, and the file with their checksums.
///
/// # Errors
/// When something cannot be built or packed, or a package does not hold what it must.
pub fn make(wanted: &[Arch]) -> Result<Vec<PathBuf>> {
    let dist = paths::target().join("dist");
    let papers = Licences::gather()?;
    let mut made = Vec::new();
    for arch in wanted {
        let binary = build::observer_static(*arch)?;
        let root = dist.join(format!("observer-{}-{}", papers.version, arch.debian()));
        let items = papers.items(&binary);
        tree::lay_out(&root, &items)?;
        made.push(pack(&dist, &root, &items, *arch, &papers.version)?);
    }
    made.push(sums(&dist, &made)?);
    Ok(made)
}

/// What goes with every binary, whatever it runs on.
struct Licences {
    version: String,
    manual: String,
    completions: Vec<(String, &'static str)>,
    copyright: String,
}

impl Licences {
    /// The manual and the completions are asked of the program itself.
    fn gather() -> Result<Self> {
        let program = build::observer_static(Arch::of_this_machine()?)?;
        let ask = |words: &[&str]| {
            let purpose =
                Purpose { what: "asking observer for its papers", by_hand: "run target/*/release/observer man" };
            read(Command::new(&program).args(words), purpose)
        };
        let version = ask(&["--version"])?;
        let version = version.split_whitespace().last().context("`observer --version` says nothing")?.to_owned();
        let completions = COMPLETIONS
            .iter()
            .map(|(shell, place)| Ok((ask(&["completions", shell])?, *place)))
            .collect::<Result<_>>()?;
        Ok(Self { version, manual: ask(&["man"])?, completions, copyright: control::copyright(&linked::crates()?)? })
    }

    fn items(&self, binary: &Path) -> Vec<Item> {
        let root = paths::workspace();
        let mut items = vec![
            Item::new("usr/bin/observer", Content::File(binary.to_owned())).executable(),
            Item::new("usr/share/man/man1/observer.1.gz", Content::Gzip(self.manual.clone())),
            Item::new(
                "usr/lib/systemd/system/observer.service",
                Content::File(root.join("packaging/observer.service")),
            ),
            Item::new("usr/share/doc/observer/copyright", Content::Text(self.copyright.clone())),
        ];
        for (from, to) in [
            ("README.md", "README.md"),
            ("docs/fleet.md", "fleet.md"),
            ("docs/recording.md", "recording.md"),
            ("docs/schema/finding-1.json", "finding-1.json"),
            ("packaging/prometheus/rules.yml", "examples/prometheus/rules.yml"),
            ("packaging/grafana/observer.json", "examples/grafana/observer.json"),
        ] {
            items.push(Item::new(&format!("usr/share/doc/observer/{to}"), Content::File(root.join(from))));
        }
        for (text, place) in &self.completions {
            items.push(Item::new(place, Content::Text(text.clone())));
        }
        items
    }
}

/// Packs a tree, and looks whether all of it is in the package.
fn pack(dist: &Path, root: &Path, items: &[Item], arch: Arch, version: &str) -> Result<PathBuf> {
    let control = control::control(version, arch, tree::size_kib(root)?);
    fs::create_dir_all(root.join("DEBIAN")).context("making the package's control folder")?;
    fs::write(root.join("DEBIAN/control"), control).context("writing the package's control file")?;
    let package = dist.join(format!("observer_{version}_{}.deb", arch.debian()));
    let purpose = Purpose { what: "packing", by_hand: "install dpkg-dev, which brings dpkg-deb" };
    let mut command = Command::new("dpkg-deb");
    command.args(["--root-owner-group", "--build"]).arg(root).arg(&package);
    // The same commit gives the same package.
    command.env("SOURCE_DATE_EPOCH", last_commit()?);
    read(&mut command, purpose)?;
    fs::remove_dir_all(root.join("DEBIAN")).context("removing the package's control folder")?;
    look_into(&package, items, arch, version)?;
    Ok(package)
}

/// Whether a package holds all that it must, and, where it can run here, a program of this version.
fn look_into(package: &Path, items: &[Item], arch: Arch, version: &str) -> Result<()> {
    let purpose = Purpose { what: "looking into the package", by_hand: "run dpkg-deb --contents on it" };
    let contents = read(Command::new("dpkg-deb").arg("--contents").arg(package), purpose)?;
    for item in items {
        ensure!(contents.contains(&format!("./{}\n", item.place())), "{} lacks {}", package.display(), item.place());
    }
    if arch == Arch::of_this_machine()? {
        let folder = package.with_extension("opened");
        read(Command::new("dpkg-deb").arg("--extract").arg(package).arg(&folder), purpose)?;
        let said = read(Command::new(folder.join("usr/bin/observer")).arg("--version"), purpose)?;
        ensure!(said.trim().ends_with(version), "the packaged program says it is {said:?}, not {version}");
        fs::remove_dir_all(&folder).with_context(|| format!("removing {}", folder.display()))?;
    }
    Ok(())
}

/// When the last commit was made, in seconds since 1970.
fn last_commit() -> Result<String> {
    let purpose = Purpose { what: "asking git for the last commit", by_hand: "run it in a clone" };
    let mut git = Command::new("git");
    git.args(["log", "-1", "--format=%ct"]).current_dir(paths::workspace());
    Ok(read(&mut git, purpose)?.trim().to_owned())
}

/// Writes the packages' checksums, as `sha256sum --check` reads them.
fn sums(dist: &Path, packages: &[PathBuf]) -> Result<PathBuf> {
    let mut command = Command::new("sha256sum");
    command.args(packages.iter().filter_map(|package| package.file_name())).current_dir(dist);
    let text = read(&mut command, Purpose { what: "summing up the packages", by_hand: "install coreutils" })?;
    let file = dist.join("SHA256SUMS");
    fs::write(&file, text).with_context(|| format!("writing {}", file.display()))?;
    Ok(file)
}
