//! Checks the output of `observer report` and `observer serve` with third-party readers: `check_exports.py`, over the
//! recordings kept as fixtures.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Result;

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
    for recording in RECORDINGS {
        eprintln!("checking the exports of {recording}");
        let mut command = Command::new(&python);
        command
            .arg(tools.join("check_exports.py"))
            .arg(observer)
            .arg(recordings.join(recording))
            .arg("--out")
            .arg(paths::target().join("exports").join(recording));
        process::show(
            &mut command,
            Purpose { what: "checking exports", by_hand: "fix what the lines with FAIL report" },
        )?;
    }
    Ok(())
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
