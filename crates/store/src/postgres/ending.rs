//! Sign-outs: those that wait at the same time become one statement.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use logout_core::platform::PlatformName;
use logout_core::receipt::{EndedSession, ReceiptId};
use logout_core::store::{EndOrder, EndTarget, StoreUnavailable};
use tokio::sync::oneshot::Sender;
use uuid::Uuid;

use super::batch::Carry;
use super::link::{Failure, Link, Params, params};
use super::row;
use super::touches::Touches;

/// What an order for a whole platform may take: it reads every session there is.
const LONG: Duration = Duration::from_secs(120);

const END: &str =
    "SELECT * FROM logout_end_1($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)";

/// An order that waits.
pub(super) struct End {
    pub(super) order: EndOrder,
    pub(super) reply: Sender<Vec<EndedSession>>,
}

/// Carries out orders.
pub(super) struct Endings {
    pub(super) link: Arc<Link>,
    pub(super) touches: Arc<Touches>,
}

impl Carry<End> for Endings {
    async fn carry(&self, jobs: Vec<End>) -> Result<(), StoreUnavailable> {
        // Who was seen before the order was given has not expired by it.
        self.touches.flush(&self.link).await;
        let (long, mut short): (Vec<_>, Vec<_>) = jobs.into_iter().partition(|job| is_long(&job.order));
        if !short.is_empty() {
            match self.end(None, &short).await {
                Ok(ended) => answer(short.drain(..), ended),
                // One of them is to blame, a receipt's id that is in use, say; the others must not suffer.
                Err(Failure::Refused) if short.len() > 1 => {
                    for job in short.drain(..) {
                        self.end_alone(None, job).await?;
                    }
                }
                Err(Failure::Refused) => {}
                Err(Failure::Unknown) => return Err(StoreUnavailable),
            }
        }
        for job in long {
            self.end_alone(Some(LONG), job).await?;
        }
        Ok(())
    }
}

type Ended = HashMap<ReceiptId, Vec<EndedSession>>;

impl Endings {
    /// An error means that the store is of no use to others either.
    async fn end_alone(&self, patience: Option<Duration>, job: End) -> Result<(), StoreUnavailable> {
        match self.end(patience, std::slice::from_ref(&job)).await {
            Ok(ended) => answer([job], ended),
            Err(Failure::Refused) => {}
            Err(Failure::Unknown) => return Err(StoreUnavailable),
        }
        Ok(())
    }

    async fn end(&self, patience: Option<Duration>, jobs: &[End]) -> Result<Ended, Failure> {
        let rows = self.link.rows_within(patience, END, &Orders::of(jobs).into_params()).await?;
        rows.iter().map(row::ended).collect()
    }
}

fn is_long(order: &EndOrder) -> bool {
    order.targets.iter().any(|target| matches!(target, EndTarget::Platform(_)))
}

/// A caller who has gone away is no fault: what was asked is done.
fn answer(jobs: impl IntoIterator<Item = End>, mut ended: Ended) {
    for job in jobs {
        let _ = job.reply.send(ended.remove(&job.order.receipt).unwrap_or_default());
    }
}

/// The parameters of the statement, list by list. The lists of one kind of target are as long as each other.
#[derive(Default)]
struct Orders {
    receipts: Vec<Uuid>,
    ats: Vec<i64>,
    reasons: Vec<&'static str>,
    platforms: Vec<Option<String>>,
    reaches: Vec<&'static str>,
    one: (Vec<i32>, Vec<Uuid>),
    expired: (Vec<i32>, Vec<Uuid>),
    sign_on: (Vec<i32>, Vec<Uuid>),
    person: (Vec<i32>, Vec<i64>, Vec<String>),
    subject: (Vec<i32>, Vec<i64>),
    subject_is: (Vec<String>, Vec<String>, Vec<String>),
    platform: (Vec<i32>, Vec<String>),
}

impl Orders {
    fn of(jobs: &[End]) -> Self {
        let mut orders = Self::default();
        for (number, job) in (1..).zip(jobs) {
            let order = &job.order;
            orders.receipts.push(row::uuid(order.receipt.as_bytes()));
            orders.ats.push(row::millis(order.at));
            orders.reasons.push(order.reason.as_str());
            orders.platforms.push(order.platform.as_ref().map(PlatformName::as_str).map(row::text));
            orders.reaches.push(order.reach.as_str());
            for target in &order.targets {
                orders.aim(number, target);
            }
        }
        orders
    }

    fn aim(&mut self, number: i32, target: &EndTarget) {
        match target {
            EndTarget::Expired(id) => {
                self.expired.0.push(number);
                self.expired.1.push(row::uuid(id.as_bytes()));
            }
            EndTarget::Person(person) => {
                self.person.0.push(number);
                self.person.1.push(row::person_key(person));
                self.person.2.push(row::text(person.as_str()));
            }
            EndTarget::Platform(platform) => {
                self.platform.0.push(number);
                self.platform.1.push(row::text(platform.as_str()));
            }
            EndTarget::Session(id) => {
                self.one.0.push(number);
                self.one.1.push(row::uuid(id.as_bytes()));
            }
            EndTarget::SignOn(id) => {
                self.sign_on.0.push(number);
                self.sign_on.1.push(row::uuid(id.as_bytes()));
            }
            EndTarget::Subject(platform, subject) => {
                self.subject.0.push(number);
                self.subject.1.push(row::subject_key(subject));
                self.subject_is.0.push(row::text(platform.as_str()));
                self.subject_is.1.push(row::text(&subject.realm));
                self.subject_is.2.push(row::text(&subject.name));
            }
        }
    }

    fn into_params(self) -> Params {
        params![
            self.receipts,
            self.ats,
            self.reasons,
            self.platforms,
            self.reaches,
            self.one.0,
            self.one.1,
            self.expired.0,
            self.expired.1,
            self.sign_on.0,
            self.sign_on.1,
            self.person.0,
            self.person.1,
            self.person.2,
            self.subject.0,
            self.subject.1,
            self.subject_is.0,
            self.subject_is.1,
            self.subject_is.2,
            self.platform.0,
            self.platform.1,
        ]
    }
}
