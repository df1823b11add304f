//! What a sign-out request asks for. Pure.

use std::borrow::Cow;
use std::collections::HashSet;

use logout_core::credential::SecretDigest;
use logout_core::message::{Method, Request, percent_decode};
use logout_core::ports::Tokens;
use logout_core::provider::Endpoint;
use logout_core::receipt::Reach;
use logout_core::sign_out::{
    CredentialPolicy, CsrfProof, NoSessionPolicy, PostLogoutRedirect, PostLogoutRedirectPolicy,
    PresentedCredential, RequestedRedirect, SignOut, Target,
};
use logout_core::time::Timestamp;

use crate::config::{Dialect, Profile, SESSION_ID, TOKEN};
use crate::reading::bare;

/// `/services/logout`, which answers with JSON.
pub(crate) const LOGOUT: &str = "logout";
/// `/logout`, which answers with a redirect.
pub(crate) const LOGOUT_AND_REDIRECT: &str = "logout-and-redirect";

/// The sign-out endpoints. Documented: Elvis 5 takes GET and POST, from 6 on the service takes POST
/// only; `/logout` takes both everywhere.
pub(crate) fn endpoints(profile: Profile) -> Vec<Endpoint> {
    let both = [Method::Get, Method::Post];
    let service: &[Method] = if profile.has_tokens() {
        &[Method::Post]
    } else {
        &both
    };
    let endpoints = [
        Endpoint::new(LOGOUT, service, "/services/logout", &[]),
        Endpoint::new(LOGOUT_AND_REDIRECT, &both, "/logout", &[]),
    ];
    endpoints
        .into_iter()
        .map(|endpoint| with_session_id(endpoint, profile))
        .collect()
}

/// Observed: clients of Elvis 4 and 5 carry the session in the path, as `;jsessionid=`.
pub(crate) fn with_session_id(endpoint: Endpoint, profile: Profile) -> Endpoint {
    if profile.has_tokens() {
        endpoint
    } else {
        endpoint.with_path_parameters()
    }
}

/// Reads a sign-out. Never fails: what cannot be understood counts as absent. The body of
/// `/services/logout` is not looked at, whatever its type: clients were observed to send JSON
/// headers with nothing behind them, and stray form fields.
pub(crate) fn read(
    request: &Request<'_>,
    dialect: &Dialect,
    tokens: &dyn Tokens,
    now: Timestamp,
) -> SignOut {
    let redirects = request.endpoint() == LOGOUT_AND_REDIRECT;
    SignOut {
        credentials: credentials(request, dialect, tokens, now),
        credential_policy: CredentialPolicy::FirstValid,
        // `/logout` is documented as a plain link, so it cannot ask for a header.
        csrf: if redirects {
            CsrfProof::NotNeeded
        } else {
            CsrfProof::Presented(csrf_token(request))
        },
        client: None,
        target: Target::Caller,
        reach: Reach::Session,
        no_session: if redirects {
            NoSessionPolicy::Succeed
        } else {
            NoSessionPolicy::Reject
        },
        landing: PostLogoutRedirect {
            requested: if redirects {
                requested(request)
            } else {
                RequestedRedirect::Nothing
            },
            policy: PostLogoutRedirectPolicy::Platform(dialect.redirects.clone()),
            default: Some(dialect.landing.clone()),
            reject_invalid: false,
        },
    }
}

/// Everything that was presented, each value once, in order of precedence: the bearer token and
/// then the cookies; in Elvis 4 and 5 the session id in the path and then the cookies. A token that
/// is forged, expired or of another platform is foreign and never gets as far as the store; in
/// front of a real instance, whose tokens are not ours, none is.
pub(crate) fn credentials(
    request: &Request<'_>,
    dialect: &Dialect,
    tokens: &dyn Tokens,
    now: Timestamp,
) -> Vec<PresentedCredential> {
    let purpose = purpose(dialect);
    let is_foreign = |value: &str| {
        let is_theirs = !dialect.config.profile.has_tokens() || dialect.has_upstream;
        !is_theirs
            && tokens
                .verify(bare(value), dialect.platform.as_str(), TOKEN, now)
                .is_err()
    };
    let by_hand = by_hand(request, dialect)
        .into_iter()
        .map(|value| PresentedCredential::in_header(purpose, value));
    let by_cookie = request
        .cookies(dialect.cookie.name())
        .map(|value| PresentedCredential::in_cookie(purpose, value));
    let presented = PresentedCredential::each_once(by_hand.chain(by_cookie));
    presented
        .into_iter()
        .map(|one| {
            if is_foreign(one.secret.reveal()) {
                one.foreign()
            } else {
                one
            }
        })
        .collect()
}

