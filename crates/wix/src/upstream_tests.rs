use std::sync::Arc;

use async_trait::async_trait;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_executor::block_on;
use logout_core::authority::{Services, SessionAuthority};
use logout_core::credential::{Sealed, SecretDigest};
use logout_core::login_relay::LoginRelay;
use logout_core::message::Response;
use logout_core::platform::Platform;
use logout_core::ports::{ReceiptPages, Seal, SealError};
use logout_core::provider::{LogoutProvider as _, Upstream, UpstreamLogout as _};
use logout_core::receipt::ReceiptId;
use logout_core::redirect::ApprovedUrl;
use logout_core::session::{Session, SessionId, Subject};
use logout_core::store::{Lookup, SessionFilter, SessionStore as _};
use logout_core::time::Timestamp;
use logout_core::upstream::{Addressee, UpstreamClient, UpstreamError, UpstreamLogin};
use logout_suite::testing::{
    BreakableStore, ListedAccounts, ManualClock, RememberedTokens, StandIn,
};
use serde_json::json;

use super::*;
use crate::credentials::VISITOR;
use crate::paths::{AUTHORIZE, LOGOUT};
use crate::request::read;
use crate::{App, WixConfig, WixProvider};

pub(crate) const APP: &str = "12345678-1234-1234-1234-123456789012";
pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);
const VERIFIER: &str = "a-verifier-of-enough-characters-for-anybody";
pub(crate) const JSON: &str = "application/json";
const LOGIN_PATH: &str = "/_api/iam/authentication/v2/login";

fn platform(has_upstream: bool) -> Platform {
    let mut platform = Platform::new("shop", "http://shop.example/".parse().unwrap());
    platform.has_upstream = has_upstream;
    platform
}

fn config() -> WixConfig {
    let app = App {
        client_id: APP.into(),
        redirect_domains: vec!["app.example".into()],
        ..App::default()
    };
    WixConfig {
        apps: vec![app],
        ..WixConfig::default()
    }
}

fn provider() -> WixProvider {
    WixProvider::new(config(), &platform(true)).unwrap()
}

pub(crate) fn dialect() -> Dialect {
    Dialect::new(config(), &platform(true)).unwrap()
}

pub(crate) fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> UpstreamAnswer {
    let headers = headers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()))
        .collect();
    UpstreamAnswer {
        status,
        headers,
        body: body.as_bytes().to_vec(),
    }
}

pub(crate) fn post(endpoint: &'static str, path: &str, body: &Value) -> Request<'static> {
    Request::new(Method::Post, path)
        .with_header("content-type", JSON)
        .with_body(body.to_string())
        .with_endpoint(endpoint, vec![])
}

pub(crate) fn anonymous() -> Request<'static> {
    post(
        stand_in::TOKEN,
        "/oauth2/token",
        &json!({ "clientId": APP, "grantType": "anonymous" }),
    )
}

pub(crate) fn log_in(name: &str, password: &str, visitor: &str) -> Request<'static> {
    let body = json!({ "loginId": { "email": name }, "password": password });
    post(stand_in::LOGIN, LOGIN_PATH, &body).with_header("authorization", visitor)
}

pub(crate) fn authorize(session_token: &str) -> Request<'static> {
    let challenge = URL_SAFE_NO_PAD.encode(SecretDigest::of(VERIFIER).as_bytes());
    let query = Serializer::new(String::new())
        .extend_pairs([
            ("clientId", APP),
            ("responseType", "code"),
            ("redirectUri", "https://app.example/in"),
            ("state", "s"),
        ])
        .extend_pairs([
            ("codeChallenge", challenge.as_str()),
            ("codeChallengeMethod", "S256"),
            ("prompt", "none"),
        ])
        .append_pair("sessionToken", session_token)
        .finish();
    Request::new(Method::Get, AUTHORIZE)
        .with_query(query)
        .with_endpoint(stand_in::AUTHORIZATION, vec![])
}

