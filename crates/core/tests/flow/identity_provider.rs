//! Sign-outs that an identity provider orders by a token, and those that lead on to one.

use logout_core::authority::{TokenOutcome, TokenSignOut};
use logout_core::idp::{IdpEndSession, IdpLogin, TokenId};
use logout_core::platform::PlatformName;
use logout_core::receipt::ReceiptId;
use logout_core::redirect::ApprovedUrl;
use logout_core::{Reply, Response};

use super::*;

const ISSUER: &str = "https://idp.example";

impl World {
    /// Opens a session of a login, at a platform that signs out as far as that.
    fn logged_in(&self, platform: &str, name: &str, idp: (Option<&str>, Option<&str>)) {
        let authority = self.platform(platform, Reach::Session);
        let new = session(&authority, name, &format!("{platform}/{name}"));
        open(
            &authority,
            Session {
                idp: IdpLogin::new(ISSUER, idp.0, idp.1),
                ..new
            },
        );
    }

    fn receive(&self, order: &TokenSignOut, reach: Reach) -> TokenOutcome {
        let reach = |_: &PlatformName| reach;
        block_on(self.services.sign_out_by_token(order, reach)).unwrap()
    }

    /// How many sessions a token ended.
    fn ended(&self, order: &TokenSignOut) -> usize {
        match self.receive(order, Reach::Session) {
            TokenOutcome::Ended(_, ended) => ended.len(),
            TokenOutcome::Nothing => 0,
            TokenOutcome::Repeated => panic!("it is new"),
        }
    }
}

fn token(jti: &str, sub: Option<&str>, sid: Option<&str>) -> TokenSignOut {
    let issued = ManualClock::default().now();
    TokenSignOut {
        login: IdpLogin::new(ISSUER, sub, sid),
        person: None,
        token: TokenId {
            issuer: ISSUER.into(),
            jti: jti.into(),
        },
        issued,
        remember_until: issued.plus(Duration::from_secs(600)),
    }
}

#[test]
fn a_token_ends_the_sessions_of_its_login_and_no_others() {
    for (sub, sid, left) in [
        (Some("x"), None, vec!["cms/other"]),
        (
            None,
            Some("1"),
            vec!["cms/other", "cms/second", "cms/whole"],
        ),
        (
            Some("x"),
            Some("1"),
            vec!["cms/other", "cms/second", "cms/whole"],
        ),
        // A session of which no `sid` is known may be that one; one with another is not.
        (
            Some("x"),
            Some("3"),
            vec!["cms/first", "cms/other", "cms/second"],
        ),
        // A `sid` that is known to be another subject's.
        (
            Some("y"),
            Some("1"),
            vec!["cms/first", "cms/other", "cms/second", "cms/whole"],
        ),
        (
            Some("z"),
            None,
            vec!["cms/first", "cms/other", "cms/second", "cms/whole"],
        ),
    ] {
        let world = World::new();
        for (name, idp) in [
            ("first", (Some("x"), Some("1"))),
            ("second", (Some("x"), Some("2"))),
            ("whole", (Some("x"), None)),
            ("other", (Some("y"), Some("9"))),
        ] {
            let authority = world.platform("cms", Reach::Session);
            let mut new = session(&authority, name, name);
            new.person = Some(Person::new(idp.0.unwrap()));
            new.idp = IdpLogin::new(ISSUER, idp.0, idp.1);
            open(&authority, new);
        }
        let ended = world.ended(&token("t", sub, sid));
        assert_eq!(world.alive(), left, "{sub:?} {sid:?}");
        assert_eq!(ended, 4 - left.len());
    }
}

#[test]
fn the_receipt_names_the_token_and_its_repetition_ends_nothing() {
    let world = World::new();
    world.logged_in("cms", "alice", (Some("x"), Some("1")));
    let order = token("4711", None, Some("1"));
    let TokenOutcome::Ended(id, ended) = world.receive(&order, Reach::Session) else {
        panic!("nothing ended");
    };
    assert_eq!(
        (id, ended.len()),
        (ReceiptId::of_token(&order.token, order.issued), 1)
    );
    let receipt = block_on(world.services.store.receipt(id)).unwrap().unwrap();
    assert_eq!(receipt.reason, Reason::IdentityProvider);
    assert_eq!(receipt.token.as_ref(), Some(&order.token));

    world.clock.advance(Duration::from_secs(1));
    world.logged_in("cms", "again", (Some("x"), Some("1")));
    assert_eq!(
        world.receive(&order, Reach::Session),
        TokenOutcome::Repeated
    );
    assert_eq!(world.alive(), ["cms/again"]);
    assert_eq!(world.ended(&token("4712", None, Some("1"))), 1);
}

#[test]
fn a_token_that_ended_nothing_is_spent_too() {
    let world = World::new();
    let order = token("4711", Some("x"), None);
    assert_eq!(world.receive(&order, Reach::Session), TokenOutcome::Nothing);
    assert_eq!(
        world.receive(&order, Reach::Session),
        TokenOutcome::Repeated
    );
    world.logged_in("cms", "alice", (Some("x"), None));
    for _ in 0..2 {
        assert_eq!(
            world.receive(&order, Reach::Session),
            TokenOutcome::Repeated
        );
    }
    assert_eq!(world.alive(), ["cms/alice"]);
    assert_eq!(
        block_on(world.services.store.receipts(None, 10))
            .unwrap()
            .items,
        []
    );
}

