//! How a session begins, and how it changes while it lives.

use std::time::Duration;

use logout_core::credential::{Credential, Sealed};
use logout_core::session::{Session, SsoSessionId};
use logout_core::store::Join;
use logout_core::time::Timestamp;

/// Whether a tombstone of one of its credentials keeps a session from being opened: its upstream
/// could not tell it from the session that has ended.
pub(crate) fn minds_tombstones(session: &Session) -> bool {
    session.sealed.is_some()
}

/// The sign-on of which a live session must be there for a session to be opened.
pub(crate) fn joined(session: &Session, join: Join) -> Option<SsoSessionId> {
    session.sign_on.filter(|_| join == Join::IfLive)
}

/// Gives a session one more credential; `false` where it is over.
pub(crate) fn attach(
    session: &mut Session,
    credential: &Credential,
    sealed: Option<&Sealed>,
    now: Timestamp,
) -> bool {
    let is_live = !session.is_expired(now);
    if is_live {
        // What has expired by itself makes room, so that a session that is refreshed for weeks
        // stays small.
        session.credentials.retain(|known| known.expires > now);
        session.credentials.push(credential.clone());
        if sealed.is_some() {
            session.sealed = sealed.cloned();
        }
    }
    is_live
}

/// Whether a use of a live session is worth writing down, given when it was last used.
pub(crate) fn is_touch_due(grain: Option<Duration>, seen: Timestamp, now: Timestamp) -> bool {
    now > seen && grain.is_some_and(|grain| now >= seen.plus(grain))
}
