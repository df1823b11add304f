//! The request that brings a token: what is taken, and what is refused before its token is read.

use std::net::TcpStream;

use logout_tests::http::{Request, percent_encode};
use logout_tests::idp::logout_request;
use logout_tests::skip::Run;
use logout_tests::stores::StoreKind;
use serde_json::{Value, json};

use crate::answers::{assert_refused, assert_taken, assert_uncached};
use crate::scene::{OP, Scene};

const FORM: &str = "application/x-www-form-urlencoded";

pub(crate) fn add(run: &mut Run) {
    on_every_store! { run, "requests";
        a_form_is_taken_however_it_is_written_and_whoever_sends_it
        a_request_that_is_refused_leaves_the_session_alone
        a_body_may_come_in_chunks_that_are_whole
    }
}

fn a_form_is_taken_however_it_is_written_and_whoever_sends_it(store: StoreKind) {
    let scene = Scene::start(store);
    let endpoint = format!("/idp/{OP}/backchannel-logout");
    type Body = fn(&str) -> String;
    let bodies: [(&str, Body); 3] = [
        (FORM, |token| {
            format!("a=b&logout_token={token}&state=x&state=y")
        }),
        (
            "Application/X-WWW-Form-Urlencoded; charset=UTF-8",
            |token| format!("logout_token={token}"),
        ),
        (FORM, |token| {
            format!("logout_token={}", percent_encode(token).replace('.', "%2E"))
        }),
    ];
    for (row, (media_type, body)) in bodies.into_iter().enumerate() {
        let (cookie, names) = scene.open(row);
        let body = body(&scene.token(&names));
        let request = Request::post(&endpoint)
            .header("Content-Type", media_type)
            .body(body.clone());
        assert_taken(&request.send(scene.hub.address()), &body);
        assert!(!scene.is_alive(&cookie), "{body}");
    }
    // As servers send it, which are no browsers.
    let (cookie, names) = scene.open(100);
    let request = logout_request(OP, &scene.token(&names))
        .header("User-Agent", "")
        .header("Sec-Fetch-Mode", "cors")
        .header("Sec-Fetch-Site", "cross-site")
        .header("Origin", "https://elsewhere.example");
    assert_taken(&request.send(scene.hub.address()), "a server's headers");
    assert!(!scene.is_alive(&cookie));
}

