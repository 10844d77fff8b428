//! What a kernel module says about itself, in its `.modinfo` section.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use object::{Object as _, ObjectSection as _};

/// The parts of `.modinfo` that loading a module needs. Names use underscores, as the kernel does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModInfo {
    /// The module's name.
    pub name: String,
    /// The kernel that it was built for, as `uname -r` prints it.
    pub kernel: String,
    /// Modules that must be loaded first.
    pub depends: Vec<String>,
    /// Patterns that `request_module` finds it by.
    pub aliases: Vec<String>,
    /// Lines such as `pre: a b post: c`.
    pub softdeps: Vec<String>,
}

impl ModInfo {
    /// Reads the module in `file`.
    pub fn read(file: &Path) -> Result<Self> {
        let bytes = fs::read(file).with_context(|| format!("cannot read module {}", file.display()))?;
        let section = || -> Result<Vec<u8>> {
            let elf = object::File::parse(bytes.as_slice())?;
            let section = elf.section_by_name(".modinfo").context("it has no .modinfo section")?;
            Ok(section.data()?.to_vec())
        };
        let info = section()
            .with_context(|| format!("{} is no kernel module; remove it or fetch the kernel again", file.display()))?;
        let mut info = Self::parse(&info);
        if info.name.is_empty() {
            info.name = underscored(&file.file_stem().unwrap_or_default().to_string_lossy());
        }
        Ok(info)
    }

    /// Reads the section: `key=value`, separated by one or more NULs.
    pub fn parse(section: &[u8]) -> Self {
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
    fn fields_are_read_over_padding() {
        let section = b"softdep=pre: crc32c post: x\0\0\0alias=crypto-lzo-rle\0alias=lzo-rle\0depends=zsmalloc,lz4-compress\0name=lzo_rle\0vermagic=5.10.0-32-cloud-amd64 SMP mod_unload modversions \0novalue\0";
        let info = ModInfo::parse(section);
        assert_eq!(info.name, "lzo_rle");
        assert_eq!(info.kernel, "5.10.0-32-cloud-amd64");
        assert_eq!(info.depends, ["zsmalloc", "lz4_compress"]);
        assert_eq!(info.aliases, ["crypto-lzo-rle", "lzo-rle"]);
        assert_eq!(info.softdeps, ["pre: crc32c post: x"]);
    }

    #[test]
    fn no_dependency_is_an_empty_list() {
        assert_eq!(ModInfo::parse(b"depends=\0"), ModInfo::default());
    }

    #[test]
    fn a_file_that_is_no_module_is_named() {
        let error = ModInfo::read(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))).unwrap_err();
        assert!(format!("{error:#}").contains("Cargo.toml is no kernel module"));
    }
}