pub(crate) fn exchange(code: &str) -> Request<'static> {
    let body = json!({ "clientId": APP, "grantType": "authorization_code", "code": code, "codeVerifier": VERIFIER });
    post(stand_in::TOKEN, "/oauth2/token", &body)
}

pub(crate) fn refresh(token: &str) -> Request<'static> {
    post(
        stand_in::TOKEN,
        "/oauth2/token",
        &json!({ "client_id": APP, "grant_type": "refresh_token", "refresh_token": token }),
    )
}

pub(crate) fn sign_out_link(token: &str) -> Request<'static> {
    let body = json!({ "logout": { "clientId": APP }, "callbacks": { "postFlowUrl": "https://app.example/bye" } });
    post(
        stand_in::REDIRECT_SESSION,
        "/headless/v1/redirect-session",
        &body,
    )
    .with_header("authorization", token)
}

/// Cookies, bearer token and further secrets of a session, to be compared.
pub(crate) type DeliveryResult<'a> = (
    Vec<(&'a str, &'a str)>,
    Option<&'a str>,
    Vec<(&'a str, &'a str)>,
);

pub(crate) fn told(session: &UpstreamSession) -> DeliveryResult<'_> {
    let cookies = session
        .cookies
        .iter()
        .map(|(name, value)| (name.as_str(), value.reveal()))
        .collect();
    let others = session
        .others
        .iter()
        .map(|(name, value)| (name.as_str(), value.reveal()))
        .collect();
    (cookies, session.bearer.as_ref().map(Secret::reveal), others)
}

/// The product itself: a stand-in that knows nothing of the hub.
#[derive(Debug)]
struct Product(StandIn<WixProvider>);

impl Product {
    fn new() -> Self {
        Self(StandIn::new(platform(false), |platform| {
            WixProvider::new(config(), platform).unwrap()
        }))
    }

    fn send(&self, request: Request<'_>) -> UpstreamAnswer {
        let (status, headers, body) = self.0.send(request).into_parts();
        let headers = headers
            .into_iter()
            .map(|(name, value)| (name.to_owned(), String::from(value).into_bytes()))
            .collect();
        UpstreamAnswer {
            status,
            headers,
            body: body.into_owned(),
        }
    }

    fn carry(&self, request: &UpstreamRequest) -> UpstreamAnswer {
        let (path, query) = request
            .target
            .split_once('?')
            .unwrap_or((&request.target, ""));
        let start = Request::new(request.method, path)
            .with_query(query)
            .with_body(request.body.clone());
        self.send(
            request
                .headers
                .iter()
                .fold(start, |request, (name, value)| {
                    request.with_header(name.clone(), value.reveal())
                }),
        )
    }

    fn parse_login(&self, request: &Request<'_>) -> Option<UpstreamLogin> {
        provider().parse_login(request, &self.send(request.clone()), NOW)
    }
}

#[async_trait]
impl UpstreamClient for Product {
    async fn send(&self, request: UpstreamRequest) -> Result<UpstreamAnswer, UpstreamError> {
        // The stand-in blocks its thread, and this one is blocked already.
        let carried = std::thread::scope(|scope| scope.spawn(|| self.carry(&request)).join());
        carried.map_err(|_| UpstreamError::Broken)
    }
}

fn to(session: UpstreamSession) -> Addressee {
    Addressee {
        subject: None,
        session,
    }
}

fn lives(product: &Product, to: &Addressee) -> Option<bool> {
    provider().alive(&product.carry(&provider().probe(to).unwrap()))
}

fn confirmed() -> Confirmation {
    Confirmation::Confirmed { landing: None }
}

