//! One attempt to tell an upstream, from the lease to what is to be written of it.

use std::time::Duration;

use logout_core::credential::Sealed;
use logout_core::delivery::{
    AttemptAnswer, AttemptRecord, Leased, Outcome, Settlement, Verification,
};
use logout_core::relayed_cookie::removals_of_sign_out;
use logout_core::upstream::{
    Addressee, Confirmation, UpstreamAnswer, UpstreamError, UpstreamRequest, UpstreamSession,
};
use tokio::time::{Instant, sleep, timeout};

use crate::metrics;
use crate::schedule::retry_after;
use crate::worker::{Shared, UpstreamWorker};

/// What an upstream that confirms says to the browser.
#[derive(Default)]
pub(crate) struct Reply {
    pub(crate) redirect: Option<String>,
    pub(crate) removals: Vec<String>,
}

/// A delivery that was leased for an attempt.
pub(crate) struct Attempt {
    pub(crate) leased: Leased,
    /// Afterwards another relay may lease it.
    pub(crate) lease_ends: Instant,
}

/// An attempt that is over, and what is to be written of it.
pub(crate) struct Completed {
    pub(crate) attempt: Attempt,
    pub(crate) settlement: Settlement,
    pub(crate) reply: Reply,
}

impl Attempt {
    /// Ends the lease and counts no attempt, so that another relay need not wait for the end of
    /// the lease. The store is asked once, since the worker may be about to end.
    pub(crate) fn given_back(self) -> Completed {
        let due = self.leased.delivery.due;
        let settlement = Settlement {
            attempt: None,
            outcome: Outcome::Again { due },
        };
        let attempt = Self {
            lease_ends: Instant::now(),
            ..self
        };
        attempt.completed(settlement, Reply::default())
    }

    fn completed(self, settlement: Settlement, reply: Reply) -> Completed {
        Completed {
            attempt: self,
            settlement,
            reply,
        }
    }
}

/// Carries a delivery. One that is still under way when the relay has been given its time to stop
/// is given back.
pub(crate) async fn run(worker: &UpstreamWorker, shared: &Shared, attempt: Attempt) -> Completed {
    let mut stop = shared.stop.subscribe();
    let time_is_up = async {
        // An error would mean that nothing can stop the relay any more; `shared` can.
        let _ = stop.wait_for(|stop| *stop).await;
        sleep(shared.settings.stop_within).await;
    };
    let (settlement, reply) = tokio::select! {
        settled = carry(worker, shared, &attempt) => settled,
        // Whether the upstream was told is not known, so no attempt is counted.
        () = time_is_up => return attempt.given_back(),
    };
    attempt.completed(settlement, reply)
}

/// Tells the upstream and reads its answer.
async fn carry(worker: &UpstreamWorker, shared: &Shared, attempt: &Attempt) -> (Settlement, Reply) {
    let delivery = &attempt.leased.delivery;
    let at = shared.clock.now();
    let Some(to) = addressee(worker, shared, attempt) else {
        worker.gate().breaker.trial_is_off(Instant::now());
        metrics::tried(&worker.platform, "unsealable");
        log::error!(platform = worker.platform.as_str(), session:% = delivery.session; "what is sealed cannot be opened");
        let settlement = Settlement {
            attempt: Some(AttemptRecord {
                at,
                answer: AttemptAnswer::Unsealable,
            }),
            outcome: Outcome::GivenUp,
        };
        return (settlement, Reply::default());
    };
    let dialect = &*worker.recipient.dialect;
    let sent = call(worker, dialect.sign_out(&to), shared.settings.call_timeout).await;
    let confirmation = sent.as_ref().map(|answer| dialect.confirm(answer));
    let answer = match &sent {
        Ok(answer) => AttemptAnswer::Status(answer.status),
        Err(fault) => AttemptAnswer::Error(*fault),
    };
    let removals = || {
        sent.as_ref()
            .map(|answer| removals_of_sign_out(dialect, answer, at))
            .unwrap_or_default()
    };
    let is_final = confirmation == Ok(Confirmation::Rejected);
    let (word, reply) = match confirmation {
        Ok(Confirmation::Confirmed { redirect }) => (
            "confirmed",
            Some(Reply {
                redirect,
                removals: removals(),
            }),
        ),
        Ok(Confirmation::NotSignedIn) => (
            "not-signed-in",
            Some(Reply {
                redirect: None,
                removals: removals(),
            }),
        ),
        Ok(Confirmation::Refused) => ("refused", None),
        Ok(Confirmation::Rejected) => ("rejected", None),
        Err(_) => ("no-answer", None),
    };
    metrics::tried(&worker.platform, word);
    log::debug!(platform = worker.platform.as_str(), session:% = delivery.session, outcome = word, answer:? = answer; "an upstream was told");
    let outcome = if reply.is_some() {
        note_answer(worker);
        let verified = if shared.settings.verify {
            Some(verify(worker, shared, attempt, &to).await)
        } else {
            None
        };
        Outcome::Confirmed { verified }
    } else {
        let asked = note_refusal(worker, shared, &sent);
        if is_final {
            Outcome::GivenUp
        } else {
            next(shared, attempt, asked)
        }
    };
    let settlement = Settlement {
        attempt: Some(AttemptRecord { at, answer }),
        outcome,
    };
    (settlement, reply.unwrap_or_default())
}

