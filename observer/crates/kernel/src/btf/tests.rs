use super::*;
use crate::fixtures;

fn int(bytes: u32, signed: bool) -> ParamKind {
    ParamKind::Int { bytes, signed }
}

fn entry() -> ParamKind {
    ParamKind::StructByValue { name: "swp_entry_t".to_owned(), bytes: 8 }
}

/// Kernel, function, prototype.
const PROTOTYPES: &[(&str, &str, Option<&str>)] = &[
    ("5.10.223", "do_swap_page", Some("vm_fault_t(struct vm_fault *vmf)")),
    ("7.0.13", "do_swap_page", Some("vm_fault_t(struct vm_fault *vmf)")),
    ("5.10.223", "swapcache_prepare", Some("int(swp_entry_t entry)")),
    ("6.1.192", "swapcache_prepare", Some("int(swp_entry_t entry)")),
    ("6.12.117", "swapcache_prepare", Some("int(swp_entry_t entry, int nr)")),
    ("6.18.15", "swapcache_prepare", Some("int(swp_entry_t entry, int nr)")),
    ("7.0.13", "swapcache_prepare", None),
    ("5.10.223", "swapcache_clear", None),
    ("6.1.192", "swapcache_clear", Some("void(struct swap_info_struct *si, swp_entry_t entry)")),
    ("6.12.117", "swapcache_clear", Some("void(struct swap_info_struct *si, swp_entry_t entry, int nr)")),
    ("5.10.223", "__swap_entry_free", Some("unsigned char(struct swap_info_struct *p, swp_entry_t entry)")),
    ("5.10.223", "swap_readpage", Some("int(struct page *page, bool synchronous)")),
    ("6.12.117", "swap_read_folio", Some("void(struct folio *folio, struct swap_iocb **plug)")),
    ("6.12.117", "folio_alloc_swap", Some("swp_entry_t(struct folio *folio)")),
    ("6.18.15", "folio_alloc_swap", Some("int(struct folio *folio, gfp_t gfp)")),
    (
        "6.18.15",
        "swap_entries_free",
        Some(
            "void(struct swap_info_struct *si, struct swap_cluster_info *ci, swp_entry_t entry, unsigned int nr_pages)",
        ),
    ),
    (
        "7.0.13",
        "swap_entries_free",
        Some(
            "void(struct swap_info_struct *si, struct swap_cluster_info *ci, long unsigned int offset, unsigned int nr_pages)",
        ),
    ),
    ("7.0.13", "swapin_folio", Some("struct folio *(swp_entry_t entry, struct folio *folio)")),
    ("7.0.13", "swap_put_entries_direct", Some("void(swp_entry_t entry, int nr)")),
    ("7.0.13", "schedule_timeout_uninterruptible", Some("long int(long int timeout)")),
];

#[test]
fn prototypes_of_real_kernels() {
    for &(kernel, function, expected) in PROTOTYPES {
        let found = fixtures::btf(kernel).function(function).map(|prototype| prototype.to_string());
        assert_eq!(found.as_deref(), expected, "{kernel} {function}");
    }
}

#[test]
fn parameters_are_classified() {
    let clear = fixtures::btf("6.12.117").function("swapcache_clear").unwrap();
    let kinds: Vec<_> = clear.params.iter().map(|param| param.kind.clone()).collect();
    assert_eq!(kinds, [ParamKind::Pointer(Some("swap_info_struct".to_owned())), entry(), int(4, true)]);
    assert_eq!(clear.ret, ParamKind::Void);
    // The result is a typedef of unsigned int; the entry comes back by value, which trampolines refuse.
    assert_eq!(fixtures::btf("6.12.117").function("do_swap_page").unwrap().ret, int(4, false));
    assert_eq!(fixtures::btf("6.12.117").function("folio_alloc_swap").unwrap().ret, entry());
    let read = fixtures::btf("6.12.117").function("swap_read_folio").unwrap();
    assert_eq!(read.params[1].kind, ParamKind::Pointer(None), "a pointer to a pointer");
}

const COLUMNS: [&str; 5] = ["5.10.223", "6.1.192", "6.12.117", "6.18.15", "7.0.13"];

