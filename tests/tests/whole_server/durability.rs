//! `kill -9` in the middle of a thousand sign-outs.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::{Arc, Barrier, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use logout_tests::http::Answer;
use logout_tests::server::Server;
use logout_tests::skip::Run;
use logout_tests::stores::StoreKind;

use crate::sample::{self, Sample, says_done};

/// How many sign-outs are under way when the server dies.
const SIGN_OUTS: usize = 1_000;
/// How many of them go over one connection, one right behind the other: half as many sockets stay
/// below what a process may usually open.
const PER_CONNECTION: usize = 2;
/// How many sessions nobody signs out.
const BYSTANDERS: usize = 100;
/// After how many acknowledgements the server dies.
const MOMENTS: [usize; 4] = [1, 200, 500, 950];
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn add(run: &mut Run) {
    run.on_every_store(
        "durability::what_was_acknowledged_before_a_kill_stays_ended_and_nothing_else_is_lost",
        &[],
        killed_amid_sign_outs,
    );
}

#[derive(Debug, Eq, PartialEq)]
enum Fate {
    /// Answered, with this receipt.
    Acknowledged(String),
    /// Sent, or perhaps sent, and not answered.
    Asked,
    NeverAsked,
}

fn killed_amid_sign_outs(store: StoreKind) {
    let folder = tempfile::tempdir().unwrap();
    sample::configure(folder.path(), store);
    let (mut dead, mut alive): (Vec<Sample>, Vec<Sample>) = (Vec::new(), Vec::new());
    for moment in MOMENTS {
        let mut samples = sample::load(folder.path(), SIGN_OUTS + BYSTANDERS);
        let bystanders = samples.split_off(SIGN_OUTS);
        let server = Server::serve(folder.path());
        let fates = sign_out_until_killed(samples, server, moment);

        let killed = Instant::now();
        let server = Server::serve(folder.path());
        println!("back after {:?}", killed.elapsed());
        let receipts = receipts(&server, folder.path());
        let mut acknowledged = 0;
        let (mut unanswered_dead, mut unanswered_alive) = (0, 0);
        for (sample, fate) in fates.into_iter().chain(
            bystanders
                .into_iter()
                .map(|sample| (sample, Fate::NeverAsked)),
        ) {
            let lives = sample.is_alive(server.address());
            match fate {
                Fate::Acknowledged(receipt) => {
                    acknowledged += 1;
                    assert!(
                        !lives,
                        "an acknowledged sign-out of {} is undone",
                        sample.vendor
                    );
                    assert!(
                        receipts.contains(&(receipt.clone(), sample.id.to_string())),
                        "receipt {receipt} is lost"
                    );
                }
                Fate::Asked if lives => unanswered_alive += 1,
                Fate::Asked => unanswered_dead += 1,
                Fate::NeverAsked => assert!(
                    lives,
                    "a session of {} that nobody signed out is lost",
                    sample.vendor
                ),
            }
            if lives {
                alive.push(sample)
            } else {
                dead.push(sample)
            }
        }
        assert!(
            acknowledged >= moment,
            "{acknowledged} acknowledgements arrived, and {moment} were counted"
        );
        println!(
            "killed after {moment} acknowledgements: {acknowledged} arrived; of the others that were asked, {unanswered_dead} ended and {unanswered_alive} live on"
        );

        // A session is gone exactly when there is a receipt that says so: neither is ever written
        // without the other.
        let ended: BTreeSet<String> = receipts.into_iter().map(|(_, session)| session).collect();
        assert_eq!(
            ended,
            dead.iter().map(|sample| sample.id.to_string()).collect()
        );
        server.kill();
    }
    // And what the first kills left is what the last one left.
    let server = Server::serve(folder.path());
    for sample in alive.iter().step_by(7) {
        assert!(
            sample.is_alive(server.address()),
            "a session of {} is lost",
            sample.vendor
        );
        assert!(
            says_done(sample.vendor, &sample.sign_out().send(server.address())),
            "it cannot be signed out"
        );
        assert!(!sample.is_alive(server.address()));
    }
    for sample in dead.iter().step_by(7) {
        assert!(
            !sample.is_alive(server.address()),
            "a session of {} is back",
            sample.vendor
        );
    }
}

