//! How 64-bit identifiers and addresses are serialized: as text, whatever their value. Readers with double-precision
//! numbers round integers from 2^53 on, and a key whose type depends on its value surprises the others.

#![expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls these with references")]

use serde::Serializer;

/// An identifier, in digits.
pub(crate) fn decimal<S: Serializer>(id: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(id)
}

/// An address, as in `0x7f12`.
pub(crate) fn hexadecimal<S: Serializer>(address: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{address:#x}"))
}
