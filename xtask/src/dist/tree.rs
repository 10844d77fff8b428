//! The file tree of a package.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};

#[derive(Clone, Debug)]
pub(super) struct Item {
    path: String,
    content: Content,
    mode: u32,
}

#[derive(Clone, Debug)]
pub(super) enum Content {
    /// A copy of this file.
    File(PathBuf),
    Text(String),
    Gzip(String),
}

impl Item {
    /// A file with mode 644. `path` is relative to the root.
    pub(super) fn new(path: &str, content: Content) -> Self {
        Self { path: path.to_owned(), content, mode: 0o644 }
    }

    /// With mode 755.
    pub(super) fn executable(self) -> Self {
        Self { mode: 0o755, ..self }
    }

    /// Relative to the root.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    fn bytes(&self) -> Result<Vec<u8>> {
        match &self.content {
            Content::File(path) => fs::read(path).with_context(|| format!("reading {}", path.display())),
            Content::Text(text) => Ok(text.clone().into_bytes()),
            Content::Gzip(text) => gzip(text),
        }
    }
}

/// Replaces the tree. Modes do not depend on the umask.
pub(super) fn lay_out(root: &Path, items: &[Item]) -> Result<()> {
    if root.exists() {
        fs::remove_dir_all(root).with_context(|| format!("removing the old {}", root.display()))?;
    }
    add(root, items)
}

/// Adds to the tree.
pub(super) fn add(root: &Path, items: &[Item]) -> Result<()> {
    for item in items {
        let path = root.join(&item.path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        }
        fs::write(&path, item.bytes()?).with_context(|| format!("writing {}", path.display()))?;
        set_mode(&path, item.mode)?;
        for folder in path.ancestors().skip(1).take_while(|folder| folder.starts_with(root)) {
            set_mode(folder, 0o755)?;
        }
    }
    Ok(())
}

/// The value of `Installed-Size`: each file rounded up to KiB, 1 KiB for a folder.
pub(super) fn size_kib(root: &Path) -> Result<u64> {
    let mut all = 0;
    for entry in fs::read_dir(root).with_context(|| format!("reading {}", root.display()))? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        all += if metadata.is_dir() { 1 + size_kib(&entry.path())? } else { metadata.len().div_ceil(1024) };
    }
    Ok(all)
}

fn set_mode(path: &Path, mode: u32) -> Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
        .with_context(|| format!("setting the mode of {}", path.display()))
}

/// Without name and time, as Debian requires for manual pages.
fn gzip(text: &str) -> Result<Vec<u8>> {
    let mut child = Command::new("gzip")
        .args(["-9", "--no-name"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("gzip did not start; install it")?;
    child.stdin.take().context("gzip has no input")?.write_all(text.as_bytes()).context("writing to gzip")?;
    let output = child.wait_with_output().context("waiting for gzip")?;
    ensure!(output.status.success(), "gzip ended with {}", output.status);
    Ok(output.stdout)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_replaced_and_has_the_given_modes() {
        let parent = tempfile::tempdir().unwrap();
        let root = parent.path().join("tree");
        let mode = |path: &str| fs::metadata(root.join(path)).unwrap().permissions().mode() & 0o7777;
        let item = |path: &str| Item::new(path, Content::Text("text\n".repeat(300)));
        lay_out(&root, &[item("old")]).unwrap();
        lay_out(&root, &[item("usr/bin/tool").executable(), item("usr/share/document")]).unwrap();
        assert!(!root.join("old").exists());
        assert_eq!(
            [mode("usr"), mode("usr/bin"), mode("usr/bin/tool"), mode("usr/share/document")],
            [0o755, 0o755, 0o755, 0o644]
        );
        // Three folders, two files of 1500 bytes.
        assert_eq!(size_kib(&root).unwrap(), 3 + 2 + 2);
    }

    #[test]
    fn compression_is_reproducible() {
        let packed = gzip("a manual\n").unwrap();
        assert_eq!(packed.get(..2), Some([0x1f, 0x8b].as_slice()));
        assert_eq!(packed, gzip("a manual\n").unwrap());
    }
}
