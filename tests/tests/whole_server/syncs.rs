//! What `kill -9` cannot show, because the kernel keeps what was written: the system calls between
//! a request and its answer.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use logout_tests::http::Answer;
use logout_tests::server::{self, Server};
use logout_tests::skip::{Need, Run};
use logout_tests::stores::StoreKind;

use crate::durability::next_answer;
use crate::sample::{self, Sample, VENDORS, says_done};

/// How many people sign out at the same time.
const CONCURRENT: usize = 64;
/// How many syncs they may take.
const MOST_SYNCS: usize = 24;
/// What makes a disk take 20 ms for a sync, as one that spins does: on a quick one most syncs are
/// over before strace has let the next request through.
const SLOW_DISK: &[&str] = &["-e", "inject=fdatasync,fsync:delay_enter=20000"];
/// How long the server may take to stop.
const PATIENCE: Duration = Duration::from_secs(30);
const CALLS: &str =
    "trace=fdatasync,fsync,sync_file_range,read,recvfrom,write,writev,sendto,sendmsg";

pub(crate) fn add(run: &mut Run) {
    run.test(
        "syncs::a_sync_completes_between_a_sign_out_and_its_answer",
        &[Need::Strace],
        one_by_one,
    );
    run.test(
        "syncs::sixty_four_concurrent_sign_outs_share_few_syncs",
        &[Need::Strace],
        all_at_once,
    );
}

/// A server under strace, with sessions in its store.
struct Traced {
    folder: tempfile::TempDir,
    server: Server,
    samples: Vec<Sample>,
}

impl Traced {
    fn start(sessions: usize, more: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        sample::configure(folder.path(), StoreKind::Disk);
        let samples = sample::load(folder.path(), sessions);
        let mut strace = Command::new("strace");
        // With -D the server is the process that was started, and strace its grandchild, which ends
        // with it.
        strace
            .args(["-D", "-f", "-ttt", "-s", "2048", "-o", "trace", "-e", CALLS])
            .args(more);
        strace
            .arg(server::binary())
            .args(["serve", "--config", "hub.toml"]);
        let server = Server::start(&mut strace, folder.path());
        Self {
            folder,
            server,
            samples,
        }
    }

    fn finish(self) -> Vec<Event> {
        self.server.signal("TERM");
        assert!(self.server.wait(PATIENCE).success());
        events(self.folder.path())
    }
}

/// What matters of a trace, in its order, which is the order of events.
#[derive(Debug)]
enum Event {
    /// Bytes that came in, with the text of the trace.
    Received(String),
    /// Bytes that are going out.
    Sends(String),
    SyncBegins(String),
    /// Of the process with this id; it went well.
    SyncEnds(String),
}

/// Reads the trace once strace has written its last line.
fn events(folder: &Path) -> Vec<Event> {
    let deadline = Instant::now() + PATIENCE;
    let trace = loop {
        let trace = fs::read_to_string(folder.join("trace")).unwrap();
        let last = trace.lines().last().unwrap_or_default();
        if trace.ends_with('\n') && last.contains("+++ exited with 0 +++") {
            break trace;
        }
        assert!(Instant::now() < deadline, "strace does not end: {last}");
        std::thread::sleep(Duration::from_millis(10));
    };
    let mut events = Vec::new();
    for line in trace.lines() {
        let mut words = line.split_whitespace();
        let process = words.next().unwrap_or_default().to_owned();
        let _time = words.next();
        let call = words.collect::<Vec<_>>().join(" ");
        let resumed = call.strip_prefix("<... ");
        let name = resumed
            .unwrap_or(&call)
            .split([' ', '('])
            .next()
            .unwrap_or_default();
        let (begins, ends) = (resumed.is_none(), !call.ends_with("<unfinished ...>"));
        match name {
            "fdatasync" | "fsync" | "sync_file_range" => {
                if begins {
                    events.push(Event::SyncBegins(process.clone()));
                }
                // The server may end in the middle of one that nobody waits for.
                if ends && !call.ends_with("= ?") {
                    assert!(call.contains(") = 0"), "a sync failed: {call}");
                    events.push(Event::SyncEnds(process));
                }
            }
            // What comes in is known when the call returns, what goes out when it begins.
            "read" | "recvfrom" if ends => events.push(Event::Received(call)),
            "write" | "writev" | "sendto" | "sendmsg" if begins => events.push(Event::Sends(call)),
            _ => {}
        }
    }
    events
}