/// Struct, member, then its offset on each of [`COLUMNS`] (`None`: no such member).
type OffsetRow = (&'static str, &'static str, [Option<u32>; 5]);

const OFFSETS: &[OffsetRow] = &[
    ("vm_fault", "vma", [Some(0); 5]),
    ("vm_fault", "address", [Some(24); 5]),
    ("vm_fault", "real_address", [None, Some(32), Some(32), Some(32), Some(32)]),
    ("vm_fault", "flags", [Some(8), Some(40), Some(40), Some(40), Some(40)]),
    ("vm_fault", "orig_pte", [Some(48), Some(64), Some(64), Some(64), Some(64)]),
    ("vm_fault", "pte", [Some(72), Some(88), Some(88), Some(88), Some(88)]),
    ("vm_area_struct", "vm_mm", [Some(64), Some(16), Some(16), Some(16), Some(16)]),
    ("vm_area_struct", "vm_end", [Some(8); 5]),
    ("vm_area_struct", "vm_flags", [Some(80), Some(32), Some(32), Some(32), Some(32)]),
    ("swap_info_struct", "flags", [Some(0), Some(16), Some(16), Some(16), Some(16)]),
    ("swap_info_struct", "type", [Some(56), Some(72), Some(72), Some(72), Some(72)]),
    ("swap_info_struct", "max", [Some(60), Some(76), Some(76), Some(76), Some(76)]),
    ("swap_info_struct", "bdev", [Some(144), Some(160), Some(544), Some(496), Some(496)]),
    ("page", "private", [Some(40); 5]),
    ("folio", "private", [None, Some(40), Some(40), Some(40), Some(40)]),
    ("folio", "swap", [None, None, Some(40), Some(40), Some(40)]),
    ("task_struct", "mm", [Some(2056), Some(2272), Some(2304), Some(2576), Some(2616)]),
    ("task_struct", "tgid", [Some(2236), Some(2420), Some(2436), Some(2708), Some(2740)]),
];

#[test]
fn offsets_of_real_kernels() {
    for (column, kernel) in COLUMNS.iter().enumerate() {
        let btf = fixtures::btf(kernel);
        for (strukt, member, expected) in OFFSETS {
            let found = btf.member_offset(strukt, member).map(|member| member.offset_bytes);
            assert_eq!(found, expected[column], "{kernel} {strukt}.{member}");
        }
    }
}

#[test]
fn members_have_sizes_and_may_be_paths() {
    let btf = fixtures::btf("6.18.15");
    let at = |offset_bytes, size_bytes| Some(Member { offset_bytes, size_bytes, bitfield: None });
    assert_eq!(btf.member_offset("vm_fault", "orig_pte"), at(64, 8), "a struct by value");
    assert_eq!(btf.member_offset("vm_fault", "flags"), at(40, 4), "an enum");
    assert_eq!(btf.member_offset("swap_info_struct", "prio"), at(24, 2), "a short");
    assert_eq!(btf.member_offset("task_struct", "comm").map(|member| member.size_bytes), Some(16), "an array");
    assert_eq!(btf.member_offset("folio", "flags"), at(0, 8), "a wrapper struct since 6.18");
    assert_eq!(btf.struct_size("swp_entry_t"), Some(8), "a typedef of an anonymous struct");
    assert_eq!(btf.member_offset("vm_fault", "vma.vm_mm"), None, "a path never goes through a pointer");
    for odd in ["", ".", "orig_pte.", ".orig_pte", "no_such"] {
        assert_eq!(btf.member_offset("vm_fault", odd), None, "{odd:?}");
    }
}

#[test]
fn enumerators_and_structs_of_real_kernels_are_found() {
    for kernel in fixtures::KERNELS {
        let btf = fixtures::btf(kernel);
        assert_eq!(btf.enum_value("PG_swapcache"), Some(10), "{kernel}");
        assert_eq!(btf.enum_value("SWP_SYNCHRONOUS_IO"), Some(0x1000), "{kernel}");
        assert_eq!(btf.enum_value("NO_SUCH_ENUMERATOR"), None);
        assert_eq!(btf.struct_size("folio").is_some(), kernel != "5.10.223", "{kernel}");
    }
}

