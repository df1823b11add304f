//! Sign-outs that an identity provider orders by a token.

use std::collections::BTreeSet;

use super::ports::Services;
use super::relying_parties::OfLogin;
use crate::credential::{CredentialDigest, SecretDigest};
use crate::idp::{IdpLogin, TokenId};
use crate::platform_name::PlatformName;
use crate::receipt::{EndedSession, Reach, Reason, ReceiptId};
use crate::session::{Person, Session};
use crate::store::{EndOrder, EndTarget, SessionFilter, StoreUnavailable};
use crate::time::Timestamp;

/// How many sessions are looked at in one step where a login's are listed.
const PAGE: usize = 1_000;

/// What a verified token orders.
#[derive(Clone, Debug)]
pub struct TokenSignOut {
    /// Whose sessions end: [`Services::sessions_of_login`].
    pub login: Option<IdpLogin>,
    /// Whose sessions end where none is known to come from that login.
    pub person: Option<Person>,
    /// The token's name.
    pub token: TokenId,
    /// When it was issued, by the clock of the provider.
    pub issued: Timestamp,
    /// Until when another token of this name is a repetition.
    pub remember_until: Timestamp,
}

/// What became of a token.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum TokenOutcome {
    /// It ended these.
    Ended(ReceiptId, Vec<EndedSession>),
    /// There was nothing to end.
    Nothing,
    /// It was carried out before; nothing was done.
    Repeated,
}

impl Services {
    /// Ends what a token names, in one durable step that also records the token: its receipt has an
    /// id that follows from the token's name. A token that failed halfway can be repeated; what it
    /// left over ends then. `reach` says how far a sign-out goes at a platform.
    ///
    /// Nothing ends where the token contradicts what is known: a `sid` of another `sub`, or a login
    /// that several persons share.
    ///
    /// # Errors
    /// The store did not answer; the token is to be sent again.
    pub async fn sign_out_by_token(
        &self,
        order: &TokenSignOut,
        reach: impl Fn(&PlatformName) -> Reach,
    ) -> Result<TokenOutcome, StoreUnavailable> {
        let at = self.clock.now();
        let own = ReceiptId::of_token(&order.token, order.issued);
        let before = self.store.receipt(own).await?;
        let mut sessions = self.sessions_of(order.login.as_ref()).await?;
        let mut receipt = own;
        if let Some(before) = before {
            // A store that ends in several steps may have failed between two of them.
            if let Some(sessions) = &mut sessions {
                sessions.retain(|session| session.opened <= before.at);
            }
            if sessions.as_ref().is_none_or(Vec::is_empty) {
                return Ok(TokenOutcome::Repeated);
            }
            receipt = ReceiptId::at(at);
        }
        let (targets, reach) = targets(sessions.as_deref(), order.person.as_ref(), reach);
        if targets.is_empty() {
            return self.nothing_left(order, own).await;
        }
        if self.is_spent(order, at).await? {
            return Ok(TokenOutcome::Repeated);
        }
        let of_login = sessions.as_deref().map(|sessions| OfLogin {
            sessions,
            sid: order.login.as_ref().and_then(IdpLogin::session),
        });
        let order_of_store = EndOrder {
            receipt,
            at,
            reason: Reason::IdentityProvider,
            platform: None,
            reach,
            token: Some(order.token.clone()),
            targets,
        };
        let ended = self.carry_out_of_login(order_of_store, of_login).await?;
        if !ended.is_empty() {
            return Ok(TokenOutcome::Ended(receipt, ended));
        }
        self.nothing_left(order, own).await
    }

    /// No session is left to end. The same token may have ended them at another hub meanwhile,
    /// which its receipt tells.
    async fn nothing_left(
        &self,
        order: &TokenSignOut,
        own: ReceiptId,
    ) -> Result<TokenOutcome, StoreUnavailable> {
        match self.store.receipt(own).await? {
            Some(_) => Ok(TokenOutcome::Repeated),
            None => self.spend(order).await,
        }
    }

    /// The same for an order of a provider that brings no token of its own.
    ///
    /// # Errors
    /// The store did not answer; nothing is claimed to have ended.
    pub async fn sign_out_by_provider(
        &self,
        login: Option<&IdpLogin>,
        person: Option<&Person>,
        reach: impl Fn(&PlatformName) -> Reach,
    ) -> Result<Vec<EndedSession>, StoreUnavailable> {
        let (targets, reach) = targets(self.sessions_of(login).await?.as_deref(), person, reach);
        if targets.is_empty() {
            return Ok(Vec::new());
        }
        let ended = self.end(Reason::IdentityProvider, reach, targets).await?;
        Ok(ended.1)
    }

