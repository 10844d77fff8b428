use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

/// Starts a server whose pages are the requested dialect.
async fn start() -> (SocketAddr, Arc<AtomicU64>) {
    let (server, mut requests) = Server::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let (address, refused) = (server.address().unwrap(), server.refused());
    tokio::spawn(server.run());
    tokio::spawn(async move {
        while let Some(request) = requests.recv().await {
            let _ = request.reply.send(format!("{:?}\n", request.dialect));
        }
    });
    (address, refused)
}

async fn get(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The server may close the connection before the request is complete.
    let _ = stream.write_all(request.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

fn in_runtime(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

#[test]
fn only_the_two_routes_exist() {
    in_runtime(async {
        let (address, _) = start().await;
        let open = get(
            address,
            "GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: application/openmetrics-text;version=1.0.0\r\n\r\n",
        );
        let open = open.await;
        assert!(open.starts_with("HTTP/1.1 200 OK"), "{open}");
        assert!(open.contains("application/openmetrics-text"), "{open}");
        assert!(open.ends_with("Some(OpenMetrics)\n"));
        let old = get(address, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert!(old.contains("version=0.0.4"), "{old}");
        assert!(old.ends_with("Some(Prometheus)\n"), "{old}");
        assert!(get(address, "GET /healthz HTTP/1.0\r\n\r\n").await.ends_with("ok\n"));
        for path in ["/", "/metrics/", "/metricsx", "/../metrics", "/debug/pprof"] {
            let answer = get(address, &format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")).await;
            assert!(answer.starts_with("HTTP/1.1 404"), "{path}: {answer}");
        }
        let post = get(address, "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n").await;
        assert!(post.starts_with("HTTP/1.1 405"), "{post}");
    });
}

#[test]
fn the_header_accept_chooses_the_format() {
    in_runtime(async {
        let (address, _) = start().await;
        let with = |headers: &'static str| get(address, headers);
        let excluded =
            "GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: text/plain;q=1, application/openmetrics-text;q=0\r\n\r\n";
        assert!(with(excluded).await.ends_with("Some(Prometheus)\n"));
        let two = "GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: text/plain;q=0.1\r\n\
                   Accept: application/openmetrics-text;q=0.2\r\n\r\n";
        assert!(with(two).await.ends_with("Some(OpenMetrics)\n"));
        let none = with("GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: */*;q=0\r\n\r\n").await;
        assert!(none.starts_with("HTTP/1.1 406") && none.contains("text/plain"), "{none}");
        assert!(with("GET /healthz HTTP/1.1\r\nHost: x\r\nAccept: */*;q=0\r\n\r\n").await.ends_with("ok\n"));
    });
}

#[test]
fn malformed_and_long_requests_are_refused() {
    in_runtime(async {
        let (address, _) = start().await;
        let long = format!("GET /metrics HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "y".repeat(2 * MAX_REQUEST_BYTES));
        let answer = get(address, &long).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
        let answer = get(address, "\u{1}\u{2}\r\n\r\n").await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{answer}");
        assert!(
            get(address, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.ends_with("ok\n"),
            "the server still answers"
        );
    });
}

#[test]
fn connections_above_the_limit_are_refused_and_idle_ones_are_closed() {
    in_runtime(async {
        let (address, refused) = start().await;
        let mut idle = Vec::new();
        for _ in 0..MAX_CONNECTIONS {
            idle.push(TcpStream::connect(address).await.unwrap());
        }
        // Until the server has accepted them.
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(get(address, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await, "");
        assert_eq!(refused.load(Ordering::Relaxed), 1);
        let mut end = Vec::new();
        timeout(2 * CONNECTION_LIMIT, idle[0].read_to_end(&mut end))
            .await
            .expect("an idle connection is closed")
            .unwrap();
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(get(address, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.ends_with("ok\n"));
    });
}

#[test]
fn a_request_without_an_answer_gets_503() {
    in_runtime(async {
        let (server, requests) = Server::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = server.address().unwrap();
        tokio::spawn(server.run());
        let answer = get(address, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
        drop(requests);
    });
}
