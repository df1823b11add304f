//! A relay on a store in memory, and sessions to end.

use std::sync::Arc;
use std::time::Duration;

use logout_core::credential::{Sealed, Secret};
use logout_core::delivery::{Delivery, DeliveryState};
use logout_core::outbox::{DeliveryFilter, Outbox};
use logout_core::platform::PlatformName;
use logout_core::ports::{Clock, Deliveries, Seal, SealError};
use logout_core::provider::Recipient;
use logout_core::receipt::{EndedSession, Reach, Reason, ReceiptId};
use logout_core::session::{Device, Session, SessionId, Subject};
use logout_core::store::{EndOrder, EndTarget, Join, OpenOutcome, SessionStore};
use logout_core::time::Timestamp;
use logout_core::upstream::{UpstreamClient, UpstreamSession};
use logout_relay::{Backoff, Relay, RelaySettings};
use logout_store::MemoryStore;
use tokio::time::Instant;

use super::dialect::Dialect;
use super::log;

/// Longer than any test that succeeds takes, in settlements: those that fail end.
const MOST_CHANGES: usize = 10_000;

/// The longest pause between two settlements that is waited for. Where time is paused, it passes at
/// once.
const PATIENCE: Duration = Duration::from_secs(10 * 60);

pub(crate) const MINUTE: Duration = Duration::from_secs(60);

/// The time of day as tokio's clock counts it, so that it passes at once where that is paused.
#[derive(Debug)]
pub(crate) struct TokioClock {
    began: Instant,
    at: Timestamp,
}

impl TokioClock {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            began: Instant::now(),
            at: Timestamp::from_millis(1_790_000_000_000),
        })
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        self.at.plus(self.began.elapsed())
    }
}

/// Binds to the session and turns bytes around: enough to see that it was opened, and for whom.
#[derive(Debug)]
pub(crate) struct Turned;

impl Seal for Turned {
    fn seal(&self, session: SessionId, plain: &[u8]) -> Sealed {
        Sealed::new(
            [
                session.as_bytes().as_slice(),
                &plain.iter().rev().copied().collect::<Vec<_>>(),
            ]
            .concat(),
        )
    }

    fn open(&self, session: SessionId, sealed: &Sealed) -> Result<Vec<u8>, SealError> {
        let turned = sealed
            .as_bytes()
            .strip_prefix(session.as_bytes().as_slice())
            .ok_or(SealError)?;
        Ok(turned.iter().rev().copied().collect())
    }
}

/// These settings after `change`.
pub(crate) fn adjusted(
    mut settings: RelaySettings,
    change: impl FnOnce(&mut RelaySettings),
) -> RelaySettings {
    change(&mut settings);
    settings
}

/// Settings for tests that run in real time: short pauses, patient with everything else.
pub(crate) fn brisk() -> RelaySettings {
    adjusted(RelaySettings::default(), |settings| {
        settings.wait = Duration::from_secs(30);
        settings.call_timeout = Duration::from_secs(30);
        settings.verify = false;
        settings.retry = Backoff {
            first: Duration::from_millis(20),
            cap: Duration::from_millis(100),
        };
        settings.breaker_opens_after = 1_000;
        settings.breaker_pause = Backoff {
            first: Duration::from_millis(20),
            cap: Duration::from_millis(100),
        };
        settings.first_sight_rate = 1_000;
    })
}

pub(crate) struct Hub {
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) clock: Arc<TokioClock>,
    pub(crate) relay: Relay,
}

impl Hub {
    pub(crate) fn start(
        settings: RelaySettings,
        upstreams: Vec<(&str, Arc<dyn UpstreamClient>)>,
    ) -> Self {
        Self::on(
            Arc::new(MemoryStore::new()),
            TokioClock::new(),
            settings,
            upstreams,
        )
    }

    pub(crate) fn on(
        store: Arc<MemoryStore>,
        clock: Arc<TokioClock>,
        settings: RelaySettings,
        upstreams: Vec<(&str, Arc<dyn UpstreamClient>)>,
    ) -> Self {
        log::record();
        let relay = Relay::start(
            settings,
            store.clone(),
            clock.clone(),
            Arc::new(Turned),
            of(upstreams),
        );
        Self {
            store,
            clock,
            relay,
        }
    }

    /// Ends `count` sessions of alice at `platform` in one step, and wakes the relay.
    pub(crate) async fn end(&self, platform: &str, count: usize) -> (ReceiptId, Vec<EndedSession>) {
        let receipt = ReceiptId::at(self.clock.now());
        let ended = end(
            &*self.store,
            &*self.clock,
            receipt,
            platform,
            "alice",
            count,
        )
        .await;
        self.relay.wake(&ended);
        (receipt, ended)
    }

