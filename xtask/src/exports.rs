//! Checks the output of `observer report` and `observer serve` with third-party readers: `check_exports.py`, over the
//! recordings kept as fixtures, and one whose slices do not nest by themselves.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use crate::{
    paths,
    process::{self, Purpose},
    setup::{EXPORTS, Verbosity, ensure},
};

const RECORDINGS: &[&str] = &["v1.obs", "v1-storm-5.10.obs", "v1.1-locks-7.3.obs"];

/// # Errors
/// When a check fails, or a reader cannot be installed.
pub(crate) fn check(observer: &Path) -> Result<()> {
    ensure(EXPORTS, Verbosity::Changes)?;
    let python = environment()?;
    let tools = paths::workspace().join("observer/tests/tools");
    let recordings = paths::workspace().join("observer/crates/testing/recordings/files");
    let out = paths::target().join("exports");
    let recordings = RECORDINGS.iter().map(|name| recordings.join(name)).chain([overlapping_waits(&out)?]);
    for recording in recordings {
        let name = recording.file_name().unwrap_or_default();
        eprintln!("checking the exports of {}", name.display());
        let mut command = Command::new(&python);
        command
            .arg(tools.join("check_exports.py"))
            .arg(observer)
            .arg(&recording)
            .arg("--out")
            .arg(out.join(recording.with_extension("").file_name().unwrap_or_default()));
        process::show(
            &mut command,
            Purpose { what: "checking exports", by_hand: "fix what the lines with FAIL report" },
        )?;
    }
    Ok(())
}

/// Writes a recording into a folder; its path.
fn overlapping_waits(out: &Path) -> Result<PathBuf> {
    let path = out.join("overlapping-waits.obs");
    fs::create_dir_all(out).with_context(|| format!("cannot make {}", out.display()))?;
    let mut cargo = Command::new("cargo");
    cargo.args(["run", "--quiet", "--package", "observer-recordings", "--bin", "overlapping-waits"]).arg(&path);
    process::read(&mut cargo, Purpose { what: "writing a recording", by_hand: "read the output of cargo" })?;
    Ok(path)
}

/// Makes a Python environment under target/ with the packages that read the formats; the path of its interpreter.
fn environment() -> Result<PathBuf> {
    let dir = paths::target().join("exports-python");
    let python = dir.join("bin/python");
    let requirements = paths::workspace().join("observer/tests/tools/requirements.txt");
    if !python.exists() {
        let purpose = Purpose { what: "making a Python environment", by_hand: "install python3-venv" };
        process::read(Command::new("python3").args(["-m", "venv"]).arg(&dir), purpose)?;
    }
    let purpose = Purpose {
        what: "installing the Python packages that read exports",
        by_hand: "pip install -r observer/tests/tools/requirements.txt in target/exports-python",
    };
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"]).arg(requirements);
    process::read(&mut pip, purpose)?;
    Ok(python)
}
