//! Findings as CSV (RFC 4180), one per line. The first line names the columns. No cell is a formula to a spreadsheet.

use std::{
    fmt::Display,
    io::{self, Write},
};

use csv::{Terminator, WriterBuilder};

use super::ndjson::{self, Line};
use crate::observed::Observed;
use observer_engine::verdict::Action;

/// Times are nanoseconds. An empty field is unknown, or did not happen.
const COLUMNS: [&str; 29] = [
    "host",
    "release",
    "at_unix_ns",
    "verdict",
    "entry",
    "address",
    "mm",
    "cgroup",
    "reader_comm",
    "reader_pid",
    "reader_tid",
    "start_ns",
    "read_start_ns",
    "read_end_ns",
    "freed_ns",
    "freed_comm",
    "freed_tid",
    "allocated_ns",
    "allocated_comm",
    "allocated_tid",
    "written_ns",
    "end_ns",
    "installed",
    "changes",
    "read_during_write",
    "read_before_change",
    "device",
    "cgroup_path",
    "selection",
];

/// # Errors
/// When the output cannot be written.
pub(super) fn write(parts: &[Observed], out: &mut dyn Write) -> io::Result<()> {
    let mut table = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(out);
    table.write_record(COLUMNS)?;
    for line in ndjson::lines(parts) {
        table.write_record(fields(&line))?;
    }
    table.flush()
}

/// A name as a cell: on one line, and never the start of a formula, which spreadsheets run when they open the file.
fn cell(name: impl Display) -> String {
    let mut text = observer_text::line(&name.to_string()).into_owned();
    // A spreadsheet may cut off white space first.
    if text.trim_start().starts_with(['=', '+', '-', '@']) {
        text.insert(0, '\'');
    }
    text
}

fn fields(line: &Line<'_>) -> [String; COLUMNS.len()] {
    let finding = line.finding;
    let at = |action: &Option<Action>| action.as_ref().map(|action| action.at_ns.to_string()).unwrap_or_default();
    let comm = |action: &Option<Action>| action.as_ref().map(|action| cell(action.by.comm)).unwrap_or_default();
    let tid = |action: &Option<Action>| action.as_ref().map(|action| action.by.tid.to_string()).unwrap_or_default();
    [
        cell(&finding.host),
        cell(line.release),
        finding.at_unix_ns.map(|at| at.to_string()).unwrap_or_default(),
        finding.verdict.code().to_owned(),
        finding.entry.to_string(),
        format!("{:#x}", finding.address),
        finding.mm.to_string(),
        finding.cgroup.to_string(),
        cell(finding.reader.comm),
        finding.reader.pid.to_string(),
        finding.reader.tid.to_string(),
        finding.start_ns.to_string(),
        finding.read_start_ns.to_string(),
        finding.read_end_ns.map(|at| at.to_string()).unwrap_or_default(),
        at(&finding.freed),
        comm(&finding.freed),
        tid(&finding.freed),
        at(&finding.allocated),
        comm(&finding.allocated),
        tid(&finding.allocated),
        at(&finding.written),
        finding.end_ns.to_string(),
        finding.installed.to_string(),
        finding.changes.to_string(),
        finding.read_during_write.to_string(),
        finding.read_before_change.to_string(),
        finding.device.as_ref().map(cell).unwrap_or_default(),
        finding.cgroup_path.as_ref().map(cell).unwrap_or_default(),
        line.selection.as_ref().map(cell).unwrap_or_default(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_is_a_formula() {
        for (name, expected) in [
            ("=1+1", "'=1+1"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@SUM", "'@SUM"),
            (" =1", "' =1"),
            ("\t=1", "\\x09=1"),
            ("\r=1", "\\x0d=1"),
            ("\u{a0}=1", "'\u{a0}=1"),
            ("a=1", "a=1"),
            ("", ""),
        ] {
            assert_eq!(cell(name), expected);
        }
    }
}
