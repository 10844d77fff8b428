//! Reads the `.modinfo` section of a kernel module.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use object::{Object as _, ObjectSection as _};

/// The parts of `.modinfo` that loading a module needs. Names use underscores, as the kernel does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ModInfo {
    pub(crate) name: String,
    /// The kernel that it was built for, as `uname -r` prints it.
    pub(crate) kernel: String,
    /// Modules that must be loaded first.
    pub(crate) depends: Vec<String>,
    /// Patterns that `request_module` finds it by.
    pub(crate) aliases: Vec<String>,
    /// Lines such as `pre: a b post: c`.
    pub(crate) softdeps: Vec<String>,
}

impl ModInfo {
    pub(crate) fn read(file: &Path) -> Result<Self> {
        let bytes = fs::read(file).with_context(|| format!("cannot read module {}", file.display()))?;
        let section = || -> Result<Vec<u8>> {
            let elf = object::File::parse(bytes.as_slice())?;
            let section = elf.section_by_name(".modinfo").context("it has no .modinfo section")?;
            Ok(section.data()?.to_vec())
        };
        let info = section().with_context(|| {
            format!("{} is not a kernel module; remove it or fetch the kernel again", file.display())
        })?;
        let mut info = Self::parse(&info);
        if info.name.is_empty() {
            info.name = underscored(&file.file_stem().unwrap_or_default().to_string_lossy());
        }
        Ok(info)
    }

    /// Parses the section: `key=value` fields, separated by one or more NULs.
    pub(crate) fn parse(section: &[u8]) -> Self {
        let text = String::from_utf8_lossy(section);
        let mut info = Self::default();
        for (key, value) in text.split('\0').filter_map(|field| field.split_once('=')) {
            match key {
                "name" => info.name = underscored(value),
                "vermagic" => info.kernel = value.split(' ').map(str::to_owned).next().unwrap_or_default(),
                "depends" => info.depends.extend(value.split(',').filter(|name| !name.is_empty()).map(underscored)),
                "alias" => info.aliases.push(value.to_owned()),
                "softdep" => info.softdeps.push(value.to_owned()),
                _ => {}
            }
        }
        info
    }
}

fn underscored(name: &str) -> String {
    name.replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_between_fields_is_skipped() {
        let section = b"softdep=pre: crc32c post: x\0\0\0alias=crypto-lzo-rle\0alias=lzo-rle\0\
            depends=zsmalloc,lz4-compress\0name=lzo_rle\0\
            vermagic=5.10.0-32-cloud-amd64 SMP mod_unload modversions \0novalue\0";
        let info = ModInfo::parse(section);
        assert_eq!(info.name, "lzo_rle");
        assert_eq!(info.kernel, "5.10.0-32-cloud-amd64");
        assert_eq!(info.depends, ["zsmalloc", "lz4_compress"]);
        assert_eq!(info.aliases, ["crypto-lzo-rle", "lzo-rle"]);
        assert_eq!(info.softdeps, ["pre: crc32c post: x"]);
    }

    #[test]
    fn an_empty_depends_field_gives_no_dependencies() {
        assert_eq!(ModInfo::parse(b"depends=\0"), ModInfo::default());
    }

    #[test]
    fn a_file_that_is_not_a_module_is_named_in_the_error() {
        let error = ModInfo::read(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))).unwrap_err();
        assert!(format!("{error:#}").contains("Cargo.toml is not a kernel module"));
    }
}