#[test]
fn what_is_presented_is_looked_up_by_the_same_words_at_a_sign_out() {
    for (query, body, headers) in [
        ("", "", vec![]),
        ("", "", vec![("authorization", "OauthNG.JWS.a")]),
        (
            "",
            "",
            vec![
                ("authorization", "Bearer a,IST.key"),
                ("cookie", "x=y; smSession=m; svSession=v; smSession=n"),
            ],
        ),
        ("ticket=t", "", vec![("cookie", "smSession=m")]),
        (
            "ticket=q",
            r#"{"ticket":"b"}"#,
            vec![("content-type", JSON), ("authorization", "a")],
        ),
        ("ticket=", "", vec![("authorization", "IST.key")]),
        ("", "", vec![("cookie", "svSession=v")]),
    ] {
        let request = Request::new(Method::Post, LOGOUT)
            .with_query(query)
            .with_body(body);
        let request = headers.iter().fold(request, |request, (name, value)| {
            request.with_header(*name, *value)
        });
        let asked = read(&request, &dialect(), |_| panic!("nothing is verified")).unwrap();
        let looked_up: Vec<_> = asked
            .sign_out
            .credentials
            .iter()
            .map(|one| (one.purpose, one.secret.reveal().to_owned()))
            .collect();
        let session = presented(&request, &dialect());
        let known: Vec<_> = provider()
            .credentials(&session)
            .iter()
            .map(|one| (one.purpose, one.secret.reveal().to_owned()))
            .collect();
        assert_eq!(looked_up, known, "{query} {headers:?}");
        assert_eq!(
            told(&UpstreamSession::from_bytes(&session.to_bytes())),
            told(&session)
        );
    }
}

#[test]
fn the_relayed_endpoints_are_the_steps_of_a_login_and_the_sign_out_links() {
    let endpoints = relayed_endpoints(&dialect());
    let mut paths: Vec<_> = endpoints
        .iter()
        .map(|endpoint| (endpoint.methods()[0], endpoint.path()))
        .collect();
    paths.sort_by_key(|(method, path)| (*path, method.name()));
    assert_eq!(
        paths,
        [
            (Method::Post, LOGIN_PATH),
            (Method::Get, AUTHORIZE),
            (Method::Post, AUTHORIZE),
            (Method::Post, "/_api/oauth2/token"),
            (Method::Post, "/_api/redirects-api/v1/redirect-session"),
            (Method::Post, "/headless/v1/redirect-session"),
            (Method::Post, "/oauth2/token"),
            (Method::Post, "/redirect-session/v1/redirect-session"),
        ]
    );
}

fn envelope(status: u16, headers: &[(&str, &str)]) -> String {
    let headers: Vec<_> = headers
        .iter()
        .map(|(key, value)| json!({ "key": key, "value": value }))
        .collect();
    json!({ "body": "", "statusCode": status, "headers": headers }).to_string()
}

