//! The `demo` command: one stand-in of every vendor on loopback, two accounts, and commands to try them with.

mod commands;

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use logout_core::credential::Secret;
use logout_identity::SystemClock;
use serde::Serialize;

use crate::cli::DemoArgs;
use crate::config::{Config, ConfigErrors};
use crate::serve::{Addresses, failed, until_told_to_stop};
use crate::server::{Hub, Options};
use crate::{COMPILED, vendors};

/// The demo could not be set up.
#[derive(Debug, thiserror::Error)]
enum DemoFault {
    #[error("{0}")]
    Config(#[from] ConfigErrors),
    #[error("the data folder: {0}")]
    Folder(std::io::Error),
    #[error("a password cannot be hashed")]
    Hashing(#[from] logout_identity::HashingFailed),
    #[error("cannot listen on {0}: {1}; choose another address with --listen")]
    Listen(SocketAddr, std::io::Error),
    #[error("the demo serves on loopback only, and {0} is not")]
    NotLoopback(SocketAddr),
}

/// What one start of the demo is made of.
struct Demo {
    listener: TcpListener,
    config: Config,
    data: PathBuf,
    people: People,
}

/// The passwords of the demo's accounts, fresh at every start.
#[derive(Serialize)]
struct People {
    alice: String,
    admin: String,
}

/// The first line of the output.
#[derive(Serialize)]
struct Greeting<'a> {
    #[serde(flatten)]
    addresses: Addresses,
    data: &'a Path,
    passwords: &'a People,
}

/// Serves the demo until SIGTERM or ctrl-c. Status 0 after that, 1 when it cannot start.
pub fn run(args: &DemoArgs) -> ExitCode {
    match Demo::prepare(args) {
        Ok(Demo { listener, config, data, people }) => {
            let options = Options { clock: Arc::new(SystemClock), listener: Some(listener), names_people: true, store: None };
            until_told_to_stop(config, options, |hub| greeting(hub, &data, &people))
        }
        Err(fault) => failed(1, &fault),
    }
}

impl Demo {
    fn prepare(args: &DemoArgs) -> Result<Self, DemoFault> {
        let address = args.listen.unwrap_or_else(|| (Ipv4Addr::LOCALHOST, 8080).into());
        if !address.ip().is_loopback() {
            return Err(DemoFault::NotLoopback(address));
        }
        // Bound before anything else, because the configuration names the address that came out.
        let listener = TcpListener::bind(address).map_err(|fault| DemoFault::Listen(address, fault))?;
        let address = listener.local_addr().map_err(|fault| DemoFault::Listen(address, fault))?;
        let data = folder(args.data.as_deref()).map_err(DemoFault::Folder)?;
        let people = People { alice: Secret::random().reveal().to_owned(), admin: Secret::random().reveal().to_owned() };
        let text = configuration(address, &people)?;
        let config = Config::parse(&text, &data.join("demo.toml"), Vec::new(), &COMPILED)?;
        Ok(Self { listener, config, data, people })
    }
}

/// The given folder, or a new one among the system's temporary files.
fn folder(given: Option<&Path>) -> std::io::Result<PathBuf> {
    match given {
        Some(folder) => {
            std::fs::create_dir_all(folder)?;
            folder.canonicalize()
        }
        // Kept after the end: whoever looks for it finds its name in the output.
        None => tempfile::Builder::new().prefix("logout-hub-demo-").tempdir().map(tempfile::TempDir::keep),
    }
}

fn configuration(address: SocketAddr, people: &People) -> Result<String, DemoFault> {
    let alice = logout_identity::hash_password(&Secret::new(people.alice.as_str()))?;
    let admin = logout_identity::hash_password(&Secret::new(people.admin.as_str()))?;
    let store = if COMPILED.stores.contains(&"fjall") { "fjall:sessions" } else { "memory:" };
    let mut text = format!(
        r#"
[server]
listen = "{address}"
[admin]
listen = "127.0.0.1:0"
[store]
url = "{store}"
[[account]]
name = "alice"
password_hash = "{alice}"
person = "alice@example.com"
display_name = "Alice Example"
groups = ["editors"]
[[account]]
name = "admin"
password_hash = "{admin}"
person = "admin@example.com"
display_name = "Administrator"
administrator = true
"#
    );
    for vendor in vendors::COMPILED {
        let platform = commands::platform(*vendor, address);
        // Writing to a String does not fail.
        let _ = write!(text, "[[platform]]\n{platform}\n");
    }
    Ok(text)
}

fn greeting(hub: &Hub, data: &Path, people: &People) -> String {
    let first = Greeting { addresses: Addresses::of(hub), data, passwords: people };
    let mut text = serde_json::to_string(&first).unwrap_or_default();
    let base = hub.listening();
    let _ = write!(
        text,
        "\n\n# Logout Hub: stand-ins of {} platforms at {base}/, sessions in {}\n\
         # Accounts: alice (password {}), admin (administrator, password {})\n",
        vendors::COMPILED.len(),
        data.display(),
        people.alice,
        people.admin,
    );
    for vendor in vendors::COMPILED {
        text.push_str(&commands::lines(*vendor, &base, data, &people.alice, &people.admin));
    }
    text
}
