//! The report that a guest writes to its fourth serial port at its end: `exit CODE`; how /out is returned: `none`,
//! `disk`, or `serial` followed by the tar; `done`.

use std::{
    fs,
    io::Read,
    path::{Component, Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Report<'a> {
    /// The exit code of the guest's command.
    pub(super) code: u8,
    pub(super) out: Out<'a>,
}

/// How /out is returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Out<'a> {
    /// Not requested.
    None,
    /// As a tar on the guest's disk.
    Disk,
    /// As this tar.
    Serial(&'a [u8]),
}

impl<'a> Report<'a> {
    /// None if the report is incomplete: the guest died before its end.
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (line, rest) = line(bytes.strip_suffix(b"done\n")?)?;
        let code = std::str::from_utf8(line).ok()?.strip_prefix("exit ")?.parse().ok()?;
        let out = match rest {
            b"none\n" => Out::None,
            b"disk\n" => Out::Disk,
            _ => Out::Serial(rest.strip_prefix(b"serial\n")?),
        };
        Some(Self { code, out })
    }
}

/// The first line and the rest.
fn line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (line, rest) = bytes.split_at_checked(bytes.iter().position(|byte| *byte == b'\n')?)?;
    Some((line, rest.get(1..)?))
}

/// Unpacks the tar of /out into `dir`. Only files and folders inside `dir` are made: a guest must not write elsewhere.
pub(super) fn unpack(tar: impl Read, dir: &Path) -> Result<()> {
    fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let mut archive = tar::Archive::new(tar);
    for entry in archive.entries().context("cannot read the tar of the guest's /out")? {
        let mut entry = entry.context("the tar of the guest's /out is damaged; run it again")?;
        let path = safe_path(&entry.path().context("cannot read a name in the guest's /out")?)?;
        let kind = entry.header().entry_type();
        if path.as_os_str().is_empty() {
            continue;
        }
        if !kind.is_file() && !kind.is_dir() {
            eprintln!("/out: skipped {}, which is neither a file nor a folder", path.display());
            continue;
        }
        let unpacked = entry.unpack_in(dir).with_context(|| format!("cannot write {}", dir.join(&path).display()))?;
        if !unpacked {
            bail!(
                "the guest's /out has {}, which leads out of {}; nothing more was unpacked",
                path.display(),
                dir.display()
            );
        }
    }
    Ok(())
}

/// `path` without `.` components; an error if it is absolute or has `..`.
fn safe_path(path: &Path) -> Result<PathBuf> {
    let mut safe = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::Normal(name) => safe.push(name),
            _ => bail!("the guest's /out has the path {}, which leads out of it; refusing to unpack", path.display()),
        }
    }
    Ok(safe)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tar_of(entries: &[(&str, tar::EntryType, &str)]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (path, kind, content) in entries {
            let mut header = tar::Header::new_ustar();
            // The builder's setter refuses such names.
            header.as_ustar_mut().unwrap().name[..path.len()].copy_from_slice(path.as_bytes());
            header.set_entry_type(*kind);
            header.set_mode(0o644);
            if *kind == tar::EntryType::Symlink {
                header.set_link_name(content).unwrap();
                header.set_size(0);
                header.set_cksum();
                builder.append(&header, &[][..]).unwrap();
            } else {
                header.set_size(content.len() as u64);
                header.set_cksum();
                builder.append(&header, content.as_bytes()).unwrap();
            }
        }
        builder.into_inner().unwrap()
    }

    #[test]
    fn a_complete_report_is_read() {
        assert_eq!(Report::parse(b"exit 7\nnone\ndone\n"), Some(Report { code: 7, out: Out::None }));
        assert_eq!(Report::parse(b"exit 255\ndisk\ndone\n"), Some(Report { code: 255, out: Out::Disk }));
        assert_eq!(Report::parse(b"exit 0\nserial\nTAR\0done\n"), Some(Report { code: 0, out: Out::Serial(b"TAR\0") }));
    }

    #[test]
    fn an_incomplete_report_is_refused() {
        for bytes in [
            &b""[..],
            b"exit 7\n",
            b"exit 7\nserial\nTAR",
            b"exit 7\ndisk\n",
            b"exit 7\ndone\n",
            b"done\n",
            b"exit x\nnone\ndone\n",
            b"exit 256\nnone\ndone\n",
        ] {
            assert_eq!(Report::parse(bytes), None, "{:?}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn files_and_folders_are_unpacked() {
        use tar::EntryType::{Directory, Regular};
        let dir = tempfile::tempdir().unwrap();
        unpack(
            &*tar_of(&[
                ("./", Directory, ""),
                ("./x", Regular, "hi"),
                ("./d/", Directory, ""),
                ("./d/y", Regular, "ho"),
            ]),
            dir.path(),
        )
        .unwrap();
        assert_eq!(fs::read_to_string(dir.path().join("x")).unwrap(), "hi");
        assert_eq!(fs::read_to_string(dir.path().join("d/y")).unwrap(), "ho");
    }

    #[test]
    fn paths_that_lead_out_are_refused() {
        for path in ["../x", "a/../../x", "/etc/x"] {
            let parent = tempfile::tempdir().unwrap();
            let dir = parent.path().join("out");
            assert!(unpack(&*tar_of(&[(path, tar::EntryType::Regular, "hi")]), &dir).is_err(), "{path}");
            assert!(!parent.path().join("x").exists());
        }
    }

    #[test]
    fn symbolic_links_are_skipped() {
        use tar::EntryType::{Regular, Symlink};
        let (dir, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let tar = tar_of(&[("a", Symlink, elsewhere.path().to_str().unwrap()), ("a/x", Regular, "hi")]);
        unpack(&*tar, dir.path()).unwrap();
        assert!(!elsewhere.path().join("x").exists());
        assert_eq!(fs::read_to_string(dir.path().join("a/x")).unwrap(), "hi");
    }
}
