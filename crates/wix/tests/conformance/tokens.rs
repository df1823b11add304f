//! Tokens, codes, the probes, and a store that does not answer.

use std::time::Duration;

use logout_core::message::{Method, Request};
use serde_json::json;

use crate::support::*;

#[test]
fn the_token_endpoint_takes_json_and_forms_in_either_spelling_on_both_paths() {
    let shop = Shop::new();
    for path in ["/oauth2/token", "/_api/oauth2/token"] {
        for body in [
            json!({ "clientId": APP, "grantType": "anonymous" }),
            json!({ "client_id": APP, "grant_type": "anonymous" }),
        ] {
            let answer = shop.send(post(path, &body));
            assert_eq!(
                (answer.status(), &told(&answer)["expires_in"]),
                (200, &json!(14400))
            );
            assert!(
                text(&told(&answer)["access_token"]).starts_with("OauthNG.JWS.")
                    && told(&answer)["token_type"] == json!("Bearer")
            );
        }
        let form = Request::new(Method::Post, path)
            .with_header("content-type", "application/x-www-form-urlencoded")
            .with_body(format!("client_id={APP}&grant_type=anonymous"));
        assert_eq!(shop.send(form).status(), 200);
    }
}

#[test]
fn the_token_endpoint_refuses_as_rfc_6749_words_it() {
    let shop = Shop::new();
    for (body, code) in [
        (json!({}), "invalid_request"),
        (json!([]), "invalid_request"),
        (json!({ "grantType": 1 }), "invalid_request"),
        (
            json!({ "clientId": UNKNOWN_APP, "grantType": "anonymous" }),
            "invalid_client",
        ),
        (
            json!({ "clientId": "x", "grantType": "anonymous" }),
            "invalid_client",
        ),
        (json!({ "grantType": "anonymous" }), "invalid_client"),
        (
            json!({ "clientId": APP, "grantType": "client_credentials" }),
            "unsupported_grant_type",
        ),
        (
            json!({ "clientId": APP, "grantType": "refresh_token" }),
            "invalid_request",
        ),
        (
            json!({ "clientId": APP, "grantType": "refresh_token", "refreshToken": "x" }),
            "invalid_grant",
        ),
        (
            json!({ "clientId": APP, "grantType": "authorization_code", "code": "x" }),
            "invalid_request",
        ),
        (
            json!({ "clientId": APP, "grantType": "authorization_code", "code": "x", "codeVerifier": "y" }),
            "invalid_grant",
        ),
    ] {
        assert_eq!(
            error(&shop.send(post("/oauth2/token", &body))),
            (400, code.to_owned()),
            "{body}"
        );
    }
    assert_eq!(
        error(&shop.send(refresh(OTHER_APP, &shop.member("alice").refresh))),
        (400, "invalid_grant".into())
    );
}

#[test]
fn a_code_works_once_for_its_client_its_address_and_its_verifier() {
    let shop = Shop::new();
    let token = shop.session_token(APP, "alice");
    let fresh = || code_in(&shop.send(authorize(APP, &[("sessionToken", &token)])));
    let with = |code: &str, client: &str, address: &str, verifier: &str| {
        let body = json!({ "clientId": client, "grantType": "authorization_code", "redirectUri": address, "code": code, "codeVerifier": verifier });
        shop.send(post("/oauth2/token", &body)).status()
    };
    assert_eq!(with(&fresh(), OTHER_APP, CALLBACK, VERIFIER), 400);
    assert_eq!(with(&fresh(), APP, GOODBYE, VERIFIER), 400);
    assert_eq!(with(&fresh(), APP, CALLBACK, "another verifier"), 400);
    let code = fresh();
    assert_eq!(with(&code, APP, CALLBACK, VERIFIER), 200);
    assert_eq!(with(&code, APP, CALLBACK, VERIFIER), 400);
    // Used twice, it has ended its session; wrong attempts before did not.
    let another = shop.session_token(APP, "alice");
    let late = code_in(&shop.send(authorize(APP, &[("sessionToken", &another)])));
    shop.0.clock().advance(Duration::from_secs(10 * 60));
    assert_eq!(with(&late, APP, CALLBACK, VERIFIER), 400);
}

#[test]
fn of_many_exchanges_of_one_code_at_most_one_succeeds() {
    let shop = Shop::new();
    let code = code_in(&shop.send(authorize(
        APP,
        &[("sessionToken", &shop.session_token(APP, "alice"))],
    )));
    let granted = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..16)
            .map(|_| scope.spawn(|| shop.send(exchange(APP, &code)).status()))
            .collect();
        threads
            .into_iter()
            .filter_map(|thread| thread.join().ok())
            .filter(|status| *status == 200)
            .count()
    });
    // The one that was first may find its session ended by the second.
    assert!(granted <= 1, "{granted}");
}

