//! Sign-outs that are told to an instance: return addresses, strangers, deliveries.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_executor::block_on;
use logout_core::authority::Services;
use logout_core::message::{Method, Request, Response};
use logout_core::outbox::Outbox as _;
use logout_core::ports::PassThrough;
use logout_core::receipt::{Reach, Reason};
use logout_core::relayed_cookie::removals_of_sign_out;
use logout_core::session::Person;
use logout_core::sign_out::{NoSessionPolicy, PostLogoutRedirect, RequestedRedirect};
use logout_core::store::{Lookup, SessionStore as _};
use logout_core::time::Timestamp;
use logout_core::upstream::UpstreamAnswer;
use logout_core::{LogoutProvider as _, Refusal, SignOut};
use logout_suite::testing::{ListedAccounts, RememberedTokens};

use super::{Simple, World, register, sign_out, world, world_with};

#[test]
fn the_return_address_is_the_upstream_s_where_nothing_is_asked_for_and_the_rule_allows_it() {
    for (upstream, redirect) in [
        (
            Some("https://cms.example/goodbye"),
            "https://cms.example/goodbye",
        ),
        (Some("https://evil.example/"), "/bye"),
        (None, "/bye"),
    ] {
        let world = world_with(upstream, false);
        register(&world, "alice", "a");
        let done = sign_out(&world, "a", |asked| asked).unwrap();
        assert_eq!(done.redirect().unwrap().as_str(), redirect);
        register(&world, "alice", "b");
        let wants = |asked: SignOut| {
            let requested = RequestedRedirect::Address("/own".to_owned());
            SignOut {
                redirect: PostLogoutRedirect {
                    requested,
                    ..asked.redirect
                },
                ..asked
            }
        };
        assert_eq!(
            sign_out(&world, "b", wants)
                .unwrap()
                .redirect()
                .unwrap()
                .as_str(),
            "/own"
        );
    }
}

#[test]
fn the_receipt_s_page_is_the_return_address_of_those_who_ended_something_and_asked_for_nothing() {
    let world = world_with(None, true);
    register(&world, "alice", "a");
    let done = sign_out(&world, "a", |asked| asked).unwrap();
    assert_eq!(
        done.redirect().unwrap().as_str(),
        format!("https://hub.example/receipts/of-{}", done.receipt())
    );
    let again = sign_out(&world, "a", |asked| asked).unwrap();
    assert_eq!(
        (again.ended().len(), again.redirect().unwrap().as_str()),
        (0, "/bye")
    );
}

#[test]
fn a_stranger_is_answered_from_what_the_upstream_says_and_nothing_is_written() {
    let world = world();
    let says = |pass_through, absent| {
        *world.deliveries.pass_through.lock().unwrap() = pass_through;
        let done = sign_out(&world, "foreign", |asked| SignOut {
            no_session: absent,
            ..asked
        });
        done.map(|done| done.redirect().unwrap().as_str().to_owned())
    };
    let elsewhere = |to: &str| PassThrough::Confirmed {
        redirect: Some(to.to_owned()),
        removals: Vec::new(),
    };
    assert_eq!(
        says(
            PassThrough::Confirmed {
                redirect: None,
                removals: Vec::new()
            },
            NoSessionPolicy::Reject
        )
        .as_deref(),
        Ok("/bye")
    );
    assert_eq!(
        says(elsewhere("https://cms.example/x"), NoSessionPolicy::Reject).as_deref(),
        Ok("https://cms.example/x")
    );
    assert_eq!(
        says(elsewhere("https://evil.example/"), NoSessionPolicy::Reject).as_deref(),
        Ok("/bye")
    );
    assert_eq!(
        says(PassThrough::NotSignedIn, NoSessionPolicy::Reject),
        Err(Refusal::NotSignedIn)
    );
    assert_eq!(
        says(PassThrough::NotSignedIn, NoSessionPolicy::Succeed).as_deref(),
        Ok("/bye")
    );
    assert_eq!(
        says(PassThrough::Refused, NoSessionPolicy::Succeed),
        Err(Refusal::Unavailable)
    );
    assert_eq!(
        says(PassThrough::Busy, NoSessionPolicy::Succeed),
        Err(Refusal::Unavailable)
    );
    assert_eq!(block_on(world.store.receipts(None, 9)).unwrap().items, []);
    assert_eq!(
        block_on(world.sessions.look_up("session", "foreign")),
        Ok(Lookup::Unknown)
    );
}

