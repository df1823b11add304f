//! The Logout method: what it refuses, and that nothing has ended then.

use logout_core::LogoutProvider as _;
use logout_core::message::{Method, Request};
use logout_core::platform::Platform;
use logout_wix::{WixConfig, WixProvider};
use serde_json::json;

use crate::support::*;

#[test]
fn an_empty_authorization_is_a_missing_one() {
    let (lenient, strict) = (
        Shop::new(),
        Shop::with(|config| config.require_authorization = true),
    );
    for request in [logout(&[]), logout(&[]).with_header("authorization", "")] {
        assert_eq!(lenient.send(request.clone()).status(), 200);
        assert_eq!(
            refusal(&strict.send(request)),
            (401, "UNAUTHENTICATED".into())
        );
    }
    let alice = strict.member("alice");
    assert_eq!(strict.send(by_cookie(logout(&[]), &alice)).status(), 200);
    strict.assert_dead(&alice);
}

#[test]
fn a_token_that_is_not_ours_or_has_expired_is_refused_unless_a_cookie_speaks_too() {
    let shop = Shop::new();
    let alice = shop.member("alice");
    for token in [
        "AT",
        "Bearer x",
        "OauthNG.JWS.a.b.c",
        "OauthNG.JWS.",
        "é",
        &alice.refresh,
        &alice.cookie,
        &format!("{}x", alice.access),
    ] {
        assert_eq!(
            refusal(&shop.send(with_token(logout(&[]), token))),
            (401, "UNAUTHENTICATED".into()),
            "{token}"
        );
        assert_eq!(
            shop.send(with_token(logout(&[]), token).with_header("cookie", "smSession=stale"))
                .status(),
            200,
            "{token}"
        );
    }
    shop.assert_alive(&alice);
    shop.0
        .clock()
        .advance(std::time::Duration::from_secs(4 * 3600));
    assert_eq!(
        refusal(&shop.send(with_token(logout(&[]), &alice.access))),
        (401, "UNAUTHENTICATED".into())
    );
    assert_eq!(shop.send(refresh(APP, &alice.refresh)).status(), 200);
}

#[test]
fn what_is_malformed_is_refused_before_anything_ends() {
    let shop = Shop::new();
    let alice = shop.member("alice");
    let invalid_client = (400, "clientId INVALID_GUID".to_owned());
    let no_url = (400, "postLogoutRedirectUri INVALID_URL".to_owned());
    for (request, expected) in [
        (logout(&[("clientId", "shop")]), invalid_client.clone()),
        (
            logout(&[("clientId", "{12345678-1234-1234-1234-123456789012}")]),
            invalid_client,
        ),
        (
            logout(&[("postLogoutRedirectUri", "/home")]),
            no_url.clone(),
        ),
        (
            logout(&[("postLogoutRedirectUri", "//evil.test")]),
            no_url.clone(),
        ),
        (
            logout(&[("postLogoutRedirectUri", "javascript:alert(1)")]),
            no_url.clone(),
        ),
        (
            logout(&[(
                "postLogoutRedirectUri",
                "https://allowed.example/\r\nSet-Cookie: x=1",
            )]),
            no_url.clone(),
        ),
        (
            logout(&[(
                "postLogoutRedirectUri",
                "https://allowed.example\\@evil.test",
            )]),
            no_url.clone(),
        ),
        (
            logout(&[("postLogoutRedirectUri", "ftp://allowed.example/")]),
            no_url.clone(),
        ),
        (
            logout(&[(
                "postLogoutRedirectUri",
                &format!("https://allowed.example/{}", "x".repeat(2100)),
            )]),
            no_url,
        ),
        (
            logout(&[
                ("postLogoutRedirectUri", GOODBYE),
                ("postLogoutRedirectUri", GOODBYE),
            ]),
            (400, "postLogoutRedirectUri DUPLICATED".to_owned()),
        ),
        (
            post(LOGOUT, &json!([])),
            (400, "body INVALID_JSON".to_owned()),
        ),
        (
            post(LOGOUT, &json!({ "clientId": 1 })),
            (400, "clientId INVALID_TYPE".to_owned()),
        ),
        (
            Request::new(Method::Post, LOGOUT)
                .with_header("content-type", "application/json")
                .with_body("{"),
            (400, "body INVALID_JSON".into()),
        ),
        (
            Request::new(Method::Post, LOGOUT).with_body(vec![0xff, 0xfe]),
            (400, "body INVALID_JSON".into()),
        ),
    ] {
        assert_eq!(
            refusal(&shop.send(by_cookie(
                with_token(request.clone(), &alice.access),
                &alice
            ))),
            expected,
            "{request:?}"
        );
    }
    shop.assert_alive(&alice);
}

