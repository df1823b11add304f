//! LemonLDAP::NG, a real OpenID provider, in processes of its own, and a browser at its pages.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{KeyPair, PKCS_RSA_SHA256, RsaKeySize};
use serde_json::{Value, json};
use tempfile::TempDir;
use url::Url;

use crate::http::{Answer, Request, percent_encode};
use crate::oidc_provider::{Client, SECRET};
use crate::process::{self, Running};
use crate::visitor::{Visitor, attribute};

/// How long it may take to start, or to say what it lacks.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// The program that serves it, of Plack.
const SERVER: &str = "plackup";
/// What it serves.
const APP: &str = "use Lemonldap::NG::Portal::Main; Lemonldap::NG::Portal::Main->run({});";
/// Succeeds where all that it needs here is installed, in a version that sends logout tokens.
const CHECK: &str = "use Lemonldap::NG::Portal::Issuer::OpenIDConnect; \
                     use Lemonldap::NG::Portal::Password::Null; \
                     Lemonldap::NG::Portal::Issuer::OpenIDConnect->can('BACKCHANNEL_EVENTSKEY') \
                     or die \"this version of LemonLDAP::NG sends no logout tokens\\n\"";

/// The provider, with its demonstration accounts: `dwho`, `rtyler`, `msmith`. It is killed when
/// this goes out of scope.
#[derive(Debug)]
pub struct Lemonldap {
    portal: SocketAddr,
    /// A second process on the same files: each serves one request at a time, and the hub fetches
    /// the keys while the portal waits for the hub's answer to a logout token.
    keys: SocketAddr,
    folder: TempDir,
    running: Vec<Running>,
}

impl Lemonldap {
    /// One that has addresses, but does not run yet.
    ///
    /// # Panics
    /// When there is no folder for its files.
    pub fn prepare() -> Self {
        Self {
            portal: process::free_address(),
            keys: process::free_address(),
            folder: tempfile::tempdir().unwrap(),
            running: Vec::new(),
        }
    }

    /// Its issuer, as it calls itself by default: the address of its portal.
    pub fn issuer(&self) -> String {
        format!("http://{}/", self.portal)
    }

    /// Its `jwks_uri`.
    pub fn jwks_uri(&self) -> String {
        format!("http://{}/oauth2/jwks", self.keys)
    }

    /// Its `end_session_endpoint`.
    pub fn end_session_endpoint(&self) -> String {
        format!("{}oauth2/logout", self.issuer())
    }

    /// Starts it with this client.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start(&mut self, client: &Client) {
        let folder = self.folder.path();
        for name in ["conf", "sessions/lock", "psessions/lock", "cache"] {
            fs::create_dir_all(folder.join(name)).unwrap();
        }
        let settings = settings(folder, &self.issuer(), client);
        fs::write(folder.join("conf/lmConf-1.json"), settings.to_string()).unwrap();
        fs::write(folder.join("lemonldap-ng.ini"), ini(folder)).unwrap();
        for address in [self.portal, self.keys] {
            self.running.push(serve(folder, address));
        }
        let begun = Instant::now();
        for address in [self.portal, self.keys] {
            let keys = Request::get("/oauth2/jwks");
            let status = loop {
                match keys.try_send(address) {
                    Ok(answer) => break answer.status,
                    Err(error) => assert!(begun.elapsed() < PATIENCE, "{error}"),
                }
                thread::sleep(LOOK);
            };
            let log = fs::read_to_string(log(folder, address)).unwrap_or_default();
            assert_eq!(status, 200, "it cannot use its configuration:\n{log}");
        }
    }

    /// Logs `name` in for a client, and gives the ID token that the client gets.
    ///
    /// # Panics
    /// When it does not let the person in.
    pub fn log_in(&self, visitor: &mut Visitor, client: &Client, name: &str) -> String {
        let target = format!(
            "/oauth2/authorize?client_id={}&response_type=code&scope=openid&redirect_uri={}",
            client.id,
            percent_encode(&client.redirect_uri)
        );
        let page = visitor.send(self.portal, Request::get(&target));
        let fields = ["url", "token"].map(|field| {
            let value = attribute(&page, &format!("name=\"{field}\" value=\""));
            (field, value)
        });
        let mut form: Vec<_> = fields
            .iter()
            .map(|(field, value)| (*field, value.as_str()))
            .collect();
        form.extend([("user", name), ("password", name)]);
        let answer = visitor.send(self.portal, Request::post(&target).form(&form));
        let location = answer.header("location");
        let location = location.unwrap_or_else(|| panic!("{} {}", answer.status, answer.text()));
        let location = Url::parse(location).unwrap();
        let code = location.query_pairs().find(|(name, _)| name == "code");
        let code = code.unwrap_or_else(|| panic!("no code in {location}")).1;
        let form = [
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", &client.redirect_uri),
        ];
        let basic = STANDARD.encode(format!("{}:{SECRET}", client.id));
        let answer = Request::post("/oauth2/token")
            .header("Authorization", &format!("Basic {basic}"))
            .form(&form)
            .send(self.portal);
        let token = answer.json()["id_token"].as_str().map(str::to_owned);
        token.expect("an ID token")
    }

    /// Signs out at the portal.
    ///
    /// # Panics
    /// When it does not answer.
    pub fn sign_out(&self, visitor: &mut Visitor) -> Answer {
        visitor.send(self.portal, Request::get("/?logout=1"))
    }

    /// Goes to this address of the provider.
    ///
    /// # Panics
    /// When the address is not the provider's.
    pub fn visit(&self, visitor: &mut Visitor, address: &str) -> Answer {
        let target = address.strip_prefix(&format!("http://{}", self.portal));
        let target = target.expect("an address of the provider");
        visitor.send(self.portal, Request::get(target))
    }

    /// How the client has answered the logout tokens so far: `true` for a success.
    ///
    /// # Panics
    /// When its log cannot be read.
    pub fn told(&self) -> Vec<bool> {
        let log = fs::read_to_string(log(self.folder.path(), self.portal)).unwrap();
        let lines = log
            .lines()
            .filter(|line| line.contains("OIDC back channel"));
        lines.map(|line| !line.contains("unable")).collect()
    }
}

