//! What a sign-out ends at the relying parties.

use std::collections::BTreeMap;

use super::ports::Services;
use crate::receipt::Reach;
use crate::session::{Session, SessionId, Subject};
use crate::store::{
    EndOrder, EndTarget, Join, Lookup, OpenOutcome, SessionFilter, StoreUnavailable,
};
use crate::time::Timestamp;

/// How many sessions are looked at in one step.
const PAGE: usize = 1_000;

/// The sessions that a sign-out at an identity provider ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct OfLogin<'s> {
    pub(super) sessions: &'s [Session],
    /// The `sid` that is over there; `None`: all sessions of the `sub` are.
    pub(super) sid: Option<&'s str>,
}

impl Services {
    /// The order, with what it ends at the relying parties: where it reaches a person, or where
    /// sessions of a login at an identity provider end.
    ///
    /// A hub that dies before the order is carried out leaves sessions there, which end with the
    /// person's next sign-out, or by expiry.
    pub(super) async fn with_relying_parties(
        &self,
        mut order: EndOrder,
        login: Option<OfLogin<'_>>,
    ) -> Result<EndOrder, StoreUnavailable> {
        let reaches_person = order.reach == Reach::Person;
        if self.relying_parties.is_empty() || !(reaches_person || login.is_some()) {
            return Ok(order);
        }
        let found;
        let (sessions, sid) = match login {
            Some(login) if !reaches_person => (login.sessions, login.sid),
            _ => {
                found = self.sessions_of_targets(&order).await?;
                (found.as_slice(), None)
            }
        };
        for party in &*self.relying_parties {
            let mut subjects: BTreeMap<Subject, Vec<&Session>> = BTreeMap::new();
            for session in sessions {
                if let Some(subject) = party.subject(session, sid) {
                    subjects.entry(subject).or_default().push(session);
                }
            }
            for (subject, others) in subjects {
                let person = others.iter().find_map(|other| other.person.clone());
                let session = party.session(subject, person, &others, order.at);
                let target = self.opened(session, order.at).await?;
                order.targets.extend(target.map(EndTarget::Session));
            }
        }
        Ok(order)
    }

    /// Opens a session of a relying party, unless another sign-out has opened it. `None`: one has
    /// ended it already.
    async fn opened(
        &self,
        session: Session,
        at: Timestamp,
    ) -> Result<Option<SessionId>, StoreUnavailable> {
        for credential in &session.credentials {
            match self.store.find(&credential.digest, at).await? {
                Lookup::Ended => return Ok(None),
                Lookup::Live(other, _) => return Ok(Some(other.id)),
                Lookup::Unknown => {}
            }
        }
        let id = session.id;
        let opened = self.store.open(session, Join::Always, at).await?;
        Ok((opened == OpenOutcome::Opened).then_some(id))
    }

    /// The live sessions that an order ends at platforms, as far as it names persons and subjects,
    /// each once.
    async fn sessions_of_targets(
        &self,
        order: &EndOrder,
    ) -> Result<Vec<Session>, StoreUnavailable> {
        let filter = |target: &EndTarget| match target {
            EndTarget::Person(person) => Some(SessionFilter {
                person: Some(person.clone()),
                ..SessionFilter::default()
            }),
            EndTarget::Subject(platform, subject) => Some(SessionFilter {
                platform: Some(platform.clone()),
                subject: Some(subject.clone()),
                ..SessionFilter::default()
            }),
            _ => None,
        };
        let mut filters: Vec<SessionFilter> = order.targets.iter().filter_map(filter).collect();
        // A person's first: all of them or, once another sign-out has ended them, none. A subject's
        // may be some of them, which would make a second delivery.
        filters.sort_by_key(|filter| filter.person.is_none());
        let mut found = Vec::new();
        for filter in filters {
            let mut after = None;
            loop {
                let page = self.store.sessions(&filter, after, PAGE, order.at).await?;
                found.extend(page.items);
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
        }
        let is_at_platform = |session: &Session| {
            let mut parties = self.relying_parties.iter();
            parties.all(|party| party.name != session.platform)
        };
        found.retain(is_at_platform);
        // A person's sessions are among those of the subject as well.
        found.sort_by_key(|session| session.id);
        found.dedup_by_key(|session| session.id);
        Ok(found)
    }
}
