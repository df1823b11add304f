//! Leaves an upstream alone that does not answer: a state machine over instants that are handed in.

use std::time::Duration;

use tokio::time::Instant;

use crate::schedule::Backoff;

/// How far an upstream is trusted to answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BreakerState {
    /// It answers.
    Closed,
    /// Its pause is over; one delivery is let through to see.
    HalfOpen,
    /// It does not answer; nothing is sent.
    Open,
}

impl BreakerState {
    /// Its word, as interfaces show it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::HalfOpen => "half-open",
            Self::Open => "open",
        }
    }
}

/// What may be sent just now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Admission {
    /// As much as there is.
    All,
    /// Nothing before this instant, or before what is under way has come to something.
    Nothing {
        /// When to ask again, where that is known.
        until: Option<Instant>,
    },
    /// One, as a trial.
    One,
}

/// Opens after consecutive faults, lets one delivery through after a pause, and closes when that is
/// answered.
///
/// Guarantees: while it is open, nothing is admitted; half open, one at a time; pauses grow from
/// one failed trial to the next and are capped.
#[derive(Debug)]
pub struct Breaker {
    opens_after: u32,
    pauses: Backoff,
    state: State,
}

#[derive(Debug)]
enum State {
    Closed { faults: u32 },
    Open { until: Instant, failed_trials: u32 },
    Trial { failed_trials: u32 },
}

impl Breaker {
    /// A closed one that opens after `opens_after` faults in a row, at least one.
    pub fn new(opens_after: u32, pauses: Backoff) -> Self {
        Self {
            opens_after: opens_after.max(1),
            pauses,
            state: State::Closed { faults: 0 },
        }
    }

    /// What may be sent at `now`.
    pub fn admits(&self, now: Instant) -> Admission {
        match self.state {
            State::Closed { .. } => Admission::All,
            State::Open { until, .. } if until <= now => Admission::One,
            State::Open { until, .. } => Admission::Nothing { until: Some(until) },
            State::Trial { .. } => Admission::Nothing { until: None },
        }
    }

    /// The one that [`Admission::One`] admits is under way.
    pub fn trial_begins(&mut self) {
        if let State::Open { failed_trials, .. } = self.state {
            self.state = State::Trial { failed_trials };
        }
    }

    /// The trial came to nothing before anything was sent: there may be another one at once.
    pub fn trial_is_off(&mut self, now: Instant) {
        if let State::Trial { failed_trials } = self.state {
            self.state = State::Open {
                until: now,
                failed_trials,
            };
        }
    }

    /// The upstream answered, whatever it said. Says whether that closed the breaker.
    pub fn answered(&mut self) -> bool {
        let closes = !matches!(self.state, State::Closed { .. });
        self.state = State::Closed { faults: 0 };
        closes
    }

    /// It did not answer, or as a server that is out of order; with `random` in `0.0..1.0`. Says
    /// whether this opened a breaker that was closed, and for how long.
    pub fn failed(&mut self, now: Instant, random: f64) -> Option<Duration> {
        match &mut self.state {
            State::Closed { faults } => {
                *faults += 1;
                if *faults < self.opens_after {
                    return None;
                }
                let pause = self.pauses.pause(0, random);
                self.state = State::Open {
                    until: now + pause,
                    failed_trials: 0,
                };
                Some(pause)
            }
            // What was under way when it opened says nothing new.
            State::Open { .. } => None,
            State::Trial { failed_trials } => {
                let failed_trials = failed_trials.saturating_add(1);
                self.state = State::Open {
                    until: now + self.pauses.pause(failed_trials, random),
                    failed_trials,
                };
                None
            }
        }
    }

    /// Its state at `now`.
    pub fn state(&self, now: Instant) -> BreakerState {
        match self.state {
            State::Closed { .. } => BreakerState::Closed,
            State::Open { until, .. } if until > now => BreakerState::Open,
            State::Open { .. } | State::Trial { .. } => BreakerState::HalfOpen,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn breaker() -> Breaker {
        Breaker::new(
            3,
            Backoff {
                first: 2 * SECOND,
                cap: 5 * SECOND,
            },
        )
    }

    fn opened(now: Instant) -> Breaker {
        let mut breaker = breaker();
        for _ in 0..3 {
            breaker.failed(now, 1.0);
        }
        breaker
    }

    #[test]
    fn it_opens_after_consecutive_faults_only() {
        let now = Instant::now();
        let mut breaker = breaker();
        for _ in 0..5 {
            assert_eq!(
                (breaker.failed(now, 1.0), breaker.failed(now, 1.0)),
                (None, None)
            );
            breaker.answered();
        }
        assert_eq!(
            (breaker.failed(now, 1.0), breaker.failed(now, 1.0)),
            (None, None)
        );
        assert_eq!(breaker.admits(now), Admission::All);
        assert_eq!(breaker.failed(now, 1.0), Some(2 * SECOND));
        assert_eq!(
            breaker.admits(now),
            Admission::Nothing {
                until: Some(now + 2 * SECOND)
            }
        );
        assert_eq!(breaker.state(now), BreakerState::Open);
    }

    #[test]
    fn faults_of_what_was_under_way_do_not_lengthen_its_pause() {
        let now = Instant::now();
        let mut breaker = opened(now);
        assert_eq!(breaker.failed(now + SECOND, 1.0), None);
        assert_eq!(
            breaker.admits(now + SECOND),
            Admission::Nothing {
                until: Some(now + 2 * SECOND)
            }
        );
    }

    #[test]
    fn after_its_pause_one_is_let_through_and_its_answer_closes_it() {
        let now = Instant::now();
        let mut breaker = opened(now);
        let later = now + 2 * SECOND;
        assert_eq!(
            (breaker.admits(later), breaker.state(later)),
            (Admission::One, BreakerState::HalfOpen)
        );
        breaker.trial_begins();
        assert_eq!(
            (breaker.admits(later), breaker.state(later)),
            (Admission::Nothing { until: None }, BreakerState::HalfOpen)
        );
        assert!(breaker.answered() && !breaker.answered());
        assert_eq!(
            (breaker.admits(later), breaker.state(later)),
            (Admission::All, BreakerState::Closed)
        );
    }

    #[test]
    fn a_trial_that_was_never_sent_makes_room_for_another() {
        let now = Instant::now();
        let mut breaker = opened(now);
        let later = now + 2 * SECOND;
        breaker.trial_begins();
        breaker.trial_is_off(later);
        assert_eq!(breaker.admits(later), Admission::One);
        breaker.answered();
        breaker.trial_is_off(later);
        assert_eq!(breaker.admits(later), Admission::All);
    }

    #[test]
    fn each_failed_trial_makes_the_pause_longer_up_to_its_cap() {
        let mut now = Instant::now();
        let mut breaker = opened(now);
        for pause in [2, 4, 5, 5] {
            assert_eq!(
                breaker.admits(now),
                Admission::Nothing {
                    until: Some(now + pause * SECOND)
                }
            );
            now += pause * SECOND;
            breaker.trial_begins();
            breaker.failed(now, 1.0);
        }
    }

    #[test]
    fn a_breaker_that_has_closed_begins_with_short_pauses_again() {
        let now = Instant::now();
        let mut breaker = opened(now);
        breaker.trial_begins();
        breaker.failed(now, 1.0);
        breaker.answered();
        breaker.failed(now, 1.0);
        breaker.failed(now, 1.0);
        assert_eq!(breaker.failed(now, 0.0), Some(SECOND));
    }
}
