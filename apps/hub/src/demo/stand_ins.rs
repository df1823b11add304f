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

use super::layout::StandIn;

/// An action on a stand-in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Action {
    Start,
    Stop,
}

/// An action on the stand-in at an index, and the channel that says that it is done.
struct Command {
    index: usize,
    action: Action,
    done: oneshot::Sender<()>,
}

/// Starts and stops stand-ins from any thread. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct StandIns(mpsc::Sender<Command>);

impl StandIns {
    /// Executes an action and returns when it is done: nothing listens there any more, or the
    /// stand-in does again.
    pub(super) async fn execute(&self, index: usize, action: Action) {
        let (done, is_done) = oneshot::channel();
        let command = Command {
            index,
            action,
            done,
        };
        if self.0.send(command).await.is_ok() {
            // The other end goes without an answer only when the demo ends.
            let _ = is_done.await;
        }
    }
}

/// Runs all stand-ins, on the thread that it was started on.
pub(super) struct Supervisor {
    handle: StandIns,
    close: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

struct Instance {
    address: SocketAddr,
    config: Config,
    /// Open for as long as the demo runs, so that a stand-in comes back to its own sessions.
    store: Arc<dyn Store>,
    running: Option<Hub>,
}

impl Supervisor {
    /// Starts all of them. Call it inside an actix system, which they live in.
    pub(super) async fn start(stand_ins: Vec<StandIn>) -> Result<Self, StartError> {
        let mut instances = Vec::with_capacity(stand_ins.len());
        for stand_in in stand_ins {
            let store = stores::open(&stand_in.config.store)?;
            let mut instance = Instance {
                address: stand_in.address,
                config: stand_in.config,
                store,
                running: None,
            };
            instance.start(stand_in.listener).await?;
            instances.push(instance);
        }
        let ((commands, received), (close, closed)) = (mpsc::channel(1), oneshot::channel());
        // On this thread and no other: a server ends with the thread it was started on.
        let task = tokio::task::spawn_local(supervise(instances, received, closed));
        Ok(Self {
            handle: StandIns(commands),
            close,
            task,
        })
    }

    pub(super) fn handle(&self) -> StandIns {
        self.handle.clone()
    }

    pub(super) async fn stop(self) {
        drop(self.close);
        if self.task.await.is_err() {
            log::error!("the stand-ins did not stop in good order");
        }
    }
}

async fn supervise(
    mut instances: Vec<Instance>,
    mut commands: mpsc::Receiver<Command>,
    mut closed: oneshot::Receiver<()>,
) {
    loop {
        let command = tokio::select! {
            _ = &mut closed => break,
            command = commands.recv() => match command {
                Some(command) => command,
                None => break,
            },
        };
        if let Some(instance) = instances.get_mut(command.index) {
            match command.action {
                Action::Start => instance.start_again().await,
                Action::Stop => instance.stop().await,
            }
        }
        let _ = command.done.send(());
    }
    let stopped = instances.iter_mut().map(Instance::stop);
    futures_util::future::join_all(stopped).await;
}

impl Instance {
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
