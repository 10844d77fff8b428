//! A file that is copied into a guest.

use std::{
    path::{Path, PathBuf},
    str::FromStr,
};

use anyhow::{Result, bail};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GuestFile {
    /// Path on this machine.
    pub(crate) source: PathBuf,
    /// Absolute path in the guest.
    pub(crate) target: String,
}

impl FromStr for GuestFile {
    type Err = anyhow::Error;

    /// Parses `SRC[:DST]`; DST is `/` and the name of SRC by default. A SRC whose name has a colon needs a DST.
    fn from_str(text: &str) -> Result<Self> {
        let (source, target) = match text.rsplit_once(':') {
            Some((source, target)) => (PathBuf::from(source), format!("/{}", target.trim_start_matches('/'))),
            None => {
                (PathBuf::from(text), format!("/{}", Path::new(text).file_name().unwrap_or_default().to_string_lossy()))
            }
        };
        if source.as_os_str().is_empty() || target == "/" || target.split('/').any(|part| part == "..") {
            bail!("{text:?} is not a file for the guest; write SRC or SRC:/PATH/IN/GUEST");
        }
        Ok(Self { source, target })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Option<(String, String)> {
        text.parse::<GuestFile>().ok().map(|file| (file.source.display().to_string(), file.target))
    }

    #[test]
    fn a_file_keeps_its_name_unless_a_target_is_given() {
        let pair = |source: &str, target: &str| Some((source.to_owned(), target.to_owned()));
        assert_eq!(parsed("./dir/prog"), pair("./dir/prog", "/prog"));
        assert_eq!(parsed("prog:/bin/p"), pair("prog", "/bin/p"));
        assert_eq!(parsed("prog:etc/p"), pair("prog", "/etc/p"));
    }

    #[test]
    fn incomplete_and_escaping_paths_are_refused() {
        for text in ["", ":", ":/x", "x:", "x:/", "/", "x:/../y"] {
            assert_eq!(parsed(text), None, "{text:?}");
        }
    }
}
