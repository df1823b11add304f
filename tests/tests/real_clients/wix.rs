//! Wix: `@wix/identity` and `@wix/sdk`, which accept nothing but what the vendor's own servers
//! answer.

use logout_tests::hub::{Accounts, TestHub};
use logout_tests::node;
use logout_tests::skip::{Need, Run};
use logout_tests::tls::Certificate;
use serde_json::{Value, json};

use crate::logins::{self, WIX_APP, text};

mod oauth2;

pub(crate) fn add(run: &mut Run) {
    let mut test = |name, body| run.test(name, &[Need::Node], body);
    test(
        "wix::authentication_logout_gets_status_location_and_cookies_in_an_envelope",
        logout,
    );
    test(
        "wix::authentication_logout_without_a_redirect_gets_a_page",
        logout_without_redirect,
    );
    test(
        "wix::authentication_logout_works_over_tls_with_nothing_rewritten",
        logout_over_tls,
    );
    test(
        "wix::authentication_logout_works_below_a_prefix",
        logout_below_a_prefix,
    );
    test(
        "wix::authentication_logout_takes_empty_strings_for_absent",
        empty_strings,
    );
    test(
        "wix::authentication_logout_carries_an_odd_address_over",
        odd_address,
    );
    test("wix::authentication_logout_again_succeeds_again", twice);
    test(
        "wix::a_client_id_that_is_no_guid_is_told_by_its_option_and_ends_nothing",
        malformed_client,
    );
    test(
        "wix::a_client_of_nobody_or_of_another_app_ends_nothing",
        foreign_client,
    );
    test(
        "wix::a_redirect_that_is_not_allowed_is_refused_and_ends_nothing",
        refused_redirects,
    );
    test(
        "wix::oauth_strategy_logout_ends_the_session_at_the_end_of_the_browser_chain",
        oauth_logout,
    );
    test(
        "wix::oauth_strategy_logout_of_a_dead_session_rejects_and_keeps_the_tokens",
        oauth_dead_session,
    );
    test(
        "wix::oauth_strategy_becomes_a_visitor_when_its_refresh_token_is_revoked",
        oauth_visitor,
    );
    test(
        "wix::redirect_sessions_are_made_at_the_path_of_each_host",
        redirect_session_paths,
    );
    test(
        "wix::oauth_token_reads_its_answer_out_of_a_raw_response",
        oauth2::tokens,
    );
    test(
        "wix::oauth_token_reads_a_refusal_out_of_a_raw_response",
        oauth2::refusals,
    );
    test(
        "wix::a_method_that_there_is_not_is_told_by_code_and_request_id",
        oauth2::unknown_method,
    );
    test(
        "wix::oauth_jwks_token_info_and_user_info_are_read_by_the_sdk",
        oauth2::about,
    );
}

const GOODBYE: &str = "https://mysite.com/goodbye";
/// An app of the same site that the member has no session with.
const OTHER_APP: &str = "aaaaaaaa-0000-4000-8000-000000000001";
const COOKIES: [&str; 7] = [
    "smSession",
    "svSession",
    "hs",
    "XSRF-TOKEN",
    "bSession",
    "server-session-bind",
    "client-session-bind",
];

fn left_alive() -> Value {
    json!({ "member": 200, "refresh": 200, "refreshError": null })
}

fn left_dead() -> Value {
    json!({ "member": 401, "refresh": 400, "refreshError": "invalid_grant" })
}

/// What a script is told besides what it is to do.
fn input(hub: &TestHub, prefix: &str, more: &Value) -> Value {
    let mut input = json!({
        "base": format!("{}{prefix}", hub.base()),
        "apiBaseUrl": format!("localhost:{}{prefix}", hub.address().port()),
        "clientId": WIX_APP,
        "email": "alice@example.com",
        "password": Accounts::ALICE,
    });
    input
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    input
}

/// Calls `authentication.logout` with each of these options in turn, and returns what came of each.
/// Another session of the member must be alive whatever happened.
fn identity(hub: &TestHub, options: &Value) -> Vec<Value> {
    let seen = node::run(
        "wix-identity",
        &input(hub, "", &json!({ "rewrites": true, "options": options })),
        None,
    );
    assert_eq!(seen["other"], left_alive(), "{seen}");
    seen["outcomes"].as_array().unwrap().clone()
}

