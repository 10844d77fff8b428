//! What a guest says at its end, on its fourth serial port: `exit CODE`, how /out comes back (`none`, `disk`, or `serial`
//! and the tar itself), `done`.

use std::{
    fs,
    io::Read,
    path::{Component, Path, PathBuf},
};

use anyhow::{Context, Result, bail};

/// A complete report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Report<'a> {
    /// The exit code of the guest's command.
    pub(super) code: u8,
    /// Where the tar of /out is.
    pub(super) out: Out<'a>,
}

/// How /out comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Out<'a> {
    /// Not at all: nobody asked for it.
    None,
    /// As the content of the guest's disk.
    Disk,
    /// Here.
    Serial(&'a [u8]),
}

impl<'a> Report<'a> {
    /// None while the report is incomplete, which means that the guest died before its end.
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

/// The first line, and what follows it.
fn line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (line, rest) = bytes.split_at_checked(bytes.iter().position(|byte| *byte == b'\n')?)?;
    Some((line, rest.get(1..)?))
}

/// Unpacks the tar of /out into `dir`. Only files and folders inside it are made: a guest must not write elsewhere.
pub(super) fn unpack(tar: impl Read, dir: &Path) -> Result<()> {
    fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let mut archive = tar::Archive::new(tar);
    for entry in archive.entries().context("cannot read what the guest left in /out")? {
        let mut entry = entry.context("what the guest left in /out is damaged; run it again")?;
        let path = safe_path(&entry.path().context("a name in the guest's /out is unreadable")?)?;
        let kind = entry.header().entry_type();
        if path.as_os_str().is_empty() {
            continue;
        }
        if !kind.is_file() && !kind.is_dir() {
            eprintln!("left out of /out: {} is neither a file nor a folder", path.display());
            continue;
        }
        let unpacked = entry.unpack_in(dir).with_context(|| format!("cannot write {}", dir.join(&path).display()))?;
        if !unpacked {
            bail!(
                "the guest's /out holds {}, which leads out of {}; nothing more was unpacked",
                path.display(),
                dir.display()
            );
        }
    }
    Ok(())
}

/// `path` without `.` components; refused if it is absolute or goes up.
fn safe_path(path: &Path) -> Result<PathBuf> {
    let mut safe = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::Normal(name) => safe.push(name),
            _ => bail!("the guest's /out holds the path {}, which leads out of it; refusing to unpack", path.display()),
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
            // Past the builder's own check of names.
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

    fn folder(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("xtask-report-{}-{name}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        dir
    }

    #[test]
    fn a_complete_report_is_read() {
        assert_eq!(Report::parse(b"exit 7\nnone\ndone\n"), Some(Report { code: 7, out: Out::None }));
        assert_eq!(Report::parse(b"exit 255\ndisk\ndone\n"), Some(Report { code: 255, out: Out::Disk }));
        assert_eq!(Report::parse(b"exit 0\nserial\nTAR\0done\n"), Some(Report { code: 0, out: Out::Serial(b"TAR\0") }));
    }

    #[test]
    fn an_incomplete_report_is_none() {
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
    fn files_and_folders_come_out() {
        use tar::EntryType::{Directory, Regular};
        let dir = folder("plain");
        unpack(
            &*tar_of(&[
                ("./", Directory, ""),
                ("./x", Regular, "hi"),
                ("./d/", Directory, ""),
                ("./d/y", Regular, "ho"),
            ]),
            &dir,
        )
        .unwrap();
        assert_eq!(fs::read_to_string(dir.join("x")).unwrap(), "hi");
        assert_eq!(fs::read_to_string(dir.join("d/y")).unwrap(), "ho");
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn paths_that_lead_out_are_refused() {
        for path in ["../x", "a/../../x", "/etc/x"] {
            let dir = folder("out");
            assert!(unpack(&*tar_of(&[(path, tar::EntryType::Regular, "hi")]), &dir).is_err(), "{path}");
            assert!(!dir.join("../x").exists());
            fs::remove_dir_all(dir).unwrap();
        }
    }

    #[test]
    fn a_link_is_not_made_and_so_cannot_be_followed() {
        use tar::EntryType::{Regular, Symlink};
        let (dir, elsewhere) = (folder("link"), folder("elsewhere"));
        let tar = tar_of(&[("a", Symlink, elsewhere.to_str().unwrap()), ("a/x", Regular, "hi")]);
        unpack(&*tar, &dir).unwrap();
        assert!(!elsewhere.join("x").exists());
        assert_eq!(fs::read_to_string(dir.join("a/x")).unwrap(), "hi");
        fs::remove_dir_all(dir).unwrap();
        fs::remove_dir_all(elsewhere).unwrap();
    }
}
