//! `/logout`, which ends in a redirect.

use logout_assets::{AssetsConfig, AssetsProvider};
use logout_core::{Method, Request};

use crate::support::*;

fn with_landing_page() -> Dam {
    Dam::with(
        AssetsConfig {
            landing_page: "/client?from=logout".to_owned(),
            ..AssetsConfig::default()
        },
        platform(),
    )
}

const REDIRECTS: &[(&str, &str)] = &[
    ("logoutSuccessUrl=%2Fhome", "/home"),
    ("logoutSuccessUrl=home%3Fa%3Db", "/home?a=b"),
    (
        "logoutSuccessUrl=http%3A%2F%2Fdam.example%2Fx",
        "http://dam.example/x",
    ),
    (
        "logoutSuccessUrl=https%3A%2F%2Fwww.example.com",
        "https://www.example.com/",
    ),
    (
        "logoutSuccessUrl=https%3A%2F%2Fwww.example.com%2Fa%3Fb%23c",
        "https://www.example.com/a?b#c",
    ),
    ("", "/client?from=logout"),
    ("logoutSuccessUrl=", "/client?from=logout"),
    ("logoutSuccessUrl=%20", "/client?from=logout"),
    // Not allowed, or no address at all.
    (
        "logoutSuccessUrl=http%3A%2F%2Fwww.elvisdam.com",
        "/client?from=logout",
    ),
    ("logoutSuccessUrl=%2F%2Fevil.test", "/client?from=logout"),
    ("logoutSuccessUrl=%2F%5Cevil.test", "/client?from=logout"),
    (
        "logoutSuccessUrl=%252F%252Fevil.test",
        "/client?from=logout",
    ),
    (
        "logoutSuccessUrl=javascript%3Aalert(1)",
        "/client?from=logout",
    ),
    (
        "logoutSuccessUrl=http%3A%2F%2Fa%3Ab%40dam.example%2F",
        "/client?from=logout",
    ),
    (
        "logoutSuccessUrl=https%3A%2F%2Fwww.example.com%40evil.test",
        "/client?from=logout",
    ),
    (
        "logoutSuccessUrl=%2Fa%0D%0ASet-Cookie%3A%20x%3D1",
        "/client?from=logout",
    ),
    (
        "logoutSuccessUrl=%2Fa&logoutSuccessUrl=%2Fa",
        "/client?from=logout",
    ),
    ("logoutSuccessUrl=%FF", "/client?from=logout"),
];

#[test]
fn a_sign_out_leads_where_it_may_and_else_to_the_landing_page_and_ends_the_session_in_any_case() {
    let dam = with_landing_page();
    for (query, location) in REDIRECTS {
        for method in [Method::Get, Method::Post] {
            let alice = dam.login("alice");
            let response =
                dam.send(cookie(Request::new(method, "/logout"), &alice.secret).with_query(*query));
            assert_eq!(
                (response.status(), header(&response, "location")),
                (302, Some(*location)),
                "{query}"
            );
            assert_eq!(
                response
                    .headers()
                    .iter()
                    .filter(|(name, _)| matches!(*name, "location" | "set-cookie"))
                    .count(),
                2,
                "{query}"
            );
            assert!(
                deletes_cookie(&response, "authToken") && response.body().is_empty(),
                "{query}"
            );
            assert_eq!(header(&response, "cache-control"), Some("no-store"));
            assert!(!dam.token_lives(&alice.secret), "{query}");
        }
    }
}

#[test]
fn a_return_address_that_is_too_long_is_none() {
    let dam = with_landing_page();
    let response =
        dam.send(get("/logout").with_query(format!("logoutSuccessUrl=/{}", "a".repeat(2_048))));
    assert_eq!(header(&response, "location"), Some("/client?from=logout"));
}

#[test]
fn a_form_may_carry_the_return_address() {
    let dam = with_landing_page();
    let alice = dam.login("alice");
    let request = post("/logout")
        .with_header("content-type", "application/x-www-form-urlencoded")
        .with_body("logoutSuccessUrl=%2Fhome");
    let response = dam.send(cookie(request, &alice.secret));
    assert_eq!(
        (response.status(), header(&response, "location")),
        (302, Some("/home"))
    );
    assert!(!dam.token_lives(&alice.secret));
}

