//! A product, a hub and a proxy in front of both, each in the configuration of `examples`.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use logout_tests::http::{Answer, Request};
use logout_tests::process::{Running, free_address};
use logout_tests::server::Server;
use logout_tests::skip::Need;
use serde_json::json;
use tempfile::TempDir;

/// How long a proxy may take to start, or the hub to come back.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often that is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// A page of the product that the examples leave open to everybody.
pub(crate) const PUBLIC: &str = "/wps/portal";

/// A reverse proxy with an example.
#[derive(Clone, Copy)]
pub(crate) struct Proxy {
    /// Its folder in `examples`.
    pub(crate) name: &'static str,
    pub(crate) need: Need,
    /// The files in that folder.
    pub(crate) files: &'static [&'static str],
    /// The command that runs it in the foreground; the files are in this folder.
    pub(crate) command: fn(&Path) -> Command,
}

/// A running proxy with its hub, in front of a product that a test has started.
pub(crate) struct Scene {
    pub(crate) address: SocketAddr,
    pub(crate) hub: Server,
    folder: TempDir,
    _proxy: Running,
}

impl Scene {
    pub(crate) fn start(proxy: &Proxy, product: SocketAddr) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Servers that start as root go on as another user, who has to read what lies here.
        open_to_all(folder.path());
        let [address, inner] = [free_address(), free_address()];
        let mut filling = vec![
            ("8000", port(address)),
            ("8001", port(inner)),
            ("9080", port(product)),
        ];

        let hub_folder = folder.path().join("hub");
        fs::create_dir(&hub_folder).unwrap();
        let any_port = [("8080", "0".to_owned()), ("8081", "0".to_owned())];
        let with_any_port: Vec<_> = filling.iter().cloned().chain(any_port).collect();
        fs::write(
            hub_folder.join("hub.toml"),
            filled(&example("hub.toml"), &with_any_port),
        )
        .unwrap();
        let hub = Server::serve(&hub_folder);

        filling.push(("8080", port(hub.address())));
        filling.push(("8081", port(hub.admin_address())));
        filling.push((
            "CHECK_TOKEN",
            fs::read_to_string(hub_folder.join("check.token"))
                .unwrap()
                .trim()
                .to_owned(),
        ));
        filling.push(("/etc/logout-hub", folder.path().display().to_string()));
        for file in proxy.files {
            fs::write(
                folder.path().join(file),
                filled(&example(&format!("{}/{file}", proxy.name)), &filling),
            )
            .unwrap();
        }
        let log = folder.path().join("proxy.log");
        let output = fs::File::create(&log).unwrap();
        let mut command = (proxy.command)(folder.path());
        command
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output);
        let running = Running(
            command
                .spawn()
                .unwrap_or_else(|fault| panic!("{command:?}: {fault}")),
        );

        let scene = Self {
            address,
            hub,
            folder,
            _proxy: running,
        };
        let written = || fs::read_to_string(&log).unwrap_or_default();
        wait_until(written, || {
            Request::get(PUBLIC)
                .try_send(address)
                .is_ok_and(|answer| answer.status == 200)
        });
        scene
    }

    /// What the proxy knows and no client does.
    pub(crate) fn check_token(&self) -> String {
        fs::read_to_string(self.folder.path().join("hub/check.token"))
            .unwrap()
            .trim()
            .to_owned()
    }

    /// Registers a session whose cookie has this value.
    pub(crate) fn register(&self, cookie: &str) {
        let body = json!({ "platform": "portal", "subject": "alice", "cookies": { "LtpaToken2": cookie } });
        let token = fs::read_to_string(self.folder.path().join("hub/admin.token")).unwrap();
        let request = Request::post("/api/sessions")
            .json(&body)
            .header("Authorization", &format!("Bearer {}", token.trim()));
        let answer = request.send(self.hub.admin_address());
        assert_eq!(answer.status, 201, "{}", answer.text());
    }

    /// Signs out by the product's own call, through the proxy.
    pub(crate) fn sign_out(&self, cookie: &str) {
        let out = Request::post("/dx/api/core/v1/auth/logout")
            .header("Cookie", &format!("LtpaToken2={cookie}"));
        let answer = out.send(self.address);
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(
            answer.header("logout-receipt").is_some(),
            "the hub answers, not the product"
        );
    }

    /// Asks the proxy for `target` with this cookie.
    pub(crate) fn get(&self, target: &str, cookie: &str) -> Answer {
        Request::get(target)
            .header("Cookie", &format!("LtpaToken2={cookie}"))
            .send(self.address)
    }
}

/// A file of `examples`.
fn example(path: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../examples")
        .join(path);
    fs::read_to_string(&file).unwrap_or_else(|fault| panic!("{}: {fault}", file.display()))
}

/// The text with every key replaced, in one pass: what was put in is not looked at again.
fn filled(text: &str, filling: &[(&str, String)]) -> String {
    let mut rest = text;
    let mut made = String::new();
    while let Some(next) = rest.chars().next() {
        match filling.iter().find(|(key, _)| rest.starts_with(key)) {
            Some((key, value)) => {
                made += value;
                rest = &rest[key.len()..];
            }
            None => {
                made.push(next);
                rest = &rest[next.len_utf8()..];
            }
        }
    }
    made
}

fn port(address: SocketAddr) -> String {
    address.port().to_string()
}

#[cfg(unix)]
fn open_to_all(folder: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Waits for something that happens in another process. What `log` says is shown when it does not.
pub(crate) fn wait_until(log: impl Fn() -> String, mut happened: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !happened() {
        assert!(
            begun.elapsed() < PATIENCE,
            "it never came to pass:\n{}",
            log()
        );
        std::thread::sleep(LOOK);
    }
}
