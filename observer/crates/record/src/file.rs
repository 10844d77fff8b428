//! How a recording comes into being: written beside its final place and moved there when it is whole, so that what has
//! the name asked for is complete, and what was killed is still there and readable.

use std::{
    ffi::OsString,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use rustix::{
    fs::{CWD, FlockOperation, Mode, OFlags, RenameFlags},
    io::Errno,
};

/// What a recording is called while it is being written: this behind its name.
pub(super) const PARTIAL: &str = ".partial";

/// Whether a file that is in the way may be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Creation {
    /// No: refuse.
    New,
    /// A regular file may be (`--force`).
    Replace,
}

/// Why a recording cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// There is something already.
    #[error("{} exists: choose another name, or give --force to replace it", .0.display())]
    Exists(PathBuf),
    /// Something that is no regular file is in the way; it is never replaced.
    #[error("{} is no regular file: choose another name", .0.display())]
    NotAFile(PathBuf),
    /// A recorder was killed, and what it left would be overwritten.
    #[error(
        "{} exists, left by an observer that was killed (`observer report` reads it): move it away, or give --force to \
         replace it",
        .0.display()
    )]
    Leftover(PathBuf),
    /// Another recorder is at work.
    #[error("{} is being written by another observer: choose another name", .0.display())]
    Busy(PathBuf),
    /// The system refuses.
    #[error("cannot create {}: {why}", path.display())]
    Io {
        /// What.
        path: PathBuf,
        /// Why.
        why: io::Error,
    },
}

/// A file that is being written.
#[derive(Debug)]
pub struct Unfinished {
    file: File,
    partial: PathBuf,
    target: PathBuf,
    creation: Creation,
}

impl Unfinished {
    /// Creates the file, for its owner only, never through a symbolic link, never over another one.
    ///
    /// # Errors
    /// See [`CreateError`].
    pub fn create(target: &Path, creation: Creation) -> Result<Self, CreateError> {
        may_take(target, creation)?;
        let partial = beside(target);
        let file = match create(&partial) {
            Ok(file) => file,
            Err(Errno::EXIST) => {
                may_take_leftover(&partial, creation)?;
                fs::remove_file(&partial).map_err(|why| io_error(&partial, why))?;
                create(&partial).map_err(|error| io_error(&partial, error.into()))?
            }
            Err(error) => return Err(io_error(&partial, error.into())),
        };
        // Held as long as the file is open: tells a recorder at work from one that was killed.
        rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive)
            .map_err(|_| CreateError::Busy(partial.clone()))?;
        Ok(Self { file, partial, target: target.to_owned(), creation })
    }

    /// Where it is while it is being written.
    pub fn partial(&self) -> &Path {
        &self.partial
    }

    /// The file.
    pub fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Moves the file to its name. On failure it stays where it is.
    ///
    /// # Errors
    /// When the system refuses, or something has taken the name meanwhile.
    pub fn complete(self) -> io::Result<PathBuf> {
        self.file.sync_all()?;
        match self.creation {
            Creation::Replace => fs::rename(&self.partial, &self.target)?,
            Creation::New => rename_new(&self.partial, &self.target)?,
        }
        if let Some(folder) = self.target.parent() {
            let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
            // The name is only as durable as the folder; some file systems cannot sync one, and lose nothing by it.
            let _ = File::open(folder).and_then(|folder| folder.sync_all());
        }
        Ok(self.target)
    }
}

/// The name beside `target` under which it is written.
pub(super) fn beside(target: &Path) -> PathBuf {
    let mut name = OsString::from(target);
    name.push(PARTIAL);
    PathBuf::from(name)
}

fn create(path: &Path) -> Result<File, Errno> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::RDWR;
    rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR).map(File::from)
}

fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // A file system that does not know the flag: a link never replaces anything either.
        Err(Errno::INVAL | Errno::NOSYS) => fs::hard_link(from, to).and_then(|()| fs::remove_file(from)),
        result => Ok(result?),
    }
}

/// Whether the name asked for may be taken.
fn may_take(target: &Path, creation: Creation) -> Result<(), CreateError> {
    match fs::symlink_metadata(target) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(io_error(target, error)),
        Ok(found) if !found.is_file() => Err(CreateError::NotAFile(target.to_owned())),
        Ok(_) if creation == Creation::New => Err(CreateError::Exists(target.to_owned())),
        Ok(_) => Ok(()),
    }
}

/// Whether the file of a recorder before us may go.
fn may_take_leftover(partial: &Path, creation: Creation) -> Result<(), CreateError> {
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

fn io_error(path: &Path, why: io::Error) -> CreateError {
    CreateError::Io { path: path.to_owned(), why }
}
