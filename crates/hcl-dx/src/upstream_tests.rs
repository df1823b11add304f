//! Every answer of a real portal that means something, and the whole way of a login through to its
//! end with the stand-in in the place of the portal.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use logout_core::CredentialReader as _;
use logout_core::authority::{Services, SessionAuthority};
use logout_core::credential::Secret;
use logout_core::platform::{Platform, PlatformName};
use logout_core::ports::{Deliveries, PassThrough, PendingResult};
use logout_core::provider::UpstreamLogout as _;
use logout_core::receipt::{EndedSession, ReceiptId};
use logout_core::session::Subject;
use logout_core::time::Timestamp;
use logout_core::upstream::{
    Addressee, Confirmation, UpstreamAnswer, UpstreamLogin, UpstreamRequest, UpstreamSession,
};
use logout_core::{LogoutProvider as _, Method, Request, Response};
use logout_store::MemoryStore;
use logout_suite::testing::{ListedAccounts, ManualClock, RememberedTokens, StandIn};
use serde_json::Value;

use crate::config::Dialect;
use crate::{ConfigService, HclDxConfig, HclDxProvider, LogoutWithoutSession, request};

const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);
const LOGIN: &str = "/dx/api/core/v1/auth/login";
const LOGOUT: &str = "/dx/api/core/v1/auth/logout";
const PORTAL_LOGOUT: &str =
    "/wps/myportal/!ut/p/a1/04_SD9OPcrMKyc9PLXZ2iXfUj9SPstSPzMnXL8hxVAQAAFhKBg!!";
const COOKIE: (&str, &str) = ("set-cookie", "LtpaToken2=T; Path=/; HttpOnly");
const LOGGED_IN: &str = r#"{"statusCode":200,"message":"Login Successful","data":{"UId":"Alice"}}"#;

fn platform(has_upstream: bool) -> Platform {
    let mut platform = Platform::new("dx", "http://dx.example/".parse().unwrap());
    platform.has_upstream = has_upstream;
    platform
}

fn hub() -> HclDxProvider {
    HclDxProvider::new(HclDxConfig::default(), &platform(true)).unwrap()
}

fn stand_in(config: HclDxConfig) -> StandIn<HclDxProvider> {
    StandIn::new(platform(false), |platform| {
        HclDxProvider::new(config, platform).unwrap()
    })
}

fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> UpstreamAnswer {
    let headers = headers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()))
        .collect();
    UpstreamAnswer {
        status,
        headers,
        body: body.into(),
    }
}

fn answer_of(response: Response) -> UpstreamAnswer {
    let (status, headers, body) = response.into_parts();
    UpstreamAnswer {
        status,
        headers: headers
            .into_iter()
            .map(|(name, value)| (name.to_owned(), String::from(value).into_bytes()))
            .collect(),
        body: body.into_owned(),
    }
}

/// As the portal would get it.
fn request_of(request: &UpstreamRequest) -> Request<'static> {
    let to = Request::new(request.method, request.target.clone()).with_body(request.body.clone());
    request.headers.iter().fold(to, |to, (name, value)| {
        to.with_header(name.clone(), value.reveal())
    })
}

fn login(body: &str) -> Request<'static> {
    Request::new(Method::Post, LOGIN)
        .with_endpoint("login", vec![])
        .with_header("content-type", "application/json")
        .with_body(body)
}

fn to(cookies: &[(&str, &str)]) -> Addressee {
    let cookies = cookies
        .iter()
        .map(|(name, value)| ((*name).to_owned(), Secret::new(*value)))
        .collect();
    Addressee {
        subject: None,
        session: UpstreamSession {
            cookies,
            ..UpstreamSession::default()
        },
    }
}

fn shown(session: &UpstreamSession) -> Vec<(&str, &str)> {
    session
        .cookies
        .iter()
        .map(|(name, value)| (name.as_str(), value.reveal()))
        .collect()
}

#[test]
fn only_the_login_is_relayed() {
    let hub = hub();
    let paths: Vec<&str> = hub
        .relayed_endpoints()
        .iter()
        .map(|endpoint| endpoint.path())
        .collect();
    assert_eq!(paths, [LOGIN]);
    assert!(
        hub.relayed_endpoints()[0]
            .methods()
            .contains(&Method::Options)
    );
}