#[test]
fn a_return_address_in_query_and_form_is_one_too_many() {
    let dam = with_landing_page();
    let request = post("/logout")
        .with_query("logoutSuccessUrl=/home")
        .with_header("content-type", "application/x-www-form-urlencoded")
        .with_body("logoutSuccessUrl=/home");
    assert_eq!(
        header(&dam.send(request), "location"),
        Some("/client?from=logout")
    );
}

#[test]
fn no_csrf_token_is_asked_for_and_a_bearer_token_works_too() {
    let dam = with_landing_page();
    let (alice, api) = (dam.login("alice"), dam.api_login("alice"));
    for request in [
        bearer(get("/logout"), &alice.secret),
        bearer(post("/logout"), &api),
    ] {
        assert_eq!(dam.send(request).status(), 302);
    }
    assert!(!dam.token_lives(&alice.secret) && !dam.token_lives(&api));
}

#[test]
fn who_is_not_signed_in_is_sent_on_like_everybody_else() {
    let dam = Dam::assets();
    let alice = dam.login("alice");
    let first = dam.send(cookie(get("/logout"), &alice.secret));
    for request in [
        get("/logout"),
        cookie(get("/logout"), &alice.secret),
        cookie(post("/logout"), "x"),
        bearer(get("/logout"), "x"),
    ] {
        let response = dam.send(request);
        let names = |response: &logout_core::Response| {
            response
                .headers()
                .iter()
                .map(|(name, _)| *name)
                .collect::<Vec<_>>()
        };
        assert_eq!((response.status(), names(&response)), (302, names(&first)));
        assert_eq!(header(&response, "location"), Some("/"));
        assert!(deletes_cookie(&response, "authToken"));
    }
}

#[test]
fn the_referer_does_not_count() {
    let dam = Dam::assets();
    let response = dam.send(
        get("/logout")
            .with_header("referer", "http://dam.example/elsewhere")
            .with_header("host", "evil.test"),
    );
    assert_eq!(header(&response, "location"), Some("/"));
}

#[test]
fn a_method_that_is_not_taken_has_a_real_status_and_ends_nothing() {
    let dam = Dam::assets();
    let alice = dam.login("alice");
    for method in [Method::Head, Method::Put, Method::Delete] {
        let response = dam.send(cookie(Request::new(method, "/logout"), &alice.secret));
        assert_eq!(
            (response.status(), header(&response, "allow")),
            (405, Some("GET, POST"))
        );
    }
    assert!(dam.token_lives(&alice.secret));
}

#[test]
fn the_landing_page_is_served_and_says_who_is_signed_in() {
    let dam = with_landing_page();
    let alice = dam.login("alice");
    let text = |request| String::from_utf8(dam.send(request).body().to_vec()).unwrap();
    assert!(text(cookie(get("/client"), &alice.secret)).contains("Alice Example"));
    dam.send(cookie(get("/logout"), &alice.secret));
    assert!(text(cookie(get("/client"), &alice.secret)).contains("Nobody"));
    assert_eq!(Dam::assets().send(get("/")).status(), 404);
}

#[test]
fn below_a_prefix_the_platforms_root_is_the_landing_page() {
    let dam = Dam::with(
        AssetsConfig::default(),
        logout_core::platform::Platform::new("dam", "http://host.example/dam".parse().unwrap()),
    );
    let response = dam.send(get("/logout"));
    assert_eq!(header(&response, "location"), Some("/dam/"));
    assert!(header(&response, "set-cookie").is_some_and(|value| value.contains("Path=/dam;")));
    assert_eq!(dam.send(get("/")).status(), 200);
    assert_eq!(
        header(
            &dam.send(get("/logout").with_query("logoutSuccessUrl=home")),
            "location"
        ),
        Some("/dam/home")
    );
}

#[test]
fn a_landing_page_on_an_address_of_the_vendors_is_a_set_up_fault() {
    for landing_page in ["/logout", "/logout?again", "/services/profile", "/%6Cogout"] {
        let config = AssetsConfig {
            landing_page: landing_page.to_owned(),
            ..AssetsConfig::default()
        };
        assert_eq!(
            AssetsProvider::new(config, &platform())
                .map(|_| ())
                .unwrap_err()
                .key(),
            "landing_page",
            "{landing_page}"
        );
    }
}
