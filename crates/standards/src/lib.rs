//! The standards by which identity providers and the hub tell each other that a session is over.
//!
//! Nothing in here reads a clock, a socket or a file, and nothing awaits. The caller brings bytes
//! and the time, and carries out the answer, as with the vendors' adapters.
//!
//! - OpenID Connect Back-Channel Logout 1.0 (incorporating errata set 1, December 2023), received:
//!   [`read_logout_request`] takes the token out of the request, [`LogoutTokenVerifier`] verifies
//!   it with a [`KeySet`], [`KeyCache`] says when those keys must be fetched, and the functions of
//!   [`answer`] are the answers.
//! - The same, sent: [`LogoutSender`] makes the tokens and reads the answers, [`SigningKeys`]
//!   signs, and [`metadata`] is what relying parties learn of the hub.
//! - OpenID Connect Front-Channel Logout 1.0, asked for: [`FrontChannelLogout`].
//! - OpenID Connect RP-Initiated Logout 1.0, received: [`EndSessionRequest`] reads the request, and
//!   [`IdTokenHint`] verifies the ID token in it.
//! - Global Token Revocation (draft 06), received: [`read_revocation_request`] and
//!   [`ProviderToken`], which authenticates it.
//! - OAuth 2.0 Token Revocation (RFC 7009), received: [`TokenRevocation`] reads the request.
//! - Security events by push (RFC 8935, SSF 1.0, CAEP 1.0), received: [`read_security_event`] and
//!   [`SecurityEvent`].
//! - Security events, sent: [`EventSender`] pushes them, [`read_poll`] and [`polled`] serve
//!   receivers that poll (RFC 8936).
//! - What those build on, and `logout-identity` as well: [`PublicKey`], [`SignatureAlgorithm`] and
//!   [`CompactJws`]. Signatures are verified by `jsonwebtoken` with AWS-LC.

mod algorithm;
pub mod answer;
mod cache_control;
mod discovery;
mod end_session;
mod event_poll;
mod event_sender;
mod frontchannel;
mod id_token;
mod jws;
mod key_cache;
mod key_set;
mod logout_request;
mod logout_sender;
mod logout_token;
mod media_type;
mod public_key;
mod revocation;
mod security_event;
mod signing_key;
mod subject_id;
mod token_revocation;

pub use algorithm::{AlgorithmError, SignatureAlgorithm};
pub use cache_control::max_age;
pub use discovery::metadata;
pub use end_session::{EndSessionError, EndSessionRequest};
pub use event_poll::{LARGEST_POLL, MOST_EVENTS, PollError, PollRequest, polled, read_poll};
pub use event_sender::{EventIssuer, EventSender};
pub use frontchannel::FrontChannelLogout;
pub use id_token::IdTokenHint;
pub use jws::{CompactJws, JwsError, JwsHeader, is_audience, is_same_type};
pub use key_cache::{FetchPermit, FetchWait, KeyCache, KeyLookup, KeyRefresh};
pub use key_set::{KeySet, KeySetError, LARGEST_KEY_SET, MOST_KEYS, NoKey};
pub use logout_request::{LARGEST_LOGOUT_REQUEST, LogoutRequestError, read_logout_request};
pub use logout_sender::LogoutSender;
pub use logout_token::{LogoutToken, LogoutTokenError, LogoutTokenVerifier, VerifierError};
pub use public_key::{PublicKey, PublicKeyError};
pub use revocation::{ProviderToken, RevocationError, read_revocation_request};
pub use security_event::{
    EventSubject, LARGEST_SECURITY_EVENT, SecurityEvent, SecurityEventError, read_security_event,
};
pub use signing_key::{SigningKey, SigningKeyError, SigningKeys};
pub use subject_id::{SubjectFormat, SubjectId, SubjectIdError};
pub use token_revocation::{LARGEST_TOKEN_REVOCATION, TokenRevocation, TokenRevocationError};
