//! Global Token Revocation, as Okta and Auth0 document it. No real client of it was driven.

use logout_tests::http::{Answer, Request};
use logout_tests::secret_file;
use logout_tests::skip::Run;
use logout_tests::stores::StoreKind;
use serde_json::{Value, json};

use crate::answers::assert_uncached;
use crate::scene::{OP, Scene, with, without};

pub(crate) fn add(run: &mut Run) {
    on_every_store! { run, "revocation";
        everything_of_the_subject_ends_at_every_platform
        a_token_counts_once
    }
    run.test(
        "revocation::who_asks_must_be_known",
        &[],
        who_asks_must_be_known,
    );
    run.test(
        "revocation::a_request_names_one_subject_of_this_provider",
        &[],
        a_request_names_one_subject_of_this_provider,
    );
    run.test(
        "revocation::no_answer_tells_who_exists",
        &[],
        no_answer_tells_who_exists,
    );
    run.test(
        "revocation::a_token_in_a_file_is_enough",
        &[],
        a_token_in_a_file_is_enough,
    );
    run.test(
        "revocation::an_address_counts_where_it_is_trusted",
        &[],
        an_address_counts_where_it_is_trusted,
    );
}

pub(crate) fn endpoint() -> String {
    format!("/idp/{OP}/global-token-revocation")
}

pub(crate) fn claims(scene: &Scene) -> Value {
    let claims = scene
        .idp
        .claims(scene.now(), &json!({ "sub": scene.idp.issuer() }));
    let address = format!("{}{}", scene.hub.base(), endpoint());
    without(&with(&claims, "aud", json!(address)), "events")
}

pub(crate) fn sign(scene: &Scene, claims: &Value) -> String {
    let typ = json!("global-token-revocation+jwt");
    scene
        .idp
        .sign_as(&with(&scene.idp.header(), "typ", typ), claims)
}

pub(crate) fn send(scene: &Scene, token: &str, body: &Value) -> Answer {
    Request::post(&endpoint())
        .json(body)
        .header("Authorization", &format!("Bearer {token}"))
        .send(scene.hub.address())
}

pub(crate) fn revoke(scene: &Scene, subject: &Value) -> Answer {
    send(
        scene,
        &sign(scene, &claims(scene)),
        &json!({ "sub_id": subject }),
    )
}

pub(crate) fn iss_sub(scene: &Scene, sub: &str) -> Value {
    json!({ "format": "iss_sub", "iss": scene.idp.issuer(), "sub": sub })
}

pub(crate) fn assert_done(answer: &Answer) {
    assert_eq!((answer.status, answer.text().as_str()), (204, ""));
    assert_uncached(answer, "204");
}

fn everything_of_the_subject_ends_at_every_platform(store: StoreKind) {
    let scene = Scene::start(store);
    // Of bob's login nothing ends.
    let bobs = json!({ "subject": "bob", "idp": { "iss": scene.idp.issuer(), "sub": "bob" } });
    scene.register("bobs", &bobs);
    for (row, name) in ["sub_id", "subject"].into_iter().enumerate() {
        let (first, _) = scene.open(row);
        let [second, third] = ["second", "third"].map(|cookie| format!("{cookie}-{row}"));
        let login = json!({ "iss": scene.idp.issuer(), "sub": "alice" });
        scene.register(&second, &json!({ "idp": login, "person": "p" }));
        // Of the same person, but no login is known of it.
        scene.register(&third, &json!({ "person": "p" }));
        let claims = claims(&scene);
        let body = json!({ name: iss_sub(&scene, "alice") });
        assert_done(&send(&scene, &sign(&scene, &claims), &body));
        assert_eq!(scene.alive(&[&first, &second, &third, "bobs"]), ["bobs"]);
        let receipts = scene.receipts();
        let token = json!({ "iss": claims["iss"], "jti": claims["jti"] });
        let receipt = receipts
            .iter()
            .find(|receipt| receipt["token"] == token)
            .unwrap();
        assert_eq!(receipt["reach"], "person");
    }
}

fn a_token_counts_once(store: StoreKind) {
    let scene = Scene::start(store);
    scene.open(1);
    let token = sign(&scene, &claims(&scene));
    let body = json!({ "sub_id": { "format": "opaque", "id": "alice" } });
    assert_done(&send(&scene, &token, &body));
    scene.hub.advance(std::time::Duration::from_secs(1));
    let (cookie, _) = scene.open(2);
    let again = send(&scene, &token, &body);
    assert_eq!(again.status, 401, "{}", again.text());
    assert!(scene.is_alive(&cookie));
}

