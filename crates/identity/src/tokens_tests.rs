use std::time::Duration;

use futures_executor::block_on;
use jsonwebtoken::{DecodingKey, EncodingKey, Header, Validation};
use logout_store::MemoryStore;

use super::*;
use crate::keys::{KEY_PERIOD, LONGEST_TOKEN_LIFE};

const START: Timestamp = Timestamp::from_millis(1_750_000_000_000);
const SHARED: &[u8; 32] = b"the key that this test agreed on";

#[derive(Debug)]
struct Fixed(Timestamp);

impl Clock for Fixed {
    fn now(&self) -> Timestamp {
        self.0
    }
}

fn tokens(store: &MemoryStore) -> JwtTokens {
    block_on(JwtTokens::load(store, &Fixed(START))).unwrap()
}

fn period() -> u64 {
    START.as_secs() / KEY_PERIOD.as_secs()
}

/// A store in which the current period's key is known to the test.
fn store_with_known_key() -> MemoryStore {
    let store = MemoryStore::new();
    block_on(store.get_or_insert(&format!("signing-key/{}", period()), SHARED.to_vec())).unwrap();
    store
}

fn claims(life: Duration) -> TokenClaims {
    TokenClaims {
        iss: "shop".into(),
        aud: "access".into(),
        sub: "alice".into(),
        jti: "1".into(),
        iat: START.as_secs(),
        exp: START.plus(life).as_secs(),
        vendor: [("anonymous".to_owned(), "false".to_owned())].into(),
    }
}

fn hour() -> Duration {
    Duration::from_secs(3600)
}

#[test]
fn a_minted_token_verifies_to_its_claims() {
    let tokens = tokens(&MemoryStore::new());
    let token = tokens.mint(&claims(hour())).unwrap();
    assert_eq!(
        tokens.verify(token.reveal(), "shop", "access", START),
        Ok(claims(hour()))
    );
}

#[test]
fn other_libraries_can_read_a_minted_token() {
    let token = tokens(&store_with_known_key())
        .mint(&claims(hour()))
        .unwrap();
    let mut validation = Validation::new(Algorithm::HS256);
    validation.set_audience(&["access"]);
    validation.set_issuer(&["shop"]);
    validation.validate_exp = false;
    let read = jsonwebtoken::decode::<TokenClaims>(
        token.reveal(),
        &DecodingKey::from_secret(SHARED),
        &validation,
    )
    .unwrap();
    assert_eq!(read.claims, claims(hour()));
    assert_eq!(
        (read.header.alg, read.header.kid),
        (Algorithm::HS256, Some(period().to_string()))
    );
}

#[test]
fn a_token_is_over_at_its_expiry_and_not_before() {
    let tokens = tokens(&MemoryStore::new());
    let token = tokens.mint(&claims(hour())).unwrap();
    let at = |millis: u64| {
        tokens.verify(
            token.reveal(),
            "shop",
            "access",
            START.plus(Duration::from_millis(millis)),
        )
    };
    assert!(at(3_599_999).is_ok());
    assert_eq!(at(3_600_000), Err(TokenError::Expired));
}

#[test]
fn every_change_to_a_token_makes_it_invalid() {
    let tokens = tokens(&MemoryStore::new());
    let token = tokens.mint(&claims(hour())).unwrap();
    let token = token.reveal();
    for (at, old) in token.char_indices() {
        let other = if old == 'A' { 'E' } else { 'A' };
        let changed: String = token
            .char_indices()
            .map(|(here, letter)| if here == at { other } else { letter })
            .collect();
        assert_eq!(
            tokens.verify(&changed, "shop", "access", START),
            Err(TokenError::Invalid),
            "at {at}"
        );
    }
    let parts: Vec<&str> = token.split('.').collect();
    for cut in [
        String::new(),
        "..".to_owned(),
        parts[0].to_owned(),
        format!("{}.{}", parts[0], parts[1]),
        format!("{}.{}.", parts[0], parts[1]),
        format!("{token}."),
        format!("{token}.{}", parts[2]),
        format!(" {token}"),
    ] {
        assert_eq!(
            tokens.verify(&cut, "shop", "access", START),
            Err(TokenError::Invalid),
            "{cut}"
        );
    }
}

