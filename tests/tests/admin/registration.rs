//! Sessions that an application's login hook hands over.

mod idp_login;
mod listing;

use std::time::Duration;

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use logout_core::ports::Clock as _;
use logout_suite::testing::ManualClock;
use logout_tests::http::Request;
use logout_tests::hub::{Accounts, TestHub};
use logout_tests::secret_file;
use logout_tests::skip::Run;
use logout_tests::stores::StoreKind;
use serde_json::{Value, json};

use self::idp_login::{
    the_login_of_a_registered_session_is_listed,
    what_is_wrong_with_a_login_is_said_by_name_and_nothing_is_registered,
};
use self::listing::{
    a_listing_by_subject_goes_on_where_its_page_ended,
    sessions_are_listed_by_platform_person_realm_and_subject,
};
use crate::{
    admin, assert_is_problem, assert_names_field, fronts, listed, nobody, platform, register, text,
};

pub(crate) fn add(run: &mut Run) {
    on_every_store! { run, "registration";
        a_registered_session_is_listed_with_all_that_was_said_of_it_save_what_opens_it
        without_a_person_the_platform_s_rule_says_who_it_is_and_without_an_expiry_its_absolute_timeout_counts
        a_platform_may_have_the_person_said_by_a_claim_of_a_token_that_its_key_has_signed
        registering_the_same_credential_again_gives_the_same_session
        a_further_credential_of_a_known_session_ends_with_it
        a_credential_that_was_signed_out_is_not_registered_again
        an_expiry_is_a_time_or_seconds_since_1970
        what_is_wrong_with_a_registration_is_said_by_name_and_nothing_is_registered
        a_made_up_member_is_not_repeated_at_length
        each_product_s_credentials_are_taken
        sessions_are_listed_by_platform_person_realm_and_subject
        a_listing_by_subject_goes_on_where_its_page_ended
        the_login_of_a_registered_session_is_listed
        what_is_wrong_with_a_login_is_said_by_name_and_nothing_is_registered
    }
}

fn post(hub: &TestHub, body: &Value) -> logout_tests::http::Answer {
    admin(hub, Request::post("/api/sessions").json(body))
}

fn with(changes: Value) -> Value {
    let mut body =
        json!({ "platform": "portal", "subject": "alice", "cookies": { "LtpaToken2": "secret" } });
    body.as_object_mut()
        .unwrap()
        .extend(changes.as_object().unwrap().clone());
    body
}

fn a_registered_session_is_listed_with_all_that_was_said_of_it_save_what_opens_it(
    store: StoreKind,
) {
    let hub = fronts(store);
    let body = json!({
        "platform": "dam",
        "subject": { "name": "Alice" },
        "person": "alice@corp.example",
        "client": "desktop",
        "cookies": { "authToken": "canary-cookie" },
        "bearer": "canary-bearer",
        "csrf": "canary-csrf",
        "expires": "2026-10-01T00:00:00Z",
        "address": "192.0.2.7",
        "user_agent": "x".repeat(300),
    });
    let answer = post(&hub, &body);
    assert_eq!(answer.status, 201, "{}", answer.text());
    let session = answer.json();
    // In the spelling that a login at the product would have been learned in.
    assert_eq!(
        (&session["subject"], &session["realm"]),
        (&json!("alice"), &json!(""))
    );
    for (member, value) in [
        ("platform", json!("dam")),
        ("person", json!("alice@corp.example")),
        ("client", json!("desktop")),
        ("upstream", json!(true)),
        ("expires", json!("2026-10-01T00:00:00Z")),
        ("address", json!("192.0.2.7")),
        ("user_agent", json!("x".repeat(256))),
    ] {
        assert_eq!(session[member], value, "{member}");
    }
    assert_eq!(listed(&hub, ""), std::slice::from_ref(&session));
    assert!(
        !admin(&hub, Request::get("/api/sessions"))
            .text()
            .contains("canary")
    );
}

fn without_a_person_the_platform_s_rule_says_who_it_is_and_without_an_expiry_its_absolute_timeout_counts(
    store: StoreKind,
) {
    let hub = fronts(store);
    let session = register(&hub, "Alice", "one");
    assert_eq!(session["person"], "alice@example.com");
    hub.advance(Duration::from_secs(12 * 60 * 60 - 1));
    assert_eq!(listed(&hub, "").len(), 1);
    hub.advance(Duration::from_secs(1));
    assert_eq!(listed(&hub, "").len(), 0);
}

