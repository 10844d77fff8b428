//! The command given with `--`.

use std::{
    ffi::OsString,
    os::unix::{ffi::OsStrExt as _, process::ExitStatusExt as _},
    process::ExitStatus,
};

use observer_text::Name;

/// The exit code as a shell would number it: 128 and more for a signal.
pub fn code(status: ExitStatus) -> i32 {
    match (status.code(), status.signal()) {
        (Some(code), _) => code,
        (None, Some(signal)) => 128 + signal,
        (None, None) => 1,
    }
}

/// The command as a user would type it; arguments are not quoted.
pub fn typed(command: &[OsString]) -> Name {
    let words: Vec<&[u8]> = command.iter().map(|word| word.as_bytes()).collect();
    words.join(&b' ').into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_those_of_a_shell() {
        assert_eq!(code(ExitStatus::from_raw(0)), 0);
        assert_eq!(code(ExitStatus::from_raw(3 << 8)), 3);
        assert_eq!(code(ExitStatus::from_raw(9)), 137);
    }

    #[test]
    fn a_command_is_joined_by_spaces() {
        assert_eq!(typed(&["stress-ng".into(), "--vm".into(), "2".into()]), "stress-ng --vm 2");
        assert_eq!(typed(&[]), "");
    }
}
