//! `authentication.logout` of `@wix/identity`.

use logout_tests::hub::TestHub;
use logout_tests::node;
use logout_tests::tls::Certificate;
use serde_json::json;

use super::{COOKIES, GOODBYE, headers, identity, input, left_alive, left_dead};
use crate::logins::{self, WIX_APP, text};

pub(super) fn logout() {
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

pub(super) fn logout_without_redirect() {
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

pub(super) fn logout_over_tls() {
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

pub(super) fn logout_below_a_prefix() {
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

pub(super) fn empty_strings() {
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

pub(super) fn odd_address() {
    let outcomes = identity(
        &logins::wix_hub(),
        &json!([{ "postLogoutRedirectUri": "https://mysite.com/goodbye?a=1&b=ü x+y#frag" }]),
    );
    assert_eq!(
        headers(&outcomes[0], "Location"),
        ["https://mysite.com/goodbye?a=1&b=%C3%BC%20x+y#frag"]
    );
}

pub(super) fn twice() {
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
