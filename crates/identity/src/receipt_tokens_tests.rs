use std::collections::HashSet;

use futures_executor::block_on;
use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{DecodingKey, Validation};
use logout_store::MemoryStore;

use super::*;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const RETENTION: Duration = Duration::from_secs(400 * 24 * 60 * 60);

fn day(number: u64) -> Timestamp {
    Timestamp::from_millis(number * 24 * 60 * 60 * 1000)
}

/// In the middle of the period 222.
const TODAY: u64 = 20_025;

fn signer(store: &MemoryStore, now: Timestamp) -> ReceiptSigner {
    block_on(ReceiptSigner::load(store, now, RETENTION)).unwrap()
}

fn claims() -> Value {
    json!({ "jti": "0197", "reason": "user", "ended": [{ "platform": "cms", "state": "confirmed" }] })
}

fn only_signature() -> Validation {
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation
}

/// Reads a token with what is published and nothing else.
fn read(token: &str, jwks: &Value) -> Option<Value> {
    let set: JwkSet = serde_json::from_value(jwks.clone()).unwrap();
    let header = jsonwebtoken::decode_header(token).ok()?;
    let key: &Jwk = set.find(&header.kid?)?;
    let key = DecodingKey::from_jwk(key).unwrap();
    jsonwebtoken::decode::<Value>(token, &key, &only_signature())
        .ok()
        .map(|data| data.claims)
}