/// What the credentials of this profile are for.
pub(crate) fn purpose(dialect: &Dialect) -> &'static str {
    if dialect.config.profile.has_tokens() {
        TOKEN
    } else {
        SESSION_ID
    }
}

/// What no browser sends by itself: a bearer token, or in Elvis 4 and 5 the session ids in the
/// path.
pub(crate) fn by_hand<'a>(request: &'a Request<'_>, dialect: &Dialect) -> Vec<Cow<'a, str>> {
    if dialect.config.profile.has_tokens() {
        request
            .authorization("Bearer")
            .map(Cow::Borrowed)
            .into_iter()
            .collect()
    } else {
        session_ids_in_path(request.path())
    }
}

/// Whether the path names two sessions, so that nothing says which one was meant: servers disagree
/// on which of them counts.
pub(crate) fn contradicts(request: &Request<'_>, dialect: &Dialect) -> bool {
    !dialect.config.profile.has_tokens() && session_ids_in_path(request.path()).len() > 1
}

/// The CSRF token that a request carries.
pub(crate) fn csrf_header<'a>(request: &'a Request<'_>) -> Option<&'a str> {
    request
        .header("x-csrf-token")
        .map(str::trim)
        .filter(|token| !token.is_empty())
}

/// Its digest.
pub(crate) fn csrf_token(request: &Request<'_>) -> Option<SecretDigest> {
    csrf_header(request).map(SecretDigest::of)
}

/// The different session ids in a path, in order. Observed: Tomcat takes parameters out of every
/// segment, up to the next `;` or `/`, before it decodes the path. A server in front may hand on
/// the path decoded, so that is read too (our choice).
fn session_ids_in_path(path: &str) -> Vec<Cow<'_, str>> {
    if !path.contains([';', '%']) {
        return Vec::new();
    }
    let mut seen = HashSet::new();
    let mut ids: Vec<Cow<'_, str>> = parameters(path)
        .filter(|id| seen.insert(*id))
        .map(Cow::Borrowed)
        .collect();
    if path.contains('%') {
        let decoded = percent_decode(path);
        let mut seen: HashSet<&str> = ids.iter().map(AsRef::as_ref).collect();
        let others: Vec<_> = parameters(&decoded)
            .filter(|id| seen.insert(*id))
            .map(|id| Cow::Owned(id.to_owned()))
            .collect();
        ids.extend(others);
    }
    ids
}

fn parameters(path: &str) -> impl Iterator<Item = &str> {
    let parameters = path
        .split('/')
        .flat_map(|segment| segment.split(';').skip(1));
    parameters
        .filter_map(|parameter| parameter.strip_prefix("jsessionid="))
        .filter(|id| !id.is_empty())
}

/// Query and form count together, so that a value in each is one too many.
fn requested(request: &Request<'_>) -> RequestedRedirect {
    let query = request.query();
    let form = request.form();
    RequestedRedirect::from_values(
        query
            .all("logoutSuccessUrl")
            .chain(form.all("logoutSuccessUrl")),
    )
}

#[cfg(test)]
mod tests {
    use logout_core::platform::Platform;
    use logout_core::ports::TokenClaims;
    use logout_core::redirect::RedirectError;
    use logout_suite::testing::RememberedTokens;

    use super::*;
    use crate::AssetsConfig;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    fn dialect(profile: Profile) -> Dialect {
        let config = AssetsConfig {
            profile,
            ..AssetsConfig::default()
        };
        Dialect::new(
            config,
            &Platform::new("dam", "http://dam.example/".parse().unwrap()),
        )
        .unwrap()
    }

    fn token(tokens: &RememberedTokens, issuer: &str, audience: &str, exp: u64) -> String {
        let claims = TokenClaims {
            iss: issuer.into(),
            aud: audience.into(),
            sub: "alice".into(),
            jti: "1".into(),
            iat: 0,
            exp,
            vendor: Default::default(),
        };
        tokens.mint(&claims).unwrap().reveal().to_owned()
    }

