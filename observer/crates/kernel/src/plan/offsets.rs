//! Offsets in the kernel's structs.

use serde::Serialize;

use super::{PlanError, evidence::Evidence, missing::Layout};

/// Byte offsets and bit numbers, set as globals of the programs. Named after the kernel's members.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Offsets {
    pub vmf_orig_pte: u32,
    pub vmf_address: u32,
    pub vmf_vma: u32,
    pub vma_mm: u32,
    pub page_flags: u32,
    pub page_private: u32,
    /// From the head page; 0: unknown, large folios count as one page.
    pub page_order: u32,
    pub pg_swapcache: u32,
    pub pg_head: u32,
    pub pg_uptodate: u32,
    /// Of `type` in `struct swap_info_struct`; 0: unknown. This and the next three are needed only where the hooks on
    /// frees get the area instead of the entry.
    pub si_type: u32,
    /// Of `cluster_info` in it; 0: unknown.
    pub si_clusters: u32,
    /// Size of `struct swap_cluster_info`; 0: unknown.
    pub cluster_bytes: u32,
    /// Entries in a cluster (`SWAPFILE_CLUSTER`); 0: unknown.
    pub cluster_entries: u32,
    pub task_pid: u32,
    pub task_tgid: u32,
    /// Of `owner` in `struct mm_struct`; 0: it has none (`CONFIG_MEMCG` is off).
    pub mm_owner: u32,
    /// Whether programs may copy kernel memory.
    pub copy: bool,
}

impl Offsets {
    /// Whether this part of the kernel's structs is known.
    pub(super) const fn know(&self, layout: Layout) -> bool {
        let areas = self.si_type != 0;
        match layout {
            Layout::AreaNumber => areas,
            Layout::Clusters => areas && self.si_clusters != 0 && self.cluster_bytes != 0 && self.cluster_entries != 0,
            Layout::Unknown => false,
        }
    }
}

/// Finds them in the BTF.
pub(super) fn find(evidence: &Evidence<'_>) -> Result<Offsets, PlanError> {
    let btf = evidence.btf;
    let member = |strukt: &str, member: &str| {
        btf.member_offset(strukt, member)
            .map(|found| found.offset_bytes)
            .ok_or_else(|| PlanError::NoMember(format!("{strukt}.{member}")))
    };
    let flag = |name: &str| {
        btf.enum_value(name)
            .and_then(|value| u32::try_from(value).ok())
            .filter(|bit| *bit < 64)
            .ok_or_else(|| PlanError::NoMember(name.to_owned()))
    };
    Ok(Offsets {
        vmf_orig_pte: member("vm_fault", "orig_pte")?,
        vmf_address: member("vm_fault", "address")?,
        vmf_vma: member("vm_fault", "vma")?,
        vma_mm: member("vm_area_struct", "vm_mm")?,
        page_flags: member("page", "flags")?,
        page_private: member("page", "private")?,
        page_order: if evidence.copy { page_order(evidence) } else { 0 },
        pg_swapcache: flag("PG_swapcache")?,
        pg_head: flag("PG_head")?,
        pg_uptodate: flag("PG_uptodate")?,
        si_type: member("swap_info_struct", "type").unwrap_or(0),
        si_clusters: member("swap_info_struct", "cluster_info").unwrap_or(0),
        cluster_bytes: btf.struct_size("swap_cluster_info").unwrap_or(0),
        // One word for each entry (mm/swap_table.h, 6.18 on).
        cluster_entries: btf.struct_size("swap_table").map_or(0, |bytes| bytes / 8),
        task_pid: member("task_struct", "pid")?,
        task_tgid: member("task_struct", "tgid")?,
        mm_owner: member("mm_struct", "owner").unwrap_or(0),
        copy: evidence.copy,
    })
}

/// The byte that holds a compound page's order, counted from the head page: the low byte of `folio._flags_1` (6.6 on),
/// `folio._folio_order` (6.1), or `compound_order` of the first tail page.
fn page_order(evidence: &Evidence<'_>) -> u32 {
    let btf = evidence.btf;
    let offset = |strukt, member| btf.member_offset(strukt, member).map(|found| found.offset_bytes);
    offset("folio", "_folio_order")
        .or_else(|| offset("page", "compound_order").zip(btf.struct_size("page")).map(|(at, size)| at + size))
        .or_else(|| offset("folio", "_flags_1"))
        .unwrap_or(0)
}
