//! A task's command, stored inline so that an event needs no allocation.

use std::fmt;

use observer_text::{escaped, unescaped};
use serde::{Serialize, Serializer};

/// A command as the kernel stores it: at most 15 bytes, of any kind. Printed and serialized with escapes.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Comm {
    /// Zeros after the command.
    bytes: [u8; Self::LEN],
}

impl Comm {
    /// `TASK_COMM_LEN`, including the final zero.
    const LEN: usize = 16;

    /// Converts bytes up to the first zero, at most 15.
    pub fn from_bytes(comm: &[u8]) -> Self {
        let comm = comm.split(|byte| *byte == 0).next().unwrap_or_default();
        let mut bytes = [0; Self::LEN];
        bytes.iter_mut().take(Self::LEN - 1).zip(comm).for_each(|(to, byte)| *to = *byte);
        Self { bytes }
    }

    /// The raw bytes, not to be printed.
    pub fn as_bytes(&self) -> &[u8] {
        let len = self.bytes.iter().position(|byte| *byte == 0).unwrap_or(Self::LEN);
        self.bytes.get(..len).unwrap_or_default()
    }

    /// The command that was printed as this text.
    pub fn from_escaped(text: &str) -> Self {
        Self::from_bytes(&unescaped(text))
    }
}

impl From<&str> for Comm {
    fn from(comm: &str) -> Self {
        Self::from_bytes(comm.as_bytes())
    }
}

impl From<String> for Comm {
    fn from(comm: String) -> Self {
        comm.as_str().into()
    }
}

impl PartialEq<str> for Comm {
    fn eq(&self, other: &str) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl PartialEq<&str> for Comm {
    fn eq(&self, other: &&str) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl fmt::Display for Comm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&escaped(self.as_bytes()))
    }
}

impl fmt::Debug for Comm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

impl Serialize for Comm {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&escaped(self.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_ends_at_the_first_zero_or_after_fifteen_bytes() {
        for (bytes, text) in [
            (&b""[..], ""),
            (b"victim\0\0garbage", "victim"),
            (b"exactly-15-byte", "exactly-15-byte"),
            (b"more-than-15-bytes", "more-than-15-by"),
            ("gr\u{fc}n".as_bytes(), "gr\u{fc}n"),
        ] {
            assert_eq!(Comm::from_bytes(bytes), text);
        }
    }

    #[test]
    fn every_byte_is_kept_and_escaped_where_it_is_printed() {
        assert_eq!(Comm::from_bytes(b"a\xff\xfeb\x1b]").to_string(), r"a\xff\xfeb\x1b]");
        // Cut in the middle of a character.
        assert_eq!(Comm::from_bytes("fourteen-bytes\u{fc}".as_bytes()).to_string(), r"fourteen-bytes\xc3");
        let longest = Comm::from_bytes(&[0xff; 15]);
        assert_eq!(Comm::from_escaped(&longest.to_string()), longest);
        assert_ne!(Comm::from_bytes(b"a\xff"), Comm::from_bytes(b"a\xfe"));
    }

    #[test]
    fn a_command_is_printed_padded_and_serialized_as_text() {
        let comm = Comm::from("main");
        assert_eq!(format!("[{comm:>6}] {comm:?}"), "[  main] \"main\"");
        assert_eq!(serde_json::to_string(&comm).unwrap(), "\"main\"");
        assert_eq!(serde_json::to_string(&Comm::from("a\x1b")).unwrap(), r#""a\\x1b""#);
    }
}
