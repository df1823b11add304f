//! Deliveries, among the operations that share one commit.

use logout_core::delivery::{Delivery, DeliveryState, Settlement};
use logout_core::platform::PlatformName;
use logout_core::session::{Session, SessionId};
use logout_core::store::EndOrder;
use logout_core::time::Timestamp;
use tokio::sync::oneshot::Sender;

use super::{Answer, Decided, Group};
use crate::embedded::engine::ReadError;
use crate::embedded::queue::Job;
use crate::embedded::record::{CredentialRecord, DeliveryRecord, Fate, RecordError, SessionRecord};
use crate::embedded::table::Table;

/// A delivery that an order calls for, ready to be written.
pub(super) struct Posted {
    session: SessionId,
    platform: PlatformName,
    record: Vec<u8>,
}

/// What the order to end `sessions` calls for.
pub(super) fn posted(
    sessions: &[(SessionId, SessionRecord<'_>)],
    order: &EndOrder,
) -> Result<Vec<Posted>, RecordError> {
    let mut all = Vec::new();
    for (session, ended) in sessions {
        if let Some(record) = DeliveryRecord::of_ended(ended, order) {
            all.push(Posted {
                session: *session,
                platform: PlatformName::new(record.platform()),
                record: record.to_bytes()?,
            });
        }
    }
    Ok(all)
}

impl Group<'_> {
    pub(super) fn post(&mut self, all: Vec<Posted>, at: Timestamp) {
        for Posted {
            session,
            platform,
            record,
        } in all
        {
            self.write(Table::Pending, session.as_bytes(), record);
            self.due.put(session, platform.as_str(), at);
        }
    }

    /// Whether a credential of a session that has an upstream is a tombstone: what its session was
    /// ended for must not come back to life under another one.
    pub(super) fn is_ended_credential_of(
        &self,
        session: &Session,
        now: Timestamp,
    ) -> Result<bool, ReadError> {
        if session.sealed.is_none() {
            return Ok(false);
        }
        for credential in &session.credentials {
            let Some(bytes) = self
                .engine
                .read(Table::Credentials, credential.digest.as_bytes())?
            else {
                continue;
            };
            let CredentialRecord { session, expires } = CredentialRecord::read(&bytes)?;
            let has_ended = || {
                Ok::<_, ReadError>(
                    self.ended.contains(&session)
                        || self
                            .engine
                            .read(Table::Sessions, session.as_bytes())?
                            .is_none(),
                )
            };
            if expires > now && has_ended()? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub(super) fn lease(
        &mut self,
        platform: &PlatformName,
        limit: usize,
        now: Timestamp,
        until: Timestamp,
        reply: Sender<Vec<(SessionId, u64)>>,
    ) -> Decided {
        let leased = self.due.lease(platform, limit, now, until);
        self.answers.push(Answer::Leased(reply, leased));
        Decided::Done
    }

    pub(super) fn next_due(
        &mut self,
        platform: &PlatformName,
        reply: Sender<Option<Timestamp>>,
    ) -> Decided {
        let next = self.due.next(platform);
        self.answers.push(Answer::Due(reply, next));
        Decided::Done
    }

    pub(super) fn settle(
        &mut self,
        session: SessionId,
        lease: u64,
        settlement: Settlement,
        reply: Sender<bool>,
    ) -> Result<Decided, ReadError> {
        if self.deliveries.contains(&session) {
            return Ok(Decided::Conflict(Job::Settle {
                session,
                lease,
                settlement,
                reply,
            }));
        }
        let pending = if self.due.is_held(session, lease) {
            self.delivery_in(Table::Pending, session)?
        } else {
            None
        };
        let settled = match pending {
            None => false,
            Some(mut delivery) => {
                delivery.settle(&settlement);
                self.keep(&delivery, Table::Pending)?;
                if delivery.state == DeliveryState::Pending {
                    self.due
                        .put(session, delivery.platform.as_str(), delivery.due);
                } else {
                    self.due.remove(session);
                }
                true
            }
        };
        self.answers.push(Answer::Flag(reply, settled));
        Ok(Decided::Done)
    }

    pub(super) fn retry(
        &mut self,
        session: SessionId,
        now: Timestamp,
        reply: Sender<bool>,
    ) -> Result<Decided, ReadError> {
        if self.deliveries.contains(&session) {
            return Ok(Decided::Conflict(Job::Retry {
                session,
                now,
                reply,
            }));
        }
        let found = match self.delivery_in(Table::Pending, session)? {
            Some(pending) => Some((pending, Table::Pending)),
            None => self
                .delivery_in(Table::Settled, session)?
                .map(|settled| (settled, Table::Settled)),
        };
        let due = match found {
            None => false,
            Some((mut delivery, was_in)) => {
                let possible = delivery.try_again(now);
                if possible {
                    self.keep(&delivery, was_in)?;
                    // One that somebody is trying right now stays with them until the lease is
                    // over.
                    if !self.due.is_leased(session) {
                        self.due.put(session, delivery.platform.as_str(), now);
                    }
                }
                possible
            }
        };
        self.answers.push(Answer::Flag(reply, due));
        Ok(Decided::Done)
    }

    /// Looks again before it forgets: since housekeeping saw the delivery, somebody may have made
    /// it due again.
    pub(super) fn tidy(
        &mut self,
        session: SessionId,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<(), ReadError> {
        if self.deliveries.contains(&session) {
            return Ok(());
        }
        let Some(bytes) = self.engine.read(Table::Settled, session.as_bytes())? else {
            return Ok(());
        };
        let record = DeliveryRecord::read(&bytes)?;
        match record.fate(now, until) {
            Fate::Forget => self.remove(Table::Settled, session.as_bytes()),
            Fate::Keep => return Ok(()),
            Fate::Unseal => {
                let unsealed = record.unsealed().to_bytes()?;
                self.write(Table::Settled, session.as_bytes(), unsealed);
            }
        }
        self.deliveries.insert(session);
        Ok(())
    }

    fn delivery_in(&self, table: Table, session: SessionId) -> Result<Option<Delivery>, ReadError> {
        let Some(bytes) = self.engine.read(table, session.as_bytes())? else {
            return Ok(None);
        };
        Ok(Some(DeliveryRecord::read(&bytes)?.to_delivery(session)?))
    }

    /// Puts a changed delivery where its state belongs, and takes it from where it was.
    fn keep(&mut self, delivery: &Delivery, was_in: Table) -> Result<(), RecordError> {
        let record = DeliveryRecord::of(delivery).to_bytes()?;
        let key = delivery.session.as_bytes();
        let table = if delivery.state == DeliveryState::Pending {
            Table::Pending
        } else {
            Table::Settled
        };
        if table != was_in {
            self.remove(was_in, key);
        }
        self.write(table, key, record);
        self.deliveries.insert(delivery.session);
        self.durable = true;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use logout_core::credential::Sealed;
    use logout_core::delivery::Outcome;
    use logout_core::receipt::{Reach, Reason, ReceiptId};
    use logout_core::store::{EndTarget, Join, OpenOutcome};
    use tokio::sync::oneshot::{Receiver, channel};

    use super::*;
    use crate::embedded::due::Due;
    use crate::embedded::engine::Engine;
    use crate::embedded::index::Members;
    use crate::embedded::record::tests::session;
    use crate::wakeup::Caller;

    const NOW: Timestamp = Timestamp::from_millis(10);
    const LATER: Timestamp = Timestamp::from_millis(20);

    struct Bench {
        engine: Engine,
        members: Members,
        due: Due,
        _directory: tempfile::TempDir,
    }

    impl Bench {
        /// With the session that all tests are about.
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let engine = Engine::open(directory.path()).unwrap();
            let mut bench = Self {
                engine,
                members: Members::default(),
                due: Due::new(),
                _directory: directory,
            };
            bench.commit(|group| assert_eq!(opened(group, session()), Some(OpenOutcome::Opened)));
            bench
        }

        fn commit<T>(&mut self, decide: impl FnOnce(&mut Group<'_>) -> T) -> T {
            let mut group = Group::new(&self.engine, &mut self.members, &mut self.due, 1);
            let done = decide(&mut group);
            group.commit(&|| ()).unwrap();
            done
        }

        /// Ends the session and leases its delivery.
        fn leased(&mut self) -> u64 {
            self.commit(end);
            let (reply, mut answer) = channel();
            let platform = session().platform;
            self.commit(|group| {
                group
                    .decide(Job::Lease {
                        platform,
                        limit: 9,
                        now: NOW,
                        until: LATER,
                        reply,
                    })
                    .map(drop)
                    .unwrap()
            });
            let leased = answer.try_recv().unwrap();
            assert_eq!((leased.len(), leased[0].0), (1, session().id));
            leased[0].1
        }
    }

    fn end(group: &mut Group<'_>) {
        let order = EndOrder {
            receipt: ReceiptId::from_bytes([9; 16]),
            at: NOW,
            reason: Reason::User,
            platform: None,
            reach: Reach::Session,
            targets: vec![EndTarget::Session(session().id)],
        };
        group
            .end(
                &order,
                Caller {
                    reply: channel().0,
                    thread: thread::current().id(),
                },
            )
            .unwrap();
    }

    /// `None`: it has to wait for the next group.
    fn opened(group: &mut Group<'_>, session: Session) -> Option<OpenOutcome> {
        let session = Box::new(session);
        match group
            .decide(Job::Open {
                session,
                join: Join::Always,
                now: NOW,
                reply: channel().0,
            })
            .unwrap()
        {
            Decided::Conflict(_) => None,
            Decided::Done => match group.answers.last() {
                Some(Answer::Opened(_, opened)) => Some(*opened),
                _ => panic!("no answer"),
            },
        }
    }

    fn settle(lease: u64, outcome: Outcome) -> (Job, Receiver<bool>) {
        let (reply, answer) = channel();
        (
            Job::Settle {
                session: session().id,
                lease,
                settlement: Settlement {
                    attempt: None,
                    outcome,
                },
                reply,
            },
            answer,
        )
    }

    fn retry() -> (Job, Receiver<bool>) {
        let (reply, answer) = channel();
        (
            Job::Retry {
                session: session().id,
                now: LATER,
                reply,
            },
            answer,
        )
    }

    #[test]
    fn what_would_change_a_delivery_that_the_group_has_changed_waits_for_the_next_group() {
        let again = |job| match job {
            Decided::Conflict(job) => job,
            Decided::Done => panic!("it did not see what came before"),
        };
        let mut bench = Bench::new();
        let lease = bench.leased();
        let (settled, mut first) = settle(lease, Outcome::GivenUp);
        let (retried, mut second) = retry();
        let (settled_again, mut third) = settle(lease, Outcome::Confirmed { verified: None });
        let (retried, settled_again) = bench.commit(|group| {
            assert!(matches!(group.decide(settled).unwrap(), Decided::Done));
            assert!(group.durable, "it must be synced before it is answered");
            (
                again(group.decide(retried).unwrap()),
                again(group.decide(settled_again).unwrap()),
            )
        });
        let settled_again = bench.commit(|group| {
            assert!(matches!(group.decide(retried).unwrap(), Decided::Done));
            assert!(group.durable, "it must be synced before it is answered");
            again(group.decide(settled_again).unwrap())
        });
        bench.commit(|group| {
            assert!(matches!(
                group.decide(settled_again).unwrap(),
                Decided::Done
            ))
        });
        assert_eq!(
            (first.try_recv(), second.try_recv(), third.try_recv()),
            (Ok(true), Ok(true), Ok(false))
        );
        assert_eq!(bench.due.next(&session().platform), Some(LATER));
    }

    #[test]
    fn housekeeping_leaves_a_delivery_alone_that_the_group_has_changed() {
        // Once it would be unsealed, once forgotten.
        for until in [NOW, LATER] {
            let mut bench = Bench::new();
            let lease = bench.leased();
            bench.commit(|group| {
                group
                    .decide(settle(lease, Outcome::GivenUp).0)
                    .map(drop)
                    .unwrap()
            });
            bench.commit(|group| {
                group.decide(retry().0).map(drop).unwrap();
                group.tidy(session().id, session().expires, until).unwrap();
            });
            assert!(
                bench
                    .engine
                    .read(Table::Pending, session().id.as_bytes())
                    .unwrap()
                    .is_some()
            );
            assert!(
                bench
                    .engine
                    .read(Table::Settled, session().id.as_bytes())
                    .unwrap()
                    .is_none()
            );
        }
    }

    #[test]
    fn a_credential_that_was_ended_in_the_same_group_opens_nothing_at_an_upstream() {
        let again = || Session {
            id: SessionId::from_bytes([77; 16]),
            ..session()
        };
        let mut bench = Bench::new();
        bench.commit(|group| {
            end(group);
            assert_eq!(opened(group, again()), Some(OpenOutcome::CredentialEnded));
        });
        bench.commit(|group| {
            assert_eq!(opened(group, again()), Some(OpenOutcome::CredentialEnded));
            let ours = Session {
                sealed: None,
                ..again()
            };
            assert_eq!(opened(group, ours), Some(OpenOutcome::Opened));
            // Now it is this session's: whether it is ended is known when the group is committed.
            assert_eq!(
                opened(
                    group,
                    Session {
                        id: SessionId::from_bytes([78; 16]),
                        ..again()
                    }
                ),
                None
            );
        });
    }

    /// A session can be ended, and its delivery leased, before anybody was told of either.
    #[test]
    fn a_delivery_that_is_leased_in_the_group_of_its_ending_is_there_when_the_lease_is_answered() {
        let mut bench = Bench::new();
        let (reply, mut answer) = channel();
        let platform = session().platform;
        bench.commit(|group| {
            end(group);
            assert!(group.durable, "it must be synced before it is answered");
            group
                .decide(Job::Lease {
                    platform,
                    limit: 9,
                    now: NOW,
                    until: LATER,
                    reply,
                })
                .map(drop)
                .unwrap();
        });
        let (id, lease) = answer.try_recv().unwrap()[0];
        let bytes = bench
            .engine
            .read(Table::Pending, id.as_bytes())
            .unwrap()
            .unwrap();
        let delivery = DeliveryRecord::read(&bytes)
            .unwrap()
            .to_delivery(id)
            .unwrap();
        assert_eq!(delivery.sealed, Some(Sealed::new(*b"sealed")));
        let (settled, mut answer) = settle(lease, Outcome::Confirmed { verified: None });
        bench.commit(|group| group.decide(settled).map(drop).unwrap());
        assert_eq!(answer.try_recv(), Ok(true));
    }
}