#[test]
fn a_return_address_that_the_app_does_not_allow_is_refused_before_anything_ends() {
    let shop = Shop::new();
    let alice = shop.member("alice");
    for foreign in [
        "https://evil.test/",
        "https://allowed.example.evil.test/",
        "https://allowed.example@evil.test/",
        "https://mysite.com/elsewhere",
        "https://mysite.com/goodbye?x=1",
        "http://allowed.example/",
        "https://allowed.example:8443/",
        "https://sub.allowed.example/",
        "https://allowed.example/%2F%2Fevil.test",
        "http://shop.example/",
    ] {
        let request = with_token(
            logout(&[("postLogoutRedirectUri", foreign), ("clientId", APP)]),
            &alice.access,
        );
        let answer = shop.send(by_cookie(request, &alice).with_header("x-wix-bi-gateway", SDK));
        assert_eq!(
            refusal(&answer),
            (403, "REDIRECT_URI_NOT_ALLOWED".into()),
            "{foreign}"
        );
    }
    let nobodys = shop.send(logout(&[("postLogoutRedirectUri", GOODBYE)]));
    assert_eq!(refusal(&nobodys), (403, "REDIRECT_URI_NOT_ALLOWED".into()));
    shop.assert_alive(&alice);
}

#[test]
fn another_apps_id_is_forbidden_and_an_unknown_one_not_found() {
    let shop = Shop::new();
    let alice = shop.member("alice");
    for (id, expected) in [
        (OTHER_APP, (403, "PERMISSION_DENIED".to_owned())),
        (UNKNOWN_APP, (404, "NOT_FOUND".to_owned())),
    ] {
        assert_eq!(
            refusal(&shop.send(with_token(logout(&[("clientId", id)]), &alice.access))),
            expected
        );
        assert_eq!(
            refusal(&shop.send(by_cookie(logout(&[("clientId", id)]), &alice))),
            expected
        );
    }
    shop.assert_alive(&alice);
    assert_eq!(
        shop.send(with_token(
            logout(&[("clientId", &APP.to_uppercase())]),
            &alice.access
        ))
        .status(),
        200
    );
}

#[test]
fn an_api_key_ends_nobodys_session() {
    let (lenient, strict) = (
        Shop::new(),
        Shop::with(|config| config.require_authorization = true),
    );
    let alice = lenient.member("alice");
    for key in [
        logout(&[]).with_header("authorization", "IST.eyJ"),
        logout(&[])
            .with_header("authorization", "key")
            .with_header("wix-site-id", "s"),
    ] {
        assert_eq!(lenient.send(key.clone()).status(), 200);
        assert_eq!(
            refusal(&strict.send(key)),
            (403, "PERMISSION_DENIED".into())
        );
    }
    lenient.assert_alive(&alice);
}

#[test]
fn other_methods_are_refused_with_allow() {
    let shop = Shop::new();
    for method in [Method::Put, Method::Delete, Method::Patch, Method::Other] {
        for path in LOGOUT_PATHS {
            let answer = shop.send(Request::new(method, path));
            assert_eq!(
                (answer.status(), header(&answer, "allow")),
                (405, Some("GET, POST"))
            );
            assert_eq!(refusal(&answer).1, "METHOD_NOT_ALLOWED");
        }
    }
}

