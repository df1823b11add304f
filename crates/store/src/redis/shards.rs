//! Shards, and the keys outside of them that say which shard has what.
//!
//! A single server has one shard, and needs no such keys. In a cluster, the shard of a session
//! follows from its person, or from its subject where the person is unknown. A **shard key** says
//! where a credential or a session lies. It is written first, so that one without the other reads
//! as unknown. A **hint** says where sessions of a subject, of a sign-on or of a login at an
//! identity provider may lie; the shard itself knows whether they do.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::try_join_all;
use logout_core::credential::CredentialDigest;
use logout_core::idp::IdpKey;
use logout_core::platform::PlatformName;
use logout_core::receipt::EndedSession;
use logout_core::session::{Person, Session, SessionId, SsoSessionId, Subject};
use logout_core::time::Timestamp;
use redis::Value;

use super::address::Address;
use super::commit::Commit;
use super::link::{Link, LinkError};
use super::record::{exact, subject_key};
use super::shard::{Shard, array, bytes, optional};

/// Ten years: as good as for ever, and within what the server can count.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// All shards of one store.
#[derive(Debug)]
pub(super) struct Shards {
    pub(super) link: Link,
    prefix: String,
    count: u16,
    /// Up to when this process's housekeeping has forgotten tombstones and one-time values. The
    /// server drops them by itself, a margin later; between the two they count as forgotten here.
    forgotten: AtomicU64,
}

/// How long a key lives that is needed until `until`, in milliseconds, as the server takes it. A
/// span, not an instant: the server's clock may say something else than the caller's.
pub(super) fn life(until: Timestamp, now: Timestamp, margin: Duration) -> Vec<u8> {
    (until.since(now).min(LONGEST) + margin)
        .as_millis()
        .to_string()
        .into_bytes()
}

/// FNV-1a. It decides where things lie, so it never changes.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

impl Shards {
    pub(super) fn new(address: &Address) -> Self {
        Self {
            link: Link::new(address),
            prefix: address.options.prefix.clone(),
            count: address.options.buckets,
            forgotten: AtomicU64::new(0),
        }
    }

    pub(super) fn count(&self) -> u16 {
        self.count
    }

    pub(super) fn are_many(&self) -> bool {
        self.count > 1
    }

    pub(super) fn all(&self) -> Vec<u16> {
        (0..self.count).collect()
    }

