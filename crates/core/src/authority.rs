//! The one flow of a sign-out, and the sessions of a platform as its adapter sees them.

mod credentials;
mod fast_path;
mod landing;
mod pass_through;
mod ports;
mod replacement;
mod signed_out;

use std::collections::BTreeSet;
use std::sync::Arc;

pub use ports::Services;
pub use signed_out::SignedOut;

use crate::canonical::CredentialReader;
use crate::credential::{Credential, CredentialDigest, Sealed};
use crate::message::Request;
use crate::platform::Platform;
use crate::ports::{Account, Accounts, DeliveryResult, Persons, Tokens};
use crate::receipt::{EndedSession, Reach, Reason, ReceiptId};
use crate::redirect::ApprovedUrl;
use crate::relayed_cookie::{each_once, handed_on};
use crate::session::{ClientId, Device, Person, Session, SessionId, Subject};
use crate::sign_out::{
    Asked, CredentialPolicy, CsrfProof, MOST_CREDENTIALS, NoSessionPolicy, Refusal, SignOut, Target,
};
use crate::store::{
    EndOrder, EndTarget, Join, Lookup, OpenOutcome, SessionFilter, StoreUnavailable,
};
use crate::time::Timestamp;
use crate::upstream::UpstreamSession;

/// How many sessions are looked at in one step where a subject's are listed.
const PAGE: usize = 1_000;

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
    /// caller's own, is the landing allowed; then the sessions end in one durable step, and the
    /// result says what that step ended.
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
            Callers::Strangers(session) => return self.pass_through(asked, session, at).await,
        };
        check_client(asked, &callers)?;
        let names_other = self.check_right(&asked.target, &callers)?;
        check_csrf(asked.csrf, &callers)?;
        let landing = landing::landing(
            &asked.landing,
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
            ..ended
        };
        Ok(self.signed_out(asked, receipt, reach, ended, landing, !names_other))
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

    /// Ends what is ordered, and waits for the upstreams concerned as long as that is configured
    /// to.
    async fn end(&self, asked: &Asked, order: EndOrder) -> Result<Ended, StoreUnavailable> {
        // Before anything ends, so that no confirmation is missed.
        let expectation = self.services.deliveries.expect(order.receipt);
        let sessions = self.services.carry_out(order).await?;
        let (mut landing, mut removals) = (None, Vec::new());
        if let Some(expectation) =
            expectation.filter(|_| sessions.iter().any(|session| session.upstream))
        {
            let told = expectation.told(&sessions).await;
            landing = self.upstream_landing(asked, &told, &sessions);
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
            landing,
            removals,
        })
    }

    fn signed_out(
        &self,
        asked: &Asked,
        receipt: ReceiptId,
        reach: Reach,
        ended: Ended,
        landing: Option<ApprovedUrl>,
        caller_included: bool,
    ) -> SignedOut {
        let Ended {
            sessions: ended,
            landing: told,
            removals,
        } = ended;
        let removals = if caller_included && !ended.is_empty() {
            removals
        } else {
            Vec::new()
        };
        log::debug!(platform = self.platform.name.as_str(), receipt:% = receipt, ended = ended.len(); "signed out");
        let landing = told.or(landing);
        let landing = if ended.is_empty() {
            landing
        } else {
            self.receipt_page(asked, receipt).or(landing)
        };
        SignedOut {
            receipt,
            ended,
            landing,
            caller_included,
            reach,
            removals,
            by_cookie: asked.brings_cookie(),
        }
    }

    /// What `session` is sealed to at rest.
    pub(crate) fn seal(&self, id: SessionId, session: &UpstreamSession) -> Sealed {
        // Without a key nothing is kept that could be given back; the upstream can then only be
        // told by name.
        self.services
            .seal
            .as_ref()
            .map_or(Sealed::Nothing, |seal| seal.seal(id, &session.to_bytes()))
    }

    /// What `sealed` keeps of `session`; `None` where it cannot be opened.
    pub(crate) fn unseal(&self, id: SessionId, sealed: &Sealed) -> Option<UpstreamSession> {
        let plain = self.services.seal.as_ref()?.open(id, sealed).ok()?;
        Some(UpstreamSession::from_bytes(&plain))
    }

    /// Who is behind a subject of the upstream, by the platform's rule.
    pub(crate) fn person_behind(
        &self,
        subject: &Subject,
        session: &UpstreamSession,
    ) -> Option<Person> {
        self.persons.as_ref()?.person(subject, session, self.now())
    }

    async fn callers<'a>(&self, asked: &'a Asked, now: Timestamp) -> Result<Callers<'a>, Refusal> {
        let mut callers: Vec<Caller> = Vec::with_capacity(1);
        let mut recognised = false;
        let mut unknown = false;
        for presented in asked
            .credentials
            .iter()
            .filter(|presented| !presented.foreign)
        {
            match self
                .find(presented.purpose, presented.secret.reveal(), now)
                .await?
            {
                Lookup::Live(session, credential) => {
                    recognised = true;
                    let same_subject = callers
                        .first()
                        .map(|first| first.session.subject == session.subject);
                    let counts = match asked.credential_policy {
                        CredentialPolicy::All => true,
                        CredentialPolicy::FirstAndProvenCookies if presented.by_cookie => {
                            match same_subject {
                                None => return Err(Refusal::CsrfMissing),
                                Some(false) => return Err(Refusal::CsrfWrong),
                                Some(true) => true,
                            }
                        }
                        CredentialPolicy::FirstAndProvenCookies
                        | CredentialPolicy::FirstAndSameSubject => same_subject.unwrap_or(true),
                        CredentialPolicy::FirstValid => callers.is_empty(),
                    };
                    if counts && callers.iter().all(|caller| caller.session.id != session.id) {
                        callers.push(Caller {
                            session,
                            credential,
                        });
                    }
                    if asked.credential_policy == CredentialPolicy::FirstValid {
                        break;
                    }
                }
                Lookup::Ended => recognised = true,
                Lookup::Unknown => {
                    recognised |= presented.vouched;
                    unknown = true;
                }
            }
        }
        if let (true, Target::Caller, Some(session)) = (
            callers.is_empty() && unknown,
            &asked.target,
            &asked.pass_through,
        ) {
            return Ok(Callers::Strangers(session));
        }
        let by_header_only = !asked.credentials.is_empty()
            && asked
                .credentials
                .iter()
                .all(|presented| !presented.by_cookie);
        let refused = match asked.no_session {
            NoSessionPolicy::Succeed => false,
            NoSessionPolicy::Reject => callers.is_empty(),
            NoSessionPolicy::RejectUnrecognized => {
                callers.is_empty() && !recognised && by_header_only
            }
        };
        if refused {
            Err(Refusal::NotSignedIn)
        } else {
            Ok(Callers::Known(callers))
        }
    }

    /// Whether the target is somebody else, given that the caller may end it.
    fn check_right(&self, target: &Target, callers: &[Caller]) -> Result<bool, Refusal> {
        let Target::Subject(subject) = target else {
            return Ok(false);
        };
        if callers.is_empty() {
            return Err(Refusal::NotSignedIn);
        }
        if callers
            .iter()
            .any(|caller| caller.session.subject == *subject)
        {
            return Ok(false);
        }
        if callers
            .iter()
            .any(|caller| self.is_administrator(&caller.session))
        {
            Ok(true)
        } else {
            Err(Refusal::Forbidden)
        }
    }

    /// Whether the session was an administrator's when it was opened, and its account has not lost
    /// that right since.
    fn is_administrator(&self, session: &Session) -> bool {
        let account = || {
            self.services
                .accounts
                .find(&session.subject.realm, &session.subject.name)
        };
        session.administrator && account().is_none_or(|account| account.administrator)
    }

    async fn targets(
        &self,
        target: &Target,
        reach: Reach,
        callers: &[Caller],
    ) -> Result<Vec<EndTarget>, Refusal> {
        let mut targets = Vec::with_capacity(1);
        let own = |caller: &&Caller| match target {
            Target::Caller => true,
            // Credentials of somebody else that came along do not make that somebody a target.
            Target::Subject(subject) => caller.session.subject == *subject,
        };
        for Caller { session, .. } in callers.iter().filter(own) {
            targets.extend(EndTarget::of(session, reach));
        }
        if let Target::Subject(subject) = target {
            targets.push(EndTarget::Subject(
                self.platform.name.clone(),
                subject.clone(),
            ));
            if reach >= Reach::Person {
                targets.extend(
                    self.persons_behind(subject)
                        .await?
                        .into_iter()
                        .map(EndTarget::Person),
                );
            }
        }
        Ok(targets)
    }

    /// The persons that the live sessions of `subject` belong to.
    async fn persons_behind(
        &self,
        subject: &Subject,
    ) -> Result<BTreeSet<Person>, StoreUnavailable> {
        let filter = SessionFilter {
            platform: Some(self.platform.name.clone()),
            subject: Some(subject.clone()),
            ..SessionFilter::default()
        };
        let (mut persons, mut after) = (BTreeSet::new(), None);
        loop {
            let page = self
                .services
                .store
                .sessions(&filter, after, PAGE, self.now())
                .await?;
            persons.extend(page.items.into_iter().filter_map(|session| session.person));
            after = page.next;
            if after.is_none() {
                return Ok(persons);
            }
        }
    }

    /// A session of `subject`, to be opened at this platform once the adapter has given it
    /// credentials. `account` is who logged in, where that is somebody with an account.
    pub fn new_session(
        &self,
        subject: Subject,
        account: Option<&Account>,
        device: Device,
    ) -> Session {
        let now = self.now();
        Session {
            id: SessionId::at(now),
            platform: self.platform.name.clone(),
            sign_on: None,
            subject,
            person: account.and_then(|account| account.person.clone()),
            account: account.and_then(|account| account.version),
            client: None,
            administrator: account.is_some_and(|account| account.administrator),
            credentials: Vec::with_capacity(1),
            csrf: None,
            opened: now,
            seen: now,
            idle_timeout: self.platform.idle_timeout,
            expires: now.plus(self.platform.absolute_timeout),
            device,
            sealed: None,
        }
    }

    /// Opens a session at this platform; with `Join::IfLive`, only while another session of its
    /// sign-on is live.
    ///
    /// # Errors
    /// The store did not answer.
    pub async fn open(
        &self,
        session: Session,
        join: Join,
    ) -> Result<OpenOutcome, StoreUnavailable> {
        let now = self.now();
        self.services.store.open(session, join, now).await
    }

    /// Gives a live session one more credential. `false`: it is not live any more.
    ///
    /// # Errors
    /// The store did not answer.
    pub async fn attach(
        &self,
        session: SessionId,
        credential: Credential,
    ) -> Result<bool, StoreUnavailable> {
        self.services
            .store
            .attach(session, credential, None, self.now())
            .await
    }

    pub(crate) async fn attach_sealed(
        &self,
        session: SessionId,
        credential: Credential,
        sealed: Sealed,
    ) -> Result<bool, StoreUnavailable> {
        self.services
            .store
            .attach(session, credential, Some(sealed), self.now())
            .await
    }

    /// Ends a session at the word of this platform itself: one of its credentials was misused. The
    /// same step as any sign-out, with a receipt. Does nothing when the session has ended already.
    ///
    /// # Errors
    /// The store did not answer; nothing is claimed to have ended.
    pub async fn revoke(&self, session: SessionId, reason: Reason) -> Result<(), StoreUnavailable> {
        let at = self.now();
        let platform = Some(self.platform.name.clone());
        let reach = Reach::Session;
        let order = EndOrder {
            receipt: ReceiptId::at(at),
            at,
            reason,
            platform,
            reach,
            targets: vec![EndTarget::Session(session)],
        };
        let ended = self.services.carry_out(order).await?;
        if !ended.is_empty() {
            log::warn!(platform = self.platform.name.as_str(), session:% = session, reason = reason.as_str(); "a session was revoked");
        }
        Ok(())
    }

    /// Keeps a value that can be taken once.
    ///
    /// # Errors
    /// The store did not answer.
    pub async fn put_once(
        &self,
        key: CredentialDigest,
        value: Vec<u8>,
        expires: Timestamp,
    ) -> Result<bool, StoreUnavailable> {
        self.services.store.put_once(key, value, expires).await
    }

    /// Takes such a value.
    ///
    /// # Errors
    /// The store did not answer.
    pub async fn take_once(
        &self,
        key: &CredentialDigest,
    ) -> Result<Option<Vec<u8>>, StoreUnavailable> {
        self.services.store.take_once(key, self.now()).await
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
    landing: Option<ApprovedUrl>,
    /// What the upstream of that platform removes of its cookies.
    removals: Vec<String>,
}

