//! From a platform's sign-out to the page of a real provider, npm's oidc-provider, to the hub's
//! back-channel, and back to the hub.

use std::io::ErrorKind;

use logout_tests::front::{Front, Login, VENDORS, admin};
use logout_tests::http::{Answer, Request};
use logout_tests::oidc_provider::{Client, OidcProvider, REDIRECT_URI, Visitor, claims};
use logout_tests::skip::{Need, Run};
use logout_tests::stores::StoreKind;
use serde_json::{Value, json};
use url::{Position, Url};

use crate::real_provider::{HUB, ISSUER, assert_dead, register_with, sent, set_clock};
use crate::scene::receipts;

pub(crate) fn add(run: &mut Run) {
    run.on_every_store(
        "round_trip::the_token_that_comes_back_ends_nothing",
        &[Need::Node],
        the_token_that_comes_back_ends_nothing,
    );
    for (name, body) in [
        (
            "round_trip::what_the_sign_out_did_not_reach_ends_by_the_token",
            what_the_sign_out_did_not_reach_ends_by_the_token as fn(),
        ),
        (
            "round_trip::an_unregistered_way_back_is_refused_after_the_sign_out",
            an_unregistered_way_back_is_refused_after_the_sign_out,
        ),
        (
            "round_trip::a_silent_provider_is_not_asked",
            a_silent_provider_is_not_asked,
        ),
    ] {
        run.test(name, &[Need::Node], body);
    }
}

/// Where HCL DX sends browsers that have signed out.
fn portal(front: &Front) -> String {
    format!("{}/wps/portal", front.hub.base())
}

/// The provider, and a hub whose platforms lead browsers there after a sign-out of this reach.
/// Browsers may come back to the portal where `is_registered`.
fn start(store: StoreKind, reach: &str, is_registered: bool) -> (Front, OidcProvider) {
    let table = format!(
        "[[idp]]\nname = \"{HUB}\"\nissuer = \"{ISSUER}\"\nclient_id = \"{HUB}\"\n\
         jwks_uri = \"{ISSUER}/jwks\"\nend_session_endpoint = \"{ISSUER}/session/end\"\n"
    );
    let mut front = Front::with_tables(store, "wait = \"0ms\"", reach, &table);
    let client = Client {
        id: HUB.to_owned(),
        backchannel_logout_uri: format!("{}/idp/{HUB}/backchannel-logout", front.hub.base()),
        with_sid: true,
        redirect_uri: REDIRECT_URI.to_owned(),
        post_logout_redirect_uris: is_registered.then(|| portal(&front)).into_iter().collect(),
    };
    let provider = OidcProvider::start(&[client]);
    let reach = format!("reach = \"{reach}\"\n");
    front
        .hub
        .reconfigure(&reach, &format!("{reach}idp = \"{HUB}\"\n"));
    front.hub.reconfigure(ISSUER, provider.issuer());
    front.hub.restart().unwrap();
    set_clock(&front);
    (front, provider)
}

/// Logs `name` in at the provider, and registers a session of that login at each product.
fn log_in(front: &Front, visitor: &mut Visitor<'_>, name: &str) -> (String, [Login; 4]) {
    let token = visitor.log_in_for_token(HUB, name);
    let more = json!({ "id_token": token });
    let sessions =
        VENDORS.map(|vendor| register_with(front, vendor, &claims(&token), more.clone()));
    (token, sessions)
}

/// The browser's sign-out at the portal.
fn sign_out(front: &Front, sessions: &[Login; 4]) -> Answer {
    let portal = sessions.iter().find(|login| login.vendor == "hcl-dx");
    let (name, value) = &portal.unwrap().header;
    Request::get("/wps/portal/ibm_security_logout?logoutExitPage=%2Fportal")
        .header(name, value)
        .send(front.hub.address())
}

/// The address of the provider that the answer leads to, which has this ID token.
fn way_on(front: &Front, provider: &str, token: &str, answer: &Answer) -> String {
    assert_eq!(answer.status, 302, "{}", answer.text());
    let location = answer.header("location").unwrap();
    let address = Url::parse(location).unwrap();
    assert_eq!(
        address[..Position::AfterPath],
        format!("{provider}/session/end")
    );
    let pairs: Vec<_> = address.query_pairs().into_owned().collect();
    let expected = [
        ("client_id", HUB),
        ("post_logout_redirect_uri", &portal(front)),
        ("id_token_hint", token),
    ];
    assert_eq!(
        pairs,
        expected.map(|(name, value)| (name.to_owned(), value.to_owned()))
    );
    location.to_owned()
}