    pub(super) fn shard(&self, shard: u16) -> Shard<'_> {
        Shard {
            link: &self.link,
            base: format!("{}{{{shard}}}", self.prefix).into_bytes(),
        }
    }

    /// What every shard answers, asked at once.
    pub(super) async fn everywhere<'a, T, F: Future<Output = Result<T, LinkError>>>(
        &'a self,
        ask: impl Fn(Shard<'a>) -> F,
    ) -> Result<Vec<T>, LinkError> {
        try_join_all((0..self.count).map(|shard| ask(self.shard(shard)))).await
    }

    pub(super) fn forgotten(&self) -> Timestamp {
        Timestamp::from_millis(self.forgotten.load(Ordering::Relaxed))
    }

    pub(super) fn forget_until(&self, now: Timestamp) {
        self.forgotten.fetch_max(exact(now), Ordering::Relaxed);
    }

    pub(super) fn of_bytes(&self, bytes: &[u8]) -> u16 {
        u16::try_from(hash(bytes) % u64::from(self.count)).unwrap_or_default()
    }

    pub(super) fn of_person(&self, person: &Person) -> u16 {
        self.of_bytes(person.as_str().as_bytes())
    }

    pub(super) fn of_session(&self, session: &Session) -> u16 {
        self.of_owner(session.person.as_ref(), &session.platform, &session.subject)
    }

    pub(super) fn of_ended(&self, ended: &EndedSession) -> u16 {
        self.of_owner(ended.person.as_ref(), &ended.platform, &ended.subject)
    }

    pub(super) fn of_subject(&self, platform: &PlatformName, subject: &Subject) -> u16 {
        self.of_bytes(&subject_key(platform, subject))
    }

    fn of_owner(&self, person: Option<&Person>, platform: &PlatformName, subject: &Subject) -> u16 {
        person.map_or_else(
            || self.of_subject(platform, subject),
            |person| self.of_person(person),
        )
    }

    /// The shards that the delivery of an ended session may lie in: the session's, and the
    /// subject's, where deliveries of another store arrive without a person.
    pub(super) fn of_delivery(&self, ended: &EndedSession) -> [u16; 2] {
        [
            self.of_ended(ended),
            self.of_subject(&ended.platform, &ended.subject),
        ]
    }

    /// The shard of a session that only its id is known of; `None` where there is no such session.
    pub(super) async fn of_id(&self, session: SessionId) -> Result<Option<u16>, LinkError> {
        if !self.are_many() {
            return Ok(Some(0));
        }
        self.shard_at(&self.session_shard_key(session)).await
    }

    /// The shard of a credential; `None` where it was never seen.
    pub(super) async fn of_credential(
        &self,
        digest: &CredentialDigest,
    ) -> Result<Option<u16>, LinkError> {
        if !self.are_many() {
            return Ok(Some(0));
        }
        self.shard_at(&self.credential_shard_key(digest)).await
    }

    fn outside(&self, kind: &str, name: &[u8]) -> Vec<u8> {
        [self.prefix.as_bytes(), kind.as_bytes(), name].concat()
    }

    pub(super) fn credential_shard_key(&self, digest: &CredentialDigest) -> Vec<u8> {
        self.outside("c:", digest.as_bytes())
    }

    pub(super) fn session_shard_key(&self, session: SessionId) -> Vec<u8> {
        self.outside("s:", session.as_bytes())
    }

    pub(super) fn sign_on_hint(&self, sign_on: &SsoSessionId) -> Vec<u8> {
        self.outside("o:", sign_on.as_bytes())
    }

    pub(super) fn subject_hint(&self, platform: &PlatformName, subject: &Subject) -> Vec<u8> {
        self.outside("u:", &subject_key(platform, subject))
    }

    pub(super) fn idp_hint(&self, key: &IdpKey) -> Vec<u8> {
        self.outside("i:", key)
    }

    fn parse(&self, text: &[u8]) -> Result<u16, LinkError> {
        let shard = std::str::from_utf8(text)
            .ok()
            .and_then(|text| text.parse().ok());
        shard
            .filter(|shard| *shard < self.count)
            .ok_or(LinkError::Shape)
    }

    pub(super) async fn shard_at(&self, key: &[u8]) -> Result<Option<u16>, LinkError> {
        let mut command = redis::cmd("GET");
        command.arg(key);
        optional(self.link.send(command, key, false).await?)?
            .map(|text| self.parse(&text))
            .transpose()
    }

    pub(super) async fn set_shard(
        &self,
        key: &[u8],
        shard: u16,
        life: &[u8],
    ) -> Result<(), LinkError> {
        let mut command = redis::cmd("SET");
        command.arg(key).arg(shard).arg("PX").arg(life);
        self.link.send(command, key, true).await.map(drop)
    }

    /// Writes the shard unless the key has one; whether it did.
    pub(super) async fn set_shard_if_absent(
        &self,
        key: &[u8],
        shard: u16,
        life: &[u8],
    ) -> Result<bool, LinkError> {
        let mut command = redis::cmd("SET");
        command.arg(key).arg(shard).arg("NX").arg("PX").arg(life);
        Ok(!matches!(
            self.link.send(command, key, true).await?,
            Value::Nil
        ))
    }

    /// The shards that a hint names, in order.
    pub(super) async fn hinted(&self, key: &[u8]) -> Result<Vec<u16>, LinkError> {
        if !self.are_many() {
            return Ok(vec![0]);
        }
        let mut command = redis::cmd("ZRANGE");
        command.arg(key).arg(0).arg(-1);
        let mut shards = array(self.link.send(command, key, false).await?)?
            .into_iter()
            .map(|value: Value| self.parse(&bytes(value)?))
            .collect::<Result<Vec<_>, _>>()?;
        shards.sort_unstable();
        Ok(shards)
    }

    pub(super) async fn hint(&self, key: &[u8], shard: u16, life: &[u8]) -> Result<(), LinkError> {
        let mut commit = Commit::default();
        commit.add("ZADD", b"", &[b"0", shard.to_string().as_bytes()]);
        commit.add("KEEP", b"", &[life]);
        let outside = Shard {
            link: &self.link,
            base: key.to_vec(),
        };
        commit.send(&outside).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_things_lie_never_changes() {
        let shards = |url: &str| Shards::new(&Address::parse(url).unwrap());
        let of = |shards: &Shards, name: &str| shards.of_person(&Person::new(name));
        assert_eq!(of(&shards("redis://h"), "alice@example.com"), 0);
        let cluster = shards("redis+cluster://h");
        // The reference vector of FNV-1a.
        assert_eq!(hash(b"foobar"), 0x8594_4171_f739_67e8);
        assert_eq!(of(&cluster, "alice@example.com"), 6);
        assert_eq!(cluster.shard(7).base, b"logout:{7}");
    }

    #[test]
    fn persons_are_spread_over_all_shards() {
        let shards = Shards::new(&Address::parse("redis+cluster://h").unwrap());
        let mut counts = [0; 64];
        for number in 0..6_400 {
            counts[usize::from(
                shards.of_person(&Person::new(format!("user{number}@example.com"))),
            )] += 1;
        }
        assert!(
            counts.iter().all(|count| (40..200).contains(count)),
            "{counts:?}"
        );
    }

    #[test]
    fn a_key_lives_a_span_and_not_until_an_instant() {
        let (now, until) = (
            Timestamp::from_millis(1_000),
            Timestamp::from_millis(61_000),
        );
        assert_eq!(life(until, now, Duration::from_secs(1)), b"61000");
        assert_eq!(life(now, until, Duration::from_secs(1)), b"1000");
        assert_eq!(
            life(Timestamp::from_millis(u64::MAX), now, Duration::ZERO),
            b"315360000000"
        );
    }
}
