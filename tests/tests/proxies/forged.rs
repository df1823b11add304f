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
    ("Purpose", "prefetch"),
    ("Sec-Purpose", "prefetch;prerender"),
    ("X-Moz", "prefetch"),
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

/// Addresses that a proxy might take for one of those that it does not ask about, and the product
/// for another.
const ADDRESSES: &[&str] = &[
    "/",
    "//",
    "*",
    "/wps/portal",
    "/wps/portal/",
    "/wps/portal/../myportal/page",
    "/wps/portal/%2e%2e/myportal/page",
    "/wps/portal/..%2fmyportal/page",
    "/wps/portal/..;/myportal/page",
    "/wps/portal;/../myportal/page",
    "/wps/portal%00/../myportal/page",
    "/wps/portal%5c..%5cmyportal/page",
    "/wps/portal\\..\\myportal\\page",
    "/wps/portal?/../myportal/page",
    "/wps/portal#/../myportal/page",
    "/WPS/PORTAL/../myportal/page",
    "/wps//portal/../myportal/page",
    "//wps/myportal/page",
    "/./wps/myportal/page",
    "/wps/myportal/page/../../portal",
    "/wps/myportal/!ut/p/../../page",
    "/wps/myportal/!ut/p/%2e%2e/%2e%2e/page",
    "/receipts/../wps/myportal/page",
    "/receipts/..%2fwps/myportal/page",
    "/wps/ibm_security_logout/../myportal/page",
    "/wps/ibm_security_logout/%2e%2e/myportal/page",
    "/wps/ibm_security_logout;/../myportal/page",
    "/dx/api/core/v1/auth/login/../validate",
    "/dx/api/core/v1/auth/login%2f..%2fvalidate",
    "/dx/api/core/v1/auth/logins",
    "/logout-hub-check",
    "/check/portal",
    "http://portal.example.com/wps/myportal/page",
    "http://portal.example.com/wps/portal/../myportal/page",
    "HTTP://portal.example.com//wps/myportal/page",
];

const METHODS: &[&str] = &[
    "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PROPFIND", "TRACE",
];

/// Headers by which a client tells a proxy to drop others on the way.
const DROPPED: &[&str] = &[
    "Cookie",
    "Logout-Check-Token",
    "Authorization",
    "X-Forwarded-Uri",
    "Cookie, Logout-Check-Token, X-Original-Uri",
];

pub(crate) fn add(run: &mut Run, proxy: Proxy) {
    behind! { run, proxy;
        forged_headers_neither_open_nor_close
        headers_that_are_dropped_on_the_way_open_nothing
        an_ended_credential_beside_a_live_one_does_not_pass
        an_ended_credential_reaches_the_product_by_no_address_and_no_method
    }
}

fn asking(cookie: Option<&str>) -> Request {
    let request = Request::get(PAGE);
    cookie.map_or(request.clone(), |cookie| {
        request.header("Cookie", &format!("LtpaToken2={cookie}"))
    })
}

fn forged_headers_neither_open_nor_close(proxy: &Proxy) {
    let product = credulous_product();
    let scene = Scene::start(proxy, product.address());
    scene.register("live");
    scene.register("ended");
    scene.sign_out("ended");
    let alone = FORGED.iter().map(std::slice::from_ref);
    for headers in alone.chain([FORGED]) {
        let with = |request: Request| {
            headers.iter().fold(request, |request, (name, value)| {
                request.header(name, value)
            })
        };
        assert_eq!(
            with(asking(Some("live"))).send(scene.address).status,
            200,
            "{headers:?} closes"
        );
        let before = product.requests().len();
        for cookie in [Some("ended"), Some("made-up"), None] {
            assert_eq!(
                with(asking(cookie)).send(scene.address).status,
                401,
                "{cookie:?} {headers:?}"
            );
        }
        assert_eq!(
            product.requests().len(),
            before,
            "nothing has reached the product"
        );
    }
    let token = scene.check_token();
    let told = product
        .requests()
        .iter()
        .any(|request| request.contains(&token));
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
                assert_denied(
                    &asking(cookie)
                        .header("Connection", &connection)
                        .send(scene.address),
                );
            }
            assert_eq!(
                product.requests().len(),
                before,
                "nothing has reached the product"
            );
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
        let one = Request::get(PAGE).header(
            "Cookie",
            &format!("LtpaToken2={first}; LtpaToken2={second}"),
        );
        assert_denied(&one.send(scene.address));
    }
    assert_eq!(
        product.requests().len(),
        before,
        "nothing has reached the product"
    );
}

fn an_ended_credential_reaches_the_product_by_no_address_and_no_method(proxy: &Proxy) {
    let product = credulous_product();
    let scene = Scene::start(proxy, product.address());
    scene.register("live");
    scene.register("ended");
    scene.sign_out("ended");
    let seen = |what: &str| {
        product
            .requests()
            .iter()
            .filter(|request| request.contains(what))
            .count()
    };
    // The hub itself has told the product of the sign-out by that very credential.
    let before = seen("LtpaToken2=ended");
    let every_address = ADDRESSES.iter().map(|address| ("GET", *address));
    let every_method = METHODS
        .iter()
        .flat_map(|method| [(*method, PAGE), (*method, "/wps/portal/../myportal/page")]);
    for (method, address) in every_address.chain(every_method) {
        let request = Request::new(method, address).header("Cookie", "LtpaToken2=ended");
        // Some of these are no HTTP to some proxies, which hang up on them.
        let _ = request
            .header("Authorization", "Basic made-up-and-ended")
            .try_send(scene.address);
    }
    assert_eq!(
        seen("LtpaToken2=ended"),
        before,
        "{:#?}",
        product.requests()
    );
    assert_eq!(seen("made-up-and-ended"), 0, "{:#?}", product.requests());
    assert_eq!(scene.get(PAGE, "live").status, 200);
    assert_eq!(seen("LtpaToken2=live"), 1);
}