    fn read_as(profile: Profile, request: &Request<'_>, tokens: &RememberedTokens) -> SignOut {
        read(request, &dialect(profile), tokens, NOW)
    }

    #[test]
    fn a_token_that_is_not_ours_or_over_never_reaches_the_store() {
        let tokens = RememberedTokens::default();
        let good = token(&tokens, "dam", TOKEN, 2_000);
        for (presented, ours) in [
            (good.as_str(), true),
            (&token(&tokens, "dam", TOKEN, 1_000), false),
            (&token(&tokens, "cms", TOKEN, 2_000), false),
            (&token(&tokens, "dam", "access", 2_000), false),
            ("e30.e30.x", false),
            ("null", false),
        ] {
            for request in [
                Request::new(Method::Post, "/services/logout")
                    .with_header("authorization", format!("Bearer {presented}")),
                Request::new(Method::Post, "/services/logout")
                    .with_header("cookie", format!("authToken={presented}")),
            ] {
                let credentials = read_as(Profile::Assets6, &request, &tokens).credentials;
                assert_eq!(
                    credentials
                        .iter()
                        .map(|presented| !presented.foreign)
                        .collect::<Vec<_>>(),
                    [ours],
                    "{presented}"
                );
            }
        }
    }

    #[test]
    fn in_front_of_a_real_instance_tokens_are_looked_up_and_not_verified() {
        let mut platform = Platform::new("dam", "http://dam.example/".parse().unwrap());
        platform.has_upstream = true;
        let dam = Dialect::new(AssetsConfig::default(), &platform).unwrap();
        let request = Request::new(Method::Post, "/services/logout")
            .with_header("cookie", "authToken=theirs")
            .with_header("authorization", "Bearer e30.e30.x");
        let found: Vec<_> = read(&request, &dam, &RememberedTokens::default(), NOW)
            .credentials
            .iter()
            .map(|one| (one.purpose, one.secret.reveal().to_owned()))
            .collect();
        assert_eq!(
            found,
            ["e30.e30.x", "theirs"].map(|value| (TOKEN, value.to_owned()))
        );
    }

    #[test]
    fn the_bearer_token_comes_before_the_cookies_and_each_value_counts_once() {
        let request = Request::new(Method::Post, "/services/logout")
            .with_header(
                "cookie",
                "authToken=a; JSESSIONID=z; authToken=b; authToken=a; authToken=",
            )
            .with_header("authorization", "Bearerb");
        let by_cookie: Vec<bool> = read_as(Profile::Elvis6, &request, &RememberedTokens::default())
            .credentials
            .iter()
            .map(|one| one.by_cookie)
            .collect();
        assert_eq!(by_cookie, [false, true]);
    }

    #[test]
    fn elvis_4_and_5_read_the_path_and_then_their_own_cookie_and_no_bearer() {
        let known = |value: &str| (SESSION_ID, value.to_owned());
        for (path, expected) in [
            (
                "/services/logout;jsessionid=p",
                vec![known("p"), known("c")],
            ),
            (
                "/services/logout;x=1;jsessionid=p",
                vec![known("p"), known("c")],
            ),
            ("/services/logout;jsessionid=", vec![known("c")]),
            (
                "/services;jsessionid=p/logout",
                vec![known("p"), known("c")],
            ),
            (
                "/services/logout;jsessionid=p/",
                vec![known("p"), known("c")],
            ),
            (
                "/services/logout;jsessionid=p;jsessionid=q",
                vec![known("p"), known("q"), known("c")],
            ),
            (
                "/services;jsessionid=q/logout;jsessionid=p;",
                vec![known("q"), known("p"), known("c")],
            ),
            (
                "/services/logout;jsessionid=p;jsessionid=p",
                vec![known("p"), known("c")],
            ),
            (
                "/services/logout%3Bjsessionid=p",
                vec![known("p"), known("c")],
            ),
            (
                "/services/logout;jsessioni%64=p",
                vec![known("p"), known("c")],
            ),
            (
                "/services/logout;jsessionid=%70",
                vec![known("%70"), known("p"), known("c")],
            ),
            ("/services/logout", vec![known("c")]),
        ] {
            let request = Request::new(Method::Get, path)
                .with_header("cookie", "authToken=a; JSESSIONID=c")
                .with_header("authorization", "Bearer b");
            let found: Vec<_> = read_as(Profile::Elvis5, &request, &RememberedTokens::default())
                .credentials
                .iter()
                .map(|one| (one.purpose, one.secret.reveal().to_owned()))
                .collect();
            assert_eq!(found, expected, "{path}");
        }
    }

