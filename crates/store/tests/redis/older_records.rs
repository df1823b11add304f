//! Sessions that an earlier program has written are found, used and ended like any other; those of
//! a later one are refused.

use std::sync::Arc;
use std::time::Duration;

use futures_executor::block_on;
use libtest_mimic::Trial;
use logout_core::credential::{Credential, CredentialDigest, Sealed, SecretDigest};
use logout_core::outbox::Outbox as _;
use logout_core::platform::PlatformName;
use logout_core::receipt::Reach;
use logout_core::session::{
    AccountVersion, ClientId, Device, Person, Session, SessionId, SsoSessionId, Subject,
};
use logout_core::sign_out::CsrfProof;
use logout_core::store::{
    ByCredential, EndTarget, Join, Lookup, OpenOutcome, SessionFilter, SessionStore as _,
    StoreUnavailable,
};
use logout_store::RedisStore;
use redis::Connection;

use crate::sessions::{NOW, order};
use crate::{connect, named, shared_server};

/// A session record of version 1, as far as its credentials.
const VERSION_1: &str = "0100000199cd531c0001000000000000ea6000000199c82cc0000107070707070707070707070707\
    0707070100000011616c696365406578616d706c652e636f6d0000001b00000003636d7300000007\
    44656661756c7400000005616c6963650000004a0103617070010105050505050505050505050505\
    050505050505050505050505050505050505058080b3c19c33013c0080b8ccea9c3301007f000001\
    01046375726c060606060606060601000000067365616c6564";

pub(crate) fn trials() -> Vec<Trial> {
    macro_rules! cases {
        ($($case:ident)+) => { vec![$((stringify!($case), $case as fn()),)+] };
    }
    named(
        "older_records",
        cases! {
            an_older_session_is_found_and_listed
            an_older_session_ends_by_its_credential_under_its_conditions
            an_older_session_ends_by_every_other_target
            an_older_session_is_touched_and_gets_credentials
            an_older_session_is_joined
            a_later_session_is_refused_and_others_are_not
        },
    )
}

/// As it was opened at [`NOW`].
fn session(number: u8) -> Session {
    let credential = |kind, seconds, csrf_due| Credential {
        digest: CredentialDigest::from_bytes([number + kind; 32]),
        expires: NOW.plus(Duration::from_secs(seconds)),
        csrf_due,
    };
    Session {
        id: SessionId::from_bytes([number; 16]),
        platform: PlatformName::new("cms"),
        sign_on: Some(SsoSessionId::from_bytes([7; 16])),
        subject: Subject::new("Default", "alice"),
        person: Some(Person::new("alice@example.com")),
        account: Some(AccountVersion::from_bytes([6; 8])),
        client: Some(ClientId::new("app")),
        administrator: true,
        credentials: vec![credential(16, 3_600, true), credential(32, 1_800, false)],
        csrf: Some(SecretDigest::from_bytes([5; 32])),
        opened: NOW,
        seen: NOW,
        idle_timeout: Some(Duration::from_secs(60)),
        expires: NOW.plus(Duration::from_secs(86_400)),
        device: Device {
            address: Some([127, 0, 0, 1].into()),
            user_agent: Some("curl".to_owned()),
        },
        sealed: Some(Sealed::new(*b"sealed")),
        idp: None,
    }
}

struct Server {
    connection: Connection,
    base: String,
}

impl Server {
    fn key(&self, name: &[u8]) -> Vec<u8> {
        [self.base.as_bytes(), name].concat()
    }

    /// Writes a session as the earlier program did, with another `version`.
    fn write(&mut self, number: u8, version: u8) {
        let session = session(number);
        let mut record: Vec<u8> = (0..VERSION_1.len() / 2)
            .map(|at| u8::from_str_radix(&VERSION_1[2 * at..2 * at + 2], 16).expect("digits"))
            .collect();
        record[0] = version;
        for known in &session.credentials {
            let expires = known.expires.as_millis().to_be_bytes();
            record.extend_from_slice(known.digest.as_bytes());
            record.extend_from_slice(&expires);
            record.push(u8::from(known.csrf_due));
            let key = self.key(&[b"c:", known.digest.as_bytes().as_slice()].concat());
            self.set(&key, &[session.id.as_bytes().as_slice(), &expires].concat());
        }
        let id = session.id.as_bytes().as_slice();
        let key = self.key(&[b"s:", id].concat());
        self.set(&key, &record);
        let subject = b"u:\0\0\0\x03cms\0\0\0\x07Default\0\0\0\x05alice";
        let sign_on = [b"o:", [7; 16].as_slice()].concat();
        for index in [b"S".as_slice(), b"p:alice@example.com", subject, &sign_on] {
            let mut command = redis::cmd("ZADD");
            command.arg(self.key(index)).arg(0).arg(id);
            command.exec(&mut self.connection).expect("it answers");
        }
    }

    fn set(&mut self, key: &[u8], value: &[u8]) {
        let mut command = redis::cmd("SET");
        command.arg(key).arg(value).arg("PX").arg(60_000_000);
        command.exec(&mut self.connection).expect("it answers");
    }
}

