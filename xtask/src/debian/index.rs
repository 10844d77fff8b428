//! The kernel packages in the package index of a suite.

/// A package that apt can download.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Package {
    pub(crate) name: String,
    /// Debian version: "6.1.192-2".
    pub(crate) version: String,
    /// The relations of `Depends:`, as they are written.
    pub(crate) depends: String,
}

/// The packages in `text`, stanzas as `apt-cache dumpavail` prints them, whose names start with `prefix`. Incomplete
/// stanzas are left out.
pub(super) fn parse(text: &str, prefix: &str) -> Vec<Package> {
    let start = format!("Package: {prefix}");
    text.split("\n\n").filter(|stanza| stanza.trim_start().starts_with(&start)).filter_map(package).collect()
}

fn package(stanza: &str) -> Option<Package> {
    let field = |name: &str| {
        let value = |line: &'_ str| line.strip_prefix(name)?.strip_prefix(':').map(|value| value.trim().to_owned());
        stanza.lines().find_map(value)
    };
    Some(Package { name: field("Package")?, version: field("Version")?, depends: field("Depends").unwrap_or_default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
Package: linux-image-6.12.117+deb13-amd64
Version: 6.12.117-1
Depends: kmod, linux-base
Description: Linux

Package: zlib1g
Version: 1.3
Description: not a kernel
 Package: linux-no

Package: linux-source-6.1
Version: 6.1.192-3

Package: linux-broken
";

    #[test]
    fn packages_are_read_by_their_start() {
        let named = |name: &str, version: &str, depends: &str| Package {
            name: name.to_owned(),
            version: version.to_owned(),
            depends: depends.to_owned(),
        };
        let image = named("linux-image-6.12.117+deb13-amd64", "6.12.117-1", "kmod, linux-base");
        assert_eq!(parse(TEXT, "linux-"), [image.clone(), named("linux-source-6.1", "6.1.192-3", "")]);
        assert_eq!(parse(TEXT, "linux-image-"), [image]);
        assert!(parse("", "linux-").is_empty());
    }
}
