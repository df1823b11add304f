//! The stand-in's probes, its content, and the portal's two homes: who is signed in?
//!
//! Documented, unless a function says otherwise (docs/vendors/hcl-dx.md, "Probes").

use logout_core::SessionAuthority;
use logout_core::message::{Request, Response};
use logout_core::page::HtmlPage;
use logout_core::sign_out::Refusal;
use logout_core::store::Lookup;
use serde_json::json;

use crate::config::{ContentItem, Dialect};
use crate::{login, reply, token};

pub(crate) async fn validate(
    request: &Request<'_>,
    sessions: &SessionAuthority,
    dialect: &Dialect,
) -> Result<Response, Refusal> {
    let name = signed_in(request, sessions, dialect)
        .await?
        .ok_or(Refusal::NotSignedIn)?;
    Ok(login::signed_in("The session is valid", &name))
}

/// A content item: `dxrest` serves what is open to everybody and looks at no token, `dxmyrest` what
/// the user may read.
///
/// That an item which is not open gets 401 under `dxrest`, and any other access type 400, is our
/// choice.
pub(crate) async fn content(
    request: &Request<'_>,
    sessions: &SessionAuthority,
    dialect: &Dialect,
) -> Result<Response, Refusal> {
    let id = request.path_parameter("contentId").unwrap_or_default();
    let item = dialect
        .config
        .content
        .iter()
        .find(|item| item.id.eq_ignore_ascii_case(id));
    match request.path_parameter("accessType") {
        Some("dxrest") => match item {
            None => Ok(not_found()),
            Some(item) if item.anonymous => Ok(payload(item)),
            // No refusal of the session, which was not looked at: its cookie stays.
            Some(_) => Ok(reply::fault(
                401,
                "Unauthorized",
                "Authentication is required.",
                "Anonymous users may not read this item.",
            )),
        },
        Some("dxmyrest") => {
            let name = signed_in(request, sessions, dialect)
                .await?
                .ok_or(Refusal::NotSignedIn)?;
            match item {
                None => Ok(not_found()),
                Some(item) if item.is_readable_by(&name) => Ok(payload(item)),
                Some(_) => Err(Refusal::Forbidden),
            }
        }
        _ => Err(Refusal::Malformed {
            field: "accessType",
            rule: "must be dxrest or dxmyrest",
        }),
    }
}

fn not_found() -> Response {
    reply::fault(
        404,
        "NotFound",
        "There is no such item.",
        "No content has this id.",
    )
}

fn payload(item: &ContentItem) -> Response {
    reply::json(
        200,
        &json!({
            "id": item.id,
            "title": { "lang": "en", "value": item.title },
            "name": item.title,
            "type": "Content",
            "content": {
                "type": "application/vnd.ibm.wcm+json",
                "content": { "elements": { "element": [{
                    "name": "body",
                    "type": "TextComponent",
                    "data": { "type": "text/plain", "value": item.text },
                }] } },
            },
        }),
    )
}

/// The public home: a page that says who is signed in.
pub(crate) async fn public_home(
    request: &Request<'_>,
    sessions: &SessionAuthority,
    dialect: &Dialect,
) -> Result<Response, Refusal> {
    let name = signed_in(request, sessions, dialect).await?;
    if name.is_some() && dialect.portal.substitutes_home {
        return Ok(Response::redirect(&dialect.portal.protected_page).uncached());
    }
    Ok(HtmlPage::who_is_signed_in(dialect.platform.as_str(), name.as_deref()).response(200))
}

/// The protected home: the same page, but nobody sees it without a session. The vendor's asks to
/// log in; this one sends to the public home (our choice: the stand-in has no login form).
pub(crate) async fn protected_home(
    request: &Request<'_>,
    sessions: &SessionAuthority,
    dialect: &Dialect,
) -> Result<Response, Refusal> {
    match signed_in(request, sessions, dialect).await? {
        Some(name) => {
            Ok(HtmlPage::who_is_signed_in(dialect.platform.as_str(), Some(&name)).response(200))
        }
        None => Ok(reply::clear_presented(
            Response::redirect(&dialect.portal.public_page).uncached(),
            request,
            dialect,
        )),
    }
}

/// Who a request proves to be: the user of the first live token and, only where logged-out tokens
/// are not tracked, of the first one that was ended before its time.
async fn signed_in(
    request: &Request<'_>,
    sessions: &SessionAuthority,
    dialect: &Dialect,
) -> Result<Option<String>, Refusal> {
    let presented = dialect.presented(request);
    if let Some((session, _)) = sessions.first_session(&presented).await? {
        return Ok(Some(session.subject.name.to_string()));
    }
    if dialect.config.track_logged_out_tokens {
        return Ok(None);
    }
    for ltpa in presented.iter().map(|one| one.secret.reveal()) {
        if sessions.look_up(token::LTPA, ltpa).await? == Lookup::Ended
            && let Some(name) = token::told(ltpa, sessions)
        {
            return Ok(Some(name));
        }
    }
    Ok(None)
}
