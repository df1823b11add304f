//! The stand-in's logins in Elvis 6 and Assets.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use logout_assets::Profile;
use logout_core::{Method, Request, Response};
use serde_json::json;

use crate::support::*;

fn multipart(path: &str, fields: &[(&str, &str)]) -> Request<'static> {
    let part = |(name, value): &(&str, &str)| {
        format!("--x-y\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let body = format!("{}--x-y--\r\n", fields.iter().map(part).collect::<String>());
    post(path)
        .with_header("content-type", "multipart/form-data; boundary=x-y")
        .with_body(body)
}

fn encodings(path: &str) -> Vec<Request<'_>> {
    let pair = "username=alice&password=alice-password";
    let cred = STANDARD.encode("alice:alice-password");
    let form = |body: String| {
        post(path)
            .with_header(
                "content-type",
                "application/x-www-form-urlencoded;charset=UTF-8",
            )
            .with_body(body)
    };
    vec![
        post(path).with_query(pair),
        form(pair.to_owned()),
        multipart(
            path,
            &[("username", "alice"), ("password", "alice-password")],
        ),
        post(path).with_query(format!("cred={cred}")),
        form(format!("cred={}", cred.trim_end_matches('='))),
        multipart(path, &[("cred", &cred)]),
        // The PowerShell client sends all three.
        post(path).with_query(format!("cred={cred}&{pair}")),
        post(path).with_query(format!("cred=nonsense&{pair}")),
        form("password=alice-password".to_owned()).with_query("username=alice"),
    ]
}

#[test]
fn a_person_logs_in_by_query_form_multipart_and_cred_alike() {
    for dam in [Dam::assets(), Dam::of(Profile::Elvis6)] {
        for request in encodings("/services/login") {
            let response = dam.send(request.clone());
            let body = json_of(&response);
            assert_eq!(
                (response.status(), &body["loginSuccess"]),
                (200, &json!(true)),
                "{request:?}"
            );
            assert!(body["csrfToken"].is_string() && body["serverVersion"].is_string());
            assert!(
                body.get("authToken").is_none()
                    && body.get("userProfile").is_none()
                    && body.get("userPreferences").is_none()
            );
            let set = header(&response, "set-cookie").unwrap();
            assert!(
                set.starts_with("authToken=")
                    && set.contains("HttpOnly")
                    && set.contains("Path=/")
                    && !set.contains("Max-Age"),
                "{set}"
            );
            assert_eq!(header(&response, "cache-control"), Some("no-store"));
        }
    }
}

#[test]
fn a_program_gets_a_token_and_no_cookie() {
    let dam = Dam::assets();
    for request in encodings("/services/apilogin") {
        let response = dam.send(request.clone());
        let body = json_of(&response);
        assert_eq!(
            (&body["loginSuccess"], &body["loginFaultMessage"]),
            (&json!(true), &json!(null)),
            "{request:?}"
        );
        assert!(
            body["authToken"].is_string()
                && body["serverVersion"].is_string()
                && body.get("csrfToken").is_none()
        );
        assert_eq!(header(&response, "set-cookie"), None);
    }
}

#[test]
fn the_cookie_is_secure_when_the_login_came_by_https() {
    let dam = Dam::assets();
    let pair = "username=alice&password=alice-password";
    let response = dam.send(post("/services/login").with_query(pair).with_secure(true));
    assert!(header(&response, "set-cookie").is_some_and(|set| set.contains("Secure")));
}

