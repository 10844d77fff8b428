//! tracefs, where it is mounted, or else mounted for this process alone.

use std::{
    fs, io,
    io::{Read as _, Write as _},
    os::fd::OwnedFd,
};

use observer_kernel::{host::mount_point, plan::NoReturnEvents};
use rustix::{
    fs::{Mode, OFlags, open, openat},
    mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen},
};

/// The list of kprobe events, which makes and removes them.
pub(crate) const EVENTS: &str = "kprobe_events";

/// The folder of tracefs.
#[derive(Debug)]
pub(crate) struct Tracefs(OwnedFd);

impl Tracefs {
    /// One in which kprobe events can be made.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn for_events() -> Result<Self, NoReturnEvents> {
        let tracefs = Self::find().map_err(|_| NoReturnEvents::NoTracefs)?;
        tracefs.open(EVENTS, OFlags::WRONLY | OFlags::APPEND).map_err(|error| refusal(&error))?;
        Ok(tracefs)
    }

    /// One that can perhaps be read only.
    ///
    /// # Errors
    /// When it is neither mounted nor can be.
    pub(crate) fn find() -> io::Result<Self> {
        // Not both: on older kernels another mount resets the options of the whole file system, read-only among them.
        mounted().or_else(|_| private()).map(Self)
    }

    /// The number by which perf knows an event, given as `group/name`.
    pub(crate) fn event_id(&self, event: &str) -> io::Result<u64> {
        self.read(&format!("events/{event}/id"))?.trim().parse().map_err(io::Error::other)
    }

    fn open(&self, path: &str, flags: OFlags) -> io::Result<fs::File> {
        Ok(openat(&self.0, path, flags | OFlags::CLOEXEC, Mode::empty())?.into())
    }

    pub(crate) fn read(&self, path: &str) -> io::Result<String> {
        let mut text = Vec::new();
        self.open(path, OFlags::RDONLY)?.read_to_end(&mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    /// Appends a line to the list of kprobe events. Without `APPEND` the kernel would first remove all others.
    pub(crate) fn write_event(&self, line: &str) -> io::Result<()> {
        self.open(EVENTS, OFlags::WRONLY | OFlags::APPEND)?.write_all(format!("{line}\n").as_bytes())
    }
}

fn mounted() -> io::Result<OwnedFd> {
    let mounts = fs::read("/proc/mounts")?;
    let place = mount_point(&mounts, "tracefs").ok_or(io::ErrorKind::NotFound)?;
    Ok(open(place.as_path(), OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)
}

/// A mount that only this process has, and that ends with it.
fn private() -> io::Result<OwnedFd> {
    let context = fsopen("tracefs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_create(&context)?;
    Ok(fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())?)
}

fn refusal(error: &io::Error) -> NoReturnEvents {
    match error.raw_os_error() {
        Some(libc::ENOENT) => NoReturnEvents::NoKprobeEvents,
        Some(libc::EROFS) => NoReturnEvents::ReadOnly,
        _ => NoReturnEvents::Denied,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_follows_from_the_error_of_the_list() {
        let reason = |number| refusal(&io::Error::from_raw_os_error(number));
        assert_eq!(reason(libc::ENOENT), NoReturnEvents::NoKprobeEvents);
        assert_eq!(reason(libc::EROFS), NoReturnEvents::ReadOnly);
        assert_eq!(reason(libc::EPERM), NoReturnEvents::Denied);
        assert_eq!(reason(libc::EACCES), NoReturnEvents::Denied);
    }

    #[test]
    fn files_are_read_and_events_appended_in_the_folder() {
        let folder = std::env::temp_dir().join(format!("observer-tracefs-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(EVENTS), "p:other/event f\n").unwrap();
        let tracefs = Tracefs(open(&folder, OFlags::PATH | OFlags::DIRECTORY, Mode::empty()).unwrap());
        tracefs.write_event("r:observer/event f").unwrap();
        assert_eq!(tracefs.read(EVENTS).unwrap(), "p:other/event f\nr:observer/event f\n");
        fs::remove_dir_all(folder).unwrap();
    }
}