fn a_request_that_is_refused_leaves_the_session_alone(store: StoreKind) {
    let scene = Scene::start(store);
    let (cookie, names) = scene.open(0);
    let token = scene.token(&names);
    let endpoint = format!("/idp/{OP}/backchannel-logout");
    let form = |body: String| {
        Request::post(&endpoint)
            .header("Content-Type", FORM)
            .body(body)
    };
    let once = format!("logout_token={token}");
    let large = format!("{once}&padding={}", "x".repeat(16 * 1024 - once.len()));
    let media_type = "the body must be application/x-www-form-urlencoded";
    let json_body = json!({ "logout_token": token });
    let bare = Request::post(&endpoint).body(once.clone());
    let multipart = "multipart/form-data; boundary=b";
    let part = format!(
        "--b\r\nContent-Disposition: form-data; name=\"logout_token\"\r\n\r\n{token}\r\n--b--\r\n"
    );
    let query = Request::post(&format!("{endpoint}?{once}")).header("Content-Type", FORM);
    for (what, request, description) in [
        ("no token", form(String::new()), "logout_token is missing"),
        (
            "an empty token",
            form("logout_token=".to_owned()),
            "logout_token is missing",
        ),
        (
            "another field",
            form(format!("token={token}")),
            "logout_token is missing",
        ),
        (
            "a field in another case",
            form(format!("Logout_Token={token}")),
            "logout_token is missing",
        ),
        ("the token in the query", query, "logout_token is missing"),
        (
            "two tokens",
            form(format!("{once}&{once}")),
            "logout_token is given twice",
        ),
        (
            "an empty one and a token",
            form(format!("logout_token=&{once}")),
            "logout_token is given twice",
        ),
        (
            "JSON",
            Request::post(&endpoint).json(&json_body),
            media_type,
        ),
        ("no media type", bare.clone(), media_type),
        (
            "text",
            bare.clone().header("Content-Type", "text/plain"),
            media_type,
        ),
        (
            "a JWT",
            Request::post(&endpoint)
                .header("Content-Type", "application/logout+jwt")
                .body(token.clone()),
            media_type,
        ),
        (
            "multipart",
            Request::post(&endpoint)
                .header("Content-Type", multipart)
                .body(part),
            media_type,
        ),
        ("a body over 16 KiB", form(large), "the body is too large"),
    ] {
        assert_refused(&request.send(scene.hub.address()), description, what);
        assert!(scene.is_alive(&cookie), "{what}");
    }
    for method in ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        let request = Request::new(method, &format!("{endpoint}?{once}"));
        let answer = request
            .header("Content-Type", FORM)
            .body(once.clone())
            .send(scene.hub.address());
        assert_eq!(
            (answer.status, answer.header("allow")),
            (405, Some("POST")),
            "{method}"
        );
        assert_uncached(&answer, method);
        if method != "HEAD" {
            let expected = json!({
                "error": "invalid_request",
                "error_description": "the method must be POST",
            });
            assert_eq!(answer.json(), expected, "{method}");
        }
        assert!(scene.is_alive(&cookie), "{method}");
    }
    let stranger = logout_request("nobody", &token).send(scene.hub.address());
    let expected =
        json!({ "error": "not_found", "error_description": "there is no such identity provider" });
    assert_eq!((stranger.status, stranger.json()), (404, expected));
    assert_uncached(&stranger, "another provider");
    for target in [
        "/idp/",
        "/idp/op",
        "/idp/op/",
        "/idp/op/backchannel-logout/",
        "/idp/op/logout",
        "/IDP/op/backchannel-logout",
    ] {
        let request = Request::post(target).form(&[("logout_token", &token)]);
        assert_eq!(request.send(scene.hub.address()).status, 404, "{target}");
    }
    assert!(scene.is_alive(&cookie));
    assert_eq!(scene.receipts(), [] as [Value; 0]);
    // 16 KiB are not too large.
    let padding = "x".repeat(16 * 1024 - once.len() - "&padding=".len());
    assert_taken(
        &form(format!("{once}&padding={padding}")).send(scene.hub.address()),
        "16 KiB",
    );
    assert!(!scene.is_alive(&cookie));
}

fn a_body_may_come_in_chunks_that_are_whole(store: StoreKind) {
    let scene = Scene::start(store);
    let (cookie, names) = scene.open(0);
    let body = format!("logout_token={}", scene.token(&names));
    let (first, second) = body.split_at(100);
    let chunk = |text: &str| format!("{:x}\r\n{text}\r\n", text.len());
    let request = |body: String| {
        Request::post(&format!("/idp/{OP}/backchannel-logout"))
            .header("Content-Type", FORM)
            .header("Transfer-Encoding", "chunked")
            .body(body)
    };
    let send = |request: &Request| {
        // The server need not close a connection whose body it has given up.
        let mut stream = TcpStream::connect(scene.hub.address()).unwrap();
        request.send_over(&mut stream).unwrap()
    };
    let broken = request(format!("{}{}x\r\n", chunk(first), chunk(second)));
    assert_refused(
        &send(&broken),
        "the body did not arrive completely",
        "a broken chunk",
    );
    assert!(scene.is_alive(&cookie));
    let large = chunk(&"x".repeat(1024)).repeat(17);
    assert_refused(
        &send(&request(large)),
        "the body is too large",
        "more than 16 KiB whose length is not said",
    );
    let whole = request(format!("{}{}0\r\n\r\n", chunk(first), chunk(second)));
    assert_taken(&send(&whole), "two chunks");
    assert!(!scene.is_alive(&cookie));
}
