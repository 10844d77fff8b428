//! Reduces a kernel's BTF and its list of symbols to what observer reads, for use as test fixtures.
//!
//! ```text
//! cargo run -p observer-btf-prune -- BTF KALLSYMS observer/crates/testing/kernel-files/kernels/6.12.117
//! ```
//!
//! The result is valid raw BTF. Selected functions are complete; selected structs have their real size and only
//! selected members; every other struct is a forward declaration (behind a pointer) or has a size without members (by
//! value). Before it is written, all look-ups are compared with those in the full BTF.

use std::{collections::HashMap, path::Path};

use anyhow::{Context as _, Result, ensure};
use observer_kernel::btf::{
    Btf,
    raw::{Kind, NameOffset, Raw, Record, TypeId},
};

/// Every function that the plan of some kernel may hook.
const FUNCTIONS: &str = "do_swap_page handle_mm_fault __handle_mm_fault swapcache_prepare swapcache_clear __swap_duplicate \
    swap_duplicate swap_dup_entry_direct folio_dup_swap __swap_count swap_free swap_free_nr __swap_entry_free __swap_entry_free_locked \
    swap_entries_free swap_entry_range_free swap_range_free cluster_swap_free_nr free_swap_slot swapcache_free_entries \
    swap_entries_put_map swap_entries_put_cache swap_put_entries_direct swap_put_entries_cluster \
    __swap_cluster_free_entries folio_put_swap free_swap_and_cache free_swap_and_cache_nr put_swap_page put_swap_folio \
    try_to_free_swap folio_free_swap __try_to_reclaim_swap get_swap_page get_swap_pages folio_alloc_swap \
    get_swap_page_of_type swap_alloc_hibernation_slot swap_free_hibernation_slot add_to_swap cluster_alloc_swap_entry \
    alloc_swap_scan_cluster add_to_swap_cache swap_cache_add_folio __swap_cache_add_folio __swap_cache_do_add_folio \
    delete_from_swap_cache __delete_from_swap_cache swap_cache_del_folio __swap_cache_del_folio \
    __swap_cache_do_del_folio lookup_swap_cache swap_cache_get_folio swap_readpage swap_read_folio swap_writepage \
    swap_writeout __swap_writepage swapin_readahead swap_cluster_readahead read_swap_cache_async \
    __read_swap_cache_async swap_cache_alloc_folio swapin_folio swapin_sync __swap_cache_prepare_and_add \
    get_swap_device shmem_swapin_page shmem_swapin_folio __lock_page_or_retry __folio_lock_or_retry unuse_pte_range \
    move_pages_pte move_pages_ptes __collapse_huge_page_swapin schedule_timeout_uninterruptible wake_up_var";

/// Variables and functions that show properties of a kernel.
const OTHER_SYMBOLS: &str = "_stext _text register_ftrace_direct swap_info nr_swapfiles swapcache_wq percpu_swap_cluster swp_slots swapper_spaces \
    zswap_enabled zswap_store zswap_load swap_cache_has_folio __swap_cache_replace_folio zram_submit_bio";

/// Structs with their selected members.
const STRUCTS: &[(&str, &str)] = &[
    ("vm_fault", "vma address real_address flags pmd pud orig_pte pte ptl page"),
    ("vm_area_struct", "vm_mm vm_start vm_end vm_flags"),
    ("swap_info_struct", "flags prio type max swap_map cluster_info inuse_pages bdev swap_file zeromap"),
    ("swap_cluster_info", "data flags count order table"),
    ("swap_table", ""),
    ("page", "flags private compound_head compound_order index"),
    ("folio", "flags private swap page _flags_1 _folio_order _nr_pages _folio_nr_pages"),
    ("task_struct", "mm pid tgid start_time comm cgroups"),
    ("mm_struct", "owner"),
    ("percpu_swap_cluster", "si offset"),
    ("bpf_tramp_image", ""),
];

