//! The command of `--on-finding`: one argument, split into words. No shell is involved, so a finding cannot be part of
//! what is executed.

use std::{
    env,
    ffi::{OsStr, OsString},
    io,
    os::unix::ffi::{OsStrExt as _, OsStringExt as _},
    path::{Path, PathBuf},
};

use observer_text::Name;
use rustix::fs::{Access, access};

/// Words that only a shell understands.
const OPERATORS: [&[u8]; 4] = [b"|", b"||", b"&", b"&&"];
/// Starts of such words.
const REDIRECTIONS: [&[u8]; 3] = [b"<", b">", b"2>"];

/// Where programs are without a `PATH`.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A command as it was given, and its words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CommandLine {
    pub(super) text: Name,
    /// At least one.
    pub(super) words: Vec<OsString>,
}

/// A program that cannot be executed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProgramError {
    #[error("--on-finding: there is no program {0}")]
    Missing(Name),
    #[error("--on-finding: there is no program {0} in the folders of PATH")]
    NotInPath(Name),
    #[error("--on-finding: {0} is not a file")]
    NotAFile(Name),
    #[error("--on-finding: cannot execute {name}")]
    NotExecutable {
        name: Name,
        #[source]
        error: io::Error,
    },
}

impl CommandLine {
    /// Splits a text as a shell does: at spaces, with quotes and backslashes. Nothing else has a meaning, and an operator
    /// of a shell is refused rather than passed to the program.
    pub(crate) fn parse(text: &OsStr) -> Result<Self, String> {
        let bytes = text.as_bytes();
        let words = shlex::bytes::split(bytes).ok_or("a quote is not closed, or a backslash ends it")?;
        match words.first() {
            None => return Err("there is no program in it".to_owned()),
            Some(program) if program.is_empty() => return Err("the name of the program is empty".to_owned()),
            Some(_) => {}
        }
        if words.iter().any(|word| word.contains(&0)) {
            return Err("no argument of a program contains a zero byte".to_owned());
        }
        if let Some(operator) = words.iter().find(|word| is_operator(word) && is_bare(bytes, word)) {
            let operator = Name::from(operator.as_slice());
            return Err(format!("no shell interprets `{operator}`; use sh -c '...', or quote it"));
        }
        Ok(Self { text: text.into(), words: words.into_iter().map(OsString::from_vec).collect() })
    }

    /// The file of the program, found as a shell finds it. Whether it can be executed is known when it is.
    pub(super) fn program(&self) -> Result<PathBuf, ProgramError> {
        let program = self.words.first().map(OsString::as_os_str).unwrap_or_default();
        find(Path::new(program), &env::var_os("PATH").unwrap_or_else(|| DEFAULT_PATH.into()))
    }
}

fn is_operator(word: &[u8]) -> bool {
    OPERATORS.contains(&word) || REDIRECTIONS.iter().any(|start| word.starts_with(start)) || word.ends_with(b";")
}

/// Whether the word stands between spaces, as it is: without quotes.
fn is_bare(text: &[u8], word: &[u8]) -> bool {
    text.split(u8::is_ascii_whitespace).any(|part| part == word)
}

fn find(program: &Path, folders: &OsStr) -> Result<PathBuf, ProgramError> {
    let name = || Name::from(program);
    if program.as_os_str().as_bytes().contains(&b'/') {
        return executable(program)?.ok_or_else(|| ProgramError::Missing(name()));
    }
    let mut refused = None;
    for folder in env::split_paths(folders) {
        match executable(&folder.join(program)) {
            Ok(Some(found)) => return Ok(found),
            Ok(None) => {}
            Err(error) => refused = refused.or(Some(error)),
        }
    }
    Err(refused.unwrap_or_else(|| ProgramError::NotInPath(name())))
}

