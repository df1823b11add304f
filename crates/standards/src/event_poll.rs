//! Receivers that fetch their security events (RFC 8936).

use std::collections::BTreeMap;

use logout_core::session::SessionId;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::media_type::is_media_type;

/// The largest request that is read, in bytes. Our choice.
pub const LARGEST_POLL: usize = 256 * 1024;

/// The most events of one answer. Our choice.
pub const MOST_EVENTS: usize = 100;

/// What a receiver asks for (section 2.2).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct PollRequest {
    /// How many events it takes at most; none where it only acknowledges.
    pub most: usize,
    /// Whether it wants to hear at once that there are none.
    pub return_immediately: bool,
    /// The events that it has taken, by `jti`; names that are none of ours are left out.
    pub acknowledged: Vec<SessionId>,
    /// Those that it cannot take, each with its error code.
    pub refused: Vec<(SessionId, String)>,
}

/// Why a request is not understood. The text is fixed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PollError {
    /// The body did not arrive to its end, not in time, or is too large.
    #[error("the body did not arrive completely, or is too large")]
    Incomplete,
    /// Another media type.
    #[error("the body must be application/json")]
    MediaType,
    /// No object with the members of section 2.2.
    #[error("the body is not a polling request")]
    Malformed,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    max_events: Option<u64>,
    #[serde(default)]
    return_immediately: bool,
    #[serde(default)]
    ack: Vec<String>,
    #[serde(default)]
    set_errs: BTreeMap<String, SetError>,
}

#[derive(Deserialize)]
struct SetError {
    err: String,
}

/// Reads a request. Members that are not known are ignored (section 2.2).
///
/// # Errors
/// It is not understood.
pub fn read_poll(content_type: Option<&str>, body: &[u8]) -> Result<PollRequest, PollError> {
    if !is_media_type(content_type, "application/json") {
        return Err(PollError::MediaType);
    }
    let body: Body = serde_json::from_slice(body).map_err(|_| PollError::Malformed)?;
    let most = body.max_events.map_or(MOST_EVENTS, |most| {
        usize::try_from(most).unwrap_or(MOST_EVENTS)
    });
    let refused = body.set_errs.into_iter();
    Ok(PollRequest {
        most: most.min(MOST_EVENTS),
        return_immediately: body.return_immediately,
        acknowledged: body
            .ack
            .iter()
            .filter_map(|jti| SessionId::parse(jti))
            .collect(),
        refused: refused
            .filter_map(|(jti, error)| Some((SessionId::parse(&jti)?, error.err)))
            .collect(),
    })
}

/// The answer (section 2.3): the events by `jti`, and whether there are more.
pub fn polled(events: impl IntoIterator<Item = (SessionId, String)>, more: bool) -> Value {
    let sets = events
        .into_iter()
        .map(|(jti, set)| (jti.to_string(), Value::String(set)));
    json!({ "sets": sets.collect::<serde_json::Map<_, _>>(), "moreAvailable": more })
}