fn key_ids(jwks: &Value) -> Vec<String> {
    jwks["keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| key["kid"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_token_is_verified_by_the_published_keys_alone() {
    let signer = signer(&MemoryStore::new(), day(TODAY));
    let token = signer.sign(&claims(), day(TODAY)).unwrap();
    assert_eq!(read(&token, &signer.jwks(day(TODAY))), Some(claims()));
    assert_eq!(
        jsonwebtoken::decode_header(&token).unwrap().alg,
        Algorithm::EdDSA
    );
}

#[test]
fn a_token_that_was_changed_is_not_verified() {
    let signer = signer(&MemoryStore::new(), day(TODAY));
    let (token, jwks) = (
        signer.sign(&claims(), day(TODAY)).unwrap(),
        signer.jwks(day(TODAY)),
    );
    for (at, old) in token.char_indices() {
        let other = if old == 'A' { 'B' } else { 'A' };
        let changed: String = token
            .char_indices()
            .map(|(here, letter)| if here == at { other } else { letter })
            .collect();
        assert_eq!(read(&changed, &jwks), None, "at {at}");
    }
    let payload = URL_SAFE_NO_PAD.encode(json!({ "reason": "administrator" }).to_string());
    let parts: Vec<&str> = token.split('.').collect();
    assert_eq!(
        read(&format!("{}.{payload}.{}", parts[0], parts[2]), &jwks),
        None
    );
}

#[test]
fn the_hub_of_another_store_proves_nothing_of_this_one() {
    let (one, other) = (
        signer(&MemoryStore::new(), day(TODAY)),
        signer(&MemoryStore::new(), day(TODAY)),
    );
    let token = one.sign(&claims(), day(TODAY)).unwrap();
    assert_eq!(read(&token, &other.jwks(day(TODAY))), None);
    let (mine, theirs) = (
        key_ids(&one.jwks(day(TODAY))),
        key_ids(&other.jwks(day(TODAY))),
    );
    assert!(
        mine.iter().all(|id| !theirs.contains(id)),
        "key sets of several hubs can be kept together"
    );
}

#[test]
fn hubs_on_one_store_publish_the_same_keys() {
    let store = MemoryStore::new();
    let (one, two) = (signer(&store, day(TODAY)), signer(&store, day(TODAY)));
    assert_eq!(one.jwks(day(TODAY)), two.jwks(day(TODAY)));
}

#[test]
fn after_rotation_old_tokens_are_still_verified_until_their_receipts_are_forgotten() {
    let store = MemoryStore::new();
    let signer = signer(&store, day(TODAY));
    let token = signer.sign(&claims(), day(TODAY)).unwrap();
    let first = jsonwebtoken::decode_header(&token).unwrap().kid;
    let mut signed_by = HashSet::from([first]);

    for later in (0..=400).step_by(20) {
        let now = day(TODAY + later);
        block_on(signer.rotate(&store, now)).unwrap();
        assert_eq!(
            read(&token, &signer.jwks(now)),
            Some(claims()),
            "after {later} days"
        );
        let fresh = signer.sign(&claims(), now).unwrap();
        assert_eq!(read(&fresh, &signer.jwks(now)), Some(claims()));
        signed_by.insert(jsonwebtoken::decode_header(&fresh).unwrap().kid);
    }
    assert_eq!(signed_by.len(), 5, "a key a quarter");

    let end = published_until(222, RETENTION);
    let just_before = Timestamp::from_millis(end.as_millis() - 1);
    assert!(read(&token, &signer.jwks(just_before)).is_some());
    assert_eq!(
        read(&token, &signer.jwks(end)),
        None,
        "even before rotation"
    );
    block_on(signer.rotate(&store, end)).unwrap();
    assert_eq!(read(&token, &signer.jwks(end)), None);
}

#[test]
fn the_next_key_is_published_before_it_signs() {
    let store = MemoryStore::new();
    let signer = signer(&store, day(TODAY));
    let copy = signer.jwks(day(TODAY));
    let next = day(TODAY).plus(RECEIPT_KEY_PERIOD);
    let without_rotation = signer.sign(&claims(), next).unwrap();
    block_on(signer.rotate(&store, next)).unwrap();
    let with_rotation = signer.sign(&claims(), next).unwrap();
    assert_eq!(without_rotation, with_rotation);
    assert_eq!(read(&with_rotation, &copy), Some(claims()));
}

#[test]
fn a_clock_that_steps_back_does_not_stop_the_signing() {
    let signer = signer(&MemoryStore::new(), day(TODAY));
    let before = day(TODAY - 200);
    assert_eq!(
        read(
            &signer.sign(&claims(), before).unwrap(),
            &signer.jwks(before)
        ),
        Some(claims())
    );
}

#[test]
fn the_key_set_is_as_rfc_8037_wants_it_and_holds_no_private_part() {
    let store = MemoryStore::new();
    let seed = *b"canarycanarycanarycanarycanary!!";
    block_on(store.get_or_insert("receipt-key/222", seed.to_vec())).unwrap();
    let signer = signer(&store, day(TODAY));
    let jwks = signer.jwks(day(TODAY));
    assert!(jwks["keys"].as_array().unwrap().len() > 2);
    for key in jwks["keys"].as_array().unwrap() {
        let names: Vec<&str> = key
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        assert_eq!(
            HashSet::from_iter(names),
            HashSet::from(["kty", "crv", "alg", "use", "kid", "x"])
        );
        assert_eq!(
            [&key["kty"], &key["crv"], &key["alg"], &key["use"]],
            ["OKP", "Ed25519", "EdDSA", "sig"]
        );
        assert_eq!(
            URL_SAFE_NO_PAD
                .decode(key["x"].as_str().unwrap())
                .unwrap()
                .len(),
            32
        );
    }
    let shown = format!(
        "{jwks} {signer:?} {}",
        signer.sign(&claims(), day(TODAY)).unwrap()
    );
    for private in ["canary", &URL_SAFE_NO_PAD.encode(seed), "99, 97, 110"] {
        assert!(!shown.contains(private), "{private}");
    }
}

#[test]
fn the_signature_is_the_one_of_rfc_8037() {
    // RFC 8037, appendix A.1, A.2 and A.4: the key, its public half, and the signature of the given
    // message.
    let seed = URL_SAFE_NO_PAD
        .decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A")
        .unwrap();
    let key = ReceiptKey::of(1, &seed, true).unwrap();
    assert_eq!(
        key.jwk()["x"],
        "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
    );
    let message = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    let signature = crypto::sign(message, &key.signs.unwrap(), Algorithm::EdDSA).unwrap();
    assert_eq!(
        signature,
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
    );
}

#[test]
fn claims_that_are_no_object_are_not_signed() {
    let signer = signer(&MemoryStore::new(), day(TODAY));
    for other in [json!(null), json!([]), json!("x"), json!(1)] {
        assert_eq!(signer.sign(&other, day(TODAY)), Err(TokenError::Invalid));
    }
}

#[test]
fn only_keys_that_may_still_sign_keep_their_private_half() {
    let signer = signer(&MemoryStore::new(), day(TODAY));
    let signing: Vec<(u64, bool)> = signer
        .current()
        .keys
        .iter()
        .map(|key| (key.period, key.signs.is_some()))
        .collect();
    let published: Vec<u64> = signing.iter().map(|(period, _)| *period).collect();
    // The period 217 ends at day 19 620; one period and 400 days more are day 20 110. That of 216
    // was over at day 20 020.
    assert_eq!(published, [223, 222, 221, 220, 219, 218, 217]);
    assert_eq!(
        signing
            .iter()
            .filter(|(_, signs)| *signs)
            .map(|(period, _)| *period)
            .collect::<Vec<_>>(),
        [223, 222]
    );
}

#[test]
fn keys_are_stale_when_a_period_begins_and_when_a_key_runs_out() {
    // The key of period 216 is published until day 20 020, in the middle of period 222.
    let signer = signer(&MemoryStore::new(), day(20_019));
    let stale = |now| signer.current().are_stale(now, RETENTION);
    assert!(!stale(day(20_019)) && !stale(day(222 * 90)));
    assert!(stale(day(20_020)) && stale(day(223 * 90)));
    assert!(stale(Timestamp::from_millis(day(222 * 90).as_millis() - 1)));
}

#[test]
fn endless_retention_does_not_mean_endless_keys() {
    let signer = block_on(ReceiptSigner::load(
        &MemoryStore::new(),
        day(TODAY),
        Duration::MAX,
    ))
    .unwrap();
    assert!(signer.current().keys.len() < 50);
    let at_the_start = block_on(ReceiptSigner::load(
        &MemoryStore::new(),
        Timestamp::default(),
        DAY,
    ))
    .unwrap();
    assert_eq!(at_the_start.current().keys.len(), 2);
}

#[test]
fn a_key_of_another_length_is_refused() {
    for length in [16, 33] {
        let store = MemoryStore::new();
        block_on(store.get_or_insert("receipt-key/222", vec![1; length])).unwrap();
        assert!(block_on(ReceiptSigner::load(&store, day(TODAY), RETENTION)).is_err());
    }
}
