//! bpftrace: a script that is the nearest equivalent of observer.

use super::Peer;
use crate::kernels::tools;

/// Where the guest finds the script.
const IN_GUEST: &str = "/equivalent.bt";

/// Each of the script's programs is a link that bpftrace holds, but for a kretprobe.
pub(super) const PEER: Peer = Peer {
    name: "bpftrace, the nearest equivalent",
    tool: tools::BPFTRACE,
    input: Some((SCRIPT, IN_GUEST)),
    prepare: FIT,
    command: "bpftrace -f json /tmp/fit.bt",
    links: 3,
    tell: "cat /tmp/told",
    seen: |told| told.iter().find_map(|value| value.pointer("/data/@frees")?.as_u64()),
};

const SCRIPT: &str = include_str!("equivalent.bt");

/// Puts in the script what this kernel has: from 6.12 on, and before.
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
    fn the_script_has_the_words_that_the_guest_replaces() {
        for word in ["\nPREPARED\n", "\nFREED\n"] {
            assert_eq!(SCRIPT.matches(word).count(), 1, "{word:?}");
            assert!(FIT.contains(&format!("^{}|", word.trim())));
        }
        assert!(FIT.contains(IN_GUEST));
    }

    #[test]
    fn what_it_has_seen_is_what_it_counted() {
        let told = [json!({"data": {"probes": 4}}), json!({"type": "map", "data": {"@frees": 9}})];
        assert_eq!(((PEER.seen)(&told), (PEER.seen)(&told[..1])), (Some(9), None));
    }
}
