//! Numbers of variable length (LEB128): seven bits per byte, lowest first, the top bit set in all bytes but the last.

pub(crate) fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(low_bits(value) | 0x80);
        value >>= 7;
    }
    out.push(low_bits(value));
}

/// Appends a signed number, zigzag encoded: small numbers of either sign are short.
pub(crate) fn put_signed(out: &mut Vec<u8>, value: i64) {
    put(out, ((value << 1) ^ (value >> 63)).cast_unsigned());
}

/// Appends the difference `value - from`.
pub(crate) fn put_delta(out: &mut Vec<u8>, value: u64, from: u64) {
    put_signed(out, value.wrapping_sub(from).cast_signed());
}

/// Appends a length and that many bytes.
pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn low_bits(value: u64) -> u8 {
    u8::try_from(value & 0x7f).unwrap_or(0)
}

/// Reads from the front of a slice. `None`: the slice ends too early, or the number is out of range.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        self.0
    }

    pub(crate) fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    pub(crate) fn number(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return None;
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    pub(crate) fn word(&mut self) -> Option<u32> {
        u32::try_from(self.number()?).ok()
    }

    pub(crate) fn signed(&mut self) -> Option<i64> {
        let coded = self.number()?;
        Some((coded >> 1).cast_signed() ^ -(coded & 1).cast_signed())
    }

    pub(crate) fn delta(&mut self, from: u64) -> Option<u64> {
        Some(from.wrapping_add(self.signed()?.cast_unsigned()))
    }

    pub(crate) fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = usize::try_from(self.number()?).ok()?;
        let (bytes, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        for value in [0, 1, 127, 128, 300, u64::from(u32::MAX), 1 << 63, u64::MAX] {
            let mut out = Vec::new();
            put(&mut out, value);
            put_signed(&mut out, value.cast_signed());
            put_delta(&mut out, value, 77);
            let mut input = Input::new(&out);
            assert_eq!(input.number(), Some(value));
            assert_eq!(input.signed(), Some(value.cast_signed()));
            assert_eq!(input.delta(77), Some(value));
            assert!(input.is_empty());
        }
    }

    #[test]
    fn small_differences_are_one_byte() {
        for value in [-64, -1, 0, 1, 63] {
            let mut out = Vec::new();
            put_signed(&mut out, value);
            assert_eq!(out.len(), 1, "{value}");
        }
    }

    #[test]
    fn invalid_numbers_are_refused() {
        assert_eq!(Input::new(&[]).number(), None);
        assert_eq!(Input::new(&[0x80]).number(), None);
        assert_eq!(Input::new(&[0xff; 11]).number(), None);
        assert_eq!(Input::new(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02]).number(), None);
        assert_eq!(Input::new(&[5, 1, 2]).bytes(), None);
    }
}
