//! The one flow of a sign-out, and the sessions of a platform as its adapter sees them.

mod callers;
mod credentials;
mod fast_path;
mod pass_through;
mod ports;
mod redirect;
mod relying_parties;
mod replacement;
mod sessions;
mod signed_out;
mod targets;
mod token_revocation;
mod token_sign_out;

use std::sync::Arc;

use callers::{Caller, Callers, check_client, check_csrf};
pub use ports::Services;
pub use signed_out::SignedOut;
use signed_out::WayOn;
pub use token_sign_out::{TokenOutcome, TokenSignOut};

use crate::canonical::CredentialReader;
use crate::credential::Secret;
use crate::message::Request;
use crate::platform::Platform;
use crate::ports::{Accounts, DeliveryResult, Persons, Tokens};
use crate::receipt::{EndedSession, Reach, Reason, ReceiptId};
use crate::redirect::ApprovedUrl;
use crate::registration::ID_TOKEN;
use crate::relayed_cookie::{each_once, handed_on};
use crate::sign_out::{Asked, MOST_CREDENTIALS, NoSessionPolicy, Refusal, SignOut};
use crate::store::{EndOrder, StoreUnavailable};
use crate::time::Timestamp;

/// The sessions of one platform. Cheap to clone.
#[derive(Clone, Debug)]
pub struct SessionAuthority {
    platform: Arc<Platform>,
    reader: Arc<dyn CredentialReader>,
    services: Services,
    /// Links the subjects of its upstream to persons.
    persons: Option<Arc<dyn Persons>>,
}

impl SessionAuthority {
    /// The sessions of `platform`, whose credentials `reader` reads: the platform's own provider.
    pub fn new(
        platform: Arc<Platform>,
        reader: Arc<dyn CredentialReader>,
        services: Services,
    ) -> Self {
        Self {
            platform,
            reader,
            services,
            persons: None,
        }
    }

    /// The same, with a rule that links the subjects of its upstream to persons.
    #[must_use]
    pub fn with_persons(mut self, persons: Arc<dyn Persons>) -> Self {
        self.persons = Some(persons);
        self
    }

    /// The platform.
    pub fn platform(&self) -> &Platform {
        &self.platform
    }

    /// Names and passwords.
    pub fn accounts(&self) -> &dyn Accounts {
        &*self.services.accounts
    }

    /// The stand-in's tokens.
    pub fn tokens(&self) -> &dyn Tokens {
        &*self.services.tokens
    }

    /// The current instant.
    pub fn now(&self) -> Timestamp {
        self.services.clock.now()
    }

    /// Signs out, in this order and no other: who is the caller, is it the client's session, may
    /// the caller end that target (decided before the target is looked up), is the request the
    /// caller's own, is the return address allowed; then the sessions end in one durable step, and
    /// the result says what that step ended.
    ///
    /// `asked` is what the adapter has read out of `request`.
    ///
    /// # Errors
    /// The refusal; nothing has ended then, except that with [`Refusal::Unavailable`] it is unknown
    /// whether it has.
    pub async fn sign_out(
        &self,
        request: &Request<'_>,
        asked: SignOut,
    ) -> Result<SignedOut, Refusal> {
        let presented = self
            .platform
            .has_upstream
            .then(|| self.reader.presented(request));
        self.sign_out_asked(Asked::new(
            asked,
            presented.filter(|session| !session.is_empty()),
        ))
        .await
    }

    async fn sign_out_asked(&self, asked: Asked) -> Result<SignedOut, Refusal> {
        if asked.credentials.len() > MOST_CREDENTIALS {
            return Err(Refusal::TooManyCredentials);
        }
        let at = self.now();
        let (receipt, reach) = (ReceiptId::at(at), asked.reach.max(self.platform.reach));
        if let Some(done) = self
            .sign_out_by_fast_path(&asked, receipt, reach, at)
            .await?
        {
            return Ok(done);
        }
        // On the heap, so that its state adds nothing to that of the shorter way.
        Box::pin(self.sign_out_by_look_up(&asked, receipt, reach, at)).await
    }

