//! Metrics over HTTP: two routes, few connections, short timeouts. The server forwards each request over a channel to
//! the task that has the metrics.

mod accept;

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
    Method, Response, StatusCode,
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

/// Concurrent connections; further ones are closed immediately and counted.
const MAX_CONNECTIONS: usize = 16;
/// Limit of a request line with its headers.
const MAX_REQUEST_BYTES: usize = 16 << 10;
/// Limit of a connection, from the first byte to the last. It serves one request.
const CONNECTION_LIMIT: Duration = Duration::from_secs(10);
/// Limit of an answer, ten times the usual duration.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);

/// A request for the metrics.
#[derive(Debug)]
pub(crate) struct Request {
    /// `None`: a health check, which needs no metrics.
    pub(crate) dialect: Option<Dialect>,
    pub(crate) reply: oneshot::Sender<String>,
}

pub(crate) type Requests = mpsc::Receiver<Request>;

/// A server that is bound and does not serve yet.
#[derive(Debug)]
pub(crate) struct Server {
    listener: TcpListener,
    requests: mpsc::Sender<Request>,
    refused: Arc<AtomicU64>,
}

impl Server {
    /// Binds the address. The receiver must be read and its requests answered.
    ///
    /// # Errors
    /// When the address is in use or not available.
    pub(crate) async fn bind(address: SocketAddr) -> std::io::Result<(Self, Requests)> {
        let listener = TcpListener::bind(address).await?;
        let (sender, requests) = mpsc::channel(MAX_CONNECTIONS);
        Ok((Self { listener, requests: sender, refused: Arc::default() }, requests))
    }

    pub(crate) fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// The number of connections that were refused.
    pub(crate) fn refused(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.refused)
    }

    pub(crate) async fn run(self) {
        let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        loop {
            let Ok((stream, _)) = self.listener.accept().await else {
                // Probably out of descriptors, which other connections will release.
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            let Ok(permit) = Arc::clone(&permits).try_acquire_owned() else {
                self.refused.fetch_add(1, Ordering::Relaxed);
                continue;
            };
            let requests = self.requests.clone();
            tokio::spawn(async move {
                // An error of a connection concerns only its client.
                let _ = timeout(CONNECTION_LIMIT, serve(stream, requests)).await;
                drop(permit);
            });
        }
    }
}

async fn serve(stream: TcpStream, requests: mpsc::Sender<Request>) -> Result<(), hyper::Error> {
    let service = service_fn(move |request| {
        let requests = requests.clone();
        async move { Ok::<_, Infallible>(answer(&request, &requests).await) }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(CONNECTION_LIMIT)
        .max_buf_size(MAX_REQUEST_BYTES)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service)
        .await
}

async fn answer(request: &hyper::Request<Incoming>, requests: &mpsc::Sender<Request>) -> Response<Full<Bytes>> {
    let accept: Vec<&str> = request.headers().get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    match route(request.method(), request.uri().path(), &accept.join(",")) {
        Route::Page(dialect) => match ask(requests, Some(dialect)).await {
            Some(page) => response(StatusCode::OK, dialect.content_type(), page),
            None => plain(StatusCode::SERVICE_UNAVAILABLE, "the observation does not answer\n"),
        },
        Route::Health => match ask(requests, None).await {
            Some(_) => plain(StatusCode::OK, "ok\n"),
            None => plain(StatusCode::SERVICE_UNAVAILABLE, "the observation does not answer\n"),
        },
        Route::NotAcceptable => plain(
            StatusCode::NOT_ACCEPTABLE,
            "the metrics are in application/openmetrics-text or text/plain, and the request excludes both\n",
        ),
        Route::WrongMethod => {
            let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are allowed\n");
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            response
        }
        Route::None => plain(StatusCode::NOT_FOUND, "not found: /metrics and /healthz exist\n"),
    }
}

/// The page; `None`: not within the limit.
async fn ask(requests: &mpsc::Sender<Request>, dialect: Option<Dialect>) -> Option<String> {
    let (reply, page) = oneshot::channel();
    requests.try_send(Request { dialect, reply }).ok()?;
    timeout(ANSWER_LIMIT, page).await.ok()?.ok()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Route {
    Page(Dialect),
    /// The client accepts none of the formats.
    NotAcceptable,
    Health,
    WrongMethod,
    None,
}

fn route(method: &Method, path: &str, accept: &str) -> Route {
    let route = match path {
        "/metrics" => accept::dialect(accept).map_or(Route::NotAcceptable, Route::Page),
        "/healthz" => Route::Health,
        _ => return Route::None,
    };
    if method == Method::GET || method == Method::HEAD { route } else { Route::WrongMethod }
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