#[test]
fn an_answer_is_read_with_and_without_its_envelope() {
    let landing = |to: &str| Confirmation::Confirmed {
        landing: Some(to.to_owned()),
    };
    let removal = ("set-cookie", "smSession=; Path=/; Max-Age=0");
    let unauthenticated =
        r#"{"message":"no","details":{"applicationError":{"code":"UNAUTHENTICATED"}}}"#;
    let gone =
        r#"{"message":"no","details":{"applicationError":{"code":"FAILED_TO_EXTRACT_SESSION"}}}"#;
    let denied = r#"{"message":"no","details":{"applicationError":{"code":"PERMISSION_DENIED"}}}"#;
    let page = "<html>Signed out</html>";
    for (status, headers, body, meaning) in [
        (200, vec![], envelope(200, &[]), confirmed()),
        (
            200,
            vec![],
            envelope(302, &[("Location", "https://evil.example/x")]),
            landing("https://evil.example/x"),
        ),
        (
            200,
            vec![],
            envelope(302, &[("location", "/relative")]),
            confirmed(),
        ),
        (
            200,
            vec![],
            envelope(302, &[("location", "javascript:x")]),
            confirmed(),
        ),
        (200, vec![], envelope(302, &[]), confirmed()),
        (200, vec![], envelope(401, &[]), Confirmation::NotSignedIn),
        (200, vec![], envelope(403, &[]), Confirmation::Refused),
        (200, vec![], envelope(429, &[]), Confirmation::Refused),
        (200, vec![], envelope(500, &[]), Confirmation::Refused),
        (500, vec![], envelope(200, &[]), Confirmation::Refused),
        (
            200,
            vec![],
            r#"{"statusCode":"200","headers":[]}"#.to_owned(),
            Confirmation::Refused,
        ),
        (
            200,
            vec![],
            r#"{"statusCode":99999}"#.to_owned(),
            Confirmation::Refused,
        ),
        (200, vec![removal], page.to_owned(), confirmed()),
        (
            200,
            vec![(
                "set-cookie",
                "svSession=x; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
            )],
            page.to_owned(),
            confirmed(),
        ),
        (
            200,
            vec![("set-cookie", "smSession=fresh; Path=/; Max-Age=60")],
            page.to_owned(),
            Confirmation::Refused,
        ),
        (
            200,
            vec![("set-cookie", "other=; Max-Age=0")],
            page.to_owned(),
            Confirmation::Refused,
        ),
        (200, vec![], page.to_owned(), Confirmation::Refused),
        (200, vec![], "{}".to_owned(), Confirmation::Refused),
        (200, vec![], "{".to_owned(), Confirmation::Refused),
        (200, vec![], String::new(), Confirmation::Refused),
        (
            302,
            vec![removal, ("location", "https://elsewhere.example/")],
            String::new(),
            landing("https://elsewhere.example/"),
        ),
        (
            302,
            vec![("location", "https://app.example/bye")],
            String::new(),
            landing("https://app.example/bye"),
        ),
        (
            302,
            vec![(
                "location",
                "https://shop.example/_api/iam/authentication/v1/logout",
            )],
            String::new(),
            Confirmation::Refused,
        ),
        (
            302,
            vec![("location", "/login")],
            String::new(),
            Confirmation::Refused,
        ),
        (302, vec![], String::new(), Confirmation::Refused),
        (
            401,
            vec![],
            unauthenticated.to_owned(),
            Confirmation::NotSignedIn,
        ),
        (401, vec![], gone.to_owned(), Confirmation::NotSignedIn),
        (400, vec![], gone.to_owned(), Confirmation::NotSignedIn),
        (401, vec![], page.to_owned(), Confirmation::Refused),
        (401, vec![], String::new(), Confirmation::Refused),
        (
            400,
            vec![],
            unauthenticated.to_owned(),
            Confirmation::Refused,
        ),
        (403, vec![], denied.to_owned(), Confirmation::Refused),
        (404, vec![], denied.to_owned(), Confirmation::Refused),
        (429, vec![removal], gone.to_owned(), Confirmation::Refused),
        (500, vec![removal], gone.to_owned(), Confirmation::Refused),
        (
            503,
            vec![],
            r#"{"message":"","details":{}}"#.to_owned(),
            Confirmation::Refused,
        ),
    ] {
        assert_eq!(
            provider().confirm(&answer(status, &headers, &body)),
            meaning,
            "{status} {headers:?} {body}"
        );
    }
}