    async fn sign_out_by_look_up(
        &self,
        asked: &Asked,
        receipt: ReceiptId,
        reach: Reach,
        at: Timestamp,
    ) -> Result<SignedOut, Refusal> {
        let callers = match self.callers(asked, at).await? {
            Callers::Known(callers) => callers,
            Callers::Unregistered(session) => return self.pass_through(asked, session, at).await,
        };
        check_client(asked, &callers)?;
        let names_other = self.check_right(&asked.target, &callers)?;
        check_csrf(asked.csrf, &callers)?;
        let redirect = redirect::decide(
            &asked.redirect,
            asked.client.as_ref().map(|claim| &claim.id),
            &callers,
        )?;

        let targets = self.targets(&asked.target, reach, &callers).await?;
        let reason = if names_other {
            Reason::Administrator
        } else {
            Reason::User
        };
        let order = EndOrder {
            receipt,
            at,
            reason,
            platform: Some(self.platform.name.clone()),
            reach,
            targets,
            token: None,
        };
        let ended = if order.targets.is_empty() {
            Ended::default()
        } else {
            self.end(asked, order).await?
        };
        // Several credentials may have found the same session alive and lost the race for it; a
        // vendor that refuses an absent session is told the truth of the store, not of the look-up
        // before it.
        if ended.sessions.is_empty() && asked.no_session == NoSessionPolicy::Reject && !names_other
        {
            return Err(Refusal::NotSignedIn);
        }
        let ended = Ended {
            removals: each_once(self.removals(&callers).into_iter().chain(ended.removals)),
            id_token: self.id_token(&callers),
            ..ended
        };
        Ok(self.signed_out(asked, receipt, reach, ended, redirect, !names_other))
    }

    /// What takes from the browser what the logins of these sessions put there, as far as that was
    /// seen.
    fn removals(&self, callers: &[Caller]) -> Vec<String> {
        let own = callers
            .iter()
            .filter(|caller| caller.session.platform == self.platform.name);
        let unsealed = own
            .filter_map(|Caller { session, .. }| self.unseal(session.id, session.sealed.as_ref()?));
        each_once(unsealed.flat_map(|session| session.removals))
    }

    /// The way that a browser goes on after a sign-out here.
    fn way_on(&self, id_token: Option<Secret>) -> Option<Box<WayOn>> {
        let idp = self.platform.end_session.clone()?;
        let from = self.platform.public_url.clone();
        Some(Box::new(WayOn {
            idp,
            from,
            id_token,
        }))
    }

    /// An ID token of the first of these sessions that one was registered with.
    fn id_token(&self, callers: &[Caller]) -> Option<Secret> {
        self.platform.end_session.as_ref()?;
        let mut own = callers
            .iter()
            .map(|caller| &caller.session)
            .filter(|session| session.platform == self.platform.name);
        own.find_map(|session| {
            let known_by = self.unseal(session.id, session.sealed.as_ref()?)?;
            known_by.other(ID_TOKEN).cloned()
        })
    }

    /// Ends what is ordered, and waits for the upstreams concerned as long as that is configured
    /// to.
    async fn end(&self, asked: &Asked, order: EndOrder) -> Result<Ended, StoreUnavailable> {
        // Before anything ends, so that no confirmation is missed.
        let expectation = self.services.deliveries.expect(order.receipt);
        let sessions = self.services.carry_out(order).await?;
        let (mut redirect, mut removals) = (None, Vec::new());
        if let Some(expectation) =
            expectation.filter(|_| sessions.iter().any(|session| session.upstream))
        {
            let told = expectation.told(&sessions).await;
            redirect = self.upstream_redirect(asked, &told, &sessions);
            let own = |told: &DeliveryResult| {
                sessions.iter().any(|session| {
                    session.id == told.session && session.platform == self.platform.name
                })
            };
            let said = told.into_iter().filter(own).flat_map(|told| told.removals);
            removals = handed_on(said.collect(), &self.platform);
        }
        Ok(Ended {
            sessions,
            redirect,
            removals,
            id_token: None,
        })
    }

    fn signed_out(
        &self,
        asked: &Asked,
        receipt: ReceiptId,
        reach: Reach,
        ended: Ended,
        redirect: Option<ApprovedUrl>,
        caller_included: bool,
    ) -> SignedOut {
        let Ended {
            sessions: ended,
            redirect: told,
            removals,
            id_token,
        } = ended;
        let removals = if caller_included && !ended.is_empty() {
            removals
        } else {
            Vec::new()
        };
        log::debug!(platform = self.platform.name.as_str(), receipt:% = receipt, ended = ended.len(); "signed out");
        let redirect = told.or(redirect);
        let redirect = if ended.is_empty() {
            redirect
        } else {
            self.receipt_page(asked, receipt).or(redirect)
        };
        let way_on = self
            .way_on(id_token)
            .filter(|_| caller_included && !ended.is_empty());
        SignedOut {
            receipt,
            ended,
            redirect,
            caller_included,
            reach,
            removals,
            by_cookie: asked.brings_cookie(),
            way_on,
        }
    }
}

impl From<StoreUnavailable> for Refusal {
    fn from(_: StoreUnavailable) -> Self {
        Self::Unavailable
    }
}

/// What an order ended.
#[derive(Default)]
struct Ended {
    sessions: Vec<EndedSession>,
    /// Where the upstream of the platform that was asked would send the browser.
    redirect: Option<ApprovedUrl>,
    /// What the upstream of that platform removes of its cookies.
    removals: Vec<String>,
    /// An ID token of the session that was signed out.
    id_token: Option<Secret>,
}
