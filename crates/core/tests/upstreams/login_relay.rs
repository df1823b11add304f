//! Logins that go through the hub.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures_executor::block_on;
use logout_core::login_relay::{LoginRelay, RelayError};
use logout_core::message::{Method, Request};
use logout_core::ports::Seal as _;
use logout_core::provider::Upstream;
use logout_core::store::Lookup;
use logout_core::upstream::{
    UpstreamAnswer, UpstreamClient, UpstreamError, UpstreamRequest, UpstreamSession,
};

use super::{Reversed, Simple, World, register, upstream_platform, world, world_of};

/// Answers once, and keeps what it was sent.
#[derive(Debug)]
pub(super) struct Recorder {
    answer: Result<UpstreamAnswer, UpstreamError>,
    sent: Mutex<Option<UpstreamRequest>>,
}

#[async_trait]
impl UpstreamClient for Recorder {
    async fn send(&self, request: UpstreamRequest) -> Result<UpstreamAnswer, UpstreamError> {
        *self.sent.lock().unwrap() = Some(request);
        self.answer.clone()
    }
}

pub(super) fn relay(
    world: &World,
    answer: Result<UpstreamAnswer, UpstreamError>,
) -> (LoginRelay, Arc<Recorder>) {
    let client = Arc::new(Recorder {
        answer,
        sent: Mutex::new(None),
    });
    let upstream = Upstream {
        provider: Arc::new(Simple),
        client: client.clone(),
    };
    (
        LoginRelay::new(
            upstream,
            "https://cms.internal:8443/base".parse().unwrap(),
            world.sessions.clone(),
        ),
        client,
    )
}

pub(super) fn header(name: &str, value: &str) -> (String, Vec<u8>) {
    (name.to_owned(), value.as_bytes().to_vec())
}

#[test]
fn a_relayed_login_is_registered_and_its_answer_mapped() {
    let world = world();
    let headers = vec![
        header("set-cookie", "sid=s1; Domain=.internal; Path=/; HttpOnly"),
        header("set-cookie", "theme=dark; Domain=other.example"),
        header("location", "https://cms.internal:8443/base/home?a=1#b"),
        header("x-odd", "kept as it is"),
        header("connection", "close, X-Hop"),
        header("x-hop", "1"),
        header("transfer-encoding", "chunked"),
    ];
    let (relay, client) = relay(
        &world,
        Ok(UpstreamAnswer::new(302)
            .with_headers(headers)
            .with_body(b"hello alice")),
    );
    let request = Request::new(Method::Post, "/login")
        .with_query("next=%2Fx")
        .with_header("host", "cms.example")
        .with_header("connection", "keep-alive, x-hop")
        .with_header("x-hop", "1")
        .with_header("x-forwarded-for", "6.6.6.6")
        .with_header("accept-encoding", "br")
        .with_header("content-type", "text/plain")
        .with_client(Some([192, 0, 2, 7].into()))
        .with_secure(true)
        .with_body("secret words");
    let answer = block_on(relay.login(&request)).unwrap();
    let values: Vec<_> = answer
        .headers
        .iter()
        .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value)))
        .collect();
    assert_eq!(
        values,
        [
            "set-cookie: sid=s1; Path=/; HttpOnly",
            "set-cookie: theme=dark; Domain=other.example",
            "location: https://cms.example/home?a=1#b",
            "x-odd: kept as it is",
        ]
    );
    assert_eq!(
        (answer.status, answer.body.as_slice()),
        (302, b"hello alice".as_slice())
    );
    let sent = client.sent.lock().unwrap().take().unwrap();
    assert_eq!(
        (sent.method, sent.target.as_str(), sent.body.as_slice()),
        (Method::Post, "/login?next=%2Fx", b"secret words".as_slice())
    );
    let sent: Vec<_> = sent
        .headers
        .iter()
        .map(|(name, value)| format!("{name}: {}", value.reveal()))
        .collect();
    assert_eq!(
        sent,
        [
            "content-type: text/plain",
            "x-forwarded-for: 192.0.2.7",
            "x-forwarded-host: cms.example",
            "x-forwarded-proto: https"
        ]
    );
    assert!(matches!(
        block_on(world.sessions.look_up("session", "s1")),
        Ok(Lookup::Live(..))
    ));
}

#[test]
fn a_location_below_the_upstream_s_address_becomes_the_platform_s_and_any_other_is_left_alone() {
    let world = world();
    for (told, arrives) in [
        ("https://cms.internal:8443/base", "https://cms.example"),
        (
            "https://CMS.internal:8443/base/home?a=1#b",
            "https://cms.example/home?a=1#b",
        ),
        (
            "http://cms.internal:8443/base/home",
            "https://cms.example/home",
        ),
        ("//cms.internal:8443/base/home", "https://cms.example/home"),
        ("/base/home", "/base/home"),
        ("home", "home"),
        (
            "https://cms.internal/base/home",
            "https://cms.internal/base/home",
        ),
        (
            "https://cms.internal.evil.example:8443/base/",
            "https://cms.internal.evil.example:8443/base/",
        ),
        (
            "ftp://cms.internal:8443/base/",
            "ftp://cms.internal:8443/base/",
        ),
        ("//other.example/base", "//other.example/base"),
    ] {
        let answer = UpstreamAnswer::new(302).with_header("location", told);
        let (relay, _) = relay(&world, Ok(answer));
        let answer = block_on(relay.login(&Request::new(Method::Post, "/login"))).unwrap();
        assert_eq!(answer.header("location"), Some(arrives), "{told}");
    }
}