/// Sends one request, within `limit` whatever the client allows: leases rely on it.
pub(crate) async fn call(
    worker: &UpstreamWorker,
    request: UpstreamRequest,
    limit: Duration,
) -> Result<UpstreamAnswer, UpstreamError> {
    timeout(limit, worker.recipient.client.send(request))
        .await
        .unwrap_or(Err(UpstreamError::Timeout))
}

/// The session that the delivery is about; `None` where what is sealed cannot be opened and the
/// upstream cannot be told without it.
fn addressee(worker: &UpstreamWorker, shared: &Shared, attempt: &Attempt) -> Option<Addressee> {
    let delivery = &attempt.leased.delivery;
    let subject = (!delivery.subject.is_unknown()).then(|| delivery.subject.clone());
    let plain = match &delivery.sealed {
        Some(sealed @ Sealed::Bytes(_)) => shared.seal.open(delivery.session, sealed).ok(),
        Some(Sealed::Nothing) | None => None,
    };
    let session = match plain {
        Some(plain) => UpstreamSession::from_bytes(&plain),
        // The operator's own credential does without the session's.
        None if subject.is_some() && worker.recipient.dialect.signs_out_by_name() => {
            UpstreamSession::default()
        }
        None => return None,
    };
    Some(Addressee {
        delivery: Some(delivery.session),
        subject,
        session,
    })
}

/// Presents the old credential to the vendor's probe, once.
async fn verify(
    worker: &UpstreamWorker,
    shared: &Shared,
    attempt: &Attempt,
    to: &Addressee,
) -> Verification {
    let dialect = &*worker.recipient.dialect;
    let Some(probe) = dialect.probe(to) else {
        return Verification::Unknown;
    };
    let alive = call(worker, probe, shared.settings.call_timeout)
        .await
        .ok()
        .and_then(|answer| dialect.alive(&answer));
    match alive {
        Some(false) => Verification::Dead,
        Some(true) => {
            metrics::outlived(&worker.platform);
            let delivery = &attempt.leased.delivery;
            log::error!(platform = worker.platform.as_str(), session:% = delivery.session, receipt:% = delivery.receipt;
                "the upstream confirmed the sign-out, and the session still lives there");
            Verification::Outlived
        }
        None => Verification::Unknown,
    }
}

fn note_answer(worker: &UpstreamWorker) {
    if worker.gate().breaker.answered() {
        metrics::breaker(&worker.platform, false);
        log::info!(platform = worker.platform.as_str(); "the upstream answers again");
    }
}

/// Notes what an attempt without confirmation says about the upstream itself. Returns the span for
/// which it asks to be left alone.
fn note_refusal(
    worker: &UpstreamWorker,
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
        let mut gate = worker.gate();
        gate.paused = gate.paused.max(Some(until));
    }
    match sent {
        Ok(answer) if answer.status < 500 => note_answer(worker),
        Ok(_) | Err(_) => {
            let opened = worker
                .gate()
                .breaker
                .failed(Instant::now(), fastrand::f64());
            if let Some(pause) = opened {
                metrics::breaker(&worker.platform, true);
                log::warn!(platform = worker.platform.as_str(), milliseconds = pause.as_millis();
                    "the upstream does not answer and is left alone for a while");
            }
        }
    }
    asked
}

/// What follows from an attempt that was not confirmed.
fn next(shared: &Shared, attempt: &Attempt, asked: Option<Duration>) -> Outcome {
    let (delivery, now) = (&attempt.leased.delivery, shared.clock.now());
    let limit = shared.settings.gives_up_after(delivery.is_unregistered());
    if now.since(delivery.created) >= limit {
        return Outcome::GivenUp;
    }
    let pause = shared
        .settings
        .retry
        .pause(delivery.attempts, fastrand::f64())
        .max(asked.unwrap_or_default());
    // A last attempt is made when the time is up.
    Outcome::Again {
        due: now.plus(pause).min(delivery.created.plus(limit)),
    }
}