const ENUMERATORS: &str = "PG_anon_exclusive PG_locked PG_uptodate PG_swapcache PG_head SWP_USED SWP_WRITEOK SWP_SYNCHRONOUS_IO \
    SWP_STABLE_WRITES FAULT_FLAG_WRITE FAULT_FLAG_VMA_LOCK VM_FAULT_RETRY VM_FAULT_MAJOR BPF_TRACE_KPROBE_MULTI \
    BPF_MAP_TYPE_RINGBUF BPF_TRACE_KPROBE_SESSION BPF_FUNC_get_func_ret BPF_FUNC_get_attach_cookie";

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let (Some(input), Some(symbols), Some(folder), None) = (args.next(), args.next(), args.next(), args.next()) else {
        anyhow::bail!("usage: observer-btf-prune BTF KALLSYMS FOLDER");
    };
    prune_symbols(&symbols, &format!("{folder}/kallsyms"))?;
    let output = format!("{folder}/btf.bin");
    let full = Btf::from_file(Path::new(&input))?;
    let bytes = Pruner::new(full.raw()).prune();
    let size = bytes.len();
    let pruned = Btf::parse(bytes.clone()).context("the pruned BTF does not parse")?;
    let lookups = compare(&full, &pruned)?;
    std::fs::write(&output, bytes).with_context(|| format!("cannot write {output}"))?;
    eprintln!("{output}: {size} bytes, {} of {} types, {lookups} look-ups agree", pruned.len(), full.len());
    Ok(())
}

/// Keeps the lines of selected symbols and of their copies made by the compiler (`NAME.SUFFIX`).
fn prune_symbols(input: &str, output: &str) -> Result<()> {
    let full = std::fs::read_to_string(input).with_context(|| format!("cannot read {input}"))?;
    let selected: Vec<&str> = FUNCTIONS.split_whitespace().chain(OTHER_SYMBOLS.split_whitespace()).collect();
    let name = |line: &str| line.split_whitespace().nth(2).map(str::to_owned).unwrap_or_default();
    let kept: Vec<&str> =
        full.lines().filter(|line| name(line).split('.').next().is_some_and(|base| selected.contains(&base))).collect();
    ensure!(!kept.is_empty(), "{input} has none of the selected symbols");
    std::fs::write(output, kept.join("\n") + "\n").with_context(|| format!("cannot write {output}"))?;
    eprintln!("{output}: {} of {} symbols", kept.len(), full.lines().count());
    Ok(())
}

/// Compares all look-ups; their number.
///
/// # Errors
/// When one of them differs.
fn compare(full: &Btf, pruned: &Btf) -> Result<usize> {
    let mut lookups = 0;
    for name in FUNCTIONS.split_whitespace() {
        ensure!(full.function(name) == pruned.function(name), "{name}() differs");
        lookups += 1;
    }
    for (strukt, members) in STRUCTS {
        ensure!(full.struct_size(strukt) == pruned.struct_size(strukt), "the size of {strukt} differs");
        for member in members.split_whitespace() {
            let (a, b) = (full.member_offset(strukt, member), pruned.member_offset(strukt, member));
            ensure!(a == b, "{strukt}.{member} differs: {a:?}, {b:?}");
            lookups += 1;
        }
    }
    for name in ENUMERATORS.split_whitespace() {
        ensure!(full.enum_value(name) == pruned.enum_value(name), "{name} differs");
        lookups += 1;
    }
    Ok(lookups)
}

struct Pruner<'a> {
    raw: &'a Raw,
    /// Structs that are kept, with their selected members.
    selected: HashMap<TypeId, &'static str>,
    types: Vec<Vec<u8>>,
    done: HashMap<(TypeId, bool), u32>,
    strings: Vec<u8>,
    string_offsets: HashMap<String, u32>,
}

