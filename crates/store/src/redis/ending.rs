//! Sign-outs. Where everything lies in one shard, those that wait at the same time are one script,
//! and wait for replicas once.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::try_join_all;
use logout_core::receipt::{EndedSession, Reach};
use logout_core::session::SessionId;
use logout_core::store::{EndOrder, EndTarget, StoreUnavailable};
use redis::Value;

use super::link::LinkError;
use super::record;
use super::script;
use super::shard::{Shard, array, bytes, millis};
use super::shards::Shards;
use crate::batch::{self, Carry};
use crate::rules::ATTEMPTS;
use crate::wakeup::End;

/// How many sessions one step of a walk over all of them looks at.
const WALK_STEP: usize = 1_000;

/// Executes orders together.
pub(super) struct EndBatcher {
    pub(super) shards: Arc<Shards>,
}

impl Carry<End> for EndBatcher {
    async fn carry(&self, jobs: Vec<End>) -> Result<(), StoreUnavailable> {
        let (long, short): (Vec<_>, Vec<_>) = jobs.into_iter().partition(|job| is_long(&job.order));
        if !short.is_empty() {
            let orders: Vec<&EndOrder> = short.iter().map(|job| &job.order).collect();
            let ended = self.shards.end_together(&orders).await;
            self.shards.link.note(&ended);
            match ended {
                Ok(ended) => {
                    batch::answer(short.into_iter().map(|job| job.caller).zip(ended).collect())
                }
                // The server answers, and one of them is to blame, a damaged record, say. Those
                // before it may have been executed: given again, they answer what they ended then.
                Err(fault) if fault.is_answer() && short.len() > 1 => {
                    for job in short {
                        self.end_alone(job).await?;
                    }
                }
                Err(_) => return Err(StoreUnavailable),
            }
        }
        for job in long {
            self.end_alone(job).await?;
        }
        Ok(())
    }
}

impl EndBatcher {
    /// An error means that the store is of no use to others either.
    async fn end_alone(&self, job: End) -> Result<(), StoreUnavailable> {
        let ended = self.shards.end(job.order).await;
        self.shards.link.note(&ended);
        match ended {
            Ok(ended) => batch::answer(vec![(job.caller, ended)]),
            Err(LinkError::Silence) => return Err(StoreUnavailable),
            Err(_) => {}
        }
        Ok(())
    }
}

/// Whether it reads every session there is, in many steps.
fn is_long(order: &EndOrder) -> bool {
    order
        .targets
        .iter()
        .any(|target| matches!(target, EndTarget::Platform(_)))
}

impl Shards {
    pub(super) async fn end(&self, order: EndOrder) -> Result<Vec<EndedSession>, LinkError> {
        let mut shards: BTreeMap<u16, Vec<Vec<u8>>> = BTreeMap::new();
        for target in self.narrowed(&order).await?.iter() {
            for shard in self.shards_of(target).await? {
                shards.entry(shard).or_default().push(named(target));
            }
        }
        let mut ended = Vec::new();
        for (shard, targets) in shards {
            let shard = self.shard(shard);
            let mut from = Vec::new();
            loop {
                let is_first = from.is_empty();
                let arguments = step(&order, from, targets.clone())?;
                let mut answer = shard.end(&arguments).await?.into_iter();
                let sessions;
                (from, sessions) = stepped(&mut answer)?;
                if is_first && sessions.is_empty() {
                    ended.extend(shard.ended_before(&[&order]).await?.into_iter().flatten());
                }
                ended.extend(sessions);
                if from.is_empty() {
                    break;
                }
            }
        }
        Ok(ended)
    }

    /// Executes orders where all there is lies in one shard: in one step, each credited with what
    /// those before it have left. None of them is for a whole platform.
    async fn end_together(
        &self,
        orders: &[&EndOrder],
    ) -> Result<Vec<Vec<EndedSession>>, LinkError> {
        let mut arguments = Vec::with_capacity(orders.len() * 8);
        let targets = try_join_all(orders.iter().map(|order| self.narrowed(order))).await?;
        for (order, targets) in orders.iter().zip(targets) {
            arguments.extend(step(
                order,
                Vec::new(),
                targets.iter().map(named).collect(),
            )?);
        }
        let mut answers = self.shard(0).end(&arguments).await?.into_iter();
        let mut ended = Vec::with_capacity(orders.len());
        for _ in orders {
            ended.push(stepped(&mut answers)?.1);
        }
        if answers.len() > 0 {
            return Err(LinkError::Shape);
        }
        let nothing: Vec<usize> = (0..ended.len())
            .filter(|at| ended[*at].is_empty())
            .collect();
        let asked: Vec<&EndOrder> = nothing.iter().map(|at| orders[*at]).collect();
        let before = self.shard(0).ended_before(&asked).await?;
        for (at, before) in nothing.into_iter().zip(before) {
            ended[at] = before;
        }
        Ok(ended)
    }

