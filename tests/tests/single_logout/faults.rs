//! What upstreams do wrong. Nothing is lost, nothing is claimed, and the answer does not wait for
//! long.

use std::time::{Duration, Instant};

use logout_tests::http::{Answer, Request};
use logout_tests::hub::TestHub;
use logout_tests::skip::Run;
use logout_tests::stores::StoreKind;
use logout_tests::tls::Certificate;
use logout_tests::upstream::{Behaviour, ScriptedUpstream};
use serde_json::json;

use logout_tests::front::{SIGNED_OUT, admin, deliveries, platform, receipt, wait_until};

/// More than the hub may wait and the machine may dawdle.
const SOON: Duration = Duration::from_secs(10);

pub(crate) fn add(run: &mut Run) {
    run.on_every_store(
        "faults::whatever_an_upstream_does_wrong_the_sign_out_is_answered_and_delivered_later",
        &[],
        wrong_in_every_way,
    );
    run.on_every_store(
        "faults::an_upstream_that_asks_for_time_is_given_it",
        &[],
        retry_after,
    );
    run.on_every_store(
        "faults::a_certificate_that_nobody_vouches_for_gets_no_credential",
        &[],
        certificate,
    );
    run.on_every_store(
        "faults::a_delivery_that_never_succeeds_is_given_up_and_can_be_retried",
        &[],
        given_up,
    );
    run.test(
        "faults::a_login_that_the_upstream_does_not_answer_is_refused",
        &[],
        login_unanswered,
    );
}

/// What HCL DX says when it has signed somebody out.
fn signed_out() -> Behaviour {
    Behaviour::answer("200 OK", "content-type: application/json\r\n", SIGNED_OUT)
}

fn hub(store: StoreKind, upstream: &str, single_logout: &str) -> TestHub {
    let settings =
        format!("verify = false\nfirst_retry = \"10ms\"\nlast_retry = \"20ms\"\n{single_logout}");
    TestHub::on(
        store,
        &format!(
            "[single_logout]\n{settings}\n{}",
            platform("hcl-dx", upstream, "")
        ),
    )
    .unwrap()
}

/// Registers a session that only the test knows, and signs it out.
fn sign_out(hub: &TestHub, secret: &str) -> Answer {
    let registration =
        json!({ "platform": "hcl-dx", "subject": "alice", "cookies": { "LtpaToken2": secret } });
    let registered = admin(hub, Request::post("/api/sessions").json(&registration));
    assert_eq!(registered.status, 201, "{}", registered.text());
    Request::post("/dx/api/core/v1/auth/logout")
        .header("Cookie", &format!("LtpaToken2={secret}"))
        .send(hub.address())
}

fn wrong_in_every_way(store: StoreKind) {
    let html = "content-type: text/html\r\n";
    for (what, behaviour) in [
        ("slams the door", Behaviour::Slam),
        ("hangs", Behaviour::Hang),
        ("drips", Behaviour::Drip),
        ("never ends", Behaviour::Endless),
        (
            "speaks no HTTP",
            Behaviour::Answer(b"220 mail.example ESMTP\r\n".to_vec()),
        ),
        (
            "fails",
            Behaviour::answer("500 Internal Server Error", "", "oops"),
        ),
        (
            "is overloaded",
            Behaviour::answer("503 Service Unavailable", "", ""),
        ),
        (
            "redirects",
            Behaviour::answer(
                "302 Found",
                "location: http://127.0.0.1:1/elsewhere\r\n",
                "",
            ),
        ),
        (
            "shows a login page",
            Behaviour::answer("200 OK", html, "<html><form action='/login'></form></html>"),
        ),
        (
            "answers malformed JSON",
            Behaviour::answer(
                "200 OK",
                "content-type: application/json\r\n",
                "{\"redirectUrl\":",
            ),
        ),
    ] {
        let upstream = ScriptedUpstream::start([], behaviour);
        let hub = hub(
            store,
            &upstream.base(),
            "wait = \"300ms\"\nattempt_timeout = \"500ms\"",
        );
        let begun = Instant::now();
        let answer = sign_out(&hub, "a-token-of-the-products");
        assert!(
            begun.elapsed() < SOON,
            "an upstream that {what} holds up the answer"
        );
        assert_eq!(
            answer.status,
            200,
            "an upstream that {what}: {}",
            answer.text()
        );
        upstream.wait_for(1);
        wait_until("the attempt is noted", || {
            let delivery = deliveries(&receipt(&hub, &answer)).remove(0);
            delivery["attempts"] != 0
                || delivery["history"]
                    .as_array()
                    .is_some_and(|history| !history.is_empty())
        });
        let noted = deliveries(&receipt(&hub, &answer)).remove(0);
        assert_eq!(
            noted["state"], "pending",
            "an upstream that {what}: {noted}"
        );
        upstream.now(signed_out());
        wait_until("it is delivered", || {
            hub.advance(Duration::from_secs(60));
            deliveries(&receipt(&hub, &answer))[0]["state"] == "confirmed"
        });
        assert!(
            upstream
                .requests()
                .iter()
                .all(|request| request.starts_with("POST /")
                    && request.contains("LtpaToken2=a-token-of-the-products"))
        );
        let check =
            Request::get("/check/hcl-dx/x").header("Cookie", "LtpaToken2=a-token-of-the-products");
        let check = check
            .header("Logout-Check-Token", &hub.admin_token())
            .send(hub.admin_address());
        assert_eq!(check.status, 401);
    }
}

