//! The swap header: what `mkswap` writes into the first page, and how a device is recognised as one's own.

use super::{Result, StressError};

const MAGIC: &[u8; 10] = b"SWAPSPACE2";
/// The header's fields follow 1024 bytes that are left to boot loaders.
const VERSION_AT: usize = 1024;
const UUID_AT: usize = VERSION_AT + 12;
const LABEL_AT: usize = UUID_AT + 16;
const LABEL: &[u8; 15] = b"observer-stress";

/// The identity of a swap area.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Uuid([u8; 16]);

impl Uuid {
    /// A fresh random one, from the kernel.
    pub(super) fn random() -> Result<Self> {
        let path = "/proc/sys/kernel/random/uuid";
        let text = std::fs::read_to_string(path).map_err(|e| StressError::io(format!("read {path}"), e))?;
        Self::parse(text.trim()).ok_or_else(|| StressError::format(path, &text))
    }

    /// Reads the usual form, 32 hexadecimal digits with or without dashes.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let digits: Vec<u32> = text.chars().filter(|c| *c != '-').map(|c| c.to_digit(16)).collect::<Option<_>>()?;
        let mut bytes = [0; 16];
        if digits.len() != bytes.len() * 2 {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
            let value = pair.iter().fold(0, |sum, digit| sum * 16 + digit);
            *byte = u8::try_from(value).ok()?;
        }
        Some(Self(bytes))
    }
}

impl std::fmt::Display for Uuid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            if matches!(index, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

/// The first page of a swap area of version 1 whose last page is `last_page`, counted from the header as page 0.
/// `page_size` is in bytes, at least 2048.
pub(super) fn swap_header(page_size: usize, last_page: u32, uuid: Uuid) -> Vec<u8> {
    let mut page = vec![0; page_size];
    // Version, last page, number of bad pages: in the byte order of the kernel that will read them.
    put(&mut page, VERSION_AT, &1_u32.to_ne_bytes());
    put(&mut page, VERSION_AT + 4, &last_page.to_ne_bytes());
    put(&mut page, VERSION_AT + 8, &0_u32.to_ne_bytes());
    put(&mut page, UUID_AT, &uuid.0);
    put(&mut page, LABEL_AT, LABEL);
    put(&mut page, page_size.saturating_sub(MAGIC.len()), MAGIC);
    page
}

/// The identity in a first page, if that page is a swap header.
pub(super) fn read_uuid(page: &[u8]) -> Option<Uuid> {
    if !page.ends_with(MAGIC) {
        return None;
    }
    let bytes = page.get(UUID_AT..LABEL_AT)?;
    bytes.try_into().ok().map(Uuid)
}

fn put(page: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(place) = page.get_mut(at..at + bytes.len()) {
        place.copy_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "01234567-89ab-cdef-0011-223344556677";

    #[test]
    fn a_uuid_prints_as_it_was_read() {
        assert_eq!(Uuid::parse(TEXT).unwrap().to_string(), TEXT);
    }

    #[test]
    fn nonsense_is_no_uuid() {
        for text in ["", "0123", "g1234567-89ab-cdef-0011-223344556677", "01234567-89ab-cdef-0011-22334455667788"] {
            assert_eq!(Uuid::parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_kernel_gives_a_different_one_each_time() {
        assert_ne!(Uuid::random().unwrap(), Uuid::random().unwrap());
    }

    #[test]
    fn the_header_is_where_the_kernel_looks_for_it() {
        for size in [4096, 65536] {
            let page = swap_header(size, 79, Uuid::parse(TEXT).unwrap());
            assert_eq!(page.len(), size);
            assert_eq!(&page[size - 10..], MAGIC);
            assert_eq!(page[1024..1028], 1_u32.to_ne_bytes());
            assert_eq!(page[1028..1032], 79_u32.to_ne_bytes());
            assert_eq!(page[1032..1036], 0_u32.to_ne_bytes());
            assert_eq!(page[1036..1038], [0x01, 0x23]);
            assert_eq!(&page[1052..1067], LABEL);
        }
    }

    #[test]
    fn a_device_is_recognised_by_its_uuid() {
        let uuid = Uuid::parse(TEXT).unwrap();
        assert_eq!(read_uuid(&swap_header(4096, 79, uuid)), Some(uuid));
        assert_eq!(read_uuid(&[0; 4096]), None);
        assert_eq!(read_uuid(b"SWAPSPACE2"), None);
    }
}