#[test]
fn clusters_of_old_kernels_are_bitfields() {
    // unsigned int data:24, flags:8, behind a spinlock; plain members since.
    let cluster = |kernel, member| fixtures::btf(kernel).member_offset("swap_cluster_info", member);
    let bits =
        |offset_bytes, bits| Some(Member { offset_bytes, size_bytes: 4, bitfield: Some(Bitfield { bit: 0, bits }) });
    assert_eq!(cluster("5.10.223", "data"), bits(4, 24));
    assert_eq!(cluster("5.10.223", "flags"), bits(7, 8));
    assert_eq!(cluster("6.12.117", "count"), Some(Member { offset_bytes: 4, size_bytes: 2, bitfield: None }));
}

/// Raw BTF as encoders with kind layouts write it: a header of 32 bytes, and the layouts after the types.
fn assemble_with_layouts(types: &[u32], layouts: &[[u8; 2]], strings: &[u8]) -> Vec<u8> {
    let types: Vec<u8> = types.iter().flat_map(|word| word.to_le_bytes()).collect();
    let layouts: Vec<u8> = layouts.iter().flat_map(|[fixed, each]| [*fixed, *each, 0, 0]).collect();
    let mut out = vec![0x9f, 0xeb, 1, 0];
    let (after_types, after_layouts) = (types.len(), types.len() + layouts.len());
    for word in [32, 0, types.len(), after_layouts, strings.len(), after_types, layouts.len()] {
        out.extend(u32::try_from(word).unwrap().to_le_bytes());
    }
    out.extend(types);
    out.extend(layouts);
    out.extend_from_slice(strings);
    out
}

/// Layouts of all known kinds, void first, and of three newer ones: with nothing, with a fixed part, with elements.
fn layouts() -> Vec<[u8; 2]> {
    let known = [
        [0, 0],
        [4, 0],
        [0, 0],
        [12, 0],
        [0, 12],
        [0, 12],
        [0, 8],
        [0, 0],
        [0, 0],
        [0, 0],
        [0, 0],
        [0, 0],
        [0, 0],
        [0, 8],
        [4, 0],
        [0, 12],
        [0, 0],
        [4, 0],
        [0, 0],
        [0, 12],
    ];
    [&known[..], &[[0, 0], [8, 0], [4, 12]]].concat()
}

/// A struct `s` with a member `m` at byte 8, behind a record of this kind.
fn behind(kind: u32, vlen: u32, tail: usize) -> Vec<u32> {
    let mut types = vec![0, kind << 24 | vlen, 0];
    types.extend(std::iter::repeat_n(7, tail));
    types.extend([1, info(Kind::Struct, 1), 16, 3, 3, 64, 5, info(Kind::Int, 0), 4, 32]);
    types
}

const NAMES: &[u8] = b"\0s\0m\0int\0";

#[test]
fn newer_kinds_are_skipped_by_their_layout() {
    for (kind, vlen, tail) in [(20, 0, 0), (20, 9, 0), (21, 0, 2), (22, 0, 1), (22, 3, 10), (22, 0x01_0000, 0x03_0001)]
    {
        let btf = Btf::parse(assemble_with_layouts(&behind(kind, vlen, tail), &layouts(), NAMES)).unwrap();
        let kinds: Vec<Kind> = btf.raw().records().map(|record| record.kind).collect();
        assert_eq!(kinds, [Kind::Newer, Kind::Struct, Kind::Int], "kind {kind}, {vlen} elements");
        let member = btf.member_offset("s", "m").map(|member| (member.offset_bytes, member.size_bytes));
        assert_eq!(member, Some((8, 4)), "kind {kind}, {vlen} elements");
    }
}

#[test]
fn a_newer_kind_of_unknown_length_is_an_error_that_says_what_to_do() {
    let odd = [&layouts()[..20], &[[3, 0]]].concat();
    for bytes in [
        assemble(&behind(20, 0, 0), NAMES),
        assemble_with_layouts(&behind(20, 0, 0), &layouts()[..20], NAMES),
        assemble_with_layouts(&behind(20, 0, 0), &[], NAMES),
        assemble_with_layouts(&behind(20, 0, 0), &odd, NAMES),
    ] {
        let error = Btf::parse(bytes).unwrap_err().to_string();
        assert!(error.contains("type 1 of the BTF has kind 20") && error.contains("a newer version"), "{error}");
    }
    let wide = Btf::parse(assemble(&behind(33, 0, 0), NAMES)).unwrap_err().to_string();
    assert!(wide.contains("kind 33"), "no integer: {wide}");
}

