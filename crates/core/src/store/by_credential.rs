//! Ending by what was presented, in one visit to the store: the credential is looked up in the same
//! step that ends its session.

use super::{EndTarget, Lookup};
use crate::credential::{CredentialDigest, SecretDigest};
use crate::platform_name::PlatformName;
use crate::receipt::Reach;
use crate::session::{ClientId, Session};
use crate::sign_out::CsrfProof;

/// The session that a credential opens at the order's instant, and what `reach` adds to it.
/// Nothing, where the credential opens none, or one that this request may not end.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ByCredential {
    /// What was presented.
    pub digest: CredentialDigest,
    /// The client that the request names.
    pub client: Option<ClientId>,
    /// Its proof against forgery.
    pub csrf: CsrfProof,
    /// How far it goes from that session.
    pub reach: Reach,
}

impl ByCredential {
    /// Whether the request may end a session of `client` with the CSRF secret `csrf`, by a
    /// credential of it to which `csrf_due` applies. The same rules as when the session has been
    /// looked up before.
    pub fn admits(
        &self,
        client: Option<&str>,
        csrf: Option<&SecretDigest>,
        csrf_due: bool,
    ) -> bool {
        self.client
            .as_ref()
            .is_none_or(|named| named.may_end(client))
            && self.csrf.check(csrf, csrf_due).is_ok()
    }

    /// What it comes to where the credential was looked up before, and turned out to be `found`.
    pub fn resolved(&self, found: &Lookup) -> Vec<EndTarget> {
        match found {
            Lookup::Live(session, known)
                if self.admits(
                    session.client.as_ref().map(ClientId::as_str),
                    session.csrf.as_ref(),
                    known.csrf_due,
                ) =>
            {
                EndTarget::of(session, self.reach)
            }
            Lookup::Ended | Lookup::Live(..) | Lookup::Unknown => Vec::new(),
        }
    }
}

impl EndTarget {
    /// What a sign-out of `session` ends that goes as far as `reach`.
    pub fn of(session: &Session, reach: Reach) -> Vec<Self> {
        let mut targets = vec![Self::Session(session.id)];
        if reach >= Reach::SignOn {
            targets.extend(session.sign_on.map(Self::SignOn));
        }
        if reach >= Reach::Subject {
            targets.push(Self::Subject(
                session.platform.clone(),
                session.subject.clone(),
            ));
        }
        if reach >= Reach::Person {
            targets.extend(session.person.clone().map(Self::Person));
        }
        targets
    }

    /// What a sign-out of all these sessions ends, each target once, and how far it goes at most.
    /// `reach` says how far it goes at a platform.
    pub fn of_all<'s>(
        sessions: impl IntoIterator<Item = &'s Session>,
        reach: impl Fn(&PlatformName) -> Reach,
    ) -> (Vec<Self>, Reach) {
        let (mut targets, mut widest) = (Vec::new(), Reach::Session);
        for session in sessions {
            let reach = reach(&session.platform);
            widest = widest.max(reach);
            for target in Self::of(session, reach) {
                if !targets.contains(&target) {
                    targets.push(target);
                }
            }
        }
        (targets, widest)
    }
}
