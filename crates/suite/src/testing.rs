//! Ports for tests: a clock that is set, accounts from a list, tokens without cryptography. Never
//! for production.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use logout_core::authority::{Services, SessionAuthority};
use logout_core::canonical::{CanonicalForm, CredentialReader};
use logout_core::credential::{Credential, CredentialDigest, Sealed, Secret, SecretDigest};
use logout_core::delivery::{Delivery, Leased, Settlement};
use logout_core::login::{LoginAttempt, LoginError};
use logout_core::message::{Request, Response};
use logout_core::outbox::{DeliveryFilter, Outbox};
use logout_core::platform::{Platform, PlatformName};
use logout_core::ports::{Account, Accounts, Clock, TokenClaims, TokenError, Tokens};
use logout_core::provider::LoginProvider;
use logout_core::receipt::{EndedSession, Receipt, ReceiptId};
use logout_core::session::{Person, Session, SessionId};
use logout_core::sign_out::Refusal;
use logout_core::store::Join;
use logout_core::store::{
    EndOrder, Lookup, OpenOutcome, Page, SessionFilter, SessionStore, StoreUnavailable, SweepPage,
};
use logout_core::time::Timestamp;
use logout_core::upstream::UpstreamSession;
use logout_store::MemoryStore;

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

/// A store in memory that can be told not to answer.
#[derive(Debug, Default)]
pub struct BreakableStore {
    store: MemoryStore,
    broken: AtomicBool,
    /// How many answers it still gives, where that is bounded.
    answers_left: Mutex<Option<usize>>,
}

impl BreakableStore {
    /// From now on it answers nothing, or everything again.
    pub fn set_broken(&self, broken: bool) {
        self.broken.store(broken, Ordering::SeqCst);
        *self.left() = None;
    }

    /// It gives this many answers more, and then none until it is told to answer again.
    pub fn break_after(&self, answers: usize) {
        *self.left() = Some(answers);
    }

    fn left(&self) -> MutexGuard<'_, Option<usize>> {
        self.answers_left
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn store(&self) -> Result<&MemoryStore, StoreUnavailable> {
        if let Some(left) = &mut *self.left() {
            *left = left.checked_sub(1).ok_or(StoreUnavailable)?;
        }
        if self.broken.load(Ordering::SeqCst) {
            Err(StoreUnavailable)
        } else {
            Ok(&self.store)
        }
    }
}

#[async_trait]
impl SessionStore for BreakableStore {
    async fn open(
        &self,
        session: Session,
        join: Join,
        now: Timestamp,
    ) -> Result<OpenOutcome, StoreUnavailable> {
        self.store()?.open(session, join, now).await
    }

    async fn find(
        &self,
        credential: &CredentialDigest,
        now: Timestamp,
    ) -> Result<Lookup, StoreUnavailable> {
        self.store()?.find(credential, now).await
    }

    async fn attach(
        &self,
        session: SessionId,
        credential: Credential,
        sealed: Option<Sealed>,
        now: Timestamp,
    ) -> Result<bool, StoreUnavailable> {
        self.store()?.attach(session, credential, sealed, now).await
    }

    async fn touch(&self, session: SessionId, now: Timestamp) -> Result<(), StoreUnavailable> {
        self.store()?.touch(session, now).await
    }

    async fn end(&self, order: EndOrder) -> Result<Vec<EndedSession>, StoreUnavailable> {
        self.store()?.end(order).await
    }

    async fn put_once(
        &self,
        key: CredentialDigest,
        value: Vec<u8>,
        expires: Timestamp,
    ) -> Result<bool, StoreUnavailable> {
        self.store()?.put_once(key, value, expires).await
    }

    async fn take_once(
        &self,
        key: &CredentialDigest,
        now: Timestamp,
    ) -> Result<Option<Vec<u8>>, StoreUnavailable> {
        self.store()?.take_once(key, now).await
    }

