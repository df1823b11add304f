//! What a credential is, for stores that keep it apart from its session.

use std::sync::Arc;

use logout_core::credential::CredentialDigest;
use logout_core::session::Session;
use logout_core::store::Lookup;
use logout_core::time::Timestamp;

/// What a credential is that expires at `expires`, given the session that it leads to, unless that
/// has ended.
pub(crate) fn lookup(
    session: Option<Arc<Session>>,
    digest: &CredentialDigest,
    expires: Timestamp,
    now: Timestamp,
) -> Lookup {
    match session {
        _ if expires <= now => Lookup::Unknown,
        None => Lookup::Ended,
        Some(session) if session.is_expired(now) => Lookup::Unknown,
        Some(session) => {
            let known = session.credentials.iter();
            let mut known = known.filter(|known| known.digest == *digest && known.expires > now);
            match known.next().cloned() {
                Some(known) => Lookup::Live(session, known),
                None => Lookup::Unknown,
            }
        }
    }
}
