//! A session as the model keeps it.

use std::hash::BuildHasher as _;

use logout_core::session::SessionId;
use logout_core::time::Timestamp;

use super::Model;
use super::agents::AgentNumber;
use super::chains::{LINKS, Link};
use super::tags::{Tag, shortened, sign_on_tag};
use crate::record::{RecordError, SessionRecord};

/// A session: its record, and what changes more often.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) id: SessionId,
    pub(super) seen: Timestamp,
    /// The number of its user agent, and the record as the codec writes it, without the user agent
    /// that has the number.
    pub(super) record: Box<[u8]>,
    pub(super) links: [Link; LINKS],
}

impl Entry {
    /// The record; [`Model::whole`] adds the user agent.
    pub(super) fn read(&self) -> Result<SessionRecord<'_>, RecordError> {
        SessionRecord::read(self.record.get(AgentNumber::LENGTH..).unwrap_or_default())
    }

    fn agent(&self) -> AgentNumber {
        let number = self.record.first_chunk();
        number.map_or(AgentNumber::NONE, |bytes| AgentNumber::from_bytes(*bytes))
    }

    pub(super) fn is_live(&self, record: &SessionRecord<'_>, now: Timestamp) -> bool {
        record.ends_by(self.seen) > now
    }
}

impl Model {
    /// A record as an [`Entry`] keeps it, in no more memory than it needs.
    pub(super) fn packed(
        &mut self,
        record: SessionRecord<'_>,
        bytes: &[u8],
    ) -> Result<Box<[u8]>, RecordError> {
        let pack = |agent: AgentNumber, bytes: &[u8]| [&agent.to_bytes(), bytes].concat().into();
        let Some(user_agent) = record.user_agent() else {
            return Ok(pack(AgentNumber::NONE, bytes));
        };
        let without = record.with_user_agent(None).to_bytes()?;
        let tag = shortened(self.hasher.hash_one(user_agent));
        Ok(match self.agents.share(user_agent, tag) {
            AgentNumber::NONE => pack(AgentNumber::NONE, bytes),
            agent => pack(agent, &without),
        })
    }

    /// Gives up what a session shares with others.
    pub(super) fn release(&mut self, entry: &Entry) {
        self.agents.release(entry.agent());
    }

    /// The record of a session with its user agent.
    pub(super) fn whole<'m>(
        &'m self,
        entry: &Entry,
        record: SessionRecord<'m>,
    ) -> SessionRecord<'m> {
        match self.agents.text(entry.agent()) {
            None => record,
            shared => record.with_user_agent(shared),
        }
    }

    /// The tags of a session's person, sign-on and subject.
    pub(super) fn tags_of(&self, record: &SessionRecord<'_>) -> (Option<Tag>, Option<Tag>, Tag) {
        (
            record.person().map(|person| self.person_tag(person)),
            record.sign_on().map(sign_on_tag),
            self.subject_tag(record.platform(), record.realm(), record.name()),
        )
    }

    pub(super) fn person_tag(&self, person: &str) -> Tag {
        shortened(self.hasher.hash_one(person))
    }

    pub(super) fn subject_tag(&self, platform: &str, realm: &str, name: &str) -> Tag {
        shortened(self.hasher.hash_one((platform, realm, name)))
    }
}
