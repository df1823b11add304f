//! A real OpenID provider, npm's oidc-provider, in a process of its own, and a visitor of its
//! pages.

use std::net::{SocketAddr, TcpListener};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};
use url::Url;

use crate::http::{Answer, Request, percent_encode};
use crate::node::NodeServer;
use crate::signing_key::SigningKey;
use crate::visitor::{self, address_of, attribute};

/// The secret of every client.
pub const SECRET: &str = "test-only-secret-0123456789abcdef";
/// Where logins of clients lead back to that are no programs. Nothing has to listen there.
pub const REDIRECT_URI: &str = "http://127.0.0.1:9/callback";

/// A client of the provider.
#[derive(Clone, Debug)]
pub struct Client {
    /// Its id.
    pub id: String,
    /// Where its logins lead back to.
    pub redirect_uri: String,
    /// Where its logout tokens go.
    pub backchannel_logout_uri: String,
    /// Whether its tokens name the session.
    pub with_sid: bool,
    /// Where browsers may go after a sign-out that it has sent them to.
    pub post_logout_redirect_uris: Vec<String>,
}

/// The provider. It is killed when this goes out of scope.
#[derive(Debug)]
pub struct OidcProvider {
    issuer: String,
    address: SocketAddr,
    server: NodeServer,
}

impl OidcProvider {
    /// Starts one on a free port.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start(clients: &[Client]) -> Self {
        Self::listen(&json!({ "port": 0, "kid": "first" }), clients)
    }

    /// Starts one that calls itself `issuer`, and signs with `key`, so that its tokens and those of
    /// the server at that address count alike.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start_as(issuer: &str, key: &SigningKey, clients: &[Client]) -> Self {
        let settings = json!({ "port": 0, "issuer": issuer, "key": key.pem(), "kid": key.kid() });
        Self::listen(&settings, clients)
    }

    /// Ends it, and starts it at the same address with another key and without any session.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn restart(self, clients: &[Client]) -> Self {
        let port = self.address.port();
        drop(self);
        Self::listen(&json!({ "port": port, "kid": "second" }), clients)
    }

    fn listen(settings: &Value, registered: &[Client]) -> Self {
        let registered: Vec<Value> = registered
            .iter()
            .map(|client| {
                json!({
                    "id": client.id,
                    "secret": SECRET,
                    "redirectUri": client.redirect_uri,
                    "backchannelLogoutUri": client.backchannel_logout_uri,
                    "withSid": client.with_sid,
                    "postLogoutRedirectUris": client.post_logout_redirect_uris,
                })
            })
            .collect();
        let mut settings = settings.clone();
        settings["clients"] = registered.into();
        let server = NodeServer::start("oidc-provider", &settings);
        let greeting = server.says();
        let address = greeting["address"].as_str().expect("an address");
        Self {
            issuer: greeting["issuer"].as_str().expect("an issuer").to_owned(),
            address: address_of(&Url::parse(address).unwrap()),
            server,
        }
    }

    /// Its issuer, which is its address unless it was given another.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Ends it, and leaves in its place a listener that takes connections and never answers.
    ///
    /// # Panics
    /// When its address cannot be listened on.
    #[must_use]
    pub fn fall_silent(self) -> TcpListener {
        let address = self.address;
        drop(self);
        TcpListener::bind(address).unwrap()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What a discovery document says of logins, which the issuer that it stands in for has none
    /// of.
    pub fn login_metadata(&self) -> Map<String, Value> {
        let at = |path: &str| format!("http://{}{path}", self.address);
        [
            ("authorization_endpoint", at("/auth").into()),
            ("token_endpoint", at("/token").into()),
            ("response_types_supported", json!(["code"])),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into_iter()
        .collect()
    }

    /// What it says next: that it has `sent` a token, or that a client has `accepted` or `refused`
    /// one.
    ///
    /// # Panics
    /// When it says nothing.
    pub fn says(&self) -> Value {
        self.server.says()
    }

    /// Whether it has said nothing since it was last listened to.
    pub fn is_quiet(&self) -> bool {
        self.server.is_quiet()
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
    browser: visitor::Visitor,
}

impl<'p> Visitor<'p> {
    /// One with an empty jar.
    pub fn of(provider: &'p OidcProvider) -> Self {
        Self {
            provider,
            browser: visitor::Visitor::default(),
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
        let start = format!(
            "http://{}/auth?client_id={client}&response_type=code&scope=openid&redirect_uri={}",
            self.provider.address,
            percent_encode(REDIRECT_URI)
        );
        let is_end = |url: &Url| url.as_str().starts_with(REDIRECT_URI);
        let end = self
            .browser
            .follow(&Url::parse(&start).unwrap(), name, is_end);
        self.exchange(client, &end)
    }

    fn exchange(&self, client: &str, location: &Url) -> String {
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
            .send(self.provider.address);
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
        self.browser.send(self.provider.address, request)
    }
}
