//! What a hub in front of the product answers. Logins pass through it.

use std::sync::Arc;

use futures_executor::block_on;
use logout_core::authority::{Services, SessionAuthority};
use logout_core::credential::Sealed;
use logout_core::login_relay::LoginRelay;
use logout_core::message::Response;
use logout_core::ports::{Seal, SealError};
use logout_core::provider::{LogoutProvider as _, Upstream};
use logout_core::session::{Session, SessionId};
use logout_core::store::{Lookup, SessionFilter, SessionStore as _};
use logout_suite::testing::product::OneReceiptPage;
use logout_suite::testing::{BreakableStore, ListedAccounts, ManualClock, RememberedTokens};

use super::*;
use crate::credentials::VISITOR;

/// Seals by putting the session's name in front.
#[derive(Debug)]
struct Named;

impl Seal for Named {
    fn seal(&self, session: SessionId, plain: &[u8]) -> Sealed {
        Sealed::new([session.as_bytes(), plain].concat())
    }

    fn open(&self, session: SessionId, sealed: &Sealed) -> Result<Vec<u8>, SealError> {
        sealed
            .as_bytes()
            .strip_prefix(session.as_bytes())
            .map(<[u8]>::to_vec)
            .ok_or(SealError)
    }
}

/// A hub in front of the product. Logins pass through it; sign-outs are carried by nobody.
struct Hub {
    relay: LoginRelay,
    sessions: SessionAuthority,
    store: Arc<BreakableStore>,
}

impl Hub {
    fn new() -> Self {
        let store = Arc::new(BreakableStore::default());
        let (accounts, clock) = (
            Arc::new(ListedAccounts::default()),
            Arc::new(ManualClock::default()),
        );
        let mut services = Services::of_stand_ins(
            accounts,
            clock,
            store.clone(),
            Arc::new(RememberedTokens::default()),
        );
        services.receipt_pages = Some(Arc::new(OneReceiptPage));
        services.seal = Some(Arc::new(Named));
        let sessions =
            SessionAuthority::new(Arc::new(platform(true)), Arc::new(provider()), services);
        let upstream = Upstream {
            provider: Arc::new(provider()),
            client: Arc::new(product()),
        };
        let relay = LoginRelay::new(
            upstream,
            "http://shop.internal/".parse().unwrap(),
            sessions.clone(),
        );
        Self {
            relay,
            sessions,
            store,
        }
    }

    fn login(&self, request: &Request<'_>) -> UpstreamAnswer {
        block_on(self.relay.login(request)).unwrap()
    }

    /// Logs alice in; her tokens.
    fn alice(&self) -> (String, String) {
        let body = |answer: &UpstreamAnswer| serde_json::from_slice::<Value>(&answer.body).unwrap();
        let visitor = body(&self.login(&anonymous()))["access_token"]
            .as_str()
            .unwrap()
            .to_owned();
        let logged_in = body(&self.login(&log_in("alice@example.com", "alice-password", &visitor)));
        let authorized = self.login(&authorize(logged_in["sessionToken"].as_str().unwrap()));
        let location = Url::parse(authorized.header("location").unwrap()).unwrap();
        let code = location
            .query_pairs()
            .find(|(name, _)| name == "code")
            .unwrap()
            .1
            .into_owned();
        let tokens = body(&self.login(&exchange(&code)));
        (
            tokens["access_token"].as_str().unwrap().to_owned(),
            tokens["refresh_token"].as_str().unwrap().to_owned(),
        )
    }

    fn all(&self) -> Vec<Session> {
        let found =
            block_on(
                self.store
                    .sessions(&SessionFilter::default(), None, 10, self.sessions.now()),
            );
        found.unwrap().items
    }

    fn sign_out(&self, request: Request<'static>) -> Response {
        block_on(provider().logout(&request.with_endpoint("logout", vec![]), &self.sessions)).into()
    }
}

fn location(response: &Response) -> Option<&str> {
    response
        .headers()
        .iter()
        .find(|(name, _)| *name == "location")
        .map(|(_, value)| value.as_str())
}