fn all_receipts(front: &Front) -> Vec<Value> {
    let answer = admin(&front.hub, Request::get("/api/receipts?limit=1000"));
    answer.json()["receipts"].as_array().unwrap().clone()
}

fn the_token_that_comes_back_ends_nothing(store: StoreKind) {
    let (front, provider) = start(store, "person", true);
    let (mut alice, mut bob) = (Visitor::of(&provider), Visitor::of(&provider));
    let (token, sessions) = log_in(&front, &mut alice, "alice");
    let (_, bobs) = log_in(&front, &mut bob, "bob");
    let answer = sign_out(&front, &sessions);
    let address = way_on(&front, provider.issuer(), &token, &answer);
    // Everything has ended, and the provider has not been asked yet.
    for session in &sessions {
        assert_dead(&front, session);
    }
    assert!(provider.is_quiet());
    let before = all_receipts(&front);
    assert_eq!(before.len(), 1, "{before:?}");
    let back = alice.follow(&address).unwrap();
    assert_eq!(back, portal(&front));
    let logout_token = sent(&provider);
    let login = claims(&token);
    assert_eq!(
        (&logout_token["sub"], &logout_token["sid"]),
        (&login["sub"], &login["sid"])
    );
    let ids = |receipts: &[Value]| -> Vec<Value> {
        let ids = receipts.iter().map(|receipt| receipt["receipt"].clone());
        ids.collect()
    };
    assert_eq!(ids(&all_receipts(&front)), ids(&before));
    assert!(receipts(&front.hub).is_empty());
    for session in &bobs {
        assert!(front.passes(session) && front.is_alive(session));
    }
    // The browser that has come back signs out once more, which leads it nowhere else.
    let again = sign_out(&front, &sessions);
    assert_eq!(again.header("location"), Some("/wps/portal"));
    // Another login at the provider is a new one there.
    let (_, fresh) = log_in(&front, &mut alice, "alice");
    for session in &fresh {
        assert!(front.passes(session), "{}", session.vendor);
    }
}

fn what_the_sign_out_did_not_reach_ends_by_the_token() {
    let (front, provider) = start(StoreKind::Disk, "session", true);
    let (mut alice, mut elsewhere) = (Visitor::of(&provider), Visitor::of(&provider));
    let (token, sessions) = log_in(&front, &mut alice, "alice");
    let (_, others) = log_in(&front, &mut elsewhere, "alice");
    let answer = sign_out(&front, &sessions);
    let address = way_on(&front, provider.issuer(), &token, &answer);
    for session in &sessions {
        assert_eq!(front.passes(session), session.vendor != "hcl-dx");
    }
    assert_eq!(alice.follow(&address).unwrap(), portal(&front));
    let logout_token = sent(&provider);
    for session in &sessions {
        assert_dead(&front, session);
    }
    for session in &others {
        assert!(front.passes(session) && front.is_alive(session));
    }
    let receipts = receipts(&front.hub);
    assert_eq!(receipts.len(), 1, "{receipts:?}");
    assert_eq!(receipts[0]["token"]["jti"], logout_token["jti"]);
    let ended = receipts[0]["sessions"].as_array().unwrap();
    assert_eq!(ended.len(), VENDORS.len() - 1, "{ended:?}");
    assert_eq!(all_receipts(&front).len(), 2);
}

fn an_unregistered_way_back_is_refused_after_the_sign_out() {
    let (front, provider) = start(StoreKind::Disk, "person", false);
    let mut alice = Visitor::of(&provider);
    let (token, sessions) = log_in(&front, &mut alice, "alice");
    let answer = sign_out(&front, &sessions);
    let address = way_on(&front, provider.issuer(), &token, &answer);
    for session in &sessions {
        assert_dead(&front, session);
    }
    let refusal = alice.follow(&address).unwrap_err();
    assert_eq!(refusal.status, 400);
    assert!(
        refusal
            .text()
            .contains("post_logout_redirect_uri not registered"),
        "{}",
        refusal.text()
    );
    assert!(provider.is_quiet());
}

/// It is named to the browser only, so it delays no sign-out.
fn a_silent_provider_is_not_asked() {
    let (front, provider) = start(StoreKind::Disk, "person", true);
    let mut alice = Visitor::of(&provider);
    let (token, sessions) = log_in(&front, &mut alice, "alice");
    let issuer = provider.issuer().to_owned();
    let silent = provider.fall_silent();
    silent.set_nonblocking(true).unwrap();
    let answer = sign_out(&front, &sessions);
    way_on(&front, &issuer, &token, &answer);
    for session in &sessions {
        assert_dead(&front, session);
    }
    let asked = silent.accept().map(|_| ()).map_err(|error| error.kind());
    assert_eq!(asked, Err(ErrorKind::WouldBlock));
}