/// A store on a server that has the sessions of these numbers, of version 1.
fn older(numbers: &[u8]) -> (Arc<RedisStore>, Server) {
    let url = crate::fresh_url(shared_server(), "");
    let prefix = url.split_once("prefix=").expect("it has one").1.to_owned();
    let client = redis::Client::open(shared_server()).expect("an address");
    let mut server = Server {
        connection: client.get_connection().expect("it answers"),
        base: format!("{prefix}{{0}}"),
    };
    for number in numbers {
        server.write(*number, 1);
    }
    (connect(&url), server)
}

fn find(store: &RedisStore, session: &Session) -> Lookup {
    block_on(store.find(&session.credentials[0].digest, NOW)).expect("it answers")
}

fn is_live(store: &RedisStore, session: &Session) -> bool {
    matches!(find(store, session), Lookup::Live(found, _) if *found == *session)
}

fn ends(store: &RedisStore, number: u32, target: EndTarget) -> usize {
    let ended = block_on(store.end(order(number, target))).expect("it answers");
    ended.len()
}

fn by(session: &Session, client: &str, csrf: CsrfProof, reach: Reach) -> EndTarget {
    EndTarget::Credential(ByCredential {
        digest: session.credentials[0].digest,
        client: Some(ClientId::new(client)),
        csrf,
        reach,
    })
}

fn an_older_session_is_found_and_listed() {
    let (store, _server) = older(&[1, 2]);
    assert!(is_live(&store, &session(1)));
    let page = block_on(store.sessions(&SessionFilter::default(), None, 9, NOW));
    assert_eq!(page.expect("it answers").items, [session(1), session(2)]);
}

fn an_older_session_ends_by_its_credential_under_its_conditions() {
    let (store, _server) = older(&[1, 2]);
    let token = |number| CsrfProof::Presented(Some(SecretDigest::from_bytes([number; 32])));
    for (client, csrf) in [
        ("other", token(5)),
        ("app", token(6)),
        ("app", CsrfProof::Presented(None)),
    ] {
        assert_eq!(
            ends(&store, 1, by(&session(1), client, csrf, Reach::Session)),
            0
        );
    }
    assert!(is_live(&store, &session(1)));
    let target = by(&session(1), "app", token(5), Reach::Session);
    assert_eq!(ends(&store, 2, target), 1);
    assert_eq!(find(&store, &session(1)), Lookup::Ended);
    assert!(is_live(&store, &session(2)));
    let delivery = block_on(store.delivery(session(1).id)).expect("it answers");
    assert_eq!(
        delivery.and_then(|delivery| delivery.sealed),
        session(1).sealed
    );
}

fn an_older_session_ends_by_every_other_target() {
    let own = session(1);
    let subject = (own.platform.clone(), own.subject.clone());
    for (number, target) in [
        EndTarget::Session(own.id),
        EndTarget::SignOn(SsoSessionId::from_bytes([7; 16])),
        EndTarget::Subject(subject.0, subject.1),
        EndTarget::Person(own.person.clone().expect("has one")),
        EndTarget::Platform(own.platform.clone()),
        by(&own, "app", CsrfProof::NotNeeded, Reach::Person),
    ]
    .into_iter()
    .enumerate()
    {
        let (store, _server) = older(&[1, 2]);
        let all = if number == 0 { 1 } else { 2 };
        assert_eq!(ends(&store, 1, target.clone()), all, "{target:?}");
        assert_eq!(find(&store, &own), Lookup::Ended, "{target:?}");
    }
}

fn an_older_session_is_touched_and_gets_credentials() {
    let (store, _server) = older(&[1]);
    let later = NOW.plus(Duration::from_secs(50));
    block_on(store.touch(session(1).id, later)).expect("it answers");
    let fresh = Credential {
        digest: CredentialDigest::from_bytes([99; 32]),
        ..session(1).credentials[1].clone()
    };
    let last = later.plus(Duration::from_secs(50));
    let attached = block_on(store.attach(session(1).id, fresh.clone(), None, last));
    assert_eq!(attached, Ok(true), "the touch counts");
    let target = by(&session(1), "other", CsrfProof::NotNeeded, Reach::Session);
    assert_eq!(
        ends(&store, 1, target),
        0,
        "its old credential has conditions now"
    );
    let found = block_on(store.find(&fresh.digest, last)).expect("it answers");
    assert!(matches!(found, Lookup::Live(_, known) if known == fresh));
}

fn an_older_session_is_joined() {
    let (store, _server) = older(&[1]);
    let joining = Session {
        id: SessionId::from_bytes([3; 16]),
        credentials: Vec::new(),
        ..session(3)
    };
    let opened = block_on(store.open(joining, Join::IfLive, NOW));
    assert_eq!(opened, Ok(OpenOutcome::Opened));
}

fn a_later_session_is_refused_and_others_are_not() {
    let (store, mut server) = older(&[1]);
    server.write(2, 3);
    let refused = order(1, EndTarget::Session(session(2).id));
    assert_eq!(block_on(store.end(refused)), Err(StoreUnavailable));
    let found = block_on(store.find(&session(2).credentials[0].digest, NOW));
    assert_eq!(found, Err(StoreUnavailable));
    assert_eq!(ends(&store, 2, EndTarget::Session(session(1).id)), 1);
}