fn retry_after(store: StoreKind) {
    let busy = Behaviour::answer("429 Too Many Requests", "retry-after: 120\r\n", "");
    let upstream = ScriptedUpstream::start([busy], signed_out());
    let hub = hub(store, &upstream.base(), "wait = \"0ms\"");
    let answer = sign_out(&hub, "token");
    wait_until("the attempt is noted", || {
        deliveries(&receipt(&hub, &answer))[0]["attempts"] == 1
    });
    let delivery = deliveries(&receipt(&hub, &answer)).remove(0);
    assert_eq!(
        (&delivery["state"], &delivery["history"][0]["status"]),
        (&json!("pending"), &json!(429)),
        "{delivery}"
    );
    let at = |text: &serde_json::Value| -> i64 {
        let text = text.as_str().unwrap_or_else(|| panic!("{delivery}"));
        text.parse::<jiff::Timestamp>().unwrap().as_second()
    };
    assert!(
        at(&delivery["due"]) - at(&delivery["created"]) >= 120,
        "{delivery}"
    );
}

fn certificate(store: StoreKind) {
    let (certificate, other) = (Certificate::new(), Certificate::new());
    let product = TestHub::over_tls(
        &certificate,
        "[[platform]]\nname = \"hcl-dx\"\nvendor = \"hcl-dx\"\n",
    )
    .unwrap();
    let settings = "[single_logout]\nwait = \"5s\"\nverify = false\n";
    let hub_that_trusts = |certificate: &Certificate| {
        let trust = format!("upstream_ca_file = {:?}", certificate.file());
        TestHub::on(
            store,
            &format!("{settings}{}", platform("hcl-dx", &product.base(), &trust)),
        )
        .unwrap()
    };
    let wary = hub_that_trusts(&other);
    let answer = sign_out(&wary, "token");
    let delivery = deliveries(&receipt(&wary, &answer)).remove(0);
    assert_eq!(
        (&delivery["state"], &delivery["history"][0]["fault"]),
        (&json!("pending"), &json!("certificate")),
        "{delivery}"
    );
    let trusting = hub_that_trusts(&certificate);
    let answer = sign_out(&trusting, "token");
    assert_eq!(
        deliveries(&receipt(&trusting, &answer))[0]["state"],
        "confirmed"
    );
}

fn given_up(store: StoreKind) {
    let upstream =
        ScriptedUpstream::start([], Behaviour::answer("500 Internal Server Error", "", ""));
    let hub = hub(
        store,
        &upstream.base(),
        "wait = \"0ms\"\ngive_up_after = \"1h\"",
    );
    let answer = sign_out(&hub, "token");
    wait_until("it is given up", || {
        hub.advance(Duration::from_secs(300));
        deliveries(&receipt(&hub, &answer))[0]["state"] == "given-up"
    });
    let metrics = Request::get("/metrics").send(hub.admin_address()).text();
    assert!(
        metrics
            .lines()
            .any(|line| line.contains("given-up") && line.contains("hcl-dx")),
        "{metrics}"
    );
    upstream.now(signed_out());
    let session = receipt(&hub, &answer)["sessions"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        admin(
            &hub,
            Request::post(&format!("/api/deliveries/{session}/retry"))
        )
        .status,
        202
    );
    wait_until("it is delivered", || {
        hub.advance(Duration::from_secs(60));
        deliveries(&receipt(&hub, &answer))[0]["state"] == "confirmed"
    });
}

fn login_unanswered() {
    let upstream = ScriptedUpstream::start([], Behaviour::Slam);
    let hub = hub(StoreKind::Disk, &upstream.base(), "");
    let login = json!({ "username": "alice", "password": "x" });
    let answer = Request::post("/dx/api/core/v1/auth/login")
        .json(&login)
        .send(hub.address());
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert!(answer.cookie("LtpaToken2").is_none());
}