/// Signs all of them out at the same time, and kills the server after so many acknowledgements.
fn sign_out_until_killed(
    samples: Vec<Sample>,
    server: Server,
    moment: usize,
) -> Vec<(Sample, Fate)> {
    let address = server.address();
    let (acknowledge, acknowledgements) = mpsc::channel();
    let connections: Vec<Vec<Sample>> = samples.chunks(PER_CONNECTION).map(<[_]>::to_vec).collect();
    let together = Arc::new(Barrier::new(connections.len()));
    let clients: Vec<_> = connections
        .into_iter()
        .map(|samples| {
            let (acknowledge, together) = (acknowledge.clone(), together.clone());
            let client = move || sign_out(samples, address, &together, &acknowledge);
            thread::Builder::new()
                .stack_size(256 * 1024)
                .spawn(client)
                .unwrap()
        })
        .collect();
    drop(acknowledge);
    assert_eq!(
        acknowledgements.iter().take(moment).count(),
        moment,
        "the sign-outs do not get that far"
    );
    server.kill();
    clients
        .into_iter()
        .flat_map(|client| client.join().unwrap())
        .collect()
}

fn sign_out(
    samples: Vec<Sample>,
    address: SocketAddr,
    together: &Barrier,
    acknowledge: &mpsc::Sender<()>,
) -> Vec<(Sample, Fate)> {
    let connection = TcpStream::connect(address);
    together.wait();
    let Ok(mut connection) = connection else {
        return samples
            .into_iter()
            .map(|sample| (sample, Fate::NeverAsked))
            .collect();
    };
    connection.set_read_timeout(Some(PATIENCE)).unwrap();
    // Whether a broken connection took some of it along is not known.
    let _ = connection.write_all(
        &samples
            .iter()
            .flat_map(Sample::sign_out_bytes)
            .collect::<Vec<u8>>(),
    );
    let mut received = Vec::new();
    samples
        .into_iter()
        .map(|sample| {
            let Some(answer) = next_answer(&mut connection, &mut received) else {
                return (sample, Fate::Asked);
            };
            assert!(
                says_done(sample.vendor, &answer),
                "{}: {} {}",
                sample.vendor,
                answer.status,
                answer.text()
            );
            // Nobody listens any more after the kill.
            let _ = acknowledge.send(());
            (
                sample,
                Fate::Acknowledged(
                    answer
                        .header("logout-receipt")
                        .expect("a receipt")
                        .to_owned(),
                ),
            )
        })
        .collect()
}

/// The next whole answer; `None` when the connection breaks before its end.
pub(crate) fn next_answer(connection: &mut TcpStream, received: &mut Vec<u8>) -> Option<Answer> {
    let mut chunk = [0; 4096];
    loop {
        if let Some(head) = received.windows(4).position(|window| window == b"\r\n\r\n") {
            let length: usize = Answer::parse(received)
                .unwrap()
                .header("content-length")
                .expect("a length")
                .parse()
                .unwrap();
            let end = head + 4 + length;
            if received.len() >= end {
                return Some(Answer::parse(&received.drain(..end).collect::<Vec<u8>>()).unwrap());
            }
        }
        match connection.read(&mut chunk) {
            Ok(0) | Err(_) => return None,
            Ok(read) => received.extend_from_slice(&chunk[..read]),
        }
    }
}

/// Every receipt with each session that it ended.
fn receipts(server: &Server, folder: &Path) -> BTreeSet<(String, String)> {
    let mut all = BTreeSet::new();
    let mut before = String::new();
    loop {
        let page = server
            .admin(&format!("/api/receipts?limit=1000{before}"), folder)
            .json();
        for receipt in page["receipts"].as_array().unwrap() {
            for session in receipt["sessions"].as_array().unwrap() {
                all.insert((
                    receipt["id"].as_str().unwrap().to_owned(),
                    session["id"].as_str().unwrap().to_owned(),
                ));
            }
        }
        match page["next"].as_str() {
            Some(next) => before = format!("&before={next}"),
            None => return all,
        }
    }
}
