//! BTF as stored: the header, the records, the strings. Knows lengths, not meanings.
//!
//! Format: `Documentation/bpf/btf.rst` and `include/uapi/linux/btf.h` of the kernel.

use super::BtfError;

const MAGIC: u16 = 0xeb9f;
/// Magic, version, flags, header length, then offset and length of the types and of the strings.
const HEADER_LEN: usize = 24;
/// The same, then offset and length of the layouts (<https://git.kernel.org/torvalds/c/222edc843c15>).
const HEADER_LEN_WITH_LAYOUTS: usize = 32;
/// Bits of a record's info: number of elements and kind. Before
/// <https://git.kernel.org/torvalds/c/f7a6b9eaff3e> they had 16 and 5 bits, and the others were 0.
const VLEN_MASK: u32 = 0x00ff_ffff;
const KIND_MASK: u32 = 0x7f;
/// The most that those 16 and 5 bits can hold.
const OLD_MAX_VLEN: u32 = 0xffff;
const OLD_MAX_KIND: u32 = 0x1f;
/// Name, info and size-or-type: what every record starts with.
const RECORD_LEN: usize = 12;
/// Longest name that is read (`KSYM_NAME_LEN` of the kernel): bounds the work that damaged strings can cause.
const MAX_NAME: usize = 512;

/// The number of a type: 0 is void, the first record is 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TypeId(pub u32);

/// The offset of a name in the string section; 0 is the empty name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NameOffset(pub u32);

/// What a record describes (`BTF_KIND_*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Int = 1,
    Ptr = 2,
    Array = 3,
    Struct = 4,
    Union = 5,
    Enum = 6,
    Fwd = 7,
    Typedef = 8,
    Volatile = 9,
    Const = 10,
    Restrict = 11,
    Func = 12,
    FuncProto = 13,
    Var = 14,
    Datasec = 15,
    Float = 16,
    DeclTag = 17,
    TypeTag = 18,
    Enum64 = 19,
    /// A kind newer than this reader. The layouts have the length of its record.
    Newer = 128,
}

impl Kind {
    const ALL: [Self; 19] = [
        Self::Int,
        Self::Ptr,
        Self::Array,
        Self::Struct,
        Self::Union,
        Self::Enum,
        Self::Fwd,
        Self::Typedef,
        Self::Volatile,
        Self::Const,
        Self::Restrict,
        Self::Func,
        Self::FuncProto,
        Self::Var,
        Self::Datasec,
        Self::Float,
        Self::DeclTag,
        Self::TypeTag,
        Self::Enum64,
    ];

    /// The known kind with this number; `None` for 0 (void has no record) and for kinds newer than this reader.
    fn from_number(number: u32) -> Option<Self> {
        Self::ALL.get(usize::try_from(number).ok()?.checked_sub(1)?).copied()
    }

    /// Whether this is another name for, or a qualified form of, the type it refers to.
    pub const fn is_alias(self) -> bool {
        matches!(self, Self::Typedef | Self::Volatile | Self::Const | Self::Restrict | Self::TypeTag)
    }

    /// Bytes that follow the record: a fixed part, and one part for each of its `vlen` elements.
    const fn tail(self) -> (usize, usize) {
        match self {
            Self::Int | Self::Var | Self::DeclTag => (4, 0),
            Self::Array => (12, 0),
            Self::Struct | Self::Union | Self::Datasec | Self::Enum64 => (0, 12),
            Self::Enum | Self::FuncProto => (0, 8),
            _ => (0, 0),
        }
    }
}

/// The start of a record, decoded.
#[derive(Debug, Clone, Copy)]
pub struct Record {
    pub id: TypeId,
    pub kind: Kind,
    pub name: NameOffset,
    /// The number of members, parameters or enumerators that follow.
    pub vlen: u32,
    /// For structs: offsets carry bit-field sizes. For enums: values are signed. For forward declarations: a union.
    pub kind_flag: bool,
    /// A size in bytes or a type number, depending on the kind.
    pub size_or_type: u32,
    /// The number of its kind.
    number: u32,
    /// Where its elements start, in bytes from the start of the type section.
    tail: usize,
}

/// One member of a struct or union.
#[derive(Debug, Clone, Copy)]
pub struct RawMember {
    /// Its name; 0 for an anonymous struct or union.
    pub name: NameOffset,
    pub ty: TypeId,
    /// Its offset in bits from the start of the struct.
    pub bit_offset: u32,
    /// Its size in bits if it is a bit-field, else 0.
    pub bits: u32,
}

/// Raw BTF, checked so far that every record lies within the type section.
#[derive(Debug, Clone)]
pub struct Raw {
    data: Vec<u8>,
    types: (usize, usize),
    strings: (usize, usize),
    /// Whether a record needs more than 16 bits for its number of elements, or more than 5 for its kind.
    is_wide: bool,
    /// Where each record starts in the type section; the record of type `n` is at index `n - 1`.
    offsets: Vec<u32>,
}