    async fn sessions(
        &self,
        filter: &SessionFilter,
        after: Option<SessionId>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Page<Session, SessionId>, StoreUnavailable> {
        self.store()?.sessions(filter, after, limit, now).await
    }

    async fn receipt(&self, id: ReceiptId) -> Result<Option<Receipt>, StoreUnavailable> {
        self.store()?.receipt(id).await
    }

    async fn receipts(
        &self,
        before: Option<ReceiptId>,
        limit: usize,
    ) -> Result<Page<Receipt, ReceiptId>, StoreUnavailable> {
        self.store()?.receipts(before, limit).await
    }

    async fn sweep(
        &self,
        from: Option<Vec<u8>>,
        limit: usize,
        now: Timestamp,
        receipts_until: Timestamp,
    ) -> Result<SweepPage, StoreUnavailable> {
        self.store()?.sweep(from, limit, now, receipts_until).await
    }

    async fn get_or_insert(
        &self,
        name: &str,
        candidate: Vec<u8>,
    ) -> Result<Vec<u8>, StoreUnavailable> {
        self.store()?.get_or_insert(name, candidate).await
    }

    async fn health(&self) -> Result<(), StoreUnavailable> {
        self.store()?.health().await
    }
}

#[async_trait]
impl Outbox for BreakableStore {
    async fn lease(
        &self,
        platform: &PlatformName,
        limit: usize,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<Leased>, StoreUnavailable> {
        self.store()?.lease(platform, limit, now, until).await
    }

    async fn settle(
        &self,
        session: SessionId,
        lease: u64,
        settlement: Settlement,
    ) -> Result<bool, StoreUnavailable> {
        self.store()?.settle(session, lease, settlement).await
    }

    async fn next_due(
        &self,
        platform: &PlatformName,
    ) -> Result<Option<Timestamp>, StoreUnavailable> {
        self.store()?.next_due(platform).await
    }

    async fn delivery(&self, session: SessionId) -> Result<Option<Delivery>, StoreUnavailable> {
        self.store()?.delivery(session).await
    }

    async fn deliveries_of(
        &self,
        sessions: &[&EndedSession],
    ) -> Result<Vec<Option<Delivery>>, StoreUnavailable> {
        self.store()?.deliveries_of(sessions).await
    }

    async fn deliveries(
        &self,
        filter: &DeliveryFilter,
        after: Option<SessionId>,
        limit: usize,
    ) -> Result<Page<Delivery, SessionId>, StoreUnavailable> {
        self.store()?.deliveries(filter, after, limit).await
    }

    async fn retry(&self, session: SessionId, now: Timestamp) -> Result<bool, StoreUnavailable> {
        self.store()?.retry(session, now).await
    }
}

/// Reads credentials as text: no two spellings mean the same.
#[derive(Clone, Copy, Debug)]
pub struct AsText;

impl CredentialReader for AsText {
    fn canonical_forms(&self, _purpose: &str, presented: &str) -> Vec<CanonicalForm> {
        vec![CanonicalForm::of_text(presented)]
    }

    fn presented(&self, _request: &Request) -> UpstreamSession {
        UpstreamSession::default()
    }
}

/// A provider with a store in memory and a clock that is set: what an adapter's tests send requests
/// to.
#[derive(Debug)]
pub struct StandIn<P> {
    provider: Arc<P>,
    sessions: SessionAuthority,
    clock: Arc<ManualClock>,
    store: Arc<BreakableStore>,
}

impl<P: LoginProvider> StandIn<P> {
    /// The stand-in of `platform`, spoken for by what `provider` makes.
    pub fn new(platform: Platform, provider: impl FnOnce(&Platform) -> P) -> Self {
        let clock = Arc::new(ManualClock::default());
        let store = Arc::new(BreakableStore::default());
        let provider = Arc::new(provider(&platform));
        let accounts = Arc::new(ListedAccounts::default());
        let services = Services::of_stand_ins(
            accounts,
            clock.clone(),
            store.clone(),
            Arc::new(RememberedTokens::default()),
        );
        let sessions = SessionAuthority::new(Arc::new(platform), provider.clone(), services);
        Self {
            provider,
            sessions,
            clock,
            store,
        }
    }

    /// Its clock.
    pub fn clock(&self) -> &ManualClock {
        &self.clock
    }

    /// Its store.
    pub fn store(&self) -> &BreakableStore {
        &self.store
    }

    /// Its sessions.
    pub fn sessions(&self) -> &SessionAuthority {
        &self.sessions
    }

    /// Answers as a server would that mounts the provider at its paths; a path that is nobody's
    /// gets 404.
    pub fn send(&self, request: Request) -> Response {
        futures_executor::block_on(self.answer(request))
    }

    async fn answer(&self, request: Request) -> Response {
        let endpoints = self
            .provider
            .endpoints()
            .iter()
            .map(|endpoint| (endpoint, true));
        let all = endpoints.chain(
            self.provider
                .login_endpoints()
                .iter()
                .map(|endpoint| (endpoint, false)),
        );
        let mut matching = all
            .filter_map(|(endpoint, signs_out)| {
                Some((endpoint, signs_out, endpoint.matches(request.path())?))
            })
            .peekable();
        if matching.peek().is_none() {
            return Response::new(404);
        }
        let mut allow = Vec::new();
        for (endpoint, signs_out, parameters) in matching {
            if endpoint.methods().contains(&request.method()) {
                let request = request.with_endpoint(endpoint.name(), parameters);
                let admitted = if signs_out {
                    self.sessions.admit_sign_out(&request)
                } else {
                    self.sessions.admit(&request)
                };
                if let Err(refusal) = admitted {
                    return self.provider.refused(&request, &refusal).into();
                }
                return if signs_out {
                    self.provider.logout(&request, &self.sessions).await.into()
                } else {
                    self.provider.serve(&request, &self.sessions).await
                };
            }
            allow.extend_from_slice(endpoint.methods());
        }
        self.provider
            .refused(&request, &Refusal::MethodNotAllowed { allow })
            .into()
    }
}
