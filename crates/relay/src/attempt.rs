//! One try to tell an upstream, from the lease to its settlement.

use std::sync::Arc;
use std::time::Duration;

use logout_core::delivery::{
    AttemptAnswer, AttemptRecord, DeliveryState, Leased, Outcome, Settlement, Verification,
};
use logout_core::ports::DeliveryResult;
use logout_core::relayed_cookie::removals_of_sign_out;
use logout_core::time::Timestamp;
use logout_core::upstream::{
    Addressee, Confirmation, UpstreamAnswer, UpstreamError, UpstreamRequest, UpstreamSession,
};
use tokio::time::{Instant, sleep, timeout};

use crate::lane::{Lane, Shared};
use crate::metrics;
use crate::schedule::retry_after;
use crate::strangers::is_stranger;
use crate::waiting::News;

/// What an upstream that confirms says to the browser.
#[derive(Default)]
pub(crate) struct Said {
    landing: Option<String>,
    removals: Vec<String>,
}

/// A delivery that was leased for a try.
pub(crate) struct Try {
    pub(crate) leased: Leased,
    /// Afterwards it may be somebody else's.
    pub(crate) lease_ends: Instant,
}

/// Carries a delivery. One that is still under way when the relay has been given its time to stop
/// is given back, so that whoever else is there need not wait for the end of its lease.
pub(crate) async fn carry_or_give_back(
    lane: Arc<Lane>,
    shared: Arc<Shared>,
    this: Try,
) -> Option<Timestamp> {
    let mut stop = shared.stop.subscribe();
    let time_is_up = async {
        // An error would mean that nobody can say so any more; `shared` can.
        let _ = stop.wait_for(|stop| *stop).await;
        sleep(shared.settings.stop_within).await;
    };
    let due = tokio::select! {
        due = carry(&lane, &shared, &this) => return due,
        () = time_is_up => this.leased.delivery.due,
    };
    // No try is counted: nobody knows what has become of it. One go at the store, since the process
    // is about to end.
    let this = Try {
        lease_ends: Instant::now(),
        ..this
    };
    settle(
        &lane,
        &shared,
        &this,
        Settlement {
            attempt: None,
            outcome: Outcome::Again { due },
        },
        Said::default(),
    )
    .await;
    None
}

/// Tells the upstream, reads its answer and settles. Says when the delivery is to be tried again.
async fn carry(lane: &Lane, shared: &Shared, this: &Try) -> Option<Timestamp> {
    let delivery = &this.leased.delivery;
    let at = shared.clock.now();
    let Some(to) = addressee(lane, shared, this) else {
        lane.gate().breaker.trial_is_off(Instant::now());
        metrics::tried(&lane.platform, "unsealable");
        log::error!(platform = lane.platform.as_str(), session:% = delivery.session; "what is sealed cannot be opened");
        let attempt = Some(AttemptRecord {
            at,
            answer: AttemptAnswer::Unsealable,
        });
        settle(
            lane,
            shared,
            this,
            Settlement {
                attempt,
                outcome: Outcome::GivenUp,
            },
            Said::default(),
        )
        .await;
        return None;
    };
    let provider = &*lane.upstream.provider;
    let sent = call(lane, provider.sign_out(&to), shared.settings.call_timeout).await;
    let confirmation = sent.as_ref().map(|answer| provider.confirm(answer));
    let answer = match &sent {
        Ok(answer) => AttemptAnswer::Status(answer.status),
        Err(fault) => AttemptAnswer::Error(*fault),
    };
    let removals = || {
        sent.as_ref()
            .map(|answer| removals_of_sign_out(provider, answer, at))
            .unwrap_or_default()
    };
    let (word, said) = match confirmation {
        Ok(Confirmation::Confirmed { landing }) => (
            "confirmed",
            Some(Said {
                landing,
                removals: removals(),
            }),
        ),
        Ok(Confirmation::NotSignedIn) => (
            "not-signed-in",
            Some(Said {
                landing: None,
                removals: removals(),
            }),
        ),
        Ok(Confirmation::Refused) => ("refused", None),
        Err(_) => ("no-answer", None),
    };
    metrics::tried(&lane.platform, word);
    log::debug!(platform = lane.platform.as_str(), session:% = delivery.session, outcome = word, answer:? = answer; "an upstream was told");
    let attempt = Some(AttemptRecord { at, answer });
    match said {
        Some(said) => {
            note_answer(lane);
            let verified = if shared.settings.verify {
                Some(verify(lane, shared, this, &to).await)
            } else {
                None
            };
            settle(
                lane,
                shared,
                this,
                Settlement {
                    attempt,
                    outcome: Outcome::Confirmed { verified },
                },
                said,
            )
            .await;
            None
        }
        None => {
            let asked = note_refusal(lane, shared, &sent);
            let outcome = next(shared, this, asked);
            settle(
                lane,
                shared,
                this,
                Settlement { attempt, outcome },
                Said::default(),
            )
            .await;
            match outcome {
                Outcome::Again { due } => Some(due),
                Outcome::Confirmed { .. } | Outcome::GivenUp => None,
            }
        }
    }
}

