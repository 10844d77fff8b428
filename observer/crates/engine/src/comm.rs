//! A task's command, stored inline so that an event needs no allocation.

use std::{fmt, ops::Deref, str};

use serde::{Serialize, Serializer};

/// A command as the kernel stores it, at most 15 bytes. Each byte that is not part of valid UTF-8 is replaced with `?`.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Comm {
    /// Valid UTF-8 up to the first zero, and zeros from there on.
    bytes: [u8; Self::LEN],
}

impl Comm {
    /// `TASK_COMM_LEN`, including the final zero.
    const LEN: usize = 16;

    /// Converts bytes up to the first zero, at most 15.
    pub fn from_bytes(comm: &[u8]) -> Self {
        let comm = comm.split(|byte| *byte == 0).next().unwrap_or_default();
        let comm = comm.get(..comm.len().min(Self::LEN - 1)).unwrap_or_default();
        let mut bytes = [0; Self::LEN];
        let mut to = bytes.iter_mut();
        for chunk in comm.utf8_chunks() {
            let readable = chunk.valid().bytes().chain(chunk.invalid().iter().map(|_| b'?'));
            readable.zip(to.by_ref()).for_each(|(byte, to)| *to = byte);
        }
        Self { bytes }
    }

    pub fn as_str(&self) -> &str {
        let len = self.bytes.iter().position(|byte| *byte == 0).unwrap_or(Self::LEN);
        self.bytes.get(..len).and_then(|bytes| str::from_utf8(bytes).ok()).unwrap_or_default()
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

impl Deref for Comm {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for Comm {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl PartialEq<str> for Comm {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Comm {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl fmt::Display for Comm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Comm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl Serialize for Comm {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
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
            assert_eq!(Comm::from_bytes(bytes).as_str(), text);
        }
    }

    #[test]
    fn invalid_utf8_is_replaced_byte_by_byte() {
        assert_eq!(Comm::from_bytes(b"a\xff\xfeb"), "a??b");
        // Cut in the middle of a character.
        assert_eq!(Comm::from_bytes("fourteen-bytes\u{fc}".as_bytes()), "fourteen-bytes?");
    }

    #[test]
    fn a_command_is_printed_padded_and_serialized_as_text() {
        let comm = Comm::from("main");
        assert_eq!(format!("[{comm:>6}] {comm:?}"), "[  main] \"main\"");
        assert_eq!(serde_json::to_string(&comm).unwrap(), "\"main\"");
    }
}