impl Raw {
    /// Checks the header and finds the records.
    pub fn parse(data: Vec<u8>) -> Result<Self, BtfError> {
        let cut = BtfError::Truncated { what: "the header", offset: 0 };
        let Some(magic) = u16_at(&data, 0) else { return Err(cut) };
        match magic {
            MAGIC => {}
            swapped if swapped.swap_bytes() == MAGIC => return Err(BtfError::BigEndian),
            other => return Err(BtfError::Magic(other)),
        }
        match data.get(2) {
            Some(1) => {}
            Some(&version) => return Err(BtfError::Version(version)),
            None => return Err(cut),
        }
        // A longer header (a later kernel may append fields) is skipped by its own length.
        let header = usize_at(&data, 4).filter(|len| (HEADER_LEN..=data.len()).contains(len)).ok_or(cut)?;
        let types = section(&data, header, 8, "the type section")?;
        let strings = section(&data, header, 16, "the string section")?;
        let text = data.get(strings.0..strings.1).unwrap_or_default();
        if text.first() != Some(&0) || text.last() != Some(&0) {
            return Err(BtfError::Strings);
        }
        let layouts = if header < HEADER_LEN_WITH_LAYOUTS {
            None
        } else {
            Some(section(&data, header, 24, "the layout section")?)
        };
        let layouts = layouts.and_then(|(start, end)| data.get(start..end)).unwrap_or_default();
        let Records { offsets, is_wide } = find_records(data.get(types.0..types.1).unwrap_or_default(), layouts)?;
        Ok(Self { data, types, strings, is_wide, offsets })
    }

    /// The number of types.
    pub fn len(&self) -> usize {
        self.offsets.len()
    }

    pub fn is_empty(&self) -> bool {
        self.offsets.is_empty()
    }

    /// Whether a reader of before May 2026, which looks at fewer bits of each record, would take a record for another
    /// one, and count the types after it wrongly.
    pub const fn is_wide(&self) -> bool {
        self.is_wide
    }

    /// Every record, in the order of its number.
    pub fn records(&self) -> impl Iterator<Item = Record> {
        (1_u32..).map(TypeId).map_while(|id| self.record(id))
    }

    /// The record of a type; `None` for void and for numbers out of range.
    pub fn record(&self, id: TypeId) -> Option<Record> {
        let offset = *self.offsets.get(usize::try_from(id.0).ok()?.checked_sub(1)?)?;
        head(self.type_bytes(), id, usize::try_from(offset).ok()?).ok()
    }

    /// The bytes of a name; `None` if it lies outside the string section or is longer than [`MAX_NAME`].
    pub fn name_bytes(&self, name: NameOffset) -> Option<&[u8]> {
        let text = self.data.get(self.strings.0..self.strings.1)?.get(usize::try_from(name.0).ok()?..)?;
        let end = text.iter().take(MAX_NAME).position(|&byte| byte == 0)?;
        text.get(..end)
    }

    /// A name as text; `None` if it is empty, out of range or not UTF-8.
    pub fn name(&self, name: NameOffset) -> Option<&str> {
        std::str::from_utf8(self.name_bytes(name)?).ok().filter(|name| !name.is_empty())
    }

    /// The members of a struct or union; nothing for other kinds.
    pub fn members(&self, record: Record) -> impl Iterator<Item = RawMember> {
        let is_aggregate = matches!(record.kind, Kind::Struct | Kind::Union);
        self.triples(record, is_aggregate).map(move |[name, ty, offset]| RawMember {
            name: NameOffset(name),
            ty: TypeId(ty),
            bit_offset: if record.kind_flag { offset & 0x00ff_ffff } else { offset },
            bits: if record.kind_flag { offset >> 24 } else { 0 },
        })
    }

    /// The parameters of a function prototype, name and type; nothing for other kinds.
    pub fn params(&self, record: Record) -> impl Iterator<Item = (NameOffset, TypeId)> {
        self.pairs(record, record.kind == Kind::FuncProto).map(|[name, ty]| (NameOffset(name), TypeId(ty)))
    }

    /// The enumerators of an enum of either width; nothing for other kinds.
    pub fn enumerators(&self, record: Record) -> impl Iterator<Item = (NameOffset, i64)> {
        let narrow = self
            .pairs(record, record.kind == Kind::Enum)
            .map(|[name, value]| (NameOffset(name), i64::from(value.cast_signed())));
        let wide = self
            .triples(record, record.kind == Kind::Enum64)
            .map(|[name, low, high]| (NameOffset(name), (u64::from(high) << 32 | u64::from(low)).cast_signed()));
        narrow.chain(wide)
    }

    /// Element type, index type and number of elements of an array.
    pub fn array(&self, record: Record) -> Option<(TypeId, TypeId, u32)> {
        if record.kind != Kind::Array {
            return None;
        }
        let [element, index, count] = words(self.type_bytes(), record.tail)?;
        Some((TypeId(element), TypeId(index), count))
    }

