//! When keys are fetched, and by whom.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use futures_executor::block_on;
use logout_core::time::Timestamp;
use logout_standards::{
    FetchPermit, KeyCache, KeyLookup, KeyRefresh, KeySet, LogoutTokenError, SignatureAlgorithm,
};

use crate::signer::{NOW, others, set};
use crate::token_kinds::{HEADER, claims, provider_keys, signed, verifier};

fn after(seconds: u64) -> Timestamp {
    NOW.plus(Duration::from_secs(seconds))
}

fn permit(cache: &KeyCache, now: Timestamp) -> FetchPermit {
    match cache.get(now) {
        KeyLookup::Fetch(permit) => permit,
        other => panic!("{other:?}"),
    }
}

fn used(cache: &KeyCache, now: Timestamp) -> Arc<KeySet> {
    match cache.get(now) {
        KeyLookup::Use(keys) => keys,
        other => panic!("{other:?}"),
    }
}

/// A cache that was filled at `NOW`.
fn filled(max_age: Option<u64>) -> KeyCache {
    let cache = KeyCache::new();
    let max_age = max_age.map(Duration::from_secs);
    permit(&cache, NOW).succeeded(provider_keys(), max_age, NOW);
    cache
}

#[test]
fn keys_are_fresh_for_as_long_as_the_provider_says_within_bounds() {
    for (max_age, life) in [
        (None, 600),
        (Some(0), 60),
        (Some(59), 60),
        (Some(300), 300),
        (Some(86_400), 86_400),
        (Some(u64::MAX), 86_400),
    ] {
        let cache = filled(max_age);
        used(&cache, after(life - 1));
        drop(permit(&cache, after(life)));
    }
}

#[test]
fn the_last_good_keys_serve_for_a_day_and_then_there_are_none() {
    let cache = filled(Some(60));
    let day = 24 * 60 * 60;
    permit(&cache, after(60)).failed(after(65));
    used(&cache, after(65));
    used(&cache, after(74));
    permit(&cache, after(75)).failed(after(80));
    used(&cache, after(80));
    permit(&cache, after(day + 55)).failed(after(day + 55));
    used(&cache, after(day + 59));
    match cache.get(after(day + 60)) {
        KeyLookup::Unavailable { retry_after } => assert_eq!(retry_after, Duration::from_secs(5)),
        other => panic!("{other:?}"),
    }
    permit(&cache, after(day + 65)).succeeded(provider_keys(), None, after(day + 65));
    used(&cache, after(day + 66));
}

#[test]
fn without_keys_and_without_an_answer_nothing_can_be_verified() {
    let cache = KeyCache::new();
    permit(&cache, NOW).failed(after(5));
    match cache.get(after(6)) {
        KeyLookup::Unavailable { retry_after } => assert_eq!(retry_after, Duration::from_secs(9)),
        other => panic!("{other:?}"),
    }
    drop(permit(&cache, after(15)));
}

#[test]
fn a_thousand_tokens_with_an_unknown_key_make_one_fetch_in_30_seconds() {
    let cache = filled(None);
    let unknown = signed(&HEADER.replace("k1", "stranger"), &claims());
    let fetches = |from: u64| {
        let mut fetches = 0;
        for count in 0..1000 {
            let now = NOW.plus(Duration::from_millis(from * 1000 + count * 29));
            let keys = used(&cache, now);
            let outcome = verifier().verify(&unknown, &keys, NOW);
            assert_eq!(outcome.err(), Some(LogoutTokenError::UnknownKey));
            match cache.refresh(&keys, now) {
                KeyRefresh::Fetch(permit) => {
                    fetches += 1;
                    permit.succeeded(provider_keys(), None, now);
                }
                KeyRefresh::Refuse => {}
                other => panic!("{other:?}"),
            }
        }
        fetches
    };
    assert_eq!((fetches(1), fetches(31)), (1, 1));
}

