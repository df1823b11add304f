//! A session on its way into the model.

use std::ops::Range;

use logout_core::credential::CredentialDigest;
use logout_core::idp::{IdpKey, IdpLogin};
use logout_core::session::SessionId;
use logout_core::time::Timestamp;
use smallvec::SmallVec;

use super::agents::AgentNumber;
use super::slab::Place;
use super::tags::{SessionTags, Tag, TagHasher, tag};
use super::{Entry, Model};
use crate::record::{NO_USER_AGENT, RecordError, SessionRecord};

/// A session as far as it can be made ready without the state that it comes into.
#[derive(Debug)]
pub(super) struct Incoming {
    id: SessionId,
    seen: Timestamp,
    /// The credentials that lead to it.
    claimed: SmallVec<[CredentialDigest; 1]>,
    /// Whether those are all of its credentials.
    is_all_claimed: bool,
    tags: SessionTags,
    /// Of its login at an identity provider, which few sessions have.
    idp_keys: Vec<IdpKey>,
    /// As in an [`Entry`], except that the number of a user agent that it is without is missing.
    record: Box<[u8]>,
    agent: Option<IncomingAgent>,
}

/// A user agent that can be shared. The ranges are of the bytes that the session was read from.
#[derive(Debug)]
struct IncomingAgent {
    tag: Tag,
    text: Range<usize>,
    /// The record with the user agent.
    whole: Range<usize>,
}

impl Incoming {
    pub(super) fn tags(&self) -> &SessionTags {
        &self.tags
    }

    pub(super) fn claimed_tags(&self) -> impl Iterator<Item = Tag> {
        self.claimed.iter().map(tag)
    }

    /// Reads a session whose record is at `whole` in `from`.
    ///
    /// # Errors
    /// The record cannot be read.
    pub(super) fn read(
        hasher: &TagHasher,
        (id, seen): (SessionId, Timestamp),
        unclaimed: &[u16],
        from: &[u8],
        whole: Range<usize>,
    ) -> Result<Self, RecordError> {
        let bytes = &from[whole.clone()];
        let (record, place) = SessionRecord::read_with_place(bytes)?;
        let claimed = (0..)
            .zip(record.credentials())
            .filter(|(number, _)| !unclaimed.contains(number))
            .map(|(_, known)| known.digest)
            .collect();
        let (packed, agent) = match record.user_agent() {
            None => (packed(AgentNumber::NONE, &[bytes]), None),
            Some(text) => {
                let (before, behind) = (&bytes[..place.start], &bytes[place.end..]);
                let end = whole.start + place.end;
                let agent = IncomingAgent {
                    tag: hasher.user_agent(text),
                    text: end - text.len()..end,
                    whole,
                };
                let parts = [before, &NO_USER_AGENT, behind];
                (packed(AgentNumber::NONE, &parts), Some(agent))
            }
        };
        Ok(Self {
            id,
            seen,
            claimed,
            is_all_claimed: unclaimed.is_empty(),
            tags: hasher.tags_of(&record),
            idp_keys: record.idp().into_iter().flat_map(IdpLogin::keys).collect(),
            record: packed,
            agent,
        })
    }
}

/// A record as an [`Entry`] keeps it, in no more memory than it needs.
fn packed(agent: AgentNumber, parts: &[&[u8]]) -> Box<[u8]> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut record = Vec::with_capacity(AgentNumber::LENGTH + length);
    record.extend_from_slice(&agent.to_bytes());
    for part in parts {
        record.extend_from_slice(part);
    }
    record.into_boxed_slice()
}

impl Model {
    /// Puts a session that was read from `from` in place of what was known of it. It is of no use
    /// any more then.
    pub(super) fn add(&mut self, session: &mut Incoming, from: &[u8]) -> Result<(), RecordError> {
        let entry = Entry {
            id: session.id,
            seen: session.seen,
            record: self.with_agent(session, from)?,
            links: Default::default(),
        };
        let mut place = self.sessions.insert(entry);
        if let Some(known) = self.by_id.insert(session.id, place)
            && let Some(entry) = self.sessions.remove(place)
        {
            if self.is_known(session, &entry, known) {
                self.release(&entry);
                if let Some(known) = self.sessions.get_mut(known) {
                    known.seen = session.seen;
                }
                return Ok(());
            }
            if let Some(before) = self.sessions.replace(known, entry) {
                self.unlink(known, &before, &before.read()?, None);
            }
            place = known;
        }
        // All before any is claimed: the tags of two may be the same.
        for digest in &session.claimed {
            self.free(digest);
        }
        for digest in &session.claimed {
            self.credentials.insert(tag(digest), place);
        }
        let SessionTags {
            person,
            sign_on,
            subject,
        } = session.tags;
        if let Some(person) = person {
            self.by_person.add(&mut self.sessions, person, place);
        }
        if let Some(sign_on) = sign_on {
            self.by_sign_on.add(&mut self.sessions, sign_on, place);
        }
        self.by_subject.add(&mut self.sessions, subject, place);
        let keys = session.idp_keys.drain(..);
        self.by_idp.extend(keys.map(|key| (key, session.id)));
        Ok(())
    }

