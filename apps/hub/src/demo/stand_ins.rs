//! The products of the demo: each a hub of its own that can be stopped and started while the demo
//! runs.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use logout_core::outbox::Store;
use logout_identity::SystemClock;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::config::Config;
use crate::server::{Hub, Options};
use crate::start_error::StartError;
use crate::stores;

use super::layout::Seat;

/// What a stand-in is to do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Order {
    Start,
    Stop,
}

/// An order for the stand-in at an index, and where to say that it was carried out.
type Slip = (usize, Order, oneshot::Sender<()>);

/// Passes orders on to the stand-ins, from any thread. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Desk(mpsc::Sender<Slip>);

impl Desk {
    /// Carries out an order and returns when it is done: nobody listens there any more, or somebody
    /// does again.
    pub(super) async fn carry_out(&self, index: usize, order: Order) {
        let (done, is_done) = oneshot::channel();
        if self.0.send((index, order, done)).await.is_ok() {
            // The other end goes without an answer only when the demo ends.
            let _ = is_done.await;
        }
    }
}

/// All stand-ins, running.
pub(super) struct StandIns {
    desk: Desk,
    close: oneshot::Sender<()>,
    attendant: JoinHandle<()>,
}

struct StandIn {
    address: SocketAddr,
    config: Config,
    /// Open for as long as the demo runs, so that a stand-in comes back to its own sessions.
    store: Arc<dyn Store>,
    running: Option<Hub>,
}

impl StandIns {
    /// Starts all of them. Call it inside an actix system, which they live in.
    pub(super) async fn start(seats: Vec<Seat>) -> Result<Self, StartError> {
        let mut all = Vec::with_capacity(seats.len());
        for seat in seats {
            let store = stores::open(&seat.config.store)?;
            let mut stand_in = StandIn {
                address: seat.address,
                config: seat.config,
                store,
                running: None,
            };
            stand_in.start(seat.listener).await?;
            all.push(stand_in);
        }
        let ((desk, orders), (close, closed)) = (mpsc::channel(1), oneshot::channel());
        // On this thread and no other: a server ends with the thread it was started on.
        let attendant = tokio::task::spawn_local(attend(all, orders, closed));
        Ok(Self {
            desk: Desk(desk),
            close,
            attendant,
        })
    }

    pub(super) fn desk(&self) -> Desk {
        self.desk.clone()
    }

    pub(super) async fn stop(self) {
        drop(self.close);
        if self.attendant.await.is_err() {
            log::error!("the stand-ins did not stop in good order");
        }
    }
}

async fn attend(
    mut all: Vec<StandIn>,
    mut orders: mpsc::Receiver<Slip>,
    mut closed: oneshot::Receiver<()>,
) {
    loop {
        let (index, order, done) = tokio::select! {
            _ = &mut closed => break,
            slip = orders.recv() => match slip {
                Some(slip) => slip,
                None => break,
            },
        };
        if let Some(stand_in) = all.get_mut(index) {
            match order {
                Order::Start => stand_in.start_again().await,
                Order::Stop => stand_in.stop().await,
            }
        }
        let _ = done.send(());
    }
    let stopped = all.iter_mut().map(StandIn::stop);
    futures_util::future::join_all(stopped).await;
}

impl StandIn {
    async fn start(&mut self, listener: TcpListener) -> Result<(), StartError> {
        let options = Options {
            clock: Arc::new(SystemClock),
            listener: Some(listener),
            names_people: true,
            store: Some(self.store.clone()),
        };
        self.running = Some(Hub::start(self.config.clone(), options).await?);
        Ok(())
    }

    async fn start_again(&mut self) {
        if self.running.is_some() {
            return;
        }
        let bound = TcpListener::bind(self.address).map_err(|problem| StartError::Listen {
            address: self.address,
            problem,
        });
        let started = match bound {
            Ok(listener) => self.start(listener).await,
            Err(fault) => Err(fault),
        };
        if let Err(fault) = started {
            log::error!(fault:%; "a stand-in did not start again");
        }
    }

    async fn stop(&mut self) {
        if let Some(hub) = self.running.take() {
            hub.stop().await;
        }
    }
}
