//! How another tool is run during the workload, and how its output is read.

use serde_json::Value;

use super::tool::Tool;

pub(super) struct Peer {
    /// Name of its row.
    pub(super) name: &'static str,
    pub(super) tool: Tool,
    /// A file for the guest: content and path.
    pub(super) input: Option<(&'static str, &'static str)>,
    /// Shell commands that run before it.
    pub(super) prepare: &'static str,
    /// Shell command that runs until SIGINT.
    pub(super) command: &'static str,
    /// Number of BPF links that it holds once it is attached.
    pub(super) links: u32,
    /// Shell command that turns its output, /tmp/output, into JSON.
    pub(super) convert: &'static str,
    /// The number of swapped-in pages that it counted, from that JSON.
    pub(super) count: fn(&[Value]) -> Option<u64>,
}
