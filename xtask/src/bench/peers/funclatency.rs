//! `funclatency` of libbpf-tools: one histogram of how long `do_swap_page` takes, and nothing else.

use super::Peer;
use crate::kernels::tools;

/// Its histogram has a line for each power of two: `4096 -> 8191 : 17 |****|`.
pub(super) const PEER: Peer = Peer {
    name: "funclatency do_swap_page",
    tool: tools::FUNCLATENCY,
    input: None,
    prepare: "",
    command: "funclatency do_swap_page",
    links: 2,
    tell: r#"awk '$2 == "->" { calls += $5 } END { print "{\"calls\":" calls + 0 "}" }' /tmp/told"#,
    seen: |told| told.iter().find_map(|value| value.get("calls")?.as_u64()),
};
