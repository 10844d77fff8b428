use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

/// A server whose pages say which dialect was asked for; returns its address.
async fn start() -> (SocketAddr, Arc<AtomicU64>) {
    let (server, mut asks) = Server::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let (address, refused) = (server.address().unwrap(), server.refused());
    tokio::spawn(server.run());
    tokio::spawn(async move {
        while let Some(ask) = asks.recv().await {
            let _ = ask.reply.send(format!("{:?}\n", ask.dialect));
        }
    });
    (address, refused)
}

async fn get(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // A server that has had enough closes while we still write.
    let _ = stream.write_all(request.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

fn in_runtime(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

#[test]
fn two_routes_and_no_other() {
    in_runtime(async {
        let (address, _) = start().await;
        let open = get(
            address,
            "GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: application/openmetrics-text;version=1.0.0\r\n\r\n",
        );
        let open = open.await;
        assert!(open.starts_with("HTTP/1.1 200 OK") && open.contains("application/openmetrics-text"), "{open}");
        assert!(open.ends_with("Some(OpenMetrics)\n"));
        let old = get(address, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert!(old.contains("version=0.0.4") && old.ends_with("Some(Prometheus)\n"), "{old}");
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
fn nonsense_and_long_requests_are_refused() {
    in_runtime(async {
        let (address, _) = start().await;
        let long = format!("GET /metrics HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "y".repeat(2 * REQUEST_BYTES));
        let answer = get(address, &long).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
        let answer = get(address, "\u{1}\u{2}\r\n\r\n").await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{answer}");
        assert!(get(address, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.ends_with("ok\n"), "still there");
    });
}

#[test]
fn too_many_connections_are_refused_and_idle_ones_end() {
    in_runtime(async {
        let (address, refused) = start().await;
        let mut idle = Vec::new();
        for _ in 0..CONNECTIONS {
            idle.push(TcpStream::connect(address).await.unwrap());
        }
        // Let the server take them in.
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(get(address, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await, "");
        assert_eq!(refused.load(Ordering::Relaxed), 1);
        let mut end = Vec::new();
        timeout(2 * PATIENCE, idle[0].read_to_end(&mut end)).await.expect("an idle connection ends").unwrap();
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(get(address, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.ends_with("ok\n"));
    });
}

#[test]
fn who_does_not_answer_is_told() {
    in_runtime(async {
        let (server, asks) = Server::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = server.address().unwrap();
        tokio::spawn(server.run());
        let answer = get(address, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
        drop(asks);
    });
}
