//! `observer serve`: observes, and shows the numbers to whoever asks over HTTP.

use std::{
    io::{self, Write as _},
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};

use super::{Planned, printed, report::observed, runtime};
use crate::{
    cli::ServeArgs,
    serve::{Ask, Asks, Server},
    session::{SessionObserver, View},
};
use observer_observation::{Known, clock::now, exit::Exit};
use observer_probe::setup;
use observer_report::{
    formats::{
        openmetrics::{self, ServeCost},
        text,
    },
    observed::Observed,
    summary::Summary,
};

/// Serves until it is told to stop, then prints the summary.
///
/// # Errors
/// [`Refusal`] when this host does not allow it; else I/O errors.
pub(crate) fn run(args: &ServeArgs) -> anyhow::Result<Exit> {
    if let Some(path) = &args.replay {
        let observed = observed(path)?;
        return runtime()?.block_on(serve_recording(args, &observed));
    }
    let planned = Planned::new(setup::prepare(&args.observe.options())?, &args.observe, false)?;
    let context = planned.context();
    let outcome = runtime()?.block_on(async {
        let (server, asks) = bind(args).await?;
        let mut clerk = Clerk { asks, own: ServeCost::default(), refused: server.refused() };
        tokio::spawn(server.run());
        planned.observe(&context, None, &mut clerk).await
    })?;
    let summary = Summary::new(&outcome);
    printed(io::stdout().lock().write_all(text::summary(&summary).as_bytes()), summary.exit())
}

async fn bind(args: &ServeArgs) -> anyhow::Result<(Server, Asks)> {
    let (server, asks) = Server::bind(args.listen)
        .await
        .with_context(|| format!("cannot listen on {}: choose another --listen", args.listen))?;
    eprintln!("serving http://{}/metrics", server.address()?);
    if !args.listen.ip().is_loopback() {
        eprintln!("observer: {} is not loopback: whoever reaches it can read it", args.listen.ip());
    }
    Ok((server, asks))
}

/// A recording stands still: every page is the same.
async fn serve_recording(args: &ServeArgs, observed: &Observed) -> anyhow::Result<Exit> {
    let (server, asks) = bind(args).await?;
    let mut clerk = Clerk { asks, own: ServeCost::default(), refused: server.refused() };
    tokio::spawn(server.run());
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    loop {
        tokio::select! {
            _ = term.recv() => return Ok(Exit::Clean),
            _ = int.recv() => return Ok(Exit::Clean),
            Some(ask) = clerk.asks.recv() => clerk.answer(ask, &mut || observed.clone()),
        }
    }
}

/// Answers whoever asks.
struct Clerk {
    asks: Asks,
    own: ServeCost,
    refused: Arc<AtomicU64>,
}

impl Clerk {
    fn answer(&mut self, ask: Ask, observed: &mut dyn FnMut() -> Observed) {
        let start = now();
        let page = match ask.dialect {
            None => String::new(),
            Some(dialect) => {
                self.own.scrapes += 1;
                self.own.refused = self.refused.load(Ordering::Relaxed);
                let page = openmetrics::page(&observed(), &self.own, dialect);
                self.own.scrape_ns += now().saturating_sub(start);
                page
            }
        };
        // Who has gone away does not need it.
        let _ = ask.reply.send(page);
    }
}

impl SessionObserver for Clerk {
    fn tick(&mut self, view: &View<'_>) -> ControlFlow<()> {
        while let Ok(ask) = self.asks.try_recv() {
            self.answer(ask, &mut || Observed::new(Known::from(view)));
        }
        ControlFlow::Continue(())
    }
}