#[test]
fn a_login_that_is_answered_by_another_protocol_is_not_relayed() {
    let world = world();
    let answer = UpstreamAnswer::new(101).with_header("upgrade", "h2c");
    let (relay, _) = relay(&world, Ok(answer));
    let fault = block_on(relay.login(&Request::new(Method::Post, "/login"))).unwrap_err();
    assert_eq!(fault, RelayError::Upstream(UpstreamError::Broken));
}

#[test]
fn a_renewed_credential_belongs_to_the_session_it_renews() {
    let world = world();
    let id = register(&world, "alice", "old");
    let answer = UpstreamAnswer::new(200)
        .with_header("set-cookie", "sid=new")
        .with_body(b"hello alice");
    let (relay, _) = relay(&world, Ok(answer));
    block_on(relay.login(&Request::new(Method::Post, "/refresh").with_header("cookie", "sid=old")))
        .unwrap();
    for secret in ["old", "new"] {
        let Ok(Lookup::Live(session, _)) = block_on(world.sessions.look_up("session", secret))
        else {
            panic!()
        };
        assert_eq!(session.id, id);
        let opened = Reversed.open(id, session.sealed.as_ref().unwrap()).unwrap();
        assert_eq!(
            UpstreamSession::from_bytes(&opened)
                .cookie("sid")
                .unwrap()
                .reveal(),
            "new"
        );
    }
}

#[test]
fn a_login_that_cannot_be_registered_never_reaches_the_client() {
    let world = world();
    let answer = UpstreamAnswer::new(200)
        .with_header("set-cookie", "sid=s1")
        .with_body(b"hello alice");
    let (registering, _) = relay(&world, Ok(answer));
    world.store.set_broken(true);
    assert_eq!(
        block_on(registering.login(&Request::new(Method::Post, "/login"))).unwrap_err(),
        RelayError::Unavailable
    );
    let (unreachable, _) = relay(&world, Err(UpstreamError::Timeout));
    let fault = block_on(unreachable.login(&Request::new(Method::Post, "/login"))).unwrap_err();
    assert_eq!(fault, RelayError::Upstream(UpstreamError::Timeout));
}

/// What becomes of the session `s1` when its cookie comes along with a login that is answered with
/// these headers.
fn after_login(
    end_previous: bool,
    request: Request<'static>,
    set: &str,
    body: &str,
) -> (World, Result<UpstreamAnswer, RelayError>) {
    let mut platform = upstream_platform();
    platform.end_previous = end_previous;
    let world = world_of(platform, None, false);
    register(&world, "alice", "s1");
    let answer = UpstreamAnswer::new(200)
        .with_header("set-cookie", set)
        .with_body(body);
    let (relay, _) = relay(&world, Ok(answer));
    let answered = block_on(relay.login(&request.with_header("cookie", "sid=s1")));
    (world, answered)
}

fn is_live(world: &World, secret: &str) -> bool {
    matches!(
        block_on(world.sessions.look_up("session", secret)),
        Ok(Lookup::Live(..))
    )
}

#[test]
fn a_relayed_login_ends_the_session_of_the_cookie_it_replaces_where_that_is_asked_for() {
    for (end_previous, path, set, body, old_lives, new_lives) in [
        (true, "/login", "sid=s2", "hello bob", false, true),
        (true, "/login", "sid=s2", "hello alice", false, true),
        (false, "/login", "sid=s2", "hello bob", true, true),
        // A login that fails, and those that leave the browser its cookie.
        (true, "/login", "sid=s2", "no", true, false),
        (true, "/login", "theme=dark", "hello bob", true, false),
        (true, "/login", "sid=s1", "hello alice", true, false),
        (true, "/refresh", "sid=s2", "hello alice", true, true),
    ] {
        let (world, answered) =
            after_login(end_previous, Request::new(Method::Post, path), set, body);
        assert!(answered.is_ok());
        assert_eq!(
            (is_live(&world, "s1"), is_live(&world, "s2")),
            (old_lives, new_lives),
            "{end_previous} {path} {set} {body}"
        );
    }
}

#[test]
fn a_relayed_login_tells_nothing_when_the_store_is_silent() {
    let login = || Request::new(Method::Post, "/login").with_header("cookie", "sid=s1");
    // Whichever step it is that fails: the login, or only the end of the former session.
    for answered in 0..8 {
        let mut platform = upstream_platform();
        platform.end_previous = true;
        let world = world_of(platform, None, false);
        register(&world, "alice", "s1");
        let answer = UpstreamAnswer::new(200)
            .with_header("set-cookie", "sid=s2")
            .with_body(b"hello bob");
        let (relay, _) = relay(&world, Ok(answer));
        world.store.break_after(answered);
        let told = block_on(relay.login(&login()));
        world.store.set_broken(false);
        if told.is_ok() {
            assert!(answered > 2 && !is_live(&world, "s1"));
            return;
        }
        assert_eq!(
            told.unwrap_err(),
            RelayError::Unavailable,
            "after {answered} answers"
        );
    }
    panic!("a login takes more answers than these");
}
