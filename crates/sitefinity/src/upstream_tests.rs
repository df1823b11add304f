//! Every answer of a real site that means something, and the whole way of a login through to its
//! end with the stand-in in the place of the site.

use std::time::Duration;

use logout_core::CredentialReader as _;
use logout_core::credential::Secret;
use logout_core::platform::Platform;
use logout_core::provider::UpstreamLogout as _;
use logout_core::session::Subject;
use logout_core::sign_out::Target;
use logout_core::time::Timestamp;
use logout_core::upstream::{
    Addressee, Confirmation, UpstreamAnswer, UpstreamLogin, UpstreamRequest, UpstreamSession,
};
use logout_core::{Method, Request, Response};
use logout_suite::testing::StandIn;

use crate::config::{Dialect, UpstreamAdministrator};
use crate::{SitefinityConfig, SitefinityProvider, request};

const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

fn platform(has_upstream: bool) -> Platform {
    let mut platform = Platform::new("cms", "http://cms.example/".parse().unwrap());
    platform.has_upstream = has_upstream;
    platform
}

fn provider(config: SitefinityConfig) -> SitefinityProvider {
    SitefinityProvider::new(config, &platform(true)).unwrap()
}

fn hub() -> SitefinityProvider {
    provider(SitefinityConfig::default())
}

fn administered(bearer_token: Option<&str>, cookie_token: Option<&str>) -> SitefinityProvider {
    let administrator = UpstreamAdministrator {
        bearer_token: bearer_token.map(Secret::new),
        cookie_token: cookie_token.map(Secret::new),
    };
    provider(SitefinityConfig {
        upstream_administrator: Some(administrator),
        ..SitefinityConfig::default()
    })
}

fn stand_in() -> StandIn<SitefinityProvider> {
    StandIn::new(platform(false), |platform| {
        SitefinityProvider::new(SitefinityConfig::default(), platform).unwrap()
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

/// As the site would get it.
fn request_of(request: &UpstreamRequest) -> Request<'static> {
    let (path, query) = request
        .target
        .split_once('?')
        .unwrap_or((&request.target, ""));
    let to = Request::new(request.method, path)
        .with_query(query)
        .with_body(request.body.clone());
    request.headers.iter().fold(to, |to, (name, value)| {
        to.with_header(name.clone(), value.reveal())
    })
}

fn header<'a>(request: &'a UpstreamRequest, name: &str) -> Option<&'a str> {
    request
        .headers
        .iter()
        .find(|(known, _)| known == name)
        .map(|(_, value)| value.reveal())
}

