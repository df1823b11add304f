//! What holds behind every proxy.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use logout_tests::http::{Answer, Request};
use logout_tests::hub::{Accounts, TestHub};
use logout_tests::skip::Run;
use logout_tests::upstream::{Behaviour, ScriptedUpstream};
use serde_json::json;

use crate::scene::{PUBLIC, Proxy, Scene, wait_until};

/// An item that the product shows to those who are signed in.
const CONTENT: &str =
    "/dx/api/core/v1/dxmyrest/webcontent/contents/3f1c2a9e-0000-4000-8000-000000000002";
/// A page of the product that is not public.
const PAGE: &str = "/wps/myportal/page?a=b&c=%2F";
/// How long a proxy may wait for a hub that does not answer: the examples say 2 seconds, and this
/// machine may be slow.
const BOUND: Duration = Duration::from_secs(20);

pub(crate) fn add(run: &mut Run, proxy: Proxy) {
    behind! { run, proxy;
        a_live_credential_passes_and_an_ended_one_does_not
        every_sign_out_of_the_product_goes_to_the_hub
        a_hub_that_is_down_denies
        a_hub_that_does_not_answer_denies_in_time
        a_connection_from_before_the_sign_out_is_refused_at_its_next_request
    }
}

/// A product that opens everything to everybody, and answers a sign-out as HCL DX does.
pub(crate) fn credulous_product() -> ScriptedUpstream {
    ScriptedUpstream::start(
        [],
        Behaviour::answer("200 OK", "content-type: application/json\r\n", SIGNED_OUT),
    )
}

const SIGNED_OUT: &str = r#"{"redirectUrl":"/wps/portal","statusCode":200}"#;

/// A refusal, with nothing of the product in it.
#[track_caller]
pub(crate) fn assert_denied(answer: &Answer) {
    assert!((400..=599).contains(&answer.status), "{}", answer.status);
    assert!(!answer.text().contains("redirectUrl"), "{}", answer.text());
}

fn a_live_credential_passes_and_an_ended_one_does_not(proxy: &Proxy) {
    let content = "track_logged_out_tokens = false\n[[platform.content]]\nid = \"3f1c2a9e-0000-4000-8000-000000000002\"\ntitle = \"Members\"\n";
    let product = TestHub::start("hcl-dx", &[content.to_owned()]).unwrap();
    let scene = Scene::start(proxy, product.address());

    let login = json!({ "username": "alice", "password": Accounts::ALICE });
    let answer = Request::post("/dx/api/core/v1/auth/login")
        .json(&login)
        .send(scene.address);
    let token = answer
        .cookie("LtpaToken2")
        .unwrap_or_else(|| panic!("{} {}", answer.status, answer.text()))
        .to_owned();
    let foreign = Request::post("/dx/api/core/v1/auth/login")
        .json(&login)
        .send(product.address());
    let foreign = foreign.cookie("LtpaToken2").unwrap().to_owned();

    assert_eq!(scene.get(CONTENT, &token).status, 200);
    let cookies = format!("a=b; LtpaToken2={token}; c=\"d\"");
    let posted = Request::post("/dx/api/core/v1/auth/validate")
        .header("Cookie", &cookies)
        .body("a body that only the product gets");
    assert_eq!(posted.send(scene.address).status, 200);
    assert_eq!(
        Request::get(PUBLIC).send(scene.address).status,
        200,
        "strangers see the public page"
    );
    assert_eq!(
        Request::get(CONTENT).send(scene.address).status,
        401,
        "and no other"
    );
    assert_eq!(scene.get(CONTENT, "made-up").status, 401);
    assert_eq!(
        scene.get(CONTENT, &foreign).status,
        401,
        "the hub has not seen it begin, whatever the product says"
    );

    scene.sign_out(&token);
    let at_the_product = Request::get(CONTENT)
        .header("Cookie", &format!("LtpaToken2={token}"))
        .send(product.address());
    assert_eq!(at_the_product.status, 200, "the product still takes it");
    assert_eq!(scene.get(CONTENT, &token).status, 401, "the check does not");
    assert_eq!(scene.get(PUBLIC, &token).status, 200);
}

