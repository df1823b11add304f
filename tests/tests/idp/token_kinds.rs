//! Every kind of logout token, and its answer. A session that the token names lives on where the
//! token is refused. The first rows are those that were tried at mod_auth_openidc
//! 2.4.12.3.

use logout_tests::idp::{CLIENT, EVENT, hmac_token, token_of};
use logout_tests::skip::Run;
use logout_tests::stores::StoreKind;
use serde_json::{Value, json};

use crate::answers::{assert_refused, assert_taken};
use crate::scene::{Scene, with, without};

pub(crate) fn add(run: &mut Run) {
    on_every_store! { run, "token_kinds";
        a_token_that_is_taken_ends_the_session_that_it_names
        a_token_that_is_refused_leaves_the_session_that_it_names_alone
        a_token_is_taken_once
        elliptic_curves_are_taken_where_they_are_configured
    }
}

fn a_token_that_is_taken_ends_the_session_that_it_names(store: StoreKind) {
    let scene = Scene::start(store);
    let now = scene.now().as_secs();
    type Change = Box<dyn Fn(&Value) -> Value>;
    let set = |name: &'static str, value: Value| -> Change {
        Box::new(move |claims| with(claims, name, value.clone()))
    };
    let cut = |name: &'static str| -> Change { Box::new(move |claims| without(claims, name)) };
    let rows: Vec<(&str, Change)> = vec![
        ("valid", Box::new(Value::clone)),
        ("sid only", cut("sub")),
        ("no exp", cut("exp")),
        ("aud a list", set("aud", json!(["others", CLIENT]))),
        ("iat five minutes old", set("iat", json!(now - 300))),
        ("iat five minutes ahead", set("iat", json!(now + 300))),
        ("iat with a fraction", set("iat", json!(now as f64 + 0.25))),
        ("exp just past", set("exp", json!(now - 29))),
        (
            "another event beside",
            set("events", json!({ EVENT: { "x": 1 }, "urn:x": {} })),
        ),
        ("unknown claims", set("trace", json!({ "deep": [null] }))),
    ];
    for (row, (what, change)) in rows.into_iter().enumerate() {
        let (cookie, names) = scene.open(row);
        let claims = change(&scene.idp.claims(scene.now(), &names));
        assert!(scene.is_alive(&cookie), "{what}");
        assert_taken(&scene.send(&scene.idp.sign(&claims)), what);
        assert!(!scene.is_alive(&cookie), "{what}");
    }
    for (row, typ) in ["JWT", "jwt", "LOGOUT+JWT", "application/logout+jwt"]
        .into_iter()
        .enumerate()
    {
        let (cookie, names) = scene.open(100 + row);
        let claims = scene.idp.claims(scene.now(), &names);
        let header = with(&scene.idp.header(), "typ", json!(typ));
        assert_taken(&scene.send(&scene.idp.sign_as(&header, &claims)), typ);
        assert!(!scene.is_alive(&cookie), "{typ}");
    }
    for (row, cut) in ["typ", "kid"].into_iter().enumerate() {
        let (cookie, names) = scene.open(200 + row);
        let claims = scene.idp.claims(scene.now(), &names);
        let header = without(&scene.idp.header(), cut);
        assert_taken(&scene.send(&scene.idp.sign_as(&header, &claims)), cut);
        assert!(!scene.is_alive(&cookie), "no {cut}");
    }
    // "sub only" ends what is left of that subject.
    let (cookie, _) = scene.open(500);
    assert_taken(
        &scene.send(&scene.token(&json!({ "sid": "unknown" }))),
        "unknown sid",
    );
    assert!(scene.is_alive(&cookie));
    assert_taken(
        &scene.send(&scene.token(&json!({ "sub": "alice" }))),
        "sub only",
    );
    assert!(!scene.is_alive(&cookie));
}

