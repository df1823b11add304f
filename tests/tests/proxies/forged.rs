//! Headers that a client writes and a proxy might take for its own, or the hub for the proxy's.

use logout_tests::http::Request;
use logout_tests::skip::Run;

use crate::flow::{assert_denied, credulous_product};
use crate::scene::{PUBLIC, Proxy, Scene};

const PAGE: &str = "/wps/myportal/page";

/// Each is sent alone and all are sent together.
const FORGED: &[(&str, &str)] = &[
    ("Forwarded", "for=127.0.0.1;host=127.0.0.1;proto=https"),
    ("Logout-Check-Token", "made-up"),
    ("Logout-Check-Token", ""),
    ("Prefer", "return=representation"),
    ("Prefer", "return=minimal"),
    ("X-Accel-Redirect", PUBLIC),
    ("X-Auth-Request-Redirect", PUBLIC),
    ("X-Envoy-Auth-Partial-Body", "true"),
    ("X-Envoy-Expected-Rq-Timeout-Ms", "600000"),
    ("X-Envoy-External-Address", "127.0.0.1"),
    ("X-Envoy-Internal", "true"),
    ("X-Envoy-Original-Path", PUBLIC),
    ("X-Envoy-Upstream-Rq-Timeout-Ms", "600000"),
    ("X-Forwarded-For", "127.0.0.1"),
    ("X-Forwarded-For", "nonsense, \"'<"),
    ("X-Forwarded-Host", "127.0.0.1"),
    ("X-Forwarded-Method", "OPTIONS"),
    ("X-Forwarded-Port", "0"),
    ("X-Forwarded-Prefix", "/check/portal"),
    ("X-Forwarded-Proto", "gopher"),
    ("X-Forwarded-Server", "hub"),
    ("X-Forwarded-Uri", PUBLIC),
    ("X-Forwarded-Uri", ""),
    ("X-Forwarded-Uri", "/wps/myportal/;jsessionid=one"),
    ("X-Forwarded-User", "alice"),
    ("X-HTTP-Method-Override", "OPTIONS"),
    ("X-Original-Method", "OPTIONS"),
    ("X-Original-Uri", PUBLIC),
    ("X-Original-Uri", ""),
    ("X-Original-Uri", "/wps/myportal/;jsessionid=one"),
    ("X-Original-Url", PUBLIC),
    ("X-Real-Ip", "127.0.0.1"),
    ("X-Rewrite-Url", PUBLIC),
    ("X-Sendfile", "/etc/passwd"),
];

/// Headers by which a client tells a proxy to drop others on the way.
const DROPPED: &[&str] =
    &["Cookie", "Logout-Check-Token", "Authorization", "X-Forwarded-Uri", "Cookie, Logout-Check-Token, X-Original-Uri"];

pub(crate) fn add(run: &mut Run, proxy: Proxy) {
    behind! { run, proxy;
        forged_headers_neither_open_nor_close
        headers_that_are_dropped_on_the_way_open_nothing
        an_ended_credential_beside_a_live_one_does_not_pass
    }
}

fn asking(cookie: Option<&str>) -> Request {
    let request = Request::get(PAGE);
    cookie.map_or(request.clone(), |cookie| request.header("Cookie", &format!("LtpaToken2={cookie}")))
}

fn forged_headers_neither_open_nor_close(proxy: &Proxy) {
    let product = credulous_product();
    let scene = Scene::start(proxy, product.address());
    scene.register("live");
    scene.register("ended");
    scene.sign_out("ended");
    let alone = FORGED.iter().map(std::slice::from_ref);
    for headers in alone.chain([FORGED]) {
        let with = |request: Request| headers.iter().fold(request, |request, (name, value)| request.header(name, value));
        assert_eq!(with(asking(Some("live"))).send(scene.address).status, 200, "{headers:?} closes");
        let before = product.requests().len();
        for cookie in [Some("ended"), Some("made-up"), None] {
            assert_eq!(with(asking(cookie)).send(scene.address).status, 401, "{cookie:?} {headers:?}");
        }
        assert_eq!(product.requests().len(), before, "nothing has reached the product");
    }
    let token = scene.check_token();
    let told = product.requests().iter().any(|request| request.contains(&token));
    assert!(!told, "the product learns the check's token");
}

fn headers_that_are_dropped_on_the_way_open_nothing(proxy: &Proxy) {
    let product = credulous_product();
    let scene = Scene::start(proxy, product.address());
    scene.register("live");
    scene.register("ended");
    scene.sign_out("ended");
    for names in DROPPED {
        for connection in [format!("close, {names}"), format!("{names}, close")] {
            let before = product.requests().len();
            for cookie in [Some("ended"), Some("made-up"), None] {
                assert_denied(&asking(cookie).header("Connection", &connection).send(scene.address));
            }
            assert_eq!(product.requests().len(), before, "nothing has reached the product");
        }
    }
}

fn an_ended_credential_beside_a_live_one_does_not_pass(proxy: &Proxy) {
    let product = credulous_product();
    let scene = Scene::start(proxy, product.address());
    scene.register("live");
    scene.register("ended");
    scene.sign_out("ended");
    let before = product.requests().len();
    for (first, second) in [("live", "ended"), ("ended", "live")] {
        let two = asking(Some(first)).header("Cookie", &format!("LtpaToken2={second}"));
        assert_denied(&two.send(scene.address));
        let one = Request::get(PAGE).header("Cookie", &format!("LtpaToken2={first}; LtpaToken2={second}"));
        assert_denied(&one.send(scene.address));
    }
    assert_eq!(product.requests().len(), before, "nothing has reached the product");
}
