//! One upstream to be told that a session is over: a row of the outbox.

use serde::{Deserialize, Serialize};

use crate::credential::Sealed;
use crate::platform_name::PlatformName;
use crate::receipt::ReceiptId;
use crate::session::{Session, SessionId, Subject};
use crate::time::Timestamp;
use crate::upstream::UpstreamError;

/// How many attempts a delivery remembers; of more, the first and the latest ones.
const REMEMBERED: usize = 10;

/// How far a delivery has come.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeliveryState {
    /// The upstream said that the session is over.
    Confirmed,
    /// Nobody tries any more; somebody has to look.
    GivenUp,
    /// Still to be told.
    Pending,
}

impl DeliveryState {
    const ALL: [Self; 3] = [Self::Confirmed, Self::GivenUp, Self::Pending];

    /// Its word, as stores keep it and interfaces show it. Never changes for a given state.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::GivenUp => "given-up",
            Self::Pending => "pending",
        }
    }

    /// The state of this word; `None` for anything else.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

/// What the vendor's probe said of the old credential after a confirmation.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verification {
    /// It opens nothing any more.
    Dead,
    /// The sign-out was confirmed, and the credential still works.
    Outlived,
    /// The probe brought no clear answer, or there is none for this credential.
    Unknown,
}

impl Verification {
    const ALL: [Self; 3] = [Self::Dead, Self::Outlived, Self::Unknown];

    /// Its word, as stores keep it and interfaces show it. Never changes for a given result.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dead => "dead",
            Self::Outlived => "outlived",
            Self::Unknown => "unknown",
        }
    }

    /// The result of this word; `None` for anything else.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|result| result.as_str() == word)
    }
}

/// One try to tell an upstream.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct AttemptRecord {
    /// When it began.
    pub at: Timestamp,
    /// What came back.
    pub answer: AttemptAnswer,
}

/// What came of an attempt.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum AttemptAnswer {
    /// There was no answer.
    Error(UpstreamError),
    /// An answer with this status.
    Status(u16),
    /// Nothing could be sent: what was sealed cannot be opened with the keys there are.
    Unsealable,
}

/// One upstream to be told that one session is over. It has the session's name, since a session
/// ends once.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Delivery {
    /// The session that has ended.
    pub session: SessionId,
    /// The platform whose upstream is told.
    pub platform: PlatformName,
    /// Whose session it was; without a name where the hub never saw the login.
    pub subject: Subject,
    /// The sign-out it belongs to.
    pub receipt: ReceiptId,
    /// What the upstream knows the session by. Erased when the delivery is confirmed, or once that
    /// has expired by itself.
    pub sealed: Option<Sealed>,
    /// When what is sealed expires by itself.
    pub expires: Timestamp,
    /// When the session ended.
    pub created: Timestamp,
    /// When it is to be tried next.
    pub due: Timestamp,
    /// How far it has come.
    pub state: DeliveryState,
    /// How often it was tried.
    pub attempts: u32,
    /// The first and the latest attempts.
    pub history: Vec<AttemptRecord>,
    /// What the probe said after the confirmation, where one was asked.
    pub verified: Option<Verification>,
}

impl Delivery {
    /// The delivery that ending `session` calls for; `None` where it has no upstream.
    pub fn of(session: &Session, receipt: ReceiptId, at: Timestamp) -> Option<Self> {
        let sealed = session.sealed.clone()?;
        Some(Self {
            session: session.id,
            platform: session.platform.clone(),
            subject: session.subject.clone(),
            receipt,
            sealed: Some(sealed),
            expires: session.expires,
            created: at,
            due: at,
            state: DeliveryState::Pending,
            attempts: 0,
            history: Vec::new(),
            verified: None,
        })
    }

    /// Whether the hub never saw the login of its session.
    pub fn is_unregistered(&self) -> bool {
        self.subject.is_unknown()
    }

    /// Notes what a try brought. The same in every store.
    pub fn settle(&mut self, settlement: &Settlement) {
        if let Some(attempt) = settlement.attempt {
            self.attempts = self.attempts.saturating_add(1);
            if self.history.len() >= REMEMBERED {
                self.history.remove(1);
            }
            self.history.push(attempt);
        }
        match settlement.outcome {
            Outcome::Again { due } => self.due = due,
            Outcome::Confirmed { verified } => {
                self.state = DeliveryState::Confirmed;
                self.verified = verified;
                self.sealed = None;
            }
            Outcome::GivenUp => self.state = DeliveryState::GivenUp,
        }
    }