fn a_platform_may_have_the_person_said_by_a_claim_of_a_token_that_its_key_has_signed(
    store: StoreKind,
) {
    let folder = tempfile::tempdir().unwrap();
    let key_file = folder.path().join("key");
    secret_file::write(&key_file, "a secret of thirty-two bytes or more");
    let rule = format!(
        "from = \"claim\", claim = \"email\", lowercase = true, algorithm = \"HS256\", key_file = {key_file:?}"
    );
    let hub = TestHub::on(
        store,
        &platform("shop", "wix", &nobody(), &format!("person = {{ {rule} }}")),
    )
    .unwrap();
    for (key, person) in [
        (
            "a secret of thirty-two bytes or more",
            json!("alice@corp.example"),
        ),
        ("somebody else's secret", json!(null)),
    ] {
        // Two tokens that sign the same are the same credential.
        let claims = json!({ "email": "Alice@Corp.example", "exp": 4_102_444_800_u64, "jti": key });
        let key = EncodingKey::from_secret(key.as_bytes());
        let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key).unwrap();
        let answer = post(
            &hub,
            &json!({ "platform": "shop", "subject": "alice", "bearer": token }),
        );
        assert_eq!(
            (answer.status, &answer.json()["person"]),
            (201, &person),
            "{}",
            answer.text()
        );
    }
}

fn registering_the_same_credential_again_gives_the_same_session(store: StoreKind) {
    let hub = fronts(store);
    let first = register(&hub, "alice", "one");
    let again = post(&hub, &with(json!({ "cookies": { "LtpaToken2": "one" } })));
    assert_eq!((again.status, &again.json()["id"]), (200, &first["id"]));
    let other = register(&hub, "alice", "two");
    assert_ne!(other["id"], first["id"]);
    assert_eq!(listed(&hub, "").len(), 2);
}

fn a_further_credential_of_a_known_session_ends_with_it(store: StoreKind) {
    let hub = fronts(store);
    let dam = |subject: &str, cookie: &str, bearer: &str| {
        post(
            &hub,
            &json!({ "platform": "dam", "subject": subject, "cookies": { "authToken": cookie }, "bearer": bearer }),
        )
    };
    let first = post(
        &hub,
        &json!({ "platform": "dam", "subject": "alice", "cookies": { "authToken": "one" } }),
    );
    let id = text(&first.json()["id"]);
    let again = dam("alice", "one", "two");
    assert_eq!(
        (first.status, again.status, text(&again.json()["id"])),
        (201, 200, id.clone())
    );
    // Who it is said to be of does not fit the session, so nothing is added to that.
    assert_eq!(dam("bob", "one", "three").status, 200);
    let check = |bearer: &str| {
        let request =
            Request::get("/check/dam").header("Authorization", &format!("Bearer {bearer}"));
        request
            .header("Logout-Check-Token", &hub.admin_token())
            .send(hub.admin_address())
            .status
    };
    assert_eq!(
        admin(&hub, Request::new("DELETE", &format!("/api/sessions/{id}"))).status,
        202
    );
    assert_eq!((check("two"), check("three")), (401, 204));
    // One that has ended is enough to refuse the rest.
    assert_eq!(
        post(
            &hub,
            &json!({ "platform": "dam", "subject": "alice", "bearer": "four" })
        )
        .status,
        201
    );
    assert_is_problem(&dam("alice", "one", "four"), 409);
    assert_is_problem(&dam("alice", "five", "two"), 409);
}

fn a_credential_that_was_signed_out_is_not_registered_again(store: StoreKind) {
    let hub = fronts(store);
    let id = text(&register(&hub, "alice", "one")["id"]);
    assert_eq!(
        admin(&hub, Request::new("DELETE", &format!("/api/sessions/{id}"))).status,
        202
    );
    assert_is_problem(
        &post(&hub, &with(json!({ "cookies": { "LtpaToken2": "one" } }))),
        409,
    );
    assert_eq!(listed(&hub, "").len(), 0);
}

fn an_expiry_is_a_time_or_seconds_since_1970(store: StoreKind) {
    let hub = fronts(store);
    let now = ManualClock::default().now().as_secs();
    for (number, expires) in [
        json!(now + 60),
        json!("2026-09-21T16:13:21+02:00"),
        json!("2026-09-21T14:14:00.5Z"),
    ]
    .into_iter()
    .enumerate()
    {
        let answer = post(
            &hub,
            &with(
                json!({ "cookies": { "LtpaToken2": format!("cookie{number}") }, "expires": expires }),
            ),
        );
        assert_eq!(answer.status, 201, "{expires} {}", answer.text());
    }
    for expires in [
        json!(now),
        json!(now - 1),
        json!(-1),
        json!(0),
        json!("1999-01-01T00:00:00Z"),
        json!("2026-09-21T16:13:20+02:00"),
    ] {
        let answer = post(&hub, &with(json!({ "expires": expires })));
        assert_names_field(&answer, "expires");
        assert_eq!(answer.json()["detail"], "lies in the past", "{expires}");
    }
    // Milliseconds, as JavaScript counts them, would be the year 58,000.
    for expires in [
        json!(now * 1000),
        json!("9999-12-31T23:59:59Z"),
        json!("tomorrow"),
        json!(1.5),
        json!(true),
        json!({}),
    ] {
        assert_names_field(&post(&hub, &with(json!({ "expires": expires }))), "expires");
    }
    assert_eq!(listed(&hub, "").len(), 3);
}

