//! Atomic creation of files. A file is written as `NAME.partial` and renamed to `NAME` when it is complete, so `NAME`
//! is always a complete file, and a file whose writer was killed is kept and readable.

use std::{
    ffi::OsString,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use observer_text::Name;
use rustix::{
    fs::{CWD, FlockOperation, Mode, OFlags, RenameFlags},
    io::Errno,
};

/// Whether an existing file may be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Creation {
    New,
    /// A regular file may be replaced (`--force`).
    Replace,
}

/// Why a file cannot be created.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    #[error("{} exists: choose another name, or use --force to replace it", Name::from(.0))]
    Exists(PathBuf),
    /// Only regular files are ever replaced.
    #[error("{} is not a regular file: choose another name", Name::from(.0))]
    NotAFile(PathBuf),
    #[error(
        "{} was left by an observer that was killed: move it away (if it is a recording, `observer report` reads it), \
         or use --force to replace it",
        Name::from(.0)
    )]
    Leftover(PathBuf),
    #[error("{} is being written by another observer: choose another name", Name::from(.0))]
    Busy(PathBuf),
    #[error("cannot create {}", Name::from(path))]
    Io { path: PathBuf, source: io::Error },
}

/// A file that is being written under a temporary name.
#[derive(Debug)]
pub struct PartialFile {
    file: File,
    partial: PathBuf,
    target: PathBuf,
    creation: Creation,
}

impl PartialFile {
    /// Creates the file with mode 0600, never through a symbolic link.
    pub fn create(target: &Path, creation: Creation) -> Result<Self, CreateError> {
        check_target(target, creation)?;
        let partial = partial_path(target);
        let file = match open_new(&partial) {
            Ok(file) => file,
            Err(Errno::EXIST) => {
                check_leftover(&partial, creation)?;
                fs::remove_file(&partial).map_err(|error| io_error(&partial, error))?;
                open_new(&partial).map_err(|error| io_error(&partial, error.into()))?
            }
            Err(error) => return Err(io_error(&partial, error.into())),
        };
        // Held as long as the file is open. A leftover without the lock is from a writer that was killed.
        rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive)
            .map_err(|_| CreateError::Busy(partial.clone()))?;
        Ok(Self { file, partial, target: target.to_owned(), creation })
    }

    /// The temporary name.
    pub fn path(&self) -> &Path {
        &self.partial
    }

    pub fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Renames the file to its final name and returns that. On failure it keeps the temporary name; one reason is that
    /// a file of the final name has appeared meanwhile.
    pub fn complete(self) -> io::Result<PathBuf> {
        self.file.sync_all()?;
        match self.creation {
            Creation::Replace => fs::rename(&self.partial, &self.target)?,
            Creation::New => rename_new(&self.partial, &self.target)?,
        }
        if let Some(folder) = self.target.parent() {
            let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
            // The name is only as durable as the folder. Some file systems cannot sync a folder; the file is complete
            // there all the same.
            let _ = File::open(folder).and_then(|folder| folder.sync_all());
        }
        Ok(self.target)
    }
}

/// The temporary name of a file.
pub(crate) fn partial_path(target: &Path) -> PathBuf {
    let mut name = OsString::from(target);
    name.push(".partial");
    PathBuf::from(name)
}

fn open_new(path: &Path) -> Result<File, Errno> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::RDWR;
    rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR).map(File::from)
}

fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // The file system does not support the flag. A hard link never replaces a file either.
        Err(Errno::INVAL | Errno::NOSYS) => fs::hard_link(from, to).and_then(|()| fs::remove_file(from)),
        result => Ok(result?),
    }
}

fn check_target(target: &Path, creation: Creation) -> Result<(), CreateError> {
    match fs::symlink_metadata(target) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(io_error(target, error)),
        Ok(found) if !found.is_file() => Err(CreateError::NotAFile(target.to_owned())),
        Ok(_) if creation == Creation::New => Err(CreateError::Exists(target.to_owned())),
        Ok(_) => Ok(()),
    }
}

/// Whether the partial file of an earlier writer may be removed.
fn check_leftover(partial: &Path, creation: Creation) -> Result<(), CreateError> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = rustix::fs::open(partial, flags, Mode::empty()).map(File::from);
    let file = file.map_err(|_| CreateError::NotAFile(partial.to_owned()))?;
    if !file.metadata().is_ok_and(|found| found.is_file()) {
        return Err(CreateError::NotAFile(partial.to_owned()));
    }
    if rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        return Err(CreateError::Busy(partial.to_owned()));
    }
    match creation {
        Creation::New => Err(CreateError::Leftover(partial.to_owned())),
        Creation::Replace => Ok(()),
    }
}

fn io_error(path: &Path, source: io::Error) -> CreateError {
    CreateError::Io { path: path.to_owned(), source }
}
