//! The sessions of a platform, and the values that can be taken once: what adapters and login
//! relays open, extend, seal and revoke.

use super::SessionAuthority;
use crate::credential::{Credential, CredentialDigest, Sealed};
use crate::ports::Account;
use crate::ports::Identity;
use crate::receipt::{Reach, Reason, ReceiptId};
use crate::session::{Device, Session, SessionId, Subject};
use crate::store::{EndOrder, EndTarget, Join, OpenOutcome, StoreUnavailable};
use crate::time::Timestamp;
use crate::upstream::UpstreamSession;

impl SessionAuthority {
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
            idp: None,
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
            token: None,
        };
        let ended = self.services.carry_out(order).await?;
        if !ended.is_empty() {
            log::warn!(
                platform = self.platform.name.as_str(), session:% = session,
                reason = reason.as_str();
                "a session was revoked"
            );
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
    pub(crate) fn identify(&self, subject: &Subject, session: &UpstreamSession) -> Identity {
        let persons = self.persons.as_ref();
        persons.map_or_else(Identity::default, |persons| {
            persons.identify(subject, session, self.now())
        })
    }
}