/// Who asks.
enum Callers<'a> {
    /// Those whose sessions are known here; possibly nobody.
    Known(Vec<Caller>),
    /// Somebody with a credential that the hub never saw, at a platform whose upstream may know it.
    Strangers(&'a UpstreamSession),
}

/// A live session that the request proves to be the caller's.
struct Caller {
    session: Arc<Session>,
    credential: Credential,
}

fn check_client(asked: &Asked, callers: &[Caller]) -> Result<(), Refusal> {
    let Some(claim) = &asked.client else {
        return Ok(());
    };
    if !claim.known {
        return Err(Refusal::ClientUnknown);
    }
    // Where others only accompany the first one, it is the first one that has to be the client's:
    // the cookie beside a token may come from the same member's login to another application.
    let bound = match asked.credential_policy {
        CredentialPolicy::All | CredentialPolicy::FirstValid => callers,
        CredentialPolicy::FirstAndProvenCookies | CredentialPolicy::FirstAndSameSubject => {
            &callers[..callers.len().min(1)]
        }
    };
    let is_own = |caller: &Caller| {
        claim
            .id
            .may_end(caller.session.client.as_ref().map(ClientId::as_str))
    };
    if bound.iter().all(is_own) {
        Ok(())
    } else {
        Err(Refusal::ClientMismatch)
    }
}

fn check_csrf(proof: CsrfProof, callers: &[Caller]) -> Result<(), Refusal> {
    callers.iter().try_for_each(
        |Caller {
             session,
             credential,
         }| proof.check(session.csrf.as_ref(), credential.csrf_due),
    )
}
