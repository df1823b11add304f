//! Sign-outs where everything lies in one bucket: those that wait at the same time are one script,
//! and wait for replicas once.

use std::sync::Arc;

use logout_core::store::{EndOrder, EndTarget, StoreUnavailable};

use super::link::LinkError;
use super::places::Places;
use crate::batch::{self, Carry};
use crate::wakeup::End;

/// Carries out orders.
pub(super) struct Endings {
    pub(super) places: Arc<Places>,
}

impl Carry<End> for Endings {
    async fn carry(&self, jobs: Vec<End>) -> Result<(), StoreUnavailable> {
        let (long, short): (Vec<_>, Vec<_>) = jobs.into_iter().partition(|job| is_long(&job.order));
        if !short.is_empty() {
            let orders: Vec<&EndOrder> = short.iter().map(|job| &job.order).collect();
            let ended = self.places.end_together(&orders).await;
            self.places.link.note(&ended);
            match ended {
                Ok(ended) => {
                    batch::answer(short.into_iter().map(|job| job.caller).zip(ended).collect())
                }
                // The server answers, and one of them is to blame, a damaged record, say. Those
                // before it may have been carried out: given again, they answer what they ended
                // then.
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

impl Endings {
    /// An error means that the store is of no use to others either.
    async fn end_alone(&self, job: End) -> Result<(), StoreUnavailable> {
        let ended = self.places.end(job.order).await;
        self.places.link.note(&ended);
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
