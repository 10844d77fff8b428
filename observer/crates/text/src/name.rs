//! The type of a name.

use std::{
    ffi::{OsStr, OsString},
    fmt,
    os::unix::ffi::{OsStrExt as _, OsStringExt as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{escaped, unescaped};

/// A name, path or message from outside: any bytes. `Display` and `Serialize` escape it, so it cannot be printed raw by
/// accident; `Deserialize` gives the bytes back.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Vec<u8>);

impl Name {
    /// The raw bytes: to compare, to open a file. Not to be printed.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub fn as_path(&self) -> &Path {
        Path::new(OsStr::from_bytes(&self.0))
    }

    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What follows the last slash.
    #[must_use]
    pub fn last_component(&self) -> Self {
        Self(self.0.rsplit(|byte| *byte == b'/').next().unwrap_or_default().to_owned())
    }

    #[must_use]
    pub fn without_suffix(&self, suffix: &str) -> Self {
        Self(self.0.strip_suffix(suffix.as_bytes()).unwrap_or(&self.0).to_owned())
    }

    #[must_use]
    pub fn without_prefix(&self, prefix: &str) -> Self {
        Self(self.0.strip_prefix(prefix.as_bytes()).unwrap_or(&self.0).to_owned())
    }
}

/// Names in one, separated.
pub fn joined<'a>(names: impl IntoIterator<Item = &'a Name>, separator: &str) -> Name {
    let names: Vec<&[u8]> = names.into_iter().map(Name::as_bytes).collect();
    Name(names.join(separator.as_bytes()))
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&escaped(&self.0))
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&escaped(&self.0))
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(unescaped(&text)))
    }
}

impl From<&[u8]> for Name {
    fn from(name: &[u8]) -> Self {
        Self(name.to_owned())
    }
}

impl From<Vec<u8>> for Name {
    fn from(name: Vec<u8>) -> Self {
        Self(name)
    }
}

impl From<&str> for Name {
    fn from(name: &str) -> Self {
        name.as_bytes().into()
    }
}

impl From<String> for Name {
    fn from(name: String) -> Self {
        Self(name.into_bytes())
    }
}

impl From<&OsStr> for Name {
    fn from(name: &OsStr) -> Self {
        name.as_bytes().into()
    }
}

impl From<OsString> for Name {
    fn from(name: OsString) -> Self {
        Self(name.into_vec())
    }
}

impl From<&Path> for Name {
    fn from(path: &Path) -> Self {
        path.as_os_str().into()
    }
}

impl From<&PathBuf> for Name {
    fn from(path: &PathBuf) -> Self {
        path.as_os_str().into()
    }
}

impl PartialEq<str> for Name {
    fn eq(&self, other: &str) -> bool {
        self.0 == other.as_bytes()
    }
}

impl PartialEq<&str> for Name {
    fn eq(&self, other: &&str) -> bool {
        self.0 == other.as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_printed_padded_and_serialized_with_escapes() {
        let name = Name::from(&b"a\x1b\xff"[..]);
        assert_eq!(format!("[{name:>10}] {name:?}"), r#"[ a\x1b\xff] "a\x1b\xff""#);
        let json = serde_json::to_string(&name).unwrap();
        assert_eq!(json, r#""a\\x1b\\xff""#);
        assert_eq!(serde_json::from_str::<Name>(&json).unwrap(), name);
    }

    #[test]
    fn names_of_older_recordings_are_raw_text() {
        assert_eq!(serde_json::from_str::<Name>(r#""a\u001bb""#).unwrap().as_bytes(), b"a\x1bb");
    }

    #[test]
    fn parts_of_paths() {
        assert_eq!(Name::from("/dev/mapper/x").last_component(), "x");
        assert_eq!(Name::from("x").last_component(), "x");
        assert_eq!(Name::from("/dev/zram0").without_prefix("/dev/"), "zram0");
        assert_eq!(Name::from("/swap").without_prefix("/dev/"), "/swap");
        assert_eq!(joined(&["a".into(), "b".into()], ", "), "a, b");
    }
}
