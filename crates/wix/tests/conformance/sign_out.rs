//! The Logout method: what it does and how it answers.

use logout_core::message::{Method, Request};
use logout_wix::ResponseForm;
use serde_json::json;

use crate::support::*;

#[test]
fn the_sdk_gets_an_envelope_with_the_location_and_every_cookie() {
    let shop = Shop::new();
    let alice = shop.member("alice");
    let request = with_token(
        logout(&[("postLogoutRedirectUri", GOODBYE), ("clientId", APP)]),
        &alice.access,
    );
    let answer = shop.send(
        request
            .with_header("x-wix-bi-gateway", SDK)
            .with_header("accept", "*/*"),
    );
    let (status, inner, body) = opened(&answer);
    assert_eq!((status, body.len()), (302, 0));
    let of = |name: &str| {
        inner
            .iter()
            .filter(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
            .collect::<Vec<_>>()
    };
    assert_eq!(of("Location"), [GOODBYE]);
    assert_eq!(removed(of("Set-Cookie")), COOKIES);
    assert_eq!(headers(&answer, "set-cookie").len(), 0);
    assert!(header(&answer, "logout-receipt").is_some());
    shop.assert_dead(&alice);
}

#[test]
fn without_a_return_address_there_is_a_page_in_either_form() {
    let shop = Shop::new();
    let answer = shop.send(
        with_token(logout(&[]), &shop.member("alice").access).with_header("x-wix-bi-gateway", SDK),
    );
    let (status, inner, body) = opened(&answer);
    assert_eq!(status, 200);
    assert!(inner.contains(&("Content-Type".into(), "text/html; charset=utf-8".into())));
    assert!(String::from_utf8_lossy(&body).contains("signed out"));

    let alice = shop.member("alice");
    let answer =
        shop.send(by_cookie(logout(&[]), &alice).with_header("accept", "text/html,*/*;q=0.8"));
    assert_eq!(
        (answer.status(), header(&answer, "content-type")),
        (200, Some("text/html; charset=utf-8"))
    );
    assert_eq!(removed(headers(&answer, "set-cookie")), COOKIES);
    assert_eq!(
        (header(&answer, "cache-control"), header(&answer, "vary")),
        (Some("no-store"), Some("Accept, x-wix-bi-gateway"))
    );
    assert!(header(&answer, "x-wix-request-id").is_some());
    shop.assert_dead(&alice);
}

#[test]
fn a_browser_gets_a_real_redirect_and_real_cookies() {
    let shop = Shop::new();
    let alice = shop.member("alice");
    let request = by_cookie(
        logout(&[("postLogoutRedirectUri", GOODBYE), ("clientId", APP)]),
        &alice,
    );
    let answer = shop.send(request.with_header("accept", "text/html,application/xhtml+xml"));
    assert_eq!((answer.status(), location(&answer)), (302, Some(GOODBYE)));
    assert_eq!(removed(headers(&answer, "set-cookie")), COOKIES);
    assert_eq!(header(&answer, "cache-control"), Some("no-store"));
    shop.assert_dead(&alice);
}

#[test]
fn all_five_paths_sign_out_by_get_and_by_post() {
    let shop = Shop::new();
    for path in LOGOUT_PATHS {
        for method in [Method::Get, Method::Post] {
            let alice = shop.member("alice");
            let request = Request::new(method, path)
                .with_query(encoded([("postLogoutRedirectUri", GOODBYE)].iter()));
            let answer = shop.send(with_token(request, &alice.access));
            assert_eq!(
                (answer.status(), location(&answer)),
                (302, Some(GOODBYE)),
                "{path} {method:?}"
            );
            shop.assert_dead(&alice);
        }
    }
}

#[test]
fn the_documented_commands_work_as_they_are_printed() {
    let shop = Shop::new();
    let body = json!({ "postLogoutRedirectUri": "https://mysite.com/goodbye", "clientId": "12345678-1234-1234-1234-123456789012" });
    let answer =
        shop.send(post("/authentication/v1/logout", &body).with_header("authorization", ""));
    assert_eq!((answer.status(), location(&answer)), (302, Some(GOODBYE)));
    let answer = shop.send(get("/authentication/v1/logout").with_header("authorization", ""));
    assert_eq!((answer.status(), location(&answer)), (200, None));
    let alice = shop.member("alice");
    shop.send(with_token(
        post("/authentication/v1/logout", &body),
        &alice.access,
    ));
    shop.assert_dead(&alice);
}

#[test]
fn a_return_address_survives_the_round_trip() {
    let shop = Shop::new();
    for (sent, location_sent) in [
        (
            "https%3A%2F%2Fallowed.example%2Fgoodbye%3Fa%3D1%26b%3D%C3%BC+x%23frag",
            "https://allowed.example/goodbye?a=1&b=%C3%BC%20x#frag",
        ),
        (
            "https://allowed.example/a%20b",
            "https://allowed.example/a%20b",
        ),
        ("https%3A%2F%2Fallowed.example", "https://allowed.example/"),
        ("http://localhost:4321/", "http://localhost:4321/"),
    ] {
        let answer = shop.send(get(&format!(
            "{LOGOUT}?clientId={APP}&postLogoutRedirectUri={sent}"
        )));
        assert_eq!(location(&answer), Some(location_sent), "{sent}");
    }
}

#[test]
fn empty_parameters_and_an_empty_body_are_none() {
    let shop = Shop::new();
    for request in [
        get(&format!("{LOGOUT}?postLogoutRedirectUri=&clientId=")),
        Request::new(Method::Post, LOGOUT).with_header("content-type", "application/json"),
        post(
            LOGOUT,
            &json!({ "postLogoutRedirectUri": "", "clientId": null }),
        ),
        post(LOGOUT, &json!({})),
    ] {
        let alice = shop.member("alice");
        let answer = shop.send(with_token(request, &alice.access));
        assert_eq!((answer.status(), location(&answer)), (200, None));
        shop.assert_dead(&alice);
    }
}

#[test]
fn a_token_counts_bare_behind_bearer_and_before_an_api_key() {
    let shop = Shop::new();
    for spelling in ["{}", "Bearer {}", "bearer {}", "{},IST.key"] {
        let alice = shop.member("alice");
        assert_eq!(
            shop.send(
                logout(&[]).with_header("authorization", spelling.replace("{}", &alice.access))
            )
            .status(),
            200
        );
        shop.assert_dead(&alice);
    }
}

#[test]
fn one_session_ends_and_the_members_other_one_goes_on() {
    let shop = Shop::new();
    let (phone, laptop, bob) = (
        shop.member("alice"),
        shop.member("alice"),
        shop.member("bob"),
    );
    shop.send(with_token(logout(&[("clientId", APP)]), &phone.access));
    shop.assert_dead(&phone);
    shop.assert_alive(&laptop);
    shop.assert_alive(&bob);
    assert_eq!(
        error(&shop.send(refresh(APP, &phone.refresh))),
        (400, "invalid_grant".into())
    );
}

#[test]
fn every_access_token_of_the_session_dies_with_it() {
    let shop = Shop::new();
    let alice = shop.member("alice");
    let later = Member {
        access: text(&told(&shop.send(refresh(APP, &alice.refresh)))["access_token"]),
        ..alice.clone()
    };
    assert_ne!(alice.access, later.access);
    shop.send(with_token(logout(&[]), &later.access));
    shop.assert_dead(&alice);
    shop.assert_dead(&later);
}

#[test]
fn signing_out_again_is_answered_like_the_first_time() {
    for strict in [false, true] {
        let shop = Shop::with(|config| config.require_authorization = strict);
        let alice = shop.member("alice");
        for _ in 0..3 {
            let answer = shop.send(with_token(
                logout(&[("postLogoutRedirectUri", GOODBYE)]),
                &alice.access,
            ));
            assert_eq!((answer.status(), location(&answer)), (302, Some(GOODBYE)));
            assert_eq!(removed(headers(&answer, "set-cookie")), COOKIES);
        }
    }
}

#[test]
fn a_visitor_signs_out_like_a_member() {
    let shop = Shop::new();
    let (visitor, other) = (shop.visitor(), shop.visitor());
    assert_eq!(
        shop.send(with_token(logout(&[]), &visitor.access)).status(),
        200
    );
    assert!(!shop.visitor_lives(&visitor) && shop.visitor_lives(&other));
}

#[test]
fn the_header_wins_and_a_cookie_of_the_same_member_goes_along() {
    let shop = Shop::new();
    let (phone, laptop, bob) = (
        shop.member("alice"),
        shop.member_of(OTHER_APP, "alice"),
        shop.member("bob"),
    );
    let answer = shop.send(by_cookie(
        with_token(logout(&[("clientId", APP)]), &phone.access),
        &laptop,
    ));
    assert_eq!(answer.status(), 200);
    shop.assert_dead(&phone);
    assert_eq!(
        shop.send(by_cookie(get("/members/v1/members/my"), &laptop))
            .status(),
        401
    );

    let phone = shop.member("alice");
    let answer = shop.send(by_cookie(with_token(logout(&[]), &phone.access), &bob));
    assert_eq!(removed(headers(&answer, "set-cookie")), COOKIES);
    shop.assert_dead(&phone);
    shop.assert_alive(&bob);
}

#[test]
fn a_cookie_goes_with_the_attributes_it_came_with() {
    let shop = Shop::at("http://shop.example/wix", |_| {});
    for secure in [false, true] {
        let token = shop.session_token(APP, "alice");
        let set = shop.send(authorize(APP, &[("sessionToken", &token)]).with_secure(secure));
        let attributes = |value: &str| {
            value
                .split("; ")
                .skip(1)
                .filter(|part| !part.starts_with("Max-Age") && !part.starts_with("Expires"))
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        let set = attributes(headers(&set, "set-cookie")[0]);
        assert_eq!(
            (
                set.contains(&"Secure".to_owned()),
                set.contains(&"Path=/wix".to_owned())
            ),
            (secure, true)
        );
        let cleared = shop.send(logout(&[]).with_secure(secure));
        for value in headers(&cleared, "set-cookie")
            .iter()
            .filter(|value| !value.starts_with("XSRF-TOKEN"))
        {
            assert_eq!(attributes(value), set, "{value}");
        }
        assert!(
            !headers(&cleared, "set-cookie")
                .iter()
                .any(|value| value.starts_with("XSRF-TOKEN") && value.contains("HttpOnly"))
        );
    }
}

#[test]
fn an_envelope_clears_cookies_on_the_outside_only_where_there_are_any() {
    let shop = Shop::with(|config| config.response = ResponseForm::Envelope);
    let alice = shop.member("alice");
    let answer = shop.send(by_cookie(logout(&[]), &alice));
    assert_eq!(removed(headers(&answer, "set-cookie")), COOKIES);
    assert_eq!(opened(&answer).0, 200);
    assert_eq!(headers(&shop.send(logout(&[])), "set-cookie").len(), 0);
}

#[test]
fn the_configured_form_wins_over_what_the_request_asks_for() {
    let shop = Shop::with(|config| config.response = ResponseForm::Raw);
    let answer = shop.send(
        logout(&[("postLogoutRedirectUri", GOODBYE), ("clientId", APP)])
            .with_header("x-wix-bi-gateway", SDK),
    );
    assert_eq!((answer.status(), location(&answer)), (302, Some(GOODBYE)));
}

#[test]
fn of_many_at_once_every_one_succeeds_and_one_ends_the_session() {
    let shop = Shop::new();
    let alice = shop.member("alice");
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let one = |at: usize| {
            let request = if at.is_multiple_of(2) {
                with_token(logout(&[]), &alice.access)
            } else {
                by_cookie(logout(&[]), &alice)
            };
            let shop = &shop;
            scope.spawn(move || shop.send(request).status())
        };
        let threads: Vec<_> = (0..32).map(one).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert_eq!(statuses, [200; 32]);
    shop.assert_dead(&alice);
    assert_eq!(shop.receipts(), 1);
}

#[test]
fn a_refresh_that_races_a_sign_out_leaves_nothing_alive() {
    let shop = Shop::new();
    for _ in 0..50 {
        let alice = shop.member("alice");
        let fresh = std::thread::scope(|scope| {
            let refreshing = scope.spawn(|| shop.send(refresh(APP, &alice.refresh)));
            shop.send(with_token(logout(&[]), &alice.access));
            refreshing.join().unwrap()
        });
        if fresh.status() == 200 {
            shop.assert_dead(&Member {
                access: text(&told(&fresh)["access_token"]),
                ..alice.clone()
            });
        }
        shop.assert_dead(&alice);
    }
}