#[test]
fn a_preflight_lets_the_sdks_headers_through() {
    let platform = Platform::new("shop", "http://shop.example".parse().unwrap());
    let preflight = WixProvider::new(WixConfig::default(), &platform)
        .unwrap()
        .preflight();
    let allowed: Vec<_> = preflight.headers.split(", ").collect();
    assert_eq!(
        allowed,
        [
            "authorization",
            "content-type",
            "x-wix-bi-gateway",
            "wix-site-id",
            "wix-account-id",
            "x-wix-consistent"
        ]
    );
    assert_eq!(preflight.status, 204);
}

#[test]
fn a_cookie_alone_ends_nothing_where_a_ticket_is_demanded() {
    let shop = Shop::with(|config| config.require_ticket_for_cookie_logout = true);
    let (alice, bob) = (shop.member("alice"), shop.member("bob"));
    let denied = (403, "PERMISSION_DENIED".to_owned());
    assert_eq!(refusal(&shop.send(by_cookie(logout(&[]), &alice))), denied);
    assert_eq!(
        refusal(&shop.send(by_cookie(logout(&[("ticket", "forged")]), &alice))),
        denied
    );
    let link = |member: &Member| {
        text(
            &told(&shop.send(redirect_to_logout(
                REDIRECT_SESSION_PATHS[0],
                &member.access,
                None,
            )))["redirectSession"]["fullUrl"],
        )
    };
    let ticket = |member: &Member| parameter(&link(member), "ticket").expect("no ticket");
    assert_eq!(
        refusal(&shop.send(by_cookie(logout(&[("ticket", &ticket(&bob))]), &alice))),
        denied
    );
    shop.assert_alive(&alice);
    shop.assert_alive(&bob);
    assert_eq!(
        shop.send(by_cookie(logout(&[("ticket", &ticket(&alice))]), &alice))
            .status(),
        200
    );
    shop.assert_dead(&alice);
    assert_eq!(shop.send(by_cookie(logout(&[]), &alice)).status(), 200);
    assert_eq!(
        shop.send(by_cookie(with_token(logout(&[]), &bob.access), &bob))
            .status(),
        200
    );
    shop.assert_dead(&bob);
}

#[test]
fn whatever_is_sent_the_answer_is_no_server_error() {
    let shop = Shop::new();
    let alice = shop.member("alice");
    let deep = "[".repeat(50_000);
    let nested = format!("{}1{}", r#"{"logout":"#.repeat(500), "}".repeat(500));
    let bodies = [
        "",
        "{",
        "null",
        "\0",
        "{\"logout\":{\"clientId\":\"\\ud800\"}}",
        "a=%",
        "%%%",
        "\u{feff}{}",
        &deep,
        &nested,
    ];
    let queries = [
        "",
        "&&&",
        "%",
        "=",
        "clientId=%FF",
        "postLogoutRedirectUri=%00",
        "ticket=%0d%0a",
        "postLogoutRedirectUri=https://[::",
        "state=\r\n",
    ];
    let posts = [
        "/oauth2/token",
        "/oauth2/token-info",
        "/_api/oauth2/authorize",
        "/_api/iam/authentication/v2/login",
        REDIRECT_SESSION_PATHS[0],
    ];
    for path in posts
        .iter()
        .chain(&LOGOUT_PATHS)
        .chain(&["/members/v1/members/my"])
    {
        for (method, query) in queries
            .iter()
            .flat_map(|query| [(Method::Get, query), (Method::Post, query)])
        {
            for body in bodies {
                for media_type in [
                    "application/json",
                    "application/x-www-form-urlencoded",
                    "multipart/form-data",
                    "",
                ] {
                    let request = Request::new(method, *path)
                        .with_query(*query)
                        .with_body(body);
                    let request = request
                        .with_header("content-type", media_type)
                        .with_header("cookie", "smSession; smSession=;;=x");
                    let status = shop.send(with_token(request, &alice.access)).status();
                    assert!(
                        (200..500).contains(&status),
                        "{method:?} {path}?{query} {media_type}: {status}"
                    );
                }
            }
        }
    }
}