#[test]
fn a_key_that_was_exchanged_is_accepted_after_one_fetch() {
    let cache = filled(None);
    let algorithm = SignatureAlgorithm::Rs256;
    let header = HEADER.replace("k1", "k2");
    let token = others().token(algorithm, &header, &claims().to_string());
    let old = used(&cache, after(1));
    assert_eq!(
        verifier().verify(&token, &old, NOW),
        Err(LogoutTokenError::UnknownKey)
    );
    let KeyRefresh::Fetch(permit) = cache.refresh(&old, after(1)) else {
        panic!("no fetch")
    };
    let new = permit.succeeded(set(&[others().jwk(algorithm, "k2")]), None, after(1));
    assert!(verifier().verify(&token, &new, NOW).is_ok());
    // A caller that still has the old keys gets the new ones, without another fetch.
    match cache.refresh(&old, after(2)) {
        KeyRefresh::Use(keys) => assert!(Arc::ptr_eq(&keys, &new)),
        other => panic!("{other:?}"),
    }
    assert!(matches!(cache.refresh(&new, after(2)), KeyRefresh::Refuse));
}

#[test]
fn an_unknown_key_is_not_refused_while_the_provider_does_not_answer() {
    let cache = filled(None);
    let keys = used(&cache, after(1));
    let KeyRefresh::Fetch(permit) = cache.refresh(&keys, after(1)) else {
        panic!("no fetch")
    };
    assert!(matches!(
        cache.refresh(&keys, after(2)),
        KeyRefresh::Wait(_)
    ));
    permit.failed(after(6));
    match cache.refresh(&keys, after(11)) {
        KeyRefresh::Unavailable { retry_after } => {
            assert_eq!(retry_after, Duration::from_secs(20));
        }
        other => panic!("{other:?}"),
    }
    // Known keys verify all the while.
    used(&cache, after(11));
    assert!(matches!(
        cache.refresh(&keys, after(31)),
        KeyRefresh::Fetch(_)
    ));
}

#[test]
fn a_permit_that_is_dropped_gives_the_next_caller_its_turn() {
    let cache = KeyCache::new();
    let first = permit(&cache, NOW);
    let KeyLookup::Wait(wait) = cache.get(NOW) else {
        panic!("no wait")
    };
    drop(first);
    block_on(wait);
    drop(permit(&cache, NOW));
}

#[test]
fn a_fetch_that_nobody_finished_refuses_no_token() {
    let cache = filled(None);
    let keys = used(&cache, after(1));
    drop(cache.refresh(&keys, after(1)));
    match cache.refresh(&keys, after(2)) {
        KeyRefresh::Unavailable { retry_after } => {
            assert_eq!(retry_after, Duration::from_secs(29));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_clock_that_is_set_back_blocks_nothing() {
    let cache = filled(None);
    let keys = used(&cache, after(1));
    let KeyRefresh::Fetch(fetch) = cache.refresh(&keys, after(1)) else {
        panic!("no fetch")
    };
    fetch.failed(after(1));
    let earlier = Timestamp::from_millis(NOW.as_millis() - 3_600_000);
    permit(&cache, earlier).failed(earlier);
    used(&cache, earlier);
    assert!(matches!(
        cache.refresh(&keys, earlier),
        KeyRefresh::Fetch(_)
    ));
}

/// A caller as a server would have it.
async fn keys_of(cache: &KeyCache, fetches: &AtomicUsize, now: Timestamp) -> Arc<KeySet> {
    loop {
        match cache.get(now) {
            KeyLookup::Use(keys) => return keys,
            KeyLookup::Wait(fetch) => fetch.await,
            KeyLookup::Fetch(permit) => {
                fetches.fetch_add(1, Ordering::Relaxed);
                thread::sleep(Duration::from_millis(20));
                return permit.succeeded(provider_keys(), None, now);
            }
            KeyLookup::Unavailable { .. } => panic!("nothing has failed"),
        }
    }
}

#[test]
fn of_callers_at_once_one_fetches() {
    let (cache, fetches) = (KeyCache::new(), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..16 {
            let (cache, fetches) = (cache.clone(), &fetches);
            scope.spawn(move || block_on(keys_of(&cache, fetches, NOW)));
        }
    });
    assert_eq!(fetches.load(Ordering::Relaxed), 1);
    // With keys that are stale nobody waits: one fetches, the others use what is there.
    let _permit = permit(&cache, after(600));
    used(&cache, after(600));
}
