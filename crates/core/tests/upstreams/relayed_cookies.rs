//! Cookies of relayed logins: where a sign-out removes them.

use futures_executor::block_on;
use logout_core::LogoutProvider as _;
use logout_core::message::{Method, Request};
use logout_core::upstream::UpstreamAnswer;

use super::login_relay::{header, relay};
use super::{Simple, World, world};

/// A login whose answer has these `Set-Cookie` headers, at `path`; then the sign-out's `Set-Cookie`
/// headers.
fn cleared(world: &World, path: &str, set: &[&str], secret: &str) -> Vec<String> {
    let headers = set.iter().map(|value| header("set-cookie", value));
    let (relay, _) = relay(
        world,
        Ok(UpstreamAnswer::new(200)
            .with_headers(headers)
            .with_body(b"hello alice")),
    );
    block_on(relay.login(&Request::new(Method::Post, path))).unwrap();
    let request = Request::new(Method::Post, "/out").with_header("cookie", format!("sid={secret}"));
    let response =
        logout_core::message::Response::from(block_on(Simple.logout(&request, &world.sessions)));
    let cookies = response
        .headers()
        .iter()
        .filter(|(name, _)| *name == "set-cookie");
    cookies
        .map(|(_, value)| value.replace("; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT", ""))
        .collect()
}

#[test]
fn a_sign_out_removes_cookies_where_the_login_was_seen_to_put_them() {
    for (path, set, removed) in [
        (
            "/services/login",
            "sid=s1; Path=/services; HttpOnly",
            "sid=; HttpOnly; Path=/services",
        ),
        (
            "/services/login",
            "sid=s1; Secure",
            "sid=; Secure; Path=/services",
        ),
        ("/login", "sid=s1", "sid=; Path=/"),
        (
            "/login",
            "sid=s1; Path=/x; Domain=.internal",
            "sid=; Path=/x",
        ),
        (
            "/login",
            "sid=s1; Path=/; Domain=cms.example",
            "sid=; Path=/; Domain=cms.example",
        ),
        (
            "/login",
            "sid=s1; Path=/; Secure; SameSite=None; Partitioned; Max-Age=9",
            "sid=; SameSite=None; Partitioned; Secure; Path=/",
        ),
    ] {
        let cleared = cleared(&world(), path, &[set, "theme=dark; Path=/"], "s1");
        // The first is the adapter's own.
        assert_eq!(cleared, ["sid=", removed], "{set}");
    }
}

#[test]
fn a_renewed_session_is_removed_from_every_place_that_was_seen() {
    let world = world();
    let (relay, _) = relay(
        &world,
        Ok(UpstreamAnswer::new(200)
            .with_header("set-cookie", "sid=s1; Path=/a")
            .with_body(b"hello alice")),
    );
    block_on(relay.login(&Request::new(Method::Post, "/login"))).unwrap();
    let (relay, _) = self::relay(
        &world,
        Ok(UpstreamAnswer::new(200)
            .with_header("set-cookie", "sid=s2; Path=/b")
            .with_body(b"hello alice")),
    );
    block_on(relay.login(&Request::new(Method::Post, "/refresh").with_header("cookie", "sid=s1")))
        .unwrap();
    let request = Request::new(Method::Post, "/out").with_header("cookie", "sid=s2");
    let response =
        logout_core::message::Response::from(block_on(Simple.logout(&request, &world.sessions)));
    for path in ["Path=/a;", "Path=/b;"] {
        assert!(
            response
                .headers()
                .iter()
                .any(|(name, value)| *name == "set-cookie" && value.contains(path)),
            "{response:?}"
        );
    }
}
