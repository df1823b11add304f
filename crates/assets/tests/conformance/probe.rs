//! The stand-in's probes, and how sessions run out by themselves.

use std::time::Duration;

use logout_assets::{AssetsConfig, Profile};
use logout_core::LogoutProvider as _;
use serde_json::json;

use crate::support::*;

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn the_profile_has_the_documented_members() {
    let dam = Dam::assets();
    let token = dam.api_login("admin");
    let body = json_of(&dam.send(bearer(get("/services/profile"), &token)));
    assert_eq!(
        body,
        json!({
            "username": "admin", "fullName": "Admin Example", "email": "admin@example.com", "userZone": "/Users/admin",
            "groups": ["editors"], "authorities": ["ROLE_USER", "ROLE_ADMIN"],
        })
    );
}

#[test]
fn a_search_finds_nothing_but_is_allowed() {
    let dam = Dam::assets();
    let body = json_of(&dam.send(bearer(
        get("/services/search").with_query("q=x"),
        &dam.api_login("alice"),
    )));
    assert_eq!(
        body,
        json!({ "firstResult": 0, "maxResultHits": 50, "totalHits": 0, "hits": [], "facets": {} })
    );
}

#[test]
fn a_probe_by_post_needs_the_csrf_token_where_one_is_due() {
    for (dam, status) in [(Dam::assets(), 200), (Dam::with_statuses(), 403)] {
        let (alice, bob, api) = (dam.login("alice"), dam.login("bob"), dam.api_login("alice"));
        for path in ["/services/profile", "/services/search"] {
            assert_error(&dam.send(cookie(post(path), &alice.secret)), status, 403);
            assert_error(
                &dam.send(csrf(cookie(post(path), &alice.secret), &bob.csrf)),
                status,
                403,
            );
            for request in [
                csrf(cookie(post(path), &alice.secret), &alice.csrf),
                bearer(post(path), &api),
                cookie(post(path), &api),
            ] {
                assert!(json_of(&dam.send(request)).get("errorcode").is_none());
            }
        }
    }
}

#[test]
fn a_probe_without_a_session_is_not_logged_in() {
    for (dam, status) in [(Dam::assets(), 200), (Dam::with_statuses(), 401)] {
        for path in ["/services/profile", "/services/search", "/services/ping"] {
            for request in [
                get(path),
                bearer(get(path), "x"),
                cookie(get(path), "e30.e30.e30"),
            ] {
                assert_error(&dam.send(request), status, 401);
            }
        }
    }
}

#[test]
fn each_product_has_its_own_way_to_keep_a_session_alive() {
    let assets = Dam::assets();
    assert_eq!(
        json_of(&assets.send(bearer(
            get("/services/ping").with_query("uid=1"),
            &assets.api_login("alice")
        ))),
        json!({})
    );
    assert_eq!(assets.send(get("/alive.txt")).status(), 404);
    for profile in [Profile::Elvis4, Profile::Elvis5, Profile::Elvis6] {
        let elvis = Dam::of(profile);
        for request in [
            get("/alive.txt"),
            post("/alive.txt"),
            cookie(post("/alive.txt"), "x"),
        ] {
            let response = elvis.send(request);
            assert_eq!(
                (response.status(), header(&response, "content-type")),
                (200, Some("text/plain;charset=utf-8"))
            );
        }
        assert_eq!(elvis.send(get("/services/ping")).status(), 404);
    }
}

#[test]
fn a_session_that_lies_unused_for_half_an_hour_is_over() {
    let dam = Dam::assets();
    let alice = dam.login("alice");
    dam.clock().advance(30 * MINUTE);
    let response = dam.send(csrf(
        cookie(post("/services/logout"), &alice.secret),
        &alice.csrf,
    ));
    assert_error(&response, 200, 401);
    assert!(deletes_cookie(&response, "authToken") && !dam.token_lives(&alice.secret));
}

#[test]
fn use_keeps_a_session_alive_but_not_beyond_the_life_of_its_token() {
    let elvis = Dam::of(Profile::Elvis6);
    for (dam, path) in [
        (&Dam::assets(), "/services/ping"),
        (&elvis, "/alive.txt"),
        (&elvis, "/services/profile"),
    ] {
        let alice = dam.login("alice");
        for _ in 0..2 {
            dam.clock().advance(29 * MINUTE);
            assert_eq!(dam.send(cookie(get(path), &alice.secret)).status(), 200);
        }
        let signed_in = |dam: &Dam| {
            json_of(&dam.send(cookie(get("/services/search"), &alice.secret)))
                .get("errorcode")
                .is_none()
        };
        assert!(signed_in(dam), "{path}");
        dam.clock().advance(2 * MINUTE);
        assert!(!signed_in(dam), "{path}");
    }
}

#[test]
fn the_life_of_a_token_is_configurable() {
    let dam = Dam::with(
        AssetsConfig {
            token_lifetime: 120,
            ..AssetsConfig::default()
        },
        platform(),
    );
    let token = dam.api_login("alice");
    dam.clock().advance(Duration::from_secs(119));
    assert!(dam.token_lives(&token));
    dam.clock().advance(Duration::from_secs(1));
    assert!(!dam.token_lives(&token));
    assert_error(
        &dam.send(bearer(post("/services/logout"), &token)),
        200,
        401,
    );
}

#[test]
fn a_token_of_another_platform_is_nobodys() {
    let here = Dam::assets();
    let there = Dam::assets();
    let token = there.api_login("alice");
    assert_error(
        &here.send(bearer(post("/services/logout"), &token)),
        200,
        401,
    );
    assert!(there.token_lives(&token));
}

#[test]
fn a_preflight_names_the_headers_that_the_vendors_clients_send() {
    let provider =
        logout_assets::AssetsProvider::new(AssetsConfig::default(), &platform()).unwrap();
    let headers: Vec<_> = provider.preflight().headers.split(", ").collect();
    assert!(
        ["x-csrf-token", "authorization", "content-type"]
            .iter()
            .all(|name| headers.contains(name))
    );
}
