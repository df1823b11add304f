//! Sessions of accounts that are gone, or whose password is another one: they end when the hub
//! learns of it.
//!
//! A session says with which version of an account it was opened, so nothing has to be known of
//! earlier lists. The store keeps the digest of the last list only, to tell whether nobody may be
//! served before the sessions have been looked at.

use std::collections::HashSet;
use std::time::Duration;

use logout_core::CanonicalForm;
use logout_core::authority::Services;
use logout_core::credential::{CredentialDigest, SecretDigest};
use logout_core::platform::PlatformName;
use logout_core::receipt::{Reach, Reason};
use logout_core::session::{AccountVersion, Session};
use logout_core::store::{EndTarget, SessionFilter, StoreUnavailable};

use crate::platforms::KnownPlatform;

/// How many sessions are looked at, or ended, in one step.
const STEP: usize = 500;
/// How long the last list is kept: practically for ever.
const KEPT: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// The accounts of a configuration, and the stand-in platforms that they are for.
pub(crate) struct AccountChanges {
    current: HashSet<AccountVersion>,
    platforms: Vec<PlatformName>,
    services: Services,
}

impl AccountChanges {
    pub(crate) fn new(
        current: HashSet<AccountVersion>,
        platforms: &[KnownPlatform],
        services: &Services,
    ) -> Self {
        let stand_ins = platforms
            .iter()
            .map(|known| known.sessions.platform())
            .filter(|platform| !platform.has_upstream);
        let mut platforms: Vec<PlatformName> =
            stand_ins.map(|platform| platform.name.clone()).collect();
        platforms.sort();
        Self {
            current,
            platforms,
            services: services.clone(),
        }
    }

    /// Ends what is over where the list is another one than at the last start. `false`: it is the
    /// same, and [`AccountChanges::end_sessions`] may be done beside serving. It still has to be:
    /// another hub on the same store may have opened sessions by an older list since.
    ///
    /// It can be stopped at any point and begun anew: the last list is taken away first and written
    /// again when all is done.
    ///
    /// # Errors
    /// The store did not answer; the next call does what is left.
    pub(crate) async fn end_sessions_if_new(&self) -> Result<bool, StoreUnavailable> {
        let Some(first) = self.platforms.first() else {
            return Ok(true);
        };
        // Hubs with other stand-ins on the same store have accounts of their own.
        let names: Vec<&str> = self.platforms.iter().map(PlatformName::as_str).collect();
        let key = CredentialDigest::of(
            first,
            "accounts",
            &CanonicalForm::of_text(&names.join("\n")),
        );
        let store = &self.services.store;
        let listed = self.digest().as_bytes().to_vec();
        let last = store.take_once(&key, self.services.clock.now()).await?;
        let is_new = last.is_none_or(|last| last != listed);
        if is_new {
            self.end_sessions().await?;
        }
        store
            .put_once(key, listed, self.services.clock.now().plus(KEPT))
            .await?;
        Ok(is_new)
    }

    fn digest(&self) -> SecretDigest {
        let mut versions: Vec<[u8; 8]> = self
            .current
            .iter()
            .map(|version| version.to_bytes())
            .collect();
        versions.sort_unstable();
        SecretDigest::of(
            &versions
                .concat()
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect::<String>(),
        )
    }

    /// Ends the sessions at stand-in platforms that were opened with an account, or a version of
    /// one, that is not listed. Looks through all live sessions of these platforms.
    ///
    /// # Errors
    /// The store did not answer; the next call does what is left.
    pub(crate) async fn end_sessions(&self) -> Result<(), StoreUnavailable> {
        let mut ended = 0;
        for platform in &self.platforms {
            ended += self.end_sessions_at(platform).await?;
        }
        if ended > 0 {
            log::warn!(ended; "sessions ended whose account was removed or has another password");
        }
        Ok(())
    }

