//! `observer serve`: observes, and answers HTTP requests for metrics.

use std::{
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use anyhow::Context as _;

use super::{output, prepared::Prepared, report::observed, runtime::runtime};
use crate::{
    cli::ServeArgs,
    reactions::Reactions,
    serve::{Request, Requests, Server},
    session::{Observer, View},
    signals::StopSignals,
};
use observer_observation::{Known, clock::now, exit::Exit};
use observer_report::{
    formats::{
        openmetrics::{self, ServeCost},
        text,
    },
    observed::Observed,
    summary::Summary,
};

/// Serves until a signal arrives or the observation ends, then prints the summary.
///
/// # Errors
/// [`Refusal`](observer_kernel::survey::Refusal) when this host does not allow it;
/// [`ProgramError`](crate::reactions::ProgramError) when the command of `--on-finding` cannot be executed; otherwise an
/// I/O error.
pub(crate) fn run(args: &ServeArgs) -> anyhow::Result<Exit> {
    if let Some(path) = &args.replay {
        let observed = observed(path)?;
        return runtime()?.block_on(serve_recording(args, &observed));
    }
    let mut reactions = Reactions::new(&args.observe.reactions)?;
    let prepared = Prepared::new(&args.observe, false)?;
    let context = prepared.context();
    let outcome = runtime()?.block_on(async {
        let mut exporter = start(args).await?;
        let mut outcome = prepared.observe(&context, None, &mut (&mut exporter, &mut reactions)).await?;
        reactions.ended(&mut outcome).await;
        anyhow::Ok(outcome)
    })?;
    let summary = Summary::new(&outcome);
    output::print(text::summary(&summary))?;
    Ok(summary.exit())
}

/// Binds the address and starts the server.
async fn start(args: &ServeArgs) -> anyhow::Result<Exporter> {
    let (server, requests) = Server::bind(args.listen)
        .await
        .with_context(|| format!("cannot listen on {}; choose another address with --listen", args.listen))?;
    eprintln!("serving http://{}/metrics", server.address()?);
    if !args.listen.ip().is_loopback() {
        eprintln!(
            "observer: {} is not a loopback address: every host that reaches it can read the metrics",
            args.listen.ip()
        );
    }
    let exporter = Exporter { requests, cost: ServeCost::default(), refused: server.refused() };
    tokio::spawn(server.run());
    Ok(exporter)
}

/// Serves a recording, whose metrics do not change.
async fn serve_recording(args: &ServeArgs, observed: &Observed) -> anyhow::Result<Exit> {
    let mut exporter = start(args).await?;
    let mut stops = StopSignals::new()?;
    loop {
        tokio::select! {
            () = stops.any() => return Ok(Exit::Clean),
            Some(request) = exporter.requests.recv() => exporter.answer(request, &mut || observed.clone()),
        }
    }
}

/// Answers the requests that the server forwards.
struct Exporter {
    requests: Requests,
    cost: ServeCost,
    refused: Arc<AtomicU64>,
}

impl Exporter {
    fn answer(&mut self, request: Request, observed: &mut dyn FnMut() -> Observed) {
        let start = now();
        let page = match request.dialect {
            None => String::new(),
            Some(dialect) => {
                self.cost.scrapes += 1;
                self.cost.refused = self.refused.load(Ordering::Relaxed);
                let page = openmetrics::text(&observed(), &self.cost, dialect);
                self.cost.scrape_ns += now().saturating_sub(start);
                page
            }
        };
        // The client may have closed the connection.
        let _ = request.reply.send(page);
    }
}

impl Observer for Exporter {
    fn tick(&mut self, view: &View<'_>) -> ControlFlow<()> {
        while let Ok(request) = self.requests.try_recv() {
            self.answer(request, &mut || Observed::new(Known::from(view)));
        }
        ControlFlow::Continue(())
    }
}
