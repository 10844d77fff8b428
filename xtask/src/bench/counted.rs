//! Guests that count instructions: a guest nanosecond is one, so figures are the same in every run.

use std::{path::Path, time::Duration};

use anyhow::{Context as _, Result, bail};
use serde::de::DeserializeOwned;

use crate::{
    kernels::Kernel,
    vm::{Guest, GuestFile, Output},
};

/// A guest for one script.
pub(super) struct Counted<'a> {
    /// What it boots.
    pub(super) kernel: &'a Kernel,
    /// The static observer.
    pub(super) observer: &'a Path,
    /// Copied into it.
    pub(super) files: Vec<GuestFile>,
    /// Memory in MiB.
    pub(super) mem: u32,
    /// What becomes an error when it takes longer.
    pub(super) limit: Duration,
}

impl<'a> Counted<'a> {
    /// With 1 GiB, 10 minutes, and nothing but observer.
    pub(super) const fn new(kernel: &'a Kernel, observer: &'a Path) -> Self {
        Self { kernel, observer, files: Vec::new(), mem: 1_024, limit: Duration::from_mins(10) }
    }

    /// Runs a shell script; what it wrote to standard output, which is a row of JSON values.
    ///
    /// # Errors
    /// When the guest could not be run to its end, the script failed, or that is not what it wrote.
    pub(super) fn run<T: DeserializeOwned>(&self, script: &str) -> Result<Vec<T>> {
        let name = &self.kernel.release;
        let guest = Guest {
            smp: 1,
            icount: true,
            mem: self.mem,
            observer: Some(self.observer.to_owned()),
            files: self.files.clone(),
            output: Output::Capture,
            timeout: Some(self.limit),
            ..Guest::new(self.kernel.clone())
        };
        let outcome = guest.run(&["sh".to_owned(), "-c".to_owned(), script.to_owned()])?;
        if outcome.code != 0 {
            let stderr = String::from_utf8_lossy(&outcome.stderr);
            bail!("the benchmark on {name} ended with exit code {}: {}", outcome.code, stderr.trim());
        }
        values(&outcome.stdout).with_context(|| format!("the benchmark on {name} gave no figures"))
    }
}

/// The values of a stream of JSON.
fn values<T: DeserializeOwned>(stream: &[u8]) -> Result<Vec<T>> {
    Ok(serde_json::Deserializer::from_slice(stream).into_iter().collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_follow_each_other() {
        assert_eq!(values::<u32>(b"1\n2 3").unwrap(), [1, 2, 3]);
        assert!(values::<u32>(b"1\nno").is_err() && values::<u32>(b"{").is_err());
    }
}
