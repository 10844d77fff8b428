//! Error numbers by their names.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::codes::UnknownCode;

/// An error number of a system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Errno(pub i32);

/// `ENOTSUPP`, which the kernel returns from `bpf` although it is none of user space's numbers.
const ENOTSUPP: i32 = 524;

/// Those that loading and attaching programs can return.
const NAMES: [(i32, &str); 13] = [
    (libc::EPERM, "EPERM"),
    (libc::ENOENT, "ENOENT"),
    (libc::E2BIG, "E2BIG"),
    (libc::EAGAIN, "EAGAIN"),
    (libc::ENOMEM, "ENOMEM"),
    (libc::EACCES, "EACCES"),
    (libc::EBUSY, "EBUSY"),
    (libc::EEXIST, "EEXIST"),
    (libc::EINVAL, "EINVAL"),
    (libc::ENOSPC, "ENOSPC"),
    (libc::ENOSYS, "ENOSYS"),
    (libc::EOPNOTSUPP, "EOPNOTSUPP"),
    (ENOTSUPP, "ENOTSUPP"),
];

impl Errno {
    /// `EPERM`.
    pub const PERM: Self = Self(libc::EPERM);
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.iter().find(|(number, _)| *number == self.0) {
            Some((_, name)) => f.write_str(name),
            None => write!(f, "errno {}", self.0),
        }
    }
}

impl FromStr for Errno {
    type Err = UnknownCode;

    fn from_str(text: &str) -> Result<Self, UnknownCode> {
        let named = NAMES.iter().find(|(_, name)| *name == text).map(|(number, _)| *number);
        let number = named.or_else(|| text.strip_prefix("errno ")?.parse().ok());
        number.map(Self).ok_or_else(|| UnknownCode(text.to_owned()))
    }
}

impl Serialize for Errno {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Errno {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_names_and_come_back() {
        assert_eq!(Errno(libc::EINVAL).to_string(), "EINVAL");
        assert_eq!(Errno(524).to_string(), "ENOTSUPP");
        for errno in [Errno::PERM, Errno(524), Errno(71)] {
            assert_eq!(errno.to_string().parse(), Ok(errno));
        }
        assert!("EWHAT".parse::<Errno>().is_err());
    }
}