    async fn end_sessions_at(&self, platform: &PlatformName) -> Result<usize, StoreUnavailable> {
        let filter = SessionFilter {
            platform: Some(platform.clone()),
            ..SessionFilter::default()
        };
        let is_over = |session: &&Session| {
            session
                .account
                .is_some_and(|version| !self.current.contains(&version))
        };
        let (mut ended, mut after) = (0, None);
        loop {
            let page = self
                .services
                .store
                .sessions(&filter, after, STEP, self.services.clock.now())
                .await?;
            let targets: Vec<_> = page
                .items
                .iter()
                .filter(is_over)
                .map(|session| EndTarget::Session(session.id))
                .collect();
            if !targets.is_empty() {
                ended += self
                    .services
                    .end(Reason::AccountRemoved, Reach::Session, targets)
                    .await?
                    .1
                    .len();
            }
            after = page.next;
            if after.is_none() {
                return Ok(ended);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_executor::block_on;
    use logout_core::credential::Secret;
    use logout_core::ports::Clock as _;
    use logout_core::session::{Device, SessionId, Subject};
    use logout_core::store::Join;
    use logout_core::store::SessionStore as _;
    use logout_core::time::Timestamp;
    use logout_suite::testing::{BreakableStore, ListedAccounts, ManualClock, RememberedTokens};

    use super::*;

    fn version(name: &str, hash: &str) -> AccountVersion {
        AccountVersion::of("Default", name, &Secret::new(hash))
    }

    #[test]
    fn a_version_is_of_one_realm_name_and_password() {
        let own = version("alice", "hash");
        assert_eq!(
            own,
            AccountVersion::of("default", "ALICE", &Secret::new("hash"))
        );
        for (realm, name, hash) in [
            ("Other", "alice", "hash"),
            ("Default", "bob", "hash"),
            ("Default", "alice", "Hash"),
            ("Defaulta", "lice", "hash"),
        ] {
            assert_ne!(
                own,
                AccountVersion::of(realm, name, &Secret::new(hash)),
                "{realm} {name} {hash}"
            );
        }
    }

    /// A store with 600 sessions, every other one of an account that is not listed any more, and
    /// some of none.
    fn world() -> (Arc<BreakableStore>, AccountChanges) {
        let (store, clock) = (
            Arc::new(BreakableStore::default()),
            Arc::new(ManualClock::default()),
        );
        let (platform, now) = (PlatformName::new("cms"), clock.now());
        for number in 0..600 {
            let account = [
                Some(version("alice", "kept")),
                Some(version("alice", "former")),
                None,
                Some(version("bob", "gone")),
            ][number % 4];
            let session = Session {
                id: SessionId::at(now),
                platform: platform.clone(),
                sign_on: None,
                subject: Subject::new("Default", "alice"),
                person: None,
                account,
                client: None,
                administrator: false,
                credentials: Vec::new(),
                csrf: None,
                opened: now,
                seen: now,
                idle_timeout: None,
                expires: now.plus(Duration::from_secs(60)),
                device: Device::default(),
                sealed: None,
                idp: None,
            };
            block_on(store.open(session, Join::Always, now)).unwrap();
        }
        let services = Services::of_stand_ins(
            Arc::new(ListedAccounts::default()),
            clock,
            store.clone(),
            Arc::new(RememberedTokens::default()),
        );
        let changes = AccountChanges {
            current: [version("alice", "kept")].into(),
            platforms: vec![platform],
            services,
        };
        (store, changes)
    }

    fn left(store: &BreakableStore) -> usize {
        block_on(store.sessions(&SessionFilter::default(), None, 1_000, Timestamp::default()))
            .unwrap()
            .items
            .len()
    }

    #[test]
    fn a_start_that_breaks_off_anywhere_is_made_up_for_by_the_next_one() {
        let mut finished = false;
        for answers in 0..10 {
            let (store, changes) = world();
            store.break_after(answers);
            finished = block_on(changes.end_sessions_if_new()).is_ok();
            store.set_broken(false);
            assert_eq!(
                block_on(changes.end_sessions_if_new()),
                Ok(!finished),
                "after {answers} answers"
            );
            assert_eq!(left(&store), 300);
        }
        assert!(finished);
    }

    #[test]
    fn a_list_that_is_the_last_one_still_finds_what_another_hub_opened() {
        let (store, changes) = world();
        block_on(changes.end_sessions_if_new()).unwrap();
        let other = world().0;
        let late =
            block_on(other.sessions(&SessionFilter::default(), None, 1_000, Timestamp::default()))
                .unwrap()
                .items;
        for session in late {
            block_on(store.open(session, Join::Always, Timestamp::default())).unwrap();
        }
        assert_eq!(
            (block_on(changes.end_sessions_if_new()), left(&store)),
            (Ok(false), 900)
        );
        block_on(changes.end_sessions()).unwrap();
        assert_eq!(left(&store), 600);
    }
}
