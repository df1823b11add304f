//! A session as the model keeps it.

use logout_core::session::SessionId;
use logout_core::time::Timestamp;

use super::Model;
use super::agents::AgentNumber;
use super::chains::{LINKS, Link};
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
}