#[test]
fn a_failed_login_is_200_with_a_message_and_no_cookie_whatever_the_mode() {
    for dam in [Dam::assets(), Dam::with_statuses()] {
        let answers: Vec<Response> = ["/services/login", "/services/apilogin"]
            .into_iter()
            .flat_map(|path| {
                [
                    post(path).with_query("username=alice&password=wrong"),
                    post(path).with_query("username=nobody&password=wrong"),
                    post(path).with_query("username=alice"),
                    post(path).with_query("username=alice&password="),
                    post(path).with_query("cred=%00%ff"),
                    post(path),
                    post(path)
                        .with_header("content-type", "application/json")
                        .with_body("{\"username\":\"alice\"}"),
                ]
            })
            .map(|request| dam.send(request))
            .collect();
        for response in &answers {
            let body = json_of(response);
            assert_eq!(
                (response.status(), &body["loginSuccess"]),
                (200, &json!(false))
            );
            assert!(body["loginFaultMessage"].is_string() && body["serverVersion"].is_string());
            assert_eq!(header(response, "set-cookie"), None);
            assert_eq!(
                response.body(),
                answers[0].body(),
                "a wrong password and an unknown name look alike"
            );
        }
    }
}

#[test]
fn a_credential_that_comes_with_a_login_counts_for_nothing_and_only_a_cookie_is_replaced() {
    let dam = Dam::assets();
    let old = dam.login("bob");
    for (path, lives) in [("/services/apilogin", true), ("/services/login", false)] {
        let request =
            cookie(post(path), &old.secret).with_header("authorization", "Bearer {{authToken}}");
        let response = dam.send(request.with_query("username=alice&password=alice-password"));
        assert_eq!(json_of(&response)["loginSuccess"], json!(true));
        assert_ne!(cookie_set(&response), Some(old.secret.as_str()));
        assert_eq!(dam.token_lives(&old.secret), lives, "{path}");
    }
}

#[test]
fn profile_and_preferences_come_on_request_only() {
    let dam = Dam::assets();
    let send = |more: &str| {
        json_of(
            &dam.send(
                post("/services/login")
                    .with_query(format!("username=alice&password=alice-password{more}")),
            ),
        )
    };
    let body = send("&returnProfile=true&returnPreferences=true");
    assert_eq!(body["userProfile"]["username"], json!("alice"));
    assert!(body["userPreferences"].is_object());
    let body = send("&returnProfile=false&returnPreferences=");
    assert!(body.get("userProfile").is_none() && body.get("userPreferences").is_none());
}

#[test]
fn a_login_takes_post_only() {
    for (dam, status) in [(Dam::assets(), 200), (Dam::with_statuses(), 405)] {
        for path in ["/services/login", "/services/apilogin"] {
            let response = dam.send(
                Request::new(Method::Get, path)
                    .with_query("username=alice&password=alice-password"),
            );
            assert_error(&response, status, 405);
            assert_eq!(
                (header(&response, "allow"), header(&response, "set-cookie")),
                (Some("POST"), None)
            );
        }
    }
}

#[test]
fn a_multipart_body_that_cannot_be_read_is_malformed() {
    let dam = Dam::with_statuses();
    for (media_type, body) in [
        ("multipart/form-data", "x"),
        ("multipart/form-data; boundary=b", "--b\r\n"),
        ("multipart/form-data; boundary=b", ""),
    ] {
        assert_error(
            &dam.send(
                post("/services/login")
                    .with_header("content-type", media_type)
                    .with_body(body),
            ),
            400,
            400,
        );
    }
}

#[test]
fn a_client_id_is_taken_and_a_silly_one_ignored() {
    let dam = Dam::assets();
    for id in ["plug-in".to_owned(), "x".repeat(5_000)] {
        let query = format!("username=alice&password=alice-password&clientId={id}");
        let body = json_of(&dam.send(post("/services/apilogin").with_query(query)));
        assert!(dam.token_lives(body["authToken"].as_str().unwrap()));
    }
}

#[test]
fn every_login_is_a_session_of_its_own() {
    let dam = Dam::assets();
    let (one, two) = (dam.login("alice"), dam.login("alice"));
    assert!(one.secret != two.secret && one.csrf != two.csrf);
    // The CSRF token of one session is worth nothing in the other.
    assert_error(
        &dam.send(csrf(
            cookie(post("/services/logout"), &one.secret),
            &two.csrf,
        )),
        200,
        403,
    );
}
