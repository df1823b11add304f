//! How many wrong passwords are looked at: counted in the store, so that hubs that share one count
//! together.
//!
//! Each count is a row of places for one span of time, and who takes a guess takes the first free
//! place, as a one-time value ([`SessionStore::put_once`]) that is of no use after that span. A
//! right password gives its places back. So nothing has to be reset, and no account is closed for
//! longer than the span.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use futures_util::future::join_all;
use logout_core::credential::CredentialDigest;
use logout_core::login::LoginError;
use logout_core::ports::Clock;
use logout_core::store::{SessionStore, StoreUnavailable};
use logout_core::time::Timestamp;

use super::limits::LoginLimits;
use super::origin::{AddressGroup, Origin};

/// For how many counts the first free place is remembered. It only saves questions to the store.
const REMEMBERED: usize = 10_000;

/// Counts guesses.
#[derive(Debug)]
pub(crate) struct Guesses {
    store: Arc<dyn SessionStore>,
    clock: Arc<dyn Clock>,
    limits: LoginLimits,
    /// For each count, the first place that may be free, and when the count is over.
    free: Mutex<HashMap<[u8; 32], (usize, Timestamp)>>,
}

/// What one count is of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Account,
    Address,
    Both,
}

/// One count in one span of time.
#[derive(Debug)]
struct Count {
    kind: Kind,
    name: [u8; 32],
    ends: Timestamp,
}

/// A guess that was taken: given back if it was none.
#[derive(Debug)]
pub(crate) struct Taken(Vec<(Count, usize)>);

impl Guesses {
    pub(crate) fn new(
        limits: LoginLimits,
        store: Arc<dyn SessionStore>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            store,
            clock,
            limits,
            free: Mutex::default(),
        }
    }

    /// Takes a guess for a login whose password has not been looked at yet, so that of many at once
    /// no more are looked at than may be wrong.
    ///
    /// # Errors
    /// The address has none left, for this account or at all; or the store did not answer.
    pub(crate) async fn take(&self, origin: &Origin) -> Result<Taken, LoginError> {
        let now = self.clock.now();
        let mut own = vec![(
            self.count(Kind::Both, origin, now),
            self.limits.guesses.get(),
        )];
        if origin.address != AddressGroup::Unknown {
            own.push((
                self.count(Kind::Address, origin, now),
                self.limits.guesses_per_address.get(),
            ));
        }
        // Whoever goes on guessing costs the store nothing.
        let known_full = own
            .iter()
            .filter(|(count, limit)| self.remember(count, |free| free) >= *limit);
        if let Some(until) = known_full.map(|(count, _)| count.ends).max() {
            return Err(too_many(until, now));
        }
        let account = self
            .place(
                self.count(Kind::Account, origin, now),
                self.limits.guesses_per_account.get(),
            )
            .await?;
        if account.is_err() {
            // Whoever guesses from many addresses is left with one guess for each, and its owner
            // with one as well.
            own[0].1 = 1;
        }
        let mut taken = Taken(account.into_iter().collect());
        let mut refused = None;
        for place in join_all(
            own.into_iter()
                .map(|(count, limit)| self.place(count, limit)),
        )
        .await
        {
            match place {
                Ok(Ok(place)) => taken.0.push(place),
                Ok(Err(full)) => refused = refused.max(Some(full.ends)),
                // What was taken of the others counts as wrong until its time is over.
                Err(StoreUnavailable) => return Err(LoginError::Unavailable),
            }
        }
        let Some(until) = refused else {
            return Ok(taken);
        };
        self.give_back(taken).await;
        Err(too_many(until, now))
    }

    /// Gives back what was taken for a login that was right, or was not looked at.
    pub(crate) async fn give_back(&self, taken: Taken) {
        let now = self.clock.now();
        join_all(taken.0.iter().map(async |(count, place)| {
            // Where the store does not answer, the place counts as wrong until its time is over.
            if self.store.take_once(&count.key(*place), now).await.is_ok() {
                self.remember(count, |free| free.min(*place));
            }
        }))
        .await;
    }

    fn count(&self, kind: Kind, origin: &Origin, now: Timestamp) -> Count {
        let (address, name) = match kind {
            Kind::Account => (None, Some(origin.name.as_bytes())),
            Kind::Address => (Some(origin.address.as_bytes()), None),
            Kind::Both => (
                Some(origin.address.as_bytes()),
                Some(origin.name.as_bytes()),
            ),
        };
        let of = hash(&[
            address.unwrap_or_default(),
            name.unwrap_or_default(),
            &[kind as u8],
        ]);
        let window = u64::try_from(self.limits.window.as_millis())
            .unwrap_or(u64::MAX)
            .max(1);
        // Not all counts begin at the same instant.
        let [a, b, c, d, ..] = of;
        let offset = u64::from(u32::from_be_bytes([a, b, c, d])) % window;
        let span = now.as_millis().saturating_add(offset) / window;
        let ends = Timestamp::from_millis((span + 1).saturating_mul(window).saturating_sub(offset));
        Count {
            kind,
            name: hash(&[&of, &span.to_be_bytes()]),
            ends,
        }
    }

    /// Takes the first free place of a count; the count where it has none.
    async fn place(
        &self,
        count: Count,
        limit: usize,
    ) -> Result<Result<(Count, usize), Count>, StoreUnavailable> {
        let known = self.remember(&count, |free| free);
        for place in known..limit {
            if self
                .store
                .put_once(count.key(place), Vec::new(), count.ends)
                .await?
            {
                self.remember(&count, |free| free.max(place + 1));
                return Ok(Ok((count, place)));
            }
        }
        if self.remember(&count, |free| free.max(limit)) == limit && known < limit {
            count.tell();
        }
        Ok(Err(count))
    }

    /// Changes what is known of the first free place, and says what it is then.
    fn remember(&self, count: &Count, change: impl Fn(usize) -> usize) -> usize {
        let mut all = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= REMEMBERED && !all.contains_key(&count.name) {
            let now = self.clock.now();
            all.retain(|_, (_, ends)| *ends > now);
            if all.len() >= REMEMBERED {
                all.clear();
            }
        }
        let free = &mut all.entry(count.name).or_insert((0, count.ends)).0;
        *free = change(*free);
        *free
    }
}

fn too_many(until: Timestamp, now: Timestamp) -> LoginError {
    LoginError::TooMany {
        retry_after: until.since(now).max(Duration::from_secs(1)),
    }
}

impl Count {
    fn key(&self, place: usize) -> CredentialDigest {
        CredentialDigest::from_bytes(hash(&[&self.name, &(place as u64).to_be_bytes()]))
    }

    /// Names nobody: what was typed as a name may be a password.
    fn tell(&self) {
        match self.kind {
            Kind::Account => log::warn!(
                "one account was guessed at from several addresses; each of them has one guess left for a while"
            ),
            Kind::Address => log::warn!(
                "one address has used up its wrong passwords and is refused for a while; if it is a proxy of yours, list it in \
                 server.trusted_proxies"
            ),
            Kind::Both => log::info!("one address has used up its wrong passwords for one account"),
        }
    }
}

fn hash(parts: &[&[u8]]) -> [u8; 32] {
    let mut bytes = b"login-guess".to_vec();
    for part in parts {
        bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part);
    }
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, &bytes).as_ref());
    hash
}

#[cfg(test)]
#[path = "guesses_tests.rs"]
mod tests;
