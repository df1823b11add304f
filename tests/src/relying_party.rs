//! A relying party that a test plays, and what it may believe of the hub's tokens.

use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use logout_core::time::Timestamp;
use logout_standards::{KeySet, LogoutTokenVerifier, SignatureAlgorithm};
use serde_json::Value;

use crate::http::Request;
use crate::upstream::{Behaviour, ScriptedUpstream};

/// The head of an answer that confirms.
pub const OK: &str = "200 OK";

/// A relying party on loopback, known to the hub by its client id.
#[derive(Debug)]
pub struct TestRelyingParty {
    client: &'static str,
    server: ScriptedUpstream,
}

impl TestRelyingParty {
    /// One that answers with this status line from the beginning.
    pub fn start(client: &'static str, status: &str) -> Self {
        Self {
            client,
            server: ScriptedUpstream::start([], Behaviour::answer(status, "", "")),
        }
    }

    /// Its table in a hub's configuration, with further lines.
    pub fn table(&self, more: &str) -> String {
        let (client, base) = (self.client, self.server.base());
        format!(
            "[[relying_party]]\nclient_id = \"{client}\"\n\
             backchannel_logout_uri = \"{base}/out?a=b\"\n{more}\n"
        )
    }

    /// Its base address.
    pub fn base(&self) -> String {
        self.server.base()
    }

    /// From now on it does this.
    pub fn now(&self, behaviour: Behaviour) {
        self.server.now(behaviour);
    }

    /// What it was sent so far.
    pub fn requests(&self) -> Vec<String> {
        self.server.requests()
    }

    /// The tokens that it was sent so far, each out of a request that is as the standard says.
    ///
    /// # Panics
    /// When a request is not.
    pub fn tokens(&self) -> Vec<String> {
        self.requests().iter().map(|text| token_of(text)).collect()
    }

    /// Waits for this many tokens.
    ///
    /// # Panics
    /// When they do not come.
    pub fn wait_for(&self, count: usize) -> Vec<String> {
        let requests = self.server.wait_for(count);
        requests.iter().map(|text| token_of(text)).collect()
    }

    /// The claims of a token, as this relying party verifies it with the keys of the hub at
    /// `address`, whose issuer is `issuer`.
    ///
    /// # Panics
    /// When it is not valid.
    pub fn verified(
        &self,
        address: SocketAddr,
        issuer: &str,
        token: &str,
        now: Timestamp,
    ) -> Value {
        let keys = Request::get("/.well-known/jwks.json").send(address);
        assert_eq!(keys.status, 200, "{}", keys.text());
        let algorithms = [SignatureAlgorithm::Rs256];
        let keys = KeySet::parse(keys.text().as_bytes(), &algorithms).unwrap();
        let verifier = LogoutTokenVerifier::new(issuer, self.client, &algorithms).unwrap();
        verifier.verify(token, &keys, now).expect("a valid token");
        part(token, 1)
    }
}

/// The token in a request to a `backchannel_logout_uri` (Back-Channel Logout 1.0, section 2.5).
fn token_of(request: &str) -> String {
    let (head, body) = request.split_once("\r\n\r\n").expect("a body");
    let head = head.to_ascii_lowercase();
    assert!(head.starts_with("post /out?a=b http/1.1\r\n"), "{head}");
    assert!(
        head.contains("\r\ncontent-type: application/x-www-form-urlencoded"),
        "{head}"
    );
    let token = body.strip_prefix("logout_token=").expect("one parameter");
    assert!(!token.contains('&'), "{token}");
    token.to_owned()
}

/// A part of a token that is not verified: its header (0) or claims (1).
///
/// # Panics
/// When it is none.
pub fn part(token: &str, number: usize) -> Value {
    let part = token.split('.').nth(number).expect("three parts");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}