fn what_is_wrong_with_a_registration_is_said_by_name_and_nothing_is_registered(store: StoreKind) {
    let hub = fronts(store);
    let (name, cookie) = ("x".repeat(257), "x".repeat(8 * 1024 + 1));
    let many: Value = (0..51)
        .map(|number| (format!("c{number}"), json!("x")))
        .collect::<serde_json::Map<_, _>>()
        .into();
    for (changes, field) in [
        (json!({ "platform": null }), "platform"),
        (json!({ "platform": "prtal" }), "platform"),
        (json!({ "platform": "site" }), "platform"),
        (json!({ "platform": 1 }), "platform"),
        (json!({ "subject": null }), "subject"),
        (json!({ "subject": "" }), "subject"),
        (json!({ "subject": " " }), "subject"),
        (json!({ "subject": 7 }), "subject"),
        (json!({ "subject": name }), "subject"),
        (json!({ "subject": "a\u{0}b" }), "subject"),
        (json!({ "subject": {} }), "subject.name"),
        (
            json!({ "subject": { "realm": name, "name": "alice" } }),
            "subject.realm",
        ),
        (
            json!({ "subject": { "name": "alice", "nmae": "alice" } }),
            "subject.nmae",
        ),
        (json!({ "person": name }), "person"),
        (json!({ "person": "a\nb" }), "person"),
        (json!({ "client": name }), "client"),
        (json!({ "cookies": null }), "cookies"),
        (json!({ "cookies": {} }), "cookies"),
        (json!({ "cookies": [] }), "cookies"),
        (json!({ "cookies": many }), "cookies"),
        (
            json!({ "cookies": { "JSESSIONID": "not what this portal knows a session by" } }),
            "cookies.JSESSIONID",
        ),
        (json!({ "cookies": { "JSESSIONID": "x" } }), "cookies"),
        (json!({ "cookies": { "Ltpa=Token2": "x" } }), "cookies"),
        (json!({ "cookies": { "": "x" } }), "cookies"),
        (
            json!({ "cookies": { "LtpaToken2": cookie } }),
            "cookies.LtpaToken2",
        ),
        (
            json!({ "cookies": { "LtpaToken2": "a\r\nb" } }),
            "cookies.LtpaToken2",
        ),
        (
            json!({ "cookies": { "LtpaToken2": "a;JSESSIONID=b" } }),
            "cookies.LtpaToken2",
        ),
        (
            json!({ "cookies": { "LtpaToken2": 5 } }),
            "cookies.LtpaToken2",
        ),
        (
            json!({ "cookies": null, "bearer": "no portal takes one" }),
            "bearer",
        ),
        (json!({ "cookies": null, "bearer": "nobody" }), "bearer"),
        (json!({ "bearer": "x".repeat(16 * 1024 + 1) }), "bearer"),
        (json!({ "csrf": cookie }), "csrf"),
        (json!({ "csrf": "a\u{7f}" }), "csrf"),
        (json!({ "address": "localhost" }), "address"),
        (json!({ "user_agent": "x\ty" }), "user_agent"),
        (json!({ "cookie": { "LtpaToken2": "x" } }), "cookie"),
        (json!({ "password": "x" }), "password"),
    ] {
        let answer = post(&hub, &with(changes.clone()));
        assert_names_field(&answer, field);
    }
    assert_eq!(listed(&hub, "").len(), 0);
    assert_eq!(post(&hub, &with(json!({}))).status, 201);
}

fn a_made_up_member_is_not_repeated_at_length(store: StoreKind) {
    let hub = fronts(store);
    let answer = post(&hub, &with(json!({ "é".repeat(5_000): 1 })));
    assert_is_problem(&answer, 422);
    assert_eq!(text(&answer.json()["field"]), "é".repeat(32));
}

fn each_product_s_credentials_are_taken(store: StoreKind) {
    let app = "[[platform.app]]\nclient_id = \"12345678-1234-1234-1234-123456789012\"";
    let tables = [
        platform("site", "sitefinity", &nobody(), ""),
        platform("dam", "assets", &nobody(), ""),
        platform("portal", "hcl-dx", &nobody(), ""),
        platform("shop", "wix", &nobody(), app),
    ];
    let hub = TestHub::on(store, &tables.concat()).unwrap();
    for (platform, credential, realm) in [
        (
            "site",
            json!({ "cookies": { ".AspNet.Cookies": "s1" } }),
            "default",
        ),
        ("site", json!({ "bearer": "s2" }), "default"),
        ("dam", json!({ "cookies": { "authToken": "d1" } }), ""),
        ("dam", json!({ "bearer": "d2" }), ""),
        ("portal", json!({ "cookies": { "LtpaToken2": "p1" } }), ""),
        ("shop", json!({ "bearer": "w1" }), ""),
        ("shop", json!({ "cookies": { "smSession": "w2" } }), ""),
    ] {
        let mut body = json!({ "platform": platform, "subject": "Alice" });
        body.as_object_mut()
            .unwrap()
            .extend(credential.as_object().unwrap().clone());
        let answer = post(&hub, &body);
        assert_eq!(
            (answer.status, &answer.json()["realm"]),
            (201, &json!(realm)),
            "{body}: {}",
            answer.text()
        );
        assert_eq!(post(&hub, &body).status, 200, "{body}");
    }
    assert_eq!(listed(&hub, "").len(), 7);
}
