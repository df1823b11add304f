//! What a store takes in that another one gave out.

use logout_core::credential::CredentialDigest;
use logout_core::receipt::ReceiptId;
use logout_core::session::{Session, SessionId};
use logout_core::time::Timestamp;
use logout_core::transfer::Record;

/// What lies in the store already.
pub(crate) trait Present {
    fn has_session(&self, id: SessionId) -> bool;

    fn has_delivery(&self, session: SessionId) -> bool;

    fn has_receipt(&self, id: ReceiptId) -> bool;

    /// The session that a credential leads to, ended or not, and the credential's expiry.
    fn credential(&self, digest: &CredentialDigest) -> Option<(SessionId, Timestamp)>;

    /// When the one-time value of this key expires.
    fn once(&self, key: &CredentialDigest) -> Option<Timestamp>;
}

/// Whether a record is taken in: what is missing, unless it is over or has ended here. Of a
/// session, also the numbers of the credentials that do not lead to it.
pub(crate) fn taken_in(record: &Record, here: &impl Present, now: Timestamp) -> Option<Vec<u16>> {
    let is_wanted = match record {
        // Only the first candidate for a name counts anyhow.
        Record::Agreed(_) => true,
        Record::Delivery(one) => !here.has_session(one.session) && !here.has_delivery(one.session),
        Record::Once(one) => one.expires > now && here.once(&one.key).is_none_or(|it| it <= now),
        Record::Receipt(one) => !here.has_receipt(one.id),
        Record::Session(one) => {
            let is_wanted = !one.is_expired(now)
                && !here.has_session(one.id)
                && !here.has_delivery(one.id)
                && !has_tombstone(one, here, now);
            return is_wanted.then(|| unclaimed(one, here, now));
        }
        Record::Tombstone(one) => {
            one.expires > now && !here.has_session(one.session) && is_free(&one.digest, here, now)
        }
    };
    is_wanted.then(Vec::new)
}

/// Whether a session that is not here has ended here.
fn has_tombstone(session: &Session, here: &impl Present, now: Timestamp) -> bool {
    session.credentials.iter().any(|known| {
        here.credential(&known.digest)
            .is_some_and(|(owner, expires)| owner == session.id && expires > now)
    })
}

/// Whether nothing that counts lies under a credential.
fn is_free(digest: &CredentialDigest, here: &impl Present, now: Timestamp) -> bool {
    here.credential(digest)
        .is_none_or(|(_, expires)| expires <= now)
}

fn unclaimed(session: &Session, here: &impl Present, now: Timestamp) -> Vec<u16> {
    let credentials = &session.credentials;
    let is_unclaimed = |number: usize| {
        let known = &credentials[number];
        let before = &credentials[..number];
        known.expires <= now
            || !is_free(&known.digest, here, now)
            || before.iter().any(|other| other.digest == known.digest)
    };
    (0..)
        .zip(0..credentials.len())
        .filter(|(_, number)| is_unclaimed(*number))
        .map(|(number, _)| number)
        .collect()
}
