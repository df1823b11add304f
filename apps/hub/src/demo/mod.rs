//! The `demo` command: a stand-in of every vendor on loopback, each on a port of its own, and the
//! hub in front of them.

mod commands;
mod console;
mod layout;
mod platforms;
mod products;
mod stand_ins;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use logout_identity::SystemClock;
use serde::Serialize;

use crate::cli::DemoArgs;
use crate::config::ConfigErrors;
use crate::exit::failed;
use crate::serve::{Addresses, until_told_to_stop};
use crate::server::{Hub, Options};
use crate::start_error::StartError;

use commands::Places;
use console::Console;
use layout::{Layout, People};
use stand_ins::Supervisor;

/// The demo could not be set up.
#[derive(Debug, thiserror::Error)]
enum DemoError {
    #[error("{0}")]
    Config(#[from] ConfigErrors),
    #[error("the data folder: {0}")]
    Folder(io::Error),
    #[error("a password cannot be hashed")]
    Hashing(#[from] logout_identity::HashingFailed),
    #[error("cannot listen on {0}: {1}; choose another address with --listen")]
    Listen(SocketAddr, io::Error),
    #[error("the demo serves on loopback only, and {0} is not")]
    NotLoopback(SocketAddr),
    #[error("a stand-in cannot listen: {0}")]
    StandIn(io::Error),
}

/// What one start of the demo is made of.
struct Demo {
    layout: Layout,
    data: PathBuf,
    people: People,
}

/// A demo that runs.
struct Running {
    hub: Hub,
    stand_ins: Supervisor,
}

/// The first line of the output.
#[derive(Serialize)]
struct Greeting<'a> {
    #[serde(flatten)]
    addresses: Addresses,
    data: &'a Path,
    passwords: BTreeMap<&'a str, &'a str>,
    stand_ins: BTreeMap<&'a str, &'a str>,
}

/// A stand-in as the output names it.
struct Named {
    vendor: crate::vendors::Vendor,
    name: &'static str,
    url: String,
}

/// Serves the demo until SIGTERM or ctrl-c. Status 0 after that, 1 when it cannot start.
pub fn run(args: &DemoArgs) -> ExitCode {
    let Demo {
        layout,
        data,
        people,
    } = match Demo::prepare(args) {
        Ok(demo) => demo,
        Err(fault) => return failed(1, &fault),
    };
    let named: Vec<Named> = layout
        .stand_ins
        .iter()
        .map(|stand_in| Named {
            vendor: stand_in.vendor,
            name: stand_in.name,
            url: format!("http://{}", stand_in.address),
        })
        .collect();
    let log_format = layout.config.server.log_format;
    until_told_to_stop(
        log_format,
        || Running::start(layout, &people),
        |running| greeting(&running.hub, &named, &data, &people),
        Running::stop,
    )
}

impl Demo {
    fn prepare(args: &DemoArgs) -> Result<Self, DemoError> {
        let address = args
            .listen
            .unwrap_or_else(|| (Ipv4Addr::LOCALHOST, 8080).into());
        let admin = args
            .admin
            .unwrap_or_else(|| (Ipv4Addr::LOCALHOST, 0).into());
        for address in [address, admin] {
            if !address.ip().is_loopback() {
                return Err(DemoError::NotLoopback(address));
            }
        }
        let listener =
            TcpListener::bind(address).map_err(|fault| DemoError::Listen(address, fault))?;
        let address = listener
            .local_addr()
            .map_err(|fault| DemoError::Listen(address, fault))?;
        let data = layout::folder(args.data.as_deref()).map_err(DemoError::Folder)?;
        let people = People::of(&data)?;
        let layout = Layout::new(listener, address, admin, &data, &people)?;
        Ok(Self {
            layout,
            data,
            people,
        })
    }
}

impl Running {
    async fn start(layout: Layout, people: &People) -> Result<Self, StartError> {
        let Layout {
            listener,
            config,
            stand_ins,
        } = layout;
        let products = products::of_stand_ins(&config, &stand_ins)?;
        let stand_ins = Supervisor::start(stand_ins).await?;
        let hub = listener.local_addr().map_err(StartError::Serve)?;
        let console = Console::new(hub, products, stand_ins.handle(), &people.alice.password)?;
        let options = Options {
            clock: Arc::new(SystemClock),
            listener: Some(listener),
            names_people: true,
            store: None,
        };
        let hub = Hub::start_with_index(config, options, console.routes()).await?;
        Ok(Self { hub, stand_ins })
    }

    async fn stop(self) {
        // The hub first, so that it does not take the end of the demo for upstreams that fail.
        self.hub.stop().await;
        self.stand_ins.stop().await;
    }
}

fn greeting(hub: &Hub, named: &[Named], data: &Path, people: &People) -> String {
    let stand_ins = named
        .iter()
        .map(|one| (one.name, one.url.as_str()))
        .collect();
    let (alice, admin) = (
        people.alice.password.as_str(),
        people.admin.password.as_str(),
    );
    let passwords = [("alice", alice), ("admin", admin)].into();
    let first = Greeting {
        addresses: Addresses::of(hub),
        data,
        passwords,
        stand_ins,
    };
    let mut text = serde_json::to_string(&first).unwrap_or_default();
    let (base, admin_base) = (hub.listening(), format!("http://{}", hub.admin_address));
    let _ = write!(
        text,
        "\n\n# Logout Hub at {base}/ in front of {} platforms, each a stand-in on a port of its own; everything kept in {}\n\
         # Accounts: alice (password {alice}), admin (administrator, password {admin})\n\
         # Each sign-out below ends every session that alice has, at all of them; or open {base}/ in a browser.\n",
        named.len(),
        data.display(),
    );
    for one in named {
        let places = Places {
            hub: &base,
            product: &one.url,
            admin: &admin_base,
            data,
        };
        text.push_str(&commands::lines(one.vendor, &places, alice));
    }
    text
}