impl<'a> Pruner<'a> {
    fn new(raw: &'a Raw) -> Self {
        let mut selected = HashMap::new();
        for (name, members) in STRUCTS {
            let named = |r: &Record| matches!(r.kind, Kind::Struct | Kind::Union) && raw.name(r.name) == Some(name);
            if let Some(record) = raw.records().find(named) {
                selected.insert(record.id, *members);
            }
        }
        Self {
            raw,
            selected,
            types: Vec::new(),
            done: HashMap::new(),
            strings: vec![0],
            string_offsets: HashMap::from([(String::new(), 0)]),
        }
    }

    fn prune(mut self) -> Vec<u8> {
        let enumerators: Vec<&str> = ENUMERATORS.split_whitespace().collect();
        let functions: Vec<&str> = FUNCTIONS.split_whitespace().collect();
        for record in self.raw.records() {
            let name = self.raw.name(record.name).unwrap_or_default();
            let is_kept = match record.kind {
                Kind::Func => functions.contains(&name),
                Kind::Struct | Kind::Union => self.selected.contains_key(&record.id),
                _ => false,
            };
            if is_kept {
                self.keep(record.id, false);
            } else if matches!(record.kind, Kind::Enum | Kind::Enum64) {
                self.keep_enum(record, &enumerators);
            }
        }
        self.finish()
    }

    fn finish(self) -> Vec<u8> {
        let types = self.types.concat();
        let mut out = vec![0x9f, 0xeb, 1, 0];
        for word in [24, 0, types.len(), types.len(), self.strings.len()] {
            out.extend(u32::try_from(word).unwrap_or(u32::MAX).to_le_bytes());
        }
        out.extend(types);
        out.extend(self.strings);
        out
    }

    fn string(&mut self, name: NameOffset) -> u32 {
        let name = self.raw.name(name).unwrap_or_default();
        if let Some(&offset) = self.string_offsets.get(name) {
            return offset;
        }
        let offset = u32::try_from(self.strings.len()).unwrap_or(u32::MAX);
        self.strings.extend(name.bytes().chain([0]));
        self.string_offsets.insert(name.to_owned(), offset);
        offset
    }

    /// Keeps a type and the types it refers to; its new number. `behind_pointer`: only the name is needed if it is a
    /// struct.
    fn keep(&mut self, id: TypeId, behind_pointer: bool) -> u32 {
        // A kind that the reader does not know cannot be rewritten: what refers to it becomes void.
        let Some(record) = self.raw.record(id).filter(|record| record.kind != Kind::Newer) else { return 0 };
        let shallow = behind_pointer && !self.selected.contains_key(&id);
        if let Some(&new) = self.done.get(&(id, shallow)) {
            return new;
        }
        // The number is reserved first, since types refer to each other in cycles.
        self.types.push(Vec::new());
        let new = u32::try_from(self.types.len()).unwrap_or(u32::MAX);
        self.done.insert((id, shallow), new);
        let bytes = self.encode(record, shallow);
        if let Some(slot) = self.types.get_mut(new as usize - 1) {
            *slot = bytes;
        }
        new
    }

    fn encode(&mut self, record: Record, shallow: bool) -> Vec<u8> {
        let name = self.string(record.name);
        let refers = TypeId(record.size_or_type);
        match record.kind {
            Kind::Struct | Kind::Union if shallow && name != 0 => {
                words(&[name, info(Kind::Fwd, 0, record.kind == Kind::Union), 0])
            }
            Kind::Struct | Kind::Union => self.encode_aggregate(record, name),
            Kind::Enum | Kind::Enum64 | Kind::Fwd | Kind::Float => {
                words(&[name, info(record.kind, 0, record.kind_flag), record.size_or_type])
            }
            Kind::Int => {
                let encoding = self.raw.int_encoding(record).unwrap_or_default();
                words(&[name, info(Kind::Int, 0, false), record.size_or_type, encoding])
            }
            Kind::Array => {
                let (element, index, count) = self.raw.array(record).unwrap_or((TypeId(0), TypeId(0), 0));
                let (element, index) = (self.keep(element, shallow), self.keep(index, false));
                words(&[name, info(Kind::Array, 0, false), 0, element, index, count])
            }
            Kind::FuncProto if shallow => words(&[name, info(Kind::FuncProto, 0, false), 0]),
            Kind::FuncProto => self.encode_prototype(record, name),
            Kind::Ptr => {
                let to = self.keep(refers, true);
                words(&[name, info(Kind::Ptr, 0, false), to])
            }
            Kind::Func => {
                let to = self.keep(refers, false);
                words(&[name, info(Kind::Func, record.vlen, false), to])
            }
            _ => {
                let to = self.keep(refers, shallow);
                words(&[name, info(record.kind, 0, record.kind_flag), to])
            }
        }
    }

