//! `observer record`: no display, a summary at the end.

use std::io::{self, Write as _};

use super::{Planned, printed};
use crate::{
    cli::RecordArgs,
    exit::Exit,
    export::{json, summary::Summary, text},
    setup,
};

/// Observes, then prints the summary.
///
/// # Errors
/// [`setup::Refusal`] when this host does not allow it; else I/O errors.
pub fn run(args: &RecordArgs) -> anyhow::Result<Exit> {
    let planned = Planned::new(setup::prepare(args.observe.backend)?, &args.observe, args.json);
    let outcome = planned.run(None, &mut ())?;
    let host = &planned.ready.host;
    let summary = Summary::new(&host.release.text, host.tick_ns, &planned.ready.plan, &outcome)
        .with_widener(planned.options.widen.map(|widen| widen.ns), &outcome)
        .with_command(&args.observe.cmd, &outcome);
    let exit = summary.exit();
    let result = if args.json {
        json::print(&summary)
    } else {
        io::stdout().lock().write_all(text::summary(&summary).as_bytes())
    };
    printed(result, exit)
}
