//! Redirect sessions: the addresses that a browser is sent to, to sign out or to log in.
//!
//! The calls and the answers' fields are documented; statuses and codes are our choice unless
//! something says otherwise (docs/vendors/wix.md, "Redirect sessions").

use std::time::Duration;

use form_urlencoded::Serializer;
use logout_core::SessionAuthority;
use logout_core::message::{Request, Response};
use logout_core::sign_out::{Refusal, RequestedRedirect};
use serde_json::{Map, Value, json};

use crate::body::Fields;
use crate::config::Dialect;
use crate::credentials::{Caller, TICKET, attach_secret, caller};
use crate::grant::PARAMETERS;
use crate::guid;
use crate::paths::{AUTHORIZE, LOGOUT};
use crate::reply::{ErrorResponse, application_error, json_answer, redirect_refused};

/// How long a sign-out link is good for (our choice).
const TICKET_LIFETIME: Duration = Duration::from_secs(10 * 60);

pub(crate) async fn create(
    request: &Request<'_>,
    sessions: &SessionAuthority,
    dialect: &Dialect,
) -> Result<Response, ErrorResponse> {
    let fields = Fields::read(request)?;
    if let Some(intent) = fields.object("logout")? {
        return for_logout(
            intent,
            fields.object("callbacks")?,
            request,
            sessions,
            dialect,
        )
        .await;
    }
    match fields.object("auth")? {
        Some(intent) => for_login(intent, dialect),
        None => Err(Refusal::Malformed {
            field: "intent",
            rule: "REQUIRED",
        }
        .into()),
    }
}

/// A link that ends the caller's session, whoever's browser follows it: its ticket is one more
/// credential of that session.
async fn for_logout(
    intent: &Fields,
    callbacks: Option<&Fields>,
    request: &Request<'_>,
    sessions: &SessionAuthority,
    dialect: &Dialect,
) -> Result<Response, ErrorResponse> {
    let named = intent.text("clientId")?.ok_or(Refusal::Malformed {
        field: "clientId",
        rule: "REQUIRED",
    })?;
    let claim = dialect.claim(named)?;
    let refused = |fault| redirect_refused("callbacks.postFlowUrl", fault);
    let addresses = callbacks
        .map(|callbacks| callbacks.texts("postFlowUrl"))
        .transpose()?
        .unwrap_or_default();
    let requested = match RequestedRedirect::from_values(addresses.into_iter()) {
        RequestedRedirect::Address(address) => {
            dialect.check_form(&address).map_err(refused)?;
            Some(address)
        }
        RequestedRedirect::Bad(fault) => return Err(refused(fault).into()),
        RequestedRedirect::Nothing => None,
    };
    // Only a token counts, never the cookie: a page elsewhere must not get at a ticket for whoever
    // is looking at it.
    let session = match caller(request, sessions).await? {
        Caller::Live(session) => session,
        Caller::Dead => return Err(session_is_gone().into()),
        Caller::Nobody => return Err(Refusal::NotSignedIn.into()),
    };
    if !claim.known {
        return Err(Refusal::ClientUnknown.into());
    }
    if session.client.as_ref() != Some(&claim.id) {
        return Err(Refusal::ClientMismatch.into());
    }
    let redirect_uri = requested
        .map(|address| dialect.approve(&claim.id, &address))
        .transpose()
        .map_err(refused)?;
    let ticket = attach_secret(&session, TICKET, Some(TICKET_LIFETIME), sessions)
        .await?
        .ok_or_else(session_is_gone)?;
    let mut parameters = vec![("clientId", claim.id.as_str())];
    parameters.extend(
        redirect_uri
            .iter()
            .map(|url| ("postLogoutRedirectUri", url.as_str())),
    );
    parameters.push(("ticket", ticket.reveal()));
    Ok(redirect_session(LOGOUT, &parameters, None, dialect))
}

/// The code is documented; the status is our choice.
fn session_is_gone() -> Response {
    application_error(
        401,
        "FAILED_TO_EXTRACT_SESSION",
        "The session of this token has ended.",
    )
}

/// A link to the authorization endpoint. It needs no token, since it opens nothing by itself (our
/// choice).
fn for_login(intent: &Fields, dialect: &Dialect) -> Result<Response, ErrorResponse> {
    let requested = intent.object("authRequest")?.ok_or(Refusal::Malformed {
        field: "auth.authRequest",
        rule: "REQUIRED",
    })?;
    let client = dialect.client(requested.text("clientId")?.ok_or(Refusal::Malformed {
        field: "clientId",
        rule: "REQUIRED",
    })?)?;
    let refused = |fault| redirect_refused("auth.authRequest.redirectUri", fault);
    match RequestedRedirect::from_values(requested.texts("redirectUri")?.into_iter()) {
        RequestedRedirect::Address(address) => dialect
            .approve(&client, &address)
            .map(|_| ())
            .map_err(refused)?,
        RequestedRedirect::Bad(fault) => return Err(refused(fault).into()),
        RequestedRedirect::Nothing => {
            return Err(Refusal::Malformed {
                field: "auth.authRequest.redirectUri",
                rule: "REQUIRED",
            }
            .into());
        }
    }
    let mut parameters = Vec::with_capacity(PARAMETERS.len() + 2);
    for name in PARAMETERS.into_iter().chain(["sessionToken"]) {
        parameters.extend(requested.text(name)?.map(|value| (name, value)));
    }
    parameters.extend(intent.text("prompt")?.map(|value| ("prompt", value)));
    Ok(redirect_session(
        AUTHORIZE,
        &parameters,
        requested.text("sessionToken")?,
        dialect,
    ))
}

fn redirect_session(
    path: &str,
    parameters: &[(&str, &str)],
    session_token: Option<&str>,
    dialect: &Dialect,
) -> Response {
    let endpoint = format!("{}{path}", dialect.base);
    let query = Serializer::new(String::new())
        .extend_pairs(parameters)
        .finish();
    let full_url = format!("{endpoint}?{query}");
    let search: Map<String, Value> = parameters
        .iter()
        .map(|(name, value)| ((*name).to_owned(), json!(value)))
        .collect();
    json_answer(
        200,
        &json!({ "redirectSession": {
            "id": guid::random(),
            "fullUrl": full_url,
            "urlDetails": { "endpoint": endpoint, "searchParams": search },
            "sessionToken": session_token,
            "shortUrl": full_url,
        }}),
    )
}
