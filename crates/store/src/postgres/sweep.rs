//! Housekeeping, in steps that each read a bounded part of an index.

use logout_core::session::SessionId;
use logout_core::store::{StoreUnavailable, SweepPage};

use super::row::Fields;
use super::work::params;
use super::{PostgresStore, rows_of, statements, value};
use crate::rules::Horizon;

/// How far the two lists that are gone through have been read.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Place {
    sessions: (i64, [u8; 16]),
    credentials: (i64, [u8; 32]),
}

impl Place {
    const START: Self = Self {
        sessions: (-1, [0; 16]),
        credentials: (-1, [0; 32]),
    };

    fn read(bytes: &[u8]) -> Option<Self> {
        let (look_at, bytes) = bytes.split_first_chunk()?;
        let (session, bytes) = bytes.split_first_chunk()?;
        let (expires, digest) = bytes.split_first_chunk()?;
        let sessions = (i64::from_be_bytes(*look_at), *session);
        Some(Self {
            sessions,
            credentials: (i64::from_be_bytes(*expires), digest.try_into().ok()?),
        })
    }

    fn to_bytes(&self) -> Vec<u8> {
        let (look_at, expires) = (
            self.sessions.0.to_be_bytes(),
            self.credentials.0.to_be_bytes(),
        );
        [
            &look_at[..],
            &self.sessions.1,
            &expires,
            &self.credentials.1,
        ]
        .concat()
    }
}

pub(super) async fn step(
    store: &PostgresStore,
    from: Option<Vec<u8>>,
    limit: usize,
    horizon: Horizon,
) -> Result<SweepPage, StoreUnavailable> {
    let mut place = from
        .and_then(|bytes| Place::read(&bytes))
        .unwrap_or(Place::START);
    let (at, most) = (value::millis(horizon.now), rows_of(limit));
    let until = value::millis(horizon.receipts_until);
    let oldest = value::uuid(horizon.first_receipt().as_bytes());
    let mut is_full = false;
    for (statement, params) in [
        (statements::SWEEP_ONCE, params![at, most]),
        (statements::SWEEP_RECEIPTS, params![oldest, most]),
        (statements::SWEEP_DELIVERIES, params![until, most]),
        (statements::SWEEP_SEALED, params![at, most]),
    ] {
        is_full |= store.rows(statement, params).await?.len() >= limit;
    }

    let (expires, digest) = place.credentials;
    let rows = store
        .rows(
            statements::SWEEP_CREDENTIALS,
            params![at, expires, digest.to_vec(), most],
        )
        .await?;
    if let Some(last) = rows.first().map(Fields) {
        place.credentials = (last.get("expires")?, last.digest("digest")?);
        is_full |= last.get::<i64>("count")? >= most;
    }

    let (look_at, id) = place.sessions;
    let rows = store
        .rows(
            statements::SWEEP_SESSIONS,
            params![at, look_at, value::uuid(&id), most],
        )
        .await?;
    is_full |= rows.len() >= limit;
    let mut expired = Vec::new();
    for row in rows.iter().map(Fields) {
        place.sessions = (row.get("look_at")?, row.uuid("id")?);
        if row.get("is_over")? {
            expired.push(SessionId::from_bytes(place.sessions.1));
        }
    }
    // A step of no rows would never get anywhere.
    Ok(SweepPage {
        expired,
        next: (is_full && limit > 0).then(|| place.to_bytes()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_comes_back_as_it_was_written() {
        let place = Place {
            sessions: (7, [1; 16]),
            credentials: (i64::MAX, [2; 32]),
        };
        assert_eq!(Place::read(&place.to_bytes()), Some(place));
        assert_eq!(Place::read(&[0; 71]), None);
        assert_eq!(Place::read(b""), None);
    }
}
