//! Logout tokens that the hub sends, byte by byte, and what the answers to them mean.

use std::collections::BTreeSet;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use logout_core::ports::Clock;
use logout_core::session::Subject;
use logout_core::time::Timestamp;
use logout_core::upstream::{
    Addressee, Confirmation, UpstreamAnswer, UpstreamRequest, UpstreamSession,
};
use logout_core::{Method, SignOutDialect as _};
use logout_standards::{
    KeySet, LogoutSender, LogoutTokenVerifier, SignatureAlgorithm, SigningKey, SigningKeys,
    metadata, read_logout_request,
};
use serde_json::{Value, json};

use crate::signer::NOW;
use crate::token_kinds::EVENT;

const ISSUER: &str = "https://hub.example";
const CLIENT: &str = "wiki";
const FORM: &str = "application/x-www-form-urlencoded";
const ALGORITHMS: [SignatureAlgorithm; 1] = [SignatureAlgorithm::Rs256];

#[derive(Debug)]
struct Stopped(Timestamp);

impl Clock for Stopped {
    fn now(&self) -> Timestamp {
        self.0
    }
}

fn key() -> SigningKey {
    SigningKey::from_pkcs8(&SigningKey::generate().unwrap()).unwrap()
}

fn sender(keys: SigningKeys, probe: Option<&str>) -> LogoutSender {
    LogoutSender {
        keys: Arc::new(keys),
        clock: Arc::new(Stopped(NOW)),
        issuer: ISSUER.to_owned(),
        client_id: CLIENT.to_owned(),
        target: "/out?a=b%20c".to_owned(),
        probe: probe.map(str::to_owned),
    }
}

fn any_sender() -> LogoutSender {
    sender(SigningKeys::new(key(), Vec::new()), Some("/alive?x=1"))
}

fn addressee(sid: &str, sub: &str) -> Addressee {
    Addressee {
        delivery: None,
        subject: Some(Subject::new(sid, sub)),
        session: UpstreamSession::default(),
    }
}

fn headers(request: &UpstreamRequest) -> Vec<(&str, &str)> {
    request
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.reveal()))
        .collect()
}

/// The token of a sign-out's request.
fn token(request: &UpstreamRequest) -> String {
    read_logout_request(Some(FORM), &request.body)
        .unwrap()
        .to_string()
}

