//! Which modules of a kernel a guest needs.

/// Prefixes of module names (with underscores) worth keeping: swap devices, compressors, block and virtio devices.
/// What these depend on is kept as well.
const WANTED: &[&str] = &[
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

/// Whether a guest wants the module `name` for its own sake.
pub(super) fn wanted(name: &str) -> bool {
    let name = name.replace('-', "_");
    name == "virtio" || WANTED.iter().any(|prefix| name.starts_with(prefix))
}

/// The module's name of a file called `file`, and whether it is compressed; None if it is no module.
pub(super) fn module_name(file: &str) -> Option<(&str, bool)> {
    file.strip_suffix(".ko").map(|name| (name, false)).or_else(|| file.strip_suffix(".ko.xz").map(|name| (name, true)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn swap_devices_and_all_compressors_are_wanted() {
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
            assert!(wanted(name), "{name}");
        }
    }

    #[test]
    fn the_rest_stays_out() {
        for name in ["virtio_gpu", "virtio_net", "btrfs", "xfs", "e1000"] {
            assert!(!wanted(name), "{name}");
        }
    }

    #[test]
    fn module_files_are_told_from_others() {
        assert_eq!(module_name("lzo-rle.ko"), Some(("lzo-rle", false)));
        assert_eq!(module_name("zram.ko.xz"), Some(("zram", true)));
        assert_eq!(module_name("modules.dep"), None);
    }
}
