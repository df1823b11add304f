//! Logout tokens that the hub sends to a relying party (OpenID Connect Back-Channel Logout 1.0).

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use logout_core::credential::random_bytes;
use logout_core::ports::Clock;
use logout_core::upstream::{Addressee, Confirmation, UpstreamAnswer, UpstreamRequest};
use logout_core::{Method, SignOutDialect};
use serde_json::{Map, Value, json};

use crate::logout_token::LOGOUT_EVENT;
use crate::signing_key::SigningKeys;

/// How long a token is valid: section 2.4 wants two minutes at most.
const VALID_FOR: Duration = Duration::from_secs(120);

/// The type of the token by which a relying party is asked whether a session lives. Our choice.
const STATUS_TYPE: &str = "session-status+jwt";

/// Tells one relying party.
///
/// The subject of a sign-out there is [`logout_core::relying_party`]'s: its name is `sub`, its
/// realm `sid`. Each attempt has a token of its own: a repeated one would be refused by its `jti`
/// (section 2.6, rule 8), and one that waited by its `exp`.
#[derive(Clone, Debug)]
pub struct LogoutSender {
    /// Signs the tokens.
    pub keys: Arc<SigningKeys>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Who the tokens are from (`iss`).
    pub issuer: String,
    /// The client id of the relying party (`aud`).
    pub client_id: String,
    /// Path and query of its `backchannel_logout_uri`.
    pub target: String,
    /// Path and query where it says whether a session lives, at the same host.
    pub probe: Option<String>,
}

impl LogoutSender {
    /// The claims that all tokens about `to` have.
    fn claims(&self, to: &Addressee) -> Map<String, Value> {
        let now = self.clock.now();
        let mut claims = Map::new();
        let mut set = |name: &str, value: Value| claims.insert(name.to_owned(), value);
        set("iss", json!(self.issuer));
        set("aud", json!(self.client_id));
        set("iat", json!(now.as_secs()));
        set("exp", json!(now.plus(VALID_FOR).as_secs()));
        set("jti", json!(URL_SAFE_NO_PAD.encode(random_bytes::<16>())));
        if let Some(subject) = &to.subject {
            set("sub", json!(subject.name));
            if !subject.realm.is_empty() {
                set("sid", json!(subject.realm));
            }
        }
        claims
    }
}

impl SignOutDialect for LogoutSender {
    fn owns_cookie(&self, _name: &str) -> bool {
        false
    }

    fn signs_out_by_name(&self) -> bool {
        true
    }

    /// Section 2.5.
    fn sign_out(&self, to: &Addressee) -> UpstreamRequest {
        let mut claims = self.claims(to);
        claims.insert("events".to_owned(), json!({ LOGOUT_EVENT: {} }));
        let token = self.keys.sign("logout+jwt", &claims);
        UpstreamRequest::new(Method::Post, &*self.target)
            .with_header("accept", "application/json")
            .with_body(
                "application/x-www-form-urlencoded",
                format!("logout_token={token}"),
            )
    }

    /// Section 2.8: 200, and 204 as some frameworks answer. What a relying party refuses it will
    /// refuse again, so it is not tried again; 408, 425 and 429 only put it off.
    fn confirm(&self, answer: &UpstreamAnswer) -> Confirmation {
        confirmed_by(answer, &[200, 204])
    }

    /// The standard has none: a conforming relying party answers 200 to a session that it does not
    /// know. So this is our choice, for those that add it.
    fn probe(&self, to: &Addressee) -> Option<UpstreamRequest> {
        let token = self.keys.sign(STATUS_TYPE, &self.claims(to));
        let request = UpstreamRequest::new(Method::Get, self.probe.as_deref()?);
        Some(request.with_header("authorization", &format!("Bearer {token}")))
    }

    fn alive(&self, answer: &UpstreamAnswer) -> Option<bool> {
        match answer.status {
            200 => Some(true),
            404 => Some(false),
            _ => None,
        }
    }
}

/// What an answer means: one of `good` confirms, and what cannot change is not tried again.
pub(crate) fn confirmed_by(answer: &UpstreamAnswer, good: &[u16]) -> Confirmation {
    match answer.status {
        status if good.contains(&status) => Confirmation::Confirmed { redirect: None },
        408 | 425 | 429 => Confirmation::Refused,
        300..=499 => Confirmation::Rejected,
        _ => Confirmation::Refused,
    }
}