fn part(token: &str, number: usize) -> Value {
    let part = token.split('.').nth(number).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

fn published(keys: &SigningKeys) -> KeySet {
    KeySet::parse(keys.jwks().to_string().as_bytes(), &ALGORITHMS).unwrap()
}

fn verifier() -> LogoutTokenVerifier {
    LogoutTokenVerifier::new(ISSUER, CLIENT, &ALGORITHMS).unwrap()
}

#[test]
fn a_sign_out_is_a_form_with_nothing_but_the_token() {
    let request = any_sender().sign_out(&addressee("s1", "alice"));
    assert_eq!(
        (request.method, &*request.target),
        (Method::Post, "/out?a=b%20c")
    );
    assert_eq!(
        headers(&request),
        [("accept", "application/json"), ("content-type", FORM)]
    );
    let body = String::from_utf8(request.body.clone()).unwrap();
    let token = body.strip_prefix("logout_token=").unwrap();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    assert!(token.chars().all(is_plain), "{token}");
    assert_eq!(token.split('.').count(), 3);
}

#[test]
fn a_token_has_the_claims_of_the_standard_and_no_others() {
    let sender = any_sender();
    let now = NOW.as_secs();
    for (sid, sub) in [("", "alice@x.example"), ("s \"1", "ä&b=c")] {
        let token = token(&sender.sign_out(&addressee(sid, sub)));
        let mut claims = part(&token, 1);
        let jti = claims.as_object_mut().unwrap().remove("jti").unwrap();
        // 16 random bytes.
        assert_eq!(jti.as_str().unwrap().len(), 22);
        let mut expected = json!({
            "iss": ISSUER, "aud": CLIENT, "iat": now, "exp": now + 120, "sub": sub,
            "events": { EVENT: {} },
        });
        if !sid.is_empty() {
            expected["sid"] = json!(sid);
        }
        assert_eq!(claims, expected);
        let verified = verifier()
            .verify(&token, &published(&sender.keys), NOW)
            .unwrap();
        assert_eq!(
            (verified.subject.as_deref(), verified.sid.as_deref()),
            (Some(sub), Some(sid).filter(|sid| !sid.is_empty()))
        );
    }
}

#[test]
fn each_attempt_has_a_token_of_its_own() {
    let sender = any_sender();
    let to = addressee("s1", "alice");
    let names: BTreeSet<String> = (0..20)
        .map(|_| part(&token(&sender.sign_out(&to)), 1)["jti"].to_string())
        .collect();
    assert_eq!(names.len(), 20);
    // By the clock of the attempt, not of the first one.
    let later = LogoutSender {
        clock: Arc::new(Stopped(Timestamp::from_millis(NOW.as_millis() + 3_600_999))),
        ..sender
    };
    let claims = part(&token(&later.sign_out(&to)), 1);
    let now = NOW.as_secs() + 3600;
    assert_eq!(
        (&claims["iat"], &claims["exp"]),
        (&json!(now), &json!(now + 120))
    );
}

#[test]
fn the_first_key_signs_and_each_that_is_published_verifies() {
    let (old, new) = (key(), key());
    let before = sender(SigningKeys::new(old.clone(), vec![new.clone()]), None);
    let after = sender(SigningKeys::new(new.clone(), vec![old.clone()]), None);
    let to = addressee("", "alice");
    for (sender, signing) in [(&before, &old), (&after, &new)] {
        let token = token(&sender.sign_out(&to));
        assert_eq!(
            part(&token, 0),
            json!({ "typ": "logout+jwt", "alg": "RS256", "kid": signing.kid() })
        );
        for keys in [&before.keys, &after.keys] {
            assert!(verifier().verify(&token, &published(keys), NOW).is_ok());
        }
        let others = published(&SigningKeys::new(key(), Vec::new()));
        assert!(verifier().verify(&token, &others, NOW).is_err());
    }
}

#[test]
fn every_status_has_its_meaning() {
    let sender = any_sender();
    for status in 100..=599 {
        let confirmation = sender.confirm(&UpstreamAnswer::new(status));
        match (status, confirmation) {
            (200 | 204, Confirmation::Confirmed { redirect: None })
            | (408 | 425 | 429, Confirmation::Refused) => {}
            (100..=199 | 201..=203 | 205..=299 | 500..=599, Confirmation::Refused) => {}
            (300..=407 | 409..=424 | 426..=428 | 430..=499, Confirmation::Rejected) => {}
            (status, other) => panic!("{status} {other:?}"),
        }
    }
    // What the answer says besides changes nothing: no address is followed.
    let answer = UpstreamAnswer::new(200)
        .with_header("location", "https://evil.example")
        .with_body(r#"{"error":"invalid_request"}"#);
    assert!(matches!(
        sender.confirm(&answer),
        Confirmation::Confirmed { redirect: None }
    ));
}

#[test]
fn one_that_can_be_asked_gets_a_token_that_signs_nobody_out() {
    let sender = any_sender();
    let request = sender.probe(&addressee("s1", "alice")).unwrap();
    assert_eq!(
        (request.method, &*request.target),
        (Method::Get, "/alive?x=1")
    );
    assert!(request.body.is_empty());
    let [("authorization", value)] = headers(&request)[..] else {
        panic!("{:?}", headers(&request));
    };
    let token = value.strip_prefix("Bearer ").unwrap();
    assert_eq!(part(token, 0)["typ"], "session-status+jwt");
    let claims = part(token, 1);
    let names: Vec<&str> = claims
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(names, ["aud", "exp", "iat", "iss", "jti", "sid", "sub"]);
    let verified = verifier().verify(token, &published(&sender.keys), NOW);
    assert!(verified.is_err());
    for status in 100..=599 {
        let alive = match status {
            200 => Some(true),
            404 => Some(false),
            _ => None,
        };
        assert_eq!(
            sender.alive(&UpstreamAnswer::new(status)),
            alive,
            "{status}"
        );
    }
    let unasked = LogoutSender {
        probe: None,
        ..sender
    };
    assert!(unasked.probe(&addressee("s1", "alice")).is_none());
}

#[test]
fn nothing_that_is_printed_shows_a_token_or_a_key() {
    let sender = any_sender();
    let to = addressee("s1", "alice");
    let sign_out = sender.sign_out(&to);
    let probe = sender.probe(&to).unwrap();
    let printed = format!("{sender:?} {sign_out:?} {probe:?}");
    for secret in [
        &*token(&sign_out),
        headers(&probe)[0].1,
        "alice",
        "PRIVATE",
        "DecodingKey",
        "EncodingKey",
    ] {
        assert!(!printed.contains(secret), "{secret}: {printed}");
    }
}

/// OpenID Connect Discovery 1.0, sections 3 and 4.2; Back-Channel Logout 1.0, section 2.1;
/// Front-Channel Logout 1.0, section 3; RP-Initiated Logout 1.0, section 2.1.
#[test]
fn the_metadata_says_what_the_hub_can_do_and_nothing_else() {
    let document = metadata(
        ISSUER,
        "https://hub.example/keys",
        "https://hub.example/out",
    );
    assert_eq!(
        document,
        json!({
            "issuer": ISSUER,
            "jwks_uri": "https://hub.example/keys",
            "end_session_endpoint": "https://hub.example/out",
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "backchannel_logout_supported": true,
            "backchannel_logout_session_supported": true,
            "frontchannel_logout_supported": true,
            "frontchannel_logout_session_supported": true,
        })
    );
    // Section 4.2: claims with zero elements are omitted.
    let members = document.as_object().unwrap().values();
    let mut lists = members.filter_map(Value::as_array);
    assert!(lists.all(|list| !list.is_empty()));
}