fn headers<'a>(outcome: &'a Value, key: &str) -> Vec<&'a str> {
    let all = outcome["answer"]["headers"]
        .as_array()
        .unwrap_or_else(|| panic!("no headers: {outcome}"));
    all.iter()
        .filter(|header| header["key"] == key)
        .map(|header| header["value"].as_str().unwrap())
        .collect()
}

fn code(outcome: &Value) -> &Value {
    &outcome["fault"]["details"]["applicationError"]["code"]
}

fn logout() {
    let hub = logins::wix_hub();
    let options = json!([{ "postLogoutRedirectUri": GOODBYE, "clientId": WIX_APP }]);
    let seen = node::run(
        "wix-identity",
        &input(&hub, "", &json!({ "rewrites": true, "options": options })),
        None,
    );
    let outcome = &seen["outcomes"][0];
    assert_eq!(
        (
            &outcome["answer"]["statusCode"],
            &outcome["answer"]["isBytes"]
        ),
        (&json!(302), &json!(true)),
        "{seen}"
    );
    assert_eq!(headers(outcome, "Location"), [GOODBYE]);
    let cookies = headers(outcome, "Set-Cookie");
    let names: Vec<_> = cookies
        .iter()
        .map(|cookie| cookie.split('=').next().unwrap())
        .collect();
    assert_eq!(names, COOKIES);
    assert!(
        cookies.iter().all(|cookie| cookie.contains("=; ")
            && cookie.contains("Max-Age=0")
            && cookie.contains("Path=/")),
        "{cookies:?}"
    );
    assert_eq!(
        (&outcome["left"], &seen["other"]),
        (&left_dead(), &left_alive())
    );

    // What the SDK did on the way there: the one URL that the vendor's page does not show, with 200
    // for an answer.
    let call = &seen["calls"][0];
    let about = [&call["method"], &call["path"], &call["status"]];
    assert_eq!(
        about,
        [
            &json!("GET"),
            &json!("/_api/iam/authentication/v1/logout"),
            &json!(200)
        ]
    );
    assert!(
        text(&call["gateway"])
            .contains("method-fqn=wix.iam.authentication.v1.AuthenticationService.Logout,"),
        "{call}"
    );
    assert!(
        text(&call["authorization"]).starts_with("OauthNG.JWS."),
        "{call}"
    );
}

fn logout_without_redirect() {
    let hub = logins::wix_hub();
    let outcomes = identity(&hub, &json!([{}]));
    let answer = &outcomes[0]["answer"];
    assert_eq!(
        (&answer["statusCode"], &outcomes[0]["left"]),
        (&json!(200), &left_dead()),
        "{answer}"
    );
    assert!(
        text(&answer["body"]).contains("You are signed out."),
        "{answer}"
    );
    assert!(headers(&outcomes[0], "Location").is_empty());
    assert_eq!(
        (
            headers(&outcomes[0], "Content-Type"),
            headers(&outcomes[0], "Set-Cookie").len()
        ),
        (vec!["text/html; charset=utf-8"], 7)
    );
}

fn logout_over_tls() {
    let certificate = Certificate::new();
    let tables = format!(
        "[[platform]]\nname = \"shop\"\nvendor = \"wix\"\n{}",
        logins::wix_app()
    );
    let hub = TestHub::over_tls(&certificate, &tables).unwrap();
    let wanted = json!({ "rewrites": false, "options": [{ "postLogoutRedirectUri": GOODBYE }] });
    let seen = node::run(
        "wix-identity",
        &input(&hub, "", &wanted),
        Some(&certificate.file()),
    );
    let outcome = &seen["outcomes"][0];
    assert_eq!(
        (
            &outcome["answer"]["statusCode"],
            headers(outcome, "Location")
        ),
        (&json!(302), vec![GOODBYE]),
        "{seen}"
    );
    assert!(
        headers(outcome, "Set-Cookie")
            .iter()
            .all(|cookie| cookie.contains("; Secure")),
        "{outcome}"
    );
    assert_eq!(
        (&outcome["left"], &seen["other"]),
        (&left_dead(), &left_alive())
    );
    assert_eq!(seen["calls"], json!([]), "nothing was rewritten");
}