#[test]
fn a_record_may_have_more_than_65535_elements() {
    let count = 70_000;
    let mut types = vec![0, info(Kind::Enum, count), 4];
    for value in 0..count {
        types.extend([u32::from(value == count - 1), value]);
    }
    types.extend([3, info(Kind::Typedef, 0), 1]);
    let btf = Btf::parse(assemble(&types, b"\0a\0t\0")).unwrap();
    assert_eq!((btf.enum_value("a"), btf.has_typedef("t"), btf.len()), (Some(i64::from(count) - 1), true, 2));
}

#[test]
fn records_that_older_readers_take_for_others_are_found() {
    let is_wide = |types: &[u32]| {
        let layouts = [layouts(), vec![[0, 4]; 20]].concat();
        Btf::parse(assemble_with_layouts(types, &layouts, NAMES)).unwrap().raw().is_wide()
    };
    assert!(!is_wide(&behind(20, 0, 0)), "an older reader refuses it");
    assert!(!is_wide(&behind(31, 0xffff, 0xffff)));
    assert!(is_wide(&behind(33, 0, 0)), "read as an integer");
    assert!(is_wide(&behind(31, 0x01_0000, 0x01_0000)), "read as a record without elements");
    for kernel in fixtures::KERNELS {
        assert!(!fixtures::btf(kernel).raw().is_wide(), "{kernel}");
    }
}

#[test]
fn a_layout_section_beyond_the_end_is_an_error() {
    let mut bytes = assemble_with_layouts(&behind(20, 0, 0), &layouts(), NAMES);
    bytes[28] = 0xff;
    bytes[29] = 0xff;
    assert!(Btf::parse(bytes).unwrap_err().to_string().contains("the layout section"));
}

/// Raw BTF of the given records and strings.
fn assemble(types: &[u32], strings: &[u8]) -> Vec<u8> {
    let types: Vec<u8> = types.iter().flat_map(|word| word.to_le_bytes()).collect();
    let mut out = vec![0x9f, 0xeb, 1, 0];
    for word in [24, 0, types.len(), types.len(), strings.len()] {
        out.extend(u32::try_from(word).unwrap().to_le_bytes());
    }
    out.extend(types);
    out.extend_from_slice(strings);
    out
}

const fn info(kind: Kind, vlen: u32) -> u32 {
    (kind as u32) << 24 | vlen
}

#[test]
fn bitfields_of_both_encodings() {
    // struct s { int new: 3 at bit 9 } with the kind flag; struct o { narrow at bit 4 } with a 5-bit integer at 2.
    let types = [
        [0, info(Kind::Int, 0), 4, 32 | 1 << 24].as_slice(),
        &[1, info(Kind::Struct, 1) | 1 << 31, 4, 5, 1, 3 << 24 | 9],
        &[0, info(Kind::Int, 0), 4, 5 | 2 << 16],
        &[3, info(Kind::Struct, 1), 4, 9, 3, 4],
    ]
    .concat();
    let btf = Btf::parse(assemble(&types, b"\0s\0o\0new\0narrow\0")).unwrap();
    let new = btf.member_offset("s", "new").unwrap();
    assert_eq!((new.offset_bytes, new.size_bytes, new.bitfield), (1, 4, Some(Bitfield { bit: 1, bits: 3 })));
    let narrow = btf.member_offset("o", "narrow").unwrap();
    assert_eq!((narrow.offset_bytes, narrow.bitfield), (0, Some(Bitfield { bit: 6, bits: 5 })));
}

