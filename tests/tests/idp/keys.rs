//! When a hub asks a provider for its keys, and what it does without them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use logout_tests::http::Answer;
use logout_tests::idp::{TestIdp, send_token};
use logout_tests::skip::Run;
use logout_tests::stores::StoreKind;
use logout_tests::upstream::{Behaviour, ScriptedUpstream};
use serde_json::json;

use crate::answers::{assert_refused, assert_taken, assert_uncached};
use crate::scene::{OP, Scene, portal, with, without};

const UNKNOWN: &str = "the key of the token is not known";
/// How many tokens strangers send whose keys nobody knows.
const STRANGERS: usize = 1_000;
/// How many of them come at the same time.
const AT_ONCE: usize = 8;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Names tests after the functions that they are. The store decides nothing here.
macro_rules! once {
    ($run:expr; $($case:ident)+) => {
        $($run.test(concat!("keys::", stringify!($case)), &[], $case);)+
    };
}

pub(crate) fn add(run: &mut Run) {
    once! { run;
        a_thousand_tokens_with_unknown_keys_cause_one_fetch_in_half_a_minute
        a_key_that_was_exchanged_is_known_after_one_fetch
        keys_are_fresh_for_as_long_as_the_provider_says_within_bounds
        while_the_provider_does_not_answer_the_last_good_keys_serve_for_a_day
        without_any_keys_a_token_is_to_be_sent_again_and_is_taken_when_the_provider_is_back
        an_answer_that_is_no_key_set_is_no_answer
        a_redirect_is_not_followed
        keys_that_cannot_verify_are_left_out
        keys_of_a_file_are_never_fetched
        a_malformed_token_is_refused_without_asking_for_keys
    }
}

fn scene() -> Scene {
    Scene::start(StoreKind::Disk)
}

/// Sends a valid token, and says what came of it; the session that it names is dead if it was
/// taken.
fn try_token(scene: &Scene, row: usize) -> Answer {
    let (cookie, names) = scene.open(row);
    let answer = scene.send(&scene.token(&names));
    assert_eq!(scene.is_alive(&cookie), answer.status != 200);
    answer
}

fn assert_unavailable(answer: &Answer, at_most: u64, what: &str) {
    assert_eq!(answer.status, 503, "{what}: {}", answer.text());
    assert_eq!(
        answer.json(),
        json!({ "error": "temporarily_unavailable", "error_description": "the token cannot be carried out now; send it again" }),
        "{what}"
    );
    let seconds = answer.header("retry-after").expect("Retry-After");
    let seconds: u64 = seconds.parse().unwrap();
    assert!((1..=at_most).contains(&seconds), "{what}: {seconds}");
    assert_uncached(answer, what);
}

fn a_thousand_tokens_with_unknown_keys_cause_one_fetch_in_half_a_minute() {
    let scene = scene();
    assert_taken(&try_token(&scene, 0), "a known key");
    assert_eq!(scene.idp.fetches(), 1);
    let (cookie, names) = scene.open(1);
    let claims = scene.idp.claims(scene.now(), &names);
    let forged = |kid: usize| {
        let header = with(&scene.idp.header(), "kid", json!(format!("kid {kid}")));
        // Verifying is not reached, so one signature does for all.
        scene.idp.forge(&header, &claims)
    };
    let tokens: Arc<Vec<String>> = Arc::new((0..STRANGERS).map(forged).collect());
    let (address, next) = (scene.hub.address(), Arc::new(AtomicUsize::new(0)));
    let senders: Vec<_> = (0..AT_ONCE)
        .map(|_| {
            let (tokens, next) = (tokens.clone(), next.clone());
            thread::spawn(move || {
                let mut sent = 0;
                while let Some(token) = tokens.get(next.fetch_add(1, Ordering::SeqCst)) {
                    assert_refused(&send_token(address, OP, token), UNKNOWN, "a stranger's");
                    sent += 1;
                }
                sent
            })
        })
        .collect();
    let sent: usize = senders
        .into_iter()
        .map(|sender| sender.join().unwrap())
        .sum();
    assert_eq!((sent, scene.idp.fetches()), (STRANGERS, 2));
    scene.hub.advance(Duration::from_secs(29));
    assert_refused(&scene.send(&tokens[0]), UNKNOWN, "before half a minute");
    assert_eq!(scene.idp.fetches(), 2);
    scene.hub.advance(Duration::from_secs(1));
    for token in tokens.iter().take(3) {
        assert_refused(&scene.send(token), UNKNOWN, "after half a minute");
    }
    assert_eq!(scene.idp.fetches(), 3);
    assert!(scene.is_alive(&cookie));
    assert_taken(&scene.send(&scene.idp.sign(&claims)), "a known key");
    assert_eq!(scene.idp.fetches(), 3);
}