fn logout_below_a_prefix() {
    let tables = format!(
        "[[platform]]\nname = \"shop\"\nvendor = \"wix\"\nprefix = \"/wix\"\n{}",
        logins::wix_app()
    );
    let hub = TestHub::with_platforms(&tables).unwrap();
    let seen = node::run(
        "wix-identity",
        &input(&hub, "/wix", &json!({ "rewrites": true, "options": [{}] })),
        None,
    );
    assert_eq!(
        seen["calls"][0]["path"], "/wix/_api/iam/authentication/v1/logout",
        "{seen}"
    );
    assert_eq!(
        (
            &seen["outcomes"][0]["answer"]["statusCode"],
            &seen["outcomes"][0]["left"]
        ),
        (&json!(200), &left_dead()),
        "{seen}"
    );
}

fn empty_strings() {
    let outcomes = identity(
        &logins::wix_hub(),
        &json!([{ "postLogoutRedirectUri": "", "clientId": "" }]),
    );
    assert_eq!(
        (&outcomes[0]["answer"]["statusCode"], &outcomes[0]["left"]),
        (&json!(200), &left_dead()),
        "{outcomes:?}"
    );
}

fn odd_address() {
    let outcomes = identity(
        &logins::wix_hub(),
        &json!([{ "postLogoutRedirectUri": "https://mysite.com/goodbye?a=1&b=ü x+y#frag" }]),
    );
    assert_eq!(
        headers(&outcomes[0], "Location"),
        ["https://mysite.com/goodbye?a=1&b=%C3%BC%20x+y#frag"]
    );
}

fn twice() {
    let options =
        json!([{ "postLogoutRedirectUri": GOODBYE }, { "postLogoutRedirectUri": GOODBYE }]);
    for outcome in identity(&logins::wix_hub(), &options) {
        assert_eq!(
            (
                &outcome["answer"]["statusCode"],
                headers(&outcome, "Location")
            ),
            (&json!(302), vec![GOODBYE]),
            "{outcome}"
        );
        assert_eq!(
            (headers(&outcome, "Set-Cookie").len(), &outcome["left"]),
            (7, &left_dead())
        );
    }
}

fn malformed_client() {
    for outcome in identity(
        &logins::wix_hub(),
        &json!([{ "clientId": "shop" }, { "clientId": "shop", "postLogoutRedirectUri": GOODBYE }]),
    ) {
        let fault = &outcome["fault"];
        // The SDK translates the field into the option that it was given as.
        let violation = &fault["details"]["validationError"]["fieldViolations"][0];
        assert_eq!(
            (&violation["field"], &violation["ruleName"]),
            (&json!("options.clientId"), &json!("INVALID_GUID")),
            "{outcome}"
        );
        assert!(fault["requestId"].is_string(), "{outcome}");
        assert_eq!(outcome["left"], left_alive());
    }
}

fn foreign_client() {
    let other = format!(
        "{}\n[[platform.app]]\nclient_id = \"{OTHER_APP}\"\n",
        logins::wix_app()
    );
    let hub = TestHub::start("wix", &[other]).unwrap();
    let outcomes = identity(
        &hub,
        &json!([{ "clientId": OTHER_APP }, { "clientId": "bbbbbbbb-0000-4000-8000-000000000002" }]),
    );
    let codes: Vec<_> = outcomes
        .iter()
        .map(|outcome| (code(outcome), &outcome["left"]))
        .collect();
    assert_eq!(
        codes,
        [
            (&json!("PERMISSION_DENIED"), &left_alive()),
            (&json!("NOT_FOUND"), &left_alive())
        ]
    );
}

