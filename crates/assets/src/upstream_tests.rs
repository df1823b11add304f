use std::sync::Arc;

use futures_executor::block_on;
use logout_core::authority::{Services, SessionAuthority};
use logout_core::message::Response;
use logout_core::platform::Platform;
use logout_core::ports::ReceiptPages;
use logout_core::provider::{LogoutProvider as _, UpstreamLogout as _};
use logout_core::receipt::ReceiptId;
use logout_core::redirect::ApprovedUrl;
use logout_core::registration::Registration;
use logout_core::session::Device;
use logout_core::upstream::Addressee;
use logout_suite::testing::{
    BreakableStore, ListedAccounts, ManualClock, RememberedTokens, StandIn,
};
use serde_json::json;

use super::*;
use crate::request::{LOGOUT_AND_REDIRECT, read};
use crate::{AssetsConfig, AssetsProvider};

const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);
const JSON: &str = "application/json;charset=utf-8";
const FORM: &str = "application/x-www-form-urlencoded";

fn platform(has_upstream: bool) -> Platform {
    let mut platform = Platform::new("dam", "http://dam.example/".parse().unwrap());
    platform.has_upstream = has_upstream;
    platform
}

fn config(profile: Profile, errors_as_status: bool) -> AssetsConfig {
    AssetsConfig {
        profile,
        errors_as_status,
        ..AssetsConfig::default()
    }
}

fn provider(profile: Profile) -> AssetsProvider {
    AssetsProvider::new(config(profile, false), &platform(true)).unwrap()
}

fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> UpstreamAnswer {
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

fn login(query: &str) -> Request<'static> {
    Request::new(Method::Post, "/services/login").with_query(query)
}

/// What a session holds, to be compared.
fn told(session: &UpstreamSession) -> (Vec<(&str, &str)>, Option<&str>, Option<&str>) {
    let cookies = session
        .cookies
        .iter()
        .map(|(name, value)| (name.as_str(), value.reveal()))
        .collect();
    (
        cookies,
        session.bearer.as_ref().map(Secret::reveal),
        session.csrf.as_ref().map(Secret::reveal),
    )
}

fn to(session: UpstreamSession) -> Addressee {
    Addressee {
        subject: None,
        session,
    }
}

/// The product itself: a stand-in that knows nothing of the hub.
struct Product(StandIn<AssetsProvider>);