#[test]
fn a_signature_counts_by_its_bytes_and_not_by_their_spelling() {
    let tokens = tokens(&MemoryStore::new());
    let token = tokens.mint(&claims(hour())).unwrap();
    let (front, last) = token.reveal().split_at(token.reveal().len() - 1);
    // The last of 43 characters holds four bits of the signature, and two that mean nothing.
    let unused_bits = char::from(last.as_bytes()[0] + 1);
    for spelling in [format!("{front}{last}="), format!("{front}{unused_bits}")] {
        assert!(
            tokens.verify(&spelling, "shop", "access", START).is_ok(),
            "{spelling}"
        );
    }
}

#[test]
fn a_token_for_another_platform_or_purpose_is_invalid() {
    let tokens = tokens(&MemoryStore::new());
    let token = tokens.mint(&claims(hour())).unwrap();
    for (issuer, audience) in [
        ("cms", "access"),
        ("shop", "refresh"),
        ("", ""),
        ("Shop", "access"),
    ] {
        assert_eq!(
            tokens.verify(token.reveal(), issuer, audience, START),
            Err(TokenError::Invalid),
            "{issuer} {audience}"
        );
    }
}

#[test]
fn an_expired_token_of_somebody_else_is_invalid_and_not_expired() {
    let tokens = tokens(&MemoryStore::new());
    let token = tokens.mint(&claims(Duration::ZERO)).unwrap();
    assert_eq!(
        tokens.verify(token.reveal(), "cms", "access", START),
        Err(TokenError::Invalid)
    );
}

fn signed_with(header: &Header, payload: &serde_json::Value) -> String {
    jsonwebtoken::encode(header, payload, &EncodingKey::from_secret(SHARED)).unwrap()
}

fn header(algorithm: Algorithm, key: Option<&str>) -> Header {
    let mut header = Header::new(algorithm);
    header.kid = key.map(str::to_owned);
    header
}