    /// Makes a given-up delivery, or one that waits, due at `now`. `false`: it is confirmed, or
    /// what it needs is erased.
    pub fn try_again(&mut self, now: Timestamp) -> bool {
        let possible = self.state != DeliveryState::Confirmed && self.sealed.is_some();
        if possible {
            self.state = DeliveryState::Pending;
            // A given-up one would be given up again at once if its age still counted from the
            // sign-out.
            self.created = if self.due < now { now } else { self.created };
            self.due = now;
        }
        possible
    }
}

/// A delivery that was leased: nobody else may try it until the lease is over.
#[derive(Clone, Debug, PartialEq)]
pub struct Leased {
    /// What is to be delivered.
    pub delivery: Delivery,
    /// Which lease it is; a settlement under an older one is not accepted.
    pub lease: u64,
}

/// What a leased delivery has come to.
#[derive(Clone, Debug, PartialEq)]
pub struct Settlement {
    /// The try that was made; absent where none was.
    pub attempt: Option<AttemptRecord>,
    /// What follows.
    pub outcome: Outcome,
}

/// What follows from a try.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// To be tried again.
    Again {
        /// Not before this instant.
        due: Timestamp,
    },
    /// The upstream says that the session is over.
    Confirmed {
        /// What its probe says, where it was asked.
        verified: Option<Verification>,
    },
    /// Not to be tried again.
    GivenUp,
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::session::tests::session;

    fn delivery() -> Delivery {
        let session = Session {
            sealed: Some(Sealed::new(*b"x")),
            ..session("cms", "alice")
        };
        Delivery::of(
            &session,
            ReceiptId::from_bytes([1; 16]),
            Timestamp::from_millis(5),
        )
        .unwrap()
    }

    fn tried(at: u64, outcome: Outcome) -> Settlement {
        Settlement {
            attempt: Some(AttemptRecord {
                at: Timestamp::from_millis(at),
                answer: AttemptAnswer::Status(500),
            }),
            outcome,
        }
    }

    #[test]
    fn a_session_without_upstream_calls_for_no_delivery() {
        assert_eq!(
            Delivery::of(
                &session("cms", "alice"),
                ReceiptId::from_bytes([1; 16]),
                Timestamp::default()
            ),
            None
        );
    }

    #[test]
    fn the_first_and_the_latest_attempts_are_remembered() {
        let mut delivery = delivery();
        for at in 0..25 {
            delivery.settle(&tried(
                at,
                Outcome::Again {
                    due: Timestamp::from_millis(at + 1),
                },
            ));
        }
        assert_eq!(
            (delivery.attempts, delivery.history.len()),
            (25, REMEMBERED)
        );
        assert_eq!(delivery.history[0].at, Timestamp::from_millis(0));
        assert_eq!(delivery.history[9].at, Timestamp::from_millis(24));
        assert_eq!(delivery.due, Timestamp::from_millis(25));
    }

    #[test]
    fn a_confirmation_erases_what_was_sealed_and_giving_up_keeps_it_for_another_try() {
        let mut confirmed = delivery();
        confirmed.settle(&tried(
            1,
            Outcome::Confirmed {
                verified: Some(Verification::Dead),
            },
        ));
        assert!(confirmed.sealed.is_none() && !confirmed.try_again(Timestamp::from_millis(9)));
        let mut given_up = delivery();
        given_up.settle(&tried(1, Outcome::GivenUp));
        let later = Timestamp::default().plus(Duration::from_secs(99));
        assert!(given_up.sealed.is_some() && given_up.try_again(later));
        assert_eq!(
            (given_up.state, given_up.due, given_up.created),
            (DeliveryState::Pending, later, later)
        );
    }

    #[test]
    fn the_words_of_states_and_results_are_those_that_serde_writes_and_are_read_back() {
        for state in DeliveryState::ALL {
            assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
            assert_eq!(DeliveryState::parse(state.as_str()), Some(state));
        }
        for result in Verification::ALL {
            assert_eq!(serde_json::to_value(result).unwrap(), result.as_str());
            assert_eq!(Verification::parse(result.as_str()), Some(result));
        }
    }
}
