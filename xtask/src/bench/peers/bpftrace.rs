//! bpftrace with the script that is nearest to observer.

use super::{peer::Peer, tool};

const IN_GUEST: &str = "/equivalent.bt";

/// bpftrace holds a link for each program of the script, except for a kretprobe.
pub(super) const PEER: Peer = Peer {
    name: "bpftrace, the nearest equivalent",
    tool: tool::BPFTRACE,
    input: Some((SCRIPT, IN_GUEST)),
    prepare: FIT,
    command: "bpftrace -f json /tmp/fit.bt",
    links: 3,
    convert: "cat /tmp/output",
    count: |values| values.iter().find_map(|value| value.pointer("/data/@frees")?.as_u64()),
};

const SCRIPT: &str = include_str!("equivalent.bt");

/// Sets the probes that depend on the kernel: 6.12 and later, or earlier.
const FIT: &str = "\
    if grep -q ' swap_free_nr$' /proc/kallsyms; then \
    prepared=fexit:vmlinux:swapcache_prepare freed=fentry:vmlinux:swap_free_nr; else \
    prepared=kretprobe:swapcache_prepare freed='fexit:vmlinux:__swap_entry_free_locked /(uint8)retval == 0/'; fi\n\
    sed -e \"s|^PREPARED|$prepared|\" -e \"s|^FREED|$freed|\" /equivalent.bt >/tmp/fit.bt";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_script_has_the_placeholders_that_the_guest_replaces() {
        for word in ["\nPREPARED\n", "\nFREED\n"] {
            assert_eq!(SCRIPT.matches(word).count(), 1, "{word:?}");
            assert!(FIT.contains(&format!("^{}|", word.trim())));
        }
        assert!(FIT.contains(IN_GUEST));
    }

    #[test]
    fn pages_are_counted_by_frees() {
        let values = [json!({"data": {"probes": 4}}), json!({"type": "map", "data": {"@frees": 9}})];
        assert_eq!((PEER.count)(&values), Some(9));
        assert_eq!((PEER.count)(&values[..1]), None);
    }
}