    #[test]
    fn two_sessions_in_one_path_contradict_each_other() {
        for (path, contradicts) in [
            ("/services/logout", false),
            ("/services/logout;jsessionid=p", false),
            ("/services/logout;jsessionid=p;jsessionid=p", false),
            ("/services/logout;jsessionid=p;jsessionid=", false),
            ("/services/logout;jsessionid=p;jsessionid=q", true),
            ("/services;jsessionid=p/logout;jsessionid=q", true),
            ("/services/logout;jsessionid=%70", true),
        ] {
            let request = Request::new(Method::Get, path);
            assert_eq!(
                super::contradicts(&request, &dialect(Profile::Elvis5)),
                contradicts,
                "{path}"
            );
            assert!(
                !super::contradicts(&request, &dialect(Profile::Assets6)),
                "{path}"
            );
        }
    }

    #[test]
    fn only_the_redirecting_form_takes_a_landing_needs_no_proof_and_accepts_strangers() {
        let tokens = RememberedTokens::default();
        let request = Request::new(Method::Get, "/").with_query("logoutSuccessUrl=%2Fa");
        let redirecting = read_as(
            Profile::Assets6,
            &request.clone().with_endpoint(LOGOUT_AND_REDIRECT, vec![]),
            &tokens,
        );
        assert!(
            matches!(redirecting.landing.requested, RequestedRedirect::Address(ref to) if to == "/a")
        );
        assert!(
            matches!(redirecting.csrf, CsrfProof::NotNeeded)
                && redirecting.no_session == NoSessionPolicy::Succeed
        );
        let service = read_as(
            Profile::Assets6,
            &request.with_endpoint(LOGOUT, vec![]),
            &tokens,
        );
        assert!(matches!(
            service.landing.requested,
            RequestedRedirect::Nothing
        ));
        assert!(
            matches!(service.csrf, CsrfProof::Presented(None))
                && service.no_session == NoSessionPolicy::Reject
        );
    }

    #[test]
    fn a_landing_is_read_from_query_and_form_and_two_are_one_too_many() {
        for (query, body, requested) in [
            ("", "", None),
            ("logoutSuccessUrl=", "", None),
            ("logoutSuccessUrl=/a", "", Some(Ok("/a"))),
            ("", "logoutSuccessUrl=/b", Some(Ok("/b"))),
            (
                "logoutSuccessUrl=/a",
                "logoutSuccessUrl=/a",
                Some(Err(RedirectError::Duplicated)),
            ),
            (
                "logoutSuccessUrl=/a&logoutSuccessUrl=/b",
                "",
                Some(Err(RedirectError::Duplicated)),
            ),
            ("LogoutSuccessUrl=/a", "", None),
        ] {
            let request = Request::new(Method::Post, "/logout")
                .with_query(query)
                .with_header(
                    "content-type",
                    "application/x-www-form-urlencoded; charset=UTF-8",
                )
                .with_body(body)
                .with_endpoint(LOGOUT_AND_REDIRECT, vec![]);
            let asked = read_as(Profile::Assets6, &request, &RememberedTokens::default());
            let found = match &asked.landing.requested {
                RequestedRedirect::Address(address) => Some(Ok(address.as_str())),
                RequestedRedirect::Bad(fault) => Some(Err(*fault)),
                RequestedRedirect::Nothing => None,
            };
            assert_eq!(found, requested, "{query} {body}");
        }
    }

    #[test]
    fn from_6_on_the_service_takes_post_only() {
        for (profile, methods) in [
            (Profile::Assets6, vec![Method::Post]),
            (Profile::Elvis6, vec![Method::Post]),
            (Profile::Elvis5, vec![Method::Get, Method::Post]),
            (Profile::Elvis4, vec![Method::Get, Method::Post]),
        ] {
            let endpoints = endpoints(profile);
            assert_eq!(endpoints[0].methods(), methods, "{profile:?}");
            assert_eq!(
                endpoints[1].methods(),
                [Method::Get, Method::Post],
                "{profile:?}"
            );
            assert_eq!(
                endpoints[0]
                    .matches("/services/logout;jsessionid=1")
                    .is_some(),
                !profile.has_tokens(),
                "{profile:?}"
            );
        }
    }
}
