//! The page of a receipt, which asks browsers to sign out at relying parties (OpenID Connect
//! Front-Channel Logout 1.0).

use logout_core::receipt::ReceiptId;
use logout_tests::front::admin;
use logout_tests::http::{Answer, Request, percent_encode};
use logout_tests::hub::TestHub;
use logout_tests::relying_party::{OK, TestRelyingParty};
use logout_tests::skip::Run;
use logout_tests::stores::StoreKind;
use serde_json::{Value, json};
use url::Url;

use crate::relying_parties::{PERSON, issuer, of_person, scene, settled, sign_out_person, told};

pub(crate) fn add(run: &mut Run) {
    run.test(
        "front_channel::the_page_of_a_receipt_asks_browsers_and_claims_nothing",
        &[],
        the_page_of_a_receipt_asks_browsers_and_claims_nothing,
    );
}

fn the_page_of_a_receipt_asks_browsers_and_claims_nothing() {
    let wiki = TestRelyingParty::start("wiki", OK);
    let parties = wiki.table("frontchannel_logout_uri = \"https://wiki.example/out\"")
        + "[[relying_party]]\nclient_id = \"old\"\nsession_required = true\n\
           frontchannel_logout_uri = \"https://old.example:8443/bye?a=%22b\"\n";
    let scene = scene(StoreKind::Disk, PERSON, &parties);
    of_person(&scene, "one", &json!({ "sub": "a-1", "sid": "s\"1" }));
    let receipt = sign_out_person(&scene.hub)["receipt"].clone();
    assert_eq!(settled(&scene.hub, &receipt, "wiki")["state"], "confirmed");
    let old = told(&scene.hub, &receipt, "old").remove(0);
    assert_eq!(
        (&old["channel"], &old["delivery"]),
        (&json!("browser"), &Value::Null)
    );
    let page = page(&scene.hub, &receipt);
    assert_eq!(page.status, 200);
    let policy = page.header("content-security-policy").unwrap();
    let frames = policy
        .split("; ")
        .find(|part| part.starts_with("frame-src"));
    assert_eq!(
        frames,
        Some("frame-src https://old.example:8443 https://wiki.example")
    );
    let html = page.text();
    let issuer = percent_encode(&issuer(&scene.hub));
    for (address, count) in [
        ("src=\"https://wiki.example/out\"".to_owned(), 1),
        (
            format!("src=\"https://old.example:8443/bye?a=%22b&#38;iss={issuer}&#38;sid=s%221\""),
            1,
        ),
        ("<iframe ".to_owned(), 2),
        (">asked</span>".to_owned(), 2),
        // Of the hub's own session and of the token.
        (">confirmed</span>".to_owned(), 1),
    ] {
        assert_eq!(html.matches(&address).count(), count, "{address} {html}");
    }
    // Of another person, who was never at an application that wants sessions.
    scene.register("bob", &json!({ "person": "bob@x.example" }));
    let order = json!({ "person": "bob@x.example" });
    let answer = admin(&scene.hub, Request::post("/api/logouts").json(&order)).json();
    let html = self::page(&scene.hub, &answer["receipt"]).text();
    assert_eq!(html.matches("<iframe ").count(), 1, "{html}");
}

fn page(hub: &TestHub, receipt: &Value) -> Answer {
    let id = ReceiptId::parse(receipt.as_str().unwrap()).unwrap();
    let pages = hub.services().receipt_pages.as_ref().expect("pages");
    let address = pages.address(id).expect("an address");
    let address = Url::parse(address.as_str()).unwrap();
    Request::get(address.path()).send(hub.address())
}
