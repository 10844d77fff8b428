//! `cargo xtask mutants`: seeds one mistake after another into the engine, and sees whether its tests notice.

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

/// Seeds the mutations of observer/crates/engine/tests/mutations.txt into a copy of the engine, one at a time: each must make a test
/// fail. Takes a minute or so for each.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only mutations whose name contains this.
    only: Option<String>,
}

/// One seeded mistake.
#[derive(Debug, PartialEq, Eq)]
struct Mutation {
    name: String,
    file: String,
    from: String,
    to: String,
}

const LIST: &str = "observer/crates/engine/tests/mutations.txt";
const ENGINE: &str = "observer/crates/engine/src";

/// The engine's tests. The longest walks of the model come last, and only if all others pass.
const TESTS: &[&[&str]] = &[
    &["--lib", "--", "--skip", "model::tests"],
    &["--test", "scenarios"],
    &["--test", "disorder"],
    &["--test", "memory"],
    &["--lib", "model::tests"],
];

/// Tries the mutations.
///
/// # Errors
/// When the list or the copy is not as it should be. A mutation that no test notices is told and makes the exit code 1.
pub fn run(args: &Args) -> Result<u8> {
    let root = paths::workspace();
    let text = fs::read_to_string(root.join(LIST)).with_context(|| format!("reading {LIST}"))?;
    let mut mutations = parse(&text)?;
    mutations.retain(|mutation| args.only.as_ref().is_none_or(|only| mutation.name.contains(only.as_str())));
    ensure!(!mutations.is_empty(), "no mutation of that name in {LIST}");
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
        let Some(mutation) = mutations.last_mut() else { bail!("{LIST}: a detail before any name: {line}") };
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

/// `source` with the mutation in it.
fn mutate(source: &str, mutation: &Mutation) -> Result<String> {
    let places = source.matches(&mutation.from).count();
    let Mutation { name, file, from, to } = mutation;
    ensure!(places == 1, "{name}: {file} has {places} places with `{from}`, not one; mend {LIST}");
    Ok(source.replacen(from, to, 1))
}

/// A copy of the workspace, with a target folder of its own so that nothing is built twice.
struct Copy {
    root: PathBuf,
    original: PathBuf,
    target: PathBuf,
}

impl Copy {
    fn of(original: &Path) -> Result<Self> {
        let folder = paths::target().join("mutants");
        let copy = Self { root: folder.join("tree"), original: original.to_owned(), target: folder.join("target") };
        // Anew: a file that has been renamed since would stay.
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
        process::read(command.arg(&copy.root), Purpose { what, by_hand: "make room under target/" })?;
        for file in fs::read_dir(original.join(ENGINE))? {
            let file = file?;
            if file.file_type()?.is_file() {
                // What an earlier run was stopped in the middle of is newer than its original, so it would count as built.
                let to = copy.file(&file.file_name().to_string_lossy());
                fs::copy(file.path(), &to).with_context(|| format!("writing {}", to.display()))?;
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
            // A mutation that does not even build would prove nothing.
            let mut build = self.cargo();
            build.args(tests.iter().take(if tests.contains(&"--lib") { 1 } else { 2 })).arg("--no-run");
            process::read(&mut build, Purpose { what: "building the engine's tests", by_hand: "mend the mutation" })?;
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
        // A warning about what the mutation left unused is no matter.
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
    fn every_seeded_mutation_has_its_place() {
        let root = paths::workspace();
        let mutations = parse(&fs::read_to_string(root.join(LIST)).unwrap()).unwrap();
        assert!(mutations.len() >= 10);
        for mutation in mutations {
            let source = fs::read_to_string(root.join(ENGINE).join(&mutation.file)).unwrap();
            assert_ne!(mutate(&source, &mutation).unwrap(), source, "{}", mutation.name);
        }
    }

    #[test]
    fn a_list_with_holes_is_refused() {
        assert!(parse("  verdict.rs\n").is_err());
        assert!(parse("name\n  verdict.rs\n  - a\n").unwrap_err().to_string().contains("lacks"));
    }
}
