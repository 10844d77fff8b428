//! The order of Debian versions, without epochs: kernels have none.

use std::cmp::Ordering;

/// The upstream part: "6.1.192" of "6.1.192-2".
pub(crate) fn upstream(version: &str) -> &str {
    version.rsplit_once('-').map_or(version, |(upstream, _)| upstream)
}

/// `left` compared with `right`, as deb-version(7) defines it.
pub(crate) fn compare(left: &str, right: &str) -> Ordering {
    let revision = |version| str::rsplit_once(version, '-').map_or("", |(_, revision)| revision);
    compare_part(upstream(left), upstream(right)).then_with(|| compare_part(revision(left), revision(right)))
}

/// Compares text and numbers in turn.
fn compare_part(mut left: &str, mut right: &str) -> Ordering {
    while !(left.is_empty() && right.is_empty()) {
        let (texts, numbers);
        (texts, left, right) =
            (compare_text(text(left), text(right)), after(left, text(left)), after(right, text(right)));
        if texts.is_ne() {
            return texts;
        }
        (numbers, left, right) =
            (compare_numbers(digits(left), digits(right)), after(left, digits(left)), after(right, digits(right)));
        if numbers.is_ne() {
            return numbers;
        }
    }
    Ordering::Equal
}

/// The text before the first digit.
fn text(part: &str) -> &str {
    part.split(|c: char| c.is_ascii_digit()).next().unwrap_or_default()
}

/// The digits at the start.
fn digits(part: &str) -> &str {
    part.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default()
}

fn after<'a>(part: &'a str, start: &str) -> &'a str {
    part.strip_prefix(start).unwrap_or_default()
}

/// A tilde sorts before the end, the end before letters, letters before the rest.
fn compare_text(left: &str, right: &str) -> Ordering {
    let weight = |text: &str, at: usize| match text.chars().nth(at) {
        Some('~') => (0, '~'),
        None => (1, ' '),
        Some(c) if c.is_ascii_alphabetic() => (2, c),
        Some(c) => (3, c),
    };
    let length = left.chars().count().max(right.chars().count());
    (0..length)
        .map(|at| weight(left, at).cmp(&weight(right, at)))
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

/// Compares numbers of any length; none is 0.
fn compare_numbers(left: &str, right: &str) -> Ordering {
    let (left, right) = (left.trim_start_matches('0'), right.trim_start_matches('0'));
    left.len().cmp(&right.len()).then_with(|| left.cmp(right))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_as_dpkg_orders_them() {
        for (older, newer) in [
            ("6.1.9-1", "6.1.192-1"),
            ("6.1.192-2", "6.1.192-10"),
            ("6.12.117-1~deb12u1", "6.12.117-1"),
            ("6.19.6-2~bpo13+1", "6.19.8-1~bpo13+1"),
            ("7.3~rc4-1~exp1", "7.3-1"),
            ("6.19.14-1~bpo13+1", "6.19.14-1~bpo13+2"),
            ("6.1.192-1a", "6.1.192-1+b1"),
            ("6.1.99-1", "6.1.100-1"),
        ] {
            assert_eq!(compare(older, newer), Ordering::Less, "{older} {newer}");
            assert_eq!(compare(newer, older), Ordering::Greater, "{newer} {older}");
            assert_eq!(compare(newer, newer), Ordering::Equal, "{newer}");
        }
        assert_eq!(compare("6.01-1", "6.1-1"), Ordering::Equal);
    }

    #[test]
    fn the_upstream_part_ends_at_the_last_dash() {
        assert_eq!(upstream("6.1.192-2"), "6.1.192");
        assert_eq!(upstream("7.3~rc4-1~exp1"), "7.3~rc4");
        assert_eq!(upstream("7.3"), "7.3");
    }
}
