//! Who is where in the demo, and the configurations that say so.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use crate::vendors::Vendor;
use logout_core::credential::Secret;
use logout_identity::read_secret_file;
use serde::{Deserialize, Serialize};

use crate::config::{Config, ConfigErrors};
use crate::{COMPILED, vendors};

use super::{DemoError, platforms};

/// Remembers the stand-ins' ports, so that the sessions of an earlier start can still be told of.
const PORTS: &str = "ports.json";
/// Remembers the passwords of the accounts.
const PASSWORDS: &str = "passwords.json";

/// The passwords of the demo's accounts: made at the first start on a folder and kept there,
/// because sessions end with the password that they were opened with.
#[derive(Deserialize, Serialize)]
pub(super) struct People {
    pub(super) alice: Person,
    pub(super) admin: Person,
}

/// One of them.
#[derive(Deserialize, Serialize)]
pub(super) struct Person {
    pub(super) password: String,
    password_hash: String,
}

impl People {
    /// Those of an earlier start on this folder, else new ones, which are kept for later starts.
    pub(super) fn of(data: &Path) -> Result<Self, DemoError> {
        let file = data.join(PASSWORDS);
        match read_secret_file(&file) {
            Ok(text) => {
                if let Ok(known) = serde_json::from_slice(&text) {
                    return Ok(known);
                }
            }
            Err(fault) if fault.is_not_found() => {}
            Err(fault) => {
                return Err(DemoError::Folder(io::Error::other(format!(
                    "{}: {fault}",
                    file.display()
                ))));
            }
        }
        let people = Self {
            alice: Person::new()?,
            admin: Person::new()?,
        };
        let text = serde_json::to_string(&people).unwrap_or_default();
        write_for_owner(&file, &text).map_err(DemoError::Folder)?;
        Ok(people)
    }

    /// Their lines in the configuration of a stand-in.
    fn accounts(&self) -> String {
        format!(
            r#"
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
"#,
            alice = self.alice.password_hash,
            admin = self.admin.password_hash,
        )
    }
}

impl Person {
    fn new() -> Result<Self, DemoError> {
        let password = Secret::random();
        Ok(Self {
            password_hash: logout_identity::hash_password(&password)?,
            password: password.reveal().to_owned(),
        })
    }
}

/// Writes a file that nobody else can read.
fn write_for_owner(file: &Path, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(file)?.write_all(text.as_bytes())
}

/// One stand-in: where it listens, and its configuration.
pub(super) struct StandIn {
    pub(super) vendor: Vendor,
    pub(super) name: &'static str,
    pub(super) address: SocketAddr,
    pub(super) listener: TcpListener,
    pub(super) config: Config,
}

/// The hub and everything behind it, with all public sockets bound.
pub(super) struct Layout {
    pub(super) listener: TcpListener,
    pub(super) config: Config,
    pub(super) stand_ins: Vec<StandIn>,
}

impl Layout {
    /// Everything is bound before anything is written down, because the configurations name the
    /// addresses that come out.
    pub(super) fn new(
        listener: TcpListener,
        hub: SocketAddr,
        admin: SocketAddr,
        data: &Path,
        people: &People,
    ) -> Result<Self, DemoError> {
        let remembered = ports(data);
        let (mut places, mut kept) = (Vec::new(), BTreeMap::new());
        for vendor in vendors::COMPILED {
            let name = platforms::name(*vendor);
            let listener = bind(remembered.get(name).copied().unwrap_or_default())
                .map_err(DemoError::StandIn)?;
            let address = listener.local_addr().map_err(DemoError::StandIn)?;
            kept.insert(name, address.port());
            places.push((*vendor, name, address, listener));
        }
        let text = serde_json::to_string(&kept).unwrap_or_default();
        std::fs::write(data.join(PORTS), text).map_err(DemoError::Folder)?;

        let accounts = people.accounts();
        let mut upstreams = Vec::new();
        let mut stand_ins = Vec::new();
        for (vendor, name, address, listener) in places {
            let folder = data.join("stand-ins").join(name);
            std::fs::create_dir_all(&folder).map_err(DemoError::Folder)?;
            let text = stand_in(vendor, hub, address, &accounts);
            let config =
                Config::parse(&text, &folder.join("stand-in.toml"), Vec::new(), &COMPILED)?;
            upstreams.push((vendor, address));
            stand_ins.push(StandIn {
                vendor,
                name,
                address,
                listener,
                config,
            });
        }
        let config = front(hub, admin, &upstreams, data)?;
        Ok(Self {
            listener,
            config,
            stand_ins,
        })
    }
}

/// The ports of an earlier start; nothing where there was none, or what it left cannot be read.
fn ports(data: &Path) -> BTreeMap<String, u16> {
    std::fs::read(data.join(PORTS))
        .ok()
        .and_then(|text| serde_json::from_slice(&text).ok())
        .unwrap_or_default()
}

/// A socket on this port of loopback, or on a free one where somebody else has it by now.
fn bind(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .or_else(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
}

/// The given folder, or a new one among the system's temporary files.
pub(super) fn folder(given: Option<&Path>) -> io::Result<PathBuf> {
    match given {
        Some(folder) => {
            std::fs::create_dir_all(folder)?;
            folder.canonicalize()
        }
        // Kept after the end: whoever looks for it finds its name in the output.
        None => tempfile::Builder::new()
            .prefix("logout-hub-demo-")
            .tempdir()
            .map(tempfile::TempDir::keep),
    }
}

fn store(folder: &str) -> String {
    if COMPILED.stores.contains(&"disk") {
        format!("disk:{folder}")
    } else {
        "memory:".to_owned()
    }
}

/// The product itself, played by a hub with one platform and no upstream.
fn stand_in(vendor: Vendor, hub: SocketAddr, address: SocketAddr, accounts: &str) -> String {
    format!(
        r#"
[server]
listen = "{address}"
workers = 1
shutdown_timeout = "1s"
[admin]
listen = "127.0.0.1:0"
[store]
url = "{store}"
{accounts}
[[platform]]
name = "{name}"
vendor = "{vendor}"
{sub_tables}"#,
        store = store("sessions"),
        name = platforms::name(vendor),
        vendor = vendor.name(),
        sub_tables = platforms::sub_tables(vendor, hub),
    )
}

/// The hub in front of all of them. It tries again soon, so that a stand-in which comes back is
/// seen to be told.
fn front(
    hub: SocketAddr,
    admin: SocketAddr,
    upstreams: &[(Vendor, SocketAddr)],
    data: &Path,
) -> Result<Config, ConfigErrors> {
    let mut text = format!(
        r#"
[server]
listen = "{hub}"
[admin]
listen = "{admin}"
[store]
url = "{store}"
[single_logout]
wait = "1s"
attempt_timeout = "3s"
first_retry = "500ms"
last_retry = "2s"
show_receipt = true
"#,
        store = store("hub"),
    );
    for (vendor, address) in upstreams {
        // Writing to a String does not fail.
        let _ = write!(
            text,
            r#"
[[platform]]
name = "{name}"
vendor = "{vendor}"
upstream = "http://{address}"
reach = "person"
person = {{ from = "subject", lowercase = true, domain = "example.com" }}
{sub_tables}"#,
            name = platforms::name(*vendor),
            vendor = vendor.name(),
            sub_tables = platforms::sub_tables(*vendor, hub),
        );
    }
    Config::parse(&text, &data.join("demo.toml"), Vec::new(), &COMPILED)
}
