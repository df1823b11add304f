use tokio::net::TcpListener;
use tokio::task::LocalSet;

use super::*;

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// Runs `test` against a server that answers each request with `answer`, after `pause`.
fn against<F: Future>(
    answer: &'static str,
    pause: Duration,
    test: impl FnOnce(SocketAddr) -> F,
) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    LocalSet::new().block_on(&runtime, async {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::task::spawn_local(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::task::spawn_local(async move {
                    let mut buffer = [0; 1024];
                    while stream.read(&mut buffer).await.unwrap() > 0 {
                        tokio::time::sleep(pause).await;
                        stream.write_all(answer.as_bytes()).await.unwrap();
                    }
                });
            }
        });
        test(address).await
    })
}

fn load(address: SocketAddr, requests: usize, connections: usize) -> Load {
    let requests = std::iter::repeat_n(&b"GET / HTTP/1.1\r\n\r\n"[..], requests);
    Load {
        address,
        requests: Rc::new(requests.collect()),
        connections,
        expected: Some(Expected {
            status: 200,
            length: OK.len(),
        }),
    }
}

#[test]
fn every_request_is_sent_once_or_again_until_the_limit() {
    against(OK, Duration::ZERO, async |address| {
        let load = load(address, 100, 8);
        let once = load.closed(None, false).await.unwrap();
        assert_eq!(once.latencies.len(), 100);
        assert!(once.latencies.is_sorted());
        let limit = Duration::from_millis(100);
        let repeated = load.closed(Some(limit), true).await.unwrap();
        assert!(repeated.latencies.len() > 100 && repeated.seconds >= 0.1);
    });
}

#[test]
fn a_limit_leaves_requests_over() {
    against(OK, Duration::from_millis(5), async |address| {
        let limit = Some(Duration::from_millis(50));
        let turn = load(address, 10_000, 2).closed(limit, false).await.unwrap();
        assert!((2..1_000).contains(&turn.latencies.len()));
    });
}

#[test]
fn an_answer_of_another_status_or_size_ends_the_load() {
    for answer in [
        "HTTP/1.1 302 OK\r\ncontent-length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
    ] {
        against(answer, Duration::ZERO, async |address| {
            let fault = load(address, 1, 1).closed(None, false).await.unwrap_err();
            assert!(fault.to_string().contains("unexpected"), "{fault}");
        });
    }
}

/// One connection, answers that take 20 ms, and a request every 10 ms: each is later than the one
/// before it.
#[test]
fn a_late_request_counts_from_the_time_when_it_was_due() {
    against(OK, Duration::from_millis(20), async |address| {
        let latencies = load(address, 10, 1).open(100.0, 10).await.unwrap();
        assert_eq!(latencies.len(), 10);
        assert!(latencies.is_sorted(), "{latencies:?}");
        assert!(latencies[9] >= 110_000_000, "{latencies:?}");
    });
}

#[test]
fn requests_go_out_on_time() {
    against(OK, Duration::ZERO, async |address| {
        let started = Instant::now();
        let latencies = load(address, 5, 4).open(200.0, 40).await.unwrap();
        assert_eq!(latencies.len(), 40);
        assert!(started.elapsed() >= Duration::from_millis(195));
        assert!(latencies.iter().all(|nanos| *nanos > 0));
    });
}

#[test]
fn a_share_of_the_answers_is_found_by_its_place() {
    let turn = Turn::new(2.0, (1..=101).rev().map(|nth| nth * 1_000_000).collect());
    for (share, millis) in [(0.0, 1.0), (0.5, 51.0), (0.99, 100.0), (1.0, 101.0)] {
        assert!((turn.millis(share) - millis).abs() < 1e-9);
    }
    assert!((turn.rate() - 50.5).abs() < 1e-9);
}
