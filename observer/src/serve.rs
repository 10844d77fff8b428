//! The page of numbers over HTTP: two routes, few connections, short patience. Knows neither the kernel nor files: pages
//! are asked for on a channel, and whoever holds the numbers answers.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{ACCEPT, ALLOW, CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, mpsc, oneshot},
    time::timeout,
};

use observer_report::formats::openmetrics::Dialect;

/// Connections served at once; more are closed at once and counted.
pub(crate) const CONNECTIONS: usize = 16;
/// Bytes of a request's line and headers at most.
pub(crate) const REQUEST_BYTES: usize = 16 << 10;
/// How long one connection may take, from first to last byte. It serves one request.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
/// How long the observation may take to answer: ten times as long as it does.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// Somebody wants a page.
#[derive(Debug)]
pub(crate) struct Ask {
    /// In which dialect; `None`: only whether anybody is there.
    pub(crate) dialect: Option<Dialect>,
    /// Where to send it.
    pub(crate) reply: oneshot::Sender<String>,
}

/// Where pages are asked for.
pub(crate) type Asks = mpsc::Receiver<Ask>;

/// A server that is bound and does not serve yet.
#[derive(Debug)]
pub(crate) struct Server {
    listener: TcpListener,
    asks: mpsc::Sender<Ask>,
    refused: Arc<AtomicU64>,
}

impl Server {
    /// Takes the address. Whoever holds the other end answers.
    ///
    /// # Errors
    /// When the address cannot be had.
    pub(crate) async fn bind(address: SocketAddr) -> std::io::Result<(Self, Asks)> {
        let listener = TcpListener::bind(address).await?;
        let (asks, answers) = mpsc::channel(CONNECTIONS);
        Ok((Self { listener, asks, refused: Arc::default() }, answers))
    }

    /// The address taken.
    ///
    /// # Errors
    /// When the system does not tell.
    pub(crate) fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Counts connections that were refused.
    pub(crate) fn refused(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.refused)
    }

    /// Serves for ever.
    pub(crate) async fn run(self) {
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let Ok((stream, _)) = self.listener.accept().await else {
                // Out of descriptors, most likely: those in use are given back soon.
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                self.refused.fetch_add(1, Ordering::Relaxed);
                continue;
            };
            let asks = self.asks.clone();
            tokio::spawn(async move {
                // Whatever goes wrong on a connection is the client's affair.
                let _ = timeout(PATIENCE, serve(stream, asks)).await;
                drop(place);
            });
        }
    }
}

async fn serve(stream: TcpStream, asks: mpsc::Sender<Ask>) -> Result<(), hyper::Error> {
    let service = service_fn(move |request| {
        let asks = asks.clone();
        async move { Ok::<_, Infallible>(answer(&request, &asks).await) }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .max_buf_size(REQUEST_BYTES)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service)
        .await
}

async fn answer(request: &Request<Incoming>, asks: &mpsc::Sender<Ask>) -> Response<Full<Bytes>> {
    let accept = request.headers().get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match route(request.method(), request.uri().path(), accept) {
        Route::Page(dialect) => match ask(asks, Some(dialect)).await {
            Some(page) => response(StatusCode::OK, dialect.content_type(), page),
            None => plain(StatusCode::SERVICE_UNAVAILABLE, "the observation does not answer\n"),
        },
        Route::Health => match ask(asks, None).await {
            Some(_) => plain(StatusCode::OK, "ok\n"),
            None => plain(StatusCode::SERVICE_UNAVAILABLE, "the observation does not answer\n"),
        },
        Route::WrongMethod => {
            let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "GET or HEAD\n");
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            response
        }
        Route::None => plain(StatusCode::NOT_FOUND, "/metrics or /healthz\n"),
    }
}

/// Asks whoever holds the numbers.
async fn ask(asks: &mpsc::Sender<Ask>, dialect: Option<Dialect>) -> Option<String> {
    let (reply, page) = oneshot::channel();
    asks.try_send(Ask { dialect, reply }).ok()?;
    timeout(ANSWER_WITHIN, page).await.ok()?.ok()
}

/// What is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Route {
    Page(Dialect),
    Health,
    WrongMethod,
    None,
}

fn route(method: &Method, path: &str, accept: &str) -> Route {
    let route = match path {
        "/metrics" => Route::Page(dialect(accept)),
        "/healthz" => Route::Health,
        _ => return Route::None,
    };
    if method == Method::GET || method == Method::HEAD { route } else { Route::WrongMethod }
}

/// Who can read OpenMetrics says so.
fn dialect(accept: &str) -> Dialect {
    if accept.contains("application/openmetrics-text") { Dialect::OpenMetrics } else { Dialect::Prometheus }
}

fn plain(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    response(status, "text/plain; charset=utf-8", text)
}

fn response(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

#[cfg(test)]
mod tests;
