//! The swap header that `mkswap` writes into the first page. Its UUID identifies the device of a run.

use crate::{Result, WorkloadError};

const MAGIC: &[u8; 10] = b"SWAPSPACE2";
/// The first 1024 bytes are reserved for boot loaders.
const VERSION_AT: usize = 1024;
const UUID_AT: usize = VERSION_AT + 12;
const LABEL_AT: usize = UUID_AT + 16;
const LABEL: &[u8; 15] = b"observer-stress";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Uuid([u8; 16]);

impl Uuid {
    /// A new random one from the kernel.
    pub(super) fn random() -> Result<Self> {
        let path = "/proc/sys/kernel/random/uuid";
        let text = std::fs::read_to_string(path).map_err(|e| WorkloadError::io(format!("read {path}"), e))?;
        Self::parse(text.trim()).ok_or_else(|| WorkloadError::format(path, &text))
    }

    /// Parses 32 hexadecimal digits, with or without dashes.
    fn parse(text: &str) -> Option<Self> {
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

/// The first page of a version 1 swap area. `last_page` is its last page, where the header is page 0. `page_size` is in
/// bytes, at least 2048.
pub(super) fn swap_header(page_size: usize, last_page: u32, uuid: Uuid) -> Vec<u8> {
    let mut page = vec![0; page_size];
    // Version, last page, number of bad pages, in native byte order.
    put(&mut page, VERSION_AT, &1_u32.to_ne_bytes());
    put(&mut page, VERSION_AT + 4, &last_page.to_ne_bytes());
    put(&mut page, VERSION_AT + 8, &0_u32.to_ne_bytes());
    put(&mut page, UUID_AT, &uuid.0);
    put(&mut page, LABEL_AT, LABEL);
    put(&mut page, page_size.saturating_sub(MAGIC.len()), MAGIC);
    page
}

/// The UUID in a first page; `None`: the page is no swap header.
pub(super) fn read_uuid(page: &[u8]) -> Option<Uuid> {
    if !page.ends_with(MAGIC) {
        return None;
    }
    let bytes = page.get(UUID_AT..LABEL_AT)?;
    bytes.try_into().ok().map(Uuid)
}

fn put(page: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(target) = page.get_mut(at..at + bytes.len()) {
        target.copy_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "01234567-89ab-cdef-0011-223344556677";

    #[test]
    fn a_uuid_is_printed_in_the_form_that_is_parsed() {
        assert_eq!(Uuid::parse(TEXT).unwrap().to_string(), TEXT);
    }

    #[test]
    fn invalid_uuids_are_rejected() {
        for text in ["", "0123", "g1234567-89ab-cdef-0011-223344556677", "01234567-89ab-cdef-0011-22334455667788"] {
            assert_eq!(Uuid::parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_header_has_the_kernel_s_layout() {
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
    fn the_uuid_is_read_back_from_a_header() {
        let uuid = Uuid::parse(TEXT).unwrap();
        assert_eq!(read_uuid(&swap_header(4096, 79, uuid)), Some(uuid));
        assert_eq!(read_uuid(&[0; 4096]), None);
        assert_eq!(read_uuid(b"SWAPSPACE2"), None);
    }
}