    pub(crate) async fn end_one(&self, platform: &str) -> SessionId {
        self.end(platform, 1).await.1[0].id
    }

    pub(crate) async fn delivery(&self, session: SessionId) -> Delivery {
        self.store.delivery(session).await.unwrap().unwrap()
    }

    /// The delivery, once it is settled.
    pub(crate) async fn settled(&self, session: SessionId) -> Delivery {
        self.once(session, |delivery| delivery.state != DeliveryState::Pending)
            .await
    }

    /// The delivery, once it is as wanted.
    pub(crate) async fn once(
        &self,
        session: SessionId,
        requested: impl Fn(&Delivery) -> bool,
    ) -> Delivery {
        let mut changes = self.relay.changes();
        for _ in 0..MOST_CHANGES {
            let delivery = self.delivery(session).await;
            if requested(&delivery) {
                return delivery;
            }
            tokio::time::timeout(PATIENCE, changes.changed())
                .await
                .unwrap()
                .unwrap();
        }
        panic!("{session} never was as requested");
    }
}

/// Upstreams that speak the tests' own dialect.
pub(crate) fn of(
    upstreams: Vec<(&str, Arc<dyn UpstreamClient>)>,
) -> Vec<(PlatformName, Recipient)> {
    let recipient = |client| Recipient {
        dialect: Arc::new(Dialect::default()),
        client,
    };
    upstreams
        .into_iter()
        .map(|(name, client)| (PlatformName::new(name), recipient(client)))
        .collect()
}

/// Ends `count` sessions of `name` at `platform` in one step. Each is known there by the cookie
/// `sid`, whose value is the session's id behind `canary-`.
pub(crate) async fn end(
    store: &dyn SessionStore,
    clock: &dyn Clock,
    receipt: ReceiptId,
    platform: &str,
    name: &str,
    count: usize,
) -> Vec<EndedSession> {
    let mut targets = Vec::new();
    for _ in 0..count {
        let session = session(clock.now(), platform, name);
        targets.push(EndTarget::Session(session.id));
        assert_eq!(
            store
                .open(session, Join::Always, clock.now())
                .await
                .unwrap(),
            OpenOutcome::Opened
        );
    }
    let order = EndOrder {
        receipt,
        at: clock.now(),
        reason: Reason::User,
        platform: None,
        reach: Reach::Session,
        targets,
        token: None,
    };
    store.end(order).await.unwrap()
}

pub(crate) fn session(now: Timestamp, platform: &str, name: &str) -> Session {
    let id = SessionId::at(now);
    let known_by = UpstreamSession {
        cookies: vec![("sid".to_owned(), Secret::new(format!("canary-{id}")))],
        ..UpstreamSession::default()
    };
    Session {
        id,
        platform: PlatformName::new(platform),
        sign_on: None,
        subject: Subject::new("", name),
        person: None,
        account: None,
        client: None,
        administrator: false,
        credentials: Vec::new(),
        csrf: None,
        opened: now,
        seen: now,
        idle_timeout: None,
        expires: now.plus(Duration::from_secs(12 * 60 * 60)),
        device: Device::default(),
        sealed: Some(Turned.seal(id, &known_by.to_bytes())),
        idp: None,
    }
}

/// The deliveries of a platform.
pub(crate) async fn all(hub: &Hub, platform: &str) -> Vec<Delivery> {
    let filter = DeliveryFilter {
        platform: Some(PlatformName::new(platform)),
        state: None,
    };
    hub.store
        .deliveries(&filter, None, 100_000)
        .await
        .unwrap()
        .items
}

/// The deliveries, once none is pending.
pub(crate) async fn all_settled(hub: &Hub, platform: &str) -> Vec<Delivery> {
    let mut changes = hub.relay.changes();
    loop {
        let deliveries = all(hub, platform).await;
        if deliveries
            .iter()
            .all(|delivery| delivery.state != DeliveryState::Pending)
        {
            return deliveries;
        }
        tokio::time::timeout(60 * MINUTE, changes.changed())
            .await
            .unwrap()
            .unwrap();
    }
}

pub(crate) fn confirmed(deliveries: &[Delivery]) -> usize {
    deliveries
        .iter()
        .filter(|delivery| delivery.state == DeliveryState::Confirmed)
        .count()
}