/// A cluster ends shard by shard: what a failure has left over is of the same login, and older than
/// the receipt.
#[test]
fn what_a_token_left_over_ends_when_it_comes_again() {
    let world = World::new();
    world.logged_in("cms", "alice", (Some("x"), Some("1")));
    let order = token("4711", Some("x"), None);
    let rest = session(&world.platform("dam", Reach::Session), "alice", "rest");
    assert_eq!(world.ended(&order), 1);
    open(
        &world.platform("dam", Reach::Session),
        Session {
            idp: IdpLogin::new(ISSUER, Some("x"), None),
            ..rest
        },
    );
    let TokenOutcome::Ended(id, _) = world.receive(&order, Reach::Session) else {
        panic!("the rest is alive");
    };
    assert_ne!(id, ReceiptId::of_token(&order.token, order.issued));
    let receipt = block_on(world.services.store.receipt(id)).unwrap().unwrap();
    assert_eq!(receipt.token, Some(order.token.clone()));
    assert_eq!(
        world.receive(&order, Reach::Session),
        TokenOutcome::Repeated
    );
}

#[test]
fn a_token_goes_as_far_as_the_platform_of_each_session_says() {
    for (reach, left) in [
        (Reach::Session, vec!["cms/alice", "dam/alice"]),
        (Reach::Subject, vec!["dam/alice"]),
        (Reach::Person, vec![]),
    ] {
        let world = World::new();
        world.logged_in("cms", "alice", (None, Some("1")));
        let (cms, dam) = (
            world.platform("cms", Reach::Session),
            world.platform("dam", Reach::Session),
        );
        open(&cms, session(&cms, "alice", "second"));
        open(&dam, session(&dam, "alice", "third"));
        let order = token("4711", None, Some("1"));
        assert!(matches!(
            world.receive(&order, reach),
            TokenOutcome::Ended(..)
        ));
        assert_eq!(world.alive(), left, "{reach:?}");
    }
}

#[test]
fn a_person_is_meant_only_where_nothing_is_known_of_the_login() {
    let by_person = |sub, sid| TokenSignOut {
        person: Some(Person::new("alice")),
        ..token("4711", sub, sid)
    };
    let world = World::new();
    world.logged_in("cms", "alice", (None, None));
    world.logged_in("dam", "alice", (None, None));
    assert_eq!(world.ended(&by_person(Some("alice"), Some("1"))), 2);

    let world = World::new();
    world.logged_in("cms", "alice", (Some("alice"), Some("1")));
    world.logged_in("dam", "alice", (None, None));
    assert_eq!(world.ended(&by_person(Some("alice"), Some("2"))), 0);
    assert_eq!(world.alive(), ["cms/alice", "dam/alice"]);
}

#[test]
fn a_login_that_several_persons_share_ends_nothing() {
    let world = World::new();
    world.logged_in("cms", "alice", (Some("x"), None));
    world.logged_in("cms", "bob", (Some("x"), None));
    assert_eq!(world.ended(&token("4711", Some("x"), None)), 0);
    assert_eq!(world.alive(), ["cms/alice", "cms/bob"]);
}

#[test]
fn a_browser_that_signed_out_goes_on_to_the_provider_and_comes_back() {
    let world = World::new();
    let mut platform = Platform::new("cms", "https://site.example/cms".parse().unwrap());
    platform.end_session = Some(IdpEndSession {
        endpoint: ApprovedUrl::from_operator("https://idp.example/out?a=1").unwrap(),
        client_id: "c&d".to_owned(),
    });
    let services = world.services.clone();
    let authority = SessionAuthority::new(Arc::new(platform), Arc::new(AsText), services);
    let sign_out = |secret: &str, default: Option<&str>| {
        let mut asked = asked(&authority, &[secret]);
        asked.redirect.default = default.map(|text| ApprovedUrl::from_operator(text).unwrap());
        let done = block_on(authority.sign_out(&any_request(), asked)).unwrap();
        let answer = done
            .redirect()
            .map_or(Response::new(200), Response::redirect);
        let (_, headers, _) = Response::from(Reply::signed_out(&done, answer)).into_parts();
        let mut locations = headers.iter().filter(|(name, _)| *name == "location");
        locations.next().map(|(_, value)| value.as_str().to_owned())
    };
    let way = |back: &str| {
        Some(format!(
            "https://idp.example/out?a=1&client_id=c%26d&post_logout_redirect_uri={back}"
        ))
    };
    for (default, expected) in [
        (Some("/cms/"), way("https%3A%2F%2Fsite.example%2Fcms%2F")),
        (
            Some("https://www.example.com/x?y"),
            way("https%3A%2F%2Fwww.example.com%2Fx%3Fy"),
        ),
        // An answer that leads nowhere stays so.
        (None, None),
    ] {
        open(&authority, session(&authority, "alice", "secret"));
        assert_eq!(sign_out("secret", default), expected);
        // Nothing ended, so there is nothing to tell.
        assert_eq!(sign_out("secret", default), default.map(str::to_owned));
    }
}
