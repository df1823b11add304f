//! How a server starts and stops.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use logout_tests::http::{Answer, Request};
use logout_tests::server::{self, Server};
use logout_tests::skip::Run;
use logout_tests::stores::StoreKind;

use crate::sample::{self, Sample, says_done};

/// How long a server may take to stop.
const GRACE: Duration = Duration::from_secs(10);
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn add(run: &mut Run) {
    run.on_every_store(
        "stop::sigterm_lets_a_request_in_flight_be_answered",
        &[],
        |store| answers_what_is_in_flight(store, "TERM"),
    );
    run.on_every_store(
        "stop::ctrl_c_lets_a_request_in_flight_be_answered",
        &[],
        |store| answers_what_is_in_flight(store, "INT"),
    );
    run.on_every_store(
        "stop::connections_that_lie_idle_do_not_keep_it",
        &[],
        with_idle_connections,
    );
    run.on_every_store(
        "stop::a_request_that_never_ends_does_not_keep_it",
        &[],
        with_a_stuck_request,
    );
    run.test(
        "start::what_keeps_it_from_starting_is_named_and_does_no_harm",
        &[],
        cannot_start,
    );
    run.on_every_store(
        "start::an_empty_store_answers_the_first_request",
        &[],
        first_answer,
    );
}

fn answers_what_is_in_flight(store: StoreKind, signal: &str) {
    let folder = tempfile::tempdir().unwrap();
    sample::configure(folder.path(), store);
    let samples = sample::load(folder.path(), 4);
    let server = Server::serve(folder.path());

    // One sign-out of every vendor that takes a body, half sent.
    let mut half_sent: Vec<(&Sample, TcpStream)> = samples
        .iter()
        .filter(|sample| sample::sign_out(sample.vendor).0 == "POST")
        .map(|sample| {
            let ((_, target), (name, value)) = (sample::sign_out(sample.vendor), sample.header());
            let mut connection = TcpStream::connect(server.address()).unwrap();
            connection.set_read_timeout(Some(PATIENCE)).unwrap();
            let head = format!("POST {target} HTTP/1.1\r\nHost: hub\r\nContent-Type: application/json\r\nContent-Length: 4\r\n");
            // The server answers this line once it waits for the body: the request is in flight
            // then, for sure.
            let head = format!("{head}Expect: 100-continue\r\n{name}: {value}\r\n\r\n{{ ");
            connection.write_all(head.as_bytes()).unwrap();
            let mut interim = [0; 25];
            connection.read_exact(&mut interim).unwrap();
            assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
            (sample, connection)
        })
        .collect();
    assert_eq!(half_sent.len(), 3);

    let told = Instant::now();
    server.signal(signal);
    wait_until_closed(&server);
    for (sample, connection) in &mut half_sent {
        connection.write_all(b" }").unwrap();
        let mut received = Vec::new();
        connection.read_to_end(&mut received).unwrap();
        let answer = Answer::parse(&received).unwrap();
        assert!(
            says_done(sample.vendor, &answer),
            "{}: {} {}",
            sample.vendor,
            answer.status,
            answer.text()
        );
    }
    let status = server.wait(GRACE.saturating_sub(told.elapsed()));
    assert_eq!(status.code(), Some(0));
    println!("{signal}: ended after {:?}", told.elapsed());

    let server = Server::serve(folder.path());
    for sample in &samples {
        let was_signed_out = half_sent
            .iter()
            .any(|(signed_out, _)| signed_out.id == sample.id);
        assert_eq!(
            sample.is_alive(server.address()),
            !was_signed_out,
            "{}",
            sample.vendor
        );
    }
}