fn refused_redirects() {
    const ELSEWHERE: [&str; 3] = [
        "https://evil.test/",
        "https://mysite.com.evil.test/",
        "https://mysite.com@evil.test/",
    ];
    const MALFORMED: [&str; 3] = ["javascript:alert(1)", "//mysite.com/goodbye", "/goodbye"];
    let options: Vec<Value> = ELSEWHERE
        .iter()
        .chain(&MALFORMED)
        .map(|address| json!({ "postLogoutRedirectUri": address }))
        .collect();
    let outcomes = identity(&logins::wix_hub(), &json!(options));
    let (elsewhere, malformed) = outcomes.split_at(ELSEWHERE.len());
    for outcome in elsewhere {
        assert_eq!(
            (code(outcome), &outcome["left"]),
            (&json!("REDIRECT_URI_NOT_ALLOWED"), &left_alive()),
            "{outcome}"
        );
    }
    for outcome in malformed {
        let violation = &outcome["fault"]["details"]["validationError"]["fieldViolations"][0];
        assert_eq!(
            (&violation["field"], &outcome["left"]),
            (&json!("options.postLogoutRedirectUri"), &left_alive()),
            "{outcome}"
        );
    }
}

fn oauth(scenario: &str) -> Value {
    let hub = logins::wix_hub();
    node::run(
        "wix-oauth",
        &input(
            &hub,
            "",
            &json!({ "scenario": scenario, "postFlowUrl": "https://mysite.com/goodbye?a=1#top" }),
        ),
        None,
    )
}

fn oauth_logout() {
    let seen = oauth("logout");
    let landing = "https://mysite.com/goodbye?a=1&wixMemberLoggedIn=false#top";
    assert_eq!(
        seen["before"],
        json!({ "status": 200, "role": "member", "loggedIn": true }),
        "{seen}"
    );
    assert_eq!(
        seen["after"],
        json!({ "role": "none", "loggedIn": false }),
        "{seen}"
    );
    let calls: Vec<_> = seen["made"]
        .as_array()
        .unwrap()
        .iter()
        .map(|call| {
            (
                text(&call["method"]),
                text(&call["path"]),
                text(&call["host"]),
            )
        })
        .collect();
    let made = (
        "POST".to_owned(),
        "/_api/redirects-api/v1/redirect-session".to_owned(),
        "www.wixapis.com".to_owned(),
    );
    assert_eq!(calls, [made]);
    assert!(
        text(&seen["logoutUrl"]).contains("/_api/iam/authentication/v1/logout?"),
        "{seen}"
    );
    // The address alone ends nothing; a browser has to follow it.
    assert_eq!(seen["between"], left_alive());
    assert_eq!(
        (&seen["first"], &seen["left"]),
        (
            &json!({ "status": 302, "location": landing, "cleared": COOKIES }),
            &left_dead()
        )
    );
    assert_eq!(
        (&seen["again"]["status"], &seen["again"]["location"]),
        (&json!(302), &json!(landing))
    );
}

fn oauth_dead_session() {
    let seen = oauth("logoutOfADeadSession");
    assert_eq!(
        seen["fault"]["details"]["applicationError"]["code"], "FAILED_TO_EXTRACT_SESSION",
        "{seen}"
    );
    assert_eq!(
        (&seen["after"], &seen["keeps"]),
        (&json!({ "role": "member", "loggedIn": true }), &json!(true))
    );
}

fn oauth_visitor() {
    let seen = oauth("revokedAndExpired");
    let calls: Vec<_> = seen["calls"]
        .as_array()
        .unwrap()
        .iter()
        .map(|call| (text(&call["path"]), call["status"].as_u64().unwrap()))
        .collect();
    let token = "/oauth2/token".to_owned();
    assert_eq!(
        calls,
        [
            (token.clone(), 400),
            (token, 200),
            ("/members/v1/members/my".to_owned(), 403)
        ],
        "{seen}"
    );
    assert_eq!(
        seen["after"],
        json!({ "role": "visitor", "loggedIn": false })
    );
}

fn redirect_session_paths() {
    let seen = oauth("redirectSessionPaths");
    let paths: Vec<_> = seen["calls"]
        .as_array()
        .unwrap()
        .iter()
        .map(|call| (text(&call["path"]), call["status"].as_u64().unwrap()))
        .collect();
    assert_eq!(
        paths,
        [
            ("/_api/redirects-api/v1/redirect-session".to_owned(), 200),
            ("/headless/v1/redirect-session".to_owned(), 200)
        ]
    );
    assert!(
        seen["made"]
            .as_array()
            .unwrap()
            .iter()
            .all(|url| text(url).contains("ticket=")),
        "{seen}"
    );
}