/// `None`: it does not exist.
fn executable(path: &Path) -> Result<Option<PathBuf>, ProgramError> {
    let Ok(found) = path.metadata() else { return Ok(None) };
    if !found.is_file() {
        return Err(ProgramError::NotAFile(path.into()));
    }
    let refused = |error: io::Error| ProgramError::NotExecutable { name: path.into(), error };
    access(path, Access::EXEC_OK).map_err(|error| refused(error.into()))?;
    // The working folder stays the same, but a relative path is hard to recognise in a message.
    std::path::absolute(path).map(Some).map_err(refused)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::PermissionsExt as _};

    fn words(text: &[u8]) -> Result<Vec<Vec<u8>>, String> {
        let line = CommandLine::parse(OsStr::from_bytes(text))?;
        assert_eq!(line.text.as_bytes(), text);
        Ok(line.words.into_iter().map(OsString::into_vec).collect())
    }

    #[test]
    fn words_are_split_at_spaces_and_quotes_are_removed() {
        let cases: [(&[u8], &[&[u8]]); 8] = [
            (b"notify", &[b"notify"]),
            (b"  a\tb\n c ", &[b"a", b"b", b"c"]),
            (b"sh -c 'echo c >/proc/sysrq-trigger'", &[b"sh", b"-c", b"echo c >/proc/sysrq-trigger"]),
            (br#"a "b 'c' \" \\ \n" d'"'e"#, &[b"a", br#"b 'c' " \ \n"#, br#"d"e"#]),
            (br"a\ b \'", &[b"a b", b"'"]),
            (b"a '' \"\"", &[b"a", b"", b""]),
            (b"a $HOME `id` * ~ {b,c}", &[b"a", b"$HOME", b"`id`", b"*", b"~", b"{b,c}"]),
            (b"/a\xff \xfe", &[b"/a\xff", b"\xfe"]),
        ];
        for (text, expected) in cases {
            assert_eq!(words(text).unwrap(), expected, "{}", Name::from(text));
        }
    }

    #[test]
    fn what_is_no_command_is_refused() {
        for text in ["", "  ", "'' x", "a 'b", "a \"b", "a \\", "# all of it"] {
            assert!(words(text.as_bytes()).is_err(), "{text:?}");
        }
    }

    #[test]
    fn operators_of_a_shell_are_refused_unless_they_are_quoted() {
        for text in ["a | b", "a || b", "a && b", "a ; b", "a &", "a > b", "a >> b", "a 2>&1", "a </b", "a >/b", "a; b"]
        {
            assert!(words(text.as_bytes()).unwrap_err().contains("sh -c"), "{text}");
        }
        for text in
            ["find / -exec x {} ';'", "a \\; b", "sh -c 'a | b'", "a '|' '<x>'", "a>b", "curl http://x/?a=1&b=2"]
        {
            assert!(words(text.as_bytes()).is_ok(), "{text}");
        }
    }

    #[test]
    fn programs_are_found_by_path_and_in_the_folders_of_path() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, mode: u32| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, "#!/bin/sh\n").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            path
        };
        let (first, second, plain) = (file("a/x", 0o644), file("b/x", 0o755), file("a/y", 0o644));
        let folders = env::join_paths([folder.path().join("a"), folder.path().join("b")]).unwrap();
        let in_path = |name: &str| find(Path::new(name), &folders);
        assert_eq!(in_path("x").unwrap(), second, "the first one is not executable");
        assert!(matches!(in_path("y"), Err(ProgramError::NotExecutable { .. })));
        assert!(matches!(in_path("z"), Err(ProgramError::NotInPath(_))));
        assert!(matches!(find(Path::new("x"), OsStr::new("")), Err(ProgramError::NotInPath(_))));
        assert_eq!(find(&second, OsStr::new("")).unwrap(), second);
        for wrong in [&first, &plain] {
            assert!(matches!(find(wrong, &folders), Err(ProgramError::NotExecutable { .. })));
        }
        assert!(matches!(find(folder.path(), &folders), Err(ProgramError::NotAFile(_))));
        assert!(matches!(find(&folder.path().join("none"), &folders), Err(ProgramError::Missing(_))));
    }
}