    /// The targets of an order as the script takes them. A credential ends its own session there;
    /// for a wider reach its session is read first.
    async fn narrowed<'a>(&self, order: &'a EndOrder) -> Result<Cow<'a, [EndTarget]>, LinkError> {
        let wide = |target: &'a EndTarget| match target {
            EndTarget::Credential(by) if by.reach > Reach::Session => Some(by),
            _ => None,
        };
        if order.targets.iter().all(|target| wide(target).is_none()) {
            return Ok(Cow::Borrowed(&order.targets));
        }
        let mut targets = Vec::new();
        for target in &order.targets {
            match wide(target) {
                Some(by) => targets.extend(by.resolved(&self.find(&by.digest, order.at).await?)),
                None => targets.push(target.clone()),
            }
        }
        Ok(Cow::Owned(targets))
    }

    /// The shards where a target may be.
    async fn shards_of(&self, target: &EndTarget) -> Result<Vec<u16>, LinkError> {
        let by_id = async |id: &SessionId| {
            let shard = self.of_id(*id).await?;
            // Without its shard key, which may have been lost when a server failed, it may be
            // anywhere.
            Ok(shard.map_or_else(|| self.all(), |shard| vec![shard]))
        };
        match target {
            EndTarget::Credential(by) => {
                Ok(self.of_credential(&by.digest).await?.into_iter().collect())
            }
            EndTarget::Expired(id) | EndTarget::Session(id) => by_id(id).await,
            EndTarget::Person(person) => Ok(vec![self.of_person(person)]),
            EndTarget::Platform(_) => Ok(self.all()),
            EndTarget::SignOn(id) => self.hinted(&self.sign_on_hint(id)).await,
            EndTarget::Subject(platform, subject) => {
                self.hinted(&self.subject_hint(platform, subject)).await
            }
        }
    }
}

impl Shard<'_> {
    async fn end(&self, arguments: &[Vec<u8>]) -> Result<Vec<Value>, LinkError> {
        for _ in 0..ATTEMPTS {
            let mut answer = array(self.write(&script::END, arguments).await?)?;
            if !matches!(answer.first(), Some(Value::Int(_))) {
                return Ok(answer);
            }
            self.write_anew(answer.split_off(1)).await?;
        }
        Err(LinkError::Silence)
    }

    /// What orders have ended that end nothing now: an order may come again whose answer got lost.
    /// One of another instant is another hub's by the same token, which has its receipt's id.
    async fn ended_before(
        &self,
        orders: &[&EndOrder],
    ) -> Result<Vec<Vec<EndedSession>>, LinkError> {
        let name = |order: &&EndOrder| [b"r:", order.receipt.as_bytes().as_slice()].concat();
        let receipts = self.records(orders.iter().map(name)).await?;
        let read = |(order, receipt): (&&EndOrder, Option<Vec<u8>>)| match receipt {
            Some(bytes) => {
                let receipt = record::read_receipt(order.receipt, &bytes)?;
                if receipt.at == order.at {
                    Ok(receipt.sessions)
                } else {
                    Ok(Vec::new())
                }
            }
            None => Ok(Vec::new()),
        };
        orders.iter().zip(receipts).map(read).collect()
    }
}

/// A target as the script takes it.
fn named(target: &EndTarget) -> Vec<u8> {
    match target {
        EndTarget::Credential(by) => [b"C", record::by_credential(by).as_slice()].concat(),
        EndTarget::Expired(id) => [b"E", id.as_bytes().as_slice()].concat(),
        EndTarget::Person(person) => [b"P", person.as_str().as_bytes()].concat(),
        EndTarget::Platform(platform) => [b"F", platform.as_str().as_bytes()].concat(),
        EndTarget::Session(id) => [b"S", id.as_bytes().as_slice()].concat(),
        EndTarget::SignOn(id) => [b"O", id.as_bytes().as_slice()].concat(),
        EndTarget::Subject(platform, subject) => {
            [b"U", record::subject_key(platform, subject).as_slice()].concat()
        }
    }
}

/// One step of an order, as the script takes it.
fn step(order: &EndOrder, from: Vec<u8>, targets: Vec<Vec<u8>>) -> Result<Vec<Vec<u8>>, LinkError> {
    let mut arguments = vec![
        millis(order.at),
        order.receipt.as_bytes().to_vec(),
        record::receipt_head(order)?,
        record::delivery_head(order.at),
        from,
        WALK_STEP.to_string().into_bytes(),
        targets.len().to_string().into_bytes(),
    ];
    arguments.extend(targets);
    Ok(arguments)
}

/// Where the walk goes on after a step, or nothing, and what the step has ended.
fn stepped(
    answers: &mut impl Iterator<Item = Value>,
) -> Result<(Vec<u8>, Vec<EndedSession>), LinkError> {
    let mut next = || bytes(answers.next().ok_or(LinkError::Shape)?);
    let (from, entries) = (next()?, next()?);
    Ok((from, record::read_entries(&entries)?))
}