fn form(endpoint: &'static str, body: &str) -> Request<'static> {
    Request::new(Method::Post, "/")
        .with_endpoint(endpoint, vec![])
        .with_header("content-type", "application/x-www-form-urlencoded")
        .with_body(body)
}

fn session(cookies: &[(&str, &str)], bearer: Option<&str>) -> UpstreamSession {
    let cookies = cookies
        .iter()
        .map(|(name, value)| ((*name).to_owned(), Secret::new(*value)))
        .collect();
    UpstreamSession {
        cookies,
        bearer: bearer.map(Secret::new),
        ..UpstreamSession::default()
    }
}

fn shown(session: &UpstreamSession) -> Vec<(&str, &str)> {
    session
        .cookies
        .iter()
        .map(|(name, value)| (name.as_str(), value.reveal()))
        .collect()
}

fn credentials(session: &UpstreamSession) -> Vec<(&'static str, String)> {
    hub()
        .credentials(session)
        .into_iter()
        .map(|known| (known.purpose, known.secret.reveal().to_owned()))
        .collect()
}

fn of_alice(session: UpstreamSession) -> Addressee {
    Addressee {
        subject: Some(Subject::new("default", "alice")),
        session,
    }
}

#[test]
fn only_logins_and_what_they_need_are_relayed() {
    let hub = hub();
    let takes = |path: &str| {
        hub.relayed_endpoints()
            .iter()
            .any(|endpoint| endpoint.matches(path).is_some())
    };
    for path in [
        "/sitefinity/anticsrf",
        "/Sitefinity/Login-Handler",
        "/Sitefinity/oauth/authorize",
        "/sitefinity/oauth/token",
        "/Sitefinity/Authenticate/OpenID/connect/authorize/",
    ] {
        assert!(takes(path), "{path}");
    }
    for path in [
        "/",
        "/rest-api/login-status",
        "/api/default/users/current",
        "/sf/system/users/current",
        "/Sitefinity/SignOut",
    ] {
        assert!(!takes(path), "{path}");
    }
}

#[test]
fn what_is_presented_is_what_the_sign_out_reads() {
    let dialect = Dialect::new(SitefinityConfig::default(), &platform(true)).unwrap();
    for (cookies, bearer, kept, count) in [
        (
            ".AspNet.Cookies=a; other=1; idsrv=b; SF-TokenId=c",
            None,
            3,
            2,
        ),
        (
            ".AspNet.Cookies=a; .AspNet.Cookies=z; .aspnet.cookies=y",
            Some("t"),
            3,
            4,
        ),
        (".AspNet.Cookies=\"a b\"; idsrv=x%20+=/", None, 2, 2),
        (
            ".AspNet.Cookies=chunks:2; .AspNet.CookiesC1=one; .AspNet.CookiesC2=two; idsrvC1=left",
            None,
            4,
            1,
        ),
        (
            ".AspNet.Cookies=chunks:2; .AspNet.CookiesC1=one",
            None,
            2,
            0,
        ),
        ("SF-TokenId=c", None, 1, 0),
        (".AspNet.Cookies=; idsrv=", Some(""), 0, 0),
        ("", Some("t"), 0, 1),
    ] {
        let mut request =
            Request::new(Method::Get, "/Sitefinity/SignOut").with_header("cookie", cookies);
        if let Some(bearer) = bearer {
            request = request.with_header("authorization", format!("Bearer {bearer}"));
        }
        let presented = hub().presented(&request);
        assert_eq!(presented.cookies.len(), kept, "{cookies}");
        let registered = credentials(&presented);
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
fn two_people_with_spread_cookies_share_no_credential() {
    let known = |one: &str| {
        credentials(&session(
            &[
                (".AspNet.Cookies", "chunks:2"),
                (".AspNet.CookiesC1", one),
                (".AspNet.CookiesC2", "x"),
            ],
            None,
        ))
    };
    assert_eq!(known("a"), [("site", "ax".to_owned())]);
    assert_ne!(known("a"), known("b"));
}

#[test]
fn a_form_login_is_learned_with_its_cookies_and_the_name_in_the_form() {
    let set = [
        ("location", "/home?x=1"),
        ("set-cookie", "idsrv=STS; path=/; HttpOnly"),
        ("set-cookie", ".AspNet.Cookies=old; path=/"),
        (
            "set-cookie",
            ".AspNet.Cookies=\"q+/=\"; path=/; expires=Fri, 01 Jan 2100 00:00:00 GMT",
        ),
        ("set-cookie", "SF-TokenId=ID; path=/"),
        ("set-cookie", "ASP.NET_SessionId=no; path=/"),
    ];
    let request = form(
        "login-form",
        "UserName=+Alice&password=p&membershipprovidername=LDAP",
    );
    let learned = hub()
        .parse_login(&request, &answer(302, &set, ""), NOW)
        .unwrap();
    assert_eq!(learned.subject, Subject::new("ldap", "alice"));
    assert_eq!(
        shown(&learned.session),
        [
            ("idsrv", "STS"),
            (".AspNet.Cookies", "\"q+/=\""),
            ("SF-TokenId", "ID")
        ]
    );
    assert_eq!(
        credentials(&learned.session),
        [
            ("site", "\"q+/=\"".to_owned()),
            ("token-service", "STS".to_owned())
        ]
    );
    assert!(learned.expires.is_none() && learned.renews.is_none());
    // The same subject as a sign-out by name means.
    let named = Request::new(Method::Get, "/").with_query("provider=ldap&username=ALICE");
    let dialect = Dialect::new(SitefinityConfig::default(), &platform(true)).unwrap();
    assert_eq!(
        request::read(&named, &dialect).sign_out.target,
        Target::Subject(learned.subject.clone())
    );
    assert_eq!(hub().subject(Some("Ldap"), "aLice"), learned.subject);
}

#[test]
fn a_form_login_that_failed_opens_nothing() {
    let cookie = ("set-cookie", ".AspNet.Cookies=x; path=/");
    let alice = "username=alice&password=p";
    for (what, body, status, headers) in [
        ("no cookie", alice, 302, vec![("location", "/")]),
        (
            "an error, and the cookie of whoever was signed in before is prolonged",
            alice,
            302,
            vec![("location", "/in?LoginError=true#x"), cookie],
        ),
        (
            "a removed cookie",
            alice,
            302,
            vec![(
                "set-cookie",
                ".AspNet.Cookies=; expires=Thu, 01 Jan 1970 00:00:00 GMT",
            )],
        ),
        (
            "only the token service's cookie",
            alice,
            302,
            vec![("set-cookie", "idsrv=x")],
        ),
        (
            "an incomplete spread cookie",
            alice,
            302,
            vec![("set-cookie", ".AspNet.Cookies=chunks:1")],
        ),
        ("a refusal", alice, 403, vec![cookie]),
        ("a failure", alice, 500, vec![cookie]),
        ("nobody's name", "username=+&password=p", 302, vec![cookie]),
    ] {
        assert!(
            hub()
                .parse_login(
                    &form("login-form", body),
                    &answer(status, &headers, ""),
                    NOW
                )
                .is_none(),
            "{what}"
        );
    }
    let anti_forgery = Request::new(Method::Get, "/").with_endpoint("anti-forgery", vec![]);
    assert!(
        hub()
            .parse_login(
                &anti_forgery,
                &answer(200, &[cookie], "{\"Value\":\"x\"}"),
                NOW
            )
            .is_none()
    );
    // Fine with another address that has the word in it.
    let landing = [("location", "/?next=loginerror%3DTrue"), cookie];
    assert!(
        hub()
            .parse_login(&form("login-form", alice), &answer(302, &landing, ""), NOW)
            .is_some()
    );
}

#[test]
fn a_grant_is_learned_with_its_lifetime_and_its_user() {
    let password = "grant_type=password&username=Alice&password=p&client_id=c";
    for (body, expires) in [
        (
            r#"{"access_token":"T","token_type":"bearer","expires_in":3600}"#,
            Some(3600),
        ),
        (r#"{"access_token":"T","expires_in":"60"}"#, Some(60)),
        (
            r#"{"access_token":"T","expires_in":99999999999}"#,
            Some(u64::from(u32::MAX)),
        ),
        (r#"{"access_token":"T","expires_in":-1}"#, None),
        (r#"{"access_token":"T"}"#, None),
        (
            r#"{"access_token":"T","expires_in":60,"refresh_token":"R"}"#,
            None,
        ),
    ] {
        let learned = hub()
            .parse_login(&form("token", password), &answer(200, &[], body), NOW)
            .unwrap();
        assert_eq!(learned.subject, Subject::new("default", "alice"), "{body}");
        assert_eq!(
            learned.session.bearer.as_ref().unwrap().reveal(),
            "T",
            "{body}"
        );
        assert_eq!(
            learned.expires,
            expires.map(|seconds| NOW.plus(Duration::from_secs(seconds))),
            "{body}"
        );
        assert!(learned.renews.is_none());
    }
    for (form_body, status, body) in [
        (password, 400, r#"{"error":"invalid_grant"}"#),
        (password, 400, r#"{"access_token":"T"}"#),
        (password, 200, r#"{"error":"invalid_grant"}"#),
        (password, 200, r#"{"access_token":""}"#),
        (password, 200, r#"{"access_token":"T""#),
        (password, 200, "<html>"),
        (
            "grant_type=password&password=p",
            200,
            r#"{"access_token":"T"}"#,
        ),
        (
            "grant_type=client_credentials",
            200,
            r#"{"access_token":"T"}"#,
        ),
        ("grant_type=refresh_token", 200, r#"{"access_token":"T"}"#),
        ("username=alice", 200, r#"{"access_token":"T"}"#),
    ] {
        assert!(
            hub()
                .parse_login(&form("token", form_body), &answer(status, &[], body), NOW)
                .is_none(),
            "{form_body}: {status} {body}"
        );
    }
}

#[test]
fn a_renewal_says_what_the_session_was_known_by() {
    let body = r#"{"access_token":"T2","expires_in":60,"refresh_token":"R2"}"#;
    let learned = hub()
        .parse_login(
            &form("token", "grant_type=refresh_token&refresh_token=R1"),
            &answer(200, &[], body),
            NOW,
        )
        .unwrap();
    let renews = learned.renews.unwrap();
    assert_eq!((renews.purpose, renews.secret.reveal()), ("refresh", "R1"));
    assert_eq!(
        credentials(&learned.session),
        [("access", "T2".to_owned()), ("refresh", "R2".to_owned())]
    );

    let sign_in = Request::new(Method::Get, "/")
        .with_endpoint("token-service", vec![])
        .with_header("cookie", "idsrv=STS; a=b");
    let set = [("location", "/"), ("set-cookie", ".AspNet.Cookies=new")];
    let learned = hub()
        .parse_login(&sign_in, &answer(302, &set, ""), NOW)
        .unwrap();
    let renews = learned.renews.unwrap();
    assert_eq!(
        (renews.purpose, renews.secret.reveal()),
        ("token-service", "STS")
    );
    assert_eq!(
        shown(&learned.session),
        [(".AspNet.Cookies", "new"), ("idsrv", "STS")]
    );
    let form_shown = answer(200, &[], "<form>");
    assert!(hub().parse_login(&sign_in, &form_shown, NOW).is_none());
    let nobody = Request::new(Method::Get, "/").with_endpoint("token-service", vec![]);
    assert!(
        hub()
            .parse_login(&nobody, &answer(302, &set, ""), NOW)
            .is_none()
    );
}

#[test]
fn sessions_of_unknown_users_share_no_subject() {
    let code = form("token", "grant_type=authorization_code&code=x");
    let subject = |token: &str| {
        hub()
            .parse_login(
                &code,
                &answer(200, &[], &format!(r#"{{"access_token":"{token}"}}"#)),
                NOW,
            )
            .unwrap()
            .subject
    };
    assert_ne!(subject("a"), subject("b"));
    assert!(!subject("a").name.is_empty());
}

#[test]
fn a_session_is_signed_out_of_both_layers_with_its_own_credentials() {
    let known = session(
        &[
            (".AspNet.Cookies", "a"),
            ("idsrv", "b"),
            ("SF-TokenId", "c"),
        ],
        Some("t"),
    );
    let request = hub().sign_out(&of_alice(known));
    assert_eq!(
        (request.method, request.target.as_str()),
        (
            Method::Get,
            "/Sitefinity/SignOut?sts_signout=true&redirect=false"
        )
    );
    assert_eq!(
        header(&request, "cookie"),
        Some(".AspNet.Cookies=a; idsrv=b; SF-TokenId=c")
    );
    assert_eq!(header(&request, "authorization"), Some("Bearer t"));
    assert!(!hub().signs_out_by_name());
}

#[test]
fn with_an_administrator_a_user_is_signed_out_by_name_without_the_session_s_credentials() {
    let known = || session(&[(".AspNet.Cookies", "stale")], Some("stale"));
    let target = |hub: &SitefinityProvider, realm: &str, name: &str| {
        let to = Addressee {
            subject: Some(Subject::new(realm, name)),
            session: known(),
        };
        hub.sign_out(&to).target
    };
    let hub = administered(Some("ADMIN"), None);
    assert!(hub.signs_out_by_name());
    assert_eq!(
        target(&hub, "default", "alice"),
        "/Sitefinity/SignOut?provider=Default&username=alice&redirect=false"
    );
    assert_eq!(
        target(&hub, "", "alice"),
        "/Sitefinity/SignOut?provider=Default&username=alice&redirect=false"
    );
    assert_eq!(
        target(&hub, "ldap", "a&b=c ö"),
        "/Sitefinity/SignOut?provider=ldap&username=a%26b%3Dc+%C3%B6&redirect=false"
    );
    let request = hub.sign_out(&of_alice(known()));
    assert_eq!(
        (
            header(&request, "authorization"),
            header(&request, "cookie")
        ),
        (Some("Bearer ADMIN"), None)
    );

    let by_cookie = administered(None, Some("ADMIN"));
    let request = by_cookie.sign_out(&of_alice(UpstreamSession::default()));
    assert_eq!(
        (
            header(&request, "authorization"),
            header(&request, "cookie")
        ),
        (None, Some(".AspNet.Cookies=ADMIN"))
    );
    assert!(!format!("{by_cookie:?}{request:?}").contains("ADMIN"));
}

#[test]
fn a_session_of_an_unknown_user_is_signed_out_with_its_own_credentials_also_with_an_administrator()
{
    let hub = administered(Some("ADMIN"), None);
    let code = form("token", "grant_type=authorization_code&code=x");
    let learned = hub
        .parse_login(&code, &answer(200, &[], r#"{"access_token":"t"}"#), NOW)
        .unwrap();
    for subject in [None, Some(learned.subject)] {
        let request = hub.sign_out(&Addressee {
            subject,
            session: learned.session.clone(),
        });
        assert_eq!(header(&request, "authorization"), Some("Bearer t"));
        assert!(!request.target.contains("username"), "{}", request.target);
    }
}

#[test]
fn a_sign_out_is_confirmed_by_status_and_body() {
    let confirmed = || Confirmation::Confirmed { landing: None };
    let html = ("content-type", "text/html");
    for (what, given, expected) in [
        ("empty", answer(200, &[], ""), confirmed()),
        (
            "empty, called a page",
            answer(200, &[html], " \r\n"),
            confirmed(),
        ),
        ("no content", answer(204, &[], ""), confirmed()),
        ("JSON", answer(200, &[], r#"{"value":true}"#), confirmed()),
        (
            "JSON that speaks of an error",
            answer(200, &[], r#"{"Error":{"code":"x"}}"#),
            Confirmation::Refused,
        ),
        (
            "JSON that says no",
            answer(200, &[], "false"),
            Confirmation::Refused,
        ),
        (
            "broken JSON",
            answer(200, &[], r#"{"value":"#),
            Confirmation::Refused,
        ),
        (
            "a login page",
            answer(200, &[html], "<html><form>"),
            Confirmation::Refused,
        ),
        (
            "a page that nobody calls one",
            answer(200, &[], "<!DOCTYPE html>"),
            Confirmation::Refused,
        ),
        (
            "other text",
            answer(200, &[], "starting"),
            Confirmation::Refused,
        ),
        ("accepted only", answer(202, &[], ""), Confirmation::Refused),
        (
            "a redirect to the login",
            answer(302, &[("location", "/Sitefinity/Login")], ""),
            Confirmation::Refused,
        ),
        (
            "a redirect to the root",
            answer(302, &[("location", "/")], ""),
            Confirmation::Refused,
        ),
        (
            "a token that is not accepted",
            answer(
                401,
                &[("www-authenticate", "Bearer error=\"invalid_token\"")],
                "",
            ),
            Confirmation::NotSignedIn,
        ),
        (
            "an expired token",
            answer(401, &[("x-authentication-error", "TokenExpired")], ""),
            Confirmation::NotSignedIn,
        ),
        (
            "somebody in front",
            answer(
                401,
                &[("www-authenticate", "Bearer"), ("www-authenticate", "NTLM")],
                "",
            ),
            Confirmation::Refused,
        ),
        (
            "somebody in front with a realm",
            answer(401, &[("www-authenticate", "Basic realm=\"x\"")], ""),
            Confirmation::Refused,
        ),
        (
            "no right",
            answer(403, &[("x-authentication-error", "NeedAdminRights")], ""),
            Confirmation::Refused,
        ),
        ("not there", answer(404, &[], ""), Confirmation::Refused),
        (
            "too many",
            answer(429, &[("retry-after", "5")], ""),
            Confirmation::Refused,
        ),
        ("failure", answer(500, &[], ""), Confirmation::Refused),
        (
            "failure in between",
            answer(502, &[], ""),
            Confirmation::Refused,
        ),
        ("away", answer(503, &[], ""), Confirmation::Refused),
    ] {
        assert_eq!(hub().confirm(&given), expected, "{what}");
        // By name a 401 is about the administrator, and nobody has been signed out.
        let by_name = if expected == Confirmation::NotSignedIn {
            Confirmation::Refused
        } else {
            expected
        };
        assert_eq!(
            administered(Some("ADMIN"), None).confirm(&given),
            by_name,
            "{what}, by name"
        );
    }
}

#[test]
fn the_probe_fits_the_credential() {
    let probe = |session| hub().probe(&of_alice(session));
    let by_token = probe(session(&[(".AspNet.Cookies", "a")], Some("t"))).unwrap();
    assert_eq!(
        (by_token.target.as_str(), header(&by_token, "authorization")),
        ("/api/default/users/current", Some("Bearer t"))
    );
    assert_eq!(header(&by_token, "cookie"), None);
    let by_cookie = probe(session(
        &[
            (".AspNet.Cookies", "a"),
            ("idsrv", "b"),
            ("SF-TokenId", "c"),
        ],
        None,
    ))
    .unwrap();
    assert_eq!(
        (by_cookie.target.as_str(), header(&by_cookie, "cookie")),
        (
            "/rest-api/login-status",
            Some(".AspNet.Cookies=a; SF-TokenId=c")
        )
    );
    for without in [
        session(&[], None),
        session(&[("idsrv", "b"), ("SF-TokenId", "c")], None),
        session(&[(".AspNet.Cookies", "chunks:1")], None),
    ] {
        assert!(probe(without).is_none());
    }
}

#[test]
fn a_probe_s_answer_says_alive_or_dead_or_nothing() {
    for (given, expected) in [
        (
            answer(200, &[], r#"{"IsLoggedIn":true,"Email":"x"}"#),
            Some(true),
        ),
        (answer(200, &[], r#"{"IsLoggedIn":false}"#), Some(false)),
        (
            answer(200, &[], r#"{"value":{"IsAuthenticated":true}}"#),
            Some(true),
        ),
        (
            answer(200, &[], r#"{"value":{"IsAuthenticated":false}}"#),
            Some(false),
        ),
        (answer(200, &[], r#"{"IsLoggedIn":"yes"}"#), None),
        (answer(200, &[], "{}"), None),
        (answer(200, &[], "[]"), None),
        (answer(200, &[], "<html>"), None),
        (answer(200, &[], ""), None),
        (answer(302, &[], ""), None),
        (answer(401, &[], ""), Some(false)),
        (answer(401, &[("www-authenticate", "Negotiate")], ""), None),
        (answer(403, &[], ""), None),
        (answer(404, &[], ""), None),
        (answer(503, &[], r#"{"IsLoggedIn":false}"#), None),
    ] {
        assert_eq!(
            hub().alive(&given),
            expected,
            "{given:?} {}",
            String::from_utf8_lossy(&given.body)
        );
    }
}

/// Logs in at `site` by an endpoint that the hub relays, and learns the session.
fn log_in(site: &StandIn<SitefinityProvider>, request: Request<'static>) -> UpstreamLogin {
    let hub = hub();
    let (name, parameters) = hub
        .relayed_endpoints()
        .iter()
        .find_map(|known| Some((known.name(), known.matches(request.path())?)))
        .unwrap();
    let request = request.with_endpoint(name, parameters);
    let answer = answer_of(site.send(request.clone()));
    hub.parse_login(&request, &answer, NOW).expect("a session")
}

fn by_form(site: &StandIn<SitefinityProvider>) -> UpstreamLogin {
    let asked = Request::new(Method::Get, "/sitefinity/anticsrf")
        .with_header("x-sf-antiforgery-request", "true");
    let token: serde_json::Value = serde_json::from_slice(site.send(asked).body()).unwrap();
    let body = format!(
        "username=ALICE&password=alice-password&sf_antiforgery={}",
        token["Value"].as_str().unwrap()
    );
    let request = Request::new(Method::Post, "/sitefinity/login-handler")
        .with_header("content-type", "application/x-www-form-urlencoded");
    log_in(site, request.with_body(body))
}

fn by_grant(site: &StandIn<SitefinityProvider>, name: &str) -> UpstreamLogin {
    let request = Request::new(Method::Post, "/sitefinity/oauth/token")
        .with_header("content-type", "application/x-www-form-urlencoded");
    log_in(
        site,
        request.with_body(format!(
            "grant_type=password&username={name}&password={name}-password"
        )),
    )
}

fn carried(site: &StandIn<SitefinityProvider>, request: &UpstreamRequest) -> UpstreamAnswer {
    answer_of(site.send(request_of(request)))
}

fn is_alive(site: &StandIn<SitefinityProvider>, to: &Addressee) -> Option<bool> {
    hub().alive(&carried(site, &hub().probe(to).unwrap()))
}

#[test]
fn a_session_is_learned_signed_out_confirmed_and_found_dead_at_the_site() {
    let site = stand_in();
    for learned in [by_form(&site), by_grant(&site, "alice")] {
        assert_eq!(learned.subject, Subject::new("default", "alice"));
        let to = of_alice(learned.session);
        assert_eq!(is_alive(&site, &to), Some(true));
        let first = hub().confirm(&carried(&site, &hub().sign_out(&to)));
        assert_eq!(first, Confirmation::Confirmed { landing: None });
        assert_eq!(is_alive(&site, &to), Some(false));
        let again = hub().confirm(&carried(&site, &hub().sign_out(&to)));
        assert!(
            matches!(
                again,
                Confirmation::Confirmed { .. } | Confirmation::NotSignedIn
            ),
            "{again:?}"
        );
    }
}

#[test]
fn a_silent_sign_in_at_the_site_renews_the_session_of_its_token_service() {
    let site = stand_in();
    let first = by_form(&site);
    let token_service = first.session.cookie("idsrv").unwrap().reveal().to_owned();
    let path = "/Sitefinity/Authenticate/OpenID/connect/authorize";
    let renewed = log_in(
        &site,
        Request::new(Method::Get, path).with_header("cookie", format!("idsrv={token_service}")),
    );
    assert_eq!(
        renewed.renews.as_ref().map(|before| before.secret.reveal()),
        Some(token_service.as_str())
    );
    let to = of_alice(renewed.session.renewing(first.session));
    assert_eq!(is_alive(&site, &to), Some(true));
    assert_eq!(
        hub().confirm(&carried(&site, &hub().sign_out(&to))),
        Confirmation::Confirmed { landing: None }
    );
    assert_eq!(is_alive(&site, &to), Some(false));
}

#[test]
fn by_an_administrator_every_session_of_the_user_ends_at_the_site_and_nobody_else_s() {
    let site = stand_in();
    let administrator = by_grant(&site, "admin").session.bearer.unwrap();
    let (one, two, bob) = (
        by_form(&site).session,
        by_grant(&site, "alice").session,
        by_grant(&site, "bob").session,
    );
    let hub = administered(Some(administrator.reveal()), None);
    // Its own credentials are not needed.
    let request = hub.sign_out(&of_alice(UpstreamSession::default()));
    assert_eq!(
        hub.confirm(&carried(&site, &request)),
        Confirmation::Confirmed { landing: None }
    );
    for (session, alive) in [
        (one, false),
        (two, false),
        (bob, true),
        (
            UpstreamSession {
                bearer: Some(administrator),
                ..Default::default()
            },
            true,
        ),
    ] {
        assert_eq!(is_alive(&site, &of_alice(session)), Some(alive));
    }
    // Without the right nobody ends, and that is not taken for a sign-out.
    let bob = by_grant(&site, "bob").session.bearer.unwrap();
    let powerless = administered(Some(bob.reveal()), None);
    assert_eq!(
        powerless.confirm(&carried(
            &site,
            &powerless.sign_out(&of_alice(UpstreamSession::default()))
        )),
        Confirmation::Refused
    );
    let nobody = administered(Some("nobody's"), None);
    assert_eq!(
        nobody.confirm(&carried(
            &site,
            &nobody.sign_out(&of_alice(UpstreamSession::default()))
        )),
        Confirmation::Refused
    );
}

#[test]
fn in_front_of_a_real_site_a_sign_out_clears_the_cookies_of_both_layers_chunks_included() {
    let front = StandIn::new(platform(true), |platform| {
        SitefinityProvider::new(SitefinityConfig::default(), platform).unwrap()
    });
    let request = Request::new(Method::Get, "/Sitefinity/SignOut")
        .with_header("cookie", ".AspNet.CookiesC1=x; idsrvC2=y; otherC1=z");
    let response = front.send(request);
    let cleared: Vec<&str> = response
        .headers()
        .iter()
        .filter(|(name, _)| *name == "set-cookie")
        .filter_map(|(_, value)| value.split('=').next())
        .collect();
    assert_eq!(
        cleared,
        [
            ".AspNet.Cookies",
            "SF-TokenId",
            "idsrv",
            ".AspNet.CookiesC1",
            "idsrvC2"
        ]
    );
    // Nobody carries deliveries here, so a stranger's sign-out must not be taken for one that was
    // done.
    let stranger = Request::new(Method::Get, "/Sitefinity/SignOut")
        .with_header("cookie", ".AspNet.Cookies=unseen");
    assert_eq!(front.send(stranger).status(), 503);
}
