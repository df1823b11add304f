//! The stand-in's login.
//!
//! Documented, unless a comment says otherwise (docs/vendors/hcl-dx.md, "Logins").

use logout_core::SessionAuthority;
use logout_core::credential::Secret;
use logout_core::login::LoginAttempt;
use logout_core::message::{Request, Response};
use logout_core::ports::Account;
use logout_core::session::Subject;
use logout_core::sign_out::Refusal;
use logout_core::store::Join;
use serde::Serialize;
use serde_json::Value;

use crate::config::Dialect;
use crate::{reply, token, who};

#[derive(Serialize)]
struct LoggedIn<'a> {
    #[serde(rename = "statusCode")]
    status_code: u16,
    message: &'static str,
    data: User<'a>,
}

#[derive(Serialize)]
struct User<'a> {
    #[serde(rename = "UId")]
    uid: &'a str,
}

/// The object that says who somebody is, after a login and from `auth/validate`.
pub(crate) fn signed_in(message: &'static str, name: &str) -> Response {
    reply::json(
        200,
        &LoggedIn {
            status_code: 200,
            message,
            data: User { uid: name },
        },
    )
}

/// `auth/login`. A login with a live token at hand opens another session, and the former one ends
/// unless that is switched off (our choice).
pub(crate) async fn login(
    request: &Request<'_>,
    sessions: &SessionAuthority,
    dialect: &Dialect,
) -> Result<Response, Refusal> {
    // A page of another site can post text without asking, and so log its visitor in as somebody
    // else; JSON it cannot.
    let foreign = request
        .header("sec-fetch-site")
        .is_some_and(|site| site == "cross-site");
    if foreign
        && !request
            .media_type()
            .eq_ignore_ascii_case("application/json")
    {
        return Err(Refusal::CrossSite);
    }
    let (name, password) = credentials(request.body())?;
    let Some(account) = verify(request, sessions, &name, &password).await? else {
        return Ok(reply::fault(
            401,
            "Unauthorized",
            "The login failed.",
            "The user name or the password is wrong.",
        ));
    };
    let mut session = sessions.new_session(
        Subject::new(&account.realm, &account.name),
        Some(&account),
        request.device(),
    );
    // Documented: a token lives from login and is not prolonged by use, so there is no idle limit.
    session.idle_timeout = None;
    session.expires = session.opened.plus(dialect.token_lifetime);
    let ltpa = if dialect.config.track_logged_out_tokens {
        token::opaque()
    } else {
        token::telling(&session, sessions)?
    };
    session.credentials = vec![sessions.credential(token::LTPA, &ltpa, session.expires, false)];
    let former: Vec<_> = dialect
        .tokens(request)
        .map(|token| (token::LTPA, token))
        .collect();
    sessions
        .open_in_place_of(session, Join::Always, &former)
        .await?;
    Ok(signed_in("Login Successful", &account.name).header(
        "set-cookie",
        dialect.cookie.set(ltpa.reveal(), request.is_secure(), None),
    ))
}

fn credentials(body: &[u8]) -> Result<(String, Secret), Refusal> {
    let malformed = |field, rule| Refusal::Malformed { field, rule };
    let mut object = who::members(body).ok_or(malformed("body", "must be a JSON object"))?;
    let mut text = |field| match object.remove(field) {
        Some(Value::String(text)) => Ok(text),
        _ => Err(malformed(field, "must be a string")),
    };
    Ok((text("username")?, Secret::new(text("password")?)))
}

/// Observed: clients log in with a distinguished name. Where no account is called so, its first
/// part is the name (our choice).
async fn verify(
    request: &Request<'_>,
    sessions: &SessionAuthority,
    name: &str,
    password: &Secret,
) -> Result<Option<Account>, Refusal> {
    let first = who::first_of_distinguished(name);
    let attempt = LoginAttempt {
        or_name: first.as_ref().map(|(name, _)| &**name),
        ..LoginAttempt::of(request, name, password)
    };
    Ok(sessions.accounts().verify(attempt).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_an_object_with_two_strings() {
        let (name, password) =
            credentials(br#"{"username":"a\u0062","password":"","more":1}"#).unwrap();
        assert_eq!((name.as_str(), password.reveal()), ("ab", ""));
        for (body, wrong) in [
            ("", "body"),
            ("{", "body"),
            ("null", "body"),
            (r#"["a","b"]"#, "body"),
            ("username=a&password=b", "body"),
            (r#"{"username":"a"}"#, "password"),
            (r#"{"password":"a"}"#, "username"),
            (r#"{"username":7,"password":"b"}"#, "username"),
            (r#"{"username":"a","password":null}"#, "password"),
            ("{\"username\":\"a\u{0}\",\"password\":\"b\"}", "body"),
        ] {
            assert!(
                matches!(credentials(body.as_bytes()), Err(Refusal::Malformed { field, .. }) if field == wrong),
                "{body}"
            );
        }
        let (name, password) =
            credentials(br#"{"username":"a","password":"x","username":"b","password":7}"#).unwrap();
        assert_eq!(
            (name.as_str(), password.reveal()),
            ("a", "x"),
            "of a member that is there twice the first counts"
        );
        assert!(credentials(b"{\"username\":\"\xff\",\"password\":\"b\"}").is_err());
    }
}
