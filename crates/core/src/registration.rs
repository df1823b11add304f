//! Sessions that the hub did not open: what is known of them when they are registered.

use std::time::Duration;

use crate::authority::SessionAuthority;
use crate::canonical::CanonicalForm;
use crate::credential::{Credential, CredentialDigest, Secret, SecretDigest};
use crate::idp::IdpLogin;
use crate::ports::Identity;
use crate::provider::UpstreamLogout;
use crate::session::{Device, Person, Session, SessionId, Subject};
use crate::store::{Join, Lookup, OpenOutcome, StoreUnavailable};
use crate::time::Timestamp;
use crate::upstream::{UpstreamCredential, UpstreamSession};

/// The adapter-independent word for an ID token among the further secrets of a session.
pub(crate) const ID_TOKEN: &str = "id_token";

/// What a claim on a credential is kept under while its session is being opened.
const CLAIM: &str = "registration";

/// For how long; what is claimed and never opened can be registered again after that.
const CLAIMED: Duration = Duration::from_secs(10);

/// A session at an upstream.
#[derive(Clone, Debug)]
pub struct Registration {
    /// Who, as the platform says it.
    pub subject: Subject,
    /// Who, across platforms; where absent, the platform's rule says.
    pub person: Option<Person>,
    /// The login at an identity provider that it came from; where absent, the platform's rule says.
    pub idp: Option<IdpLogin>,
    /// The ID token of that login: presented to the provider when the session is signed out.
    pub id_token: Option<Secret>,
    /// What the upstream knows it by.
    pub session: UpstreamSession,
    /// When it ends by itself; where absent, after the platform's absolute timeout.
    pub expires: Option<Timestamp>,
    /// Where it was opened from.
    pub device: Device,
}

/// Why a session is not registered.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistrationError {
    /// Somebody else is registering it at this moment.
    #[error("it is being registered by somebody else")]
    Busy,
    /// One of its credentials has been ended here; what ended stays so.
    #[error("the credential has been signed out")]
    Ended,
    /// Nothing in it is a credential of this platform.
    #[error("no credential that this platform knows")]
    NoCredential,
    /// Its expiry lies in the past.
    #[error("it has expired")]
    Expired,
    /// The store did not answer.
    #[error(transparent)]
    Unavailable(#[from] StoreUnavailable),
}

impl SessionAuthority {
    /// Registers a session that was opened at this platform's upstream. One that is registered
    /// already keeps its id, and is known by the further credentials from then on.
    ///
    /// # Errors
    /// [`RegistrationError`]; nothing was registered.
    pub async fn register(
        &self,
        provider: &dyn UpstreamLogout,
        mut registration: Registration,
    ) -> Result<SessionId, RegistrationError> {
        let now = self.now();
        let credentials = provider.credentials(&registration.session);
        if credentials.is_empty() {
            return Err(RegistrationError::NoCredential);
        }
        let mut session = self.new_session(registration.subject, None, registration.device);
        if let Some(expires) = registration.expires {
            if expires <= now {
                return Err(RegistrationError::Expired);
            }
            session.expires = expires;
        }
        if let Some(token) = registration.id_token.take() {
            let others = &mut registration.session.others;
            others.push((ID_TOKEN.to_owned(), token));
        }
        let mut live = Vec::new();
        for presentable in &credentials {
            match self
                .look_up(presentable.purpose, presentable.secret.reveal())
                .await?
            {
                Lookup::Live(known, _) => live.push((presentable, known)),
                Lookup::Ended => return Err(RegistrationError::Ended),
                Lookup::Unknown => {}
            }
        }
        if let Some((before, known)) = live.first() {
            // What contradicts the session that is known, or belongs to two of them, adds nothing
            // to it.
            if known.subject != session.subject
                || live.iter().any(|(_, other)| other.id != known.id)
            {
                return Ok(known.id);
            }
            return self
                .renew(
                    provider,
                    before,
                    &registration.session,
                    registration.expires,
                )
                .await?
                .ok_or(RegistrationError::Ended);
        }
        self.claim(&credentials, now).await?;
        self.describe(&mut session, &registration.session, &credentials);
        let Identity { person, idp } = if provider.is_anonymous(&session.subject) {
            Identity::default()
        } else {
            self.identify(&session.subject, &registration.session)
        };
        session.person = registration.person.or(person);
        session.idp = registration.idp.or(idp);
        let id = session.id;
        match self.open(session, Join::Always).await? {
            OpenOutcome::CredentialEnded => Err(RegistrationError::Ended),
            OpenOutcome::Opened | OpenOutcome::SignOnEnded => Ok(id),
        }
    }

    /// Of those who register the same credential at once, lets one go on: looking it up and opening
    /// its session are two steps.
    async fn claim(
        &self,
        credentials: &[UpstreamCredential],
        now: Timestamp,
    ) -> Result<(), RegistrationError> {
        for presentable in credentials {
            let kept = self.digest(presentable.purpose, presentable.secret.reveal());
            let claim = CredentialDigest::of(
                &self.platform().name,
                CLAIM,
                &CanonicalForm::of_bytes(*kept.as_bytes()),
            );
            let claimed = self.put_once(claim, Vec::new(), now.plus(CLAIMED)).await?;
            // Whoever was first has opened it by now, is about to, or has just signed it out.
            if !claimed {
                return Err(RegistrationError::Busy);
            }
        }
        Ok(())
    }

    /// Gives the session that `before` was a credential of what its upstream knows it by from now
    /// on, besides what is not renewed. `None`: it is not live.
    pub(crate) async fn renew(
        &self,
        provider: &dyn UpstreamLogout,
        before: &UpstreamCredential,
        session: &UpstreamSession,
        expires: Option<Timestamp>,
    ) -> Result<Option<SessionId>, StoreUnavailable> {
        let Lookup::Live(known, _) = self.look_up(before.purpose, before.secret.reveal()).await?
        else {
            return Ok(None);
        };
        let expires = expires.unwrap_or(known.expires);
        let sealed = match known
            .sealed
            .as_ref()
            .and_then(|sealed| self.unseal(known.id, sealed))
        {
            Some(before) => self.seal(known.id, &session.clone().renewing(before)),
            None => self.seal(known.id, session),
        };
        for presentable in provider.credentials(session) {
            let credential = self.known_credential(&presentable, session, expires);
            let fresh = known
                .credentials
                .iter()
                .all(|old| old.digest != credential.digest);
            if fresh
                && !self
                    .attach_sealed(known.id, credential, sealed.clone())
                    .await?
            {
                return Ok(None);
            }
        }
        Ok(Some(known.id))
    }

    /// Writes into `session` what it is found by here and what its upstream knows it by.
    pub(crate) fn describe(
        &self,
        session: &mut Session,
        known_by: &UpstreamSession,
        credentials: &[UpstreamCredential],
    ) {
        session.idle_timeout = self.platform().idle_timeout;
        session.client.clone_from(&known_by.client);
        session.csrf = known_by
            .csrf
            .as_ref()
            .map(|token| SecretDigest::of(token.reveal()));
        session.credentials = credentials
            .iter()
            .map(|presentable| self.known_credential(presentable, known_by, session.expires))
            .collect();
        session.sealed = Some(self.seal(session.id, known_by));
    }

    fn known_credential(
        &self,
        presentable: &UpstreamCredential,
        known_by: &UpstreamSession,
        expires: Timestamp,
    ) -> Credential {
        self.credential(
            presentable.purpose,
            &presentable.secret,
            expires,
            presentable.csrf_due && known_by.csrf.is_some(),
        )
    }
}
