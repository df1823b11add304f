//! Which sessions an order means.

use std::ops::Bound;

use fjall::Slice;
use logout_core::receipt::Reach;
use logout_core::session::SessionId;
use logout_core::store::{ByCredential, EndOrder, EndTarget};
use logout_core::time::Timestamp;

use super::super::engine::ReadError;
use super::super::index::IndexKey;
use super::super::reading;
use super::super::record::SessionRecord;
use super::super::table::Table;
use super::Group;

/// Sessions with their records.
type Records = Vec<(SessionId, Slice)>;

impl Group<'_> {
    /// The sessions that an order means, and their records as they lie in the store; each in one
    /// order of the group only.
    pub(super) fn choose_all(
        &mut self,
        order: &EndOrder,
        records: &mut Records,
    ) -> Result<(), ReadError> {
        for target in &order.targets {
            match target {
                EndTarget::Credential(by) => self.choose_opened(by, order.at, records)?,
                EndTarget::Expired(id) | EndTarget::Session(id) => {
                    self.choose(*id, target, order.at, records)?
                }
                wide => self.choose_wide(wide, order.at, records)?,
            }
        }
        Ok(())
    }

    /// What a credential opens, if the request may end that, and what its reach adds.
    fn choose_opened(
        &mut self,
        by: &ByCredential,
        at: Timestamp,
        records: &mut Records,
    ) -> Result<(), ReadError> {
        let Some((id, bytes)) = reading::opened_by(self.engine, &by.digest, at)? else {
            return Ok(());
        };
        // Ended by an order before this one, or by another target of this one: a credential opens
        // nothing any more then.
        if self.ended.contains(&id) {
            return Ok(());
        }
        let session = SessionRecord::read(&bytes)?;
        let is_due = session
            .credentials()
            .any(|known| known.digest == by.digest && known.csrf_due);
        if !by.admits(session.client(), session.csrf().as_ref(), is_due) {
            return Ok(());
        }
        let wide = match by.reach {
            Reach::Session => Vec::new(),
            reach => EndTarget::of(&session.to_session(id, session.seen()), reach),
        };
        self.ended.insert(id);
        records.push((id, bytes));
        wide.iter()
            .filter(|target| !matches!(target, EndTarget::Session(_)))
            .try_for_each(|target| self.choose_wide(target, at, records))
    }

    fn choose_wide(
        &mut self,
        target: &EndTarget,
        at: Timestamp,
        records: &mut Records,
    ) -> Result<(), ReadError> {
        for id in self.candidates(target)? {
            self.choose(id, target, at, records)?;
        }
        Ok(())
    }

    fn candidates(&mut self, target: &EndTarget) -> Result<Vec<SessionId>, ReadError> {
        let key = match target {
            EndTarget::Credential(_) => return Ok(Vec::new()),
            EndTarget::Expired(id) | EndTarget::Session(id) => return Ok(vec![*id]),
            EndTarget::Person(person) => IndexKey::person(person.as_str()),
            EndTarget::Platform(_) => return self.all_sessions(),
            EndTarget::SignOn(id) => return Ok(self.sign_ons.of(self.engine, *id)?.to_vec()),
            EndTarget::Subject(platform, subject) => {
                IndexKey::subject(platform.as_str(), &subject.realm, &subject.name)
            }
        };
        Ok(self.members.of(self.engine, key)?.iter().copied().collect())
    }

    fn all_sessions(&self) -> Result<Vec<SessionId>, ReadError> {
        let mut ids = Vec::new();
        for entry in self
            .engine
            .range(Table::Sessions, Bound::Unbounded, Bound::Unbounded)
        {
            ids.extend(entry?.0.as_ref().try_into().ok().map(SessionId::from_bytes));
        }
        Ok(ids)
    }

    fn choose(
        &mut self,
        id: SessionId,
        target: &EndTarget,
        at: Timestamp,
        records: &mut Records,
    ) -> Result<(), ReadError> {
        if self.ended.contains(&id) {
            return Ok(());
        }
        let Some(bytes) = self.engine.read(Table::Sessions, id.as_bytes())? else {
            return Ok(());
        };
        let applies = match target {
            EndTarget::Session(_) => true,
            target => {
                let session = SessionRecord::read(&bytes)?;
                match target {
                    EndTarget::Credential(_) => false,
                    EndTarget::Expired(_) => session.ends_by(self.engine.seen(id)?) <= at,
                    EndTarget::Person(person) => session.person() == Some(person.as_str()),
                    EndTarget::Platform(platform) => session.platform() == platform.as_str(),
                    EndTarget::Session(_) => true,
                    EndTarget::SignOn(sign_on) => session.sign_on() == Some(*sign_on),
                    EndTarget::Subject(platform, subject) => {
                        session.platform() == platform.as_str()
                            && session.realm() == &*subject.realm
                            && session.name() == &*subject.name
                    }
                }
            }
        };
        if applies {
            self.ended.insert(id);
            records.push((id, bytes));
        }
        Ok(())
    }
}
