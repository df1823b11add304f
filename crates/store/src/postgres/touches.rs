//! When sessions were used: collected here, written together.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use logout_core::session::SessionId;
use logout_core::time::Timestamp;
use uuid::Uuid;

use super::failure::Failure;
use super::link::Link;
use super::value;
use super::work::params;

/// More are forgotten: a session that is used will be used again.
const CAPACITY: usize = 100_000;

/// In the order of ids, like everything that changes several sessions. What matters less than a
/// thirtieth of the idle timeout is not written.
const TOUCH: &str = "UPDATE logout_sessions s \
    SET seen = t.at, ends = least(s.expires, t.at + s.idle) \
    FROM (SELECT * FROM unnest($1::uuid[], $2::bigint[]) u(id, at) ORDER BY id) t \
    WHERE s.id = t.id AND t.at > s.seen AND t.at - s.seen >= s.idle / 30 AND s.ends > t.at";

#[derive(Default)]
pub(super) struct Touches {
    noted: Mutex<HashMap<SessionId, Timestamp>>,
    /// Held while they are written, so that who asks for it later knows that they are. When that
    /// last failed.
    writing: tokio::sync::Mutex<Option<Instant>>,
}

impl Touches {
    pub(super) fn note(&self, session: SessionId, now: Timestamp) {
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        if noted.len() < CAPACITY || noted.contains_key(&session) {
            let last = noted.entry(session).or_default();
            *last = now.max(*last);
        }
    }

    /// Writes what was noted before. What cannot be written is lost. An error means that the server
    /// does not answer, and comes as soon as any other does, whoever else is writing.
    pub(super) async fn flush(&self, link: &Link) -> Result<(), Failure> {
        let asked = Instant::now();
        let mut failed = self.writing.lock().await;
        if failed.is_some_and(|at| at >= asked) {
            return Err(Failure::Unknown);
        }
        let noted = std::mem::take(&mut *self.noted.lock().unwrap_or_else(PoisonError::into_inner));
        if noted.is_empty() {
            return Ok(());
        }
        let (ids, ats): (Vec<Uuid>, Vec<i64>) = noted
            .iter()
            .map(|(id, at)| (value::uuid(id.as_bytes()), value::millis(*at)))
            .unzip();
        match link.rows(TOUCH, &params![ids, ats]).await {
            Err(Failure::Unknown) => {
                *failed = Some(Instant::now());
                Err(Failure::Unknown)
            }
            Ok(_) | Err(Failure::Refused) => Ok(()),
        }
    }
}
