//! Offsets of members, through nested anonymous structs and unions as in C.

use super::{
    MAX_HOPS,
    raw::{Kind, Raw, RawMember, Record, TypeId},
    resolve,
};

/// Every pointer of a supported kernel.
pub(super) const POINTER_BYTES: u32 = 8;
/// Deepest nesting of anonymous structs that is followed. Real kernels stay below 6.
const MAX_DEPTH: u32 = 16;
/// Most members visited for one lookup: structs that contain themselves would otherwise multiply. The largest kernel
/// structs have a few hundred.
const MAX_VISITS: u32 = 1 << 16;

/// The place of a member in its struct.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// Bytes from the start of the outermost struct; for a bit-field, of the byte that holds its first bit.
    pub offset_bytes: u32,
    /// Its size in bytes; for a bit-field, of the type it was declared with.
    pub size_bytes: u32,
    pub bitfield: Option<Bitfield>,
}

/// The bits of a bit-field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bitfield {
    /// The first bit, counted from the least significant bit of the byte at `offset_bytes`; 0 to 7.
    pub bit: u8,
    /// Width in bits.
    pub bits: u32,
}

/// A member that was found, with its offset from the outermost struct.
#[derive(Debug, Clone, Copy)]
struct Found {
    bit_offset: u32,
    member: RawMember,
}

/// Finds a member by name, or by a dotted path through named structs.
pub(super) fn find(raw: &Raw, strukt: Record, path: &str) -> Option<Member> {
    let mut visits = MAX_VISITS;
    let mut base = 0;
    let mut inside = Some(strukt);
    let mut found = None;
    for name in path.split('.') {
        let mut search = Search { raw, name: name.as_bytes(), visits };
        let hit = search.within(inside?, base, MAX_DEPTH)?;
        visits = search.visits;
        base = hit.bit_offset;
        inside = resolve(raw, hit.member.ty);
        found = Some(hit);
    }
    describe(raw, found?)
}

struct Search<'a> {
    raw: &'a Raw,
    name: &'a [u8],
    visits: u32,
}

impl Search<'_> {
    fn within(&mut self, strukt: Record, base: u32, depth: u32) -> Option<Found> {
        let raw = self.raw;
        for member in raw.members(strukt) {
            self.visits = self.visits.checked_sub(1)?;
            let bit_offset = base.checked_add(member.bit_offset)?;
            let name = raw.name_bytes(member.name)?;
            if name == self.name && !name.is_empty() {
                return Some(Found { bit_offset, member });
            }
            let nested = if name.is_empty() && depth > 0 { resolve(raw, member.ty) } else { None };
            let Some(nested) = nested else { continue };
            if let Some(found) = self.within(nested, bit_offset, depth - 1) {
                return Some(found);
            }
        }
        None
    }
}

fn describe(raw: &Raw, found: Found) -> Option<Member> {
    let size_bytes = size_of(raw, found.member.ty)?;
    // Compilers before the bit-field encoding put the size and a further offset into the integer type instead.
    let (bits, extra) = match found.member.bits {
        0 => old_bitfield(raw, found.member.ty, size_bytes).unwrap_or((0, 0)),
        bits => (bits, 0),
    };
    let first = found.bit_offset.checked_add(extra)?;
    let bitfield = (bits != 0).then_some(Bitfield { bit: (first % 8) as u8, bits });
    Some(Member { offset_bytes: first / 8, size_bytes, bitfield })
}

/// Bits and further bit offset of an integer type narrower than its own size.
fn old_bitfield(raw: &Raw, ty: TypeId, size_bytes: u32) -> Option<(u32, u32)> {
    let encoding = raw.int_encoding(resolve(raw, ty)?)?;
    let (bits, offset) = (encoding & 0xff, (encoding >> 16) & 0xff);
    (bits < size_bytes.checked_mul(8)?).then_some((bits, offset))
}

/// The size of a type in bytes; `None` if it has none (functions, forward declarations) or is damaged.
pub(super) fn size_of(raw: &Raw, mut ty: TypeId) -> Option<u32> {
    let mut count: u32 = 1;
    for _ in 0..MAX_HOPS {
        let record = resolve(raw, ty)?;
        let size = match record.kind {
            Kind::Int | Kind::Float | Kind::Struct | Kind::Union | Kind::Enum | Kind::Enum64 => record.size_or_type,
            Kind::Ptr => POINTER_BYTES,
            Kind::Array => {
                let (element, _, elements) = raw.array(record)?;
                count = count.checked_mul(elements)?;
                ty = element;
                continue;
            }
            _ => return None,
        };
        return count.checked_mul(size);
    }
    None
}
