//! A real OpenID provider, npm's oidc-provider, in a process of its own, and a visitor of its pages.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::http::{Answer, Request, percent_encode};
use crate::process::Running;
use crate::skip::clients;

/// How long the provider may take to start, or to say what it did.
const PATIENCE: Duration = Duration::from_secs(30);
/// The secret of every client.
const SECRET: &str = "test-only-secret-0123456789abcdef";
/// Where logins lead back to. Nothing has to listen there.
const REDIRECT_URI: &str = "http://127.0.0.1:9/callback";
/// The most redirects and forms between the beginning of a login and its end.
const STEPS: usize = 20;

/// A client of the provider.
#[derive(Clone, Debug)]
pub struct Client {
    /// Its id.
    pub id: String,
    /// Where its logout tokens go.
    pub backchannel_logout_uri: String,
    /// Whether they name the session.
    pub with_sid: bool,
    /// Where browsers may go after a sign-out that it has sent them to.
    pub post_logout_redirect_uris: Vec<String>,
}

/// The provider. It is killed when this goes out of scope.
#[derive(Debug)]
pub struct OidcProvider {
    issuer: String,
    output: mpsc::Receiver<Value>,
    running: Running,
    _input: ChildStdin,
}

impl OidcProvider {
    /// Starts one on a free port.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start(clients: &[Client]) -> Self {
        Self::listen(0, "first", clients)
    }

    /// Ends it, and starts it at the same address with another key and without any session.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn restart(mut self, clients: &[Client]) -> Self {
        let port = self.address().port();
        self.running.0.kill().unwrap();
        self.running.0.wait().unwrap();
        Self::listen(port, "second", clients)
    }

    fn listen(port: u16, kid: &str, registered: &[Client]) -> Self {
        let registered: Vec<Value> = registered
            .iter()
            .map(|client| {
                json!({
                    "id": client.id,
                    "secret": SECRET,
                    "backchannelLogoutUri": client.backchannel_logout_uri,
                    "withSid": client.with_sid,
                    "postLogoutRedirectUris": client.post_logout_redirect_uris,
                })
            })
            .collect();
        let settings =
            json!({ "port": port, "kid": kid, "redirectUri": REDIRECT_URI, "clients": registered });
        let mut command = Command::new("node");
        command
            .current_dir(clients())
            .arg("oidc-provider.mjs")
            .env_remove("NODE_OPTIONS")
            .env_remove("NODE_USE_ENV_PROXY")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut running = Running(command.spawn().unwrap());
        let mut input = running.0.stdin.take().unwrap();
        writeln!(input, "{settings}").unwrap();
        let stdout = BufReader::new(running.0.stdout.take().unwrap());
        let (line, output) = mpsc::channel();
        thread::spawn(move || {
            let told = stdout.lines().map_while(Result::ok);
            let told = told.map_while(|text| serde_json::from_str(&text).ok());
            told.map_while(|told| line.send(told).ok()).for_each(drop);
        });
        let greeting: Value = output.recv_timeout(PATIENCE).expect("it starts");
        Self {
            issuer: greeting["issuer"].as_str().expect("an issuer").to_owned(),
            output,
            running,
            _input: input,
        }
    }

    /// Its issuer, which is its address.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Ends it, and leaves in its place a listener that takes connections and never answers.
    ///
    /// # Panics
    /// When its address cannot be listened on.
    #[must_use]
    pub fn fall_silent(mut self) -> TcpListener {
        self.running.0.kill().unwrap();
        self.running.0.wait().unwrap();
        TcpListener::bind(self.address()).unwrap()
    }

    fn address(&self) -> SocketAddr {
        let address = self.issuer.strip_prefix("http://");
        address
            .and_then(|address| address.parse().ok())
            .expect("an address")
    }

    /// What it says next: that it has `sent` a token, or that a client has `accepted` or `refused`
    /// one.
    ///
    /// # Panics
    /// When it says nothing.
    pub fn says(&self) -> Value {
        self.output.recv_timeout(PATIENCE).expect("another line")
    }

    /// Whether it has said nothing since it was last listened to.
    pub fn is_quiet(&self) -> bool {
        matches!(self.output.try_recv(), Err(mpsc::TryRecvError::Empty))
    }
}

/// The claims of a token that is not verified.
///
/// # Panics
/// When it is none.
pub fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).expect("three parts");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

/// A browser at the provider's pages, without scripts.
#[derive(Debug)]
pub struct Visitor<'p> {
    provider: &'p OidcProvider,
    jar: BTreeMap<String, String>,
}