#[test]
fn what_the_upstream_removes_is_handed_on_by_the_names_that_the_platform_owns() {
    let header = |text: &str| ("set-cookie".to_owned(), text.as_bytes().to_vec());
    let headers = [
        "sid=; Path=/app; Max-Age=0",
        "sid=gone; Path=/x; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
        "sid=alive; Path=/y",
        "theme=; Path=/; Max-Age=0",
    ];
    let answer = UpstreamAnswer::new(200).with_headers(headers.map(header));
    let removals =
        removals_of_sign_out(&Simple, &answer, Timestamp::from_millis(1_000_000_000_000));
    let end = "Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT";
    assert_eq!(
        removals,
        [
            format!("sid=; Path=/app; {end}"),
            format!("sid=; Path=/x; {end}")
        ]
    );

    let world = world();
    *world.deliveries.pass_through.lock().unwrap() = PassThrough::Confirmed {
        redirect: None,
        removals: removals.clone(),
    };
    let request = Request::new(Method::Post, "/out").with_header("cookie", "sid=foreign");
    let response = Response::from(block_on(Simple.logout(&request, &world.sessions)));
    let cleared: Vec<_> = response
        .headers()
        .iter()
        .filter(|(name, _)| *name == "set-cookie")
        .map(|(_, value)| value.to_string())
        .collect();
    assert_eq!(cleared[1..], removals);
}

#[test]
fn a_stranger_whose_upstream_is_dead_is_kept_as_a_delivery_and_tombstoned() {
    let world = world();
    *world.deliveries.pass_through.lock().unwrap() = PassThrough::Unreachable;
    let done = sign_out(&world, "foreign", |asked| asked).unwrap();
    assert_eq!(
        (
            done.ended().len(),
            world.deliveries.woken.load(Ordering::SeqCst)
        ),
        (1, 1)
    );
    let delivery = block_on(world.store.delivery(done.ended()[0].id))
        .unwrap()
        .unwrap();
    assert_eq!(
        (&*delivery.subject.name, delivery.receipt),
        ("", done.receipt())
    );
    assert_eq!(
        block_on(world.sessions.look_up("session", "foreign")),
        Ok(Lookup::Ended)
    );
    // Once ended it is nobody's first sight.
    let asked_before = world.deliveries.asked.load(Ordering::SeqCst);
    sign_out(&world, "foreign", |asked| asked).unwrap();
    assert_eq!(world.deliveries.asked.load(Ordering::SeqCst), asked_before);
}

#[test]
fn an_administrator_s_order_and_expiry_reach_upstreams_too() {
    let world = world();
    register(&world, "alice", "a");
    let targets = vec![logout_core::store::EndTarget::Person(Person::new(
        "alice@example.com",
    ))];
    let services = ports_of(&world);
    let (_, ended) = block_on(services.end(Reason::Administrator, Reach::Person, targets)).unwrap();
    assert_eq!(
        (ended.len(), world.deliveries.woken.load(Ordering::SeqCst)),
        (1, 1)
    );
}

fn ports_of(world: &World) -> Services {
    let tokens = Arc::new(RememberedTokens::default());
    let mut services = Services::of_stand_ins(
        Arc::new(ListedAccounts::default()),
        world.clock.clone(),
        world.store.clone(),
        tokens,
    );
    services.deliveries = world.deliveries.clone();
    services
}

#[test]
fn a_store_that_fails_claims_nothing_and_tells_nobody() {
    let world = world();
    register(&world, "alice", "a");
    world.store.set_broken(true);
    let refused = sign_out(&world, "a", |asked| asked).unwrap_err();
    assert_eq!(
        (refused, world.deliveries.woken.load(Ordering::SeqCst)),
        (Refusal::Unavailable, 0)
    );
    world.store.set_broken(false);
    let done = sign_out(&world, "a", |asked| asked).unwrap();
    assert_eq!(
        (
            done.ended().len(),
            world.deliveries.woken.load(Ordering::SeqCst)
        ),
        (1, 1)
    );
}
