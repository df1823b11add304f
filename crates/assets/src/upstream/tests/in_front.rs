//! What a hub in front of a real instance answers.

use std::sync::Arc;

use futures_executor::block_on;
use logout_core::authority::{Services, SessionAuthority};
use logout_core::message::Response;
use logout_core::provider::LogoutProvider as _;
use logout_core::registration::Registration;
use logout_core::session::Device;
use logout_suite::testing::product::OneReceiptPage;
use logout_suite::testing::{BreakableStore, ListedAccounts, ManualClock, RememberedTokens};

use super::*;
use crate::request::LOGOUT_AND_REDIRECT;

/// A hub in front of a real instance that nobody carries anything to.
fn sessions() -> SessionAuthority {
    let (accounts, clock) = (
        Arc::new(ListedAccounts::default()),
        Arc::new(ManualClock::default()),
    );
    let mut services = Services::of_stand_ins(
        accounts,
        clock,
        Arc::new(BreakableStore::default()),
        Arc::new(RememberedTokens::default()),
    );
    services.receipt_pages = Some(Arc::new(OneReceiptPage));
    let provider = AssetsProvider::new(AssetsConfig::default(), &platform(true)).unwrap();
    SessionAuthority::new(Arc::new(platform(true)), Arc::new(provider), services)
}

fn register(hub: &AssetsProvider, sessions: &SessionAuthority) {
    let session = UpstreamSession {
        csrf: Some(Secret::new("c")),
        ..session_of_cookies(&[("authToken", "theirs")])
    };
    let registration = Registration {
        subject: Subject::new("", "alice"),
        person: None,
        session,
        expires: None,
        device: Device::default(),
        idp: None,
        id_token: None,
    };
    block_on(sessions.register(hub, registration)).unwrap();
}

#[test]
fn a_registered_session_is_found_at_its_sign_out_and_needs_its_csrf_token() {
    let (hub, sessions) = (provider(Profile::Assets6), sessions());
    register(&hub, &sessions);
    let request = Request::new(Method::Post, "/services/logout")
        .with_header("cookie", "authToken=theirs")
        .with_endpoint("logout", vec![]);
    let send = |request: &Request<'_>| {
        let (_, headers, body) =
            Response::from(block_on(hub.logout(request, &sessions))).into_parts();
        (
            serde_json::from_slice::<Value>(&body).unwrap(),
            headers.iter().any(|(name, _)| *name == "set-cookie"),
        )
    };
    assert_eq!(send(&request).0["errorcode"], json!(403));
    let (body, deletes) = send(&request.clone().with_header("x-csrf-token", "c"));
    assert_eq!((body, deletes), (json!({ "logoutSuccess": true }), true));
    assert_eq!(
        send(&request.with_header("x-csrf-token", "c")).0["errorcode"],
        json!(401)
    );
}

#[test]
fn a_stranger_is_not_answered_from_what_the_hub_does_not_know() {
    let (hub, sessions) = (provider(Profile::Assets6), sessions());
    // Nobody carries it here, so it is not known whether anything ended: neither a success nor "not
    // logged in".
    for request in [
        Request::new(Method::Post, "/services/logout")
            .with_header("cookie", "authToken=stranger")
            .with_endpoint("logout", vec![]),
        Request::new(Method::Get, "/logout")
            .with_header("cookie", "authToken=stranger")
            .with_endpoint(LOGOUT_AND_REDIRECT, vec![]),
    ] {
        assert_eq!(
            Response::from(block_on(hub.logout(&request, &sessions))).status(),
            503
        );
    }
    let nobody = Request::new(Method::Get, "/logout").with_endpoint(LOGOUT_AND_REDIRECT, vec![]);
    assert_eq!(
        Response::from(block_on(hub.logout(&nobody, &sessions))).status(),
        302
    );
}

#[test]
fn a_cookie_that_only_the_real_instance_may_know_is_not_deleted() {
    let (hub, sessions) = (provider(Profile::Assets6), sessions());
    register(&hub, &sessions);
    let request = Request::new(Method::Post, "/services/logout")
        .with_header("authorization", "Bearer theirs")
        .with_header("x-csrf-token", "c")
        .with_header("cookie", "authToken=another")
        .with_endpoint("logout", vec![]);
    let response = Response::from(block_on(hub.logout(&request, &sessions)));
    assert!(response.body().starts_with(b"{\"logoutSuccess\":true"));
    assert!(
        response
            .headers()
            .iter()
            .all(|(name, _)| *name != "set-cookie")
    );
}

#[test]
fn a_redirecting_sign_out_that_asks_for_no_return_address_leads_to_its_receipt() {
    for (method, query, to) in [
        (Method::Get, "", "/receipts/of-alice"),
        (Method::Post, "", "/receipts/of-alice"),
        (Method::Get, "logoutSuccessUrl=", "/receipts/of-alice"),
        (Method::Get, "logoutSuccessUrl=/bye", "/bye"),
        (Method::Get, "logoutSuccessUrl=https://evil.test/", "/"),
    ] {
        let (hub, sessions) = (provider(Profile::Assets6), sessions());
        register(&hub, &sessions);
        let request = Request::new(method, "/logout")
            .with_query(query)
            .with_header("cookie", "authToken=theirs");
        let response = Response::from(block_on(hub.logout(
            &request.with_endpoint(LOGOUT_AND_REDIRECT, vec![]),
            &sessions,
        )));
        assert_eq!(response.status(), 302);
        assert!(
            response.headers().contains(&("location", to.into())),
            "{query} {:?}",
            response.headers()
        );
    }
}
