//! `cargo xtask mutants`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context as _, Result, bail, ensure};

use crate::{
    paths,
    process::{self, Purpose},
};

/// Check that the engine's tests catch seeded mistakes
///
/// Applies the mutations in observer/crates/engine/tests/mutations.txt to a copy of the engine, one at a time. Each
/// must make a test fail. Takes about a minute for each.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only mutations whose name contains this text
    only: Option<String>,
}

#[derive(Debug, PartialEq, Eq)]
struct Mutation {
    name: String,
    file: String,
    from: String,
    to: String,
}

const LIST: &str = "observer/crates/engine/tests/mutations.txt";
const ENGINE: &str = "observer/crates/engine/src";
/// The model of the hooks, from there.
const MODEL: &str = "../tests/model/";

/// The engine's tests. The walks of the model take longest and come last.
const TESTS: &[&[&str]] =
    &[&["--lib"], &["--test", "scenarios"], &["--test", "disorder"], &["--test", "memory"], &["--test", "model"]];

/// # Errors
/// When the list is malformed, or the tests fail without a mutation. A mutation that survives makes the exit code 1.
pub(crate) fn run(args: &Args) -> Result<u8> {
    let root = paths::workspace();
    let text = fs::read_to_string(root.join(LIST)).with_context(|| format!("reading {LIST}"))?;
    let mut mutations = parse(&text)?;
    mutations.retain(|mutation| args.only.as_ref().is_none_or(|only| mutation.name.contains(only.as_str())));
    ensure!(!mutations.is_empty(), "{LIST} has no mutation with this name");
    let copy = Copy::of(&root)?;
    if let Some(failed) = copy.first_failure()? {
        bail!("the tests fail without any mutation: cargo test {failed}");
    }
    let mut survived = 0;
    for mutation in &mutations {
        let started = Instant::now();
        copy.seed(mutation)?;
        let failed = copy.first_failure();
        copy.restore(&mutation.file)?;
        let seconds = started.elapsed().as_secs();
        if let Some(failed) = failed? {
            println!("caught    {} ({failed}; {seconds} s)", mutation.name);
        } else {
            println!("SURVIVED  {} ({}; {seconds} s)", mutation.name, mutation.file);
            survived += 1;
        }
    }
    println!("{} mutations, {survived} survived", mutations.len());
    Ok(u8::from(survived > 0))
}

fn parse(text: &str) -> Result<Vec<Mutation>> {
    let mut mutations: Vec<Mutation> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()) {
        let Some(detail) = line.strip_prefix("  ") else {
            let blank = || String::new();
            mutations.push(Mutation { name: line.to_owned(), file: blank(), from: blank(), to: blank() });
            continue;
        };
        let Some(mutation) = mutations.last_mut() else { bail!("{LIST}: this line is before the first name: {line}") };
        let (field, text) = match (detail.strip_prefix("- "), detail.strip_prefix("+ ")) {
            (Some(from), _) => (&mut mutation.from, from),
            (None, Some(to)) => (&mut mutation.to, to),
            (None, None) => (&mut mutation.file, detail),
        };
        text.clone_into(field);
    }
    for mutation in &mutations {
        let whole = !mutation.file.is_empty() && !mutation.from.is_empty() && !mutation.to.is_empty();
        ensure!(whole, "{LIST}: {} lacks its file, its - or its + line", mutation.name);
    }
    Ok(mutations)
}

/// `source` with the mutation.
fn mutate(source: &str, mutation: &Mutation) -> Result<String> {
    let count = source.matches(&mutation.from).count();
    let Mutation { name, file, from, to } = mutation;
    ensure!(count == 1, "{name}: {file} has `{from}` {count} times, not once; correct {LIST}");
    Ok(source.replacen(from, to, 1))
}

/// A copy of the workspace with a separate target folder, so that neither invalidates the other's builds.
struct Copy {
    root: PathBuf,
    original: PathBuf,
    target: PathBuf,
}

impl Copy {
    fn of(original: &Path) -> Result<Self> {
        let folder = paths::target().join("mutants");
        let copy = Self { root: folder.join("tree"), original: original.to_owned(), target: folder.join("target") };
        // A renamed file would stay in an old copy.
        if copy.root.exists() {
            fs::remove_dir_all(&copy.root).with_context(|| format!("removing {}", copy.root.display()))?;
        }
        fs::create_dir_all(&copy.root).with_context(|| format!("making {}", copy.root.display()))?;
        let what = "copying the workspace";
        let mut command = Command::new("cp");
        command.args(["--recursive", "--preserve=timestamps"]);
        for part in ["Cargo.toml", "Cargo.lock", "rust-toolchain.toml", ".cargo", "observer", "observer-ebpf", "xtask"]
        {
            if original.join(part).exists() {
                command.arg(original.join(part));
            }
        }
        process::read(command.arg(&copy.root), Purpose { what, by_hand: "free disk space under target/" })?;
        for folder in ["", MODEL] {
            for file in fs::read_dir(original.join(ENGINE).join(folder))? {
                let file = file?;
                if file.file_type()?.is_file() {
                    // The target folder may have a build of a mutation from a run that was stopped, which is newer than
                    // the original: a copy with the current time is rebuilt.
                    let to = copy.file(&format!("{folder}{}", file.file_name().to_string_lossy()));
                    fs::copy(file.path(), &to).with_context(|| format!("writing {}", to.display()))?;
                }
            }
        }
        Ok(copy)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.root.join(ENGINE).join(name)
    }

    fn seed(&self, mutation: &Mutation) -> Result<()> {
        let file = self.file(&mutation.file);
        let source = fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
        fs::write(&file, mutate(&source, mutation)?).with_context(|| format!("writing {}", file.display()))
    }

    fn restore(&self, name: &str) -> Result<()> {
        let source = fs::read(self.original.join(ENGINE).join(name)).with_context(|| format!("reading {name}"))?;
        let file = self.file(name);
        fs::write(&file, source).with_context(|| format!("writing {}", file.display()))
    }

    /// The first of the tests that fails.
    fn first_failure(&self) -> Result<Option<String>> {
        for tests in TESTS {
            // A mutation that does not compile is not a test of the tests.
            let mut build = self.cargo();
            build.args(tests.iter().take(if tests.contains(&"--lib") { 1 } else { 2 })).arg("--no-run");
            process::read(
                &mut build,
                Purpose { what: "building the engine's tests", by_hand: "correct the mutation" },
            )?;
            let mut test = self.cargo();
            test.args(*tests).stdout(Stdio::null()).stderr(Stdio::null());
            let status = test.stdin(Stdio::null()).status().context("running cargo test")?;
            if !status.success() {
                return Ok(Some(tests.join(" ")));
            }
        }
        Ok(None)
    }

    fn cargo(&self) -> Command {
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command
            .args(["test", "--package", "observer-engine", "--quiet"])
            .current_dir(&self.root)
            .env("CARGO_TARGET_DIR", &self.target);
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mutation_applies_to_its_file() {
        let root = paths::workspace();
        let mutations = parse(&fs::read_to_string(root.join(LIST)).unwrap()).unwrap();
        assert!(mutations.len() >= 10);
        for mutation in mutations {
            let source = fs::read_to_string(root.join(ENGINE).join(&mutation.file)).unwrap();
            assert_ne!(mutate(&source, &mutation).unwrap(), source, "{}", mutation.name);
        }
    }

    #[test]
    fn an_incomplete_mutation_is_refused() {
        assert!(parse("  verdict.rs\n").is_err());
        assert!(parse("name\n  verdict.rs\n  - a\n").unwrap_err().to_string().contains("lacks"));
    }
}
