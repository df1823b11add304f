//! What a token ends, and what it leaves alone.

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use logout_tests::front::{Front, VENDORS, wait_until};
use logout_tests::http::Request;
use logout_tests::hub::TestHub;
use logout_tests::idp::{TestIdp, send_token};
use logout_tests::skip::Run;
use logout_tests::stores::StoreKind;
use logout_tests::{front, secret_file};
use serde_json::{Value, json};

use crate::scene::{OP, Scene, portal, receipts};

pub(crate) fn add(run: &mut Run) {
    on_every_store! { run, "endings";
        a_sid_ends_its_session_at_the_hub_and_at_the_product_and_a_sub_all_the_others
        a_sid_ends_all_of_the_person_where_sign_outs_reach_that_far
        a_sid_ends_the_session_of_its_login_alone
        a_sub_ends_every_session_of_its_logins
        a_token_that_contradicts_what_is_known_ends_nothing
        a_sub_with_an_unknown_sid_ends_only_sessions_of_which_no_sid_is_known
        an_unknown_login_is_a_success_that_leaves_no_receipt
        a_login_that_several_persons_share_ends_nothing
        a_session_learns_its_login_from_the_token_that_names_its_person
        a_provider_may_name_the_person_by_its_sub
        a_provider_may_name_the_person_by_an_e_mail_address_that_is_trusted
        two_providers_with_the_same_names_end_only_their_own_sessions
        a_provider_whose_e_mail_addresses_are_trusted_reaches_sessions_of_another
        a_session_that_was_opened_after_its_token_was_carried_out_is_not_of_it
    }
}

/// The receipt of the token with these claims.
fn receipt_of(hub: &TestHub, claims: &Value) -> Value {
    let token = json!({ "iss": claims["iss"], "jti": claims["jti"] });
    let mut of_token = receipts(hub)
        .into_iter()
        .filter(|receipt| receipt["token"] == token);
    let receipt = of_token.next().expect("a receipt");
    assert_eq!(of_token.next(), None);
    receipt
}

fn a_sid_ends_its_session_at_the_hub_and_at_the_product_and_a_sub_all_the_others(store: StoreKind) {
    let idp = TestIdp::start();
    let front = Front::with_tables(store, "wait = \"0ms\"", "session", &idp.table(OP, ""));
    let now = front.hub.services().clock.now();
    let login = |vendor, sub: &str, sid: &str| {
        let login = json!({ "iss": idp.issuer(), "sub": sub, "sid": sid });
        front.register(vendor, sub, json!({ "idp": login }))
    };
    let ended = VENDORS.map(|vendor| login(vendor, "alice", &format!("first at {vendor}")));
    let others = VENDORS.map(|vendor| login(vendor, "alice", &format!("second at {vendor}")));
    let bobs = VENDORS.map(|vendor| login(vendor, "bob", &format!("bob's at {vendor}")));
    for session in ended.iter().chain(&others).chain(&bobs) {
        assert!(front.is_alive(session) && front.passes(session));
    }
    for session in &ended {
        let vendor = session.vendor;
        let names = json!({ "sub": "alice", "sid": format!("first at {vendor}") });
        let claims = idp.claims(now, &names);
        let answer = send_token(front.hub.address(), OP, &idp.sign(&claims));
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (200, ""),
            "{vendor}"
        );
        assert!(!front.passes(session), "{vendor}");
        wait_until("the product is told", || !front.is_alive(session));
        let receipt = receipt_of(&front.hub, &claims);
        assert_eq!(
            (&receipt["reason"], &receipt["platform"], &receipt["reach"]),
            (&json!("identity-provider"), &Value::Null, &json!("session")),
            "{receipt}"
        );
        let sessions = receipt["sessions"].as_array().unwrap();
        assert_eq!(sessions.len(), 1, "{receipt}");
        assert_eq!(sessions[0]["platform"], vendor, "{receipt}");
        assert_eq!(sessions[0]["reason"], "identity-provider", "{receipt}");
    }
    assert!(
        others
            .iter()
            .all(|other| front.passes(other) && front.is_alive(other))
    );
    let claims = idp.claims(now, &json!({ "sub": "alice" }));
    let answer = send_token(front.hub.address(), OP, &idp.sign(&claims));
    assert_eq!(answer.status, 200);
    for session in &others {
        assert!(!front.passes(session), "{}", session.vendor);
        wait_until("the product is told", || !front.is_alive(session));
    }
    let receipt = receipt_of(&front.hub, &claims);
    assert_eq!(receipt["sessions"].as_array().unwrap().len(), 4);
    assert!(
        bobs.iter()
            .all(|bob| front.passes(bob) && front.is_alive(bob))
    );
    assert_eq!(receipts(&front.hub).len(), 5);
}