fn a_token_that_is_refused_leaves_the_session_that_it_names_alone(store: StoreKind) {
    let scene = Scene::start(store);
    let now = scene.now().as_secs();
    let (cookie, names) = scene.open(0);
    let idp = &scene.idp;
    let good = idp.claims(scene.now(), &names);
    let (header, issued) = (idp.header(), "iat is missing or more than 5 minutes away");
    let (event, subject) = (
        "events does not contain the logout event as an object",
        "sub and sid must be non-empty strings, and one of them is needed",
    );
    let (algorithm, unknown) = (
        "the algorithm of the token is not accepted",
        "the key of the token is not known",
    );
    let hmac = json!({ "alg": "HS256", "typ": "logout+jwt", "kid": "k1" });
    let neither = without(&without(&good, "sub"), "sid");
    let set = |name: &str, value: Value| idp.sign(&with(&good, name, value));
    let cut = |name: &str| idp.sign(&without(&good, name));
    let headed = |name: &str, value: Value| idp.sign_as(&with(&header, name, value), &good);
    let message_of_five = format!("{}.a.b", idp.sign(&good));
    let id_token = with(&good, "nonce", json!("n"));
    let rows = [
        ("no iat", cut("iat"), issued),
        (
            "no jti",
            cut("jti"),
            "jti is missing, empty or longer than 256 bytes",
        ),
        (
            "exp past",
            set("exp", json!(now - 30)),
            "exp is past or not a number",
        ),
        ("iat an hour old", set("iat", json!(now - 3_600)), issued),
        ("iat an hour ahead", set("iat", json!(now + 3_600)), issued),
        (
            "wrong aud",
            set("aud", json!("another-client")),
            "aud does not name the configured client",
        ),
        (
            "wrong iss",
            set("iss", json!("https://idp.example")),
            "iss is not the configured issuer",
        ),
        ("nonce", idp.sign(&id_token), "nonce must not be present"),
        ("no events", cut("events"), event),
        ("events {}", set("events", json!({})), event),
        ("events null", set("events", Value::Null), event),
        (
            "the event null",
            set("events", json!({ EVENT: null })),
            event,
        ),
        ("neither sub nor sid", idp.sign(&neither), subject),
        (
            "alg none",
            token_of(&json!({ "alg": "none", "typ": "logout+jwt" }), &good, ""),
            algorithm,
        ),
        (
            "alg none and a signature",
            token_of(&json!({ "alg": "none" }), &good, "c2ln"),
            algorithm,
        ),
        (
            "HS256 with the client secret",
            hmac_token(&hmac, &good, "test-only-secret-0123456789"),
            algorithm,
        ),
        (
            "HS256 with the public keys",
            hmac_token(&hmac, &good, &idp.key_set()),
            algorithm,
        ),
        (
            "garbage",
            "garbage".to_owned(),
            "the token is not a signed JWT",
        ),
        (
            "three parts of garbage",
            "a.b.c".to_owned(),
            "the header of the token is malformed",
        ),
        (
            "right key under an unknown kid",
            headed("kid", json!("k7")),
            unknown,
        ),
        (
            "wrong key",
            idp.forge(&header, &good),
            "the signature of the token is not valid",
        ),
        (
            "wrong key and no kid",
            idp.forge(&without(&header, "kid"), &good),
            unknown,
        ),
        (
            "encrypted",
            message_of_five,
            "the token is encrypted, which is not supported",
        ),
        // Beyond the table.
        (
            "aud a list of others",
            set("aud", json!(["a", "b"])),
            "aud does not name the configured client",
        ),
        (
            "no aud",
            cut("aud"),
            "aud does not name the configured client",
        ),
        ("no iss", cut("iss"), "iss is not the configured issuer"),
        (
            "iss with a slash",
            set("iss", json!(format!("{}/", idp.issuer()))),
            "iss is not the configured issuer",
        ),
        ("iat a text", set("iat", json!(now.to_string())), issued),
        (
            "exp null",
            set("exp", Value::Null),
            "exp is past or not a number",
        ),
        (
            "the event a list",
            set("events", json!({ EVENT: [] })),
            event,
        ),
        (
            "another event",
            set("events", json!({ "urn:x": {} })),
            event,
        ),
        ("sid empty", set("sid", json!("")), subject),
        ("sub a number", set("sub", json!(7)), subject),
        (
            "nonce null",
            set("nonce", Value::Null),
            "nonce must not be present",
        ),
        (
            "jti empty",
            set("jti", json!("")),
            "jti is missing, empty or longer than 256 bytes",
        ),
        (
            "jti long",
            set("jti", json!("j".repeat(257))),
            "jti is missing, empty or longer than 256 bytes",
        ),
        (
            "typ of an ID token's sibling",
            headed("typ", json!("at+jwt")),
            "the type of the token is not accepted",
        ),
        (
            "typ of an event",
            headed("typ", json!("secevent+jwt")),
            "the type of the token is not accepted",
        ),
        (
            "crit",
            headed("crit", json!(["b64"])),
            "the token has a critical extension",
        ),
        (
            "ES256 where RS256 is configured",
            idp.sign_as(&json!({ "alg": "ES256", "kid": "e1" }), &good),
            algorithm,
        ),
        (
            "RS512 where RS256 is configured",
            idp.sign_as(&json!({ "alg": "RS512", "kid": "k1" }), &good),
            algorithm,
        ),
        (
            "RS256 under the name of the other key",
            headed("kid", json!("e1")),
            unknown,
        ),
    ];
    for (what, token, description) in rows {
        assert_refused(&scene.send(&token), description, what);
        assert!(scene.is_alive(&cookie), "{what}");
    }
    assert_eq!(scene.receipts(), [] as [Value; 0]);
    // None of them has used up the name of the good one.
    assert_taken(&scene.send(&idp.sign(&good)), "the good one");
    assert!(!scene.is_alive(&cookie));
}