fn a_key_that_was_exchanged_is_known_after_one_fetch() {
    let mut scene = scene();
    assert_taken(&try_token(&scene, 0), "the first key");
    let (cookie, names) = scene.open(1);
    let old = scene.token(&names);
    scene.idp.rotate();
    for row in 2..5 {
        assert_taken(&try_token(&scene, row), "the second key");
    }
    assert_eq!(scene.idp.fetches(), 2);
    // The first one does not count any more.
    assert_refused(&scene.send(&old), UNKNOWN, "the first key again");
    assert!(scene.is_alive(&cookie));
    // Without a name, the keys that are there are tried before others are asked for.
    let mut scene = self::scene();
    let unnamed = |scene: &Scene, row| {
        let (_, names) = scene.open(row);
        let header = without(&scene.idp.header(), "kid");
        let claims = scene.idp.claims(scene.now(), &names);
        scene.send(&scene.idp.sign_as(&header, &claims))
    };
    assert_taken(&unnamed(&scene, 0), "the first key");
    scene.idp.rotate();
    assert_taken(&unnamed(&scene, 1), "the second key");
    assert_taken(&unnamed(&scene, 2), "the second key");
    assert_eq!(scene.idp.fetches(), 2);
}

fn keys_are_fresh_for_as_long_as_the_provider_says_within_bounds() {
    for (headers, seconds) in [
        ("", 600),
        ("cache-control: public, max-age=3600\r\n", 3_600),
        ("cache-control: max-age=1\r\n", 60),
        ("cache-control: no-store\r\n", 60),
        ("cache-control: max-age=99999999\r\n", 86_400),
    ] {
        let scene = scene();
        scene.idp.publish(headers);
        assert_taken(&try_token(&scene, 0), headers);
        scene.hub.advance(Duration::from_secs(seconds - 1));
        assert_taken(&try_token(&scene, 1), headers);
        assert_eq!(scene.idp.fetches(), 1, "{headers:?}");
        scene.hub.advance(Duration::from_secs(1));
        assert_taken(&try_token(&scene, 2), headers);
        assert_eq!(scene.idp.fetches(), 2, "{headers:?}");
    }
}

fn while_the_provider_does_not_answer_the_last_good_keys_serve_for_a_day() {
    let scene = scene();
    assert_taken(&try_token(&scene, 0), "keys are there");
    scene.idp.answer(Behaviour::Slam);
    scene.hub.advance(Duration::from_secs(600));
    for row in 1..4 {
        assert_taken(&try_token(&scene, row), "the last good keys");
    }
    // It is asked again every ten seconds, not for each token.
    assert_eq!(scene.idp.fetches(), 2);
    scene.hub.advance(Duration::from_secs(10));
    assert_taken(&try_token(&scene, 4), "the last good keys");
    assert_eq!(scene.idp.fetches(), 3);
    // A key that is not among them may be a good one.
    let (cookie, names) = scene.open(5);
    let header = with(&scene.idp.header(), "kid", json!("k2"));
    let claims = scene.idp.claims(scene.now(), &names);
    let unknown = scene.idp.forge(&header, &claims);
    assert_unavailable(&scene.send(&unknown), 30, "an unknown key");
    assert!(scene.is_alive(&cookie));
    scene.hub.advance(DAY - Duration::from_secs(11));
    assert_taken(&try_token(&scene, 6), "at the end of the day");
    scene.hub.advance(Duration::from_secs(1));
    assert_unavailable(&try_token(&scene, 7), 10, "after a day");
    scene.idp.publish("");
    scene.hub.advance(Duration::from_secs(10));
    assert_taken(&try_token(&scene, 8), "it is back");
}

fn without_any_keys_a_token_is_to_be_sent_again_and_is_taken_when_the_provider_is_back() {
    let scene = scene();
    scene.idp.answer(Behaviour::Slam);
    let (cookie, names) = scene.open(0);
    let token = scene.token(&names);
    for _ in 0..3 {
        assert_unavailable(&scene.send(&token), 10, "down");
    }
    assert_eq!(scene.idp.fetches(), 1);
    assert!(scene.is_alive(&cookie));
    scene.idp.publish("");
    assert_unavailable(&scene.send(&token), 10, "not asked again yet");
    scene.hub.advance(Duration::from_secs(10));
    assert_taken(&scene.send(&token), "it is back");
    assert!(!scene.is_alive(&cookie));
    assert_eq!(scene.idp.fetches(), 2);
}

