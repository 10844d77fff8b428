//! Types as C spells them, for messages.

use super::{
    MAX_HOPS,
    raw::{Kind, Raw, Record, TypeId},
};

/// The C spelling of a type, without a declared name. Arrays and functions behind pointers are shortened.
pub(super) fn spell(raw: &Raw, mut ty: TypeId) -> String {
    let mut stars = String::new();
    let mut qualifiers = String::new();
    for _ in 0..MAX_HOPS {
        let Some(record) = raw.record(ty) else { break };
        match record.kind {
            Kind::Ptr => stars.insert(0, '*'),
            Kind::Const => qualifiers.push_str("const "),
            Kind::Volatile => qualifiers.push_str("volatile "),
            // `restrict` and tags do not matter to a hook.
            Kind::Restrict | Kind::TypeTag => {}
            _ => return join(&qualifiers, &base(raw, record), &stars),
        }
        ty = TypeId(record.size_or_type);
    }
    join(&qualifiers, "void", &stars)
}

fn join(qualifiers: &str, base: &str, stars: &str) -> String {
    let space = if stars.is_empty() { "" } else { " " };
    format!("{qualifiers}{base}{space}{stars}")
}

fn base(raw: &Raw, record: Record) -> String {
    let name = raw.name(record.name).unwrap_or("(anonymous)");
    match record.kind {
        Kind::Union => format!("union {name}"),
        Kind::Fwd if record.kind_flag => format!("union {name}"),
        Kind::Struct | Kind::Fwd => format!("struct {name}"),
        Kind::Enum | Kind::Enum64 => format!("enum {name}"),
        Kind::FuncProto => "(function)".to_owned(),
        Kind::Array => "(array)".to_owned(),
        _ => name.to_owned(),
    }
}