    /// The record as an [`Entry`] keeps it; its user agent is shared with one session more.
    fn with_agent(
        &mut self,
        session: &mut Incoming,
        from: &[u8],
    ) -> Result<Box<[u8]>, RecordError> {
        let mut record = std::mem::take(&mut session.record);
        let Some(agent) = session.agent.take() else {
            return Ok(record);
        };
        let text = from.get(agent.text).map(str::from_utf8);
        let Some(Ok(text)) = text else {
            return Err(RecordError::Damaged("session"));
        };
        match self.agents.share(text, agent.tag) {
            AgentNumber::NONE => Ok(packed(AgentNumber::NONE, &[&from[agent.whole]])),
            number => {
                record[..AgentNumber::LENGTH].copy_from_slice(&number.to_bytes());
                Ok(record)
            }
        }
    }

    /// Whether the session at this place is the same already. Much of a snapshot comes once more in
    /// the journal. Where it is hard to tell, it is not.
    fn is_known(&self, session: &Incoming, entry: &Entry, place: Place) -> bool {
        let is_same = self
            .sessions
            .get(place)
            .is_some_and(|known| known.record == entry.record);
        let mut tags: SmallVec<[Tag; 1]> = session.claimed.iter().map(tag).collect();
        tags.sort_unstable();
        is_same
            && session.is_all_claimed
            // Otherwise one tag could be there for another.
            && tags.windows(2).all(|two| two[0] != two[1])
            && tags.iter().all(|tag| {
                let found = self.credentials.find(*tag, |found| found == place);
                found.is_some()
            })
    }
}

#[cfg(test)]
mod tests {
    use logout_core::credential::Credential;
    use logout_core::session::Session;

    use super::super::{Change, Owner};
    use super::*;
    use crate::record::tests::session as sample;

    const NOW: Timestamp = Timestamp::from_millis(2);

    /// A session with the one credential that all of them have.
    fn session(number: u8) -> Session {
        Session {
            id: SessionId::from_bytes([number; 16]),
            credentials: vec![sample().credentials[0].clone()],
            ..sample()
        }
    }

    fn model(sessions: &[Session]) -> Model {
        let mut model = Model::new(false);
        let mut batch = super::super::Batch::default();
        for session in sessions {
            let change = Change::Session {
                id: session.id,
                seen: session.seen,
                unclaimed: Vec::new(),
                record: SessionRecord::of(session).to_bytes().unwrap().into(),
            };
            change.write(&mut batch.content);
        }
        model.batch_reader().read(&mut batch, false).unwrap();
        model.apply(&mut batch).unwrap();
        model
    }

    fn owner(model: &Model, credential: &Credential) -> SessionId {
        match model.owner(&credential.digest) {
            Some((_, Owner::Session(entry, ..))) => entry.id,
            _ => panic!("a session has the credential"),
        }
    }

    fn is_listed(model: &Model, session: &Session) -> bool {
        let listed = model.sessions(&Default::default(), None, 10, 10, NOW);
        listed.unwrap().items.contains(session)
    }

    #[test]
    fn a_session_that_comes_once_more_takes_its_credential_back() {
        let [one, two] = [session(1), session(2)];
        let known = one.credentials[0].clone();
        for (order, last) in [
            (vec![&one], &one),
            (vec![&one, &one], &one),
            (vec![&one, &two], &two),
            (vec![&one, &two, &one], &one),
            (vec![&one, &two, &one, &two, &two], &two),
        ] {
            let sessions: Vec<_> = order.into_iter().cloned().collect();
            let model = model(&sessions);
            assert_eq!(owner(&model, &known), last.id);
            assert!(sessions.iter().all(|session| is_listed(&model, session)));
        }
    }

    #[test]
    fn a_session_that_comes_once_more_is_as_it_comes() {
        let before = session(1);
        let mut after = before.clone();
        after.seen = Timestamp::from_millis(5);
        assert!(is_listed(&model(&[before.clone(), after.clone()]), &after));
        after.device.user_agent = Some("another".to_owned());
        let mut model = model(&[before.clone(), after.clone()]);
        assert!(is_listed(&model, &after) && !is_listed(&model, &before));
        assert_eq!(model.sessions.len(), 1);
        assert_eq!(
            model
                .agents
                .share("another", model.hasher.user_agent("another"))
                .to_bytes(),
            [2, 0]
        );
        assert_eq!(model.agents.text(AgentNumber::from_bytes([1, 0])), None);
    }
}