fn an_answer_that_is_no_key_set_is_no_answer() {
    let scene = scene();
    let ok = |body: &str| Behaviour::answer("200 OK", "content-type: application/json\r\n", body);
    let keys = scene.idp.key_set();
    let large = format!("{}{}", keys, " ".repeat(64 * 1024 + 1 - keys.len()));
    let twice = keys.replacen('{', "{\"keys\":[],", 1);
    for (row, (what, behaviour)) in [
        ("nothing", Behaviour::Slam),
        ("silence", Behaviour::Hang),
        ("a byte now and then", Behaviour::Drip),
        ("bytes without end", Behaviour::Endless),
        ("no HTTP", Behaviour::Answer(b"what?\r\n\r\n".to_vec())),
        (
            "half of it",
            Behaviour::Answer(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{".to_vec()),
        ),
        (
            "500",
            Behaviour::answer("500 Internal Server Error", "", &keys),
        ),
        ("404", Behaviour::answer("404 Not Found", "", &keys)),
        ("204", Behaviour::answer("204 No Content", "", "")),
        ("no JSON", ok("<html></html>")),
        ("a list", ok("[]")),
        ("no keys", ok("{}")),
        ("keys twice", ok(&twice)),
        ("more than 64 KiB", ok(&large)),
        (
            "more than a hundred keys",
            ok(&json!({ "keys": vec![json!({}); 101] }).to_string()),
        ),
    ]
    .into_iter()
    .enumerate()
    {
        scene.idp.answer(behaviour);
        assert_unavailable(&try_token(&scene, row), 10, what);
        assert_eq!(scene.idp.fetches(), row + 1, "{what}");
        scene.hub.advance(Duration::from_secs(10));
    }
    scene.idp.publish("");
    assert_taken(&try_token(&scene, 100), "a key set");
    let asked = scene.idp.requests();
    assert!(
        asked
            .iter()
            .all(|request| request.starts_with("GET /jwks HTTP/1.1\r\n"))
    );
}

fn a_redirect_is_not_followed() {
    let scene = scene();
    let keys = Behaviour::answer("200 OK", "", &scene.idp.key_set());
    let elsewhere = ScriptedUpstream::start([], keys);
    for (row, status) in [
        "301 Moved Permanently",
        "302 Found",
        "307 Temporary Redirect",
    ]
    .into_iter()
    .enumerate()
    {
        let location = format!("location: {}/jwks\r\n", elsewhere.base());
        scene.idp.answer(Behaviour::answer(status, &location, ""));
        assert_unavailable(&try_token(&scene, row), 10, status);
        scene.hub.advance(Duration::from_secs(10));
    }
    assert_eq!((scene.idp.fetches(), elsewhere.requests().len()), (3, 0));
}

fn keys_that_cannot_verify_are_left_out() {
    let scene = scene();
    let keys = scene.idp.key_set();
    let only = |change: fn(&mut serde_json::Value)| {
        let mut set: serde_json::Value = serde_json::from_str(&keys).unwrap();
        change(&mut set["keys"][0]);
        set.to_string()
    };
    for (row, set) in [
        json!({ "keys": [] }).to_string(),
        json!({ "keys": [{ "kty": "oct", "kid": "k1", "k": "c2VjcmV0" }] }).to_string(),
        only(|key| key["use"] = json!("enc")),
        only(|key| key["key_ops"] = json!(["sign"])),
        only(|key| key["alg"] = json!("RS512")),
        only(|key| key["kid"] = json!("another")),
    ]
    .into_iter()
    .enumerate()
    {
        let answer = Behaviour::answer("200 OK", "cache-control: no-store\r\n", &set);
        scene.idp.answer(answer);
        assert_refused(&try_token(&scene, row), UNKNOWN, &set);
        scene.hub.advance(Duration::from_secs(60));
    }
    scene.idp.publish("");
    assert_taken(&try_token(&scene, 100), "a key that can");
}

fn keys_of_a_file_are_never_fetched() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("jwks.json");
    let scene = Scene::of(StoreKind::Disk, TestIdp::start(), |idp| {
        std::fs::write(&file, idp.key_set()).unwrap();
        let jwks_uri = format!("jwks_uri = \"{}/jwks\"", idp.issuer());
        let table = idp
            .table(OP, "")
            .replace(&jwks_uri, &format!("jwks_file = {file:?}"));
        format!("{table}{}", portal("reach = \"session\""))
    });
    assert_taken(&try_token(&scene, 0), "a key of the file");
    let (_, names) = scene.open(1);
    let header = with(&scene.idp.header(), "kid", json!("k2"));
    let claims = scene.idp.claims(scene.now(), &names);
    assert_refused(
        &scene.send(&scene.idp.forge(&header, &claims)),
        UNKNOWN,
        "another key",
    );
    scene.hub.advance(2 * DAY);
    assert_taken(&try_token(&scene, 2), "two days later");
    assert_eq!(scene.idp.fetches(), 0);
}

/// So strangers cannot make the hub ask, and a provider that is down does not hide what is wrong.
fn a_malformed_token_is_refused_without_asking_for_keys() {
    let scene = scene();
    scene.idp.answer(Behaviour::Slam);
    let (_, names) = scene.open(0);
    let claims = scene.idp.claims(scene.now(), &names);
    let headed = |name: &str, value| {
        scene
            .idp
            .sign_as(&with(&scene.idp.header(), name, value), &claims)
    };
    let encrypted = format!("{}.a.b", scene.idp.sign(&claims));
    for (token, description) in [
        ("garbage".to_owned(), "the token is not a signed JWT"),
        ("a.b.c".to_owned(), "the header of the token is malformed"),
        (encrypted, "the token is encrypted, which is not supported"),
        (
            headed("alg", json!("RS512")),
            "the algorithm of the token is not accepted",
        ),
        (
            headed("typ", json!("at+jwt")),
            "the type of the token is not accepted",
        ),
        (
            headed("crit", json!([])),
            "the token has a critical extension",
        ),
    ] {
        assert_refused(&scene.send(&token), description, &token);
    }
    assert_eq!(scene.idp.fetches(), 0);
}