    async fn sessions_of(
        &self,
        login: Option<&IdpLogin>,
    ) -> Result<Option<Vec<Session>>, StoreUnavailable> {
        match login {
            Some(login) => self.sessions_of_login(login).await,
            None => Ok(None),
        }
    }

    /// Records a token that ends nothing.
    async fn spend(&self, order: &TokenSignOut) -> Result<TokenOutcome, StoreUnavailable> {
        let key = once_key(&order.token);
        let is_first = self
            .store
            .put_once(key, Vec::new(), order.remember_until)
            .await?;
        Ok(if is_first {
            TokenOutcome::Nothing
        } else {
            TokenOutcome::Repeated
        })
    }

    /// Whether the token ended nothing before. It is taken to find out, and put back: a hub that
    /// dies in between lets the token pass once more, which then ends sessions that its provider
    /// has said to be over.
    async fn is_spent(
        &self,
        order: &TokenSignOut,
        at: Timestamp,
    ) -> Result<bool, StoreUnavailable> {
        let key = once_key(&order.token);
        if self.store.take_once(&key, at).await?.is_none() {
            return Ok(false);
        }
        self.store
            .put_once(key, Vec::new(), order.remember_until)
            .await?;
        Ok(true)
    }

    /// The live sessions that a login means: with `sid`, those of it, or else those of `sub` of
    /// which no `sid` is known; without, all of `sub`. None of them where the login contradicts
    /// what is known. `None` where no session is known to come from it.
    ///
    /// # Errors
    /// The store did not answer.
    pub async fn sessions_of_login(
        &self,
        login: &IdpLogin,
    ) -> Result<Option<Vec<Session>>, StoreUnavailable> {
        let at = self.clock.now();
        if let Some(by_session) = login.of_session() {
            let found = self.of_login(by_session, at).await?;
            if !found.is_empty() {
                let agrees = |session: &Session| {
                    let known = session.idp.as_ref().and_then(IdpLogin::subject);
                    known.is_none() || login.subject().is_none() || known == login.subject()
                };
                if found.iter().all(agrees) {
                    return Ok(Some(of_one_person(found)));
                }
                log::warn!(
                    issuer = login.issuer();
                    "a token names a session of another subject: nothing ends"
                );
                return Ok(Some(Vec::new()));
            }
        }
        let Some(by_subject) = login.of_subject() else {
            return Ok(None);
        };
        let mut found = self.of_login(by_subject, at).await?;
        if found.is_empty() {
            return Ok(None);
        }
        if login.session().is_some() {
            // Another session of the subject goes on.
            found.retain(|session| {
                session
                    .idp
                    .as_ref()
                    .is_some_and(|idp| idp.session().is_none())
            });
        }
        Ok(Some(of_one_person(found)))
    }

    async fn of_login(
        &self,
        login: IdpLogin,
        at: Timestamp,
    ) -> Result<Vec<Session>, StoreUnavailable> {
        let filter = SessionFilter {
            idp: Some(login),
            ..SessionFilter::default()
        };
        let (mut sessions, mut after) = (Vec::new(), None);
        loop {
            let page = self.store.sessions(&filter, after, PAGE, at).await?;
            sessions.extend(page.items);
            after = page.next;
            if after.is_none() {
                return Ok(sessions);
            }
        }
    }
}

/// None of them, where they belong to several persons.
fn of_one_person(sessions: Vec<Session>) -> Vec<Session> {
    let persons: BTreeSet<_> = sessions
        .iter()
        .filter_map(|one| one.person.as_ref())
        .collect();
    if persons.len() > 1 {
        log::warn!("a token names a login that several persons share: nothing ends");
        return Vec::new();
    }
    sessions
}

/// What ends, and how far that reaches at most.
fn targets(
    sessions: Option<&[Session]>,
    person: Option<&Person>,
    reach: impl Fn(&PlatformName) -> Reach,
) -> (Vec<EndTarget>, Reach) {
    let Some(sessions) = sessions else {
        let targets = person.cloned().map(EndTarget::Person);
        return (targets.into_iter().collect(), Reach::Person);
    };
    EndTarget::of_all(sessions, reach)
}

fn once_key(token: &TokenId) -> CredentialDigest {
    let name = format!("token:{}:{}{}", token.issuer.len(), token.issuer, token.jti);
    CredentialDigest::from_bytes(*SecretDigest::of(&name).as_bytes())
}
