//! A hub in this process, with one stand-in, a store on disk and a clock that only the test moves.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::{Arc, OnceLock, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use logout_core::authority::Services;
use logout_core::credential::Secret;
use logout_hub::config::Config;
use logout_hub::{COMPILED, Hub, Options};
use logout_suite::testing::ManualClock;
use tempfile::TempDir;

use crate::stores::StoreKind;

/// How long an address may be in use that was listened on before.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often that is looked at.
const LOOK: Duration = Duration::from_millis(5);

/// The passwords of the accounts that every test hub has; see `tests/contracts/README.md`.
#[derive(Debug)]
pub struct Accounts;

impl Accounts {
    /// Of `alice`, with every character that tends to get lost on the way.
    pub const ALICE: &str = "p&ss+wörd% 1=;\"";
    /// Of `bob`.
    pub const BOB: &str = "bobs-password";
    /// Of `admin`.
    pub const ADMIN: &str = "admins-password";
    /// Of the `alice` in realm `LDAP`.
    pub const LDAP: &str = "another-password";

    /// Their lines in a configuration.
    pub fn toml() -> &'static str {
        static TOML: OnceLock<String> = OnceLock::new();
        TOML.get_or_init(|| {
            let account = |realm: &str, name: &str, password: &str, more: &str| {
                let hash = logout_identity::hash_password(&Secret::new(password)).unwrap();
                format!("[[account]]\nrealm = \"{realm}\"\nname = \"{name}\"\npassword_hash = \"{hash}\"\n{more}\n")
            };
            let details = "person = \"alice@example.com\"\ndisplay_name = \"Alice Example\"\ngroups = [\"editors\"]";
            [
                account("Default", "alice", Self::ALICE, details),
                account("Default", "bob", Self::BOB, "person = \"bob@example.com\""),
                account("LDAP", "alice", Self::LDAP, ""),
                account("Default", "admin", Self::ADMIN, "administrator = true"),
            ]
            .concat()
        })
    }
}

/// What stands in front of the URL of a hub's own store.
const STORE: &str = "[store]\nurl = \"";

/// The table of a stand-in of `vendor`, with these further lines.
pub fn stand_in(vendor: &str, platform: &[String]) -> String {
    format!(
        "[[platform]]\nname = \"{vendor}\"\nvendor = \"{vendor}\"\n{}\n",
        platform.join("\n")
    )
}

/// A hub with one stand-in.
#[derive(Debug)]
pub struct TestHub {
    folder: TempDir,
    clock: Arc<ManualClock>,
    configuration: String,
    running: Option<Running>,
    address: SocketAddr,
    scheme: &'static str,
}

#[derive(Debug)]
struct Running {
    stop: mpsc::Sender<()>,
    thread: JoinHandle<()>,
    services: Services,
    admin_address: SocketAddr,
}

impl TestHub {
    /// A stand-in of `vendor` whose platform table has these further lines.
    ///
    /// # Errors
    /// What keeps it from starting.
    pub fn start(vendor: &str, platform: &[String]) -> Result<Self, String> {
        Self::with_platforms(&stand_in(vendor, platform))
    }

    /// A hub with these platform tables.
    ///
    /// # Errors
    /// What keeps it from starting.
    pub fn with_platforms(tables: &str) -> Result<Self, String> {
        Self::with_server("", tables)
    }

    /// A hub with these platform tables on an empty store of this kind.
    ///
    /// # Errors
    /// What keeps it from starting.
    pub fn on(store: StoreKind, tables: &str) -> Result<Self, String> {
        Self::on_store(&store.empty(), tables)
    }

    /// A hub with these platform tables that speaks TLS, with a certificate from
    /// [`Certificate`](crate::tls::Certificate).
    ///
    /// # Errors
    /// What keeps it from starting.
    pub fn over_tls(certificate: &crate::tls::Certificate, tables: &str) -> Result<Self, String> {
        Self::with_server(&certificate.server_line(), tables)
    }

    /// A hub with these platform tables on a store that others share. The first to start makes what
    /// they have to agree on.
    ///
    /// # Errors
    /// What keeps it from starting.
    pub fn on_store(url: &str, tables: &str) -> Result<Self, String> {
        Self::with_server("", &format!("{STORE}{url}\"\n{tables}"))
    }

    /// The same, believing what every client of this machine says of its own address in
    /// `X-Forwarded-For`.
    ///
    /// # Errors
    /// What keeps it from starting.
    pub fn on_store_behind_proxy(url: &str, tables: &str) -> Result<Self, String> {
        Self::with_server(
            "trusted_proxies = [\"127.0.0.1\"]",
            &format!("{STORE}{url}\"\n{tables}"),
        )
    }

    /// Takes over the key that `other` seals with, and starts anew.
    ///
    /// # Panics
    /// When the key cannot be copied, or the hub does not start.
    pub fn share_seal_of(&mut self, other: &Self) {
        std::fs::copy(
            other.folder().join("seal.key"),
            self.folder().join("seal.key"),
        )
        .expect("the key is copied");
        self.restart().expect("the hub starts again");
    }