#[test]
fn only_hs256_with_a_known_key_id_is_accepted() {
    let tokens = tokens(&store_with_known_key());
    let (id, payload) = (
        period().to_string(),
        serde_json::to_value(claims(hour())).unwrap(),
    );
    let good = signed_with(&header(Algorithm::HS256, Some(&id)), &payload);
    assert!(tokens.verify(&good, "shop", "access", START).is_ok());
    for wrong in [
        header(Algorithm::HS384, Some(&id)),
        header(Algorithm::HS512, Some(&id)),
        header(Algorithm::HS256, None),
        header(Algorithm::HS256, Some("1")),
        header(Algorithm::HS256, Some("")),
    ] {
        assert_eq!(
            tokens.verify(&signed_with(&wrong, &payload), "shop", "access", START),
            Err(TokenError::Invalid),
            "{wrong:?}"
        );
    }
    let body = good.split('.').nth(1).unwrap();
    for unsigned in [
        format!(r#"{{"typ":"JWT","alg":"none","kid":"{id}"}}"#),
        r#"{"alg":"none"}"#.to_owned(),
    ] {
        let head = URL_SAFE_NO_PAD.encode(unsigned);
        for token in [format!("{head}.{body}."), format!("{head}.{body}")] {
            assert_eq!(
                tokens.verify(&token, "shop", "access", START),
                Err(TokenError::Invalid),
                "{token}"
            );
        }
    }
}

#[test]
fn well_signed_claims_of_another_form_are_invalid() {
    let tokens = tokens(&store_with_known_key());
    let head = header(Algorithm::HS256, Some(&period().to_string()));
    let whole = serde_json::to_value(claims(hour())).unwrap();
    for name in ["iss", "aud", "sub", "jti", "iat", "exp"] {
        let mut without = whole.clone();
        without.as_object_mut().unwrap().remove(name);
        assert_eq!(
            tokens.verify(&signed_with(&head, &without), "shop", "access", START),
            Err(TokenError::Invalid),
            "{name}"
        );
    }
    for (name, value) in [
        ("nbf", serde_json::json!(0)),
        ("nbf", serde_json::json!("0")),
        ("aud", serde_json::json!(["access", "refresh"])),
        ("exp", serde_json::json!("9999999999")),
        ("exp", serde_json::json!(-1)),
        ("role", serde_json::json!({"admin": true})),
    ] {
        let mut with = whole.clone();
        with.as_object_mut().unwrap().insert(name.to_owned(), value);
        assert_eq!(
            tokens.verify(&signed_with(&head, &with), "shop", "access", START),
            Err(TokenError::Invalid),
            "{name}"
        );
    }
}

#[test]
fn a_claim_given_twice_makes_a_token_invalid() {
    for json in [
        r#"{"iss":"shop","iss":"shop","aud":"access","sub":"a","jti":"1","iat":0,"exp":9999999999}"#,
        r#"{"iss":"shop","aud":"access","sub":"a","jti":"1","iat":0,"exp":9999999999,"x":"1","x":"2"}"#,
    ] {
        assert_eq!(super::claims(json.as_bytes()), None, "{json}");
    }
}

#[test]
fn a_vendor_claim_cannot_take_the_place_of_a_registered_one() {
    let tokens = tokens(&MemoryStore::new());
    for name in REGISTERED {
        let mut shadowing = claims(hour());
        shadowing.vendor.insert(name.to_owned(), "x".to_owned());
        assert_eq!(
            tokens.mint(&shadowing).err(),
            Some(TokenError::Invalid),
            "{name}"
        );
    }
}

#[test]
fn hubs_on_one_store_accept_each_others_tokens_and_those_on_another_do_not() {
    let store = MemoryStore::new();
    let (one, two, stranger) = (tokens(&store), tokens(&store), tokens(&MemoryStore::new()));
    let token = one.mint(&claims(hour())).unwrap();
    assert!(two.verify(token.reveal(), "shop", "access", START).is_ok());
    assert_eq!(
        stranger.verify(token.reveal(), "shop", "access", START),
        Err(TokenError::Invalid)
    );
}

#[test]
fn a_hub_whose_clock_is_ahead_into_the_next_period_is_understood() {
    let store = MemoryStore::new();
    let behind = tokens(&store);
    let ahead = block_on(JwtTokens::load(&store, &Fixed(START.plus(KEY_PERIOD)))).unwrap();
    let token = ahead.mint(&claims(hour())).unwrap();
    assert!(
        behind
            .verify(token.reveal(), "shop", "access", START)
            .is_ok()
    );
}

#[test]
fn rotation_changes_the_signing_key_and_keeps_old_tokens_until_they_expire() {
    let store = MemoryStore::new();
    let tokens = tokens(&store);
    let old = tokens.mint(&claims(LONGEST_TOKEN_LIFE)).unwrap();
    let first = old.reveal().split('.').next().unwrap().to_owned();

    let before_expiry = START.plus(LONGEST_TOKEN_LIFE - Duration::from_secs(1));
    let next_period = Timestamp::from_millis((period() + 1) * KEY_PERIOD.as_secs() * 1000);
    for now in [before_expiry, next_period] {
        block_on(tokens.rotate(&store, now)).unwrap();
        assert!(
            tokens
                .verify(old.reveal(), "shop", "access", before_expiry)
                .is_ok()
        );
    }
    let new = tokens.mint(&claims(hour())).unwrap();
    assert_ne!(new.reveal().split('.').next(), Some(first.as_str()));
    assert_eq!(
        tokens.verify(
            old.reveal(),
            "shop",
            "access",
            START.plus(LONGEST_TOKEN_LIFE)
        ),
        Err(TokenError::Expired)
    );
}

#[test]
fn a_key_that_has_run_out_accepts_nothing_even_before_rotation() {
    let store = MemoryStore::new();
    let tokens = tokens(&store);
    let token = tokens
        .mint(&claims(Duration::from_secs(u32::MAX.into())))
        .unwrap();
    let end = Timestamp::from_millis((period() + 2) * KEY_PERIOD.as_secs() * 1000)
        .plus(LONGEST_TOKEN_LIFE);
    assert!(
        tokens
            .verify(
                token.reveal(),
                "shop",
                "access",
                Timestamp::from_millis(end.as_millis() - 1)
            )
            .is_ok()
    );
    assert_eq!(
        tokens.verify(token.reveal(), "shop", "access", end),
        Err(TokenError::Invalid)
    );
}
