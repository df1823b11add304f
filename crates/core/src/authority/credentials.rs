//! The credentials of a platform: read by its provider, digested here and nowhere else.

use std::sync::Arc;

use super::SessionAuthority;
use crate::canonical::CanonicalForm;
use crate::credential::{Credential, CredentialDigest, Secret};
use crate::message::Request;
use crate::provider::UpstreamLogout;
use crate::session::Session;
use crate::sign_out::{MOST_CREDENTIALS, PresentedCredential, Refusal};
use crate::store::{Lookup, StoreUnavailable};
use crate::time::Timestamp;
use crate::upstream::UpstreamSession;

impl SessionAuthority {
    /// The digest under which a secret is kept here for `purpose`.
    pub fn digest(&self, purpose: &str, secret: &str) -> CredentialDigest {
        let forms = self.reader.canonical_forms(purpose, secret);
        let kept = forms
            .first()
            .map(|form| CredentialDigest::of(&self.platform.name, purpose, form));
        // A reader gives at least one form; the text itself is the safe reading of one that does
        // not.
        kept.unwrap_or_else(|| {
            CredentialDigest::of(
                &self.platform.name,
                purpose,
                &CanonicalForm::of_text(secret),
            )
        })
    }

    /// The digests under which what is presented may be kept, the most likely one first.
    fn digests(&self, purpose: &str, presented: &str) -> Vec<CredentialDigest> {
        let mut forms = self.reader.canonical_forms(purpose, presented);
        // Stores that an earlier version has written know every credential by its text.
        let text = CanonicalForm::of_text(presented);
        if !forms.contains(&text) {
            forms.push(text);
        }
        forms
            .iter()
            .map(|form| CredentialDigest::of(&self.platform.name, purpose, form))
            .collect()
    }

    /// The same, of a value that can be read in one way only.
    pub(super) fn sole_digests(
        &self,
        purpose: &str,
        presented: &str,
    ) -> Option<Vec<CredentialDigest>> {
        (self.reader.canonical_forms(purpose, presented).len() == 1)
            .then(|| self.digests(purpose, presented))
    }

    /// A credential for a session that is to be opened, or has one more attached.
    pub fn credential(
        &self,
        purpose: &str,
        secret: &Secret,
        expires: Timestamp,
        csrf_due: bool,
    ) -> Credential {
        Credential {
            digest: self.digest(purpose, secret.reveal()),
            expires,
            csrf_due,
        }
    }

    /// What was presented for `purpose` is, without counting as use: by the first of its readings
    /// that is known here.
    ///
    /// # Errors
    /// The store did not answer.
    pub async fn look_up(
        &self,
        purpose: &str,
        presented: &str,
    ) -> Result<Lookup, StoreUnavailable> {
        self.find(purpose, presented, self.now()).await
    }

    pub(super) async fn find(
        &self,
        purpose: &str,
        presented: &str,
        now: Timestamp,
    ) -> Result<Lookup, StoreUnavailable> {
        for digest in self.digests(purpose, presented) {
            match self.services.store.find(&digest, now).await? {
                Lookup::Unknown => {}
                known => return Ok(known),
            }
        }
        Ok(Lookup::Unknown)
    }

    /// The live session that a credential opens. Counts as use: the idle timeout starts again.
    ///
    /// # Errors
    /// The store did not answer.
    pub async fn session(
        &self,
        purpose: &str,
        presented: &str,
    ) -> Result<Option<(Arc<Session>, Credential)>, StoreUnavailable> {
        let now = self.now();
        let Lookup::Live(session, credential) = self.find(purpose, presented, now).await? else {
            return Ok(None);
        };
        self.note_use(&session, now).await?;
        Ok(Some((session, credential)))
    }

    /// The live session of the first of `presented` that opens one. Counts as use.
    ///
    /// # Errors
    /// More is presented than is looked at, or the store did not answer.
    pub async fn first_session(
        &self,
        presented: &[PresentedCredential],
    ) -> Result<Option<(Arc<Session>, Credential)>, Refusal> {
        if presented.len() > MOST_CREDENTIALS {
            return Err(Refusal::TooManyCredentials);
        }
        for one in presented.iter().filter(|one| !one.foreign) {
            if let Some(live) = self.session(one.purpose, one.secret.reveal()).await? {
                return Ok(Some(live));
            }
        }
        Ok(None)
    }

    /// The live sessions behind these credentials, purpose and text of each; each session once.
    /// Does not count as use. At most [`MOST_CREDENTIALS`] are looked at.
    ///
    /// # Errors
    /// The store did not answer.
    pub(crate) async fn live_sessions(
        &self,
        credentials: &[(&'static str, &str)],
    ) -> Result<Vec<Arc<Session>>, StoreUnavailable> {
        let mut live: Vec<Arc<Session>> = Vec::new();
        for (purpose, text) in credentials.iter().take(MOST_CREDENTIALS) {
            if let Lookup::Live(session, _) = self.look_up(purpose, text).await?
                && live.iter().all(|known| known.id != session.id)
            {
                live.push(session);
            }
        }
        Ok(live)
    }

    /// The live sessions that a browser presents at this platform by its cookies, each once. Does
    /// not count as use.
    ///
    /// # Errors
    /// The request is ambiguous or presents too much, or the store did not answer.
    pub async fn browser_sessions(
        &self,
        provider: &dyn UpstreamLogout,
        request: &Request<'_>,
    ) -> Result<Vec<Arc<Session>>, Refusal> {
        self.admit(request)?;
        let cookies = UpstreamSession {
            cookies: provider.presented(request).cookies,
            ..UpstreamSession::default()
        };
        let credentials = provider.credentials(&cookies);
        let credentials: Vec<_> = credentials
            .iter()
            .map(|one| (one.purpose, one.secret.reveal()))
            .collect();
        Ok(self.live_sessions(&credentials).await?)
    }

    /// Notes that a session is in use, where that is worth noting.
    pub(crate) async fn note_use(
        &self,
        session: &Session,
        now: Timestamp,
    ) -> Result<(), StoreUnavailable> {
        if session
            .touch_grain()
            .is_some_and(|grain| now.since(session.seen) >= grain)
        {
            self.services.store.touch(session.id, now).await?;
        }
        Ok(())
    }
}