    fn encode_prototype(&mut self, record: Record, name: u32) -> Vec<u8> {
        let ret = self.keep(TypeId(record.size_or_type), false);
        let mut out = words(&[name, info(Kind::FuncProto, record.vlen, false), ret]);
        for (name, ty) in self.raw.params(record).collect::<Vec<_>>() {
            out.extend(words(&[self.string(name), self.keep(ty, false)]));
        }
        out
    }

    /// A struct with its selected members; an anonymous one has those of the struct around it.
    fn encode_aggregate(&mut self, record: Record, name: u32) -> Vec<u8> {
        let selected = self.selected.get(&record.id).copied().unwrap_or_default();
        let mut members = Vec::new();
        for member in self.raw.members(record).collect::<Vec<_>>() {
            let kept = match self.raw.name(member.name) {
                Some(name) => selected.split_whitespace().any(|member| member == name),
                None => self.inherit(member.ty, selected),
            };
            if kept {
                let offset = if record.kind_flag { member.bits << 24 | member.bit_offset } else { member.bit_offset };
                members.push([self.string(member.name), self.keep(member.ty, false), offset]);
            }
        }
        let vlen = u32::try_from(members.len()).unwrap_or(u32::MAX);
        let mut out = words(&[name, info(record.kind, vlen, record.kind_flag), record.size_or_type]);
        out.extend(words(members.as_flattened()));
        out
    }

    /// Selects members of a nested anonymous struct; whether it or one inside it has any of them.
    fn inherit(&mut self, id: TypeId, selected: &'static str) -> bool {
        let Some(record) = self.raw.record(id) else { return false };
        if record.kind.is_alias() {
            return self.inherit(TypeId(record.size_or_type), selected);
        }
        let mut found = false;
        for member in self.raw.members(record).collect::<Vec<_>>() {
            found |= match self.raw.name(member.name) {
                Some(name) => selected.split_whitespace().any(|member| member == name),
                None => self.inherit(member.ty, selected),
            };
        }
        if found {
            self.selected.insert(record.id, selected);
        }
        found
    }

    fn keep_enum(&mut self, record: Record, selected: &[&str]) {
        let is_selected = |name| self.raw.name(name).is_some_and(|name| selected.contains(&name));
        let kept: Vec<_> = self.raw.enumerators(record).filter(|(name, _)| is_selected(*name)).collect();
        if kept.is_empty() {
            return;
        }
        let vlen = u32::try_from(kept.len()).unwrap_or(u32::MAX);
        let mut out =
            words(&[self.string(record.name), info(record.kind, vlen, record.kind_flag), record.size_or_type]);
        for (name, value) in kept {
            out.extend(words(&[self.string(name)]));
            let width = if record.kind == Kind::Enum { 4 } else { 8 };
            out.extend(value.to_le_bytes().iter().take(width));
        }
        self.types.push(out);
    }
}

fn info(kind: Kind, vlen: u32, flag: bool) -> u32 {
    u32::from(flag) << 31 | (kind as u32) << 24 | vlen
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pruning_a_pruned_kernel_again_changes_no_look_up() {
        let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/../kernel-files/kernels/6.12.117/btf.bin");
        let once = Btf::from_file(Path::new(fixture)).unwrap();
        let twice = Btf::parse(Pruner::new(once.raw()).prune()).unwrap();
        assert!(compare(&once, &twice).unwrap() > 50);
        assert_eq!(twice.len(), once.len());
    }
}
