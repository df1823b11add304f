//! Nothing tells strangers whom a hub knows, and no log tells tokens, keys or names.

use std::time::Duration;

use logout_tests::http::Answer;
use logout_tests::idp::logout_request;
use logout_tests::skip::Run;
use logout_tests::stores::StoreKind;
use serde_json::json;

use crate::process::HubProcess;
use crate::scene::{OP, Scene, with};

pub(crate) fn add(run: &mut Run) {
    on_every_store! { run, "silence";
        no_answer_tells_whether_the_person_exists
        no_log_tells_a_token_a_key_or_a_name
    }
}

/// All that a client sees, but for the time.
pub(crate) fn seen(answer: &Answer) -> (u16, Vec<(String, String)>, String) {
    let headers = answer.headers.iter();
    let headers = headers.filter(|(name, _)| !name.eq_ignore_ascii_case("date"));
    (answer.status, headers.cloned().collect(), answer.text())
}

fn no_answer_tells_whether_the_person_exists(store: StoreKind) {
    let lines = "person = \"email\"\nemail_trusted = true";
    let scene = Scene::with(store, lines, "reach = \"session\"");
    let open = || {
        let login = json!({ "iss": scene.idp.issuer(), "sub": "alice", "sid": "1" });
        let cookie = format!("cookie-{}", scene.receipts().len());
        scene.register(
            &cookie,
            &json!({ "idp": login, "person": "alice@example.com" }),
        );
        cookie
    };
    let nothing = seen(&scene.send(&scene.token(&json!({ "sub": "nobody", "sid": "0" }))));
    assert_eq!((nothing.0, nothing.2.as_str()), (200, ""));
    for (names, ends) in [
        (json!({ "sub": "alice" }), true),
        (json!({ "sid": "1" }), true),
        (json!({ "sub": "alice", "sid": "1" }), true),
        (
            json!({ "sub": "carol", "email": "alice@example.com" }),
            true,
        ),
        (json!({ "sub": "bob", "sid": "1" }), false),
        (json!({ "sub": "alice", "sid": "2" }), false),
        (json!({ "sub": "bob" }), false),
        (json!({ "sub": "bob", "email": "bob@example.com" }), false),
    ] {
        let cookie = open();
        assert!(scene.is_alive(&cookie), "{names}");
        let token = scene.token(&names);
        assert_eq!(seen(&scene.send(&token)), nothing, "{names}");
        assert_eq!(scene.is_alive(&cookie), !ends, "{names}");
        let nobody = scene.token(&json!({ "sub": "nobody" }));
        scene.send(&nobody);
        // Nor does what is said to a token that comes again.
        assert_eq!(
            seen(&scene.send(&token)),
            seen(&scene.send(&nobody)),
            "{names}"
        );
        scene.sign_out(&json!({ "sub": "alice" }));
    }
    // A token that is refused is refused alike.
    open();
    for change in ["nonce", "crit"] {
        let refused = |sub: &str| {
            let claims = scene.idp.claims(scene.now(), &json!({ "sub": sub }));
            let token = match change {
                "nonce" => scene.idp.sign(&with(&claims, change, json!("n"))),
                _ => scene
                    .idp
                    .sign_as(&with(&scene.idp.header(), change, json!([])), &claims),
            };
            seen(&scene.send(&token))
        };
        assert_eq!(refused("alice"), refused("nobody"), "{change}");
    }
}

fn no_log_tells_a_token_a_key_or_a_name(store: StoreKind) {
    const SUB: &str = "canary-sub-7f3a91";
    const SID: &str = "canary-sid-20ef55";
    const OTHER: &str = "canary-other-4b1d";
    const EMAIL: &str = "canary-email-91c2@example.com";
    for (format, level) in [("text", "trace"), ("json", "trace"), ("json", "info")] {
        let hub = HubProcess::on(store, &format!("log_format = \"{format}\""));
        let server = hub.serve_with_log(level);
        let mut canaries = vec![hub.admin_token()];
        // A database's driver says below that level what it writes.
        if level == "info" || store != StoreKind::Postgres {
            canaries.extend([SUB, SID, EMAIL, OTHER].map(str::to_owned));
        }
        let names = json!({ "sub": SUB, "sid": SID, "email": EMAIL });
        hub.register_login(
            &server,
            "canary-cookie-1d07",
            &json!({ "sub": SUB, "sid": SID }),
        );
        canaries.push("canary-cookie-1d07".to_owned());
        let claims = hub.idp.claims(hub.now(), &names);
        let good = hub.idp.sign(&claims);
        let header = hub.idp.header();
        let other = |name: &str| hub.idp.claims(hub.now(), &with(&names, name, json!(OTHER)));
        let contradiction = hub.idp.sign(&other("sub"));
        let unknown_session = hub.idp.sign(&other("sid"));
        let nonce = hub
            .idp
            .sign(&with(&claims, "nonce", json!("canary-nonce-88e1")));
        let wrong_key = hub.idp.forge(&header, &claims);
        let unknown_key = hub
            .idp
            .forge(&with(&header, "kid", json!("canary-kid-a5a5")), &claims);
        canaries.extend(["canary-nonce-88e1", "canary-kid-a5a5"].map(str::to_owned));
        for (token, status) in [
            (&contradiction, 200),
            (&unknown_session, 200),
            (&nonce, 400),
            (&wrong_key, 400),
            (&unknown_key, 400),
            (&good, 200),
            (&good, 400),
        ] {
            assert_eq!(hub.send(&server, token).status, status);
            // Its payload and its signature, whatever stands before them.
            canaries.extend(token.split('.').skip(1).map(|part| part[..24].to_owned()));
        }
        let twice = format!("logout_token={good}&logout_token={good}");
        let twice = logout_request(OP, "").body(twice).send(server.address());
        assert_eq!(twice.status, 400);
        assert!(!hub.is_alive(&server, "canary-cookie-1d07"));
        let keys: serde_json::Value = serde_json::from_str(&hub.idp.key_set()).unwrap();
        let modulus = keys["keys"][0]["n"].as_str().unwrap();
        canaries.push(modulus[..24].to_owned());

        server.signal("TERM");
        assert!(server.wait(Duration::from_secs(10)).success());
        let log = std::fs::read_to_string(hub.folder().join("stderr.log")).unwrap();
        for said in [
            "a logout token has ended sessions",
            "a logout token had nothing to end",
            "a logout token was refused",
        ] {
            let line = log.lines().find(|line| line.contains(said));
            let line = line.unwrap_or_else(|| panic!("nothing says that {said}"));
            assert!(line.contains(OP), "{line}");
        }
        for canary in &canaries {
            let line = log.lines().find(|line| line.contains(canary.as_str()));
            assert_eq!(line, None, "{canary} is in the log");
        }
    }
}