/// Where in the trace the request with this credential came in, and where the answer with this
/// receipt went out.
fn span(events: &[Event], sample: &Sample, receipt: &str) -> (usize, usize) {
    let find = |found: &dyn Fn(&Event) -> bool| events.iter().position(found);
    let received =
        find(&|event| matches!(event, Event::Received(text) if text.contains(&sample.secret)));
    let sent = find(&|event| matches!(event, Event::Sends(text) if text.contains(receipt)));
    (
        received.expect("the request is in the trace"),
        sent.expect("the answer is in the trace"),
    )
}

/// How many syncs began and ended there.
fn whole_syncs(events: &[Event]) -> usize {
    let mut begun = BTreeSet::new();
    let mut whole = 0;
    for event in events {
        match event {
            Event::SyncBegins(process) => drop(begun.insert(process)),
            Event::SyncEnds(process) => whole += usize::from(begun.remove(process)),
            _ => {}
        }
    }
    whole
}

fn receipt(sample: &Sample, answer: &Answer) -> String {
    assert!(
        says_done(sample.vendor, answer),
        "{}: {} {}",
        sample.vendor,
        answer.status,
        answer.text()
    );
    answer
        .header("logout-receipt")
        .expect("a receipt")
        .to_owned()
}

fn one_by_one() {
    let traced = Traced::start(3 * VENDORS.len(), &[]);
    let address = traced.server.address();
    let samples = traced.samples.clone();
    let receipts: Vec<String> = samples
        .iter()
        .map(|sample| receipt(sample, &sample.sign_out().send(address)))
        .collect();
    let events = traced.finish();
    for (sample, receipt) in samples.iter().zip(receipts) {
        let (received, sent) = span(&events, sample, &receipt);
        assert!(
            received < sent && whole_syncs(&events[received..sent]) >= 1,
            "{}: answered before anything was synced",
            sample.vendor
        );
    }
}

fn all_at_once() {
    let traced = Traced::start(CONCURRENT, SLOW_DISK);
    let address = traced.server.address();
    let samples = traced.samples.clone();
    let mut connections: Vec<TcpStream> = samples
        .iter()
        .map(|_| TcpStream::connect(address).unwrap())
        .collect();
    for (connection, sample) in connections.iter_mut().zip(&samples) {
        connection.set_read_timeout(Some(PATIENCE)).unwrap();
        connection.write_all(&sample.sign_out_bytes()).unwrap();
    }
    let receipts: Vec<String> = connections
        .iter_mut()
        .zip(&samples)
        .map(|(connection, sample)| {
            receipt(
                sample,
                &next_answer(connection, &mut Vec::new()).expect("an answer"),
            )
        })
        .collect();
    drop(connections);
    let events = traced.finish();
    let spans: Vec<(usize, usize)> = samples
        .iter()
        .zip(&receipts)
        .map(|(sample, receipt)| span(&events, sample, receipt))
        .collect();
    for (sample, (received, sent)) in samples.iter().zip(&spans) {
        assert!(
            received < sent && whole_syncs(&events[*received..*sent]) >= 1,
            "{}: answered before anything was synced",
            sample.vendor
        );
    }
    let first = spans.iter().map(|(received, _)| *received).min().unwrap();
    let last = spans.iter().map(|(_, sent)| *sent).max().unwrap();
    let syncs = whole_syncs(&events[first..last]);
    println!("{CONCURRENT} concurrent sign-outs shared {syncs} syncs");
    assert!(
        (1..=MOST_SYNCS).contains(&syncs),
        "{CONCURRENT} concurrent sign-outs took {syncs} syncs"
    );
}