#[test]
fn all_steps_of_a_login_are_one_session_under_the_members_name() {
    let hub = Hub::new();
    let (access, refresh_token) = hub.alice();
    hub.login(&refresh(&refresh_token));
    let sessions = hub.all();
    let (visitors, members): (Vec<_>, Vec<_>) = sessions
        .iter()
        .partition(|session| &*session.subject.realm == VISITOR);
    assert_eq!((visitors.len(), members.len()), (1, 1));
    assert!(provider().is_anonymous(&visitors[0].subject));
    assert!(!provider().is_anonymous(&members[0].subject));
    assert_eq!(members[0].subject, Subject::new("", "alice@example.com"));
    let Ok(Lookup::Live(found, _)) = block_on(hub.sessions.look_up(ACCESS, &access)) else {
        panic!()
    };
    assert_eq!(found.id, members[0].id);
    let known_by = UpstreamSession::from_bytes(
        &Named
            .open(found.id, found.sealed.as_ref().unwrap())
            .unwrap(),
    );
    assert!(
        known_by.cookie("smSession").is_some()
            && known_by
                .other(REFRESH)
                .is_some_and(|token| token.reveal() == refresh_token)
    );
    assert!(
        known_by
            .bearer
            .as_ref()
            .is_some_and(|token| token.reveal() != access),
        "the fresh token is the one to sign out by"
    );
}

#[test]
fn a_relayed_login_is_signed_out_by_its_token_and_its_refresh_token_is_over_too() {
    let hub = Hub::new();
    let (access, refresh_token) = hub.alice();
    let request = Request::new(Method::Get, LOGOUT)
        .with_header("authorization", access.as_str())
        .with_header("accept", JSON);
    let response = hub.sign_out(request.clone());
    let told: Value = serde_json::from_slice(response.body()).unwrap();
    assert_eq!(
        (response.status(), &told["statusCode"]),
        (200, &json!(200)),
        "programs are not sent to a receipt's page"
    );
    for (purpose, secret) in [(ACCESS, &access), (REFRESH, &refresh_token)] {
        assert!(matches!(
            block_on(hub.sessions.look_up(purpose, secret)),
            Ok(Lookup::Ended)
        ));
    }
    assert_eq!(
        hub.sign_out(request).status(),
        200,
        "what has been ended here is recognised"
    );
}

#[test]
fn a_browser_that_asks_for_no_return_address_is_sent_to_the_receipt() {
    for (by_ticket, query, to) in [
        (false, "", "/receipts/of-alice"),
        (true, "", "/receipts/of-alice"),
        (
            false,
            "postLogoutRedirectUri=https://app.example/bye",
            "https://app.example/bye",
        ),
        (
            true,
            "postLogoutRedirectUri=https://app.example/bye",
            "https://app.example/bye?wixMemberLoggedIn=false",
        ),
    ] {
        let hub = Hub::new();
        let (access, _) = hub.alice();
        let link: Value = serde_json::from_slice(&hub.login(&sign_out_link(&access)).body).unwrap();
        let link = Url::parse(link["redirectSession"]["fullUrl"].as_str().unwrap()).unwrap();
        let ticket = link
            .query_pairs()
            .find(|(name, _)| name == TICKET)
            .unwrap()
            .1
            .into_owned();
        let request = Request::new(Method::Get, LOGOUT).with_header("accept", "text/html");
        let request = if by_ticket {
            request.with_query(format!("ticket={ticket}&clientId={APP}&{query}"))
        } else {
            request
                .with_query(format!("clientId={APP}&{query}"))
                .with_header("authorization", access.as_str())
        };
        let response = hub.sign_out(request);
        assert_eq!(
            (response.status(), location(&response)),
            (302, Some(to)),
            "{by_ticket} {query}"
        );
        assert!(matches!(
            block_on(hub.sessions.look_up(ACCESS, &access)),
            Ok(Lookup::Ended)
        ));
    }
}

#[test]
fn a_stranger_is_not_answered_from_what_the_hub_does_not_know() {
    let hub = Hub::new();
    for (name, value) in [
        ("authorization", "OauthNG.JWS.x"),
        ("cookie", "smSession=x"),
    ] {
        assert_eq!(
            hub.sign_out(Request::new(Method::Get, LOGOUT).with_header(name, value))
                .status(),
            503,
            "{name}"
        );
    }
    assert_eq!(
        hub.sign_out(Request::new(Method::Get, LOGOUT).with_query("ticket=x"))
            .status(),
        503
    );
    assert_eq!(
        hub.sign_out(Request::new(Method::Get, LOGOUT)).status(),
        200
    );
}
