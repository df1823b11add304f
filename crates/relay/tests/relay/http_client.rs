//! The client, against upstreams that behave and upstreams that do not.

use std::io::Write as _;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use logout_core::Method;
use logout_core::upstream::{UpstreamAnswer, UpstreamClient as _, UpstreamError, UpstreamRequest};
use logout_relay::{HttpClient, HttpClientSettings};
use tokio::time::Instant;

use crate::support::scripted::{Certificate, DeafPort, Play, Scripted};

const LIMIT: usize = 10_000;

async fn get(upstream: &Scripted) -> Result<UpstreamAnswer, UpstreamError> {
    send(
        &format!("http://{}", upstream.address),
        Duration::from_secs(30),
    )
    .await
}

async fn send(base: &str, timeout: Duration) -> Result<UpstreamAnswer, UpstreamError> {
    let mut settings = HttpClientSettings::new(base.parse().unwrap());
    settings.timeout = timeout;
    settings.body_limit = LIMIT;
    HttpClient::new(settings)
        .unwrap()
        .send(UpstreamRequest::new(Method::Get, "/x"))
        .await
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn a_request_arrives_as_it_was_written_with_the_upstream_s_own_host() {
    let upstream = Scripted::start(|_, _| Play::answer(204, &[], "")).await;
    let settings =
        HttpClientSettings::new(format!("http://{}/dx/", upstream.address).parse().unwrap());
    let request = UpstreamRequest::new(Method::Post, "/logout?a=b%2Fc&d")
        .with_header("host", "public.example")
        .with_header("cookie", "a=1; b=\"2\"")
        .with_header("x-two", "1")
        .with_header("x-two", "2")
        .with_body("application/json", *b"{}");
    assert_eq!(
        HttpClient::new(settings)
            .unwrap()
            .send(request)
            .await
            .unwrap()
            .status,
        204
    );
    let seen = upstream.seen();
    assert!(
        seen.len() == 1 && seen[0].is("POST /dx/logout?a=b%2Fc&d"),
        "{}",
        seen[0].head
    );
    assert_eq!(seen[0].header("host"), [upstream.address.to_string()]);
    assert_eq!(seen[0].header("cookie"), ["a=1; b=\"2\""]);
    assert_eq!(seen[0].header("x-two"), ["1", "2"]);
    assert_eq!(seen[0].header("content-type"), ["application/json"]);
    assert_eq!(seen[0].header("accept-encoding"), ["identity"]);
    assert_eq!(seen[0].body, b"{}");
}

#[tokio::test]
async fn a_post_without_body_says_so() {
    let upstream = Scripted::start(|_, _| Play::answer(204, &[], "")).await;
    let client = upstream.client();
    client
        .send(UpstreamRequest::new(Method::Post, "/logout"))
        .await
        .unwrap();
    assert_eq!(upstream.seen()[0].header("content-length"), ["0"]);
}

#[tokio::test]
async fn an_answer_comes_back_as_it_was_sent() {
    let raw = b"HTTP/1.1 418 No\r\nX-Two: 1\r\nx-two: 2\r\nx-bytes: \xff\xfe\r\ncontent-length: 3\r\n\r\nabc";
    let upstream = Scripted::start(|_, _| Play::Bytes(raw.to_vec())).await;
    let answer = get(&upstream).await.unwrap();
    assert_eq!(
        (answer.status, answer.body.as_slice()),
        (418, b"abc".as_slice())
    );
    assert_eq!(
        answer.headers_named("x-two").collect::<Vec<_>>(),
        ["1", "2"]
    );
    assert!(
        answer
            .headers
            .contains(&("x-bytes".to_owned(), b"\xff\xfe".to_vec()))
    );
}

#[tokio::test]
async fn no_redirect_is_followed() {
    for status in [301, 302, 303, 307, 308] {
        let upstream =
            Scripted::start(move |_, _| Play::answer(status, &[("location", "/elsewhere")], ""))
                .await;
        let answer = get(&upstream).await.unwrap();
        assert_eq!(
            (answer.status, answer.header("location")),
            (status, Some("/elsewhere"))
        );
        assert_eq!(upstream.seen().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn no_cookie_is_kept() {
    let upstream =
        Scripted::start(|_, _| Play::answer(200, &[("set-cookie", "a=b; Path=/")], "")).await;
    let client = upstream.client();
    for _ in 0..2 {
        client
            .send(UpstreamRequest::new(Method::Get, "/x"))
            .await
            .unwrap();
    }
    assert!(upstream.seen()[1].header("cookie").is_empty());
}

#[tokio::test]
async fn an_answer_that_comes_compressed_with_gzip_is_decoded() {
    for encoding in ["gzip", "GZIP", "x-gzip"] {
        let upstream = Scripted::start(move |_, _| {
            Play::answer(200, &[("content-encoding", encoding)], gzip(b"signed out"))
        })
        .await;
        let answer = get(&upstream).await.unwrap();
        assert_eq!(answer.body, b"signed out");
        assert!(
            answer.header("content-encoding").is_none()
                && answer.header("content-length").is_none()
        );
    }
}

#[tokio::test]
async fn another_encoding_is_left_as_it_came() {
    for encoding in ["br", "gzip, br"] {
        let upstream = Scripted::start(move |_, _| {
            Play::answer(200, &[("content-encoding", encoding)], "\u{1}\u{2}")
        })
        .await;
        let answer = get(&upstream).await.unwrap();
        assert_eq!(
            (answer.body.as_slice(), answer.header("content-encoding")),
            (b"\x01\x02".as_slice(), Some(encoding))
        );
    }
}

#[tokio::test]
async fn what_is_no_gzip_or_too_much_of_it_brings_no_answer() {
    let bomb = gzip(&vec![0; LIMIT + 1]);
    assert!(bomb.len() < LIMIT / 10);
    let cut = gzip(b"signed out")[..15].to_vec();
    for (body, fault) in [
        (bomb, UpstreamError::TooLarge),
        (cut, UpstreamError::Broken),
        (b"plain".to_vec(), UpstreamError::Broken),
    ] {
        let upstream =
            Scripted::start(move |_, _| Play::answer(200, &[("content-encoding", "gzip")], &body))
                .await;
        assert_eq!(get(&upstream).await.unwrap_err(), fault);
    }
}

#[tokio::test]
async fn a_body_is_read_up_to_the_limit_and_no_further() {
    let upstream = Scripted::start(|_, nth| Play::answer(200, &[], vec![b'x'; LIMIT + nth])).await;
    assert_eq!(get(&upstream).await.unwrap().body.len(), LIMIT);
    assert_eq!(get(&upstream).await.unwrap_err(), UpstreamError::TooLarge);
    let endless = Scripted::start(|_, _| Play::Endless).await;
    assert_eq!(get(&endless).await.unwrap_err(), UpstreamError::TooLarge);
}

#[tokio::test]
async fn an_upstream_that_hangs_or_drips_is_left_in_time() {
    for play in [Play::Hang, Play::Drip] {
        let upstream = Scripted::start(move |_, _| play.clone()).await;
        let began = Instant::now();
        let timeout = Duration::from_millis(200);
        assert_eq!(
            send(&format!("http://{}", upstream.address), timeout)
                .await
                .unwrap_err(),
            UpstreamError::Timeout
        );
        assert!(began.elapsed() >= timeout && began.elapsed() < 20 * timeout);
    }
}

#[tokio::test]
async fn what_is_no_answer_has_its_own_word() {
    let port = DeafPort::new();
    assert_eq!(
        send(&format!("http://{}", port.address), Duration::from_secs(30))
            .await
            .unwrap_err(),
        UpstreamError::NoConnection
    );
    for play in [
        Play::Close,
        Play::Bytes(b"SSH-2.0-OpenSSH\r\n".to_vec()),
        Play::Bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort".to_vec()),
    ] {
        let upstream = Scripted::start(move |_, _| play.clone()).await;
        assert_eq!(get(&upstream).await.unwrap_err(), UpstreamError::Broken);
    }
    let plain = Scripted::start(|_, _| Play::Hang).await;
    let fault = send(
        &format!("https://{}", plain.address),
        Duration::from_secs(1),
    )
    .await
    .unwrap_err();
    assert!(
        matches!(fault, UpstreamError::Timeout | UpstreamError::Broken),
        "{fault}"
    );
}

#[tokio::test]
async fn only_a_certificate_of_a_known_authority_for_that_name_is_accepted() {
    let own = Certificate::new("127.0.0.1");
    let upstream = Scripted::start_tls(&own, |_, _| Play::signed_out()).await;
    let base = format!("https://{}", upstream.address);
    let trusting = |certificate: &Certificate, base: &str| {
        let mut settings = HttpClientSettings::new(base.parse().unwrap());
        settings.ca_file = Some(certificate.file());
        HttpClient::new(settings).unwrap()
    };
    let request = || UpstreamRequest::new(Method::Get, "/x");
    assert_eq!(
        trusting(&own, &base).send(request()).await.unwrap().status,
        200
    );
    assert_eq!(
        trusting(&Certificate::new("127.0.0.1"), &base)
            .send(request())
            .await
            .unwrap_err(),
        UpstreamError::Certificate
    );
    let misnamed = Certificate::new("other.example");
    let other = Scripted::start_tls(&misnamed, |_, _| Play::signed_out()).await;
    let base = format!("https://{}", other.address);
    assert_eq!(
        trusting(&misnamed, &base)
            .send(request())
            .await
            .unwrap_err(),
        UpstreamError::Certificate
    );
    assert!(other.seen().is_empty());
}