fn a_sid_ends_all_of_the_person_where_sign_outs_reach_that_far(store: StoreKind) {
    let idp = TestIdp::start();
    let front = Front::with_tables(store, "wait = \"0ms\"", "person", &idp.table(OP, ""));
    let now = front.hub.services().clock.now();
    let known = json!({ "idp": { "iss": idp.issuer(), "sid": "the browser's" } });
    let mut sessions = vec![front.register("hcl-dx", "alice", known)];
    // Of these nothing but the person is known.
    sessions.extend(VENDORS.map(|vendor| front.login(vendor)));
    let bob = front.register("assets", "bob", json!({}));
    let claims = idp.claims(now, &json!({ "sid": "the browser's" }));
    let answer = send_token(front.hub.address(), OP, &idp.sign(&claims));
    assert_eq!(answer.status, 200);
    for session in &sessions {
        assert!(!front.passes(session), "{}", session.vendor);
        wait_until("the product is told", || !front.is_alive(session));
    }
    assert!(front.passes(&bob) && front.is_alive(&bob));
    assert_eq!(receipt_of(&front.hub, &claims)["reach"], "person");
}

fn a_sid_ends_the_session_of_its_login_alone(store: StoreKind) {
    for token in [json!({ "sid": "1" }), json!({ "sid": "1", "sub": "alice" })] {
        let scene = Scene::start(store);
        scene.register_login("a", &json!({ "sub": "alice", "sid": "1" }));
        // The same browser's, of which the hub was told less.
        scene.register_login("b", &json!({ "sid": "1" }));
        scene.register_login("c", &json!({ "sub": "alice", "sid": "2" }));
        scene.register_login("d", &json!({ "sub": "alice" }));
        scene.register("e", &json!({}));
        scene.sign_out(&token);
        assert_eq!(scene.alive(&["a", "b", "c", "d", "e"]), ["c", "d", "e"]);
        assert_eq!(scene.receipts().len(), 1);
    }
}

fn a_sub_ends_every_session_of_its_logins(store: StoreKind) {
    let scene = Scene::start(store);
    scene.register_login("a", &json!({ "sub": "alice", "sid": "1" }));
    scene.register_login("b", &json!({ "sub": "alice", "sid": "2" }));
    scene.register_login("c", &json!({ "sub": "alice" }));
    scene.register_login("d", &json!({ "sub": "Alice" }));
    scene.register_login("e", &json!({ "sid": "1" }));
    scene.sign_out(&json!({ "sub": "alice" }));
    assert_eq!(scene.alive(&["a", "b", "c", "d", "e"]), ["d", "e"]);
}

fn a_token_that_contradicts_what_is_known_ends_nothing(store: StoreKind) {
    let scene = Scene::start(store);
    scene.register_login("a", &json!({ "sub": "alice", "sid": "1" }));
    scene.register_login("b", &json!({ "sub": "bob", "sid": "2" }));
    scene.register_login("c", &json!({ "sub": "bob" }));
    scene.sign_out(&json!({ "sub": "bob", "sid": "1" }));
    assert_eq!(scene.alive(&["a", "b", "c"]), ["a", "b", "c"]);
    assert_eq!(scene.receipts(), [] as [Value; 0]);
}

fn a_sub_with_an_unknown_sid_ends_only_sessions_of_which_no_sid_is_known(store: StoreKind) {
    let scene = Scene::start(store);
    scene.register_login("a", &json!({ "sub": "alice", "sid": "1" }));
    scene.sign_out(&json!({ "sub": "alice", "sid": "unknown" }));
    assert_eq!(scene.alive(&["a"]), ["a"]);
    scene.register_login("b", &json!({ "sub": "alice" }));
    scene.sign_out(&json!({ "sub": "alice", "sid": "unknown" }));
    assert_eq!(scene.alive(&["a", "b"]), ["a"]);
}

fn an_unknown_login_is_a_success_that_leaves_no_receipt(store: StoreKind) {
    let scene = Scene::start(store);
    scene.register_login("a", &json!({ "sub": "alice", "sid": "1" }));
    scene.sign_out(&json!({ "sid": "2" }));
    scene.sign_out(&json!({ "sub": "bob" }));
    scene.sign_out(&json!({ "sub": "bob", "sid": "2" }));
    // `sub` and `sid` are names of different things.
    scene.sign_out(&json!({ "sub": "1" }));
    scene.sign_out(&json!({ "sid": "alice" }));
    assert!(scene.is_alive("a"));
    assert_eq!(scene.receipts(), [] as [Value; 0]);
}