/// The product's own sign-out calls; see `docs/vendors/hcl-dx.md`.
const SIGN_OUTS: [(&str, &str); 5] = [
    ("POST", "/dx/api/core/v1/auth/logout"),
    (
        "GET",
        "/wps/myportal/!ut/p/a1/04_SD9OPcrMKyc9PLXZ2iXfUj9SPstSPzMnXL8hxVAQAAFhKBg!!",
    ),
    ("GET", "/wps/ibm_security_logout?logoutExitPage=/wps/portal"),
    ("POST", "/wps/portal/ibm_security_logout"),
    ("GET", "/wps/myportal/!ut/p/ibm_security_logout;x=1"),
];

fn every_sign_out_of_the_product_goes_to_the_hub(proxy: &Proxy) {
    let product = credulous_product();
    let scene = Scene::start(proxy, product.address());
    for (number, (method, target)) in SIGN_OUTS.into_iter().enumerate() {
        let cookie = format!("session-{number}");
        scene.register(&cookie);
        assert_eq!(scene.get(PAGE, &cookie).status, 200);
        let out = Request::new(method, target)
            .header("Cookie", &format!("LtpaToken2={cookie}"))
            .send(scene.address);
        assert!(
            out.header("logout-receipt").is_some(),
            "{target}: {} {}",
            out.status,
            out.text()
        );
        assert_eq!(scene.get(PAGE, &cookie).status, 401, "{target}");
    }
}

fn a_hub_that_is_down_denies(proxy: &Proxy) {
    let product = credulous_product();
    let scene = Scene::start(proxy, product.address());
    scene.register("one");
    assert_eq!(scene.get(PAGE, "one").status, 200);
    let before = product.requests().len();
    scene.hub.signal("KILL");
    // Its sockets are closed when it has ended, a moment after the signal.
    wait_until(
        || scene.hub.errors(),
        || TcpStream::connect(scene.hub.admin_address()).is_err(),
    );
    for cookie in ["one", "made-up", "one"] {
        assert_denied(&scene.get(PAGE, cookie));
    }
    assert_eq!(
        product.requests().len(),
        before,
        "nothing has reached the product"
    );
}

fn a_hub_that_does_not_answer_denies_in_time(proxy: &Proxy) {
    let product = credulous_product();
    let scene = Scene::start(proxy, product.address());
    scene.register("one");
    assert_eq!(scene.get(PAGE, "one").status, 200);
    let before = product.requests().len();
    scene.hub.signal("STOP");
    // Its threads stop a moment after the signal; until then they answer.
    wait_until(|| scene.hub.errors(), || scene.hub.is_stopped());
    let begun = Instant::now();
    let denied = scene.get(PAGE, "one");
    let took = begun.elapsed();
    scene.hub.signal("CONT");
    assert_denied(&denied);
    assert!(took < BOUND, "{took:?}");
    assert_eq!(
        product.requests().len(),
        before,
        "nothing has reached the product"
    );
    wait_until(
        || scene.hub.errors(),
        || scene.get(PAGE, "one").status == 200,
    );
}

fn a_connection_from_before_the_sign_out_is_refused_at_its_next_request(proxy: &Proxy) {
    let product = credulous_product();
    let scene = Scene::start(proxy, product.address());
    scene.register("one");
    let request = Request::get(PAGE)
        .header("Cookie", "LtpaToken2=one")
        .header("Connection", "keep-alive");
    let mut connections: Vec<TcpStream> = (0..3)
        .map(|_| TcpStream::connect(scene.address).unwrap())
        .collect();
    for connection in &mut connections {
        assert_eq!(request.send_over(connection).unwrap().status, 200);
    }
    scene.sign_out("one");
    let before = product.requests().len();
    for connection in &mut connections {
        assert_eq!(request.send_over(connection).unwrap().status, 401);
    }
    assert_eq!(
        product.requests().len(),
        before,
        "nothing has reached the product"
    );
}