fn who_asks_must_be_known() {
    let scene = Scene::start(StoreKind::Disk);
    let (cookie, names) = scene.open(1);
    let good = claims(&scene);
    let now = scene.now().as_secs();
    let body = json!({ "sub_id": iss_sub(&scene, "alice") });
    let tokens = [
        sign(&scene, &with(&good, "aud", json!(scene.hub.base()))),
        sign(&scene, &with(&good, "iss", json!("https://other.example"))),
        sign(&scene, &with(&good, "exp", json!(now - 31))),
        sign(&scene, &without(&good, "jti")),
        scene.idp.forge(&scene.idp.header(), &good),
        scene.token(&names),
        "rubbish".to_owned(),
    ];
    for token in &tokens {
        let answer = send(&scene, token, &body);
        assert_eq!(answer.status, 401, "{token}");
        let challenge = answer.header("www-authenticate").unwrap();
        assert!(
            challenge.starts_with("Bearer error=\"invalid_token\""),
            "{challenge}"
        );
        assert_uncached(&answer, token);
    }
    let post = || Request::post(&endpoint()).json(&body);
    for request in [
        post(),
        post().header("Authorization", "Basic YTpi"),
        post().header("Authorization", "Bearer "),
    ] {
        let answer = request.send(scene.hub.address());
        assert_eq!(
            (answer.status, answer.header("www-authenticate")),
            (401, Some("Bearer"))
        );
    }
    assert!(scene.is_alive(&cookie));
    let other = Request::get(&endpoint()).send(scene.hub.address());
    assert_eq!((other.status, other.header("allow")), (405, Some("POST")));
    let unknown = Request::post("/idp/nobody/global-token-revocation").send(scene.hub.address());
    assert_eq!(unknown.status, 404);
}

fn a_request_names_one_subject_of_this_provider() {
    let scene = Scene::start(StoreKind::Disk);
    let (cookie, _) = scene.open(1);
    let own = iss_sub(&scene, "alice");
    for (body, status) in [
        (json!({}), 400),
        (json!({ "sub_id": own, "subject": own }), 400),
        (json!({ "sub_id": "alice" }), 400),
        (
            json!({ "sub_id": { "format": "phone_number", "phone_number": "+1" } }),
            400,
        ),
        (
            json!({ "sub_id": { "format": "iss_sub", "iss": scene.idp.issuer() } }),
            400,
        ),
        (
            json!({ "sub_id": { "format": "iss_sub", "iss": "https://other.example", "sub": "alice" } }),
            403,
        ),
    ] {
        let answer = send(&scene, &sign(&scene, &claims(&scene)), &body);
        assert_eq!(answer.status, status, "{body}: {}", answer.text());
        assert!(answer.json()["error"].is_string(), "{body}");
        assert_uncached(&answer, "a refusal");
    }
    assert!(scene.is_alive(&cookie));
}

fn no_answer_tells_who_exists() {
    let scene = Scene::start(StoreKind::Disk);
    scene.open(1);
    for subject in [
        iss_sub(&scene, "nobody"),
        iss_sub(&scene, "alice"),
        json!({ "format": "email", "email": "alice@example.com" }),
        json!({ "format": "opaque", "id": "nobody" }),
    ] {
        assert_done(&revoke(&scene, &subject));
    }
}

fn a_token_in_a_file_is_enough() {
    let token = "a token that is long enough to be one";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("revocation.token");
    secret_file::write(&file, token);
    let line = format!("revocation_token_file = \"{}\"", file.display());
    let scene = Scene::with(StoreKind::Disk, &line, "reach = \"session\"");
    for row in 0..2 {
        let (cookie, _) = scene.open(row);
        assert_done(&send(
            &scene,
            token,
            &json!({ "sub_id": iss_sub(&scene, "alice") }),
        ));
        assert!(!scene.is_alive(&cookie));
    }
    assert_eq!(
        send(&scene, "a token that is long enough to be two", &json!({})).status,
        401
    );
}

fn an_address_counts_where_it_is_trusted() {
    let email = json!({ "format": "email", "email": "alice@example.com" });
    let person = json!({ "person": "alice@example.com" });
    for (lines, is_trusted) in [
        ("", false),
        ("person = \"email\"\nemail_trusted = true", true),
    ] {
        let scene = Scene::with(StoreKind::Disk, lines, "reach = \"session\"");
        scene.register("cookie", &person);
        assert_done(&revoke(&scene, &email));
        assert_eq!(scene.is_alive("cookie"), !is_trusted);
    }
}