fn a_login_that_several_persons_share_ends_nothing(store: StoreKind) {
    let scene = Scene::start(store);
    let shared = json!({ "iss": scene.idp.issuer(), "sub": "kiosk", "sid": "1" });
    scene.register(
        "a",
        &json!({ "idp": shared, "person": "alice@example.com" }),
    );
    scene.register("b", &json!({ "idp": shared, "person": "bob@example.com" }));
    scene.sign_out(&json!({ "sid": "1" }));
    scene.sign_out(&json!({ "sub": "kiosk" }));
    assert_eq!(scene.alive(&["a", "b"]), ["a", "b"]);
    assert_eq!(scene.receipts(), [] as [Value; 0]);
}

fn a_session_learns_its_login_from_the_token_that_names_its_person(store: StoreKind) {
    const SECRET: &str = "a secret of thirty-two bytes or more";
    let folder = tempfile::tempdir().unwrap();
    let key_file = folder.path().join("key");
    secret_file::write(&key_file, SECRET);
    let rule = format!(
        "person = {{ from = \"claim\", claim = \"email\", algorithm = \"HS256\", key_file = \
         {key_file:?} }}"
    );
    let scene = Scene::of(store, TestIdp::start(), |idp| {
        let platform = portal(&rule)
            .replace("hcl-dx", "assets")
            .replace("upstream", "reach = \"session\"\nupstream");
        format!("{}{platform}", idp.table(OP, ""))
    });
    let learned = |sub: &str, sid: &str, secret: &str| {
        let claims = json!({
            "iss": scene.idp.issuer(),
            "sub": sub,
            "sid": sid,
            "email": "alice@example.com",
            "exp": 4_102_444_800_u64,
        });
        let key = EncodingKey::from_secret(secret.as_bytes());
        let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key).unwrap();
        let body = json!({ "platform": "portal", "subject": "alice", "bearer": token });
        let request = Request::post("/api/sessions").json(&body);
        let answer = front::admin(&scene.hub, request);
        assert_eq!(answer.status, 201, "{}", answer.text());
        let bearer = format!("Bearer {token}");
        (answer.json()["idp"].clone(), bearer)
    };
    let passes = |bearer: &String| front::passes(&scene.hub, "portal", "Authorization", bearer);
    let (login, first) = learned("alice", "1", SECRET);
    let expected = json!({ "iss": scene.idp.issuer(), "sub": "alice", "sid": "1" });
    assert_eq!(login, expected);
    let (_, second) = learned("alice", "2", SECRET);
    let (unverified, forged) = learned("alice", "3", "a secret of somebody else, as long");
    assert_eq!(unverified, Value::Null);
    scene.sign_out(&json!({ "sub": "alice", "sid": "1" }));
    assert_eq!(
        (passes(&first), passes(&second), passes(&forged)),
        (false, true, true)
    );
    scene.sign_out(&json!({ "sub": "alice" }));
    assert_eq!((passes(&second), passes(&forged)), (false, true));
}

fn a_provider_may_name_the_person_by_its_sub(store: StoreKind) {
    let scene = Scene::with(store, "person = \"sub\"", "reach = \"session\"");
    scene.register("a", &json!({ "person": "alice" }));
    scene.register("b", &json!({ "person": "alice" }));
    scene.register("c", &json!({ "person": "bob" }));
    scene.sign_out(&json!({ "sid": "alice" }));
    assert_eq!(scene.alive(&["a", "b", "c"]), ["a", "b", "c"]);
    scene.sign_out(&json!({ "sub": "alice", "sid": "1" }));
    assert_eq!(scene.alive(&["a", "b", "c"]), ["c"]);
    // Where the login is known, the person does not count.
    scene.register_login("d", &json!({ "sub": "bob", "sid": "1" }));
    scene.sign_out(&json!({ "sub": "bob" }));
    assert_eq!(scene.alive(&["c", "d"]), ["c"]);
}

