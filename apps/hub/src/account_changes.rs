//! Sessions of accounts that are gone, or whose password is another one: they end when the hub learns of it.
//!
//! Accounts stand in the configuration, sessions in the store, which outlives many configurations. So the store keeps what
//! is needed to compare: the digest of the last list, and when each password of each account was seen first.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use logout_core::CanonicalForm;
use logout_core::authority::Ports;
use logout_core::credential::{CredentialDigest, SecretDigest};
use logout_core::platform::PlatformName;
use logout_core::receipt::{Reach, Reason};
use logout_core::session::Session;
use logout_core::store::{EndTarget, SessionFilter, StoreUnavailable};
use logout_core::time::Timestamp;

use crate::config::AccountConfig;
use crate::platforms::KnownPlatform;

/// How many sessions are looked at, or ended, in one step.
const STEP: usize = 500;
/// How many passwords are asked for at once.
const AT_ONCE: usize = 32;
/// How long the last list is kept: practically for ever.
const KEPT: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// Ends the sessions at stand-in platforms whose account is gone, or was opened with another password. Cheap where the list
/// of accounts is the one of the last start; otherwise it looks through the live sessions of these platforms.
///
/// It can be stopped at any point and begun anew: the last list is taken away first and written again when all is done.
///
/// # Errors
/// The store did not answer; the next call does what is left.
pub(crate) async fn end_sessions_of_changed_accounts(
    accounts: &[AccountConfig],
    platforms: &[KnownPlatform],
    ports: &Ports,
) -> Result<usize, StoreUnavailable> {
    let stand_ins: Vec<&KnownPlatform> = platforms.iter().filter(|known| !known.sessions.platform().has_upstream).collect();
    let Some(first) = stand_ins.first() else { return Ok(0) };
    let key = key_of(&stand_ins, &first.sessions.platform().name);
    let current = digest_of(accounts);
    let last = ports.store.take_once(&key, ports.clock.now()).await?;
    let mut ended = 0;
    if last.as_deref() != Some(current.as_bytes().as_slice()) {
        let seen = passwords_seen(accounts, ports).await?;
        for known in stand_ins {
            ended += end_at(known, &seen, ports).await?;
        }
    }
    ports.store.put_once(key, current.as_bytes().to_vec(), ports.clock.now().plus(KEPT)).await?;
    if ended > 0 {
        log::warn!(ended; "sessions ended whose account was removed or has another password");
    }
    Ok(ended)
}

/// Hubs with other stand-ins on the same store have accounts of their own.
fn key_of(stand_ins: &[&KnownPlatform], first: &PlatformName) -> CredentialDigest {
    let mut names: Vec<String> = stand_ins.iter().map(|known| known.sessions.platform().name.to_string()).collect();
    names.sort();
    CredentialDigest::of(first, "accounts", &CanonicalForm::of_text(&names.join("\n")))
}

fn digest_of(accounts: &[AccountConfig]) -> SecretDigest {
    let mut versions: Vec<String> = accounts.iter().map(version_of).collect();
    versions.sort();
    SecretDigest::of(&versions.join("\n"))
}

/// An account with its password, without telling the one from which its hash can be guessed.
fn version_of(account: &AccountConfig) -> String {
    let text = [account.realm.to_ascii_lowercase(), account.name.to_ascii_lowercase(), account.password_hash.reveal().to_owned()];
    let digest = SecretDigest::of(&text.join("\n"));
    digest.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Realm and name as they are compared, and when the password that the account has now was seen first.
type Seen = HashMap<(String, String), Timestamp>;

/// At the first start on a store nothing is known of what came before, and every session passes.
async fn passwords_seen(accounts: &[AccountConfig], ports: &Ports) -> Result<Seen, StoreUnavailable> {
    let now = ports.clock.now().as_millis();
    let bytes = |at: u64| at.to_be_bytes().to_vec();
    let is_first = ports.store.agree("accounts/since", bytes(now)).await? == bytes(now);
    let candidate = bytes(if is_first { 0 } else { now });
    let asked = accounts.iter().map(|account| (named(&account.realm, &account.name), format!("account/{}", version_of(account))));
    let agreed = stream::iter(asked).map(|(account, version)| {
        let candidate = candidate.clone();
        async move {
            let bytes = ports.store.agree(&version, candidate).await?;
            let at = bytes.try_into().map(u64::from_be_bytes).map_err(|_| StoreUnavailable)?;
            Ok((account, Timestamp::from_millis(at)))
        }
    });
    agreed.buffer_unordered(AT_ONCE).try_collect().await
}

fn named(realm: &str, name: &str) -> (String, String) {
    (realm.to_ascii_lowercase(), name.to_ascii_lowercase())
}

async fn end_at(known: &KnownPlatform, seen: &Seen, ports: &Ports) -> Result<usize, StoreUnavailable> {
    let filter = SessionFilter { platform: Some(known.sessions.platform().name.clone()), ..SessionFilter::default() };
    let is_over = |session: &Session| {
        let since = seen.get(&named(&session.subject.realm, &session.subject.name));
        known.adapter.has_account(&session.subject) && since.is_none_or(|since| session.opened < *since)
    };
    let (mut ended, mut after) = (0, None);
    loop {
        let page = ports.store.sessions(&filter, after, STEP, ports.clock.now()).await?;
        let targets: Vec<_> = page.items.iter().filter(|session| is_over(session)).map(|session| EndTarget::Session(session.id)).collect();
        if !targets.is_empty() {
            ended += ports.end(Reason::AccountRemoved, Reach::Session, targets).await?.1.len();
        }
        after = page.next;
        if after.is_none() {
            return Ok(ended);
        }
    }
}
