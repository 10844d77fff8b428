//! Quotes arguments for a POSIX shell.

/// The command line whose words are exactly `arguments`, byte for byte.
pub(super) fn line(arguments: &[String]) -> String {
    arguments.iter().map(|argument| word(argument)).collect::<Vec<_>>().join(" ")
}

/// One word: inside single quotes only the quote is special.
pub(super) fn word(argument: &str) -> String {
    format!("'{}'", argument.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_shell_returns_every_argument_unchanged() {
        let hard = [
            "",
            " ",
            "a b",
            "it's",
            "''",
            "$HOME `id` \\ \\n",
            "line\nbreak\n",
            "*?[",
            "-n",
            "ü€",
            "a;b|c&d>e",
            "\u{1}\t\r",
        ]
        .map(String::from);
        let script = format!("printf '%s\\0' {}", line(&hard));
        let output = Command::new("sh").arg("-c").arg(script).output().unwrap();
        let expected: String = hard.iter().flat_map(|argument| [argument, "\0"]).collect();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
    }
}