    /// The encoding word of an integer: number of bits, offset and whether it is signed (`BTF_INT_*`).
    pub fn int_encoding(&self, record: Record) -> Option<u32> {
        (record.kind == Kind::Int).then(|| words::<1>(self.type_bytes(), record.tail))?.map(|[word]| word)
    }

    fn pairs(&self, record: Record, wanted: bool) -> impl Iterator<Item = [u32; 2]> {
        self.elements(record, wanted)
    }

    fn triples(&self, record: Record, wanted: bool) -> impl Iterator<Item = [u32; 3]> {
        self.elements(record, wanted)
    }

    fn elements<const N: usize>(&self, record: Record, wanted: bool) -> impl Iterator<Item = [u32; N]> {
        let count = if wanted { record.vlen as usize } else { 0 };
        (0..count).map_while(move |index| words(self.type_bytes(), record.tail.checked_add(index * N * 4)?))
    }

    fn type_bytes(&self) -> &[u8] {
        self.data.get(self.types.0..self.types.1).unwrap_or_default()
    }
}

/// Where a section starts and ends in the file, from the offset and length stored at `field` of the header.
fn section(data: &[u8], header: usize, field: usize, what: &'static str) -> Result<(usize, usize), BtfError> {
    let bounds = || {
        let start = header.checked_add(usize_at(data, field)?)?;
        let end = start.checked_add(usize_at(data, field + 4)?)?;
        (end <= data.len()).then_some((start, end))
    };
    bounds().ok_or(BtfError::Truncated { what, offset: field })
}

struct Records {
    offsets: Vec<u32>,
    is_wide: bool,
}

/// One pass over the type section: where each record starts.
fn find_records(types: &[u8], layouts: &[u8]) -> Result<Records, BtfError> {
    // A kernel's records take some 24 bytes on average.
    let mut offsets = Vec::with_capacity(types.len() / 24);
    let mut is_wide = false;
    let mut at = 0;
    while at < types.len() {
        let cut = BtfError::Truncated { what: "a type", offset: at };
        let id = TypeId(u32::try_from(offsets.len()).unwrap_or(u32::MAX).saturating_add(1));
        let record = head(types, id, at)?;
        let (fixed, each) = match record.kind {
            Kind::Newer => {
                layout(layouts, record.number).ok_or(BtfError::UnknownKind { id: id.0, kind: record.number })?
            }
            known => known.tail(),
        };
        is_wide |= record.vlen > OLD_MAX_VLEN || record.number > OLD_MAX_KIND;
        let end = record.tail + fixed + each * record.vlen as usize;
        let (true, Ok(offset)) = (end <= types.len(), u32::try_from(at)) else { return Err(cut) };
        offsets.push(offset);
        at = end;
    }
    Ok(Records { offsets, is_wide })
}

/// Bytes that follow a record of a kind, and for each of its elements, as the layout section has them: one item of four
/// bytes for each kind, from 0 on. `None`: it has no item for that kind, or one that is no multiple of a word.
fn layout(layouts: &[u8], kind: u32) -> Option<(usize, usize)> {
    let (items, _) = layouts.as_chunks::<4>();
    let [fixed, each, ..] = items.get(usize::try_from(kind).ok()?)?.map(usize::from);
    (fixed.is_multiple_of(4) && each.is_multiple_of(4)).then_some((fixed, each))
}

/// Decodes what a record starts with.
fn head(types: &[u8], id: TypeId, at: usize) -> Result<Record, BtfError> {
    let [name, info, size_or_type] = words(types, at).ok_or(BtfError::Truncated { what: "a type", offset: at })?;
    let number = (info >> 24) & KIND_MASK;
    // No encoder writes a record of kind 0.
    let kind = match number {
        0 => return Err(BtfError::UnknownKind { id: id.0, kind: 0 }),
        _ => Kind::from_number(number).unwrap_or(Kind::Newer),
    };
    Ok(Record {
        id,
        kind,
        name: NameOffset(name),
        vlen: info & VLEN_MASK,
        number,
        kind_flag: info >> 31 == 1,
        size_or_type,
        tail: at + RECORD_LEN,
    })
}

/// `N` little-endian words at a byte offset.
fn words<const N: usize>(bytes: &[u8], at: usize) -> Option<[u32; N]> {
    let (words, _) = bytes.get(at..)?.get(..N.checked_mul(4)?)?.as_chunks::<4>();
    let mut out = [0; N];
    for (word, bytes) in out.iter_mut().zip(words) {
        *word = u32::from_le_bytes(*bytes);
    }
    Some(out)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|bytes| u16::from_le_bytes(*bytes))
}

fn usize_at(bytes: &[u8], at: usize) -> Option<usize> {
    let [word] = words(bytes, at)?;
    usize::try_from(word).ok()
}
