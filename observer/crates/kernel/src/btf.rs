//! A small reader of raw BTF: the prototypes, member offsets and enumerators of one kernel.
//!
//! Rust cannot emit CO-RE relocations, so user space looks the offsets up here and passes them to the programs before
//! load. The bytes are kept as read; one pass over them builds two tables of numbers and nothing is copied out. Only
//! little-endian 64-bit kernels are supported (x86-64 and arm64), where every pointer has eight bytes.
//!
//! The input may come from anywhere (`--btf FILE`): no offset, count or type id is trusted, every walk is bounded.

mod members;
mod prototype;
pub mod raw;
mod spell;
#[cfg(test)]
mod tests;

use std::{io, path::Path};

use thiserror::Error;

use self::raw::{Kind, Raw, Record, TypeId};
pub use self::{
    members::{Bitfield, Member},
    prototype::{Param, ParamKind, Prototype},
};
use observer_text::Name;

/// Where the running kernel shows its own types.
pub const VMLINUX: &str = "/sys/kernel/btf/vmlinux";

/// Most typedefs and qualifiers that are followed from one type before it counts as a cycle. Real kernels stay below
/// 10.
const MAX_HOPS: usize = 64;

/// Why bytes are not BTF that this reader understands.
#[derive(Debug, Error)]
pub enum BtfError {
    #[error("cannot read BTF from {path}")]
    Read { path: Name, source: io::Error },
    /// The first two bytes are not the magic number.
    #[error("not BTF: the magic number is {0:#06x}, not 0xeb9f")]
    Magic(u16),
    /// The magic number is byte-swapped: types of a big-endian kernel.
    #[error("big-endian BTF is not supported")]
    BigEndian,
    /// A format version other than 1, the only one so far.
    #[error("BTF version {0} is not supported")]
    Version(u8),
    /// A section or record reaches past the end of its bytes.
    #[error("BTF is cut short or damaged: {what} at byte {offset} reaches past the end")]
    Truncated {
        what: &'static str,
        /// Where it starts, in bytes from the start of the type section (of the file, for sections).
        offset: usize,
    },
    /// The strings do not start and end with a NUL byte.
    #[error("the string section of the BTF does not start and end with a NUL byte")]
    Strings,
    /// A kind newer than this reader, whose length is therefore unknown.
    #[error(
        "type {id} of the BTF has kind {kind}, which this version of observer does not know, and no layout section has \
         its length: a newer version is needed"
    )]
    UnknownKind { id: u32, kind: u32 },
}

/// The types of one kernel, indexed by name.
#[derive(Debug, Clone)]
pub struct Btf {
    raw: Raw,
    /// (hash of the name, type id) of functions, structs, unions and typedefs, sorted.
    names: Vec<(u32, TypeId)>,
}

impl Btf {
    /// Indexes raw BTF (the contents of a `.BTF` section) in a few tens of milliseconds at most.
    pub fn parse(data: Vec<u8>) -> Result<Self, BtfError> {
        let raw = Raw::parse(data)?;
        let mut names: Vec<(u32, TypeId)> = raw
            .records()
            .filter(|record| is_indexed(record.kind))
            .filter_map(|r| Some((hash(raw.name_bytes(r.name)?), r.id)))
            .collect();
        names.sort_unstable();
        Ok(Self { raw, names })
    }

    /// Reads a file of raw BTF, such as [`VMLINUX`].
    pub fn from_file(path: &Path) -> Result<Self, BtfError> {
        let data = std::fs::read(path).map_err(|source| BtfError::Read { path: path.into(), source })?;
        Self::parse(data)
    }

    /// The records as stored, for tools that rewrite BTF.
    pub const fn raw(&self) -> &Raw {
        &self.raw
    }

    /// The prototype of a function of this name; `None` if BTF has no such function or its types are damaged.
    ///
    /// BTF omits functions that the compiler changed or removed, so a function found here can be hooked by fentry as
    /// far as its types allow. Copies such as `name.isra.0` are never found.
    pub fn function(&self, name: &str) -> Option<Prototype> {
        prototype::of_function(&self.raw, self.find(name, |kind| kind == Kind::Func)?)
    }

    /// Where a member lies within a struct, union or typedef of one.
    ///
    /// Members of nested anonymous structs and unions are found as in C. `member` may be a path through named ones
    /// (`flags.f`), never through a pointer.
    pub fn member_offset(&self, strukt: &str, member: &str) -> Option<Member> {
        members::find(&self.raw, self.aggregate(strukt)?, member)
    }

    pub fn has_typedef(&self, name: &str) -> bool {
        self.find(name, |kind| kind == Kind::Typedef).is_some()
    }

    /// The size in bytes of a struct, union or typedef of one.
    pub fn struct_size(&self, name: &str) -> Option<u32> {
        self.aggregate(name).map(|record| record.size_or_type)
    }

    /// The value of an enumerator, whatever enum it belongs to; the first one where several share the name.
    ///
    /// 32-bit values are read as signed: BTF before 6.0 does not have their sign, and no value looked up here is above
    /// `i32::MAX`. Searches every enum, so keep the result.
    pub fn enum_value(&self, enumerator: &str) -> Option<i64> {
        self.raw
            .records()
            .filter(|record| matches!(record.kind, Kind::Enum | Kind::Enum64))
            .flat_map(|record| self.raw.enumerators(record))
            .find(|(name, _)| self.raw.name_bytes(*name) == Some(enumerator.as_bytes()))
            .map(|(_, value)| value)
    }

    /// The number of types.
    pub fn len(&self) -> usize {
        self.raw.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn aggregate(&self, name: &str) -> Option<Record> {
        self.find(name, |kind| matches!(kind, Kind::Struct | Kind::Union))
            .or_else(|| resolve(&self.raw, self.find(name, |kind| kind == Kind::Typedef)?.id))
            .filter(|record| matches!(record.kind, Kind::Struct | Kind::Union))
    }

    /// The type of lowest id with this name and an accepted kind.
    fn find(&self, name: &str, accept: impl Fn(Kind) -> bool) -> Option<Record> {
        let wanted = hash(name.as_bytes());
        let start = self.names.partition_point(|&(hash, _)| hash < wanted);
        self.names
            .iter()
            .skip(start)
            .take_while(|&&(hash, _)| hash == wanted)
            .filter_map(|&(_, id)| self.raw.record(id))
            .find(|record| accept(record.kind) && self.raw.name_bytes(record.name) == Some(name.as_bytes()))
    }
}

const fn is_indexed(kind: Kind) -> bool {
    matches!(kind, Kind::Func | Kind::Struct | Kind::Union | Kind::Typedef)
}

/// Follows typedefs and qualifiers to the type that has a shape; `None` for void, a bad id or a cycle.
fn resolve(raw: &Raw, mut id: TypeId) -> Option<Record> {
    for _ in 0..MAX_HOPS {
        let record = raw.record(id)?;
        if !record.kind.is_alias() {
            return Some(record);
        }
        id = TypeId(record.size_or_type);
    }
    None
}

/// FNV-1a: short, and good enough where a collision only costs one more comparison.
fn hash(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, &byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}
