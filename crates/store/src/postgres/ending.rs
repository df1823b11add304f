//! Sign-outs that wait at the same time are carried out together.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use logout_core::receipt::{EndedSession, Reach};
use logout_core::store::{ByCredential, EndOrder, EndTarget, StoreUnavailable};
use tokio_postgres::types::ToSql;

use super::failure::Failure;
use super::link::Link;
use super::lookup::LookupBatcher;
use super::row::Fields;
use super::statements;
use super::touches::Touches;
use super::value::{millis, person_key, subject_key, text, uuid};
use super::work::{Locked, Params, Value};
use crate::batch::{self, Carry};
use crate::rules::Conditions;
use crate::wakeup::End;

/// What an order for a whole platform may take: it reads every session there is.
const LONG: Duration = Duration::from_secs(120);

/// Carries out orders.
pub(super) struct EndBatcher {
    link: Arc<Link>,
    lookups: Arc<LookupBatcher>,
    touches: Arc<Touches>,
    end_named: String,
    lock_reached: String,
    end_reached: String,
}

/// How an order is carried out; those of one kind go together.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Kind {
    /// It names its sessions, one by one.
    Named,
    /// It reaches sessions that it does not name.
    Reaching,
    /// It reads every session there is, and goes alone.
    Long,
}

impl Kind {
    fn of(order: &EndOrder) -> Self {
        let kinds = order.targets.iter().map(|target| match target {
            EndTarget::Session(_) | EndTarget::Expired(_) => Self::Named,
            EndTarget::Credential(by) if by.reach == Reach::Session => Self::Named,
            EndTarget::Platform(_) => Self::Long,
            EndTarget::Credential(_)
            | EndTarget::Person(_)
            | EndTarget::SignOn(_)
            | EndTarget::Subject(..) => Self::Reaching,
        });
        kinds.max().unwrap_or(Self::Named)
    }
}

impl Carry<End> for EndBatcher {
    async fn carry(&self, mut jobs: Vec<End>) -> Result<(), StoreUnavailable> {
        // A session that was used before the order was given has not expired by it.
        self.touches.flush(&self.link).await?;
        for kind in [Kind::Named, Kind::Reaching] {
            let together: Vec<End> = jobs
                .extract_if(.., |job| Kind::of(&job.order) == kind)
                .collect();
            if !together.is_empty() {
                self.end_together(kind, together).await?;
            }
        }
        for job in jobs {
            self.end_together(Kind::Long, vec![job]).await?;
        }
        Ok(())
    }
}

impl EndBatcher {
    pub(super) fn new(link: Arc<Link>, lookups: Arc<LookupBatcher>, touches: Arc<Touches>) -> Self {
        Self {
            link,
            lookups,
            touches,
            end_named: statements::end_named(),
            lock_reached: statements::lock_reached(),
            end_reached: statements::end_reached(),
        }
    }

    /// Carries out and answers `jobs`. An error means that the store is of no use to others either.
    async fn end_together(&self, kind: Kind, jobs: Vec<End>) -> Result<(), StoreUnavailable> {
        match self.end(kind, &jobs).await {
            Ok(ended) => answer(jobs, ended),
            // One of them is to blame, by a receipt's id that is in use, say. The others must not
            // suffer.
            Err(Failure::Refused) if jobs.len() > 1 => {
                for job in jobs {
                    Box::pin(self.end_together(kind, vec![job])).await?;
                }
            }
            Err(Failure::Refused) => {}
            Err(Failure::Unknown) => return Err(StoreUnavailable),
        }
        Ok(())
    }

    /// What each of `jobs` has ended, in their order.
    async fn end(&self, kind: Kind, jobs: &[End]) -> Result<Vec<Vec<EndedSession>>, Failure> {
        let orders: Vec<&EndOrder> = jobs.iter().map(|job| &job.order).collect();
        let rows = match kind {
            Kind::Named => {
                let params = Targets::of(orders).named();
                self.link.rows(&self.end_named, &params).await?
            }
            Kind::Reaching | Kind::Long => {
                let orders = self.resolved(&orders).await?;
                let work = Locked {
                    lock: &self.lock_reached,
                    text: &self.end_reached,
                    params: &Targets::of(orders.iter().map(AsRef::as_ref)).reached(),
                    patience: (kind == Kind::Long).then_some(LONG),
                };
                self.link.execute(&work).await?
            }
        };
        let mut ended = vec![Vec::new(); jobs.len()];
        for row in rows.iter().map(Fields) {
            let number = usize::try_from(row.get::<i32>("number")?).ok();
            if let Some(ended) = number.and_then(|number| ended.get_mut(number)) {
                ended.push(row.ended()?);
            }
        }
        Ok(ended)
    }

    /// The orders with the targets in them that their credentials come to: beside others, or where
    /// they reach farther than their session, they are looked up first.
    async fn resolved<'a>(
        &self,
        orders: &[&'a EndOrder],
    ) -> Result<Vec<Cow<'a, EndOrder>>, Failure> {
        let asked: Vec<_> = orders
            .iter()
            .flat_map(|order| credentials(order).map(|by| (by.digest, order.at)))
            .collect();
        let mut lookups = self.lookups.find(&asked).await?.into_iter();
        let resolve = |order: &&'a EndOrder| {
            if credentials(order).next().is_none() {
                return Cow::Borrowed(*order);
            }
            let targets = order.targets.iter().flat_map(|target| match target {
                EndTarget::Credential(by) => lookups
                    .next()
                    .map(|lookup| by.resolved(&lookup))
                    .unwrap_or_default(),
                other => vec![other.clone()],
            });
            Cow::Owned(EndOrder {
                targets: targets.collect(),
                ..(*order).clone()
            })
        };
        Ok(orders.iter().map(resolve).collect())
    }
}

