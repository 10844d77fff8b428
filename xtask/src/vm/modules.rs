//! The modules of a guest and the indexes that `modprobe` and the kernel's own `request_module` need to find them.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

use crate::kernels::modinfo::ModInfo;

/// All modules of one kernel, by name.
#[derive(Clone, Debug, Default)]
pub(super) struct ModuleSet {
    modules: BTreeMap<String, (PathBuf, ModInfo)>,
}

impl ModuleSet {
    /// Reads every `*.ko` in `dir`.
    pub(super) fn read(dir: &Path) -> Result<Self> {
        let mut modules = BTreeMap::new();
        for entry in fs::read_dir(dir).with_context(|| format!("cannot read the modules in {}", dir.display()))? {
            let file = entry.with_context(|| format!("cannot read the modules in {}", dir.display()))?.path();
            if file.extension().is_some_and(|end| end == "ko") {
                let info = ModInfo::read(&file)?;
                modules.insert(info.name.clone(), (file, info));
            }
        }
        Ok(Self { modules })
    }

    /// What `uname -r` prints in the guest, which names the modules' folder: "5.10.0-32-cloud-amd64" for release
    /// 5.10.223.
    pub(super) fn kernel(&self) -> Result<&str> {
        let mut names = self.modules.values().map(|(_, info)| info.kernel.as_str());
        let first =
            names.next().context("the kernel has no modules; fetch it again or complete its modules/ folder")?;
        if let Some(other) = names.find(|name| *name != first) {
            bail!("the modules are from two kernels, {first} and {other}; remove those of the other kernel");
        }
        Ok(first)
    }

    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        self.modules.values().map(|(file, _)| file.as_path())
    }

    /// The text of `modules.dep`: `file: dependencies`. modprobe loads from the end, so the first one needed comes
    /// last.
    pub(super) fn dep(&self) -> String {
        let mut text = String::new();
        for (name, (file, _)) in &self.modules {
            let mut needs = Vec::new();
            self.collect(name, &mut needs);
            // Writing into a String cannot fail.
            let _ = write!(text, "{}:", file_name(file));
            for file in needs.iter().filter_map(|need| self.modules.get(*need)).map(|(file, _)| file) {
                let _ = write!(text, " {}", file_name(file));
            }
            text.push('\n');
        }
        text
    }

    /// The text of `modules.alias`.
    pub(super) fn alias(&self) -> String {
        self.lines(|info| info.aliases.iter().map(|alias| format!("alias {alias} {}", info.name)).collect())
    }

    /// The text of `modules.softdep`.
    pub(super) fn softdep(&self) -> String {
        self.lines(|info| info.softdeps.iter().map(|soft| format!("softdep {} {soft}", info.name)).collect())
    }

    fn lines(&self, lines_of: impl Fn(&ModInfo) -> Vec<String>) -> String {
        self.modules.values().flat_map(|(_, info)| lines_of(info)).map(|line| line + "\n").collect()
    }

    /// Appends the dependencies of `name`, each before its own dependencies. A name found again moves to the end,
    /// behind all modules that need it.
    fn collect<'a>(&'a self, name: &str, needs: &mut Vec<&'a str>) {
        let Some((_, info)) = self.modules.get(name) else { return };
        // A dependency without a file is built in, or the kernel reports an unknown symbol.
        for need in info.depends.iter().filter(|need| self.modules.contains_key(*need)) {
            needs.retain(|known| known != need);
            needs.push(need);
            self.collect(need, needs);
        }
    }
}

fn file_name(file: &Path) -> String {
    file.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(modules: &[(&str, &[&str])]) -> ModuleSet {
        let entry = |(file, depends): &(&str, &[&str])| {
            let name = file.replace('-', "_");
            let info = ModInfo {
                name: name.clone(),
                kernel: "1.2.3-x".to_owned(),
                depends: depends.iter().map(ToString::to_string).collect(),
                aliases: vec![format!("crypto-{file}")],
                softdeps: Vec::new(),
            };
            (name, (PathBuf::from(format!("/m/{file}.ko")), info))
        };
        ModuleSet { modules: modules.iter().map(entry).collect() }
    }

    #[test]
    fn dependencies_are_transitive_and_in_reverse_loading_order() {
        let set = set(&[("a", &["b", "c"]), ("b", &["c"]), ("c", &["d"]), ("d", &[])]);
        assert_eq!(set.dep(), "a.ko: b.ko c.ko d.ko\nb.ko: c.ko d.ko\nc.ko: d.ko\nd.ko:\n");
    }

    #[test]
    fn a_shared_dependency_is_loaded_first() {
        let set = set(&[("a", &["c", "b"]), ("b", &["c"]), ("c", &[])]);
        assert!(set.dep().starts_with("a.ko: b.ko c.ko\n"), "{}", set.dep());
    }

    #[test]
    fn a_built_in_dependency_is_not_listed() {
        assert_eq!(set(&[("a", &["builtin"])]).dep(), "a.ko:\n");
    }

    #[test]
    fn aliases_map_to_the_module_name_with_underscores() {
        assert_eq!(set(&[("lzo-rle", &[])]).alias(), "alias crypto-lzo-rle lzo_rle\n");
    }

    #[test]
    fn modules_of_two_kernels_are_refused() {
        let mut set = set(&[("a", &[]), ("b", &[])]);
        assert_eq!(set.kernel().unwrap(), "1.2.3-x");
        set.modules.get_mut("b").unwrap().1.kernel = "4.5.6-y".to_owned();
        assert!(set.kernel().unwrap_err().to_string().contains("4.5.6-y"));
        assert!(ModuleSet::default().kernel().is_err());
    }

    /// Runs only with a folder of local kernels that has this one.
    #[test]
    fn the_dependencies_of_a_real_zram_module_are_found() {
        let folders = std::env::var_os(crate::kernels::FOLDER_VARIABLE).unwrap_or_default();
        let mut modules = std::env::split_paths(&folders).map(|dir| dir.join("5.10.223/modules"));
        let Some(modules) = modules.find(|dir| dir.is_dir()) else { return };
        let set = ModuleSet::read(&modules).unwrap();
        assert_eq!(set.kernel().unwrap(), "5.10.0-32-cloud-amd64");
        assert!(set.dep().lines().any(|line| line == "zram.ko: zsmalloc.ko"), "{}", set.dep());
        assert!(set.dep().lines().any(|line| line == "lz4.ko: lz4_compress.ko"), "{}", set.dep());
        assert!(set.alias().lines().any(|line| line == "alias crypto-lzo-rle lzo_rle"), "{}", set.alias());
    }
}