#[test]
fn a_code_and_a_session_token_die_with_the_session() {
    let shop = Shop::new();
    let alice = shop.member("alice");
    let code = code_in(&shop.send(authorize(APP, &[("sessionToken", &alice.session_token)])));
    shop.send(with_token(get(LOGOUT), &alice.access));
    assert_eq!(
        error(&shop.send(exchange(APP, &code))),
        (400, "invalid_grant".into())
    );
    shop.assert_dead(&alice);
}

#[test]
fn the_probe_knows_members_from_visitors_and_from_nobody() {
    let shop = Shop::new();
    let (alice, visitor) = (shop.member("alice"), shop.visitor());
    let probe = || get("/members/v1/members/my");
    let known = told(&shop.send(with_token(probe(), &alice.access)));
    assert_eq!(
        (
            &known["member"]["loginEmail"],
            &known["member"]["profile"]["nickname"]
        ),
        (&json!("alice@example.com"), &json!("Alice Example"))
    );
    assert_eq!(error(&shop.send(probe())), (401, "UNAUTHENTICATED".into()));
    assert_eq!(
        error(&shop.send(with_token(probe(), &visitor.access))),
        (403, "PERMISSION_DENIED".into())
    );
    let info = told(&shop.send(post(
        "/oauth2/token-info",
        &json!({ "token": visitor.access }),
    )));
    assert_eq!(
        (&info["active"], &info["subjectType"], &info["clientId"]),
        (&json!(true), &json!("VISITOR"), &json!(APP))
    );
    let member = told(&shop.send(post(
        "/oauth2/token-info",
        &json!({ "token": alice.access }),
    )));
    assert_eq!(
        (&member["subjectType"], &member["subjectId"]),
        (&json!("MEMBER"), &known["member"]["id"])
    );
}

#[test]
fn access_lives_four_hours_and_refresh_fourteen_days() {
    let shop = Shop::new();
    let alice = shop.member("alice");
    shop.0.clock().advance(Duration::from_secs(4 * 3600));
    assert_eq!(
        shop.send(with_token(get("/members/v1/members/my"), &alice.access))
            .status(),
        401
    );
    let fresh = told(&shop.send(refresh(APP, &alice.refresh)));
    assert_eq!(fresh["refresh_token"], json!(alice.refresh));
    shop.0.clock().advance(Duration::from_secs(13 * 24 * 3600));
    assert_eq!(shop.send(refresh(APP, &alice.refresh)).status(), 200);
    shop.0.clock().advance(Duration::from_secs(20 * 3600));
    assert_eq!(
        error(&shop.send(refresh(APP, &alice.refresh))),
        (400, "invalid_grant".into())
    );
}

#[test]
fn after_a_lost_session_the_client_can_become_a_visitor() {
    let shop = Shop::new();
    let alice = shop.member("alice");
    shop.send(with_token(get(LOGOUT), &alice.access));
    assert_eq!(shop.send(refresh(APP, &alice.refresh)).status(), 400);
    assert!(shop.visitor_lives(&shop.visitor()));
}

#[test]
fn one_session_cannot_fill_the_store_with_tokens() {
    let shop = Shop::new();
    let visitor = shop.visitor();
    let refused = (0..300)
        .map(|_| shop.send(refresh(APP, &visitor.refresh)).status())
        .find(|status| *status != 200);
    assert_eq!(refused, Some(429));
    shop.0.clock().advance(Duration::from_secs(4 * 3600));
    assert_eq!(shop.send(refresh(APP, &visitor.refresh)).status(), 200);
}

#[test]
fn when_the_store_does_not_answer_nothing_succeeds_and_nothing_is_cleared() {
    let shop = Shop::new();
    let alice = shop.member("alice");
    let token = shop.session_token(APP, "alice");
    shop.0.store().set_broken(true);
    let requests = [
        with_token(get(LOGOUT), &alice.access),
        with_token(get(LOGOUT), &alice.access).with_header("x-wix-bi-gateway", SDK),
        get(LOGOUT).with_header("cookie", format!("smSession={}", alice.cookie)),
        redirect_to_logout(REDIRECT_SESSION_PATHS[0], &alice.access, None),
        refresh(APP, &alice.refresh),
        post(
            "/oauth2/token",
            &json!({ "clientId": APP, "grantType": "anonymous" }),
        ),
        exchange(APP, "code"),
        login(&alice.access, "alice@example.com", "alice-password"),
        authorize(APP, &[("sessionToken", &token)]),
        with_token(get("/members/v1/members/my"), &alice.access),
        post("/oauth2/token-info", &json!({ "token": alice.access })),
    ];
    for request in requests {
        let answer = shop.send(request.clone());
        assert_eq!(
            (answer.status(), told(&answer)),
            (503, json!({ "message": "", "details": {} })),
            "{request:?}"
        );
        assert_eq!(headers(&answer, "set-cookie").len(), 0);
    }
    shop.0.store().set_broken(false);
    shop.assert_alive(&alice);
}