    fn with_server(server: &str, tables: &str) -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(|fault| fault.to_string())?;
        let head = "[admin]\nlisten = \"127.0.0.1:0\"\n\
                    [redirects]\nallow = [\"https://www.example.com\", \"https://*.example.org\", \"http://localhost:3000\"]\n";
        let server_table = format!("[server]\nlisten = \"127.0.0.1:0\"\nworkers = 1\n{server}\n");
        let configuration = format!("{server_table}{head}{}{tables}", Accounts::toml());
        let scheme = if server.contains("tls") {
            "https"
        } else {
            "http"
        };
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut hub = Self {
            folder,
            clock: Arc::default(),
            configuration,
            running: None,
            address,
            scheme,
        };
        hub.run()?;
        Ok(hub)
    }

    fn run(&mut self) -> Result<(), String> {
        let file = self.folder.path().join("hub.toml");
        let mut config = Config::parse(&self.configuration, &file, Vec::new(), &COMPILED)
            .map_err(|errors| errors.to_string())?;
        // The second time at the address of the first, because URLs that were handed out go on
        // being used.
        config.server.listen = self.address;
        let listener = (self.address.port() != 0).then(|| listen_again(self.address));
        let clock = self.clock.clone();
        let (started, has_started) = mpsc::channel();
        let (stop, stopped) = mpsc::channel::<()>();
        let thread = thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let options = Options {
                    clock,
                    listener,
                    names_people: false,
                    store: None,
                };
                match Hub::start(config, options).await {
                    Err(fault) => started.send(Err(fault.to_string())).unwrap(),
                    Ok(hub) => {
                        started
                            .send(Ok((hub.address, hub.admin_address, hub.services.clone())))
                            .unwrap();
                        let _ = actix_web::rt::task::spawn_blocking(move || stopped.recv()).await;
                        hub.stop().await;
                    }
                }
            });
        });
        let (address, admin_address, services) =
            has_started.recv().map_err(|fault| fault.to_string())??;
        self.address = address;
        self.running = Some(Running {
            stop,
            thread,
            services,
            admin_address,
        });
        Ok(())
    }

    /// Stops it in good order and starts it again on the same store.
    ///
    /// # Errors
    /// What keeps it from starting.
    pub fn restart(&mut self) -> Result<(), String> {
        self.stop();
        self.run()
    }

    /// Changes a text of its configuration, which counts from the next start on.
    ///
    /// # Panics
    /// When the text is not there.
    pub fn reconfigure(&mut self, from: &str, to: &str) {
        assert!(
            self.configuration.contains(from),
            "the configuration has no {from:?}"
        );
        self.configuration = self.configuration.replace(from, to);
    }

    /// The hash of the password of the account called so.
    pub fn password_hash(&self, name: &str) -> String {
        let named = format!("name = \"{name}\"");
        let account = self
            .configuration()
            .split("[[account]]")
            .find(|account| account.contains(&named))
            .expect("an account");
        account
            .split("password_hash = \"")
            .nth(1)
            .and_then(|rest| rest.split('"').next())
            .expect("a hash")
            .to_owned()
    }

    /// Its configuration.
    pub fn configuration(&self) -> &str {
        &self.configuration
    }

    /// Stops it in good order, as if its machine were down.
    pub fn pause(&mut self) {
        self.stop();
    }

    /// Starts it again after [`TestHub::pause`], at the same address and on the same store.
    ///
    /// # Panics
    /// When it does not start.
    pub fn resume(&mut self) {
        self.run().expect("the hub starts again");
    }

    /// Starts it again after [`TestHub::pause`], with all that it was but on another store.
    ///
    /// # Errors
    /// What keeps it from starting.
    ///
    /// # Panics
    /// When it was not made by [`TestHub::on_store`].
    pub fn resume_on_store(&mut self, url: &str) -> Result<(), String> {
        let (before, rest) = self
            .configuration
            .split_once(STORE)
            .expect("it was made on a store");
        let after = rest.split_once('"').expect("its URL has an end").1;
        self.configuration = format!("{before}{STORE}{url}\"{after}");
        self.run()
    }

    /// Its folder: configuration, tokens, store.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Lets time pass. What requests before it have noted (that a session was used) is written down
    /// first: a store may do that late, but not by the hours that pass here in no time.
    pub fn advance(&self, span: Duration) {
        let health = futures_executor::block_on(self.services().store.health());
        health.expect("the store answers, and whatever was asked of it before is done");
        self.clock.advance(span);
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where its admin listener listens.
    pub fn admin_address(&self) -> SocketAddr {
        self.running.as_ref().expect("the hub runs").admin_address
    }

    /// The admin token.
    pub fn admin_token(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("admin.token"))
            .unwrap()
            .trim()
            .to_owned()
    }

    /// The public URL, without a slash at its end.
    pub fn base(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// What its platforms share: a way to the store behind the server's back.
    pub fn services(&self) -> &Services {
        &self.running.as_ref().expect("the hub runs").services
    }

    fn stop(&mut self) {
        if let Some(Running {
            stop,
            thread,
            services,
            ..
        }) = self.running.take()
        {
            drop(services);
            drop(stop);
            thread.join().expect("the hub stops in good order");
        }
    }
}

/// Listens where somebody did before: a program that was started meanwhile holds on to the old
/// socket until it runs.
fn listen_again(address: SocketAddr) -> TcpListener {
    let begun = Instant::now();
    loop {
        match TcpListener::bind(address) {
            Ok(listener) => return listener,
            Err(fault) => assert!(begun.elapsed() < PATIENCE, "{address}: {fault}"),
        }
        thread::sleep(LOOK);
    }
}

impl Drop for TestHub {
    fn drop(&mut self) {
        if !thread::panicking() {
            self.stop();
        }
    }
}