#[test]
fn a_member_is_alive_an_unauthenticated_one_is_not_and_the_rest_says_nothing() {
    let error = r#"{"message":"no","details":{}}"#;
    for (status, body, says) in [
        (200, r#"{"member":{"id":"1"}}"#, Some(true)),
        (403, error, Some(true)),
        (401, error, Some(false)),
        (200, r#"{"member":{}}"#, None),
        (200, "{}", None),
        (200, "<html>member</html>", None),
        (200, "", None),
        (401, "<html>proxy</html>", None),
        (403, "<html>firewall</html>", None),
        (302, "", None),
        (404, error, None),
        (429, error, None),
        (500, r#"{"member":{"id":"1"}}"#, None),
    ] {
        assert_eq!(
            provider().alive(&answer(status, &[], body)),
            says,
            "{status} {body}"
        );
    }
}

#[test]
fn the_product_signs_out_a_visitor_by_token() {
    let product = Product::new();
    let visitor = to(product.parse_login(&anonymous()).unwrap().session);
    assert_eq!(lives(&product, &visitor), Some(true));
    assert_eq!(
        provider().confirm(&product.carry(&provider().sign_out(&visitor))),
        confirmed()
    );
    assert_eq!(lives(&product, &visitor), Some(false));
    assert_eq!(
        provider().confirm(&product.carry(&provider().sign_out(&visitor))),
        confirmed()
    );
    let garbage = to(UpstreamSession {
        bearer: Some(Secret::new("OauthNG.JWS.x")),
        ..UpstreamSession::default()
    });
    assert_eq!(
        provider().confirm(&product.carry(&provider().sign_out(&garbage))),
        Confirmation::NotSignedIn
    );
}

#[test]
fn the_product_signs_out_a_member_by_whatever_step_of_the_login_was_learned() {
    for step in ["tokens", "refreshed tokens", "cookie", "ticket"] {
        let product = Product::new();
        let visitor = product.parse_login(&anonymous()).unwrap().session;
        let visitor = visitor.bearer.as_ref().unwrap().reveal();
        assert!(
            product
                .parse_login(&log_in("alice@example.com", "wrong", visitor))
                .is_none()
        );
        let session_token = product
            .parse_login(&log_in("Alice@example.com", "alice-password", visitor))
            .unwrap();
        assert_eq!(session_token.subject, Subject::new("", "alice@example.com"));
        assert!(
            provider()
                .probe(&to(session_token.session.clone()))
                .is_none()
        );
        let cookie = product
            .parse_login(&authorize(
                session_token.session.other(SESSION_TOKEN).unwrap().reveal(),
            ))
            .unwrap()
            .session;
        assert!(product.parse_login(&authorize("wrong")).is_none());
        let code = cookie.other(CODE).unwrap().reveal().to_owned();
        let tokens = product.parse_login(&exchange(&code)).unwrap().session;
        let access = tokens.bearer.as_ref().unwrap().reveal().to_owned();
        let known_by = to(match step {
            "tokens" => tokens.clone(),
            "refreshed tokens" => {
                product
                    .parse_login(&refresh(tokens.other(REFRESH).unwrap().reveal()))
                    .unwrap()
                    .session
            }
            "cookie" => cookie.clone(),
            _ => {
                let others = product
                    .parse_login(&sign_out_link(&access))
                    .unwrap()
                    .session
                    .others;
                UpstreamSession {
                    others,
                    ..UpstreamSession::default()
                }
            }
        });
        let member = to(tokens.clone());
        assert_eq!(lives(&product, &member), Some(true), "{step}");
        assert_eq!(
            provider().confirm(&product.carry(&provider().sign_out(&known_by))),
            confirmed(),
            "{step}"
        );
        assert_eq!(lives(&product, &member), Some(false), "{step}");
        assert_eq!(lives(&product, &to(cookie)), Some(false), "{step}");
        assert!(
            product
                .parse_login(&refresh(tokens.other(REFRESH).unwrap().reveal()))
                .is_none(),
            "{step}"
        );
        let again = provider().confirm(&product.carry(&provider().sign_out(&known_by)));
        assert!(
            matches!(
                again,
                Confirmation::Confirmed { .. } | Confirmation::NotSignedIn
            ),
            "{step}"
        );
        product.0.store().set_broken(true);
        assert_eq!(
            provider().confirm(&product.carry(&provider().sign_out(&known_by))),
            Confirmation::Refused,
            "{step}"
        );
        assert_eq!(lives(&product, &member), None, "{step}");
    }
}

#[derive(Debug)]
struct OneReceiptPage;

impl ReceiptPages for OneReceiptPage {
    fn landing(&self, _receipt: ReceiptId) -> Option<ApprovedUrl> {
        ApprovedUrl::from_operator("/receipts/of-alice").ok()
    }
}

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
            client: Arc::new(Product::new()),
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
fn a_browser_that_asks_for_no_landing_is_sent_to_the_receipt() {
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
