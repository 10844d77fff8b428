//! Reads a configuration file, if it may be trusted.

use std::{
    fs::File,
    io::{self, Read as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::Path,
};

use observer_text::{Name, line};

/// Longest file. The default one has a tenth of it.
const LONGEST: u64 = 64 << 10;

/// Write permission of the group and of others.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// Who may own a file that is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    Anyone,
    /// These users, and no other user may be able to write it.
    Owners(Vec<u32>),
}

/// Why a configuration file is not used. Nothing has been started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    #[error("cannot read the configuration file {file}: {error}; {IGNORE}")]
    Read { file: Name, error: io::Error },
    #[error("the configuration file {file} is not a regular file; {IGNORE}")]
    NotAFile { file: Name },
    #[error("the configuration file {file} is larger than {LONGEST} bytes: it is something else; {IGNORE}")]
    TooLarge { file: Name },
    #[error("the configuration file {file} is not text in UTF-8; {IGNORE}")]
    NotText { file: Name },
    #[error(
        "the configuration file {file} belongs to user {uid}, and root reads only one of the user who started observer: \
         change its owner with chown, or {IGNORE}"
    )]
    ForeignOwner { file: Name, uid: u32 },
    #[error(
        "other users can write the configuration file {file}, and could change what root is shown: use chmod go-w, or \
         {IGNORE}"
    )]
    Writable { file: Name },
    #[error("{file}, line {line}: {message}; observer config prints a valid file, {IGNORE}")]
    Wrong { file: Name, line: usize, message: String },
}

const IGNORE: &str = "--no-config ignores it";

impl ConfigError {
    /// Whether there is no such file.
    pub(super) fn is_absent(&self) -> bool {
        let absent = [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory];
        matches!(self, Self::Read { error, .. } if absent.contains(&error.kind()))
    }
}

/// A mistake in the text of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    /// Offset in the text, bytes.
    pub(super) at: usize,
    pub(super) message: String,
}

impl Wrong {
    pub(super) fn of(self, file: &Path, text: &str) -> ConfigError {
        let before = text.as_bytes().iter().take(self.at);
        let line_number = before.filter(|byte| **byte == b'\n').count() + 1;
        ConfigError::Wrong { file: Name::from(file), line: line_number, message: line(&self.message).into_owned() }
    }
}

/// The text of a file.
///
/// # Errors
/// When it cannot be read, is no text, or may not be trusted.
pub(super) fn read(path: &Path, trust: &Trust) -> Result<String, ConfigError> {
    let file = || Name::from(path);
    let failed = |error| ConfigError::Read { file: file(), error };
    // Does not wait for the other end of a pipe. What is checked is what is read: the open file.
    let opened = File::options().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path);
    let opened = opened.map_err(failed)?;
    let metadata = opened.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(ConfigError::NotAFile { file: file() });
    }
    if let Trust::Owners(owners) = trust {
        if !owners.contains(&metadata.uid()) {
            return Err(ConfigError::ForeignOwner { file: file(), uid: metadata.uid() });
        }
        if metadata.mode() & WRITABLE_BY_OTHERS != 0 {
            return Err(ConfigError::Writable { file: file() });
        }
    }
    let mut bytes = Vec::new();
    opened.take(LONGEST + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > LONGEST {
        return Err(ConfigError::TooLarge { file: file() });
    }
    String::from_utf8(bytes).map_err(|_| ConfigError::NotText { file: file() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        fs::{self, Permissions},
        os::unix::fs::PermissionsExt as _,
    };

    #[test]
    fn only_regular_short_text_is_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        let read_it = || read(&path, &Trust::Anyone);
        assert!(read_it().unwrap_err().is_absent());
        assert!(read(&path.join("below"), &Trust::Anyone).unwrap_err().is_absent());
        fs::write(&path, "mouse = true\n").unwrap();
        assert_eq!(read_it().unwrap(), "mouse = true\n");
        assert!(read(&path.join("below"), &Trust::Anyone).unwrap_err().is_absent());
        fs::write(&path, vec![b'#'; 64 << 10]).unwrap();
        assert!(read_it().is_ok());
        fs::write(&path, vec![b'#'; (64 << 10) + 1]).unwrap();
        assert!(matches!(read_it(), Err(ConfigError::TooLarge { .. })));
        fs::write(&path, b"\xff").unwrap();
        assert!(matches!(read_it(), Err(ConfigError::NotText { .. })));
        for not_a_file in ["/dev/zero", folder.path().to_str().unwrap()] {
            let error = read(Path::new(not_a_file), &Trust::Anyone).unwrap_err();
            assert!(matches!(error, ConfigError::NotAFile { .. }), "{error}");
            assert!(!error.is_absent());
        }
        fs::remove_file(&path).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RUSR).unwrap();
        assert!(matches!(read_it(), Err(ConfigError::NotAFile { .. })), "a pipe is not waited for");
    }

    #[test]
    fn root_reads_no_file_that_another_user_could_have_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        fs::write(&path, "").unwrap();
        let uid = rustix::process::getuid().as_raw();
        let set = |mode| fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        set(0o644);
        assert!(read(&path, &Trust::Owners(vec![uid + 1, uid])).is_ok());
        let foreign = read(&path, &Trust::Owners(vec![uid + 1])).unwrap_err();
        assert!(matches!(foreign, ConfigError::ForeignOwner { uid: owner, .. } if owner == uid), "{foreign}");
        for mode in [0o664, 0o646] {
            set(mode);
            let error = read(&path, &Trust::Owners(vec![uid])).unwrap_err();
            assert!(
                matches!(error, ConfigError::Writable { .. }) && error.to_string().contains("chmod go-w"),
                "{error}"
            );
            assert!(read(&path, &Trust::Anyone).is_ok(), "without privileges the user decides");
        }
    }

    #[test]
    fn a_mistake_has_its_line() {
        let text = "a\nb\nc";
        let lines =
            [0, 1, 2, 4, 99].map(|at| match (Wrong { at, message: "no\u{1b}".into() }).of(Path::new("f"), text) {
                ConfigError::Wrong { line, message, .. } => (line, message),
                other => panic!("{other}"),
            });
        assert_eq!(lines.map(|(line, _)| line), [1, 1, 2, 3, 3]);
        let error = Wrong { at: 0, message: "no\u{1b}".into() }.of(Path::new("f"), text).to_string();
        assert!(error.starts_with(r"f, line 1: no\x1b; "), "{error}");
    }
}
