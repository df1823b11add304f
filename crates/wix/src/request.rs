//! What a sign-out request asks for. Pure.

use logout_core::message::{Method, Request};
use logout_core::ports::TokenClaims;
use logout_core::receipt::Reach;
use logout_core::sign_out::{
    ClientClaim, CredentialPolicy, CsrfProof, NoSessionPolicy, PostLogoutRedirect,
    PostLogoutRedirectPolicy, PresentedCredential, Refusal, RequestedRedirect, SignOut, Target,
};

use crate::authorization::{Authorization, authorization};
use crate::body::Fields;
use crate::config::Dialect;
use crate::credentials::{ACCESS, CLIENT_CLAIM, MEMBER_COOKIE, TICKET};

/// What a request asks for, and how it wants to be answered.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) sign_out: SignOut,
    /// It comes from a redirect session.
    pub(crate) by_ticket: bool,
    /// It says where to go afterwards.
    pub(crate) wants_redirect: bool,
}

/// Reads a sign-out. `verify` tells what a well-signed, unexpired access token says. In front of a
/// real site it is not asked: tokens are that site's, nothing vouches for them, and their client is
/// the one of the session that they open.
///
/// By POST, what the body says wins over the query, name by name (our choice; the vendor documents
/// the query for GET and shows a JSON body for POST). An empty value counts as none.
///
/// # Errors
/// A parameter or the body is malformed, or the configuration demands an authorization and there is
/// none.
pub(crate) fn read(
    request: &Request<'_>,
    dialect: &Dialect,
    verify: impl Fn(&str) -> Option<TokenClaims>,
) -> Result<Asked, Refusal> {
    let body = if request.method() == Method::Post {
        Fields::read(request)?
    } else {
        Fields::default()
    };
    let query = request.query();
    let one = |name| {
        Ok::<_, Refusal>(
            body.text(name)?
                .or_else(|| query.first(name).filter(|value| !value.is_empty())),
        )
    };
    let named = one("clientId")?
        .map(|text| dialect.claim(text))
        .transpose()?;
    let requested =
        match RequestedRedirect::from_values(body.texts("postLogoutRedirectUri")?.into_iter()) {
            RequestedRedirect::Nothing => {
                RequestedRedirect::from_values(query.all("postLogoutRedirectUri"))
            }
            by_body => by_body,
        };
    // An address that is malformed whoever asks is refused before the question who asks.
    match &requested {
        RequestedRedirect::Address(address) => dialect
            .check_form(address)
            .map_err(Refusal::RedirectRefused)?,
        RequestedRedirect::Bad(fault) => return Err(Refusal::RedirectRefused(*fault)),
        RequestedRedirect::Nothing => {}
    }
    let ticket = one("ticket")?;
    let authorization = authorization(request);
    let claims = match authorization {
        Authorization::Token(token) if !dialect.has_upstream => verify(token),
        _ => None,
    };
    let credentials = credentials(request, dialect, authorization, claims.is_some(), ticket);
    let wants_redirect = matches!(requested, RequestedRedirect::Address(_));
    if credentials.is_empty() && dialect.config.require_authorization {
        return Err(if authorization == Authorization::ApiKey {
            Refusal::Forbidden
        } else {
            Refusal::NotSignedIn
        });
    }
    Ok(Asked {
        sign_out: SignOut {
            credentials,
            credential_policy: if dialect.config.require_ticket_for_cookie_logout {
                CredentialPolicy::FirstAndProvenCookies
            } else {
                CredentialPolicy::FirstAndSameSubject
            },
            csrf: CsrfProof::NotNeeded,
            client: named.or_else(|| claims.and_then(|claims| client_of(&claims, dialect))),
            target: Target::Caller,
            reach: Reach::Session,
            // A browser that follows an old sign-out link has to arrive, so a ticket that is
            // unknown by now is no reason to refuse.
            no_session: if matches!(authorization, Authorization::Token(_)) {
                NoSessionPolicy::RejectUnrecognized
            } else {
                NoSessionPolicy::Succeed
            },
            redirect: PostLogoutRedirect {
                requested,
                policy: PostLogoutRedirectPolicy::ByClient(dialect.policies.clone()),
                default: None,
                reject_invalid: true,
            },
        },
        by_ticket: ticket.is_some(),
        wants_redirect,
    })
}

/// The header comes first, then the ticket, then cookies.
fn credentials(
    request: &Request<'_>,
    dialect: &Dialect,
    authorization: Authorization<'_>,
    vouched: bool,
    ticket: Option<&str>,
) -> Vec<PresentedCredential> {
    let by_header = match authorization {
        Authorization::Token(token) if vouched => {
            Some(PresentedCredential::in_header(ACCESS, token).vouched())
        }
        Authorization::Token(token) if dialect.has_upstream => {
            Some(PresentedCredential::in_header(ACCESS, token))
        }
        Authorization::Token(token) => {
            Some(PresentedCredential::in_header(ACCESS, token).foreign())
        }
        Authorization::Absent | Authorization::ApiKey => None,
    };
    let by_ticket = ticket.map(|ticket| PresentedCredential::in_header(TICKET, ticket));
    let by_cookie = request
        .cookies(dialect.member_cookie.name())
        .map(|value| PresentedCredential::in_cookie(MEMBER_COOKIE, value));
    PresentedCredential::each_once(by_header.into_iter().chain(by_ticket).chain(by_cookie))
}

/// The app that a token was given to, which decides on the return address even when the token's
/// session is gone.
fn client_of(claims: &TokenClaims, dialect: &Dialect) -> Option<ClientClaim> {
    dialect
        .claim(claims.vendor.get(CLIENT_CLAIM)?)
        .ok()
        .filter(|claim| claim.known)
}

#[cfg(test)]
mod tests;