#[test]
fn every_kind_is_skipped_by_its_length() {
    let heads = [
        (Kind::Int, 0, 1),
        (Kind::Ptr, 0, 0),
        (Kind::Array, 0, 3),
        (Kind::Struct, 2, 6),
        (Kind::Union, 1, 3),
        (Kind::Enum, 2, 4),
        (Kind::Fwd, 0, 0),
        (Kind::Typedef, 0, 0),
        (Kind::Volatile, 0, 0),
        (Kind::Const, 0, 0),
        (Kind::Restrict, 0, 0),
        // The vlen of a function is its linkage, not a number of elements.
        (Kind::Func, 2, 0),
        (Kind::FuncProto, 3, 6),
        (Kind::Var, 0, 1),
        (Kind::Datasec, 2, 6),
        (Kind::Float, 0, 0),
        (Kind::DeclTag, 0, 1),
        (Kind::TypeTag, 0, 0),
        (Kind::Enum64, 1, 3),
    ];
    let mut types = Vec::new();
    for (kind, vlen, tail) in heads {
        types.extend([0, info(kind, vlen), 0]);
        types.extend(std::iter::repeat_n(0, tail));
    }
    let btf = Btf::parse(assemble(&types, b"\0")).unwrap();
    let kinds: Vec<Kind> = btf.raw().records().map(|record| record.kind).collect();
    assert_eq!(kinds, heads.map(|(kind, _, _)| kind));
}

#[test]
fn wide_enumerators_are_signed() {
    let types = [0, info(Kind::Enum64, 2), 8, 1, 0, 1, 3, u32::MAX, u32::MAX];
    let btf = Btf::parse(assemble(&types, b"\0a\0b\0")).unwrap();
    assert_eq!((btf.enum_value("a"), btf.enum_value("b")), (Some(1 << 32), Some(-1)));
}

#[test]
fn a_struct_that_contains_itself_is_searched_in_bounded_time() {
    // Eight anonymous members, each of the type of the struct around it: 8^16 paths.
    let mut types = vec![1, info(Kind::Struct, 8), 4];
    for _ in 0..8 {
        types.extend([0, 1, 0]);
    }
    // A typedef of itself, a function that is its own prototype, an array of itself.
    types.extend([3, info(Kind::Typedef, 0), 2, 5, info(Kind::Func, 0), 3]);
    types.extend([0, info(Kind::Array, 0), 0, 4, 4, 2, 7, info(Kind::Struct, 1), 4, 9, 4, 0]);
    let btf = Btf::parse(assemble(&types, b"\0s\0t\0f\0u\0m\0")).unwrap();
    assert_eq!(btf.member_offset("s", "x"), None);
    assert_eq!(btf.struct_size("t"), None);
    assert_eq!(btf.function("f"), None);
    assert_eq!(btf.member_offset("u", "m"), None);
}

#[test]
fn each_kind_of_wrong_input_has_its_error() {
    let parse = |bytes: &[u8]| Btf::parse(bytes.to_vec()).unwrap_err().to_string();
    assert!(parse(b"").contains("cut short"));
    assert!(parse(b"\x7fELF----------------------").contains("magic number"));
    assert!(parse(b"\xeb\x9f----------------------").contains("big-endian"));
    assert!(parse(&assemble(&[0, 31 << 24, 0], b"\0")).contains("kind 31"));
    assert!(parse(&assemble(&[], b"x\0")).contains("NUL"));
    assert!(parse(&assemble(&[0, info(Kind::Struct, 9), 0], b"\0")).contains("reaches past the end"));
    assert!(Btf::from_file(Path::new("/no/such/file")).unwrap_err().to_string().contains("/no/such/file"));
}

/// Many truncations, and a flip in every byte.
#[test]
fn damaged_input_is_an_error_or_an_answer_and_never_a_panic() {
    let good = fixtures::read("6.12.117", "btf.bin");
    let ask = |bytes: Vec<u8>| {
        let Ok(btf) = Btf::parse(bytes) else { return };
        let _ = btf.function("swapcache_clear").map(|prototype| prototype.to_string());
        let _ = btf.member_offset("vm_fault", "orig_pte");
        let _ = btf.member_offset("folio", "swap.val");
        let _ = btf.enum_value("PG_swapcache");
    };
    for len in (0..good.len()).step_by(7) {
        ask(good[..len].to_vec());
    }
    for at in 0..good.len() {
        let mut bytes = good.clone();
        bytes[at] ^= [0x01, 0x80, 0xff][at % 3];
        ask(bytes);
    }
}
