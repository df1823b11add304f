//! One-time values, and those that hubs agree on.

use super::{NOW, Store, after, at_once, fresh_digest};

/// An authorization code works for one.
pub async fn a_value_put_once_is_put_by_one_and_taken_by_one(store: Store) {
    for _ in 0..10 {
        let (key, other) = (fresh_digest(), fresh_digest());
        let put = at_once(16, |index| {
            let (store, value) = (store.clone(), vec![u8::try_from(index).expect("small"); 3]);
            async move {
                store
                    .put_once(key, value, after(60))
                    .await
                    .expect("the store answers")
            }
        });
        let winners: Vec<_> = (0..16).filter(|index| put[*index]).collect();
        assert_eq!(winners.len(), 1);
        assert_eq!(store.take_once(&other, NOW).await, Ok(None));
        let taken = at_once(16, |_| {
            let store = store.clone();
            async move {
                store
                    .take_once(&key, after(59))
                    .await
                    .expect("the store answers")
            }
        });
        let taken: Vec<_> = taken.into_iter().flatten().collect();
        assert_eq!(taken, [vec![u8::try_from(winners[0]).expect("small"); 3]]);
        assert_eq!(
            store.put_once(key, Vec::new(), after(60)).await,
            Ok(true),
            "the key is free again"
        );
        assert_eq!(store.take_once(&key, NOW).await, Ok(Some(Vec::new())));
    }
}

/// Late is as good as never.
pub async fn a_one_time_value_cannot_be_taken_after_its_expiry(store: Store) {
    let (early, late) = (fresh_digest(), fresh_digest());
    for key in [early, late] {
        assert_eq!(
            store.put_once(key, b"code".to_vec(), after(60)).await,
            Ok(true)
        );
    }
    assert_eq!(
        store.take_once(&early, after(59)).await,
        Ok(Some(b"code".to_vec()))
    );
    assert_eq!(store.take_once(&late, after(60)).await, Ok(None));
    assert_eq!(store.take_once(&late, after(59)).await, Ok(None));
}

/// Two hubs that start at once on one store use the same signing key.
pub async fn all_who_ask_agree_on_one_value(store: Store) {
    let values = at_once(16, |index| {
        let store = store.clone();
        async move {
            store
                .get_or_insert("key", vec![u8::try_from(index).expect("small"); 32])
                .await
                .expect("the store answers")
        }
    });
    assert!(
        values
            .iter()
            .all(|value| *value == values[0] && value.len() == 32)
    );
    assert_eq!(
        store.get_or_insert("key", b"late".to_vec()).await.as_ref(),
        Ok(&values[0])
    );
    assert_eq!(
        store.get_or_insert("other", b"mine".to_vec()).await,
        Ok(b"mine".to_vec())
    );
    assert_eq!(
        store.get_or_insert("", b"empty name".to_vec()).await,
        Ok(b"empty name".to_vec())
    );
}