fn a_provider_may_name_the_person_by_an_e_mail_address_that_is_trusted(store: StoreKind) {
    let lines = "person = \"email\"\nemail_trusted = true";
    let scene = Scene::with(store, lines, "reach = \"session\"");
    scene.register("a", &json!({ "person": "alice@example.com" }));
    scene.register("b", &json!({ "person": "bob@example.com" }));
    let email = "alice@example.com";
    for names in [
        json!({ "sub": email }),
        json!({ "sub": "7", "email": email, "email_verified": false }),
        json!({ "sub": "7", "email": email, "email_verified": "true" }),
        json!({ "sub": "7", "email": [email] }),
        json!({ "sub": "7", "email": "" }),
    ] {
        scene.sign_out(&names);
        assert_eq!(scene.alive(&["a", "b"]), ["a", "b"], "{names}");
    }
    scene.sign_out(&json!({ "sub": "7", "email": email, "email_verified": true }));
    assert_eq!(scene.alive(&["a", "b"]), ["b"]);
    scene.sign_out(&json!({ "sub": "8", "email": "bob@example.com" }));
    assert!(!scene.is_alive("b"));
}

/// A hub with two providers, where each has opened a session of the same person under the same
/// names: `a` and `b` are the cookies.
fn two_providers(store: StoreKind, first: &str) -> (Scene, TestIdp) {
    let other = TestIdp::start_another();
    let scene = Scene::of(store, TestIdp::start(), |idp| {
        format!(
            "{}{}{}",
            idp.table(OP, first),
            other.table("other", ""),
            portal("reach = \"session\"")
        )
    });
    for (cookie, issuer) in [("a", scene.idp.issuer()), ("b", other.issuer())] {
        let login = json!({ "iss": issuer, "sub": "alice", "sid": "1" });
        scene.register(
            cookie,
            &json!({ "idp": login, "person": "alice@example.com" }),
        );
    }
    (scene, other)
}

fn two_providers_with_the_same_names_end_only_their_own_sessions(store: StoreKind) {
    for names in [
        json!({ "sub": "alice", "email": "alice@example.com" }),
        json!({ "sid": "1", "email": "alice@example.com" }),
        json!({ "sub": "alice", "sid": "1", "email": "alice@example.com" }),
    ] {
        let (scene, other) = two_providers(store, "");
        let address = scene.hub.address();
        // Neither speaks for the other, wherever its token is sent.
        let token = scene.token(&names);
        assert_eq!(send_token(address, "other", &token).status, 400);
        let mut claims = scene.idp.claims(scene.now(), &names);
        claims["iss"] = other.issuer().into();
        assert_eq!(
            send_token(address, "other", &scene.idp.sign(&claims)).status,
            400
        );
        assert_eq!(
            send_token(address, OP, &scene.idp.sign(&claims)).status,
            400
        );
        assert_eq!(scene.alive(&["a", "b"]), ["a", "b"]);
        assert_eq!(scene.send(&token).status, 200);
        assert_eq!(scene.alive(&["a", "b"]), ["b"], "{names}");
        // Nobody is known from there any more.
        scene.sign_out(&names);
        assert!(scene.is_alive("b"), "{names}");
        // The same `jti` is another token's where another provider has chosen it.
        let mut claims = other.claims(scene.now(), &names);
        claims["jti"] = scene.receipts()[0]["token"]["jti"].clone();
        let answer = send_token(address, "other", &other.sign(&claims));
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(!scene.is_alive("b"), "{names}");
    }
}

fn a_provider_whose_e_mail_addresses_are_trusted_reaches_sessions_of_another(store: StoreKind) {
    let (scene, _other) = two_providers(store, "person = \"email\"\nemail_trusted = true");
    let names = json!({ "sub": "alice", "email": "alice@example.com" });
    // The login comes first, so only its own end.
    scene.sign_out(&names);
    assert_eq!(scene.alive(&["a", "b"]), ["b"]);
    scene.sign_out(&names);
    assert_eq!(scene.alive(&["a", "b"]), [] as [&str; 0]);
}

fn a_session_that_was_opened_after_its_token_was_carried_out_is_not_of_it(store: StoreKind) {
    let scene = Scene::start(store);
    let names = json!({ "sub": "alice", "sid": "1" });
    scene.register_login("a", &names);
    let token = scene.token(&names);
    assert_eq!(scene.send(&token).status, 200);
    scene.hub.advance(std::time::Duration::from_secs(1));
    scene.register_login("b", &names);
    let again = scene.send(&token);
    assert_eq!(again.status, 400, "{}", again.text());
    assert!(scene.is_alive("b"));
    // Nor is it of one that has found nothing to end.
    let early = scene.token(&json!({ "sub": "bob" }));
    assert_eq!(scene.send(&early).status, 200);
    scene.register_login("c", &json!({ "sub": "bob" }));
    for _ in 0..2 {
        assert_eq!(scene.send(&early).status, 400);
    }
    assert!(scene.is_alive("c"));
}
