//! Guests that count instructions: a guest nanosecond is an instruction, so figures are the same in every run.

use std::{path::Path, time::Duration};

use anyhow::{Context as _, Result, bail};
use serde::de::DeserializeOwned;

use crate::{
    kernels::Kernel,
    vm::{Guest, GuestFile, Output},
};

/// The settings of such a guest.
pub(crate) struct Counted<'a> {
    pub(super) kernel: &'a Kernel,
    /// Path of the static observer.
    pub(super) observer: &'a Path,
    pub(super) files: Vec<GuestFile>,
    /// Memory in MiB.
    pub(super) mem: u32,
    pub(super) limit: Duration,
}

impl<'a> Counted<'a> {
    /// 1 GiB of memory, a limit of 10 minutes, no other files than observer.
    pub(crate) const fn new(kernel: &'a Kernel, observer: &'a Path) -> Self {
        Self { kernel, observer, files: Vec::new(), mem: 1_024, limit: Duration::from_mins(10) }
    }

    /// Runs a shell script that prints JSON values, one after the other.
    ///
    /// # Errors
    /// When the guest does not run to its end, the script fails, or it prints something else.
    pub(super) fn run<T: DeserializeOwned>(&self, script: &str) -> Result<Vec<T>> {
        let release = &self.kernel.release;
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
            bail!("the benchmark on {release} ended with exit code {}: {}", outcome.code, stderr.trim());
        }
        values(&outcome.stdout).with_context(|| format!("cannot read the output of the benchmark on {release}"))
    }
}

fn values<T: DeserializeOwned>(stream: &[u8]) -> Result<Vec<T>> {
    Ok(serde_json::Deserializer::from_slice(stream).into_iter().collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_of_values_is_parsed() {
        assert_eq!(values::<u32>(b"1\n2 3").unwrap(), [1, 2, 3]);
        assert!(values::<u32>(b"1\nno").is_err());
        assert!(values::<u32>(b"{").is_err());
    }
}
