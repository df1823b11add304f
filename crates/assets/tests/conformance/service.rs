//! `POST /services/logout`, as Elvis 6 and Assets take it.

use std::thread;

use logout_assets::Profile;
use logout_core::Method;
use logout_core::receipt::Reach;
use serde_json::json;

use crate::support::*;

#[test]
fn a_cookie_with_its_csrf_token_signs_out_and_the_cookie_is_deleted() {
    for dam in [
        Dam::assets(),
        Dam::of(Profile::Elvis6),
        Dam::with_statuses(),
    ] {
        let alice = dam.login("alice");
        let response = dam.send(csrf(
            cookie(post("/services/logout"), &alice.secret),
            &alice.csrf,
        ));
        assert_signed_out(&response);
        assert_eq!(response.body(), br#"{"logoutSuccess":true}"#);
        assert!(deletes_cookie(&response, "authToken"));
        let probe = json_of(&dam.send(cookie(get("/services/profile"), &alice.secret)));
        assert_eq!(probe["errorcode"], json!(401));
    }
}

#[test]
fn after_a_sign_out_the_old_token_opens_no_route_by_bearer_or_cookie() {
    let dam = Dam::assets();
    let alice = dam.login("alice");
    assert!(dam.token_lives(&alice.secret));
    assert_signed_out(&dam.send(csrf(
        cookie(post("/services/logout"), &alice.secret),
        &alice.csrf,
    )));
    assert!(!dam.token_lives(&alice.secret));
}

#[test]
fn an_api_token_signs_out_by_bearer_without_a_csrf_token() {
    let dam = Dam::assets();
    let token = dam.api_login("alice");
    let response = dam.send(bearer(post("/services/logout"), &token));
    assert_signed_out(&response);
    assert_eq!(header(&response, "set-cookie"), None);
    assert!(!dam.token_lives(&token));
}

#[test]
fn an_api_token_signs_out_from_a_cookie_without_a_csrf_token() {
    let dam = Dam::assets();
    let token = dam.api_login("alice");
    let response = dam.send(cookie(post("/services/logout"), &token));
    assert_signed_out(&response);
    assert!(deletes_cookie(&response, "authToken") && !dam.token_lives(&token));
}

#[test]
fn without_the_csrf_token_that_is_due_nothing_ends_by_cookie_or_bearer() {
    for (dam, status) in [(Dam::assets(), 200), (Dam::with_statuses(), 403)] {
        let alice = dam.login("alice");
        for request in [
            cookie(post("/services/logout"), &alice.secret),
            bearer(post("/services/logout"), &alice.secret),
        ] {
            let response = dam.send(request);
            assert_error(&response, status, 403);
            assert_eq!(header(&response, "set-cookie"), None);
            assert_eq!(
                json_of(&response)["errorname"],
                json!("MissingCsrfTokenException")
            );
        }
        assert_eq!(
            dam.send(cookie(get("/services/profile"), &alice.secret))
                .status(),
            200
        );
    }
}

#[test]
fn a_wrong_or_anothers_csrf_token_ends_nothing() {
    let dam = Dam::assets();
    let (alice, bob) = (dam.login("alice"), dam.login("bob"));
    for token in [
        bob.csrf.as_str(),
        "x",
        &alice.csrf[1..],
        &alice.csrf.to_uppercase(),
    ] {
        let response = dam.send(csrf(cookie(post("/services/logout"), &alice.secret), token));
        assert_error(&response, 200, 403);
        assert_eq!(
            json_of(&response)["errorname"],
            json!("InvalidCsrfTokenException")
        );
    }
    assert!(dam.token_lives(&alice.secret) && dam.token_lives(&bob.secret));
}

#[test]
fn without_a_credential_that_is_ours_the_answer_is_not_logged_in() {
    for (dam, status) in [(Dam::assets(), 200), (Dam::with_statuses(), 401)] {
        for request in [
            post("/services/logout"),
            bearer(post("/services/logout"), "x"),
            bearer(post("/services/logout"), ""),
            bearer(post("/services/logout"), "{{authToken}}"),
            cookie(post("/services/logout"), "e30.e30.e30"),
            post("/services/logout").with_header("cookie", "JSESSIONID=1"),
        ] {
            let response = dam.send(request.clone());
            assert_error(&response, status, 401);
            let body = json_of(&response);
            assert_eq!(
                body["errorname"],
                json!("AuthenticationCredentialsNotFoundException")
            );
            assert_eq!(body["message"], json!("Not logged in"));
            assert_eq!(
                deletes_cookie(&response, "authToken"),
                request.cookies("authToken").count() > 0
            );
        }
    }
}

#[test]
fn the_same_token_signs_out_once() {
    let dam = Dam::assets();
    let token = dam.api_login("alice");
    assert_signed_out(&dam.send(bearer(post("/services/logout"), &token)));
    assert_error(
        &dam.send(bearer(post("/services/logout"), &token)),
        200,
        401,
    );
    let response = dam.send(cookie(post("/services/logout"), &token));
    assert_error(&response, 200, 401);
    assert!(deletes_cookie(&response, "authToken"));
}

#[test]
fn any_other_method_than_post_is_refused_and_ends_nothing() {
    for (dam, status) in [
        (Dam::assets(), 200),
        (Dam::of(Profile::Elvis6), 200),
        (Dam::with_statuses(), 405),
    ] {
        let alice = dam.login("alice");
        for method in [
            Method::Get,
            Method::Head,
            Method::Put,
            Method::Delete,
            Method::Patch,
            Method::Other,
        ] {
            let request = logout_core::Request::new(method, "/services/logout");
            let response = dam.send(csrf(cookie(request, &alice.secret), &alice.csrf));
            assert_error(&response, status, 405);
            assert_eq!(header(&response, "allow"), Some("POST"));
        }
        assert_eq!(
            json_of(&dam.send(cookie(get("/services/profile"), &alice.secret)))["username"],
            json!("alice")
        );
    }
}

#[test]
fn the_body_is_never_looked_at() {
    let dam = Dam::assets();
    for (media_type, body) in [
        // The PowerShell client: a JSON header with nothing behind it.
        ("application/json", &b""[..]),
        ("application/json", b"{"),
        ("application/json", b"\xff\xfe"),
        // The vendor's own test client: a form with a user's name.
        (
            "application/x-www-form-urlencoded",
            b"username=bob&logoutSuccessUrl=https%3A%2F%2Fevil.test",
        ),
        (
            "multipart/form-data; boundary=b",
            b"--b\r\nContent-Disposition: form-data; name=\"username\"\r\n\r\nbob\r\n--b--\r\n",
        ),
        ("multipart/form-data", b"--"),
        ("", b"x"),
    ] {
        let (alice, bob) = (dam.api_login("alice"), dam.api_login("bob"));
        let request = post("/services/logout")
            .with_header("content-type", media_type)
            .with_body(body);
        let response = dam.send(bearer(request, &alice));
        assert_signed_out(&response);
        assert_eq!(header(&response, "location"), None, "{media_type}");
        assert!(
            !dam.token_lives(&alice) && dam.token_lives(&bob),
            "{media_type}"
        );
    }
}

#[test]
fn the_same_cookie_twice_together_with_bearer_and_csrf_token_is_one_session() {
    let dam = Dam::assets();
    let alice = dam.login("alice");
    let request = post("/services/logout").with_header(
        "cookie",
        format!("authToken={0}; authToken={0}", alice.secret),
    );
    let response = dam.send(csrf(bearer(request, &alice.secret), &alice.csrf));
    assert_signed_out(&response);
    assert!(deletes_cookie(&response, "authToken") && !dam.token_lives(&alice.secret));
}

#[test]
fn the_bearers_session_ends_and_the_one_in_the_cookie_stays_reachable() {
    let dam = Dam::assets();
    let (old, api) = (dam.login("alice"), dam.api_login("alice"));
    let request = post("/services/logout").with_header(
        "cookie",
        format!("authToken={api}; authToken={}", old.secret),
    );
    let response = dam.send(bearer(request, &api));
    assert_signed_out(&response);
    assert!(!dam.token_lives(&api) && dam.token_lives(&old.secret));
    // Nothing behind the cookie has ended, so to delete it would hide a session that is alive.
    assert_eq!(header(&response, "set-cookie"), None);
}

#[test]
fn a_dead_token_in_front_does_not_hide_a_live_one_behind() {
    let dam = Dam::assets();
    let (dead, live) = (dam.api_login("alice"), dam.api_login("alice"));
    assert_signed_out(&dam.send(bearer(post("/services/logout"), &dead)));
    let request = post("/services/logout")
        .with_header("cookie", format!("authToken={dead}; authToken={live}"));
    let response = dam.send(bearer(request, "{{authToken}}"));
    assert_signed_out(&response);
    assert!(deletes_cookie(&response, "authToken") && !dam.token_lives(&live));
}

#[test]
fn other_sessions_of_the_user_live_on() {
    let dam = Dam::assets();
    let (one, other, person) = (
        dam.api_login("alice"),
        dam.api_login("alice"),
        dam.login("alice"),
    );
    assert_signed_out(&dam.send(bearer(post("/services/logout"), &one)));
    assert!(!dam.token_lives(&one) && dam.token_lives(&other) && dam.token_lives(&person.secret));
}

#[test]
fn a_platform_may_be_configured_to_end_all_sessions_of_the_user() {
    let mut everywhere = platform();
    everywhere.reach = Reach::Subject;
    let dam = Dam::with(Default::default(), everywhere);
    let (one, other, bob) = (
        dam.api_login("alice"),
        dam.login("alice"),
        dam.api_login("bob"),
    );
    let request = cookie(post("/services/logout"), &other.secret);
    let response = dam.send(bearer(request, &one));
    assert_signed_out(&response);
    assert!(deletes_cookie(&response, "authToken"));
    assert!(!dam.token_lives(&one) && !dam.token_lives(&other.secret) && dam.token_lives(&bob));
}

#[test]
fn bearer_needs_no_space_behind_it_and_no_case() {
    let dam = Dam::assets();
    for scheme in ["Bearer", "bearer ", "BEARER   "] {
        let token = dam.api_login("alice");
        assert_signed_out(&dam.send(
            post("/services/logout").with_header("authorization", format!("{scheme}{token}")),
        ));
        assert!(!dam.token_lives(&token), "{scheme}");
    }
}

#[test]
fn of_concurrent_sign_outs_exactly_one_succeeds() {
    let dam = Dam::assets();
    for _ in 0..20 {
        let token = dam.api_login("alice");
        let successes: usize = thread::scope(|scope| {
            let calls: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| dam.send(bearer(post("/services/logout"), &token))))
                .collect();
            calls
                .into_iter()
                .map(|call| json_of(&call.join().unwrap()))
                .inspect(|body| {
                    assert!(
                        body["logoutSuccess"] == json!(true) || body["errorcode"] == json!(401),
                        "{body}"
                    )
                })
                .filter(|body| body.get("logoutSuccess").is_some())
                .count()
        });
        assert_eq!(successes, 1);
        assert!(!dam.token_lives(&token));
    }
}