/// Sends one request, within `limit` whatever the client allows: leases rely on it.
pub(crate) async fn call(
    lane: &Lane,
    request: UpstreamRequest,
    limit: Duration,
) -> Result<UpstreamAnswer, UpstreamError> {
    timeout(limit, lane.upstream.client.send(request))
        .await
        .unwrap_or(Err(UpstreamError::Timeout))
}

/// Whom the delivery is about; `None` where what is sealed cannot be opened and the upstream cannot
/// be told without it.
fn addressee(lane: &Lane, shared: &Shared, this: &Try) -> Option<Addressee> {
    let delivery = &this.leased.delivery;
    let subject = (!is_stranger(&delivery.subject)).then(|| delivery.subject.clone());
    let sealed = delivery
        .sealed
        .as_ref()
        .filter(|sealed| !sealed.as_bytes().is_empty());
    let session = match sealed.and_then(|sealed| shared.seal.open(delivery.session, sealed).ok()) {
        Some(plain) => UpstreamSession::from_bytes(&plain),
        // The operator's own credential does without the session's.
        None if subject.is_some() && lane.upstream.provider.signs_out_by_name() => {
            UpstreamSession::default()
        }
        None => return None,
    };
    Some(Addressee { subject, session })
}

/// Presents the old credential to the vendor's probe, once.
async fn verify(lane: &Lane, shared: &Shared, this: &Try, to: &Addressee) -> Verification {
    let provider = &*lane.upstream.provider;
    let Some(probe) = provider.probe(to) else {
        return Verification::Unknown;
    };
    let alive = call(lane, probe, shared.settings.call_timeout)
        .await
        .ok()
        .and_then(|answer| provider.alive(&answer));
    match alive {
        Some(false) => Verification::Dead,
        Some(true) => {
            metrics::outlived(&lane.platform);
            let delivery = &this.leased.delivery;
            log::error!(platform = lane.platform.as_str(), session:% = delivery.session, receipt:% = delivery.receipt;
                "the upstream confirmed the sign-out, and the session still lives there");
            Verification::Outlived
        }
        None => Verification::Unknown,
    }
}

fn note_answer(lane: &Lane) {
    if lane.gate().breaker.answered() {
        metrics::breaker(&lane.platform, false);
        log::info!(platform = lane.platform.as_str(); "the upstream answers again");
    }
}

