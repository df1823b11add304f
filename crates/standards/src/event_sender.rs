//! Security events that the hub sends (RFC 8417), as the Shared Signals Framework 1.0 profiles
//! them: `session-revoked` of CAEP 1.0, by push (RFC 8935) or to a receiver that polls (RFC 8936).

use std::sync::Arc;

use logout_core::credential::Secret;
use logout_core::ports::Clock;
use logout_core::session::{SessionId, Subject};
use logout_core::upstream::{Addressee, Confirmation, UpstreamAnswer, UpstreamRequest};
use logout_core::{Method, SignOutDialect};
use serde_json::{Map, Value, json};

use crate::logout_sender::confirmed_by;
use crate::security_event::{SESSION_REVOKED, TYPE};
use crate::signing_key::SigningKeys;
use crate::subject_id::SubjectFormat;

/// Makes the events for one receiver.
#[derive(Clone, Debug)]
pub struct EventIssuer {
    /// Signs them.
    pub keys: Arc<SigningKeys>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Who they are from (`iss`).
    pub issuer: String,
    /// Whom they are for (`aud`).
    pub audience: String,
    /// How a person is named.
    pub format: SubjectFormat,
}

impl EventIssuer {
    /// The event that the sessions of `subject` are over: its name is the person's, its realm the
    /// `sid`, which is empty where all of them are. `jti` is the id of the delivery, the same
    /// whenever it is sent, so that a receiver can tell a repetition (RFC 8935, section 2).
    ///
    /// It has `sub_id` in place of `sub`, and no `exp` (SSF 1.0, sections 4.1.1 and 4.1.5).
    pub fn session_revoked(&self, subject: &Subject, delivery: SessionId) -> String {
        let user = self.format.identifier(&self.issuer, &subject.name);
        let subject = if subject.realm.is_empty() {
            user
        } else {
            let session = json!({ "format": "opaque", "id": subject.realm });
            json!({ "format": "complex", "user": user, "session": session })
        };
        let mut claims = Map::new();
        let mut set = |name: &str, value: Value| claims.insert(name.to_owned(), value);
        set("iss", json!(self.issuer));
        set("aud", json!(self.audience));
        set("iat", json!(self.clock.now().as_secs()));
        set("jti", json!(delivery.to_string()));
        set("sub_id", subject);
        set("events", json!({ SESSION_REVOKED: {} }));
        self.keys.sign(TYPE, &claims)
    }
}

/// Pushes events to one receiver (RFC 8935).
#[derive(Clone, Debug)]
pub struct EventSender {
    /// Makes them.
    pub events: EventIssuer,
    /// Path and query of its endpoint.
    pub target: String,
    /// What it wants after `Bearer` in `Authorization`.
    pub authorization: Option<Secret>,
}

impl SignOutDialect for EventSender {
    fn owns_cookie(&self, _name: &str) -> bool {
        false
    }

    fn signs_out_by_name(&self) -> bool {
        true
    }

    /// Section 2.1.
    fn sign_out(&self, to: &Addressee) -> UpstreamRequest {
        let token = match (&to.subject, to.delivery) {
            (Some(subject), Some(delivery)) => self.events.session_revoked(subject, delivery),
            // Deliveries to receivers have both. An empty body is refused, and that is seen.
            _ => String::new(),
        };
        let request = UpstreamRequest::new(Method::Post, &*self.target)
            .with_header("accept", "application/json")
            .with_body("application/secevent+jwt", token);
        match &self.authorization {
            Some(token) => {
                request.with_header("authorization", &format!("Bearer {}", token.reveal()))
            }
            None => request,
        }
    }

    /// Section 2.2: 202; 200 and 204 are taken for it.
    fn confirm(&self, answer: &UpstreamAnswer) -> Confirmation {
        confirmed_by(answer, &[200, 202, 204])
    }

    fn probe(&self, _to: &Addressee) -> Option<UpstreamRequest> {
        None
    }

    fn alive(&self, _answer: &UpstreamAnswer) -> Option<bool> {
        None
    }
}