#[test]
fn the_public_home_of_a_real_portal_is_no_sign_out_endpoint() {
    let config_service = ConfigService::default().with("logout.user.onpublic", true);
    let config = HclDxConfig {
        config_service,
        ..HclDxConfig::default()
    };
    let paths = |has_upstream| {
        HclDxProvider::new(config.clone(), &platform(has_upstream))
            .unwrap()
            .endpoints()
            .len()
    };
    assert_eq!((paths(false), paths(true)), (4, 3));
}

#[test]
fn what_is_presented_is_what_the_sign_out_reads() {
    let dialect = Dialect::new(HclDxConfig::default(), &platform(true)).unwrap();
    for (cookies, kept, count) in [
        (
            "LtpaToken2=a+b/c==; other=1",
            vec![("LtpaToken2", "a+b/c==")],
            1,
        ),
        (
            "ltpatoken2=a; LtpaToken2=b",
            vec![("LtpaToken2", "a"), ("LtpaToken2", "b")],
            2,
        ),
        (
            "ltpatoken=old; LtpaToken2=\"q%20\"; JSESSIONID=0000x:-1",
            vec![("LtpaToken2", "\"q%20\""), ("LtpaToken", "old")],
            1,
        ),
        ("LtpaToken=old", vec![], 0),
        ("LtpaToken2=", vec![], 0),
        ("", vec![], 0),
    ] {
        let request = Request::new(Method::Post, LOGOUT)
            .with_endpoint(request::CORE_LOGOUT, vec![])
            .with_header("cookie", cookies);
        let request = request.with_header("authorization", "Bearer nobody's");
        let presented = hub().presented(&request);
        assert_eq!(shown(&presented), kept, "{cookies}");
        assert!(presented.bearer.is_none());
        let registered: Vec<_> = hub()
            .credentials(&presented)
            .iter()
            .map(|one| (one.purpose, one.secret.reveal().to_owned()))
            .collect();
        let looked_up: Vec<_> = request::read(&request, &dialect)
            .sign_out
            .credentials
            .iter()
            .map(|one| (one.purpose, one.secret.reveal().to_owned()))
            .collect();
        assert_eq!(registered, looked_up, "{cookies}");
        assert_eq!(registered.len(), count, "{cookies}");
    }
}

#[test]
fn a_login_is_learned_with_its_token_and_its_user() {
    let asked = r#"{"username":"typed","password":"p","username":"second"}"#;
    for (what, body, said, expected) in [
        ("whom the answer names", asked, LOGGED_IN, ("", "alice")),
        (
            "a distinguished name",
            asked,
            r#"{"data":{"UId":"uid=Alice,o=Realm"}}"#,
            ("o=realm", "alice"),
        ),
        (
            "whom the request names, first of two",
            asked,
            r#"{"data":{"UId":" "}}"#,
            ("", "typed"),
        ),
        (
            "an answer without user",
            asked,
            r#"{"statusCode":200}"#,
            ("", "typed"),
        ),
        ("an answer that is no object", asked, "", ("", "typed")),
    ] {
        let learned = hub()
            .parse_login(&login(body), &answer(200, &[COOKIE], said), NOW)
            .unwrap_or_else(|| panic!("{what}"));
        assert_eq!(
            learned.subject,
            Subject::new(expected.0, expected.1),
            "{what}"
        );
        assert_eq!(shown(&learned.session), [("LtpaToken2", "T")], "{what}");
        assert!(
            learned.expires.is_none() && learned.renews.is_none(),
            "{what}"
        );
    }
    assert_eq!(hub().subject(None, "ALICE"), Subject::new("", "alice"));
    let nobody = |token: &str| {
        let cookie = format!("LtpaToken2={token}");
        hub()
            .parse_login(
                &login(""),
                &answer(200, &[("set-cookie", &cookie)], "{}"),
                NOW,
            )
            .unwrap()
            .subject
    };
    assert_ne!(nobody("a"), nobody("b"));
    assert!(!nobody("a").name.is_empty());
}

#[test]
fn of_several_cookies_the_last_counts_and_its_lifetime_too() {
    let set = [
        (
            "set-cookie",
            "LtpaToken2=\"\"; Path=/; Expires=Thu, 01-Dec-94 16:00:00 GMT",
        ),
        ("set-cookie", "JSESSIONID=0000x:-1; Path=/"),
        ("set-cookie", "LtpaToken=v1; Path=/"),
        ("set-cookie", "LtpaToken2=first; Path=/"),
        ("set-cookie", "ltpatoken2=a+b/c==; Path=/; Max-Age=7200"),
        ("set-cookie", "LtpaToken2=gone; Path=/old; Max-Age=0"),
    ];
    let learned = hub()
        .parse_login(&login("{}"), &answer(200, &set, LOGGED_IN), NOW)
        .unwrap();
    assert_eq!(
        shown(&learned.session),
        [("LtpaToken2", "a+b/c=="), ("LtpaToken", "v1")]
    );
    assert_eq!(learned.expires, Some(NOW.plus(Duration::from_secs(7200))));
}

