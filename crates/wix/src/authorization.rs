//! Who says to be calling: the `Authorization` header as Wix's clients write it. Pure.

use logout_core::message::Request;

/// Observed: access tokens begin like this, and a JWT follows.
pub(crate) const TOKEN_PREFIX: &str = "OauthNG.JWS.";

/// What the `Authorization` header holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Authorization<'a> {
    /// Nothing. Observed: without a strategy, the vendor's SDK sends the header empty.
    Absent,
    /// Something that speaks for a site or an account, and for no member.
    ApiKey,
    /// What should be an access token.
    Token(&'a str),
}

/// Reads the header. Observed: the token stands bare or behind `Bearer`, and helpers put `,` and an
/// API key behind it.
pub(crate) fn authorization<'a>(request: &'a Request<'_>) -> Authorization<'a> {
    let value = request
        .authorization("Bearer")
        .or_else(|| request.header("authorization").map(str::trim))
        .unwrap_or_default();
    let (token, key) = value
        .split_once(',')
        .map_or((value, ""), |(token, key)| (token.trim(), key.trim()));
    if token.is_empty() {
        return if key.is_empty() {
            Authorization::Absent
        } else {
            Authorization::ApiKey
        };
    }
    // Observed: API keys begin with `IST.`, and go with the header that names their site or
    // account.
    let with_site = ["wix-site-id", "wix-account-id"]
        .iter()
        .any(|name| request.header(name).is_some());
    if token.starts_with("IST.") || (with_site && !token.starts_with(TOKEN_PREFIX)) {
        Authorization::ApiKey
    } else {
        Authorization::Token(token)
    }
}

#[cfg(test)]
mod tests {
    use logout_core::Method;

    use super::*;

    fn get() -> Request<'static> {
        Request::new(Method::Get, "/v1/logout")
    }

    #[test]
    fn the_header_is_read_in_every_spelling_that_clients_use() {
        for (value, read) in [
            (None, Authorization::Absent),
            (Some(""), Authorization::Absent),
            (Some("  "), Authorization::Absent),
            (Some("Bearer"), Authorization::Absent),
            (Some(","), Authorization::Absent),
            (Some("OauthNG.JWS.a"), Authorization::Token("OauthNG.JWS.a")),
            (
                Some("Bearer OauthNG.JWS.a"),
                Authorization::Token("OauthNG.JWS.a"),
            ),
            (
                Some("bEARER  OauthNG.JWS.a"),
                Authorization::Token("OauthNG.JWS.a"),
            ),
            (
                Some("OauthNG.JWS.a,IST.key"),
                Authorization::Token("OauthNG.JWS.a"),
            ),
            (
                Some("Bearer OauthNG.JWS.a , IST.key"),
                Authorization::Token("OauthNG.JWS.a"),
            ),
            (Some("AT4"), Authorization::Token("AT4")),
            (Some("IST.eyJ"), Authorization::ApiKey),
            (Some(",IST.eyJ"), Authorization::ApiKey),
        ] {
            let request = value.iter().fold(get(), |request, value| {
                request.with_header("authorization", *value)
            });
            assert_eq!(authorization(&request), read, "{value:?}");
        }
        let with_site = |value: &str| {
            get()
                .with_header("authorization", value)
                .with_header("wix-site-id", "x")
        };
        assert_eq!(authorization(&with_site("key")), Authorization::ApiKey);
        assert_eq!(
            authorization(&with_site("OauthNG.JWS.a")),
            Authorization::Token("OauthNG.JWS.a")
        );
    }
}
