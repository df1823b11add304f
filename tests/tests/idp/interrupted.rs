//! `kill -9` between a token and its answer.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::thread;
use std::time::Duration;

use logout_tests::server::{self, Server};
use logout_tests::skip::{Need, Run};
use logout_tests::stores::StoreKind;
use serde_json::json;

use crate::process::HubProcess;

/// What makes a disk take 400 ms for a sync.
const SLOW_SYNC: &str = "inject=fdatasync,fsync:delay_enter=400000";
/// When the hub dies meanwhile.
const AMID_SYNC: Duration = Duration::from_millis(150);

pub(crate) fn add(run: &mut Run) {
    run.on_every_store(
        "interrupted::killed_between_a_token_and_its_answer_it_is_dead_when_the_token_comes_again",
        &[],
        killed,
    );
    run.test(
        "interrupted::killed_while_the_token_s_sync_is_under_way_it_is_dead_when_the_token_comes_again",
        &[Need::Strace],
        killed_amid_a_sync,
    );
}

/// When the hub dies.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// Before the last byte of the request is sent.
    BeforeItsEnd,
    /// So long after the request was sent.
    After(Duration),
    /// When the answer has come.
    Answered,
}

/// What the request is on the wire.
fn bytes(token: &str) -> Vec<u8> {
    let body = format!("logout_token={token}");
    format!(
        "POST /idp/op/backchannel-logout HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Sends the token, and kills the hub at that moment. Gives what came of an answer.
fn send_until_killed(server: Server, token: &str, moment: Moment) -> String {
    let mut connection = TcpStream::connect(server.address()).unwrap();
    let request = bytes(token);
    let (most, last) = request.split_at(request.len() - 1);
    connection.write_all(most).unwrap();
    let mut answer = Vec::new();
    match moment {
        Moment::BeforeItsEnd => {}
        Moment::After(span) => {
            connection.write_all(last).unwrap();
            thread::sleep(span);
        }
        Moment::Answered => {
            connection.write_all(last).unwrap();
            connection.read_to_end(&mut answer).unwrap();
        }
    }
    server.kill();
    // The connection breaks, or what was sent before is read.
    let _ = connection.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

/// One session, one token, one kill of the server, and the next one in its place. Says whether the
/// session had ended by then, and what was answered.
fn round(
    hub: &HubProcess,
    server: Server,
    number: usize,
    moment: Moment,
) -> (Server, bool, String) {
    // The keys are fetched by then.
    let first = hub.idp.token(hub.now(), &json!({ "sub": "nobody" }));
    assert_eq!(hub.send(&server, &first).status, 200);
    let cookie = format!("cookie-{number}");
    let names = json!({ "sub": "alice", "sid": cookie });
    hub.register_login(&server, &cookie, &names);
    let claims = hub.idp.claims(hub.now(), &names);
    let token = hub.idp.sign(&claims);
    let answer = send_until_killed(server, &token, moment);

    let server = hub.serve();
    let had_ended = !hub.is_alive(&server, &cookie);
    // Never the one without the other.
    let receipts = hub.receipts_of(&server, &claims["jti"]);
    assert_eq!(receipts, usize::from(had_ended), "{moment:?}");
    assert!(had_ended || answer.is_empty(), "{moment:?}: {answer}");
    let again = hub.send(&server, &token);
    let expected = if had_ended { 400 } else { 200 };
    assert_eq!(again.status, expected, "{moment:?}: {}", again.text());
    assert!(!hub.is_alive(&server, &cookie), "{moment:?}");
    assert_eq!(hub.receipts_of(&server, &claims["jti"]), 1, "{moment:?}");
    assert_eq!(hub.send(&server, &token).status, 400, "{moment:?}");
    (server, had_ended, answer)
}

fn killed(store: StoreKind) {
    let hub = HubProcess::on(store, "");
    let server = hub.serve();
    let (server, had_ended, answer) = round(&hub, server, 0, Moment::BeforeItsEnd);
    assert!(!had_ended && answer.is_empty(), "{answer}");
    let (mut server, had_ended, answer) = round(&hub, server, 1, Moment::Answered);
    assert!(had_ended && answer.starts_with("HTTP/1.1 200 "), "{answer}");
    // In between it may be either.
    let mut ended = 0;
    let moments = [0, 500, 1_000, 2_000, 3_000, 5_000, 8_000, 13_000, 21_000];
    for (number, micros) in moments.into_iter().enumerate() {
        let moment = Moment::After(Duration::from_micros(micros));
        let (next, had_ended, _) = round(&hub, server, 2 + number, moment);
        server = next;
        ended += usize::from(had_ended);
    }
    println!(
        "of {} sessions whose hub was killed, {ended} had ended",
        moments.len()
    );
}

/// The sync takes longer than the hub lives.
fn killed_amid_a_sync() {
    let hub = HubProcess::on(StoreKind::Disk, "");
    let mut strace = Command::new("strace");
    // With -D the server is the process that was started.
    strace.args([
        "-D",
        "-f",
        "-o",
        "trace",
        "-e",
        "trace=fdatasync,fsync",
        "-e",
        SLOW_SYNC,
    ]);
    strace
        .arg(server::binary())
        .args(["serve", "--config", "hub.toml"]);
    let server = Server::start(&mut strace, hub.folder());
    let (_, _, answer) = round(&hub, server, 0, Moment::After(AMID_SYNC));
    assert_eq!(answer, "", "it was told before it was durable");
}
