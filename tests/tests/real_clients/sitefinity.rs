//! Sitefinity: the vendor's web-services SDK (MIT). It has no call for sign-out, which is why that
//! goes by plain HTTP.

use logout_tests::http::Request;
use logout_tests::hub::{Accounts, TestHub};
use logout_tests::node;
use logout_tests::skip::{Need, Run};
use serde_json::{Value, json};

pub(crate) fn add(run: &mut Run) {
    run.test(
        "sitefinity::the_web_services_sdk_is_refused_after_a_sign_out_with_its_token",
        &[Need::Node],
        sdk,
    );
    run.test(
        "sitefinity::the_web_services_sdk_is_signed_out_by_a_redirecting_sign_out_too",
        &[Need::Node],
        sdk_with_redirect,
    );
}

/// An access token by the documented password grant.
fn token(hub: &TestHub) -> String {
    let form = [
        ("grant_type", "password"),
        ("username", "alice"),
        ("password", Accounts::ALICE),
        ("client_id", "x"),
        ("client_secret", "y"),
    ];
    let answer = Request::post("/sitefinity/oauth/token")
        .form(&form)
        .send(hub.address());
    answer.json()["access_token"]
        .as_str()
        .expect("a token")
        .to_owned()
}

fn drive(hub: &TestHub, token: &str, sign_out: &str) -> Value {
    node::run(
        "sitefinity",
        &json!({ "base": hub.base(), "token": token, "signOut": sign_out }),
        None,
    )
}

fn sdk() {
    let hub = TestHub::start("sitefinity", &[]).unwrap();
    let (mine, other) = (token(&hub), token(&hub));
    let seen = drive(&hub, &mine, "/Sitefinity/SignOut?redirect=false");
    assert_eq!(seen["before"]["user"]["IsAuthenticated"], true, "{seen}");
    assert_eq!(seen["before"]["user"]["Username"], "alice", "{seen}");
    assert_eq!(
        seen["signOut"],
        json!({ "status": 200, "location": null, "body": "" })
    );
    assert_eq!(seen["after"]["status"], 401, "{seen}");
    assert_eq!(seen["after"]["code"], "Unauthorized", "{seen}");

    let probe = |token: &str| {
        Request::get("/api/default/users/current")
            .header("Authorization", &format!("Bearer {token}"))
            .send(hub.address())
            .status
    };
    assert_eq!((probe(&mine), probe(&other)), (401, 200));
}

fn sdk_with_redirect() {
    let hub = TestHub::start("sitefinity", &[]).unwrap();
    let seen = drive(&hub, &token(&hub), "/Sitefinity/SignOut?sts_signout=true");
    assert_eq!(
        (&seen["signOut"]["status"], &seen["signOut"]["location"]),
        (&json!(302), &json!("/")),
        "{seen}"
    );
    assert_eq!(
        (
            &seen["before"]["user"]["IsAuthenticated"],
            &seen["after"]["status"]
        ),
        (&json!(true), &json!(401)),
        "{seen}"
    );
}
