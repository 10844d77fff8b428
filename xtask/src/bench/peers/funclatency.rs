//! `funclatency` of libbpf-tools: a histogram of the duration of `do_swap_page`.

use super::{peer::Peer, tool};

/// Its histogram has a line for each power of two: `4096 -> 8191 : 17 |****|`.
pub(super) const PEER: Peer = Peer {
    name: "funclatency do_swap_page",
    tool: tool::FUNCLATENCY,
    input: None,
    prepare: "",
    command: "funclatency do_swap_page",
    links: 2,
    convert: r#"awk '$2 == "->" { calls += $5 } END { print "{\"calls\":" calls + 0 "}" }' /tmp/output"#,
    count: |values| values.iter().find_map(|value| value.get("calls")?.as_u64()),
};
