//! An identity provider that a test plays: its keys over HTTP, and logout tokens with any claims.

use std::net::SocketAddr;

use logout_core::credential::random_bytes;
use logout_core::time::Timestamp;
use logout_standards::SignatureAlgorithm;
use serde_json::{Value, json};

use crate::http::{Answer, Request};
use crate::upstream::{Behaviour, ScriptedUpstream};

#[allow(dead_code, reason = "the tests of the standards do more with it")]
#[path = "../../crates/standards/tests/standards/signer.rs"]
mod signer;

/// The client that the hub is registered as.
pub const CLIENT: &str = "logout-hub";
/// The member of `events` that makes a token a logout token (Back-Channel Logout 1.0, section 2.4).
pub const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// An identity provider on loopback.
pub struct TestIdp {
    server: ScriptedUpstream,
    keys: &'static signer::Keys,
    /// The id of its RSA key.
    kid: &'static str,
}

impl TestIdp {
    /// One that publishes an RSA key called `k1` and a P-256 key called `e1`.
    pub fn start() -> Self {
        Self::with(signer::keys(), "k1")
    }

    /// One with other keys of the same names.
    pub fn start_another() -> Self {
        Self::with(signer::others(), "k1")
    }

    fn with(keys: &'static signer::Keys, kid: &'static str) -> Self {
        let idp = Self {
            server: ScriptedUpstream::start([], Behaviour::Slam),
            keys,
            kid,
        };
        idp.publish("");
        idp
    }

    /// Its issuer, which is its address.
    pub fn issuer(&self) -> String {
        self.server.base()
    }

    /// Its table in a hub's configuration, with further lines.
    pub fn table(&self, name: &str, more: &str) -> String {
        let issuer = self.issuer();
        format!(
            "[[idp]]\nname = \"{name}\"\nissuer = \"{issuer}\"\nclient_id = \"{CLIENT}\"\n\
             jwks_uri = \"{issuer}/jwks\"\n{more}\n"
        )
    }

    /// Its key set.
    pub fn key_set(&self) -> String {
        let rsa = self.keys.jwk(SignatureAlgorithm::Rs256, self.kid);
        json!({ "keys": [rsa, self.keys.jwk(SignatureAlgorithm::Es256, "e1")] }).to_string()
    }

    /// From now on it answers with its key set, and with these header lines (each with its line
    /// end).
    pub fn publish(&self, headers: &str) {
        let headers = format!("content-type: application/json\r\n{headers}");
        self.answer(Behaviour::answer("200 OK", &headers, &self.key_set()));
    }

    /// From now on it does this where its keys are asked for.
    pub fn answer(&self, behaviour: Behaviour) {
        self.server.now(behaviour);
    }

    /// Signs with an RSA key called `k2` from now on, and publishes that in place of its first one.
    pub fn rotate(&mut self) {
        (self.keys, self.kid) = (signer::others(), "k2");
        self.publish("");
    }

    /// How often its keys were asked for.
    pub fn fetches(&self) -> usize {
        self.server.requests().len()
    }

    /// What its keys were asked for with, as it came.
    pub fn requests(&self) -> Vec<String> {
        self.server.requests()
    }

    /// The claims of a valid logout token that is issued at `now` and names these: `sub`, `sid`,
    /// or both. Each has a `jti` of its own.
    ///
    /// # Panics
    /// When `names` is no object.
    pub fn claims(&self, now: Timestamp, names: &Value) -> Value {
        let jti: String = random_bytes::<16>()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let mut claims = json!({
            "iss": self.issuer(),
            "aud": CLIENT,
            "iat": now.as_secs(),
            "exp": now.as_secs() + 120,
            "jti": jti,
            "events": { EVENT: {} },
        });
        let members = claims.as_object_mut().unwrap();
        members.extend(names.as_object().expect("an object").clone());
        claims
    }

    /// The header of its tokens.
    pub fn header(&self) -> Value {
        json!({ "alg": "RS256", "typ": "logout+jwt", "kid": self.kid })
    }

    /// A token with these claims.
    pub fn sign(&self, claims: &Value) -> String {
        self.sign_as(&self.header(), claims)
    }

    /// A token with this header as well, signed as its `alg` says.
    ///
    /// # Panics
    /// When `alg` is none that signs with a private key.
    pub fn sign_as(&self, header: &Value, claims: &Value) -> String {
        sign(self.keys, header, claims)
    }

    /// The same, signed by a key that is not published.
    ///
    /// # Panics
    /// When `alg` is none that signs with a private key.
    pub fn forge(&self, header: &Value, claims: &Value) -> String {
        let is_first = std::ptr::eq(self.keys, signer::keys());
        let other = if is_first {
            signer::others()
        } else {
            signer::keys()
        };
        sign(other, header, claims)
    }

    /// A valid logout token that is issued at `now` and names these.
    pub fn token(&self, now: Timestamp, names: &Value) -> String {
        self.sign(&self.claims(now, names))
    }
}

fn sign(keys: &signer::Keys, header: &Value, claims: &Value) -> String {
    let algorithm = SignatureAlgorithm::parse(header["alg"].as_str().unwrap()).unwrap();
    keys.token(algorithm, &header.to_string(), &claims.to_string())
}

/// A token by HMAC, which only a careless verifier takes.
pub fn hmac_token(header: &Value, claims: &Value, secret: &str) -> String {
    signer::hmac_token(&header.to_string(), &claims.to_string(), secret.as_bytes())
}

/// A token with this signature, which need not be one.
pub fn token_of(header: &Value, claims: &Value, signature: &str) -> String {
    let message = signer::message(&header.to_string(), &claims.to_string());
    format!("{message}.{signature}")
}

/// The request that brings a token to the endpoint of the provider called so in the configuration.
pub fn logout_request(idp: &str, token: &str) -> Request {
    Request::post(&format!("/idp/{idp}/backchannel-logout")).form(&[("logout_token", token)])
}

/// Sends a token to the hub at `address`.
pub fn send_token(address: SocketAddr, idp: &str, token: &str) -> Answer {
    logout_request(idp, token).send(address)
}