fn credentials(order: &EndOrder) -> impl Iterator<Item = &ByCredential> {
    order.targets.iter().filter_map(|target| match target {
        EndTarget::Credential(by) => Some(by),
        _ => None,
    })
}

fn answer(jobs: Vec<End>, ended: Vec<Vec<EndedSession>>) {
    let callers = jobs.into_iter().map(|job| job.caller);
    batch::answer(callers.zip(ended).collect());
}

/// The targets of orders, each with the number of its order.
struct Targets<'a>(Vec<(i32, &'a EndOrder, &'a EndTarget)>);

impl<'a> Targets<'a> {
    fn of(orders: impl IntoIterator<Item = &'a EndOrder>) -> Self {
        let targets = (0..).zip(orders).flat_map(|(number, order)| {
            let targets = order.targets.iter();
            targets.map(move |target| (number, order, target))
        });
        Self(targets.collect())
    }

    /// A list with a value of each target.
    fn list<T>(&self, value: impl Fn(&'a EndTarget) -> T) -> Value
    where
        Vec<T>: ToSql + Send + Sync + 'static,
    {
        let values = self.0.iter().map(|(_, _, target)| value(target));
        Box::new(values.collect::<Vec<T>>())
    }

    fn order_list<T>(&self, value: impl Fn(i32, &'a EndOrder) -> T) -> Value
    where
        Vec<T>: ToSql + Send + Sync + 'static,
    {
        let values = self
            .0
            .iter()
            .map(|(number, order, _)| value(*number, order));
        Box::new(values.collect::<Vec<T>>())
    }

    /// The lists that both statements begin with.
    fn params(&self) -> Params {
        vec![
            self.order_list(|number, _| number),
            self.order_list(|_, order| uuid(order.receipt.as_bytes())),
            self.order_list(|_, order| millis(order.at)),
            self.order_list(|_, order| order.reason.as_str()),
            self.order_list(|_, order| order.platform.as_ref().map(|name| text(name.as_str()))),
            self.order_list(|_, order| order.reach.as_str()),
            self.order_list(|_, order| order.token.as_ref().map(|token| text(&token.issuer))),
            self.order_list(|_, order| order.token.as_ref().map(|token| text(&token.jti))),
            self.list(|target| match target {
                EndTarget::Credential(_) => Some(false),
                EndTarget::Expired(_) => Some(true),
                _ => None,
            }),
            self.list(|target| match target {
                EndTarget::Expired(id) | EndTarget::Session(id) => Some(uuid(id.as_bytes())),
                _ => None,
            }),
        ]
    }

    fn named(&self) -> Params {
        let by = |target: &'a EndTarget| match target {
            EndTarget::Credential(by) => Some(by),
            _ => None,
        };
        let presented = move |target| by(target).map(Conditions::presented);
        let mut params = self.params();
        params.extend([
            self.list(move |target| by(target).map(|by| by.digest.as_bytes().to_vec())),
            self.list(move |target| presented(target).and_then(|it| it.client.map(text))),
            self.list(move |target| presented(target).and_then(|it| it.csrf.map(<[u8]>::to_vec))),
        ]);
        params
    }

    fn reached(&self) -> Params {
        let person = |target: &'a EndTarget| match target {
            EndTarget::Person(person) => Some(person),
            _ => None,
        };
        let subject = |target: &'a EndTarget| match target {
            EndTarget::Subject(platform, subject) => Some((platform, subject)),
            _ => None,
        };
        let mut params = self.params();
        params.extend([
            self.list(|target| match target {
                EndTarget::SignOn(id) => Some(uuid(id.as_bytes())),
                _ => None,
            }),
            self.list(move |target| person(target).map(person_key)),
            self.list(move |target| person(target).map(|person| text(person.as_str()))),
            self.list(move |target| subject(target).map(|(_, subject)| subject_key(subject))),
            self.list(move |target| subject(target).map(|(name, _)| text(name.as_str()))),
            self.list(move |target| subject(target).map(|(_, subject)| text(&subject.realm))),
            self.list(move |target| subject(target).map(|(_, subject)| text(&subject.name))),
            self.list(|target| match target {
                EndTarget::Platform(platform) => Some(text(platform.as_str())),
                _ => None,
            }),
        ]);
        params
    }
}

#[cfg(test)]
mod tests {
    use logout_core::credential::CredentialDigest;
    use logout_core::platform::PlatformName;
    use logout_core::receipt::{Reason, ReceiptId};
    use logout_core::session::SessionId;
    use logout_core::sign_out::CsrfProof;
    use logout_core::time::Timestamp;

    use super::*;

    #[test]
    fn the_kind_follows_from_what_an_order_names() {
        let by = |reach| {
            EndTarget::Credential(ByCredential {
                digest: CredentialDigest::from_bytes([1; 32]),
                client: None,
                csrf: CsrfProof::NotNeeded,
                reach,
            })
        };
        let session = || EndTarget::Session(SessionId::from_bytes([1; 16]));
        let platform = || EndTarget::Platform(PlatformName::new("cms"));
        for (targets, expected) in [
            (vec![], Kind::Named),
            (vec![by(Reach::Session), session()], Kind::Named),
            (vec![session(), by(Reach::SignOn)], Kind::Reaching),
            (vec![platform(), by(Reach::Person), session()], Kind::Long),
        ] {
            let at = Timestamp::from_millis(1);
            let order = EndOrder {
                receipt: ReceiptId::at(at),
                at,
                reason: Reason::User,
                platform: None,
                reach: Reach::Session,
                targets,
                token: None,
            };
            assert_eq!(Kind::of(&order), expected, "{:?}", order.targets);
        }
    }
}
