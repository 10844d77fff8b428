//! The kernel's types from a file: `--btf`.

use anyhow::anyhow;

use observer_kernel::{facts, survey::SetupOptions};

/// Fails where the file of `--btf` cannot be used. That is an error of the file, not a property of this host.
///
/// # Errors
/// When the file cannot be read, or is no BTF.
pub(super) fn check(options: &SetupOptions) -> anyhow::Result<()> {
    let Some(path) = &options.btf else { return Ok(()) };
    facts::types(path).map(drop).map_err(|error| anyhow!("--btf: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_has_no_types_is_an_error_that_names_it() {
        let check = |path: &str| check(&SetupOptions { btf: Some(path.into()), ..SetupOptions::default() });
        let absent = check("/no/such/btf").unwrap_err();
        assert_eq!(
            absent.to_string(),
            "--btf: cannot read BTF from /no/such/btf: No such file or directory (os error 2)"
        );
        let other = check("/proc/self/status").unwrap_err().to_string();
        assert!(other.starts_with("--btf: /proc/self/status: "), "{other}");
        assert!(super::check(&SetupOptions::default()).is_ok());
    }
}
