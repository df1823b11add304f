//! Wix: `@wix/identity` and `@wix/sdk`, which accept nothing but what the vendor's own servers
//! answer.

mod authentication_logout;
mod oauth2;
mod oauth_strategy;

use logout_tests::hub::{Accounts, TestHub};
use logout_tests::node;
use logout_tests::skip::{Need, Run};
use serde_json::{Value, json};

use crate::logins::{self, WIX_APP};

pub(crate) fn add(run: &mut Run) {
    let mut test = |name, body| run.test(name, &[Need::Node], body);
    test(
        "wix::authentication_logout_gets_status_location_and_cookies_in_an_envelope",
        authentication_logout::logout,
    );
    test(
        "wix::authentication_logout_without_a_redirect_gets_a_page",
        authentication_logout::logout_without_redirect,
    );
    test(
        "wix::authentication_logout_works_over_tls_with_nothing_rewritten",
        authentication_logout::logout_over_tls,
    );
    test(
        "wix::authentication_logout_works_below_a_prefix",
        authentication_logout::logout_below_a_prefix,
    );
    test(
        "wix::authentication_logout_takes_empty_strings_for_absent",
        authentication_logout::empty_strings,
    );
    test(
        "wix::authentication_logout_carries_an_odd_address_over",
        authentication_logout::odd_address,
    );
    test(
        "wix::authentication_logout_again_succeeds_again",
        authentication_logout::twice,
    );
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
        oauth_strategy::oauth_logout,
    );
    test(
        "wix::oauth_strategy_logout_of_a_dead_session_rejects_and_keeps_the_tokens",
        oauth_strategy::oauth_dead_session,
    );
    test(
        "wix::oauth_strategy_becomes_a_visitor_when_its_refresh_token_is_revoked",
        oauth_strategy::oauth_visitor,
    );
    test(
        "wix::redirect_sessions_are_made_at_the_path_of_each_host",
        oauth_strategy::redirect_session_paths,
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
