//! Ports for tests: a clock that is set, accounts from a list, tokens without cryptography. Never
//! for production.

mod breakable_store;
pub mod product;
mod stand_in;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
pub use breakable_store::BreakableStore;
use logout_core::canonical::{CanonicalForm, CredentialReader};
use logout_core::credential::{Secret, SecretDigest};
use logout_core::login::{LoginAttempt, LoginError};
use logout_core::message::Request;
use logout_core::ports::{Account, Accounts, Clock, TokenClaims, TokenError, Tokens};
use logout_core::session::Person;
use logout_core::time::Timestamp;
use logout_core::upstream::UpstreamSession;
pub use stand_in::StandIn;

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub struct ManualClock(AtomicU64);

impl ManualClock {
    /// A clock that shows `now`.
    pub fn at(now: Timestamp) -> Self {
        Self(AtomicU64::new(now.as_millis()))
    }

    /// Moves it forward.
    pub fn advance(&self, span: Duration) {
        let millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        self.0.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Default for ManualClock {
    /// Some day in 2026.
    fn default() -> Self {
        Self::at(Timestamp::from_millis(1_790_000_000_000))
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// Accounts from a list. The password of each is its name with `-password` behind.
#[derive(Debug)]
pub struct ListedAccounts(Vec<Account>);

impl Default for ListedAccounts {
    /// `alice` and `bob` in realm `Default`, another `alice` in `LDAP`, and `admin`, who is
    /// administrator.
    fn default() -> Self {
        let account = |realm: &str, name: &str| Account {
            realm: realm.to_owned(),
            name: name.to_owned(),
            person: Some(Person::new(format!("{name}@example.com"))),
            email: Some(format!("{name}@example.com")),
            display_name: format!("{}{} Example", name[..1].to_uppercase(), &name[1..]),
            groups: vec!["editors".to_owned()],
            administrator: name == "admin",
            version: None,
        };
        Self(vec![
            account("Default", "alice"),
            account("Default", "bob"),
            account("LDAP", "alice"),
            account("Default", "admin"),
        ])
    }
}

#[async_trait]
impl Accounts for ListedAccounts {
    async fn verify(&self, attempt: LoginAttempt<'_>) -> Result<Option<Account>, LoginError> {
        let of = |name: &str| {
            let mut known = self.0.iter().filter(|account| {
                attempt
                    .realm
                    .is_none_or(|realm| account.realm.eq_ignore_ascii_case(realm))
            });
            known.find(|account| answers_to(account, name))
        };
        let account = of(attempt.name).or_else(|| attempt.or_name.and_then(of));
        Ok(account
            .filter(|account| attempt.password.reveal() == format!("{}-password", account.name))
            .cloned())
    }

    fn is_known(&self, name: &str) -> bool {
        self.0.iter().any(|account| answers_to(account, name))
    }

    fn find(&self, realm: &str, name: &str) -> Option<Account> {
        let same = |account: &&Account| {
            account.realm.eq_ignore_ascii_case(realm) && account.name.eq_ignore_ascii_case(name)
        };
        self.0.iter().find(same).cloned()
    }
}

fn answers_to(account: &Account, name: &str) -> bool {
    account.name.eq_ignore_ascii_case(name)
        || account
            .email
            .as_deref()
            .is_some_and(|email| email.eq_ignore_ascii_case(name))
}

/// Tokens of three parts that only this value knows: nothing is signed, it remembers what it
/// minted.
#[derive(Debug, Default)]
pub struct RememberedTokens(Mutex<Vec<(SecretDigest, TokenClaims)>>);

impl Tokens for RememberedTokens {
    fn mint(&self, claims: &TokenClaims) -> Result<Secret, TokenError> {
        let token = Secret::new(format!("e30.{}.{}", claims.jti, Secret::random().reveal()));
        let mut known = self.0.lock().map_err(|_| TokenError::Invalid)?;
        known.push((SecretDigest::of(token.reveal()), claims.clone()));
        Ok(token)
    }

    fn verify(
        &self,
        token: &str,
        issuer: &str,
        audience: &str,
        now: Timestamp,
    ) -> Result<TokenClaims, TokenError> {
        let digest = SecretDigest::of(token);
        let known = self.0.lock().map_err(|_| TokenError::Invalid)?;
        let (_, claims) = known
            .iter()
            .find(|(known, _)| *known == digest)
            .ok_or(TokenError::Invalid)?;
        if claims.iss != issuer || claims.aud != audience {
            return Err(TokenError::Invalid);
        }
        if claims.exp <= now.as_secs() {
            Err(TokenError::Expired)
        } else {
            Ok(claims.clone())
        }
    }
}

/// Reads credentials as text: no two spellings mean the same.
#[derive(Clone, Copy, Debug)]
pub struct AsText;

impl CredentialReader for AsText {
    fn canonical_forms(&self, _purpose: &str, presented: &str) -> Vec<CanonicalForm> {
        vec![CanonicalForm::of_text(presented)]
    }

    fn presented(&self, _request: &Request<'_>) -> UpstreamSession {
        UpstreamSession::default()
    }
}
