//! Sign-outs: those that wait at the same time become one statement.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use logout_core::platform::PlatformName;
use logout_core::receipt::{EndedSession, ReceiptId};
use logout_core::store::{EndOrder, EndTarget, StoreUnavailable};
use uuid::Uuid;

use super::finding::Findings;
use super::link::{Failure, Link, Params, params};
use super::presented::{self, PresentedOrders, Way};
use super::touches::Touches;
use super::{row, statements};
use crate::batch::{self, Carry};
use crate::wakeup::End;

/// What an order for a whole platform may take: it reads every session there is.
const LONG: Duration = Duration::from_secs(120);

const END: &str = "SELECT * FROM logout_end_1($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)";

/// Carries out orders.
pub(super) struct Endings {
    pub(super) findings: Arc<Findings>,
    pub(super) link: Arc<Link>,
    pub(super) touches: Arc<Touches>,
}

/// How an order is carried out; those of one kind go together.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    /// Alone, because it reads every session there is.
    Long,
    /// By `logout_end_1`.
    Named,
    Presented(Way),
}

impl Kind {
    const TOGETHER: [Self; 3] = [
        Self::Presented(Way::Narrow),
        Self::Presented(Way::Wide),
        Self::Named,
    ];

    fn of(order: &EndOrder) -> Self {
        if order
            .targets
            .iter()
            .any(|target| matches!(target, EndTarget::Platform(_)))
        {
            return Self::Long;
        }
        presented::way(order).map_or(Self::Named, Self::Presented)
    }

    fn patience(self) -> Option<Duration> {
        (self == Self::Long).then_some(LONG)
    }
}

impl Carry<End> for Endings {
    async fn carry(&self, mut jobs: Vec<End>) -> Result<(), StoreUnavailable> {
        // Who was seen before the order was given has not expired by it.
        self.touches.flush(&self.link).await?;
        for kind in Kind::TOGETHER {
            let together: Vec<End> = jobs
                .extract_if(.., |job| Kind::of(&job.order) == kind)
                .collect();
            if !together.is_empty() {
                self.end_together(kind, together).await?;
            }
        }
        for job in jobs {
            self.end_alone(Kind::Long, job).await?;
        }
        Ok(())
    }
}

type Ended = HashMap<ReceiptId, Vec<EndedSession>>;

impl Endings {
    async fn end_together(&self, kind: Kind, jobs: Vec<End>) -> Result<(), StoreUnavailable> {
        match self.end(kind, &jobs).await {
            Ok(ended) => answer(jobs, ended),
            // One of them is to blame, a receipt's id that is in use, say; the others must not
            // suffer.
            Err(Failure::Refused) if jobs.len() > 1 => {
                for job in jobs {
                    self.end_alone(kind, job).await?;
                }
            }
            Err(Failure::Refused) => {}
            Err(Failure::Unknown) => return Err(StoreUnavailable),
        }
        Ok(())
    }

    /// An error means that the store is of no use to others either.
    async fn end_alone(&self, kind: Kind, job: End) -> Result<(), StoreUnavailable> {
        match self.end(kind, std::slice::from_ref(&job)).await {
            Ok(ended) => answer([job], ended),
            Err(Failure::Refused) => {}
            Err(Failure::Unknown) => return Err(StoreUnavailable),
        }
        Ok(())
    }

    async fn end(&self, kind: Kind, jobs: &[End]) -> Result<Ended, Failure> {
        if let Kind::Presented(way) = kind {
            let statement = match way {
                Way::Narrow => statements::END_OPENED,
                Way::Wide => statements::END_OPENED_WIDE,
            };
            let params = PresentedOrders::of(jobs.iter().map(|job| &job.order)).into_params(way);
            let mut ended = Ended::new();
            for row in self.link.rows(statement, &params).await? {
                let (receipt, session) = row::ended_one(&row)?;
                ended.entry(receipt).or_default().push(session);
            }
            return Ok(ended);
        }
        let mut orders = Orders::default();
        for job in jobs {
            orders.push(self.named(&job.order).await?.as_ref());
        }
        let rows = self
            .link
            .rows_within(kind.patience(), END, &orders.into_params())
            .await?;
        rows.iter().map(row::ended).collect()
    }

    /// The order with the sessions in it that its credentials open: presented beside others, they
    /// are looked up first.
    async fn named<'a>(&self, order: &'a EndOrder) -> Result<Cow<'a, EndOrder>, Failure> {
        if !order
            .targets
            .iter()
            .any(|target| matches!(target, EndTarget::Credential(_)))
        {
            return Ok(Cow::Borrowed(order));
        }
        let mut named = EndOrder {
            targets: Vec::new(),
            ..order.clone()
        };
        for target in &order.targets {
            match target {
                EndTarget::Credential(by) => named
                    .targets
                    .extend(by.resolved(&self.findings.find(&by.digest, order.at).await?)),
                other => named.targets.push(other.clone()),
            }
        }
        Ok(Cow::Owned(named))
    }
}

fn answer(jobs: impl IntoIterator<Item = End>, mut ended: Ended) {
    let answers = jobs.into_iter().map(|job| {
        (
            job.caller,
            ended.remove(&job.order.receipt).unwrap_or_default(),
        )
    });
    batch::answer(answers.collect());
}

/// The parameters of the statement, list by list. The lists of one kind of target are as long as
/// each other.
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
    fn push(&mut self, order: &EndOrder) {
        self.receipts.push(row::uuid(order.receipt.as_bytes()));
        self.ats.push(row::millis(order.at));
        self.reasons.push(order.reason.as_str());
        self.platforms.push(
            order
                .platform
                .as_ref()
                .map(PlatformName::as_str)
                .map(row::text),
        );
        self.reaches.push(order.reach.as_str());
        // Orders are numbered from 1, and a batch has some hundreds at most.
        let number = i32::try_from(self.receipts.len()).unwrap_or(i32::MAX);
        for target in &order.targets {
            self.aim(number, target);
        }
    }

    fn aim(&mut self, number: i32, target: &EndTarget) {
        match target {
            // Looked up before.
            EndTarget::Credential(_) => {}
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