impl<'p> Visitor<'p> {
    /// One with an empty jar.
    pub fn of(provider: &'p OidcProvider) -> Self {
        Self {
            provider,
            jar: BTreeMap::new(),
        }
    }

    /// Logs in as `name` for a client, or agrees where that is done, and gives the claims of the ID
    /// token that the client gets.
    ///
    /// # Panics
    /// When the provider does not let it.
    pub fn log_in(&mut self, client: &str, name: &str) -> Value {
        claims(&self.log_in_for_token(client, name))
    }

    /// The same, and gives the ID token itself.
    ///
    /// # Panics
    /// When the provider does not let it.
    pub fn log_in_for_token(&mut self, client: &str, name: &str) -> String {
        let mut target = format!(
            "/auth?client_id={client}&response_type=code&scope=openid&redirect_uri={}",
            percent_encode(REDIRECT_URI)
        );
        for _ in 0..STEPS {
            let mut answer = self.send(Request::get(&target));
            if answer.status == 200 {
                let mut fields = vec![("prompt", attribute(&answer, "name=\"prompt\" value=\""))];
                if fields[0].1 == "login" {
                    fields.extend([("login", name.to_owned()), ("password", "x".to_owned())]);
                }
                let fields: Vec<_> = fields
                    .iter()
                    .map(|(name, value)| (*name, value.as_str()))
                    .collect();
                answer = self.send(Request::post(&target).form(&fields));
            }
            let location = answer.header("location");
            let location =
                location.unwrap_or_else(|| panic!("{} {}", answer.status, answer.text()));
            if location.starts_with(REDIRECT_URI) {
                return self.exchange(client, location);
            }
            target = location
                .trim_start_matches(&self.provider.issuer)
                .to_owned();
        }
        panic!("the login has no end: {target}")
    }

    fn exchange(&self, client: &str, location: &str) -> String {
        let location = url::Url::parse(location).unwrap();
        let code = location.query_pairs().find(|(name, _)| name == "code");
        let code = code.unwrap_or_else(|| panic!("no code in {location}")).1;
        let form = [
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", REDIRECT_URI),
        ];
        let basic = STANDARD.encode(format!("{client}:{SECRET}"));
        let answer = Request::post("/token")
            .header("Authorization", &format!("Basic {basic}"))
            .form(&form)
            .send(self.provider.address());
        let token = answer.json()["id_token"].as_str().map(str::to_owned);
        token.expect("an ID token")
    }

    /// Signs out at the provider's page, and confirms it there.
    ///
    /// # Panics
    /// When the provider does not let it.
    pub fn sign_out(&mut self) {
        let end = format!("{}/session/end", self.provider.issuer);
        let location = self.follow(&end).expect("the page");
        assert!(location.ends_with("/session/end/success"), "{location}");
    }

    /// Goes to this address of the provider's page for sign-outs, confirms the sign-out there, and
    /// gives the address that the browser is sent to then.
    ///
    /// # Errors
    /// The answer, where the provider refuses to show the page.
    ///
    /// # Panics
    /// When the address is not the provider's, or the provider redirects nowhere.
    pub fn follow(&mut self, address: &str) -> Result<String, Answer> {
        let target = address.strip_prefix(&self.provider.issuer);
        let page = self.send(Request::get(target.expect("an address of the provider")));
        if page.status != 200 {
            return Err(page);
        }
        let xsrf = attribute(&page, "name=\"xsrf\" value=\"");
        let form = [("xsrf", xsrf.as_str()), ("logout", "yes")];
        let answer = self.send(Request::post("/session/end/confirm").form(&form));
        let location = answer.header("location").map(str::to_owned);
        Ok(location.unwrap_or_else(|| panic!("{} {}", answer.status, answer.text())))
    }

    fn send(&mut self, request: Request) -> Answer {
        let cookies = self
            .jar
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        let cookies: Vec<_> = cookies.collect();
        let answer = request
            .header("Cookie", &cookies.join("; "))
            .send(self.provider.address());
        for cookie in answer.headers_named("set-cookie") {
            let pair = cookie.split(';').next().unwrap_or_default();
            if let Some((name, value)) = pair.split_once('=') {
                self.jar.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }
}

/// What stands in a page between `before` and the next quotation mark.
fn attribute(page: &Answer, before: &str) -> String {
    let text = page.text();
    let rest = text.split(before).nth(1);
    let rest = rest.unwrap_or_else(|| panic!("{} {text}", page.status));
    rest.split('"').next().unwrap_or_default().to_owned()
}
