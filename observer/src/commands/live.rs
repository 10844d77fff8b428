//! `observer live`: the dashboard, or without a terminal a line per second and each finding; a summary at the end.

use super::{
    output,
    prepared::Prepared,
    progress::{Progress, print_line},
};
use crate::{cli::LiveArgs, dashboard::terminal, reactions::Reactions};
use observer_observation::exit::Exit;
use observer_report::{formats::text, summary::Summary, words};

/// # Errors
/// [`ConfigError`](crate::config::ConfigError) when the configuration of the dashboard cannot be used;
/// [`Refusal`](observer_kernel::survey::Refusal) when this host does not allow it;
/// [`ProgramError`](crate::reactions::ProgramError) when the command of `--on-finding` cannot be executed; otherwise an
/// I/O error.
pub(crate) fn run(args: &LiveArgs) -> anyhow::Result<Exit> {
    let mut reactions = Reactions::new(&args.observe.reactions)?;
    let settings = terminal::is_there().then(|| args.dashboard.settings()).transpose()?;
    let prepared = Prepared::new(&args.observe, false)?;
    let outcome = if let Some(settings) = settings {
        prepared.run_with_dashboard(settings, None, &mut reactions)?
    } else {
        eprintln!(
            "observer: no terminal for the dashboard on standard output, or none to read keys from: progress lines \
             instead; `observer record -o FILE` keeps all events"
        );
        let (context, hooks) = (prepared.context(), prepared.ready.plan.hooks.len());
        let kernel = &context.kernel;
        print_line(&format!("{}, {}; attaching {hooks} programs ...", kernel.release, words::state(kernel.state)));
        prepared.run(&context, None, &mut (&mut reactions, &mut Progress::with_findings()))?
    };
    let summary = Summary::new(&outcome);
    output::print(text::summary(&summary))?;
    Ok(summary.exit())
}