#[test]
fn a_login_that_failed_opens_nothing() {
    let body = r#"{"username":"alice","password":"p"}"#;
    let removed = ("set-cookie", "LtpaToken2=; Path=/; Max-Age=0");
    for (what, given) in [
        ("no cookie", answer(200, &[], LOGGED_IN)),
        ("a removed cookie", answer(200, &[removed], LOGGED_IN)),
        (
            "another cookie",
            answer(200, &[("set-cookie", "LtpaToken=x")], LOGGED_IN),
        ),
        (
            "an error with 200",
            answer(200, &[COOKIE], r#"{"error":{"code":"x"}}"#),
        ),
        ("a refusal", answer(401, &[COOKIE], LOGGED_IN)),
        ("a redirect", answer(302, &[COOKIE], "")),
        ("a failure", answer(500, &[COOKIE], LOGGED_IN)),
    ] {
        assert!(
            hub().parse_login(&login(body), &given, NOW).is_none(),
            "{what}"
        );
    }
    let well = answer(200, &[COOKIE], LOGGED_IN);
    let asked = Request::new(Method::Options, LOGIN).with_endpoint("login", vec![]);
    let elsewhere = Request::new(Method::Post, "/")
        .with_endpoint("validate", vec![])
        .with_body(body);
    assert!(
        hub().parse_login(&asked, &well, NOW).is_none()
            && hub().parse_login(&elsewhere, &well, NOW).is_none()
    );
    assert!(hub().parse_login(&login(body), &well, NOW).is_some());
}

#[test]
fn a_sign_out_is_the_core_api_s_with_the_cookie_and_no_body() {
    let request = hub().sign_out(&to(&[("LtpaToken2", "a+b/c=="), ("LtpaToken", "v1")]));
    assert_eq!(
        (request.method, request.target.as_str(), request.body.len()),
        (Method::Post, LOGOUT, 0)
    );
    let cookie = request
        .headers
        .iter()
        .find(|(name, _)| name == "cookie")
        .map(|(_, value)| value.reveal());
    assert_eq!(cookie, Some("LtpaToken2=a+b/c==; LtpaToken=v1"));
    let probe = hub().probe(&to(&[("LtpaToken2", "a")])).unwrap();
    assert_eq!(
        (probe.method, probe.target.as_str()),
        (Method::Post, "/dx/api/core/v1/auth/validate")
    );
    assert!(hub().probe(&to(&[("LtpaToken", "v1")])).is_none() && hub().probe(&to(&[])).is_none());
}

#[test]
fn a_sign_out_is_confirmed_by_status_and_body() {
    let confirmed = |landing: Option<&str>| Confirmation::Confirmed {
        landing: landing.map(str::to_owned),
    };
    let html = ("content-type", "text/html");
    let fault = r#"{"error":{"code":"Unauthorized","message":"m","reason":"r"}}"#;
    for (what, given, expected) in [
        (
            "the object",
            answer(
                200,
                &[],
                r#"{"statusCode":200,"data":"You are successfully logged out","redirectUrl":"https://p.example/x?a=b&c"}"#,
            ),
            confirmed(Some("https://p.example/x?a=b&c")),
        ),
        (
            "the object of an older version",
            answer(200, &[], r#"{"statusCode":200,"data":"x"}"#),
            confirmed(None),
        ),
        (
            "a target that is none",
            answer(200, &[], r#"{"statusCode":200,"redirectUrl":7}"#),
            confirmed(None),
        ),
        (
            "an empty target",
            answer(200, &[], r#"{"statusCode":200,"redirectUrl":""}"#),
            confirmed(None),
        ),
        (
            "a doubled target",
            answer(
                200,
                &[],
                r#"{"statusCode":200,"redirectUrl":"/a","redirectUrl":"/b"}"#,
            ),
            confirmed(Some("/a")),
        ),
        (
            "another status inside",
            answer(200, &[], r#"{"statusCode":500,"redirectUrl":"/a"}"#),
            Confirmation::Refused,
        ),
        (
            "no status inside",
            answer(200, &[], r#"{"redirectUrl":"/a"}"#),
            Confirmation::Refused,
        ),
        (
            "an error with 200",
            answer(200, &[], fault),
            Confirmation::Refused,
        ),
        (
            "an error beside",
            answer(200, &[], r#"{"statusCode":200,"error":{}}"#),
            Confirmation::Refused,
        ),
        (
            "broken JSON",
            answer(200, &[], r#"{"statusCode":200,"#),
            Confirmation::Refused,
        ),
        (
            "no object",
            answer(200, &[], "[200]"),
            Confirmation::Refused,
        ),
        ("nothing", answer(200, &[], ""), Confirmation::Refused),
        (
            "a login page",
            answer(200, &[html], "<html><form>"),
            Confirmation::Refused,
        ),
        (
            "a redirect to the login",
            answer(302, &[("location", "/wps/portal")], ""),
            Confirmation::Refused,
        ),
        (
            "not signed in",
            answer(401, &[], fault),
            Confirmation::NotSignedIn,
        ),
        (
            "not signed in, without words",
            answer(401, &[], ""),
            Confirmation::NotSignedIn,
        ),
        (
            "somebody in front",
            answer(401, &[("www-authenticate", "Basic realm=\"x\"")], fault),
            Confirmation::Refused,
        ),
        ("malformed", answer(400, &[], fault), Confirmation::Refused),
        ("forbidden", answer(403, &[], fault), Confirmation::Refused),
        ("not there", answer(404, &[], fault), Confirmation::Refused),
        (
            "too many",
            answer(429, &[("retry-after", "5")], ""),
            Confirmation::Refused,
        ),
        ("failure", answer(500, &[], fault), Confirmation::Refused),
        (
            "away",
            answer(503, &[], r#"{"statusCode":200}"#),
            Confirmation::Refused,
        ),
    ] {
        assert_eq!(hub().confirm(&given), expected, "{what}");
    }
}

#[test]
fn a_probe_s_answer_says_alive_or_dead_or_nothing() {
    for (given, expected) in [
        (
            answer(
                200,
                &[],
                r#"{"statusCode":200,"message":"x","data":{"UId":"a"}}"#,
            ),
            Some(true),
        ),
        (answer(200, &[], r#"{"statusCode":401}"#), None),
        (answer(200, &[], "<html>"), None),
        (answer(200, &[], ""), None),
        (answer(401, &[], ""), Some(false)),
        (
            answer(401, &[("www-authenticate", "Negotiate, NTLM")], ""),
            None,
        ),
        (answer(302, &[], ""), None),
        (answer(403, &[], ""), None),
        (answer(404, &[], ""), None),
        (answer(503, &[], ""), None),
    ] {
        assert_eq!(
            hub().alive(&given),
            expected,
            "{given:?} {}",
            String::from_utf8_lossy(&given.body)
        );
    }
}

/// Logs in at `portal` by the endpoint that the hub relays, and learns the session.
fn log_in(portal: &StandIn<HclDxProvider>, name: &str) -> UpstreamLogin {
    let request = login(&format!(
        r#"{{"username":"{name}","password":"alice-password"}}"#
    ));
    let answer = answer_of(portal.send(request.clone()));
    hub()
        .parse_login(&request, &answer, NOW)
        .expect("a session")
}

fn carried(portal: &StandIn<HclDxProvider>, request: &UpstreamRequest) -> UpstreamAnswer {
    answer_of(portal.send(request_of(request)))
}

#[test]
fn a_session_is_learned_signed_out_confirmed_and_found_dead_at_the_portal() {
    let portal = stand_in(HclDxConfig::default());
    for name in ["alice", "ALICE", "uid=alice,o=defaultWIMFileBasedRealm"] {
        let learned = log_in(&portal, name);
        assert_eq!(learned.subject, Subject::new("", "alice"));
        let to = Addressee {
            subject: Some(learned.subject),
            session: learned.session,
        };
        let alive = || hub().alive(&carried(&portal, &hub().probe(&to).unwrap()));
        assert_eq!(alive(), Some(true));
        let first = hub().confirm(&carried(&portal, &hub().sign_out(&to)));
        assert_eq!(
            first,
            Confirmation::Confirmed {
                landing: Some("http://dx.example/wps/portal".to_owned())
            }
        );
        assert_eq!(alive(), Some(false));
        assert_eq!(
            hub().confirm(&carried(&portal, &hub().sign_out(&to))),
            Confirmation::NotSignedIn
        );
    }
}

#[test]
fn a_portal_that_does_not_track_logged_out_tokens_is_found_out() {
    let portal = stand_in(HclDxConfig {
        track_logged_out_tokens: false,
        ..HclDxConfig::default()
    });
    let to = Addressee {
        subject: None,
        session: log_in(&portal, "alice").session,
    };
    assert!(matches!(
        hub().confirm(&carried(&portal, &hub().sign_out(&to))),
        Confirmation::Confirmed { .. }
    ));
    assert_eq!(
        hub().alive(&carried(&portal, &hub().probe(&to).unwrap())),
        Some(true)
    );
}

/// An upstream that says the same to every stranger.
#[derive(Debug)]
struct Says(PassThrough);

#[async_trait]
impl Deliveries for Says {
    fn expect(&self, _receipt: ReceiptId) -> Option<Box<dyn PendingResult>> {
        None
    }

    fn wake(&self, _ended: &[EndedSession]) {}

    async fn pass_through(
        &self,
        _platform: &PlatformName,
        session: &UpstreamSession,
    ) -> PassThrough {
        assert_eq!(shown(session), [("LtpaToken2", "unseen")]);
        self.0.clone()
    }
}

/// The answer of a hub in front of an upstream that says so, to a logout with a token that it never
/// saw.
fn stranger(says: PassThrough, config: HclDxConfig, method: Method, target: &str) -> Response {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let (platform, bare) = (platform(true), platform(true));
    let hub = HclDxProvider::new(config, &platform).unwrap();
    let store = Arc::new(MemoryStore::default());
    let mut services = Services::of_stand_ins(
        Arc::new(ListedAccounts::default()),
        Arc::new(ManualClock::default()),
        store,
        Arc::new(RememberedTokens::default()),
    );
    services.deliveries = Arc::new(Says(says));
    let sessions = SessionAuthority::new(
        Arc::new(platform),
        Arc::new(HclDxProvider::new(HclDxConfig::default(), &bare).unwrap()),
        services,
    );
    let endpoint = hub
        .endpoints()
        .iter()
        .find(|endpoint| endpoint.matches(path).is_some())
        .unwrap()
        .name();
    let request = Request::new(method, path)
        .with_query(query)
        .with_endpoint(endpoint, vec![])
        .with_header("cookie", "LtpaToken2=unseen");
    futures_executor::block_on(hub.logout(&request, &sessions)).into()
}

#[test]
fn the_portal_s_landing_comes_out_in_every_form_of_the_answer_where_it_is_allowed() {
    let autoless = format!("{PORTAL_LOGOUT}?autoRedirect=false");
    let target = |landing: Option<&str>, method, target: &str| {
        let says = PassThrough::Confirmed {
            landing: landing.map(str::to_owned),
            removals: Vec::new(),
        };
        let response = stranger(says, HclDxConfig::default(), method, target);
        let location = response
            .headers()
            .iter()
            .find(|(name, _)| *name == "location")
            .map(|(_, value)| value.to_string());
        location.unwrap_or_else(|| {
            serde_json::from_slice::<Value>(response.body()).unwrap()["redirectUrl"]
                .as_str()
                .unwrap()
                .to_owned()
        })
    };
    for (landing, expected) in [
        (
            Some("http://dx.example/after?x=1"),
            "http://dx.example/after?x=1",
        ),
        (
            Some("https://evil.example/"),
            "http://dx.example/wps/portal",
        ),
        (None, "http://dx.example/wps/portal"),
    ] {
        for (method, at) in [
            (Method::Post, LOGOUT),
            (Method::Get, PORTAL_LOGOUT),
            (Method::Get, autoless.as_str()),
        ] {
            assert_eq!(target(landing, method, at), expected, "{landing:?} {at}");
        }
    }
}

#[test]
fn who_is_not_signed_in_at_the_portal_either_is_answered_as_configured() {
    let ok = || HclDxConfig {
        logout_without_session: LogoutWithoutSession::Ok,
        ..HclDxConfig::default()
    };
    for (says, config, status) in [
        (PassThrough::NotSignedIn, HclDxConfig::default(), 401),
        (PassThrough::NotSignedIn, ok(), 200),
        (PassThrough::Refused, ok(), 503),
        (PassThrough::Busy, HclDxConfig::default(), 503),
    ] {
        assert_eq!(
            stranger(says.clone(), config, Method::Post, LOGOUT).status(),
            status,
            "{says:?}"
        );
    }
}
