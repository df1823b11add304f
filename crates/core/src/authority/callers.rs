//! The callers of a sign-out: whose sessions the request proves to be theirs, and what they may
//! end.

use std::sync::Arc;

use super::SessionAuthority;
use crate::credential::Credential;
use crate::session::{ClientId, Session};
use crate::sign_out::{Asked, CredentialPolicy, CsrfProof, NoSessionPolicy, Refusal, Target};
use crate::store::Lookup;
use crate::time::Timestamp;
use crate::upstream::UpstreamSession;

/// Who asks.
pub(super) enum Callers<'a> {
    /// Those whose sessions are known here; possibly nobody.
    Known(Vec<Caller>),
    /// Somebody with a credential that the hub never saw, at a platform whose upstream may know it.
    Unregistered(&'a UpstreamSession),
}

/// A live session that the request proves to be the caller's.
pub(super) struct Caller {
    pub(super) session: Arc<Session>,
    pub(super) credential: Credential,
}

impl SessionAuthority {
    pub(super) async fn callers<'a>(
        &self,
        asked: &'a Asked,
        now: Timestamp,
    ) -> Result<Callers<'a>, Refusal> {
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
            return Ok(Callers::Unregistered(session));
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
    pub(super) fn check_right(&self, target: &Target, callers: &[Caller]) -> Result<bool, Refusal> {
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
}

pub(super) fn check_client(asked: &Asked, callers: &[Caller]) -> Result<(), Refusal> {
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

pub(super) fn check_csrf(proof: CsrfProof, callers: &[Caller]) -> Result<(), Refusal> {
    callers.iter().try_for_each(
        |Caller {
             session,
             credential,
         }| proof.check(session.csrf.as_ref(), credential.csrf_due),
    )
}
