//! How many revocations are carried out, and how many tokens that are not valid are looked at.

use std::time::Duration;

use logout_tests::http::{Answer, Request};
use logout_tests::hub::TestHub;
use logout_tests::idp::TestIdp;
use logout_tests::secret_file;
use logout_tests::skip::Run;
use logout_tests::stores::StoreKind;
use serde_json::{Value, json};

use crate::answers::assert_uncached;
use crate::revocation::{assert_done, claims, endpoint, iss_sub, revoke, send, sign};
use crate::scene::{OP, Scene, portal, with};

/// How many tokens that are not valid are looked at in a minute.
const GUESSES: usize = 30;

pub(crate) fn add(run: &mut Run) {
    for (name, body) in [
        (
            "revocation_limits::a_provider_has_so_many_a_minute",
            a_provider_has_so_many_a_minute as fn(),
        ),
        (
            "revocation_limits::what_is_refused_uses_nothing_up",
            what_is_refused_uses_nothing_up,
        ),
        (
            "revocation_limits::an_address_may_guess_so_often_and_keeps_nobody_else_out",
            an_address_may_guess_so_often_and_keeps_nobody_else_out,
        ),
        (
            "revocation_limits::a_used_token_is_a_guess",
            a_used_token_is_a_guess,
        ),
    ] {
        run.test(name, &[], body);
    }
}

fn limited(per_minute: u32) -> Scene {
    let line = format!("revocations_per_minute = {per_minute}");
    Scene::with(StoreKind::Disk, &line, "reach = \"session\"")
}

fn assert_too_many(answer: &Answer, retry_after: &str) {
    assert_eq!(
        (answer.status, answer.header("retry-after")),
        (429, Some(retry_after)),
        "{}",
        answer.text()
    );
    assert_eq!(answer.json()["error"], "too_many_requests");
    assert_uncached(answer, "429");
}

fn wait(scene: &Scene, seconds: u64) {
    scene.hub.advance(Duration::from_secs(seconds));
}

fn a_provider_has_so_many_a_minute() {
    let scene = limited(3);
    let alice = iss_sub(&scene, "alice");
    for row in 0..3 {
        let (cookie, _) = scene.open(row);
        assert_done(&revoke(&scene, &alice));
        assert!(!scene.is_alive(&cookie));
    }
    let (cookie, _) = scene.open(3);
    assert_too_many(&revoke(&scene, &alice), "20");
    wait(&scene, 19);
    assert_too_many(&revoke(&scene, &alice), "1");
    assert!(scene.is_alive(&cookie));
    // The token of a request that had to wait was not used.
    let token = sign(&scene, &claims(&scene));
    let body = json!({ "sub_id": alice });
    assert_too_many(&send(&scene, &token, &body), "1");
    wait(&scene, 1);
    assert_done(&send(&scene, &token, &body));
    assert!(!scene.is_alive(&cookie));
    assert_too_many(&revoke(&scene, &alice), "20");
}

fn what_is_refused_uses_nothing_up() {
    let scene = limited(1);
    let alice = iss_sub(&scene, "alice");
    let body = json!({ "sub_id": alice });
    let good = claims(&scene);
    let used = sign(&scene, &claims(&scene));
    assert_done(&send(&scene, &used, &body));
    wait(&scene, 60);
    let refused = |token: &str, body: &Value, status: u16| {
        let answer = send(&scene, token, body);
        assert_eq!(answer.status, status, "{}", answer.text());
    };
    for _ in 0..3 {
        refused(&used, &body, 401);
        refused("rubbish", &body, 401);
        refused(&scene.idp.forge(&scene.idp.header(), &good), &body, 401);
        let elsewhere = with(&good, "aud", json!("https://elsewhere.example"));
        refused(&sign(&scene, &elsewhere), &body, 401);
        refused(&sign(&scene, &claims(&scene)), &json!({}), 400);
        let other = json!({ "format": "iss_sub", "iss": "https://other.example", "sub": "alice" });
        refused(
            &sign(&scene, &claims(&scene)),
            &json!({ "sub_id": other }),
            403,
        );
    }
    let (cookie, _) = scene.open(1);
    assert_done(&revoke(&scene, &alice));
    assert!(!scene.is_alive(&cookie));
    assert_too_many(&revoke(&scene, &alice), "60");
}

fn an_address_may_guess_so_often_and_keeps_nobody_else_out() {
    let right = "a token that is long enough to be one";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("revocation.token");
    secret_file::write(&file, right);
    let line = format!("revocation_token_file = \"{}\"", file.display());
    let idp = TestIdp::start();
    let tables = format!("{}{}", idp.table(OP, &line), portal("reach = \"session\""));
    let hub = TestHub::on_store_behind_proxy(&StoreKind::Disk.empty(), &tables).unwrap();
    let scene = Scene { hub, idp };
    let body = json!({ "sub_id": iss_sub(&scene, "alice") });
    let from = |address: &str, token: &str| {
        Request::post(&endpoint())
            .json(&body)
            .header("Authorization", &format!("Bearer {token}"))
            .header("X-Forwarded-For", address)
            .send(scene.hub.address())
    };
    let (stranger, other) = ("192.0.2.1", "192.0.2.2");
    // A right one is no guess.
    for _ in 0..GUESSES {
        assert_done(&from(stranger, right));
    }
    for guess in 0..GUESSES {
        let answer = from(stranger, &format!("{right} {guess}"));
        assert_eq!(answer.status, 401, "{guess}");
    }
    assert_too_many(&from(stranger, "another"), "2");
    assert_too_many(&from(stranger, right), "2");
    assert_done(&from(other, right));
    // Its own tokens are taken, wherever they come from.
    assert_done(&from(stranger, &sign(&scene, &claims(&scene))));
    wait(&scene, 2);
    assert_done(&from(stranger, right));
    assert_eq!(from(stranger, "another").status, 401);
    assert_too_many(&from(stranger, right), "2");
}

fn a_used_token_is_a_guess() {
    let scene = Scene::start(StoreKind::Disk);
    let used = sign(&scene, &claims(&scene));
    let body = json!({ "sub_id": iss_sub(&scene, "alice") });
    assert_done(&send(&scene, &used, &body));
    for _ in 0..GUESSES {
        assert_eq!(send(&scene, &used, &body).status, 401);
    }
    assert_too_many(&send(&scene, &used, &body), "2");
    assert_done(&revoke(&scene, &iss_sub(&scene, "alice")));
}
