//! What Elvis 4 and 5 do in another way: a `JSESSIONID`, GET, and redirects after a login.

use logout_assets::Profile;
use serde_json::json;

use crate::support::*;

const OLD: [Profile; 2] = [Profile::Elvis4, Profile::Elvis5];

fn session(request: logout_core::Request<'static>, id: &str) -> logout_core::Request<'static> {
    request.with_header("cookie", format!("JSESSIONID={id}"))
}

fn lives(dam: &Dam, id: &str) -> bool {
    let by_cookie = json_of(&dam.send(session(get("/services/profile"), id)))
        .get("errorcode")
        .is_none();
    for request in [
        get(&format!("/services/profile;jsessionid={id}")),
        post(&format!("/services/search;jsessionid={id}")),
        session(post("/services/search"), id),
    ] {
        assert_eq!(
            json_of(&dam.send(request)).get("errorcode").is_none(),
            by_cookie,
            "the routes disagree"
        );
    }
    by_cookie
}

#[test]
fn a_login_hands_out_one_session_id_by_cookie_and_json() {
    for dam in OLD.map(Dam::of) {
        for method in [get, post] {
            let response = dam.send(
                method("/services/login")
                    .with_query("username=alice&password=alice-password&returnProfile=true"),
            );
            let body = json_of(&response);
            assert_eq!(body["loginSuccess"], json!(true));
            assert_eq!(body["sessionId"].as_str(), cookie_set(&response));
            assert!(
                header(&response, "set-cookie").is_some_and(|set| set.starts_with("JSESSIONID="))
            );
            assert!(
                body.get("csrfToken").is_none()
                    && body["userProfile"]["username"] == json!("alice")
            );
        }
    }
}

#[test]
fn a_sign_out_by_get_or_post_and_by_cookie_or_path_ends_the_session() {
    for dam in OLD.map(Dam::of) {
        for by_path in [false, true] {
            for method in [get, post] {
                let id = dam.login("alice").secret;
                assert!(lives(&dam, &id));
                let response = if by_path {
                    dam.send(method(&format!("/services/logout;jsessionid={id}")))
                } else {
                    dam.send(session(method("/services/logout"), &id))
                };
                assert_signed_out(&response);
                assert_eq!(deletes_cookie(&response, "JSESSIONID"), !by_path);
                assert!(!lives(&dam, &id));
                assert_error(&dam.send(session(get("/services/logout"), &id)), 200, 401);
            }
        }
    }
}

#[test]
fn the_session_in_the_path_wins_over_the_one_in_the_cookie() {
    let dam = Dam::of(Profile::Elvis5);
    let (in_path, in_cookie) = (dam.login("alice").secret, dam.login("alice").secret);
    let response = dam.send(session(
        post(&format!("/services/logout;jsessionid={in_path}")),
        &in_cookie,
    ));
    assert_signed_out(&response);
    assert_eq!(header(&response, "set-cookie"), None);
    assert!(!lives(&dam, &in_path) && lives(&dam, &in_cookie));
}

#[test]
fn the_redirecting_sign_out_takes_a_session_in_the_path_too() {
    let dam = Dam::of(Profile::Elvis5);
    let id = dam.login("alice").secret;
    let response =
        dam.send(get(&format!("/logout;jsessionid={id}")).with_query("logoutSuccessUrl=/home"));
    assert_eq!(
        (response.status(), header(&response, "location")),
        (302, Some("/home"))
    );
    assert!(deletes_cookie(&response, "JSESSIONID") && !lives(&dam, &id));
}

#[test]
fn a_login_may_lead_on_but_only_to_a_relative_address() {
    for dam in OLD.map(Dam::of) {
        for (password, parameter) in [("alice-password", "nextUrl"), ("wrong", "failUrl")] {
            for (requested, location) in [
                ("%2Fwelcome%3Fa", "/welcome?a"),
                ("welcome", "/welcome"),
                ("http%3A%2F%2Fdam.example%2Fx", "/"),
                ("https%3A%2F%2Fwww.example.com%2F", "/"),
                ("%2F%2Fevil.test", "/"),
                ("%2Fa&nextUrl=%2Fa&failUrl=%2Fa", "/"),
            ] {
                let response = dam.send(post("/services/login").with_query(format!(
                    "username=alice&password={password}&{parameter}={requested}"
                )));
                assert_eq!(
                    (response.status(), header(&response, "location")),
                    (302, Some(location)),
                    "{parameter} {requested}"
                );
                let set = cookie_set(&response);
                assert_eq!(set.is_some(), parameter == "nextUrl");
                assert!(set.is_none_or(|id| lives(&dam, id)));
            }
        }
        let untouched = dam.send(
            post("/services/login").with_query("username=alice&password=wrong&nextUrl=/welcome"),
        );
        assert_eq!(json_of(&untouched)["loginSuccess"], json!(false));
    }
}

#[test]
fn from_6_on_a_login_leads_nowhere() {
    let response = Dam::assets().send(
        post("/services/login")
            .with_query("username=alice&password=alice-password&nextUrl=/welcome"),
    );
    assert_eq!(
        (
            response.status(),
            json_of(&response)["loginSuccess"].clone()
        ),
        (200, json!(true))
    );
}

#[test]
fn there_is_no_login_for_programs() {
    for dam in OLD.map(Dam::of) {
        assert_eq!(
            dam.send(
                post("/services/apilogin").with_query("username=alice&password=alice-password")
            )
            .status(),
            404
        );
    }
}
