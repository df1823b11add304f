//! The work beside serving: expiry, rotation of keys, sessions of changed accounts.

use std::sync::Arc;
use std::time::Duration;

use logout_core::authority::Services;
use logout_core::housekeeping::Housekeeping;
use logout_identity::{JwtTokens, ReceiptSigner};

use crate::account_changes::AccountChanges;
use crate::admin;
use crate::idp::Sender;

/// How many records one step of housekeeping looks at.
const SWEEP_STEP: usize = 10_000;

/// Runs until it is dropped, one round each `interval`. A failure of the store is logged once and
/// tried again in the next round.
pub(super) async fn run(
    services: Services,
    sender: Sender,
    mut changes: Option<AccountChanges>,
    tokens: Arc<JwtTokens>,
    signer: Arc<ReceiptSigner>,
    receipts_kept: Duration,
    interval: Duration,
) {
    let mut housekeeping = Housekeeping::new(services.clone(), receipts_kept, SWEEP_STEP);
    let mut failing = false;
    loop {
        if let Some(due) = &changes
            && due.end_sessions().await.is_ok()
        {
            changes = None;
        }
        tokio::time::sleep(interval).await;
        admin::upkeep_metrics();
        let now = services.clock.now();
        let rotated = tokens
            .rotate(&*services.store, now)
            .await
            .and(signer.rotate(&*services.store, now).await);
        let mut step = housekeeping.step().await;
        while matches!(step, Ok(done) if !done.finished) {
            tokio::task::yield_now().await;
            step = housekeeping.step().await;
        }
        let given_up = sender.give_up_overdue().await;
        let fails = step.is_err() || rotated.is_err() || given_up.is_err();
        if fails && !failing {
            log::warn!("housekeeping: the store does not answer");
        }
        failing = fails;
    }
}
