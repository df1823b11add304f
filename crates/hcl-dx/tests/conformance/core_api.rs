//! The core API: login, validation, content and `auth/logout`.

use std::thread;
use std::time::Duration;

use logout_core::message::{Method, Request};
use logout_core::provider::LogoutProvider as _;
use logout_hcl_dx::{HclDxConfig, HclDxProvider, LogoutWithoutSession};
use serde_json::json;

use crate::support::*;

#[test]
fn a_login_says_who_and_sets_a_host_cookie_for_the_whole_site() {
    let dx = dx(config());
    let response = dx.send(login_request("alice", "alice-password"));
    assert_eq!(response.status(), 200);
    assert_eq!(header(&response, "content-type"), Some("application/json"));
    assert_eq!(
        json(&response),
        json!({ "statusCode": 200, "message": "Login Successful", "data": { "UId": "alice" } })
    );
    let set = header(&response, "set-cookie").unwrap();
    assert!(
        set.contains("; Path=/")
            && set.contains("; HttpOnly")
            && !set.contains("Domain")
            && !set.contains("Max-Age"),
        "{set}"
    );
}

#[test]
fn a_wrong_password_and_an_unknown_user_look_the_same() {
    let dx = dx(config());
    let (wrong, unknown) = (
        dx.send(login_request("alice", "x")),
        dx.send(login_request("nobody", "x")),
    );
    assert_fault(&wrong, 401);
    assert_eq!(
        (wrong.status(), wrong.headers(), wrong.body()),
        (unknown.status(), unknown.headers(), unknown.body())
    );
    assert!(header(&wrong, "set-cookie").is_none());
}

#[test]
fn a_login_that_is_not_an_object_with_two_strings_is_malformed() {
    let dx = dx(config());
    for body in [
        "",
        "{",
        r#"["alice","alice-password"]"#,
        r#"{"username":"alice"}"#,
        r#"{"username":1,"password":"x"}"#,
    ] {
        assert_fault(&dx.send(post(LOGIN).with_body(body)), 400);
    }
}

#[test]
fn a_distinguished_name_logs_in() {
    let dx = dx(config());
    let response = dx.send(login_request(
        "uid=alice,o=defaultWIMFileBasedRealm",
        "alice-password",
    ));
    assert_eq!(
        (response.status(), json(&response)["data"]["UId"].as_str()),
        (200, Some("alice"))
    );
    assert_fault(
        &dx.send(login_request(
            "uid=alice,o=defaultWIMFileBasedRealm",
            "bob-password",
        )),
        401,
    );
}