/// Notes what a try without confirmation says about the upstream itself. Says how long it asks to
/// be left alone.
fn note_refusal(
    lane: &Lane,
    shared: &Shared,
    sent: &Result<UpstreamAnswer, UpstreamError>,
) -> Option<Duration> {
    let asked = sent
        .as_ref()
        .ok()
        .filter(|answer| matches!(answer.status, 429 | 503))
        .and_then(|answer| {
            retry_after(
                answer.header("retry-after")?,
                shared.clock.now(),
                shared.settings.retry_after_cap,
            )
        });
    if let Some(asked) = asked {
        let until = Instant::now() + asked;
        let mut gate = lane.gate();
        gate.paused = gate.paused.max(Some(until));
    }
    match sent {
        Ok(answer) if answer.status < 500 => note_answer(lane),
        Ok(_) | Err(_) => {
            let opened = lane.gate().breaker.failed(Instant::now(), fastrand::f64());
            if let Some(pause) = opened {
                metrics::breaker(&lane.platform, true);
                log::warn!(platform = lane.platform.as_str(), milliseconds = pause.as_millis();
                    "the upstream does not answer and is left alone for a while");
            }
        }
    }
    asked
}

/// What follows from a try that was not confirmed.
fn next(shared: &Shared, this: &Try, asked: Option<Duration>) -> Outcome {
    let (delivery, now) = (&this.leased.delivery, shared.clock.now());
    let limit = shared
        .settings
        .gives_up_after(is_stranger(&delivery.subject));
    if now.since(delivery.created) >= limit {
        return Outcome::GivenUp;
    }
    let pause = shared
        .settings
        .retry
        .pause(delivery.attempts, fastrand::f64())
        .max(asked.unwrap_or_default());
    // A last try is made when its time is up.
    Outcome::Again {
        due: now.plus(pause).min(delivery.created.plus(limit)),
    }
}

/// Writes down what came of it, as long as the lease lasts, and tells who waits for it.
pub(crate) async fn settle(
    lane: &Lane,
    shared: &Shared,
    this: &Try,
    settlement: Settlement,
    said: Said,
) {
    let (delivery, outcome) = (&this.leased.delivery, settlement.outcome);
    let mut failures = 0;
    let counts = loop {
        match shared
            .outbox
            .settle(delivery.session, this.leased.lease, settlement.clone())
            .await
        {
            Ok(counts) => break counts,
            Err(_) => {
                lane.store_fails();
                let pause = shared.settings.store_retry.pause(failures, fastrand::f64());
                if Instant::now() + pause >= this.lease_ends {
                    // It is carried again once it can be leased.
                    return;
                }
                failures = failures.saturating_add(1);
                sleep(pause).await;
            }
        }
    };
    if failures > 0 {
        lane.store_answers();
    }
    let told = |confirmed| {
        News::Settled(DeliveryResult {
            session: delivery.session,
            confirmed,
            landing: said.landing.clone(),
            removals: said.removals.clone(),
        })
    };
    match outcome {
        // Also where another hub holds the delivery by now: the upstream has said so.
        Outcome::Confirmed { .. } => shared.waiting.tell(delivery.receipt, || told(true)),
        Outcome::GivenUp if counts => shared.waiting.tell(delivery.receipt, || told(false)),
        Outcome::Again { due } if counts => {
            let at = Instant::now() + due.since(shared.clock.now());
            shared
                .waiting
                .tell(delivery.receipt, || News::Postponed(delivery.session, at));
        }
        Outcome::Again { .. } | Outcome::GivenUp => {}
    }
    if !counts {
        log::debug!(platform = lane.platform.as_str(), session:% = delivery.session; "another hub has taken the delivery over");
        return;
    }
    match outcome {
        Outcome::Again { .. } => {}
        Outcome::Confirmed { .. } => {
            metrics::settled(&lane.platform, DeliveryState::Confirmed.as_str());
            metrics::confirmed_after(&lane.platform, shared.clock.now().since(delivery.created));
        }
        Outcome::GivenUp => {
            metrics::settled(&lane.platform, DeliveryState::GivenUp.as_str());
            let attempts = delivery.attempts + u32::from(settlement.attempt.is_some());
            log::error!(platform = lane.platform.as_str(), session:% = delivery.session, receipt:% = delivery.receipt, attempts = attempts;
                "a delivery was given up: the session may still live at the upstream");
        }
    }
    if !matches!(outcome, Outcome::Again { .. }) && is_stranger(&delivery.subject) {
        lane.strangers.left();
    }
    shared.changes.send_modify(|changes| *changes += 1);
}
