//! Whose file is read, and who may have written it.

use std::{
    ffi::{OsStr, OsString},
    fs,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use super::read::Trust;

/// Who runs the program: by the environment and the effective user.
#[derive(Clone, Debug, Default)]
pub(super) struct Person {
    effective_uid: u32,
    /// `SUDO_UID`, if it is that of another user than root.
    invoking_uid: Option<u32>,
    /// The home folder of the invoking user.
    invoking_home: Option<PathBuf>,
    home: Option<PathBuf>,
    xdg_config_home: Option<PathBuf>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Location {
    pub(crate) path: PathBuf,
    pub(super) trust: Trust,
}

impl Person {
    pub(super) fn new() -> Self {
        let get = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        // Relative paths are ignored, as the base directory specification requires.
        let folder = |value: Option<OsString>| value.map(PathBuf::from).filter(|path| path.is_absolute());
        let effective_uid = rustix::process::geteuid().as_raw();
        let invoking_uid =
            get("SUDO_UID").and_then(|uid| uid.to_str()?.parse().ok()).filter(|uid| effective_uid == 0 && *uid != 0);
        let account = invoking_uid.and_then(|uid| home_of(&fs::read("/etc/passwd").ok()?, uid));
        Self {
            effective_uid,
            invoking_uid,
            invoking_home: folder(get("SUDO_HOME")).or(account),
            home: folder(get("HOME")),
            xdg_config_home: folder(get("XDG_CONFIG_HOME")),
        }
    }

    /// The file that is read by default.
    pub(super) fn location(&self) -> Option<Location> {
        let home = if self.invoking_uid.is_some() { &self.invoking_home } else { &self.home };
        let folder = self.xdg_config_home.clone().or_else(|| Some(home.as_ref()?.join(".config")))?;
        let owner = self.invoking_uid.unwrap_or(0);
        Some(Location { path: folder.join("observer/config.toml"), trust: self.trust(&[owner]) })
    }

    /// Of a file that the command line names.
    pub(super) fn trust_of_named(&self) -> Trust {
        self.trust(&[0, self.invoking_uid.unwrap_or(0)])
    }

    /// A user without privileges can only be shown what that user can read.
    fn trust(&self, owners: &[u32]) -> Trust {
        if self.effective_uid == 0 { Trust::Owners(owners.to_vec()) } else { Trust::Anyone }
    }
}

/// The home folder of a user in the text of `/etc/passwd`.
fn home_of(accounts: &[u8], uid: u32) -> Option<PathBuf> {
    let uid = uid.to_string();
    accounts.split(|byte| *byte == b'\n').find_map(|line| {
        let mut fields = line.split(|byte| *byte == b':');
        (fields.nth(2)? == uid.as_bytes()).then_some(())?;
        let home = Path::new(OsStr::from_bytes(fields.nth(2)?));
        home.is_absolute().then(|| home.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(person: &Person) -> Option<String> {
        Some(person.location()?.path.to_str().unwrap().to_owned())
    }

    #[test]
    fn the_file_is_in_the_configuration_folder_of_the_user() {
        let user = Person { effective_uid: 1000, home: Some("/home/ada".into()), ..Person::default() };
        assert_eq!(path(&user).as_deref(), Some("/home/ada/.config/observer/config.toml"));
        assert_eq!(user.location().unwrap().trust, Trust::Anyone);
        let elsewhere = Person { xdg_config_home: Some("/data/ada".into()), ..user };
        assert_eq!(path(&elsewhere).as_deref(), Some("/data/ada/observer/config.toml"));
        assert_eq!(path(&Person::default()), None, "a service without HOME has no file");
    }

    #[test]
    fn under_sudo_it_is_the_file_of_the_invoking_user() {
        let root = Person { home: Some("/root".into()), ..Person::default() };
        assert_eq!(path(&root).as_deref(), Some("/root/.config/observer/config.toml"));
        assert_eq!(root.location().unwrap().trust, Trust::Owners(vec![0]));
        let sudo = Person { invoking_uid: Some(1000), invoking_home: Some("/home/ada".into()), ..root };
        assert_eq!(path(&sudo).as_deref(), Some("/home/ada/.config/observer/config.toml"));
        assert_eq!(sudo.location().unwrap().trust, Trust::Owners(vec![1000]), "a link to a file of root is not read");
        assert_eq!(sudo.trust_of_named(), Trust::Owners(vec![0, 1000]));
        let unknown = Person { invoking_home: None, ..sudo };
        assert_eq!(path(&unknown), None, "not the file of root instead");
    }

    #[test]
    fn home_folders_are_found_by_number() {
        let accounts =
            b"root:x:0:0:root:/root:/bin/sh\nada:x:1000:1000:Ada,,,:/home/ada:/bin/sh\nx:x:10:10:::\nshort:x:7\n";
        assert_eq!(home_of(accounts, 1000), Some("/home/ada".into()));
        assert_eq!([100, 10, 7].map(|uid| home_of(accounts, uid)), [None, None, None]);
    }
}