#[test]
fn a_page_of_another_site_cannot_log_its_visitor_in_with_a_form() {
    let dx = dx(config());
    let forged = |media_type: &str| {
        let request = post(LOGIN)
            .with_header("content-type", media_type)
            .with_header("sec-fetch-site", "cross-site");
        dx.send(request.with_body(r#"{"username":"alice","password":"alice-password"}"#))
            .status()
    };
    assert_eq!(
        (
            forged("text/plain"),
            forged("application/json; charset=utf-8")
        ),
        (403, 200)
    );
}

#[test]
fn the_documented_flow_ends_with_a_token_that_is_dead() {
    let dx = dx(config());
    let token = log_in(&dx, "alice");
    let item = dx.send(cookie(get(&content_path("dxmyrest", MEMBERS)), &token));
    assert_eq!(
        (item.status(), json(&item)["title"]["value"].as_str()),
        (200, Some("Welcome"))
    );
    let logout = dx.send(cookie(post(LOGOUT), &token));
    assert_eq!(logout.status(), 200);
    assert_eq!(cleared(&logout), ["LtpaToken2"]);
    assert!(header(&logout, "logout-receipt").is_some());
    assert_eq!(header(&logout, "cache-control"), Some("no-store"));
    assert_dead(&dx, &token);
}

#[test]
fn a_logout_answers_with_exactly_three_members() {
    let dx = dx(config());
    let logout = dx.send(cookie(post(LOGOUT), &log_in(&dx, "alice")));
    let body = String::from_utf8_lossy(logout.body()).into_owned();
    assert_eq!(
        body,
        r#"{"statusCode":200,"data":"You are successfully logged out","redirectUrl":"http://dx.example/wps/portal"}"#
    );
    assert_eq!(header(&logout, "content-type"), Some("application/json"));
}

#[test]
fn the_body_of_a_logout_does_not_matter() {
    let dx = dx(config());
    for (media_type, body) in [
        ("application/json", ""),
        ("application/json", "{}"),
        ("application/x-www-form-urlencoded", "a=b"),
        ("application/json", "{oops"),
    ] {
        let request = post(LOGOUT)
            .with_header("content-type", media_type)
            .with_body(body);
        assert_eq!(
            dx.send(cookie(request, &log_in(&dx, "alice"))).status(),
            200,
            "{media_type} {body}"
        );
    }
}

#[test]
fn a_second_logout_is_unauthorized_and_clears_the_cookie() {
    let dx = dx(config());
    let token = log_in(&dx, "alice");
    dx.send(cookie(post(LOGOUT), &token));
    let again = dx.send(cookie(post(LOGOUT), &token));
    assert_fault(&again, 401);
    assert_eq!(cleared(&again), ["LtpaToken2"]);
}

#[test]
fn a_logout_without_a_live_token_is_unauthorized() {
    let dx = dx(config());
    let without = dx.send(post(LOGOUT));
    assert_fault(&without, 401);
    assert!(cleared(&without).is_empty());
    for garbage in ["garbage", "", "%00", "\"quoted\"", "=====", "ü"] {
        assert_fault(&dx.send(cookie(post(LOGOUT), garbage)), 401);
    }
    let token = log_in(&dx, "alice");
    dx.clock().advance(Duration::from_secs(120 * 60));
    assert_fault(&dx.send(cookie(post(LOGOUT), &token)), 401);
}

#[test]
fn a_logout_without_a_session_is_a_success_where_the_operator_says_so() {
    let dx = dx(HclDxConfig {
        logout_without_session: LogoutWithoutSession::Ok,
        ..config()
    });
    for request in [post(LOGOUT), cookie(post(LOGOUT), "stale")] {
        let logout = dx.send(request);
        assert_eq!(
            (logout.status(), json(&logout)["redirectUrl"].as_str()),
            (200, Some(PUBLIC_PAGE))
        );
    }
    let portal = dx.send(get(PORTAL_LOGOUT));
    assert_eq!(
        (portal.status(), header(&portal, "location")),
        (302, Some(PUBLIC_PAGE))
    );
}

#[test]
fn only_post_logs_out() {
    let dx = dx(config());
    let token = log_in(&dx, "alice");
    for method in [
        Method::Get,
        Method::Put,
        Method::Patch,
        Method::Delete,
        Method::Head,
    ] {
        let response = dx.send(cookie(Request::new(method, LOGOUT), &token));
        assert_eq!(
            (response.status(), header(&response, "allow")),
            (405, Some("POST, OPTIONS"))
        );
        if method == Method::Head {
            assert!(response.body().is_empty());
        } else {
            assert_fault(&response, 405);
        }
    }
    assert_eq!(
        dx.send(cookie(Request::new(Method::Options, LOGOUT), &token))
            .status(),
        200
    );
    assert!(is_alive(&dx, &token));
}

#[test]
fn validation_says_who_and_needs_no_body() {
    let dx = dx(config());
    let token = log_in(&dx, "alice");
    let request = post(VALIDATE).with_header("content-type", "application/x-www-form-urlencoded");
    let live = dx.send(cookie(request, &token));
    assert_eq!(
        (live.status(), json(&live)["data"].clone()),
        (200, json!({ "UId": "alice" }))
    );
    assert_fault(&dx.send(post(VALIDATE)), 401);
    assert_eq!(
        cleared(&dx.send(cookie(post(VALIDATE), "garbage"))),
        ["LtpaToken2"]
    );
}

#[test]
fn content_is_served_by_access_type_and_reader() {
    let dx = dx(config());
    let (alice, bob) = (log_in(&dx, "alice"), log_in(&dx, "bob"));
    let status = |access_type: &str, id: &str, token: Option<&str>| {
        let request =
            get(&content_path(access_type, id)).with_query("virtualportal=x&filename=true");
        dx.send(token.map_or(request.clone(), |token| cookie(request, token)))
            .status()
    };
    let unknown = "3f1c2a9e-0000-4000-8000-00000000000f";
    for (access_type, id, token, expected) in [
        ("dxrest", OPEN, None, 200),
        ("dxrest", MEMBERS, None, 401),
        ("dxrest", MEMBERS, Some(&alice), 401),
        ("dxrest", unknown, None, 404),
        ("dxmyrest", OPEN, Some(&bob), 200),
        ("dxmyrest", MEMBERS, Some(&bob), 200),
        ("dxmyrest", ALICES, Some(&alice), 200),
        ("dxmyrest", ALICES, Some(&bob), 403),
        ("dxmyrest", unknown, Some(&bob), 404),
        ("dxmyrest", OPEN, None, 401),
        ("dxmyrest", unknown, None, 401),
        ("public", OPEN, Some(&alice), 400),
        ("DXREST", OPEN, None, 400),
    ] {
        assert_eq!(
            status(access_type, id, token.map(String::as_str)),
            expected,
            "{access_type} {id}"
        );
    }
    assert!(
        cleared(&dx.send(cookie(get(&content_path("dxrest", MEMBERS)), &alice))).is_empty(),
        "a live cookie stays"
    );
}

#[test]
fn two_logins_of_one_user_are_two_tokens() {
    let dx = dx(config());
    let (one, two) = (log_in(&dx, "alice"), log_in(&dx, "alice"));
    assert_ne!(one, two);
    dx.send(cookie(post(LOGOUT), &one));
    assert_dead(&dx, &one);
    assert!(is_alive(&dx, &two));
    let third = log_in(&dx, "alice");
    assert!(third != one && is_alive(&dx, &third));
}

#[test]
fn a_login_with_a_live_token_opens_another_session_and_ends_the_old_one() {
    let dx = dx(config());
    let old = log_in(&dx, "alice");
    let refused = dx.send(cookie(login_request("alice", "wrong"), &old));
    assert!(
        refused.status() == 401 && is_alive(&dx, &old),
        "a login that fails ends nothing"
    );
    assert_eq!(
        dx.send(cookie(login_request("alice", "alice-password"), &old))
            .status(),
        200
    );
    assert_dead(&dx, &old);
}

#[test]
fn of_several_tokens_one_live_is_enough_and_all_of_ours_end() {
    let dx = dx(config());
    let (stale, one, two) = (
        log_in(&dx, "alice"),
        log_in(&dx, "alice"),
        log_in(&dx, "bob"),
    );
    dx.send(cookie(post(LOGOUT), &stale));
    let both = format!("{stale}; LtpaToken2={one}; LtpaToken2={two}");
    assert_eq!(
        dx.send(cookie(get(&content_path("dxmyrest", MEMBERS)), &both))
            .status(),
        200
    );
    assert_eq!(dx.send(cookie(post(LOGOUT), &both)).status(), 200);
    assert_dead(&dx, &one);
    assert_dead(&dx, &two);
}

#[test]
fn a_logout_clears_the_older_token_too_and_leaves_the_language_alone() {
    let dx = dx(config());
    let token = log_in(&dx, "alice");
    let others = "LtpaToken=v1; JSESSIONID=0000x:-1; com.ibm.wps.state.preprocessors.locale.LanguageCookie=en";
    let logout = dx.send(cookie(post(LOGOUT), &token).with_header("cookie", others));
    assert_eq!(cleared(&logout), ["LtpaToken2", "LtpaToken"]);
}

#[test]
fn fifty_logouts_at_once_are_one_success_and_otherwise_unauthorized() {
    let dx = dx(config());
    let token = log_in(&dx, "alice");
    let statuses: Vec<u16> = thread::scope(|scope| {
        let calls: Vec<_> = (0..50)
            .map(|_| scope.spawn(|| dx.send(cookie(post(LOGOUT), &token)).status()))
            .collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1);
    assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 49);
    assert_dead(&dx, &token);
}

#[test]
fn a_store_that_does_not_answer_is_503_and_the_session_lives_on() {
    let dx = dx(config());
    let token = log_in(&dx, "alice");
    dx.store().set_broken(true);
    for request in [
        post(LOGOUT),
        post(VALIDATE),
        get(&content_path("dxmyrest", MEMBERS)),
        login_request("alice", "alice-password"),
    ] {
        let response = dx.send(cookie(request, &token));
        assert_fault(&response, 503);
        assert!(header(&response, "set-cookie").is_none());
    }
    for path in [PORTAL_LOGOUT, "/wps/myportal", "/wps/portal"] {
        let response = dx.send(cookie(get(path), &token));
        assert!(
            response.status() == 503
                && header(&response, "location").is_none()
                && header(&response, "set-cookie").is_none(),
            "{path}"
        );
    }
    dx.store().set_broken(false);
    assert!(is_alive(&dx, &token));
}

#[test]
fn a_preflight_is_answered_as_the_product_does_by_default() {
    let words = HclDxProvider::new(config(), &platform())
        .unwrap()
        .preflight();
    assert_eq!(
        (words.status, words.methods, words.max_age),
        (200, "GET,HEAD,PUT,PATCH,POST,DELETE", 86_400)
    );
    assert!(words.headers.split(", ").any(|name| name == "content-type"));
    for path in [LOGIN, LOGOUT, VALIDATE, &content_path("dxrest", OPEN)] {
        let response = dx(config()).send(Request::new(Method::Options, path));
        assert!(
            response.status() == 200 && response.body().is_empty(),
            "{path}"
        );
    }
}
