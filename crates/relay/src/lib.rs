//! Carries deliveries to upstreams: what a sign-out ended here is ended there as well, through
//! crashes and dead upstreams.
//!
//! A sign-out ends sessions in one durable step of the store, which also writes one delivery for
//! each session that has an upstream. [`Relay`] leases what is due, opens the seal, sends the
//! vendor's own sign-out by a [`UpstreamClient`](logout_core::upstream::UpstreamClient)
//! ([`HttpClient`] here), lets the adapter read the answer, and settles.
//!
//! # What it guarantees
//! - **At least once.** A delivery is confirmed only when the adapter reads a confirmation out of
//!   status and body; a delivery whose relay dies is carried again when its lease has run out. It
//!   may therefore reach an upstream twice, which answers "not signed in" then, and that counts as
//!   confirmed.
//! - **Settled once.** Of several relays on one outbox, the one with the latest lease settles. A
//!   lease outlasts an attempt, so that one session has one attempt under way.
//! - **Nothing is dropped silently.** What is not confirmed is tried again, with pauses that grow,
//!   until its time is up; then it is given up with an error in the log and a metric. That holds
//!   also while an upstream is left alone.
//! - **An upstream that is down costs the others nothing.** Each has a worker, a limit of attempts
//!   under way and a breaker of its own. While a breaker is open, or an upstream has asked by
//!   `Retry-After` to be left alone, nothing is sent and no attempt is counted.
//! - **A store that does not answer** loses nothing and is not pestered: one line in the log,
//!   growing pauses.
//! - **No wait is in vain.** A sign-out waits for its confirmations no longer than
//!   [`RelaySettings::wait`], not at all for what cannot come in that time, and leaves nothing
//!   behind when its caller goes away.
//! - **Unregistered sessions are bounded.** Sessions that the hub never saw are carried at a
//!   limited rate; only so many may wait in the outbox, for a shorter time; they hold up no
//!   other session.
//! - **No credential** reaches a log line, an error or a metric.
//!
//! # What it does not
//! A sign-out hears only of attempts of its own hub: where another hub on the same store takes the
//! delivery, it waits to its limit and answers "pending". Spans run on tokio's clock; instants that
//! are written down come from the [`Clock`](logout_core::ports::Clock).

mod attempt;
pub mod breaker;
pub mod http_client;
pub mod metrics;
mod relay;
pub mod schedule;
pub mod settings;
mod unregistered_sessions;
mod waiters;
mod worker;

pub use breaker::BreakerState;
pub use http_client::{HttpClient, HttpClientError, HttpClientSettings};
pub use relay::{Relay, UpstreamStatus};
pub use schedule::Backoff;
pub use settings::RelaySettings;