#[test]
fn concurrent_sign_outs_of_different_sessions_all_succeed() {
    let dam = Dam::assets();
    let tokens: Vec<_> = (0..16).map(|_| dam.api_login("alice")).collect();
    thread::scope(|scope| {
        for token in &tokens {
            scope.spawn(|| assert_signed_out(&dam.send(bearer(post("/services/logout"), token))));
        }
    });
    assert!(tokens.iter().all(|token| !dam.token_lives(token)));
}

#[test]
fn hostile_input_is_an_answer_in_the_vendors_words() {
    let dam = Dam::with_statuses();
    let long = "x".repeat(9_000);
    for value in [
        "",
        " ",
        ";",
        "=",
        "\u{fffd}",
        "é",
        "a.b",
        "..",
        "\"",
        long.as_str(),
    ] {
        for request in [
            cookie(post("/services/logout"), value),
            bearer(post("/services/logout"), value),
            post("/services/logout")
                .with_header("authorization", value)
                .with_header("cookie", value),
            csrf(post("/services/logout"), value).with_query(value),
        ] {
            assert_error(&dam.send(request), 401, 401);
        }
    }
}

#[test]
fn paths_that_are_not_documented_are_nobodys() {
    let dam = Dam::assets();
    for path in [
        "/services/logout.json",
        "/services/logout/",
        "/services/Logout",
        "/app/logout",
        "/services/logout;jsessionid=1",
        "/services%2Flogout",
    ] {
        assert_eq!(dam.send(post(path)).status(), 404, "{path}");
    }
}