impl Product {
    fn new(profile: Profile, errors_as_status: bool) -> Self {
        let config = config(profile, errors_as_status);
        Self(StandIn::new(platform(false), |platform| {
            AssetsProvider::new(config, platform).unwrap()
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

    fn carry(&self, request: UpstreamRequest) -> UpstreamAnswer {
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
}

#[test]
fn what_is_presented_is_looked_up_by_the_same_digests_at_a_sign_out() {
    for (profile, path, headers) in [
        (
            Profile::Assets6,
            "/services/logout",
            vec![(
                "cookie",
                "authToken=a; x=y; authToken=b; authToken=a; authToken=",
            )],
        ),
        (
            Profile::Assets6,
            "/services/logout",
            vec![
                ("cookie", "authToken=a"),
                ("authorization", "Bearer b"),
                ("x-csrf-token", "c"),
            ],
        ),
        (
            Profile::Elvis6,
            "/logout",
            vec![("cookie", "authToken=a"), ("authorization", "Bearera")],
        ),
        (
            Profile::Elvis5,
            "/services/logout;jsessionid=p",
            vec![
                ("cookie", "JSESSIONID=a; authToken=b"),
                ("authorization", "Bearer c"),
            ],
        ),
        (
            Profile::Elvis4,
            "/logout;jsessionid=a",
            vec![("cookie", "JSESSIONID=a")],
        ),
        (Profile::Assets6, "/services/logout", vec![]),
    ] {
        let dialect = Dialect::new(config(profile, false), &platform(true)).unwrap();
        let request = headers.iter().fold(
            Request::new(Method::Post, path),
            |request, (name, value)| request.with_header(*name, *value),
        );
        let looked_up: Vec<_> = read(&request, &dialect, &RememberedTokens::default(), NOW)
            .credentials
            .iter()
            .map(|one| (one.purpose, one.secret.reveal().to_owned()))
            .collect();
        let session = presented(&request, &dialect);
        let known: Vec<_> = provider(profile)
            .credentials(&session)
            .iter()
            .map(|one| (one.purpose, one.secret.reveal().to_owned()))
            .collect();
        assert_eq!(looked_up, known, "{profile:?} {path} {headers:?}");
        assert_eq!(
            session.is_empty(),
            known.is_empty(),
            "{profile:?} {path} {headers:?}"
        );
        let back = UpstreamSession::from_bytes(&session.to_bytes());
        assert_eq!(told(&back), told(&session));
    }
}

#[test]
fn the_relayed_endpoints_are_the_logins() {
    for (profile, paths) in [
        (
            Profile::Assets6,
            vec!["/services/login", "/services/apilogin"],
        ),
        (
            Profile::Elvis6,
            vec!["/services/login", "/services/apilogin"],
        ),
        (Profile::Elvis5, vec!["/services/login"]),
        (Profile::Elvis4, vec!["/services/login"]),
    ] {
        let endpoints = relayed_endpoints(profile);
        assert_eq!(
            endpoints.iter().map(Endpoint::path).collect::<Vec<_>>(),
            paths,
            "{profile:?}"
        );
        assert_eq!(
            endpoints[0]
                .matches("/services/login;jsessionid=1")
                .is_some(),
            !profile.has_tokens(),
            "{profile:?}"
        );
    }
}

#[test]
fn a_login_names_the_user_by_profile_then_request_then_token() {
    let cred = "cred=QWxpY2U6eA%3D%3D";
    let token = format!("e30.{}.x", URL_SAFE_NO_PAD.encode(r#"{"sub":"Carol"}"#));
    let form = Request::new(Method::Post, "/services/login")
        .with_header("content-type", FORM)
        .with_body("username=Dave&password=x");
    let part = "--b\r\nContent-Disposition: form-data; name=\"username\"\r\n\r\nErin\r\n--b\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\nx\r\n--b--\r\n";
    let multipart = Request::new(Method::Post, "/services/login")
        .with_header("content-type", "multipart/form-data; boundary=b")
        .with_body(part);
    for (request, told_profile, value, name) in [
        (
            login("username=BOB&password=x"),
            json!({ "username": "Alice" }),
            "t",
            Some("alice"),
        ),
        (
            login("username=BOB&password=x"),
            json!(null),
            "t",
            Some("bob"),
        ),
        (
            login("username=J%C3%9CRGEN&password=x"),
            json!({}),
            "t",
            Some("jürgen"),
        ),
        (login(cred), json!({ "username": 1 }), "t", Some("alice")),
        (form, json!(null), "t", Some("dave")),
        (multipart, json!(null), "t", Some("erin")),
        (login(""), json!(null), token.as_str(), Some("carol")),
        (login(""), json!(null), "t", None),
    ] {
        let body = json!({ "loginSuccess": true, "csrfToken": "c", "userProfile": told_profile })
            .to_string();
        let learned = provider(Profile::Assets6).parse_login(
            &request,
            &answer(
                200,
                &[("set-cookie", &format!("authToken={value}; Path=/"))],
                &body,
            ),
            NOW,
        );
        assert_eq!(
            learned.map(|learned| learned.subject),
            name.map(|name| Subject::new("", name)),
            "{body}"
        );
    }
}

#[test]
fn a_login_brings_what_the_session_is_known_by() {
    let user = login("username=alice&password=x");
    let cookie = ("set-cookie", "authToken=t; Path=/; HttpOnly");
    for (profile, headers, body, known) in [
        (
            Profile::Assets6,
            vec![cookie],
            r#"{"loginSuccess":true,"csrfToken":"c"}"#,
            (vec![(TOKEN, "t")], None, Some("c")),
        ),
        (
            Profile::Elvis6,
            vec![cookie, ("set-cookie", "x=y")],
            r#"{"loginSuccess":true}"#,
            (vec![(TOKEN, "t")], None, None),
        ),
        (
            Profile::Assets6,
            vec![],
            r#"{"loginSuccess":true,"loginFaultMessage":null,"authToken":"b"}"#,
            (vec![], Some("b"), None),
        ),
        (
            Profile::Assets6,
            vec![cookie],
            r#"{"loginSuccess":true,"authToken":"t"}"#,
            (vec![(TOKEN, "t")], Some("t"), None),
        ),
        (
            Profile::Elvis5,
            vec![],
            r#"{"loginSuccess":true,"sessionId":"s","csrfToken":"c"}"#,
            (vec![(SESSION_ID, "s")], None, None),
        ),
        (
            Profile::Elvis4,
            vec![("set-cookie", "JSESSIONID=s; Path=/")],
            r#"{"loginSuccess":true,"sessionId":"s"}"#,
            (vec![(SESSION_ID, "s")], None, None),
        ),
        (
            Profile::Elvis4,
            vec![("set-cookie", "JSESSIONID=s.node1")],
            r#"{"loginSuccess":true,"sessionId":"s"}"#,
            (vec![(SESSION_ID, "s.node1"), (SESSION_ID, "s")], None, None),
        ),
    ] {
        let learned = provider(profile)
            .parse_login(&user, &answer(200, &headers, body), NOW)
            .unwrap_or_else(|| panic!("{body}"));
        assert_eq!(told(&learned.session), known, "{profile:?} {body}");
        assert!(learned.renews.is_none() && learned.expires.is_none());
    }
}

#[test]
fn a_failed_login_opens_nothing_whatever_its_status_and_cookies() {
    let user = login("username=alice&password=x");
    for profile in [Profile::Assets6, Profile::Elvis5] {
        for (status, body) in [
            (
                200,
                r#"{"loginSuccess":false,"loginFaultMessage":"no","sessionId":"s"}"#,
            ),
            (
                200,
                r#"{"errorcode":401,"errorname":"X","message":"Not logged in"}"#,
            ),
            (200, r#"{"loginSuccess":true,"errorcode":500}"#),
            (200, r#"{"loginSuccess":"true"}"#),
            (200, "<html>login</html>"),
            (200, "{"),
            (200, "[]"),
            (200, ""),
            (401, r#"{"loginSuccess":true}"#),
            (500, r#"{"loginSuccess":true}"#),
            (302, r#"{"loginSuccess":true}"#),
        ] {
            let cookies = [
                ("set-cookie", "authToken=t"),
                ("set-cookie", "JSESSIONID=s"),
                ("location", "/x"),
            ];
            assert!(
                provider(profile)
                    .parse_login(&user, &answer(status, &cookies, body), NOW)
                    .is_none(),
                "{profile:?} {status} {body}"
            );
        }
    }
    // Nothing to know it by.
    let bare = answer(
        200,
        &[("set-cookie", "authToken=; Max-Age=0")],
        r#"{"loginSuccess":true}"#,
    );
    assert!(
        provider(Profile::Assets6)
            .parse_login(&user, &bare, NOW)
            .is_none()
    );
    let broken = login("username=alice&password=x")
        .with_header("content-type", "multipart/form-data")
        .with_body("x");
    assert!(
        provider(Profile::Assets6)
            .parse_login(
                &broken,
                &answer(200, &[], r#"{"loginSuccess":true,"authToken":"b"}"#),
                NOW
            )
            .is_none()
    );
}

#[test]
fn a_login_of_elvis_4_and_5_may_answer_with_a_redirect_to_where_success_leads() {
    for (query, location, learns) in [
        ("nextUrl=/home", "/home", true),
        ("nextUrl=home", "/home", true),
        (
            "nextUrl=/home&failUrl=/fail",
            "http://dam.internal/home",
            true,
        ),
        ("nextUrl=/", "/", true),
        ("nextUrl=/home&failUrl=/fail", "/fail", false),
        ("nextUrl=/home&failUrl=/home", "/home", false),
        ("nextUrl=/home", "/otherhome", false),
        ("failUrl=/fail", "/elsewhere", false),
        ("", "/", false),
    ] {
        let request = login(&format!("username=alice&password=x&{query}"));
        let redirect = answer(
            302,
            &[("location", location), ("set-cookie", "JSESSIONID=s")],
            "",
        );
        assert_eq!(
            provider(Profile::Elvis5)
                .parse_login(&request, &redirect, NOW)
                .is_some(),
            learns,
            "{query} {location}"
        );
        assert!(
            provider(Profile::Assets6)
                .parse_login(&request, &redirect, NOW)
                .is_none()
        );
    }
}

#[test]
fn a_session_lasts_as_long_as_its_token_or_else_its_cookie_says() {
    let user = login("username=alice&password=x");
    let readable = format!(
        "e30.{}.x",
        URL_SAFE_NO_PAD.encode(r#"{"sub":"alice","exp":1800000000}"#)
    );
    for (cookie, expires) in [
        (
            format!("authToken={readable}; Max-Age=60"),
            Some(1_800_000_000),
        ),
        (
            "authToken=e30.compressed.x; Max-Age=60".to_owned(),
            Some(1_790_000_060),
        ),
        ("authToken=opaque".to_owned(), None),
    ] {
        let learned = provider(Profile::Assets6)
            .parse_login(
                &user,
                &answer(200, &[("set-cookie", &cookie)], r#"{"loginSuccess":true}"#),
                NOW,
            )
            .unwrap();
        assert_eq!(learned.expires.map(Timestamp::as_secs), expires, "{cookie}");
    }
}

#[test]
fn only_the_boolean_true_confirms_and_only_error_401_says_that_nobody_is_signed_in() {
    let confirmed = Confirmation::Confirmed { landing: None };
    let not_signed_in = r#"{"errorcode":401,"errorname":"AuthenticationCredentialsNotFoundException","message":"Not logged in"}"#;
    for (status, body, meaning) in [
        (200, r#"{"logoutSuccess":true}"#, confirmed.clone()),
        (200, r#" {"logoutSuccess":true,"more":1} "#, confirmed),
        (200, not_signed_in, Confirmation::NotSignedIn),
        (401, not_signed_in, Confirmation::NotSignedIn),
        (200, r#"{"logoutSuccess":false}"#, Confirmation::Refused),
        (200, r#"{"logoutSuccess":"true"}"#, Confirmation::Refused),
        (200, r#"{"logoutSuccess":1}"#, Confirmation::Refused),
        (
            200,
            r#"{"logoutSuccess":true,"errorcode":500}"#,
            Confirmation::Refused,
        ),
        (
            200,
            r#"{"errorcode":403,"message":"csrf"}"#,
            Confirmation::Refused,
        ),
        (
            403,
            r#"{"errorcode":403,"message":"csrf"}"#,
            Confirmation::Refused,
        ),
        (200, r#"{"errorcode":"401"}"#, Confirmation::Refused),
        (200, r#"{"errorcode":500}"#, Confirmation::Refused),
        (200, "{}", Confirmation::Refused),
        (200, "", Confirmation::Refused),
        (200, "null", Confirmation::Refused),
        (200, r#"[{"logoutSuccess":true}]"#, Confirmation::Refused),
        (200, r#"{"logoutSuccess":true"#, Confirmation::Refused),
        (
            200,
            "<html><form>Log in</form></html>",
            Confirmation::Refused,
        ),
        (401, "<html>proxy</html>", Confirmation::Refused),
        (401, "", Confirmation::Refused),
        (302, "", Confirmation::Refused),
        (302, r#"{"logoutSuccess":true}"#, Confirmation::Refused),
        (404, "", Confirmation::Refused),
        (429, not_signed_in, Confirmation::Refused),
        (500, r#"{"logoutSuccess":true}"#, Confirmation::Refused),
        (502, not_signed_in, Confirmation::Refused),
        (503, r#"{"errorcode":503}"#, Confirmation::Refused),
    ] {
        assert_eq!(
            provider(Profile::Assets6).confirm(&answer(status, &[("content-type", JSON)], body)),
            meaning,
            "{status} {body}"
        );
    }
}

#[test]
fn a_redirect_confirms_only_where_it_leads_to_the_address_that_was_asked_for() {
    for (status, location, confirmed) in [
        (302, "/signed-out-by-logout-hub", true),
        (303, "http://dam.internal/signed-out-by-logout-hub", true),
        (
            302,
            "https://dam.internal/logout?logoutSuccessUrl=/signed-out-by-logout-hub",
            false,
        ),
        (
            302,
            "https://dam.internal/logout?logoutSuccessUrl=%2Fsigned-out-by-logout-hub",
            false,
        ),
        (302, "/login#/signed-out-by-logout-hub", false),
        (302, "/", false),
        (200, "/signed-out-by-logout-hub", false),
        (500, "/signed-out-by-logout-hub", false),
    ] {
        let meaning =
            provider(Profile::Assets6).confirm(&answer(status, &[("location", location)], ""));
        let expected = if confirmed {
            Confirmation::Confirmed { landing: None }
        } else {
            Confirmation::Refused
        };
        assert_eq!(meaning, expected, "{status} {location}");
    }
    assert_eq!(
        provider(Profile::Assets6).confirm(&answer(302, &[], "")),
        Confirmation::Refused
    );
}

#[test]
fn a_profile_is_alive_error_401_is_dead_and_the_rest_says_nothing() {
    for (status, body, says) in [
        (200, r#"{"username":"alice","groups":[]}"#, Some(true)),
        (
            200,
            r#"{"errorcode":401,"message":"Not logged in"}"#,
            Some(false),
        ),
        (
            401,
            r#"{"errorcode":401,"message":"Not logged in"}"#,
            Some(false),
        ),
        (200, r#"{"username":""}"#, None),
        (200, r#"{"username":"alice","errorcode":500}"#, None),
        (200, "{}", None),
        (200, "<html>alice</html>", None),
        (200, "", None),
        (401, "<html>proxy</html>", None),
        (403, r#"{"errorcode":403}"#, None),
        (302, "", None),
        (404, "", None),
        (429, r#"{"errorcode":401}"#, None),
        (500, r#"{"username":"alice"}"#, None),
        (503, r#"{"errorcode":401}"#, None),
    ] {
        assert_eq!(
            provider(Profile::Assets6).alive(&answer(status, &[], body)),
            says,
            "{status} {body}"
        );
    }
    assert!(
        provider(Profile::Assets6)
            .probe(&to(UpstreamSession::default()))
            .is_none()
    );
}

#[test]
fn a_session_signs_out_by_everything_that_it_is_known_by() {
    let secret = |value: &str| Some(Secret::new(value));
    let cookies = vec![("authToken".to_owned(), Secret::new("a"))];
    let session = UpstreamSession {
        cookies,
        bearer: secret("b"),
        csrf: secret("c"),
        ..UpstreamSession::default()
    };
    let request = provider(Profile::Assets6).sign_out(&to(session));
    let headers: Vec<_> = request
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.reveal()))
        .collect();
    assert_eq!(
        (request.method, request.target.as_str(), request.body.len()),
        (Method::Post, "/services/logout", 0)
    );
    assert_eq!(
        headers,
        [
            ("accept", "application/json"),
            ("cookie", "authToken=a"),
            ("authorization", "Bearer b"),
            ("x-csrf-token", "c")
        ]
    );
}

#[test]
fn the_product_signs_out_what_was_learned_from_its_own_logins() {
    for (profile, path, errors_as_status) in [
        (Profile::Assets6, "/services/login", false),
        (Profile::Assets6, "/services/login", true),
        (Profile::Assets6, "/services/apilogin", false),
        (Profile::Assets6, "/services/apilogin", true),
        (Profile::Elvis6, "/services/login", false),
        (Profile::Elvis5, "/services/login", false),
        (Profile::Elvis5, "/services/login", true),
        (Profile::Elvis4, "/services/login", false),
    ] {
        let product = Product::new(profile, errors_as_status);
        let hub = provider(profile);
        let case = format!("{profile:?} {path} {errors_as_status}");
        let wrong = Request::new(Method::Post, path).with_query("username=alice&password=wrong");
        assert!(
            hub.parse_login(&wrong, &product.send(wrong.clone()), NOW)
                .is_none(),
            "{case}"
        );
        let request =
            Request::new(Method::Post, path).with_query("username=Alice&password=alice-password");
        let learned = hub
            .parse_login(&request, &product.send(request.clone()), NOW)
            .unwrap_or_else(|| panic!("{case}"));
        assert_eq!(learned.subject, Subject::new("", "alice"), "{case}");
        assert_eq!(hub.credentials(&learned.session).len(), 1, "{case}");
        let to = Addressee {
            subject: Some(learned.subject),
            session: learned.session,
        };
        let lives = |to: &Addressee| hub.alive(&product.carry(hub.probe(to).unwrap()));
        assert_eq!(lives(&to), Some(true), "{case}");
        if path == "/services/login" && profile.has_tokens() {
            let mut unproven = to.clone();
            unproven.session.csrf = Some(Secret::new("of another session"));
            assert_eq!(
                hub.confirm(&product.carry(hub.sign_out(&unproven))),
                Confirmation::Refused,
                "{case}"
            );
            assert_eq!(lives(&to), Some(true), "{case}");
        }
        assert_eq!(
            hub.confirm(&product.carry(hub.sign_out(&to))),
            Confirmation::Confirmed { landing: None },
            "{case}"
        );
        assert_eq!(lives(&to), Some(false), "{case}");
        assert_eq!(
            hub.confirm(&product.carry(hub.sign_out(&to))),
            Confirmation::NotSignedIn,
            "{case}"
        );
        product.0.store().set_broken(true);
        assert_eq!(
            hub.confirm(&product.carry(hub.sign_out(&to))),
            Confirmation::Refused,
            "{case}"
        );
        assert_eq!(lives(&to), None, "{case}");
    }
}

#[test]
fn the_product_signs_out_a_person_whose_csrf_token_nobody_knows() {
    let product = Product::new(Profile::Assets6, false);
    let hub = provider(Profile::Assets6);
    let request = login("username=alice&password=alice-password");
    let mut learned = hub
        .parse_login(&request, &product.send(request.clone()), NOW)
        .unwrap();
    learned.session.csrf = None;
    let to = Addressee {
        subject: None,
        session: learned.session,
    };
    let call = hub.sign_out(&to);
    assert_eq!(
        (call.method, call.target.as_str()),
        (
            Method::Get,
            "/logout?logoutSuccessUrl=%2Fsigned-out-by-logout-hub"
        )
    );
    for _ in 0..2 {
        assert_eq!(
            hub.confirm(&product.carry(hub.sign_out(&to))),
            Confirmation::Confirmed { landing: None }
        );
        assert_eq!(
            hub.alive(&product.carry(hub.probe(&to).unwrap())),
            Some(false)
        );
    }
    product.0.store().set_broken(true);
    assert_eq!(
        hub.confirm(&product.carry(hub.sign_out(&to))),
        Confirmation::Refused
    );
}

#[derive(Debug)]
struct OneReceiptPage;

impl ReceiptPages for OneReceiptPage {
    fn landing(&self, _receipt: ReceiptId) -> Option<ApprovedUrl> {
        ApprovedUrl::from_operator("/receipts/of-alice").ok()
    }
}

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
    let secret = |value: &str| Secret::new(value);
    let cookies = vec![("authToken".to_owned(), secret("theirs"))];
    let session = UpstreamSession {
        cookies,
        csrf: Some(secret("c")),
        ..UpstreamSession::default()
    };
    let registration = Registration {
        subject: Subject::new("", "alice"),
        person: None,
        session,
        expires: None,
        device: Device::default(),
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
fn a_redirecting_sign_out_that_asks_for_no_landing_leads_to_its_receipt() {
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
