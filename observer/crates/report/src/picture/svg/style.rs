//! Colours and classes. The colours of spans are those of Okabe and Ito, which colour-blind people can distinguish, on
//! light and dark backgrounds. The span of the stale copy is hatched as well.

use crate::picture::parts::{Fill, Mark};

pub(super) const fn class(fill: Fill) -> &'static str {
    match fill {
        Fill::Fault => "fault",
        Fill::Read => "read",
        Fill::Pin => "pin",
        Fill::Danger => "danger",
        Fill::Old => "old",
        Fill::Free => "free",
        Fill::Allocated => "allocated",
        Fill::New => "new",
    }
}

pub(super) const fn mark_class(mark: Mark) -> &'static str {
    match mark {
        Mark::ReadStart | Mark::ReadEnd => "m-read",
        Mark::PinTaken | Mark::PinFailed | Mark::PinReleased => "m-pin",
        Mark::Freed | Mark::Allocated | Mark::Written => "m-entry",
        Mark::StaleInstalled | Mark::UncertainInstalled => "m-danger",
        Mark::Installed | Mark::Discarded => "m-end",
    }
}

/// Renderers without `@media`, such as most converters, show the light mode.
pub(super) const STYLE: &str = "
text { font-family: ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace; font-size: 12px; fill: #1b1f24; }
.background { fill: #ffffff; stroke: #d0d7de; }
.title { font-size: 20px; font-weight: bold; }
.description { font-family: system-ui, 'DejaVu Sans', Helvetica, Arial, sans-serif; font-size: 14px; }
.name { font-size: 13px; font-weight: bold; }
.reader { fill: #b34f00; }
.dim { fill: #57606a; }
.end { text-anchor: end; }
.tick { fill: #57606a; text-anchor: middle; }
.number { font-size: 11px; font-weight: bold; }
.inside { text-anchor: middle; fill: #1b1f24; }
.danger-text { text-anchor: middle; font-weight: bold; fill: #b34f00; }
.grid { stroke: #d0d7de; }
.zero { stroke: #8c959f; }
.link { stroke: #57606a; stroke-dasharray: 2 3; }
.measure { stroke: #d55e00; stroke-width: 2; }
.band { fill: #d55e00; fill-opacity: 0.10; }
.fault { fill: #afb8c1; }
.read { fill: #0072b2; }
.pin { fill: #009e73; }
.danger { fill: url(#hatch); }
.old { fill: #56b4e9; }
.free { fill: #ffffff; fill-opacity: 0.85; stroke: #57606a; stroke-dasharray: 4 2; }
.allocated { fill: #e69f00; }
.new { fill: #cc79a7; }
.pole { stroke-width: 1.5; }
.m-read { stroke: #0072b2; fill: #0072b2; }
.m-pin { stroke: #009e73; fill: #009e73; }
.m-entry { stroke: #1b1f24; fill: #1b1f24; }
.m-danger { stroke: #d55e00; fill: #d55e00; }
.m-end { stroke: #57606a; fill: #57606a; }
.dot { stroke: #ffffff; }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3; }
.background { fill: #0d1117; stroke: #30363d; }
.dim, .tick { fill: #9198a1; }
.reader, .danger-text { fill: #ff8f3f; }
.inside { fill: #1b1f24; }
.grid { stroke: #30363d; }
.zero { stroke: #6e7681; }
.link { stroke: #9198a1; }
.fault { fill: #484f58; }
.read { fill: #56b4e9; }
.m-read { stroke: #56b4e9; fill: #56b4e9; }
.m-entry { stroke: #e6edf3; fill: #e6edf3; }
.m-end { stroke: #9198a1; fill: #9198a1; }
.dot { stroke: #0d1117; }
}
";
