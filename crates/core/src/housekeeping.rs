//! Ends expired sessions, by the same path as every sign-out, and lets the store forget what is
//! over.

use std::time::Duration;

use crate::authority::Services;
use crate::receipt::{Reach, Reason};
use crate::store::{EndTarget, StoreUnavailable};
use crate::time::Timestamp;

/// Walks through the store in steps. One per hub is enough; several on one store do no harm.
#[derive(Debug)]
pub struct Housekeeping {
    services: Services,
    receipts_kept: Duration,
    step: usize,
    cursor: Option<Vec<u8>>,
}

/// What one step did.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Step {
    /// Sessions that were ended because they had expired; they share one receipt.
    pub ended: usize,
    /// Whether the walk has come to the end of the store and starts over.
    pub finished: bool,
}

impl Housekeeping {
    /// Housekeeping in steps of at most `step` records; receipts are kept for `receipts_kept`.
    pub fn new(services: Services, receipts_kept: Duration, step: usize) -> Self {
        Self {
            services,
            receipts_kept,
            step,
            cursor: None,
        }
    }

    /// One step. Sessions that were used since they were found are left alone.
    ///
    /// # Errors
    /// The store did not answer; the next call tries the same step again.
    pub async fn step(&mut self) -> Result<Step, StoreUnavailable> {
        let now = self.services.clock.now();
        let kept = u64::try_from(self.receipts_kept.as_millis()).unwrap_or(u64::MAX);
        let receipts_until = Timestamp::from_millis(now.as_millis().saturating_sub(kept));
        let swept = self
            .services
            .store
            .sweep(self.cursor.clone(), self.step, now, receipts_until)
            .await?;
        let ended = if swept.expired.is_empty() {
            0
        } else {
            let targets = swept.expired.into_iter().map(EndTarget::Expired).collect();
            self.services
                .end(Reason::Expiry, Reach::Session, targets)
                .await?
                .1
                .len()
        };
        self.cursor = swept.next;
        Ok(Step {
            ended,
            finished: self.cursor.is_none(),
        })
    }
}
