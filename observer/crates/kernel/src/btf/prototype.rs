//! Function prototypes: the arguments that a hook sees.

use std::fmt;

use super::{
    raw::{Kind, Raw, Record, TypeId},
    resolve, spell,
};

/// Set in an integer's encoding word if it is signed (`BTF_INT_SIGNED`, bits 24 to 27 of the word).
const INT_SIGNED: u32 = 1 << 24;

/// The parameters and the result of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prototype {
    pub params: Vec<Param>,
    pub ret: ParamKind,
    /// The return type as C spells it.
    pub ret_c: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Param {
    /// Empty if the kernel has no name for it.
    pub name: String,
    pub kind: ParamKind,
    /// Its type as C spells it, without the name: `struct vm_fault *`.
    pub c: String,
}

/// The shape of a value, without typedefs and qualifiers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParamKind {
    Void,
    /// An integer, `bool` and `char` included.
    Int {
        bytes: u32,
        signed: bool,
    },
    /// A pointer, with the name of the struct or union that it points to, if any.
    Pointer(Option<String>),
    /// A struct or union by value. Before 6.0, trampolines refuse functions with one (x86-64; arm64 later).
    StructByValue {
        /// The name it is declared with: of its typedef (`swp_entry_t`) if it has one, else of the struct.
        name: String,
        bytes: u32,
    },
    /// An enum of either width.
    Enum,
    /// Anything else (floats, or types that are damaged).
    Other,
}

impl fmt::Display for Prototype {
    /// As in C, without the function's name: `int(swp_entry_t entry, int nr)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", self.ret_c)?;
        for (index, param) in self.params.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            let space = if param.c.ends_with('*') || param.name.is_empty() { "" } else { " " };
            write!(f, "{comma}{}{space}{}", param.c, param.name)?;
        }
        f.write_str(")")
    }
}

/// The prototype of a function's record.
pub(super) fn of_function(raw: &Raw, function: Record) -> Option<Prototype> {
    let proto = raw.record(TypeId(function.size_or_type)).filter(|record| record.kind == Kind::FuncProto)?;
    let params = raw.params(proto).map(|(name, ty)| Param {
        name: raw.name(name).unwrap_or_default().to_owned(),
        kind: kind_of(raw, ty),
        c: spell::spell(raw, ty),
    });
    let ret = TypeId(proto.size_or_type);
    Some(Prototype { params: params.collect(), ret: kind_of(raw, ret), ret_c: spell::spell(raw, ret) })
}

fn kind_of(raw: &Raw, ty: TypeId) -> ParamKind {
    if ty == TypeId(0) {
        return ParamKind::Void;
    }
    let Some(record) = resolve(raw, ty) else { return ParamKind::Other };
    match record.kind {
        Kind::Int => ParamKind::Int {
            bytes: record.size_or_type,
            signed: raw.int_encoding(record).is_some_and(|encoding| encoding & INT_SIGNED != 0),
        },
        Kind::Ptr => ParamKind::Pointer(pointee(raw, TypeId(record.size_or_type))),
        Kind::Struct | Kind::Union => {
            ParamKind::StructByValue { name: declared_name(raw, ty), bytes: record.size_or_type }
        }
        Kind::Enum | Kind::Enum64 => ParamKind::Enum,
        _ => ParamKind::Other,
    }
}

/// The name of the struct or union behind a pointer; a forward declaration is as good as the definition here.
fn pointee(raw: &Raw, ty: TypeId) -> Option<String> {
    let record = resolve(raw, ty)?;
    let named = matches!(record.kind, Kind::Struct | Kind::Union | Kind::Fwd);
    named.then(|| raw.name(record.name))?.map(str::to_owned)
}

/// The name of a type's outermost typedef, else its own.
fn declared_name(raw: &Raw, mut ty: TypeId) -> String {
    for _ in 0..super::MAX_HOPS {
        let Some(record) = raw.record(ty) else { break };
        match record.kind {
            // A tag is not a name of the type.
            Kind::TypeTag | Kind::Const | Kind::Volatile | Kind::Restrict => ty = TypeId(record.size_or_type),
            _ => return raw.name(record.name).unwrap_or("(anonymous)").to_owned(),
        }
    }
    "(anonymous)".to_owned()
}
