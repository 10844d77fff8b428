//! Selects the modules of a kernel that guests need.

/// Prefixes of module names (with underscores) that guests need: swap devices, compressors, block and virtio devices.
/// Their dependencies are kept as well.
const SELECTED: &[&str] = &[
    "842",
    "brd",
    "btt",
    "configfs",
    "crypto_acompress",
    "dax_pmem",
    "deflate",
    "device_dax",
    "fuse",
    "libnvdimm",
    "loop",
    "lz4",
    "lzo",
    "nd_",
    "null_blk",
    "pmem",
    "squashfs",
    "virtio_balloon",
    "virtio_blk",
    "virtio_console",
    "virtio_mem",
    "virtio_pci",
    "virtio_pmem",
    "virtio_ring",
    "virtio_scsi",
    "virtiofs",
    "z3fold",
    "zbud",
    "zpool",
    "zram",
    "zsmalloc",
    "zstd",
];

pub(super) fn is_selected(name: &str) -> bool {
    let name = name.replace('-', "_");
    name == "virtio" || SELECTED.iter().any(|prefix| name.starts_with(prefix))
}

/// The name of the module in a file called `file`; None if it is not a module.
pub(super) fn module_name(file: &str) -> Option<&str> {
    file.strip_suffix(".ko").or_else(|| file.strip_suffix(".ko.xz"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn swap_devices_and_compressors_are_selected() {
        for name in [
            "zram",
            "brd",
            "lzo-rle",
            "lzo",
            "lz4",
            "lz4hc",
            "lz4_compress",
            "zstd",
            "deflate",
            "842",
            "nd_pmem",
            "virtio",
        ] {
            assert!(is_selected(name), "{name}");
        }
    }

    #[test]
    fn other_devices_and_file_systems_are_not_selected() {
        for name in ["virtio_gpu", "virtio_net", "btrfs", "xfs", "e1000"] {
            assert!(!is_selected(name), "{name}");
        }
    }

    #[test]
    fn module_files_are_recognised() {
        assert_eq!(module_name("lzo-rle.ko"), Some("lzo-rle"));
        assert_eq!(module_name("zram.ko.xz"), Some("zram"));
        assert_eq!(module_name("modules.dep"), None);
    }
}
