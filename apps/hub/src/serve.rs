//! The `serve` command, and how a hub runs until it is told to stop.

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use logout_identity::SystemClock;
use sd_notify::NotifyState;
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::ServeArgs;
use crate::config::LogFormat;
use crate::exit::failed;
use crate::server::{self, Hub, Options};
use crate::start_error::StartError;
use crate::{COMPILED, logging};

/// Serves a configuration until SIGTERM or ctrl-c. Status 0 after that, 2 for a wrong
/// configuration, 1 when it cannot start.
pub fn run(args: &ServeArgs) -> ExitCode {
    let config = match args.load(&COMPILED, server::check) {
        Ok(config) => config,
        Err(errors) => return failed(2, &errors),
    };
    let options = Options {
        clock: Arc::new(SystemClock),
        listener: None,
        names_people: false,
        store: None,
    };
    let log_format = config.server.log_format;
    let start = async || {
        for warning in &config.warnings {
            log::warn!("{warning}");
        }
        Hub::start(config, options).await
    };
    until_told_to_stop(
        log_format,
        start,
        |hub| Addresses::of(hub).line(),
        Hub::stop,
    )
}

/// Where a hub listens, as the first line of its output says it.
#[derive(Serialize)]
pub(crate) struct Addresses {
    listening: String,
    admin: String,
}

impl Addresses {
    pub(crate) fn of(hub: &Hub) -> Self {
        Self {
            listening: hub.listening(),
            admin: format!("http://{}", hub.admin_address),
        }
    }

    /// One JSON object on a line of its own.
    pub(crate) fn line(&self) -> String {
        serde_json::to_string(self).unwrap_or_default() + "\n"
    }
}

/// Starts what is to be served, prints its greeting, and runs it until SIGTERM or ctrl-c; then
/// stops it.
pub(crate) fn until_told_to_stop<S>(
    log_format: LogFormat,
    start: impl AsyncFnOnce() -> Result<S, StartError>,
    greeting: impl FnOnce(&S) -> String,
    stop: impl AsyncFnOnce(S),
) -> ExitCode {
    logging::start(log_format);
    let outcome = actix_web::rt::System::new().block_on(async {
        // Installed before anybody learns that the hub is up, so that no signal finds the default,
        // deadly answer.
        let (mut terminated, mut interrupted) = (
            signal(SignalKind::terminate()).map_err(StartError::Serve)?,
            signal(SignalKind::interrupt()).map_err(StartError::Serve)?,
        );
        let served = start().await?;
        // Nobody may be reading any more; the hub serves all the same.
        let _ = std::io::stdout()
            .write_all(greeting(&served).as_bytes())
            .and_then(|()| std::io::stdout().flush());
        notify_supervisor(NotifyState::Ready);
        tokio::select! {
            _ = terminated.recv() => {}
            _ = interrupted.recv() => {}
        }
        log::info!("stopping: requests in flight are answered first");
        notify_supervisor(NotifyState::Stopping);
        stop(served).await;
        Ok::<_, StartError>(())
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(StartError::Config(errors)) => failed(2, &errors),
        Err(fault) => failed(1, &fault),
    }
}

/// Tells systemd, where it has started the process and asks for that.
fn notify_supervisor(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        log::warn!("the service manager cannot be notified: {error}");
    }
}