/// Waits until the server listens no more.
fn wait_until_closed(server: &Server) {
    let deadline = Instant::now() + GRACE;
    while TcpStream::connect(server.address()).is_ok() {
        assert!(Instant::now() < deadline, "it goes on listening");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn with_idle_connections(store: StoreKind) {
    let folder = tempfile::tempdir().unwrap();
    sample::configure(folder.path(), store);
    let server = Server::serve(folder.path());
    let mut idle: Vec<TcpStream> = (0..4)
        .map(|_| TcpStream::connect(server.address()).unwrap())
        .collect();
    for connection in &mut idle[..2] {
        connection
            .write_all(b"GET /rest-api/login-status HTTP/1.1\r\nHost: hub\r\n\r\n")
            .unwrap();
        let mut some = [0; 1024];
        assert!(connection.read(&mut some).unwrap() > 0);
    }
    let told = Instant::now();
    server.signal("TERM");
    assert_eq!(server.wait(GRACE).code(), Some(0));
    println!("with idle connections: ended after {:?}", told.elapsed());
}

fn with_a_stuck_request(store: StoreKind) {
    let folder = tempfile::tempdir().unwrap();
    sample::configure(folder.path(), store);
    let samples = sample::load(folder.path(), 4);
    let server = Server::serve(folder.path());
    let stuck: Vec<TcpStream> = [server.address(), server.admin_address()]
        .into_iter()
        .map(|address| {
            let mut connection = TcpStream::connect(address).unwrap();
            let head = "POST /oauth2/token HTTP/1.1\r\nHost: hub\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{";
            connection.write_all(head.as_bytes()).unwrap();
            connection
        })
        .collect();
    // Another connection's answer shows that the server has got as far as the stuck ones before it.
    assert!(samples[0].is_alive(server.address()));
    let told = Instant::now();
    server.signal("TERM");
    assert_eq!(server.wait(GRACE).code(), Some(0));
    println!("with stuck requests: ended after {:?}", told.elapsed());
    drop(stuck);
    let server = Server::serve(folder.path());
    assert!(
        samples
            .iter()
            .all(|sample| sample.is_alive(server.address()))
    );
}

fn cannot_start() {
    let folder = tempfile::tempdir().unwrap();
    sample::configure(folder.path(), StoreKind::Disk);
    let samples = sample::load(folder.path(), 4);
    let first = Server::serve(folder.path());

    // A second hub on the same store, and one on the same address.
    let ended = server::run(&["serve", "--config", "hub.toml"], folder.path());
    assert_eq!(
        (ended.status.code(), ended.stdout.as_slice()),
        (Some(1), b"".as_slice())
    );
    assert!(ended.stderr.contains("sessions"), "{}", ended.stderr);
    let other = tempfile::tempdir().unwrap();
    sample::configure(other.path(), StoreKind::Disk);
    let address = first.address().to_string();
    let ended = server::run(
        &["serve", "--config", "hub.toml", "--listen", &address],
        other.path(),
    );
    assert_eq!(
        (ended.status.code(), ended.stdout.as_slice()),
        (Some(1), b"".as_slice())
    );
    assert!(ended.stderr.contains(&address), "{}", ended.stderr);
    // A store that is a file.
    std::fs::write(other.path().join("sessions"), "mine").unwrap();
    let ended = server::run(&["serve", "--config", "hub.toml"], other.path());
    assert_eq!(
        (ended.status.code(), ended.stdout.as_slice()),
        (Some(1), b"".as_slice())
    );
    assert!(ended.stderr.contains("sessions"), "{}", ended.stderr);
    assert_eq!(
        std::fs::read_to_string(other.path().join("sessions")).unwrap(),
        "mine"
    );
    // A configuration that is wrong has a status of its own.
    std::fs::write(other.path().join("hub.toml"), "[server]\nlisen = 1\n").unwrap();
    let ended = server::run(&["serve", "--config", "hub.toml"], other.path());
    assert_eq!(ended.status.code(), Some(2));
    assert!(
        ended.stderr.contains("hub.toml:2:1") && ended.stderr.contains("`listen`"),
        "{}",
        ended.stderr
    );

    for sample in samples {
        assert!(sample.is_alive(first.address()));
        assert!(says_done(
            sample.vendor,
            &sample.sign_out().send(first.address())
        ));
    }
}

fn first_answer(store: StoreKind) {
    let folder = tempfile::tempdir().unwrap();
    sample::configure(folder.path(), store);
    server::binary();
    let begun = Instant::now();
    let server = Server::serve(folder.path());
    let listens = begun.elapsed();
    let answer = Request::get("/rest-api/login-status").send(server.address());
    println!(
        "from start to first line {listens:?}, to first answer {:?}",
        begun.elapsed()
    );
    assert_eq!(
        (answer.status, answer.json()["IsLoggedIn"].as_bool()),
        (200, Some(false))
    );
}