fn a_token_is_taken_once(store: StoreKind) {
    const REPEATED: &str = "the token has been carried out before";
    let scene = Scene::start(store);
    let (cookie, names) = scene.open(0);
    for names in [names, json!({ "sub": "nobody" })] {
        let claims = scene.idp.claims(scene.now(), &names);
        let token = scene.idp.sign(&claims);
        assert_taken(&scene.send(&token), "the first");
        for what in ["the second", "the third"] {
            assert_refused(&scene.send(&token), REPEATED, what);
        }
        // Its name is what counts, not how it is written.
        let otherwise = with(&claims, "exp", json!(scene.now().as_secs() + 60));
        assert_refused(
            &scene.send(&scene.idp.sign(&otherwise)),
            REPEATED,
            "written otherwise",
        );
    }
    assert!(!scene.is_alive(&cookie));
    assert_eq!(scene.receipts().len(), 1);
}

fn elliptic_curves_are_taken_where_they_are_configured(store: StoreKind) {
    let scene = Scene::with(
        store,
        "algorithms = [\"RS256\", \"ES256\"]",
        "reach = \"session\"",
    );
    let header = json!({ "alg": "ES256", "typ": "logout+jwt", "kid": "e1" });
    let (cookie, names) = scene.open(0);
    let claims = scene.idp.claims(scene.now(), &names);
    assert_refused(
        &scene.send(&scene.idp.forge(&header, &claims)),
        "the signature of the token is not valid",
        "wrong key",
    );
    let confused = with(&header, "kid", json!("k1"));
    assert_refused(
        &scene.send(&scene.idp.sign_as(&confused, &claims)),
        "the algorithm of the token is not accepted",
        "the name of the other key",
    );
    assert!(scene.is_alive(&cookie));
    assert_taken(&scene.send(&scene.idp.sign_as(&header, &claims)), "ES256");
    assert!(!scene.is_alive(&cookie));
    let (cookie, names) = scene.open(1);
    assert_taken(&scene.send(&scene.token(&names)), "RS256");
    assert!(!scene.is_alive(&cookie));
}