/// Why it cannot run here; `None` when it can.
pub(crate) fn missing() -> Option<String> {
    let mut perl = Command::new("perl");
    let reason = match process::run(perl.args(["-e", CHECK]), b"", PATIENCE) {
        Ok(ended) if ended.status.success() => return None,
        Ok(ended) => ended.stderr,
        Err(reason) => reason,
    };
    let reason = reason.lines().next().unwrap_or_default();
    Some(format!("LemonLDAP::NG cannot be used: {reason}"))
}

fn log(folder: &Path, address: SocketAddr) -> PathBuf {
    folder.join(format!("log-{}", address.port()))
}

fn serve(folder: &Path, address: SocketAddr) -> Running {
    let log = fs::File::create(log(folder, address)).unwrap();
    let mut command = Command::new(SERVER);
    command
        .args(["-s", "HTTP::Server::PSGI", "-E", "deployment"])
        .args(["--host", "127.0.0.1", "--port", &address.port().to_string()])
        .args(["-e", APP])
        .current_dir(folder)
        .env("LLNG_DEFAULTCONFFILE", folder.join("lemonldap-ng.ini"))
        .env_remove("http_proxy")
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log);
    Running(command.spawn().unwrap())
}

/// The file that says where everything else is.
fn ini(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        "[all]\nlogLevel = info\nlogger = Lemonldap::NG::Common::Logger::Std\n\
         userLogger = Lemonldap::NG::Common::Logger::Std\n\
         [configuration]\ntype = File\ndirName = {folder}/conf\nlocalStorage = Cache::FileCache\n\
         localStorageOptions = {{ 'namespace' => 'configuration', 'cache_root' => '{folder}/cache' }}\n\
         [portal]\ntemplateDir = /usr/share/lemonldap-ng/portal/templates\nstaticPrefix = /static\n"
    )
}

fn settings(folder: &Path, portal: &str, client: &Client) -> Value {
    let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
    let files = |name: &str| {
        let directory = folder.join(name);
        json!({ "Directory": directory, "LockDirectory": directory.join("lock") })
    };
    let cache = json!({ "namespace": "sessions", "cache_root": folder.join("cache") });
    let relying_party = json!({
        "oidcRPMetaDataOptionsClientID": client.id,
        "oidcRPMetaDataOptionsClientSecret": SECRET,
        "oidcRPMetaDataOptionsRedirectUris": client.redirect_uri,
        "oidcRPMetaDataOptionsPostLogoutRedirectUris": client.post_logout_redirect_uris.join(" "),
        "oidcRPMetaDataOptionsBypassConsent": 1,
        "oidcRPMetaDataOptionsLogoutBypassConfirm": 1,
        "oidcRPMetaDataOptionsLogoutUrl": client.backchannel_logout_uri,
        "oidcRPMetaDataOptionsLogoutType": "back",
        "oidcRPMetaDataOptionsLogoutSessionRequired": u8::from(client.with_sid),
        "oidcRPMetaDataOptionsIDTokenSignAlg": "RS256",
        "oidcRPMetaDataOptionsAccessTokenSignAlg": "RS256",
    });
    json!({
        // It takes a configuration without a date for none.
        "cfgNum": 1,
        "cfgDate": 1,
        "portal": portal,
        "domain": "127.0.0.1",
        "cookieName": "lemonldap",
        "securedCookie": 0,
        "key": "for tests only",
        "authentication": "Demo",
        "userDB": "Same",
        "passwordDB": "Null",
        "registerDB": "Null",
        // What they draw pictures with is not installed.
        "captcha_mail_enabled": 0,
        "captcha_register_enabled": 0,
        "globalStorage": "Apache::Session::File",
        "globalStorageOptions": files("sessions"),
        "persistentStorage": "Apache::Session::File",
        "persistentStorageOptions": files("psessions"),
        "localSessionStorage": "Cache::FileCache",
        "localSessionStorageOptions": cache,
        "demoExportedVars": { "uid": "uid", "mail": "mail" },
        "whatToTrace": "uid",
        "locationRules": { "default": { "default": "accept" } },
        "issuerDBOpenIDConnectActivation": 1,
        "oidcServiceAllowAuthorizationCodeFlow": 1,
        "oidcServicePrivateKeySig": key.serialize_pem(),
        "oidcServicePublicKeySig": key.public_key_pem(),
        "oidcServiceKeyIdSig": "first",
        "oidcRPMetaDataExportedVars": { &client.id: { "email": "mail" } },
        "oidcRPMetaDataOptions": { &client.id: relying_party },
    })
}
