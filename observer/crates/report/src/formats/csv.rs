//! Findings as a table (RFC 4180): one a line, the names of the columns in the first.

use std::{
    borrow::Cow,
    io::{self, Write},
};

use super::ndjson::{self, Line};
use crate::observed::Observed;
use observer_engine::verdict::Action;

/// The columns, in order. Times are nanoseconds; an empty field is not known, or has not happened.
pub const COLUMNS: [&str; 26] = [
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
];

/// Writes the table.
///
/// # Errors
/// When the output cannot be written.
pub fn write(parts: &[Observed], out: &mut dyn Write) -> io::Result<()> {
    row(out, COLUMNS.iter().map(|name| (*name).to_owned()))?;
    for line in ndjson::lines(parts) {
        row(out, fields(&line).into_iter())?;
    }
    Ok(())
}

fn fields(line: &Line<'_>) -> [String; COLUMNS.len()] {
    let finding = line.finding;
    let at = |action: &Option<Action>| action.as_ref().map(|action| action.at_ns.to_string()).unwrap_or_default();
    let comm = |action: &Option<Action>| action.as_ref().map(|action| action.by.comm.to_string()).unwrap_or_default();
    let tid = |action: &Option<Action>| action.as_ref().map(|action| action.by.tid.to_string()).unwrap_or_default();
    [
        line.host.to_owned(),
        line.release.to_owned(),
        line.at_unix_ns.to_string(),
        finding.verdict.name().to_owned(),
        finding.entry.to_string(),
        format!("{:#x}", finding.address),
        format!("{:#x}", finding.mm),
        finding.cgroup.to_string(),
        finding.reader.comm.to_string(),
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
    ]
}

fn row(out: &mut dyn Write, fields: impl Iterator<Item = String>) -> io::Result<()> {
    let line: Vec<String> = fields.map(|field| quoted(&field).into_owned()).collect();
    write!(out, "{}\r\n", line.join(","))
}

/// A field; in quotes if it has anything in it that means something between fields. Task names can hold any byte.
fn quoted(field: &str) -> Cow<'_, str> {
    if field.contains([',', '"', '\r', '\n']) {
        Cow::Owned(format!("\"{}\"", field.replace('"', "\"\"")))
    } else {
        Cow::Borrowed(field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_that_would_break_the_table_are_quoted() {
        assert_eq!(quoted("java"), "java");
        assert_eq!(quoted("a,b"), "\"a,b\"");
        assert_eq!(quoted("say \"x\"\n"), "\"say \"\"x\"\"\n\"");
    }
}
