//! A task's command, inline: an event must cost no allocation.

use std::{fmt, ops::Deref};

use serde::{Serialize, Serializer};

/// A command as the kernel keeps it: at most 15 bytes. What is not UTF-8 in it reads `?`, byte for byte.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Comm {
    /// Valid UTF-8 up to the first zero, and zeros from there on.
    bytes: [u8; Self::ROOM],
}

impl Comm {
    /// `TASK_COMM_LEN`, the final zero included.
    const ROOM: usize = 16;

    /// Of bytes that end at the first zero; what is beyond 15 is cut off, as the kernel does.
    pub fn from_bytes(comm: &[u8]) -> Self {
        let comm = comm.split(|byte| *byte == 0).next().unwrap_or_default();
        let comm = comm.get(..comm.len().min(Self::ROOM - 1)).unwrap_or_default();
        let mut bytes = [0; Self::ROOM];
        let mut to = bytes.iter_mut();
        for chunk in comm.utf8_chunks() {
            let readable = chunk.valid().bytes().chain(chunk.invalid().iter().map(|_| b'?'));
            readable.zip(to.by_ref()).for_each(|(byte, to)| *to = byte);
        }
        Self { bytes }
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        let len = self.bytes.iter().position(|byte| *byte == 0).unwrap_or(Self::ROOM);
        self.bytes.get(..len).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
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
    fn what_goes_in_comes_out_up_to_fifteen_bytes() {
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
    fn what_is_no_text_is_marked_byte_for_byte() {
        assert_eq!(Comm::from_bytes(b"a\xff\xfeb"), "a??b");
        // Cut in the middle of a character.
        assert_eq!(Comm::from_bytes("fourteen-bytes\u{fc}".as_bytes()), "fourteen-bytes?");
    }

    #[test]
    fn prints_pads_and_serialises_as_text() {
        let comm = Comm::from("main");
        assert_eq!(format!("[{comm:>6}] {comm:?}"), "[  main] \"main\"");
        assert_eq!(serde_json::to_string(&comm).unwrap(), "\"main\"");
    }
}
